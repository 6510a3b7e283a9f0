"""The front page of a run, gathered from what its notebooks saved: nothing on it is computed again."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analytics.display import wording
from analytics.display.cells import heading, withheld
from analytics.display.front import Drawn, Front, Line, Said, StudyLink, front_page
from analytics.display.packing import packed_plotly, plotly_name
from analytics.estimators.result import Estimate, Finding, Listing
from analytics.studies import index, results
from analytics.studies.beside import beside
from analytics.studies.deal_lists import PAGE as DEALS
from analytics.studies.deal_lists import deal_lists, links_of
from analytics.studies.exits import DONE, STATUS
from analytics.studies.job import Outcome
from analytics.studies.notebook_cell import Notebook
from analytics.studies.redaction import hidden
from analytics.studies.store import write_text
from analytics.studies.study import Study
from analytics.studies.workbook import write_workbook

QUARTER, HEALTH = "quarter", "data_health"
"""The studies of which the front page shows more than their findings."""

MAILED, WORKBOOK, NUMBERS = "front.html", "results.xlsx", "results.json.gz"
"""The front page as one file; everything in one workbook; everything in one packed JSON file."""

KEPT = (
    "Where this report was made, the folders notebooks and results beside this page keep the notebooks as executed, "
    "their provenance, and every result as Parquet and CSV. The pages do without them."
)

UNTOLD = ("cannot tell", "not studied")
_MARK = re.compile(r'<span class="wl-mark" id="result-([a-z0-9_]+)">')
_LEFT_OUT = ("rejected", "left out", "not yet known")


def write_front(
    study: Study, run: Path, notebooks: Sequence[Notebook], outcomes: Sequence[Outcome], secrets: Sequence[str] = ()
) -> None:
    """Write what holds a run together: plotly.js beside it, front page, mailed page, workbook and JSON of all results.

    Parameters
    ----------
    study : Study
        The opened study.
    run : pathlib.Path
        The run's folder, two levels below its quarter's.
    notebooks, outcomes
        What was to be executed, and how it went; those that failed are named as such.
    secrets : sequence of str
        Passwords that must not appear.
    """
    script = run.parents[1] / plotly_name()
    if not script.is_file():
        write_text(script, packed_plotly())
    done = [outcome.name for outcome in outcomes if outcome.exit_code == DONE]
    facts = {"company": study.params.company, "quarter": study.quarter.name, "as_of": study.as_of}
    results.write_json(run, done, run / NUMBERS, **facts)
    write_workbook(run, done, run / WORKBOOK)
    lists = deal_lists(study, run, secrets)
    if lists is not None:
        write_text(run / DEALS, hidden(lists, secrets))
    front = front_of(study, run, notebooks, outcomes)
    pages = {index.FRONT: front_page(front, plotly=f"../../{script.name}"), MAILED: front_page(front, alone=True)}
    for name, text in pages.items():
        write_text(run / name, hidden(text, secrets))


def front_of(study: Study, run: Path, notebooks: Sequence[Notebook], outcomes: Sequence[Outcome]) -> Front:
    """Gather the front page of a run from the results that its notebooks saved."""
    ended = {outcome.name: outcome for outcome in outcomes}
    kept = _Kept(run, tuple(notebook for notebook in notebooks if _done(ended.get(notebook.name))))
    others = [notebook for notebook in kept.notebooks if notebook.name[3:] != QUARTER]
    said = [kept.said(notebook, finding) for notebook in others for finding in results.findings_of(run, notebook.name)]
    lines = _abilities(kept)
    return Front(
        title=index.title(study),
        lead=index.subtitle(study),
        strip=_strip(kept),
        cards=kept.findings(QUARTER, results.CARDS),
        drawn=tuple(_drawn(kept)),
        parts=_parts(kept),
        parts_href=kept.href(HEALTH, "left_out"),
        lead_href=kept.href(HEALTH, "what_came_in"),
        untold=tuple({one.headline: one for one in said if _untold(one.finding)}.values()),
        not_studied=_not_studied(lines, kept),
        health=tuple(one for name in ("settled", "observed", "traps_found") for one in kept.findings(HEALTH, name)),
        facts=_facts(kept),
        excluded=_excluded(kept),
        studies=tuple(_study(notebook, ended.get(notebook.name), kept, lines, study) for notebook in notebooks),
        downloads=_downloads(run, study),
        kept=KEPT,
        beside=beside(run.parents[1]) if study.params.team is None else (),
        definitions=index.DEFINITIONS,
        parameters=tuple(index.facts(study)),
    )


@dataclass(frozen=True)
class _Kept:
    """The results of the notebooks that are done, by the study's name (`quarter` for `01_quarter`)."""

    run: Path
    notebooks: tuple[Notebook, ...]

    def notebook(self, study: str) -> Notebook | None:
        return next((one for one in self.notebooks if one.name[3:] == study), None)

    def read(self, study: str, name: str) -> Any:
        notebook = self.notebook(study)
        return None if notebook is None else results.read(self.run, notebook.name, name)

    def frame(self, study: str, name: str) -> pd.DataFrame | None:
        result = self.read(study, name)
        return result.frame if isinstance(result, Estimate | Listing) else None

    def findings(self, study: str, name: str) -> tuple[Said, ...]:
        notebook, result = self.notebook(study), self.read(study, name)
        many = result if isinstance(result, tuple) else (result,) if isinstance(result, Finding) else ()
        return () if notebook is None else tuple(self.said(notebook, finding) for finding in many)

    def said(self, notebook: Notebook, finding: Finding) -> Said:
        return Said(finding, notebook.title, self.place(notebook, finding.estimate or finding.name))

    def href(self, study: str, name: str) -> str:
        notebook = self.notebook(study)
        return "" if notebook is None else self.place(notebook, name)

    def place(self, notebook: Notebook, name: str) -> str:
        """Where a result stands on its study's page; the page itself where the page does not show it."""
        page = f"{notebook.name}.html"
        return f"{page}#result-{name}" if name in _shown(self.run / page) else page


@functools.lru_cache(maxsize=64)
def _shown(page: Path) -> frozenset[str]:
    """The results that a written page can be linked to for."""
    return frozenset(_MARK.findall(page.read_text(encoding="utf-8"))) if page.is_file() else frozenset()


def _untold(finding: Finding) -> bool:
    """Whether a card of a study could not tell; the one that sums up such cards of its study would say it twice."""
    sums_up = (finding.name, finding.verdict) == ("not_told", "cannot tell")
    return finding.verdict in UNTOLD and not sums_up


def _done(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.exit_code == DONE


def _strip(kept: _Kept) -> tuple[tuple[str, str, str], ...]:
    """The quarter in money: as its own study says it, then what each outcome came to."""
    found = []
    frame = kept.frame(QUARTER, "money_strip")
    if frame is not None:
        at = kept.href(QUARTER, "money_strip")
        # the studies' needs say already that there is no plan
        there = frame[frame["item"] != "plan"]
        told = zip(there["words"], there["label"], strict=True)
        found += [(str(words), str(label), at) for words, label in told if isinstance(words, str) and words]
    closed = kept.frame(QUARTER, "what_closed")
    if closed is not None and {"outcome", "amount", "currency"} <= set(closed.columns):
        rows = closed.drop_duplicates("outcome").set_index("outcome")
        names = [name for name in ("won", "lost", "no_decision") if name in rows.index]
        amounts = [float(rows["amount"][name]) for name in names]
        if names and all(math.isfinite(amount) for amount in amounts):
            words = " / ".join(wording.money(amount) for amount in amounts)
            what = " / ".join(name.replace("_", " ") for name in names)
            found.append((f"{rows['currency'].iloc[0]}\u00a0{words}", what, kept.href(QUARTER, "what_closed")))
    return tuple(found)


def _drawn(kept: _Kept) -> list[Drawn]:
    """The figures of the front page, each from one saved result."""
    from analytics.display import figures

    wanted: list[tuple[str, Callable[[Any], Any]]] = [
        ("period_incidence", figures.plot_stacked_incidence),
        ("win_rates", figures.plot_win_rates),
        ("mix_and_rate", figures.plot_mix_and_rate),
    ]
    found = []
    for name, draw in wanted:
        notebook, result = kept.notebook(QUARTER), kept.read(QUARTER, name)
        if notebook is None or result is None:
            continue
        rows = _of_the_card(result, kept) if name == "mix_and_rate" else None
        if rows is not None:
            result = Estimate(rows, result.meta)
        numbers = results.numbers_of(kept.run, notebook.name, name, drawn=result)
        own: Mapping[str, Any] = {} if numbers is None else {name: numbers}
        lists = links_of(kept.run, notebook.name, name, None if rows is None else rows.index)
        found.append(Drawn(name, draw(result), notebook.title, kept.href(QUARTER, name), own, lists))
    return found


def _of_the_card(parts: Any, kept: _Kept) -> pd.DataFrame | None:
    """Of all comparisons and segments the rows that the card about the change speaks of; None where that is all."""
    cards = [one.finding for one in kept.findings(QUARTER, results.CARDS) if one.finding.estimate == "mix_and_rate"]
    if not cards or not isinstance(parts, Estimate):
        return None
    rows = parts.at(**{name: value for name, value in cards[0].keys if name in ("compared_to", "segment")})
    return rows if len(rows) else None


def _abilities(kept: _Kept) -> pd.DataFrame:
    frame = kept.frame(HEALTH, "abilities")
    return frame if frame is not None else pd.DataFrame(columns=["study", "question", "possible", "words"])


def _not_studied(lines: pd.DataFrame, kept: _Kept) -> tuple[Line, ...]:
    at = kept.href(HEALTH, "abilities")
    lacking = lines[lines["possible"] != "yes"]
    told = zip(lacking["study"], lacking["question"], lacking["words"], strict=True)
    return tuple(
        Line(f"{str(study).replace('_', ' ').capitalize()}: {question}.", str(words), at)
        for study, question, words in told
    )


def _facts(kept: _Kept) -> tuple[Line, ...]:
    found = []
    came = kept.frame(HEALTH, "what_came_in")
    if came is not None and len(came):
        whole = came.iloc[-1]
        read, rejected = (_finite(whole.get(name)) for name in ("rows_read", "rows_rejected"))
        if read is not None and rejected is not None:
            words = f"{wording.count(rejected)} of them rejected, each with file, line and reason."
            found.append(Line(f"{wording.count(read)} rows read.", words, kept.href(HEALTH, "what_came_in")))
    shares = kept.frame(HEALTH, "outcome_shares")
    if shares is not None and len(shares) and pd.notna(shares["n_unknown"].iloc[0]):
        unknown, deals = float(shares["n_unknown"].iloc[0]), float(shares["n_risk"].iloc[0])
        words = f"Of {wording.count(deals)} known deals." if math.isfinite(deals) else ""
        name = f"{wording.count(unknown) if unknown else 'No'} deals closed without a recorded outcome."
        found.append(Line(name, words, kept.href(HEALTH, "outcome_shares")))
    return tuple(found)


def _finite(value: Any) -> float | None:
    number = pd.to_numeric(pd.Series([value]), errors="coerce").iloc[0]
    return float(number) if pd.notna(number) else None


def _parts(kept: _Kept) -> tuple[tuple[str, int], ...]:
    """Of the deals of the export: studied, outside the scope, left out otherwise; empty where a count is withheld."""
    frame = kept.frame(HEALTH, "left_out")
    if frame is None or bool(frame["deals"].isna().any()):
        return ()
    out = frame[frame["step"].isin(_LEFT_OUT[1:])]
    outside = out["rule"].astype(str).str.startswith("scope:")
    studied = int(frame.loc[frame["step"] == "studied", "deals"].sum())
    scope, others = (int(out.loc[rows, "deals"].sum()) for rows in (outside, ~outside))
    return ("deals studied", studied), ("outside the scope", scope), ("left out by another rule", others)


def _excluded(kept: _Kept) -> tuple[Line, ...]:
    frame = kept.frame(HEALTH, "left_out")
    if frame is None:
        return ()
    at, marks = kept.href(HEALTH, "left_out"), withheld(frame, "deals")
    notebook = kept.notebook(HEALTH)
    lists = [] if notebook is None else links_of(kept.run, notebook.name, "left_out")
    opened = next((column.addresses for column in lists if column.heading == heading("deals")), [""] * len(frame))
    found = []
    for row, mark, deals in zip(frame.to_dict("records"), marks, opened, strict=True):
        if row["step"] in _LEFT_OUT and (mark or float(row["deals"]) > 0):
            unit = str(row["unit"]).removesuffix("s") if row["deals"] == 1 else row["unit"]
            number = mark or f"{wording.count(float(row['deals']))} {unit}"
            found.append(Line(str(row["rule"]), number, at, deals))
    return tuple(found)


def _study(notebook: Notebook, outcome: Outcome | None, kept: _Kept, lines: pd.DataFrame, study: Study) -> StudyLink:
    """One line of the list of studies: done, failed and why, or not run and what it needs."""
    mine = lines[lines["study"] == notebook.name[3:]]
    lacking = mine[mine["possible"] == "no"]
    needs = "; ".join(dict.fromkeys(str(words).removeprefix("Not studied: it ") for words in lacking["words"]))
    if outcome is None:
        return StudyLink(notebook.title, "", "not run" + (f": {needs}" if needs else ""))
    if outcome.exit_code != DONE:
        why = "" if study.sharing.safe else wording.readable(outcome.message, 600)
        return StudyLink(notebook.title, "", STATUS[outcome.exit_code], why)
    status = "done"
    if len(lacking) and len(lacking) == len(mine):
        status = "not studied"
    elif len(lacking):
        status = "done in part"
    found = results.findings_of(kept.run, notebook.name)
    return StudyLink(
        notebook.title, f"{notebook.name}.html", status, needs,
        said=tuple(kept.said(notebook, finding) for finding in found),
    )  # fmt: skip


def _downloads(run: Path, study: Study) -> tuple[tuple[str, str], ...]:
    found = [("this page as one file, for mailing", MAILED)]
    if (run / WORKBOOK).is_file():
        found.append(("all tables (Excel)", WORKBOOK))
    found.append(("all numbers (JSON, gzip)", NUMBERS))
    if (run / DEALS).is_file():
        found.append(("the deals behind the numbers", DEALS))
    if not study.sharing.safe and study.params.team is None:
        found.append((f"{len(study.rejects):,} rejected rows (CSV)", "rejects.csv"))
    return (*found, ("how the run was made (JSON)", "run.json"))
