"""The waterfall: what the pipeline was, what came in, went out and changed, what it is; it adds up to the cent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from analytics.estimators.cell_deals import ids_of, with_deals
from analytics.estimators.lacking import lacking
from analytics.estimators.result import Finding, Listing
from analytics.estimators.sentences import day
from analytics.questions.pipeline_changes.pipeline import NO_TEAM, Border, Pipeline, moves
from analytics.records.conversion import cents

GROUPS = {
    "level": "level",
    "comes": "deals that come and go",
    "worth": "worth of deals that stay",
    "beside": "in no line above",
}
BORN_CLOSED = "entered already closed: never open at the end of a day"
LINES: dict[str, tuple[str, str]] = {
    "start": ("level", "open at the start"),
    "created": ("comes", "created"),
    "pulled_in": ("comes", "pulled in: was expected later"),
    "rolled_in": ("comes", "moved in: was past due or without a date"),
    "reopened": ("comes", "re-opened"),
    "transferred_in": ("comes", "owner transfer in"),
    "raised": ("worth", "raised"),
    "lowered": ("worth", "lowered"),
    "currency": ("worth", "currency"),
    "pushed_out": ("comes", "pushed out early"),
    "slipped": ("comes", "slipped: pushed out late"),
    "dated_out": ("comes", "moved out: expected earlier now, or no date left"),
    "transferred_out": ("comes", "owner transfer out"),
    "won": ("comes", "won"),
    "lost": ("comes", "lost"),
    "no_decision": ("comes", "no decision"),
    "unknown": ("comes", "closed, outcome not recorded"),
    "removed": ("comes", "merged or deleted"),
    "end": ("level", "open at the end"),
}
"""Line -> what kind of line it is, and how it is called; in the order of the figure."""

ALWAYS = (
    "start",
    "created",
    "reopened",
    "raised",
    "lowered",
    "currency",
    "won",
    "lost",
    "no_decision",
    "removed",
    "end",
)
DATED = ("pulled_in", "pushed_out", "slipped")
TEAMED = ("transferred_in", "transferred_out")
COLUMNS = ["line", "label", "group", "deals", "amount", "to_the_cent", "currency", "without_amount_deals"]


def waterfall(pipeline: Pipeline, *, border: Border = "quarter", name: str = "waterfall") -> Listing | Finding:
    """What was the pipeline at the start, what came in, went out and changed, and what is it at the end?

    Parameters
    ----------
    pipeline : Pipeline
        From `pipeline_between`.
    border : {"quarter", "whole"}
        Deals expected to close in the quarter, or every open deal.
    name : str
        Of the result.

    Returns
    -------
    Listing or Finding
        line, label, group, deals (that came in or went out by the line, or changed their worth), amount (signed, of
        that currency; empty where open deals have none), to_the_cent (the same in digits), currency,
        without_amount_deals (of these, deals without an amount): exact counts, no estimates, so there is no interval.
        start + all lines between = end, to the cent, per currency. A Finding where expected close dates are needed and
        missing.

    Raises
    ------
    AssertionError
        Where the lines do not add up to what the pipeline is at the end, counted anew: never shown otherwise.

    Notes
    -----
    Owner transfers are 0 in the company as a whole and are left out; see `team_waterfalls`. See `moves` for the shares
    of several causes.

    Examples
    --------
    >>> from analytics.questions.pipeline_changes.example import one_deal
    >>> pipeline = one_deal("won")
    >>> waterfall(pipeline, border="whole").frame.query("amount != 0")[["line", "amount"]].values.tolist()
    [['start', 5.0], ['raised', 1.0], ['won', -6.0]]
    """
    if border == "quarter" and pipeline.lacks:
        return lacking(name, "the pipeline expected to close in the quarter", *pipeline.lacks)
    if not len(pipeline.spans):
        return _nobody(pipeline, name)
    frames = [_lines(pipeline, border, currency) for currency in pipeline.currencies]
    frame = pd.concat(frames, ignore_index=True)
    return _with_its_deals(Listing(frame[COLUMNS], _title(pipeline, border)), frame)


def team_waterfalls(pipeline: Pipeline, *, border: Border = "whole") -> Listing | Finding:
    """The waterfall of each team: a deal that changes hands leaves one and enters another.

    Parameters
    ----------
    pipeline, border
        As for `waterfall`.

    Returns
    -------
    Listing or Finding
        As `waterfall` with `team`; over the teams, transfers add up to 0. A Finding where no owners table gives teams.

    Notes
    -----
    A deal belongs to the team of its owner on the day; an owners table without dates holds today's teams, right for
    whoever never moved.

    Examples
    --------
    >>> from analytics.questions.pipeline_changes.example import one_deal
    >>> pipeline = one_deal("won")
    >>> team_waterfalls(pipeline).headline[:43]
    'Not studied: owner transfers between teams.'
    """
    if pipeline.teams is None:
        return lacking("team_waterfalls", "owner transfers between teams", "owners")
    if border == "quarter" and pipeline.lacks:
        return lacking("team_waterfalls", "the pipeline of each team expected to close in the quarter", *pipeline.lacks)
    if pipeline.history.kind == "current_only":
        return lacking("team_waterfalls", "owner transfers between teams", "changes of owner_id")
    if not len(pipeline.spans):
        return _nobody(pipeline, "team_waterfalls")
    names = sorted(set(pipeline.teams[0]) | set(pipeline.teams[1]), key=lambda name: (name == NO_TEAM, name))
    frames = [
        _lines(pipeline, border, currency, team=team).assign(team=team)
        for team in names
        for currency in pipeline.currencies
    ]
    frame = pd.concat(frames, ignore_index=True)
    whose = "today's team of the owner: earlier teams are not on record" if pipeline.todays_teams else (
        "team of the owner on the day"
    )  # fmt: skip
    return _with_its_deals(Listing(frame[["team", *COLUMNS]], f"{_title(pipeline, border)} By {whose}."), frame)


def _with_its_deals(listing: Listing, frame: pd.DataFrame) -> Listing:
    return with_deals(listing, deals=frame["moved"].tolist(), without_amount_deals=frame["without_amount"].tolist())


def _nobody(pipeline: Pipeline, name: str) -> Finding:
    said = f"No deal was open between {day(pipeline.start)} and {day(pipeline.end)}."
    return Finding(name, said, "", "not studied")


def _lines(pipeline: Pipeline, border: Border, currency: str, team: str | None = None) -> pd.DataFrame:
    found = moves(pipeline, border=border, currency=currency, team=team)
    sums = {str(line): rows for line, rows in found.groupby("line", sort=False)}
    if team is None:
        _refuse_residual(pipeline, border, currency, sums)
    empty = found.iloc[:0]
    rows = [_row(pipeline, line, sums.get(line, empty), currency) for line in _shown(pipeline, border, sums, team)]
    beside = [] if team else _born_closed(pipeline, border, currency)
    frame = pd.DataFrame([*rows, *beside])
    # Lines add up within a team and a currency: a group of a shared report must not reach beyond them.
    apart = [name for name in (team, currency if len(pipeline.currencies) > 1 else None) if name]
    return frame.assign(group=[", ".join([*apart, group]) for group in frame["group"]])


def _born_closed(pipeline: Pipeline, border: Border, currency: str) -> list[dict[str, Any]]:
    """Deals that were closed when they were first recorded: part of no waterfall, and never left unsaid."""
    first = pipeline.places.drop_duplicates("deal_id")
    on = first["on"]
    mine = first[~first["is_open"] & (on > pd.Timestamp(pipeline.start)) & (on <= pd.Timestamp(pipeline.end))]
    if border == "quarter":
        mine = mine[pipeline.inside(mine["closed_on"])]
    rate = pipeline.rates(currency)(mine["currency"], mine["on"], mine["opened_on"])
    mine, rate = mine[rate != 0], rate[rate != 0]
    if not len(mine):
        return []
    whole = sum(cents(mine["amount"], rate).tolist())
    return [{
        "line": "born_closed", "label": BORN_CLOSED, "group": GROUPS["beside"], "deals": len(mine),
        "amount": whole / 100 if pipeline.has_amounts else float("nan"), "currency": currency or None,
        "to_the_cent": in_cents(whole) if pipeline.has_amounts else "",
        "without_amount_deals": int(mine["amount"].isna().sum()), "moved": ids_of(mine),
        "without_amount": ids_of(mine[mine["amount"].isna()]),
    }]  # fmt: skip


def _shown(pipeline: Pipeline, border: Border, sums: dict[str, Any], team: str | None) -> Iterable[str]:
    """Lines that the question names always, further ones where something happened."""
    always = {*ALWAYS, *(DATED if border == "quarter" else ()), *(TEAMED if team else ())}
    if not pipeline.has_amounts:
        always -= {"raised", "lowered", "currency"}
    return [line for line in LINES if line in always or line in sums]


def _row(pipeline: Pipeline, line: str, rows: pd.DataFrame, currency: str) -> dict[str, Any]:
    group, label = LINES[line]
    values = pipeline.spans.loc[
        rows["place"], "then_amount" if line in ("start", "created", "reopened") else "now_amount"
    ]
    whole = sum(rows["cents"].tolist())
    moved = ids_of(rows[rows["deals"] != 0]) if group != "worth" else rows["deal_id"].unique().tolist()
    without = rows.loc[values.isna().to_numpy(), "deal_id"].unique().tolist()
    return {
        "line": line, "label": label, "group": GROUPS[group], "deals": len(moved),
        "amount": whole / 100 if pipeline.has_amounts else float("nan"), "currency": currency or None,
        "to_the_cent": in_cents(whole) if pipeline.has_amounts else "",
        "without_amount_deals": len(without), "moved": moved, "without_amount": without,
    }  # fmt: skip


def in_cents(whole: int) -> str:
    """Write whole cents as an amount, every digit of it.

    Examples
    --------
    >>> in_cents(-123456789), in_cents(5)
    ('−1,234,567.89', '0.05')
    """
    return f"{'−' if whole < 0 else ''}{abs(whole) // 100:,}.{abs(whole) % 100:02d}"


def _refuse_residual(pipeline: Pipeline, border: Border, currency: str, sums: dict[str, pd.DataFrame]) -> None:
    """Count both ends anew, from where every deal stood on the day, and hold the lines to them."""
    lines = {line: (sum(rows["cents"].tolist()), sum(rows["deals"].tolist())) for line, rows in sums.items()}
    for column in (0, 1):
        changes = sum(total[column] for line, total in lines.items() if line not in ("start", "end"))
        start, end = (level(pipeline, border, currency, at_end=at_end)[column] for at_end in (False, True))
        ends = [lines.get(line, (0, 0))[column] for line in ("start", "end")]
        if ends != [start, end] or start + changes != end:
            raise AssertionError(f"the waterfall does not add up: {start} and {changes} are not {end}; it says {ends}")


def level(pipeline: Pipeline, border: Border, currency: str, *, at_end: bool) -> tuple[int, int]:
    """What is the pipeline at one of its two ends: cents and deals, counted from where every deal stood on that day?

    Parameters
    ----------
    pipeline, border, currency
        As for `moves`.
    at_end : bool
        Its end or its start.

    Returns
    -------
    (cents, deals)
    """
    on = pd.Timestamp(pipeline.end if at_end else pipeline.start)
    places = pipeline.places
    last = places[places["on"] <= on].drop_duplicates("deal_id", keep="last")
    last = last[last["is_open"]]
    if border == "quarter":
        last = last[pipeline.inside(last["expected_close_on"])]
    days = pd.Series(on, index=last.index)
    rate = pipeline.rates(currency)(last["currency"], days, last["opened_on"])
    return sum(cents(last["amount"], rate).tolist()), int((rate != 0).sum())


def _title(pipeline: Pipeline, border: Border) -> str:
    which = f"expected to close in {pipeline.quarter.name}" if border == "quarter" else "all open deals"
    between = f"from the end of {day(pipeline.start)} to the end of {day(pipeline.end)}"
    return f"Pipeline ({which}) {between}, {pipeline.known}: exact counts, residual 0."
