"""The snapshot: History as known at the end of a day becomes Deals, one row per deal and episode."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import pandas as pd

from analytics.records.contract import DEALS_COLUMNS, History
from analytics.records.definitions import Definitions
from analytics.records.episodes import episodes_known
from analytics.records.errors import InputError
from analytics.records.leaving_out import exclusions, with_exclusion
from analytics.records.rules import OutcomeRules
from analytics.records.states import known_states
from analytics.records.teams import with_team
from analytics.records.values import with_amounts, with_outcome, with_values

Episodes = Literal["first", "last", "all"]

_EVERYTHING = Definitions()
_DATES = tuple(name for name, kind in DEALS_COLUMNS.items() if kind == "date")


def deals_as_of(
    history: History,
    *,
    as_of: dt.date,
    rules: OutcomeRules,
    episodes: Episodes = "first",
    definitions: Definitions = _EVERYTHING,
) -> Any:
    """Which deals were known at the end of a day, and how had they ended as far as anybody knew?

    Parameters
    ----------
    history : History
        What was recorded, and when.
    as_of : datetime.date
        The end of this day is the moment of knowledge; it never has a default.
    rules : OutcomeRules
        What counts as no decision. `rules.declared_only()` for headlines.
    episodes : {"first", "last", "all"}
        Curves use the first episode of a deal; the ledger the last one; "all" gives every episode.
    definitions : Definitions, optional
        Scope, currency, start of observation, qualification stage, moments of attributes, close date.

    Returns
    -------
    ibis.Table
        `DEALS_COLUMNS`, then `history.attributes`; not yet computed. Days are days after opening, at risk on
        `(entry, exit]` with `-1 <= entry < exit`; a deal opened and closed on one day has `exit = 0`. `recorded_on` is
        the day on which the outcome became known (of an open deal: its newest record); `reopened` says that a later
        episode of the deal is known; `no_decision_kind` is declared, silent, pushed or aged; `status` and `stage`
        are the CRM's own words in the episode's last state (a deal on which a rule fired is still open there).

    Raises
    ------
    InputError
        An unknown column in scope or `attributes_at`, an unknown qualification stage, a currency without a rate.

    Notes
    -----
    *Knowledge.* Only rows recorded by `as_of` exist, in every table: `deals_as_of(H, t)` equals `deals_as_of(H
    without what was recorded after t, t)`. The last row of a day is the state of that day; the ones it replaced
    still count as pushes.

    *Episodes.* An open state after a closed one begins the next episode, opened on the day of that record. A change
    from one closed status to another stays in the episode, whose outcome, reason and close date are the latest known.

    *Close date.* The typed one, never later than the day on which the deal was first recorded as closed, and never
    before a re-opened episode began; the recorded day where none was typed or `close_date` is "recorded".

    *Inferred no-decision.* A rule fires on the first day f on which it holds by what was known on f, if the deal was
    open then: `silent_days` since the last activity (or the opening), where an activity counts from the day it was
    recorded, and from the first day on which any buyer's activity is known only the buyer's count; more than
    `older_than_days` old; or past the expected close date and pushed `pushed_times` times. The earliest rule wins.
    What is recorded after f, an activity included, begins the next episode, in which rules do not fire again until
    the CRM itself closes and re-opens the deal. Without an `activities` table silence is not known and never fires.

    *Amounts.* The state's own amount; for a closed deal that carries 0 or nothing, the last amount it had while open.

    *Attributes*, `owner_id`, `pipeline` and `source` are those of the end of the deal's opening day (before any
    closing), unless `attributes_at` says "as_of" (the deal's newest state) or "close" (the state in which the episode
    was first recorded as closed; its last state where it is not closed). `team` is that of the owner at its own moment,
    which `attributes_at` names like any other, from the `owners` table; where that has no dates the team is today's, a
    reconstruction (`with_team`).

    A deal is left out as a whole, by its first episode; `attrition` counts each rule.

    Examples
    --------
    >>> rows = {"deal_id": ["A", "A"], "recorded_on": [dt.date(2025, 1, 10), dt.date(2025, 2, 3)], "sequence": [1, 1],
    ...         "status": ["open", "closed_won"], "opened_on": [dt.date(2025, 1, 10)] * 2,
    ...         "closed_on": [None, dt.date(2025, 2, 1)]}
    >>> deals = deals_as_of(History(table=pd.DataFrame(rows)), as_of=dt.date(2025, 3, 1), rules=OutcomeRules())
    >>> deals.select("deal_id", "entry", "exit", "outcome").execute().to_dict("records")
    [{'deal_id': 'A', 'entry': -1, 'exit': 22, 'outcome': 'won'}]
    """
    known = episodes_with_exclusion(history, as_of=as_of, rules=rules, definitions=definitions)
    _refuse_missing_rates(known, history, definitions, as_of)
    return _chosen(known, history, episodes)


def snapshot_frame(
    history: History,
    *,
    as_of: dt.date,
    rules: OutcomeRules,
    episodes: Episodes = "first",
    definitions: Definitions = _EVERYTHING,
) -> pd.DataFrame:
    """Compute `deals_as_of` as a pandas frame, sorted by deal and episode.

    Returns
    -------
    pandas.DataFrame
        Dates are Timestamps at midnight (NaT where missing), day counts int64, flags bool, texts str or None.

    Examples
    --------
    >>> import inspect
    >>> inspect.signature(snapshot_frame).parameters.keys() == inspect.signature(deals_as_of).parameters.keys()
    True
    """
    table = deals_as_of(history, as_of=as_of, rules=rules, episodes=episodes, definitions=definitions)
    return as_frame(table.order_by("deal_id", "episode").to_pyarrow())


def as_frame(deals: Any) -> pd.DataFrame:
    """Turn Deals in Arrow into the pandas frame that the rest of the library reads.

    Raises
    ------
    InputError
        When a date lies outside the years 1678 to 2262, such as the 9999-12-31 that stands for "never" in some CRMs.
    """
    import pyarrow.compute as pc

    for column in _DATES:
        bounds = pc.min_max(deals[column]).as_py()
        for day in (bounds["min"], bounds["max"]):
            if day is not None and not pd.Timestamp.min.date() < day < pd.Timestamp.max.date():
                raise InputError(
                    "is a date that cannot be studied", column=column, value=day,
                    action="Correct it in the CRM, or leave it empty in the export",
                )  # fmt: skip
    frame: pd.DataFrame = deals.to_pandas(date_as_object=False)
    for column in _DATES:
        frame[column] = frame[column].astype("datetime64[ns]")
    return frame


def episodes_with_exclusion(history: History, *, as_of: dt.date, rules: OutcomeRules, definitions: Definitions) -> Any:
    """Return every known episode with all its values and `excluded`, its own exclusion (0: none)."""
    known = episodes_known(history, as_of=as_of, rules=rules, definitions=definitions)
    known = with_values(known, history, definitions)
    known = with_team(known, history, definitions, as_of)
    known = with_outcome(known, rules, definitions, as_of)
    known = with_amounts(known, history, definitions.currency, as_of)
    return with_exclusion(known, history, definitions, as_of)


def _chosen(known: Any, history: History, episodes: Episodes) -> Any:
    import ibis

    if episodes == "first":
        chosen = known.filter((known.episode == 1) & (known.excluded == 0))
    elif episodes in ("last", "all"):
        # A deal is in or out as a whole: its first episode decides.
        first = ibis.ifelse(known.episode == 1, known.excluded, 0)
        whole = known.mutate(deal_excluded=first.max().over(ibis.window(group_by="deal_id")))
        chosen = whole.filter(whole.deal_excluded == 0)
        chosen = chosen.filter(~chosen.has_next) if episodes == "last" else chosen
    else:
        raise ValueError(f"episodes must be 'first', 'last' or 'all', not {episodes!r}")
    chosen = chosen.rename(reopened="has_next", typed_close_on="typed_on")
    columns = {name: chosen[name].cast(kind) for name, kind in DEALS_COLUMNS.items()}
    return chosen.select(**columns, **{name: chosen[name] for name in history.attributes})


def _refuse_missing_rates(known: Any, history: History, definitions: Definitions, as_of: dt.date) -> None:
    """Stop where a deal in scope is in a currency that cannot be converted.

    Whether rates are missing is the one thing that cannot stay lazy; with plan rates, the currencies that occur
    usually answer it without computing the snapshot.
    """
    policy = definitions.currency
    if policy.policy == "own":
        return
    if policy.policy == "plan_rate":
        occurring = known_states(history, as_of).select("currency").distinct().to_pyarrow()["currency"].to_pylist()
        if set(occurring) <= {policy.report_in, *policy.rates}:
            return
    names = exclusions(history, definitions)
    floor = len(names) if definitions.scope is not None and definitions.scope.amount_at_least is not None else 0
    lacking = known.filter(
        known.excluded.isin([0, floor]),
        known.rate.isnull(),
        known.amount_original.notnull(),
        known.amount_original != 0,
    )
    found = lacking.group_by("currency_original").aggregate(
        deals=lacking.deal_id.nunique(), first=lacking.opened_on.min()
    )
    rows = found.order_by("currency_original").to_pyarrow().to_pylist()
    if rows:
        listed = "; ".join(
            f"{row['currency_original'] or '(no currency)'}: {row['deals']} deals, the first opened on {row['first']}"
            for row in rows
        )
        raise InputError(
            f"has no rate into {policy.report_in} for every deal ({listed})",
            column="currency.policy",
            value=policy.policy,
            action="Add the rate (in rates, or as rows of fx_rates that begin early enough), or narrow the scope",
        )
