"""What an episode says: outcome and dates by the rules, amounts in one currency, attributes at a stated moment."""

from __future__ import annotations

import datetime as dt
from typing import Any

from analytics.records.contract import History
from analytics.records.definitions import CurrencyPolicy, Definitions
from analytics.records.errors import InputError, nearest
from analytics.records.rules import OutcomeRules
from analytics.records.spells import LAST_VALUES, at_closing
from analytics.records.states import SEGMENT_COLUMNS, known_side, openings

_NEEDED = (
    "deal", "episode", "has_next", "begun_on", "last_on", "closed_recorded_on", "fired_on", "fired_kind", "n_pushes",
    "qualified_on", "born_closed", "opening_on", "open_amount", "open_currency",
)  # fmt: skip


def with_values(episodes: Any, history: History, definitions: Definitions) -> Any:
    """Name each episode's values: those of its last state, and each segment at its moment.

    Raises
    ------
    InputError
        When `attributes_at` names a column that this history does not have.
    """
    import ibis

    segments = (*SEGMENT_COLUMNS, *history.attributes)
    for column in definitions.attributes_at:
        if column not in (*segments, "team"):
            raise InputError(
                f"is not an attribute of this history; {nearest(column, (*segments, 'team'))}", column="attributes_at",
                value=column, action="Correct the name, or map the attribute in the source",
            )  # fmt: skip
    deals = openings(history)
    deals = deals.rename({f"{name}_at_opening": name for name in ("deal", *segments)})
    joined = episodes.inner_join(deals, episodes.deal == deals.deal_at_opening)
    ended = joined.closed_recorded_on.notnull()
    newest = ibis.window(group_by="deal", order_by="episode", preceding=None, following=None)

    def value_at(name: str, moment: str) -> Any:
        if moment == "opening":
            return joined[f"{name}_at_opening"]
        if moment == "as_of":
            return joined[name].last().over(newest)
        return ibis.ifelse(ended, joined[at_closing(name)], joined[name])

    moments = {name: definitions.attributes_at.get(name, "opening") for name in (*segments, "team")}
    return joined.select(
        *_NEEDED, "deal_id", *LAST_VALUES,
        closed_after=ibis.ifelse(ended, joined[at_closing("closed_after")], ibis.null("date")),
        team_owner=value_at("owner_id", moments["team"]),
        **{name: value_at(name, moments[name]) for name in segments},
    )  # fmt: skip


def with_outcome(episodes: Any, rules: OutcomeRules, definitions: Definitions, as_of: dt.date) -> Any:
    """Decide outcome, opening and closing day, `entry` and `exit` of each episode."""
    import ibis

    fired, closed = episodes.fired_on.notnull(), episodes.closed_recorded_on.notnull()
    declared = (episodes.status == "closed_lost") & _is_declared(episodes.reason, rules)
    outcome = ibis.cases(
        (fired, "no_decision"), (episodes.status == "closed_won", "won"), (declared, "no_decision"),
        (episodes.status == "closed_lost", "lost"), (episodes.status == "closed_unknown", "unknown"), else_="open",
    )  # fmt: skip
    kind = ibis.cases((fired, episodes.fired_kind), (declared, "declared"), else_=ibis.null("string"))
    opened_on = ibis.ifelse(episodes.episode == 1, episodes.opened_on, episodes.begun_on)
    recorded = ibis.ifelse(fired, episodes.fired_on, episodes.closed_recorded_on)
    # A typed date later than the recording is a promise, not a closing; an empty one says nothing.
    typed = (episodes.closed_on < recorded) & ~fired & (definitions.close_date == "typed")
    closed_on = ibis.ifelse(typed, episodes.closed_on, recorded)
    # A re-opened deal cannot have ended before it was re-opened, whatever date was typed.
    closed_on = ibis.ifelse((episodes.episode > 1) & (closed_on < opened_on), opened_on, closed_on)
    closed_on = ibis.ifelse(fired | closed, closed_on, ibis.null("date"))
    begun = ibis.ifelse(episodes.last_on > episodes.begun_on, episodes.last_on, episodes.begun_on)
    # A deal that is known to have been open on a day did not close on it; a typed date, or a rule's, is exact.
    exact = (episodes.closed_on <= recorded).fill_null(False) & (definitions.close_date == "typed")
    unsure = closed & ~fired & ~exact & (episodes.closed_after < closed_on)
    episodes = episodes.mutate(
        outcome=outcome, no_decision_kind=kind, opened_on=opened_on, closed_on=closed_on,
        recorded_on=recorded.coalesce(begun),
        typed_on=ibis.ifelse(closed & ~fired, episodes.closed_on, ibis.null("date")),
        closed_after=ibis.ifelse(unsure.fill_null(False), episodes.closed_after, ibis.null("date")),
    )  # fmt: skip
    end = episodes.closed_on.coalesce(ibis.date(as_of))
    episodes = episodes.mutate(exit=_days(end, episodes.opened_on), entry=_entry(episodes.opened_on, definitions))
    in_time = episodes.closed_on.isnull() | (episodes.qualified_on < episodes.closed_on)
    return episodes.mutate(
        qualified_on=ibis.ifelse(in_time, episodes.qualified_on, ibis.null("date")),
        born_closed=episodes.born_closed & (episodes.episode == 1),
    )


def _is_declared(reason: Any, rules: OutcomeRules) -> Any:
    import ibis

    keys = rules.reason_keys
    return reason.strip().lower().isin(keys) if keys else ibis.literal(False)


def _entry(opened_on: Any, definitions: Definitions) -> Any:
    import ibis

    if definitions.observed_from is None:
        return ibis.literal(-1, type="int64")
    start = ibis.date(definitions.observed_from)
    return ibis.ifelse(opened_on < start, _days(start, opened_on) - 1, -1)


def _days(later: Any, earlier: Any) -> Any:
    return later.delta(earlier, unit="day").cast("int64")


def with_amounts(episodes: Any, history: History, policy: CurrencyPolicy, as_of: dt.date) -> Any:
    """Choose each episode's amount, and convert it; `rate` is missing where there is none."""
    import ibis

    # Lost deals are often zeroed on closing: what they were worth is the last amount they had while open.
    emptied = (
        episodes.closed_recorded_on.notnull() & (episodes.amount.fill_null(0) == 0) & episodes.open_amount.notnull()
    )
    episodes = episodes.mutate(
        amount_original=ibis.ifelse(emptied, episodes.open_amount, episodes.amount),
        currency_original=ibis.ifelse(emptied, episodes.open_currency, episodes.currency),
    ).drop("amount", "currency")
    if policy.policy == "own":
        return episodes.mutate(
            amount=episodes.amount_original, currency=episodes.currency_original, rate=ibis.literal(1.0)
        )
    if policy.policy == "plan_rate":
        branches = [(episodes.currency_original == currency, rate) for currency, rate in policy.rates.items()]
        home = (episodes.currency_original == policy.report_in, 1.0)
        episodes = episodes.mutate(rate=ibis.cases(home, *branches, else_=ibis.null("float64")))
    else:
        episodes = _with_dated_rate(episodes, history, policy, as_of)
    zero = episodes.amount_original == 0
    return episodes.mutate(
        amount=ibis.ifelse(zero, 0.0, episodes.amount_original * episodes.rate), currency=ibis.literal(policy.report_in)
    )


def _refuse_other_home(rates: Any, policy: CurrencyPolicy) -> None:
    """Stop where the rates are into another currency than the report's, whose own rate is then not 1."""
    other = rates.filter((rates.currency == policy.report_in) & (rates.rate != 1)).limit(1).to_pyarrow().to_pylist()
    if other:
        raise InputError(
            "fx_rates gives this currency a rate other than 1, so its rates are into another one",
            column="currency.report_in", value=policy.report_in,
            action="Report in the currency whose rate is 1, or use policy: plan_rate with rates",
        )  # fmt: skip


def _with_dated_rate(episodes: Any, history: History, policy: CurrencyPolicy, as_of: dt.date) -> Any:
    import ibis

    known = known_side(history, "fx_rates", as_of, event="valid_from")
    if known is None:
        raise InputError(
            "needs the table fx_rates, which this source does not have", column="currency.policy",
            value=policy.policy, action="Map fx_rates under side, or use policy: plan_rate with rates",
        )  # fmt: skip
    _refuse_other_home(known, policy)
    # A corrected rate replaces the one it corrects.
    newest = ibis.window(group_by=["currency", "valid_from"], order_by=[known.known_on.desc(), known.rate.desc()])
    rates = known.mutate(place=ibis.row_number().over(newest))
    rates = rates.filter(rates.place == 0).select(rate_currency="currency", rate_from="valid_from", fx="rate")
    on_day = episodes.opened_on if policy.policy == "rate_at_opening" else ibis.date(as_of)
    dated = episodes.mutate(rate_day=on_day)
    dated = dated.asof_join(
        rates, on=dated.rate_day >= rates.rate_from, predicates=[dated.currency_original == rates.rate_currency]
    )
    home = dated.currency_original == policy.report_in
    return dated.mutate(rate=ibis.ifelse(home.fill_null(False), 1.0, dated.fx)).drop(
        "rate_currency", "rate_from", "fx", "rate_day"
    )
