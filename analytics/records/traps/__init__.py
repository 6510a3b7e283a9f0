"""The twenty traps of CRM exports, counted: what was found, among how many, and what is done about it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pandas as pd

from analytics.records.calendar import FiscalCalendar
from analytics.records.contract import History, Noticed
from analytics.records.definitions import Definitions
from analytics.records.leakage import leaky_in_export
from analytics.records.traps import dates, identity, money, quarters, stages
from analytics.records.traps.known import Known
from analytics.records.traps.noticed import without_history
from analytics.records.traps.numbered import TRAPS

__all__ = ["TRAPS", "trap_counts"]

_EVERYTHING = Definitions()
_COUNTED: tuple[Callable[[Known], list[Noticed]], ...] = (
    dates.close_dates, dates.past_due, dates.contradictions, dates.born_closed, dates.reopened,
    stages.stages_out_of_order, stages.stages_that_changed, money.amounts, money.probabilities, money.categories,
    money.currencies, quarters.fiscal_quarters, identity.twice_or_gone, identity.owners, identity.kinds,
)  # fmt: skip


def trap_counts(
    history: History,
    *,
    as_of: dt.date,
    definitions: Definitions = _EVERYTHING,
    calendar: FiscalCalendar | None = None,
) -> pd.DataFrame:
    """Which of the twenty traps are in these records, how often, and what is done about each?

    Parameters
    ----------
    history : History
        What was recorded, and when.
    as_of : datetime.date
        Deals and states as known at the end of this day.
    definitions : Definitions, optional
        Scope (deals that it leaves out are counted under trap 18 alone), close date, currency policy, stages.
    calendar : FiscalCalendar, optional
        The company's quarters (trap 14).

    Returns
    -------
    pandas.DataFrame
        At least one row for each of the twenty, in their order: `trap` (its number), `name`, `what` was looked for,
        `found` and `of` (Int64; how many, among how many), `unit` (deals, rows or fields; "of the export" where
        deals out of scope count as well) and `rule`, what is done about it. Where nothing could be
        looked for, `found` is missing, never 0, and `rule` says what it would take.

    Notes
    -----
    What the tables tell is counted from records known at the as-of date, so a later one changes no earlier count.
    What only the source can see (deleted records, a scale of percent, moments with a zone: `History.noticed`) concerns
    the export as a whole, and so does trap 20: a study of an earlier date must not use a field because its leak had not
    shown by then.

    Examples
    --------
    >>> rows = {"deal_id": ["A", "A"], "recorded_on": [dt.date(2025, 1, 10), dt.date(2025, 2, 3)], "sequence": [1, 2],
    ...         "status": ["open", "closed_won"], "opened_on": [dt.date(2025, 1, 10)] * 2,
    ...         "closed_on": [None, dt.date(2025, 2, 1)]}
    >>> counts = trap_counts(History(table=pd.DataFrame(rows)), as_of=dt.date(2025, 3, 1))
    >>> counts.loc[counts["trap"] == 1, ["what", "found", "of"]].values.tolist()[0]
    ['typed and recorded closing day differ (median 2 days)', 1, 1]
    >>> counts.loc[counts["trap"] == 13, ["found", "rule"]].values.tolist()
    [[<NA>, 'not in this export: needs a currency']]
    """
    known = Known(history, as_of, definitions, calendar)
    lines = [(found, str(found.unit)) for count in _COUNTED for found in count(known)]
    # A source that had nothing to look at says so by 0 of 0.
    lines += [(seen, f"{seen.unit} of the export") for seen in without_history(history.noticed) if seen.of]
    lines += [(found, str(found.unit)) for found in _leaks(history, as_of)]
    rows = [row for number in TRAPS for row in _rows(number, [line for line in lines if line[0].trap == number])]
    columns = ["trap", "name", "what", "found", "of", "unit", "rule"]
    return pd.DataFrame(rows, columns=columns).astype({"trap": "int64", "found": "Int64", "of": "Int64"})


def _rows(number: int, lines: list[tuple[Noticed, str]]) -> list[tuple[object, ...]]:
    name, needs = TRAPS[number]
    if not lines:
        return [(number, name, "", None, None, "", f"not in this export: needs {needs}")]
    return [(number, name, seen.what, seen.found, seen.of, unit, seen.rule) for seen, unit in lines]


def _leaks(history: History, as_of: dt.date) -> list[Noticed]:
    """Trap 20: fields that are filled only at the close."""
    fields = leaky_in_export(history, as_of=as_of)
    if fields.empty:
        return []
    what, rule = "fields filled or changed only at the close", "refused for splitting deals and as covariates"
    return [Noticed(20, what, int(fields["leaky"].sum()), len(fields), "fields", rule)]
