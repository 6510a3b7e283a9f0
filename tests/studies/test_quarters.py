"""Published quarters side by side: every number is the one that a run saved, and MOVER is done again by hand."""

from __future__ import annotations

import csv
import datetime as dt
import html
import json
import math
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from small_company import COMPANY, QUARTER

from analytics.display.front import Front, front_page, leading_page
from analytics.questions import quarter as question
from analytics.records.errors import InputError
from analytics.studies import bundle, store
from analytics.studies.beside import beside
from analytics.studies.changed_definitions import changes
from analytics.studies.cli import main
from analytics.studies.compare import compare
from analytics.studies.export import chosen_figures, saved_figures
from analytics.studies.opening import open_params
from analytics.studies.params import load_company, load_quarter
from analytics.studies.places import RESULTS
from analytics.studies.provenance import study_facts
from analytics.studies.published_run import current_run
from analytics.studies.saved_runs import published_quarters
from analytics.studies.trend import trend

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "display"))
from test_browser import PROBE, browser, opened

FIRST = QUARTER.replace("2025Q2", "2025Q1").replace("2025-06-30", "2025-04-30").replace("[2025Q1]", "[2024Q4]")
SECOND = QUARTER.replace("2025-06-30", "2025-07-30")
OUTCOMES = ("won", "lost", "no_decision")


def publish_study(params: Path, moment: dt.datetime) -> None:
    """Do what a run does with `01_quarter`, without its kernel: study, save, publish."""
    asked = load_quarter(params)
    study = open_params(load_company(params.parent / f"{asked.company}.yaml"), asked)
    place = params.parents[1] / "reports" / asked.company / study.quarter.name
    folder = bundle.begin(place, moment)
    pace: dict[str, Any] = {"settled_on": study.settled_on, "horizon_days": study.horizon_days}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WINLOSS_OUT", str(folder / RESULTS / "01_quarter"))
        study.save("period_at_horizon", question.period_at_horizon(study.deals, study.quarter, **pace))
        before = question.quarters_before(study.params.calendar, study.quarter, back=2)
        study.save("restated_quarters", question.restated_quarters(study.deals, before, **pace))
    store.write_json(folder / "run.json", study_facts(study, asked, ()))
    run = bundle.end(folder)
    bundle.publish(place, run.name, leading_page(study.quarter.name, "", f"runs/{run.name}/index.html"))


def published(home: Path) -> Path:
    """Two quarters published one after the other; between the runs one closing of the first is corrected."""
    (home / "params" / "acme-2025Q1.yaml").write_text(FIRST)
    (home / "params" / "acme-2025Q2.yaml").write_text(SECOND)
    publish_study(home / "params" / "acme-2025Q1.yaml", dt.datetime(2025, 5, 1))
    export = home / "export" / "deals.csv"
    with export.open(newline="") as handle:
        rows = list(csv.reader(handle))
    corrected = next(row for row in rows if row[5] == "Price" and "2025-02-01" <= row[3] <= "2025-03-01")
    corrected[4], corrected[5] = "Won", ""
    with export.open("w", newline="") as handle:
        csv.writer(handle).writerows(rows)
    publish_study(home / "params" / "acme-2025Q2.yaml", dt.datetime(2025, 8, 1))
    return home / "reports"


def known_later(reports: Path) -> list[dict[str, Any]]:
    """The first quarter as the second one's run sees it."""
    return [row for row in saved(reports, "2025Q2", "restated_quarters") if row["period"] == "2025Q1"]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory, make_project: Callable[[Path], Path]) -> Path:
    return published(make_project(tmp_path_factory.mktemp("quarters") / "acme"))


def saved(reports: Path, quarter: str, name: str) -> list[dict[str, Any]]:
    """Rows of a result as its Parquet file has them: read by hand, not by the code under test."""
    (file,) = (reports / "acme" / quarter / "runs").glob(f"*/results/01_quarter/{name}.parquet")
    return rows_in(file)


def rows_in(file: Path) -> list[dict[str, Any]]:
    frame = pd.read_parquet(file)
    return [dict(row) for row in frame.astype(object).where(frame.notna(), None).to_dict("records")]


def row_of(rows: list[dict[str, Any]], **keys: str) -> dict[str, Any]:
    (found,) = [row for row in rows if all(row[name] == value for name, value in keys.items())]
    return found


def test_compare_shows_what_the_runs_saved(reports: Path) -> None:
    page, _, said = compare(reports, "acme", ("2025Q1", "2025Q2"))
    shown = rows_in(page.parent / "results" / "quarters.parquet")
    assert said == []
    sources = {
        ("2025Q1", "as published"): saved(reports, "2025Q1", "period_at_horizon"),
        ("2025Q2", "as published"): saved(reports, "2025Q2", "period_at_horizon"),
        ("2025Q1", "as known now"): [
            r for r in saved(reports, "2025Q2", "restated_quarters") if r["period"] == "2025Q1"
        ],
    }
    assert {(row["period"], row["view"]) for row in shown} == set(sources)
    for (period, view), rows in sources.items():
        for outcome in (*OUTCOMES, "open"):
            expected, found = row_of(rows, outcome=outcome), row_of(shown, period=period, view=view, outcome=outcome)
            for name in ("estimate", "conf_low", "conf_high", "n_event", "n_deals", "n_accounts"):
                assert found[name] == expected[name], (period, view, outcome, name)


def test_a_change_is_mover_by_hand(reports: Path) -> None:
    _, found, _ = compare(reports, "acme", ("2025Q1", "2025Q2"))
    assert found is not None
    before = {
        "as published": saved(reports, "2025Q1", "period_at_horizon"),
        "as known now": known_later(reports),
    }
    for view, rows in before.items():
        for outcome in OUTCOMES:
            then, now = (
                row_of(rows, outcome=outcome),
                row_of(saved(reports, "2025Q2", "period_at_horizon"), outcome=outcome),
            )
            (row,) = found.at(view=view, outcome=outcome).to_dict("records")
            change = now["estimate"] - then["estimate"]
            below = math.sqrt((now["estimate"] - now["conf_low"]) ** 2 + (then["conf_high"] - then["estimate"]) ** 2)
            above = math.sqrt((now["conf_high"] - now["estimate"]) ** 2 + (then["estimate"] - then["conf_low"]) ** 2)
            assert row["estimate"] == pytest.approx(change, abs=1e-12)
            assert row["conf_low"] == pytest.approx(change - below, abs=1e-12)
            assert row["conf_high"] == pytest.approx(change + above, abs=1e-12)
    assert "independent" in found.meta.interval


def test_what_moved_is_the_correction_and_has_no_interval(reports: Path) -> None:
    page, _, _ = compare(reports, "acme", ("2025Q1", "2025Q2"))
    rows = rows_in(page.parent / "results" / "moved.parquet")
    won, lost = row_of(rows, outcome="won"), row_of(rows, outcome="lost")
    now, old = known_later(reports), saved(reports, "2025Q1", "period_at_horizon")
    assert won["events_now"] - won["events_then"] == 1  # the closing that was corrected between the two runs
    assert won["events_now"] == row_of(now, outcome="won")["n_event"]
    change = row_of(now, outcome="won")["estimate"] - row_of(old, outcome="won")["estimate"]
    assert won["change"] == pytest.approx(change, abs=1e-12)
    assert won["change"] > 0 > lost["change"]
    assert "conf_low" not in won
    assert "no matter of chance" in page.read_text()


def test_the_page_is_offline_described_and_has_its_tables(reports: Path) -> None:
    for page in (compare(reports, "acme", ("2025Q2", "2025Q1"))[0], trend(reports, "acme")[0]):
        text = page.read_text()
        assert "default-src 'none'" in text
        words = re.sub(r"<script.*?</script>", "", text, flags=re.S)  # plotly.js names addresses that it never asks for
        assert not re.search(r'(?:src|href)="(?:https?:)?//', words)
        for link in re.findall(r'href="(results/[^"]+)"', text):
            assert (page.parent / link).is_file()
        assert text.count('class="wl-plot"') == 2
        assert text.count("<table") >= 2
        assert re.search(r"Won: 202[45]Q\d \d+", words)  # the description of the figure, from its numbers
        assert {path.stem for path in (page.parent / "results").glob("*.csv")} >= {"quarters", "changes"}


def test_trend_adds_quarters_that_only_a_later_run_knows(reports: Path) -> None:
    _, found = trend(reports, "acme")
    views = set(zip(found.frame["period"], found.frame["view"], strict=True))
    assert views == {
        ("2024Q4", "as known now"), ("2025Q1", "as published"), ("2025Q1", "as known now"), ("2025Q2", "as published"),
    }  # fmt: skip
    expected = row_of(
        [r for r in saved(reports, "2025Q2", "restated_quarters") if r["period"] == "2024Q4"], outcome="won"
    )
    assert found.at(period="2024Q4", outcome="won")["estimate"].tolist() == [expected["estimate"]]


def test_a_quarter_that_was_not_published_names_what_to_run(reports: Path) -> None:
    asked = CliRunner().invoke(main, ["compare", "acme", "2024Q4", "2025Q2", "--reports", str(reports)])
    assert asked.exit_code == 2
    assert "winloss run params/acme-2024Q4.yaml" in asked.output
    with pytest.raises(InputError, match="winloss run params/nobody-"):
        trend(reports, "nobody")
    with pytest.raises(InputError, match="named twice"):
        compare(reports, "acme", ("2025Q2", "FY25Q2"))


def test_the_commands_print_the_page(reports: Path) -> None:
    for words in (["compare", "acme", "2025Q1", "2025Q2"], ["trend", "acme"]):
        asked = CliRunner().invoke(main, [*words, "--reports", str(reports)])
        assert asked.exit_code == 0, asked.output
        assert Path(asked.output.split("Page: ")[1].strip()).is_file()


@pytest.mark.parametrize("width", [375, pytest.param(1180, marks=pytest.mark.slow)])
def test_both_pages_open_from_disk_with_every_figure(reports: Path, tmp_path: Path, width: int) -> None:
    pages = [compare(reports, "acme", ("2025Q1", "2025Q2"))[0], trend(reports, "acme")[0]]
    for number, path in enumerate(pages):
        text = path.read_text(encoding="utf-8")
        (tmp_path / f"{number}.html").write_text(text.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
        frame = tmp_path / f"frame-{number}.html"
        look = f"width:{width}px;height:4000px;border:0"
        frame.write_text(f'<body style="margin:0"><iframe src="{number}.html" style="{look}"></iframe></body>')
        seen, console, asked = opened(browser(), frame, tmp_path)
        drawn = text.count('class="wl-plot"')
        assert drawn == 2
        assert seen["figures"] == {"drawn": drawn, "wanted": drawn, "errors": []}
        assert (console, asked) == ("", [])
        assert (seen["cut"], seen["over"]) == ([], [])
        assert seen["wide"] <= seen["window"] == width
        links = re.findall(r'(?:href|src)="([^"#][^"]*)"', re.sub(r'<link rel="icon"[^>]*>', "", text))
        assert len(links) > 3
        for link in links:
            assert (path.parent / link).is_file(), link


def test_figures_over_quarters_can_be_taken_out_like_those_of_a_study(reports: Path) -> None:
    compare(reports, "acme", ("2025Q1", "2025Q2"))
    page, _ = trend(reports, "acme")
    figures = saved_figures(current_run(reports.parent / "params" / "acme-2025Q2.yaml"))
    assert [figure.name for figure in figures] == [
        "trend/quarters", "trend/changes", "2025Q1-2025Q2/quarters", "2025Q1-2025Q2/changes",
    ]  # fmt: skip
    titles = [figure.title for figure in figures]
    assert len(set(titles)) == len(titles)
    text = html.unescape(page.read_text(encoding="utf-8"))
    (chosen,) = chosen_figures(figures, ["trend/quarters"])
    assert f">{chosen.title}</h3>" in text
    assert f'aria-label="{chosen.alt}"' in text
    shares = rows_in(page.parent / "results" / "quarters.parquet")
    drawn = [value for trace in chosen.figure["data"] for value in trace.get("y", ())]
    for row in shares:
        if row["outcome"] in OUTCOMES:
            assert any(value == pytest.approx(row["estimate"], rel=1e-5) for value in drawn), row


def test_the_front_page_of_a_quarter_leads_to_both_pages_once_they_are_there(reports: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(reports, tmp_path / "reports") / "acme"
    for name in ("compare", "trend"):
        shutil.rmtree(copied / name, ignore_errors=True)
    (run,) = (copied / "2025Q2" / "runs").iterdir()
    front = Front("Acme, 2025Q2", "", beside=beside(copied / "2025Q2"))
    (run / "index.html").write_text(front_page(front), encoding="utf-8")
    said = (run / "index.html").read_text(encoding="utf-8")
    assert "<code>winloss trend acme</code>" in said
    assert "<code>winloss compare acme &lt;quarter&gt; 2025Q2</code>" in said
    made = [compare(copied.parent, "acme", ("2025Q1", "2025Q2"))[0], trend(copied.parent, "acme")[0]]
    text = (run / "index.html").read_text(encoding="utf-8")
    assert "<code>" not in text
    links = re.findall(r'href="(\.\./[^"]+)"', text)
    assert {(run / link).resolve() for link in links} == {page.resolve() for page in made}
    assert text.partition("<!-- beside -->")[0] == said.partition("<!-- beside -->")[0]


def spoilt(reports: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy in which the first quarter's run says something else about its parameters."""
    copied = shutil.copytree(reports, tmp_path / "reports")
    (file,) = (copied / "acme" / "2025Q1" / "runs").glob("*/run.json")
    facts = json.loads(file.read_text())
    change(facts)
    file.write_text(json.dumps(facts))
    return copied


def test_another_horizon_stops_the_comparison_as_published_and_is_named(reports: Path, tmp_path: Path) -> None:
    other = spoilt(reports, tmp_path, lambda facts: facts["company_params"].update(horizon_days=365))
    page, found, said = compare(other, "acme", ("2025Q1", "2025Q2"))
    assert said == [
        "2025Q2 and 2025Q1 as published are not compared: counted by other definitions "
        "(horizon_days: 365 then, 180 now)."
    ]
    assert found is not None
    assert set(found.frame["view"]) == {"as known now"}  # the later run counted both quarters by its own definitions
    assert "horizon_days: 365 then, 180 now" in page.read_text()


def test_another_lag_or_rule_for_the_range_is_named_and_does_not_stop(reports: Path, tmp_path: Path) -> None:
    def change(facts: dict[str, Any]) -> None:
        facts["company_params"]["rules"]["older_than_days"] = 100
        facts["as_of"] = "2025-05-15"

    other = spoilt(reports, tmp_path, change)
    first, second = published_quarters(other / "acme")
    found = changes(first.first, second.first)
    assert [(one.name, one.then, one.now, one.stops) for one in found] == [
        ("rules.older_than_days", "100", "200", False),
        ("days from the quarter's end to the as-of date", "45", "30", False),
    ]
    assert compare(other, "acme", ("2025Q1", "2025Q2"))[2] == []


def test_a_new_export_and_the_order_of_names_change_no_definition(reports: Path, tmp_path: Path) -> None:
    def change(facts: dict[str, Any]) -> None:
        params = facts["company_params"]
        params["source"]["file"] = "../export-of-april/deals.csv"
        params["calendar"] = {"start_month": 1}  # the default, written out

    first, second = published_quarters(spoilt(reports, tmp_path, change) / "acme")
    assert changes(first.first, second.first) == ()
    assert COMPANY.count("horizon_days") == 1


def test_reports_for_sharing_are_compared_without_a_list_of_what_moved(
    tmp_path: Path, make_project: Callable[[Path], Path]
) -> None:
    home = make_project(tmp_path / "acme")
    (home / "params" / "acme.yaml").write_text(COMPANY + "share: safe\n")
    shared = published(home)
    for page in (compare(shared, "acme", ("2025Q1", "2025Q2"))[0], trend(shared, "acme")[0]):
        assert "not listed in a report for sharing" in page.read_text()
        assert not (page.parent / "results" / "moved.csv").exists()


def test_the_parquet_of_a_page_reads_back(reports: Path) -> None:
    page, found, _ = compare(reports, "acme", ("2025Q1", "2025Q2"))
    again = store.read(page.parent / "results", "changes")
    assert found is not None
    assert again.frame["estimate"].tolist() == found.frame["estimate"].tolist()
