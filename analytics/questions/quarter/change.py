"""Against earlier quarters: by how much the incidences differ, and what the difference is made of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from analytics.estimators.bootstrap import RESAMPLING, Resampling
from analytics.estimators.cell_deals import members_apart, with_deals
from analytics.estimators.contrasts import benjamini_hochberg, smallest_reliable_change, unrecorded_outcomes, verdict
from analytics.estimators.decomposition import ALL, Pace, incidence_change, level_of
from analytics.estimators.decomposition import mix_and_rate as decomposed
from analytics.estimators.rates import account_codes
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.side_deals import Sides, change_members, with_side_deals
from analytics.estimators.watched import OUTCOMES, SMALLEST_CELL, at_risk_in, has_accounts

from analytics.estimators.watched import last_day, last_day_of, late_start, not_studied, reach  # isort: skip
from analytics.records.calendar import Quarter
from analytics.records.errors import InputError, nearest

THEN, RESTATED = "as known then", "restated"
MOST_LEVELS = 8
MARGIN_NAMES = {"won": "win_incidence", "lost": "lost_incidence", "no_decision": "no_decision_incidence"}
PART_WORDS = {
    "mix": "Mix", "rate": "Rate", "appeared": "New", "vanished": "Gone", "total": "Change",
    "stock": "Not attributed (deals opened before the quarter)",
}  # fmt: skip
RENAMED = {
    "rate_then": "estimate_then", "rate_now": "estimate_now", "n_then": "n_deals_then", "n_now": "n_deals_now",
}  # fmt: skip
BORROWED = "At some ages nobody of it was at risk; the pace of all is used there."
VARIANCE = "whole-account bootstrap, {reps} resamples"
JOINT = "joint infinitesimal jackknife by account"
FEWEST_EVENTS = 5
TOO_FEW = f"fewer than {FEWEST_EVENTS} such deals in one of the quarters: too few to tell"
SHOWN_AT = 0.05


def margin_of(margins: Mapping[str, float], outcome: str) -> float:
    """Look up the practical difference of an outcome, by the outcome or by its name in the params.

    Examples
    --------
    >>> margin_of({"win_incidence": 0.03}, "won"), margin_of({"won": 0.02}, "won")
    (0.03, 0.02)
    """
    for name in (outcome, MARGIN_NAMES[outcome]):
        if name in margins:
            return float(margins[name])
    raise InputError(
        f"no practical difference is set for {MARGIN_NAMES[outcome]}",
        action=f"Add practical_differences: {{{MARGIN_NAMES[outcome]}: 0.03}} to the company's params",
    )


def against(
    deals: pd.DataFrame, quarter: Quarter, *, as_known: Mapping[Quarter, pd.DataFrame], settled_on: dt.date,
    horizon_days: int, margins: Mapping[str, float], resampling: Resampling = RESAMPLING,
) -> Estimate | Finding:  # fmt: skip
    """By how much does this quarter's pace differ from an earlier quarter's, and is that large enough to matter?

    Parameters
    ----------
    deals : pandas.DataFrame
        Deals frame, first episodes, as known at as-of.
    quarter : Quarter
        The quarter under study.
    as_known : mapping of Quarter to frame
        For each earlier quarter the Deals frame as known at the same lag after its end.
    settled_on : datetime.date
        Up to this day the quarter under study is settled; earlier quarters are cut as many days before their end, so
        that a rush in the last days is in both or in neither.
    horizon_days : int
        Age at which incidences are compared; less where one of the two quarters is not known that far.
    margins : mapping of str to float
        Practical difference of each outcome, set before looking.
    resampling : Resampling
        Its confidence level; the intervals need no resamples.

    Returns
    -------
    Estimate or Finding
        Kind contrast, keys (compared_to, view, outcome), now − then. View "as known then" (the comparison to quote) and
        "restated" (the earlier quarter as known today). `estimate_now`, `estimate_then`, `n_event_now`, `n_event_then`,
        `margin`, `smallest_reliable_change`, `verdict`, `note`, `horizon_reached`, `n_deals_now`, `n_deals_then`,
        `n_accounts`, `p_value` (that of the limits), `p_adjusted` (Benjamini–Hochberg over the rows of the view). A
        Finding where outcomes were not recorded in every comparison.

    Raises
    ------
    InputError
        Where a practical difference is missing.

    Notes
    -----
    Two quarters differ by chance too: read the verdict with the smallest change that would reliably have been shown.
    Deals won against the first quarter named is the one comparison declared beforehand, and is judged by its own
    interval; any other row must also have p_adjusted ≤ 0.05 to be called shown. With fewer than five such deals in
    either quarter the verdict is "cannot tell". Limits: see `analytics.estimators.influence.difference`.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abcd"), "account_id": list("abcd"), "entry": -1, "exit": [10, 20, 5, 91],
    ...     "opened_on": pd.to_datetime(["2025-07-01", "2025-07-01", "2025-10-01", "2025-10-01"]),
    ...     "outcome": ["won", "lost", "won", "open"]})
    >>> now = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> then = Quarter("2025Q3", dt.date(2025, 7, 1), dt.date(2025, 9, 30))
    >>> change = against(deals, now, as_known={then: deals}, settled_on=now.end, horizon_days=30,
    ...                  margins={"won": 0.03, "lost": 0.03, "no_decision": 0.03})
    >>> change.at(view="restated", outcome="lost")[["estimate", "verdict"]].values.tolist()
    [[-0.5, 'cannot tell']]
    """
    for outcome in OUTCOMES:
        margin_of(margins, outcome)
    now = at_risk_in(deals, quarter, last_day(quarter, settled_on), horizon_days=horizon_days)
    rows, notes = [], []
    for other, known in as_known.items():
        for view, frame in ((THEN, known), (RESTATED, deals)):
            then = earlier(frame, other, quarter, settled_on, horizon_days)
            age = _common_age(now, then, horizon_days)
            why = not_comparable(now, then, age)
            if why:
                notes.append(f"{other.name}, {view}: {why}")
                continue
            late = [(side.name, late_start(watched)) for side, watched in ((quarter, now), (other, then))]
            notes += [f"{name}: {text}" for name, text in late if text and f"{name}: {text}" not in notes]
            table = incidence_change(
                Pace(then), Pace(now), horizon_days=age, conf_level=resampling.conf_level, causes=OUTCOMES
            )
            sizes = {"n_deals_now": len(now), "n_deals_then": len(then), "n_accounts": _accounts(now, then)}
            named = {"compared_to": other.name, "view": view, "horizon_reached": age, **sizes}
            rows += [
                {**named, **row, "members": change_members(then, now, str(row["outcome"]), age)}
                for row in table.to_dict("records")
            ]
    if not rows:
        words = "cannot be compared with an earlier quarter" if as_known else "has no earlier quarter to compare with"
        return not_studied("against", f"{quarter.name} {words}.", " ".join(notes))
    plain, lists = members_apart(rows)
    frame = judged(pd.DataFrame(plain), margins)
    keys = ("compared_to", "view", "outcome")
    meta = _meta("difference of period incidence at the horizon, now − then", keys, now, resampling, " ".join(notes))
    return with_deals(Estimate(frame, replace(meta, interval="MOVER from log-log", variance=JOINT)), **lists)


def _common_age(now: pd.DataFrame, then: pd.DataFrame, horizon_days: int) -> int:
    return min(reach(side, horizon_days) if len(side) else 0 for side in (now, then))


def not_comparable(now: pd.DataFrame, then: pd.DataFrame, age: int) -> str:
    """Say why two quarters cannot be compared; empty where they can.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9, 9], "outcome": ["won", "lost", "open"]})
    >>> not_comparable(deals, deals[:0], 9), not_comparable(deals, deals[:1], 9)
    ('no deal was at risk in one of the two quarters.', '')
    """
    if not len(now) or not len(then):
        return "no deal was at risk in one of the two quarters."
    if max(int(side["entry"].min()) for side in (now, then)) >= age:
        return "the two quarters had no deals of the same ages."
    return unrecorded_outcomes([*now["outcome"], *then["outcome"]])


def earlier(
    deals: pd.DataFrame, other: Quarter, quarter: Quarter, settled_on: dt.date, horizon_days: int
) -> pd.DataFrame:
    """Give the deals at risk in an earlier quarter, cut as many days before its end as the quarter under study is."""
    return at_risk_in(deals, other, last_day_of(other, quarter, settled_on), horizon_days=horizon_days)


def judged(frame: pd.DataFrame, margins: Mapping[str, float], *, declared: str | None = "won") -> pd.DataFrame:
    """Add to changes their verdicts, against the margins and the number of changes that were looked at."""
    frame = frame.assign(margin=[margin_of(margins, outcome) for outcome in frame["outcome"]])
    values = ["estimate", "std_error", "conf_low", "conf_high", "margin"]
    never = (frame["estimate_now"] == 0) & (frame["estimate_then"] == 0)  # an outcome these records do not have
    empty = ["std_error", "conf_low", "conf_high", "p_value"]
    frame[empty] = frame[empty].astype(float).mask(never)
    df = [None if n is None else float(n) - 1 for n in frame["n_accounts"]]
    judged = [verdict(*row, df=degrees) for row, degrees in zip(frame[values].to_numpy(dtype=float), df, strict=True)]
    few = frame[["n_event_now", "n_event_then"]].min(axis=1) < FEWEST_EVENTS
    frame["p_adjusted"] = frame.groupby("view")["p_value"].transform(lambda p: benjamini_hochberg(p.to_numpy()))
    said = pd.Series(judged, index=frame.index, dtype=object)
    asked = (frame["outcome"] == declared) & (frame["compared_to"] == frame["compared_to"].iloc[0])
    chance = said.str.startswith("shown") & ~asked & ~(frame["p_adjusted"] <= SHOWN_AT)
    frame["verdict"] = said.mask(few | chance, "cannot tell").mask(never, "not studied")
    frame["note"] = pd.Series("", index=frame.index, dtype=object).mask(few & ~never, TOO_FEW)
    frame["no_interval_reason"] = frame["no_interval_reason"].mask(never, "no such outcome in either quarter")
    pairs = zip(frame["std_error"], frame["margin"], strict=True)
    frame["smallest_reliable_change"] = [smallest_reliable_change(error, margin) for error, margin in pairs]
    return frame.assign(n_risk=frame["n_deals_now"], n_event=np.nan)


def _accounts(now: pd.DataFrame, then: pd.DataFrame) -> int | None:
    if not has_accounts(now) and not has_accounts(then):
        return None
    return account_codes(pd.concat([now["account_id"], then["account_id"]], ignore_index=True))[1]


def _meta(estimand: str, keys: tuple[str, ...], now: pd.DataFrame, resampling: Resampling, note: str) -> Meta:
    clustered = has_accounts(now)
    return Meta(
        kind="contrast", estimand=estimand, keys=keys, n_deals=len(now), conf_level=resampling.conf_level,
        n_accounts=account_codes(now["account_id"])[1] if clustered else None, interval="t",
        variance=VARIANCE.format(reps=resampling.reps), cluster="account_id" if clustered else None, note=note,
    )  # fmt: skip


def mix_and_rate(
    deals: pd.DataFrame, quarter: Quarter, *, as_known: Mapping[Quarter, pd.DataFrame], by: Sequence[str],
    settled_on: dt.date, horizon_days: int, resampling: Resampling = RESAMPLING,
) -> Estimate | Finding:  # fmt: skip
    """What is the change in deals won made of: another mix of segments, or other rates within them?

    Parameters
    ----------
    deals, quarter, as_known, settled_on, horizon_days, resampling
        As for `against`; the earlier quarter is taken as it was known then.
    by : sequence of str
        Segment columns (values at opening), one decomposition each. Beyond the eight largest levels the rest is pooled.

    Returns
    -------
    Estimate or Finding
        Kind contrast, keys (compared_to, segment, level, part). Rows of level "all" other than the total add up to the
        total exactly: mix (share of openings), rate (incidence within segments), appeared and vanished segments, and
        stock (deals opened before the quarter came in other proportions). `label`, `estimate_now`, `estimate_then`,
        `share_now`, `share_then`, `n_deals_now`, `n_deals_then`, `note`. Parts of the whole have
        no interval where fewer than five deals were won in one of the quarters, parts of a level where none was.

    Raises
    ------
    InputError
        Where a segment column does not exist.

    Notes
    -----
    The parts describe the change, they do not explain it. See `analytics.estimators.decomposition.mix_and_rate`.

    References
    ----------
    Kitagawa 1955, JASA 50:1168.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abcd"), "account_id": list("abcd"), "entry": -1, "exit": [10, 20, 5, 91],
    ...     "opened_on": pd.to_datetime(["2025-07-01", "2025-07-01", "2025-10-01", "2025-10-01"]),
    ...     "outcome": ["won", "lost", "won", "open"], "region": ["N", "S", "N", "S"]})
    >>> now = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> then = Quarter("2025Q3", dt.date(2025, 7, 1), dt.date(2025, 9, 30))
    >>> parts = mix_and_rate(deals, now, as_known={then: deals}, by=["region"], settled_on=now.end, horizon_days=30)
    >>> parts.at(level="all", part="total")["label"].tolist()
    ['Change']
    """
    for column in by:
        if column not in deals.columns:
            raise InputError(f"the deals have no segment {column!r}", action=nearest(column, deals.columns))
    now = at_risk_in(deals, quarter, last_day(quarter, settled_on), horizon_days=horizon_days)
    tables, notes, taken = [], [], dict[tuple[str, str], Sides]()
    for other, known in as_known.items():
        then = earlier(known, other, quarter, settled_on, horizon_days)
        age = _common_age(now, then, horizon_days)
        why = "" if _both_opened(now, then) else "one of the two quarters has no openings, so its mix is not known."
        why = why or not_comparable(now, then, age)
        if why:
            notes.append(f"{other.name}: {why}")
            continue
        for column in by:
            sides = taken[other.name, column] = _pooled_small(then, now, column)
            table = decomposed(Pace(sides[0]), Pace(sides[1]), by=column, horizon_days=age, resampling=resampling)
            tables.append(table.assign(compared_to=other.name, segment=column, horizon_reached=age))
    if not tables:
        text = "No segment was named." if not by else " ".join(notes)
        return not_studied("mix_and_rate", f"What changed against {quarter.name} cannot be taken apart.", text)
    frame = _labelled(pd.concat(tables, ignore_index=True))
    keys = ("compared_to", "segment", "level", "part")
    estimand = "part of the change of the period incidence of winning at the horizon, now − then (Kitagawa)"
    return with_side_deals(Estimate(frame, _meta(estimand, keys, now, resampling, " ".join(notes))), taken)


def _both_opened(now: pd.DataFrame, then: pd.DataFrame) -> bool:
    return all(len(frame) and bool(frame["opened_in_period"].any()) for frame in (now, then))


def _pooled_small(then: pd.DataFrame, now: pd.DataFrame, column: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pool levels beyond the largest ones into one, so that no part rests on a handful of deals."""
    levels = [level_of(frame, column) for frame in (then, now)]
    sizes = pd.concat(levels).value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable")
    small = list(sizes.index[MOST_LEVELS:]) if len(sizes) > MOST_LEVELS + 1 else []
    rest = f"{len(small)} smaller ones"
    pooled = [level.where(~level.isin(small), rest) for level in levels]
    return then.assign(**{column: pooled[0]}), now.assign(**{column: pooled[1]})


def _labelled(frame: pd.DataFrame) -> pd.DataFrame:
    grows = frame["share_now"] >= frame["share_then"]
    amount = np.where(frame["part"] == "mix", np.where(grows, "more ", "fewer "), "")
    label = frame["part"].map(PART_WORDS) + (": " + amount + frame["level"]).where(frame["level"] != ALL, "")
    small = frame[["n_then", "n_now"]].min(axis=1) < SMALLEST_CELL
    one_sided = frame["part"].isin(["appeared", "vanished"])
    note = pd.Series("", index=frame.index).mask(frame["borrowed"] & (frame["level"] != ALL), BORROWED)
    note = note.mask(small & ~one_sided, f"Fewer than {SMALLEST_CELL} deals in one of the quarters.")
    # resamples of a side without an event repeat its 0; the total has limits of its own
    events = frame[["n_event_then", "n_event_now"]].min(axis=1)
    events = events.mask(one_sided & (frame["level"] != ALL), frame["n_event_then"] + frame["n_event_now"])
    few = (events < np.where(frame["level"] == ALL, FEWEST_EVENTS, 1)) & (frame["part"] != "total")
    blank = {name: frame[name].mask(few) for name in ("std_error", "conf_low", "conf_high")}
    frame = frame.assign(no_interval_reason=frame["no_interval_reason"].mask(few, TOO_FEW), **blank)
    frame = frame.rename(columns=RENAMED)
    return frame.assign(label=label, note=note, n_risk=frame["n_deals_now"], n_event=np.nan)
