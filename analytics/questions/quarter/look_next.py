"""What to look at next: what would settle what is open, in plain sentences with their numbers."""

from __future__ import annotations

from collections.abc import Iterator

from analytics.estimators.contrasts import RELIABLY
from analytics.estimators.result import Estimate, Finding
from analytics.estimators.sentences import count, in_points, money, percent, share_of, share_with_interval, sized
from analytics.questions.quarter.amounts import RULE_WORDS
from analytics.questions.quarter.change import THEN
from analytics.questions.quarter.findings import Answers
from analytics.records.calendar import Quarter

LARGE_DEAL = 0.10


def look_next(quarter: Quarter, answers: Answers) -> tuple[Finding, ...]:
    """What should be looked at next?

    Parameters
    ----------
    quarter : Quarter
        The quarter under study.
    answers : Answers
        What the questions returned.

    Returns
    -------
    tuple of Finding
        In a fixed order, only those that apply: a decision about no decision, how many more deals a comparison needs,
        deals open past the age at which few are won, segments that cannot be ranked, what amounts can carry.

    Examples
    --------
    >>> import datetime as dt
    >>> nothing = Finding("x", "No deal was open in 2025Q4.", "", "not studied")
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> [item.headline for item in look_next(quarter, Answers(nothing))]
    ['Nothing more to look at with these data.']
    """
    found = [
        *_no_decision(answers), *_more_deals(answers), *_old_deals(quarter, answers), *_rankings(answers),
        *_amounts(answers),
    ]  # fmt: skip
    nothing = Finding("look_next", "Nothing more to look at with these data.", "", "described")
    return tuple(found) or (nothing,)


def _no_decision(answers: Answers) -> Iterator[Finding]:
    found = answers.no_decision
    if not isinstance(found, Estimate):
        return
    rows = {str(row["rule"]): row for row in found.frame.to_dict("records")}
    floor = rows.get("declared")
    rules = [row for rule, row in rows.items() if rule != "declared"]
    if floor is None or not rules:
        return
    most = max(rules, key=lambda row: float(row["estimate"]))
    if float(most["estimate"]) <= float(floor["estimate"]):
        return
    n = float(floor["n_deals"])
    shares = [share_of(row, n) for row in (floor, most)]
    won = f"; {most['later_won']:,} of them {'was' if most['later_won'] == 1 else 'were'} won since"
    ended = f"Over the whole history that rule ended {count(float(most['fired']), 'deal')}{won}."
    headline = "Agree on when a deal counts as no decision: the answer moves with the rule."
    words = RULE_WORDS.get(str(most["rule"]), str(most["rule"])).removeprefix("or ")
    detail = f"{shares[0]} by the CRM's own word, {shares[1]} when deals count that were {words}, of "
    detail += f"{sized(n, floor['n_accounts'])} at risk in the quarter. {ended}"
    yield Finding(
        "look_next_no_decision", headline, detail, "described", "no_decision_range", (("rule", most["rule"]),)
    )


def _more_deals(answers: Answers) -> Iterator[Finding]:
    changes = answers.changes
    if not isinstance(changes, Estimate):
        return
    frame = changes.frame
    rows = frame[(frame["view"] == THEN) & (frame["outcome"] == "won") & (frame["verdict"] == "cannot tell")]
    for row in rows.head(1).to_dict("records"):
        margin, error = float(row["margin"]), float(row["std_error"])
        if not error > 0 or margin <= 0:
            continue
        times = (RELIABLY * error / margin) ** 2
        if times <= 1.5:
            continue
        least, wanted = in_points(row["smallest_reliable_change"]), in_points(2 * margin)
        headline = f"Compare longer spans: a quarter is too short to show a change of {wanted}."
        sizes = f"{row['n_deals_now']:,.0f} and {row['n_deals_then']:,.0f} deals"
        detail = (
            f"With {sizes}, only a change beyond {least} would reliably show; for {wanted} about "
            f"{times:.0f} times as many deals are needed."
        )
        keys = (("compared_to", str(row["compared_to"])), ("view", THEN), ("outcome", "won"))
        yield Finding("look_next_more_deals", headline, detail, "cannot tell", "against", keys)


def _old_deals(quarter: Quarter, answers: Answers) -> Iterator[Finding]:
    if not isinstance(answers.effort, Estimate):
        return
    rows = answers.effort.frame
    later = rows[rows["measure"] == "won_later"].iloc[0]
    n, age = float(later["n_deals"]), int(later["age_days"])
    share = share_with_interval(float(later["estimate"]), float(later["conf_low"]), float(later["conf_high"]), n)
    headline = f"Ask of each deal open past day {age} what would have to happen for it to be won."
    detail = (
        f"{count(n, 'deal')} of {quarter.name} {'was' if n == 1 else 'were'} watched past that age; at this quarter's "
        f"pace {share} of deals open at that age would be won by day {later['horizon_reached']}."
    )
    yield Finding("look_next_old_deals", headline, detail, "described", "open_effort", (("measure", "won_later"),))


def _rankings(answers: Answers) -> Iterator[Finding]:
    if not isinstance(answers.spread, Estimate):
        return
    for row in answers.spread.frame.to_dict("records"):
        headline, _, rest = str(row["sentence"]).partition(": ")
        detail = f"{rest[:1].upper()}{rest[1:]} {count(float(row['n_deals']), 'deal')}."
        name = f"look_next_ranking_{row['segment']}"
        yield Finding(name, f"{headline}.", detail, row["verdict"], "segment_spread", (("segment", row["segment"]),))


def _amounts(answers: Answers) -> Iterator[Finding]:
    if not isinstance(answers.value, Estimate):
        return
    row = answers.value.frame.iloc[0]
    keys = (("outcome", str(row["outcome"])),)
    if not bool(row["meaningful"]):
        headline = "Keep the amount when a deal is lost: shares of money mean nothing without it."
        yield Finding("look_next_amounts", headline, str(row["note"]), "not studied", "value_weighted", keys)
    elif float(row["largest_deal_share"]) >= LARGE_DEAL:
        headline = "Read shares of money with the largest deal and without it."
        total = money(float(row["amount"]), row["currency"])
        size = (
            f"It is {percent(float(row['largest_deal_share']))} of {total}, {sized(row['n_deals'], row['n_accounts'])}."
        )
        yield Finding("look_next_amounts", headline, size, "described", "value_weighted", keys)
