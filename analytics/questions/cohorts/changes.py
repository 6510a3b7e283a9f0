"""Quarter on quarter, by segment: another mix of openings, other shares within them, what appeared or vanished."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pandas as pd

from analytics.estimators.bootstrap import RESAMPLING, Resampling
from analytics.estimators.contrasts import unrecorded_outcomes
from analytics.estimators.decomposition import ALL, Pace, mix_and_rate
from analytics.estimators.lacking import lacking
from analytics.estimators.rates import known_accounts
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.sentences import count
from analytics.estimators.side_deals import Sides, with_side_deals
from analytics.estimators.watched import at_risk_in, reach
from analytics.questions.cohorts.cohort import pooled
from analytics.questions.cohorts.splitting import OWNER, Split, words_of
from analytics.records.calendar import Quarter

FEWEST_EVENTS = 5
TOO_FEW = f"fewer than {FEWEST_EVENTS} such deals in one of the quarters: too few to tell"
RENAMED = {
    "rate_then": "estimate_then", "rate_now": "estimate_now", "n_then": "n_deals_then", "n_now": "n_deals_now",
}  # fmt: skip
PARTS = {
    "mix": "Mix", "rate": "Rate", "appeared": "Appeared", "vanished": "Vanished",
    "stock": "Not attributed (deals opened before the quarter)", "total": "Change",
}  # fmt: skip


def quarter_on_quarter(
    split: Split, quarter: Quarter, *, as_known: Mapping[Quarter, Split], settled_on: dt.date, horizon_days: int,
    resampling: Resampling = RESAMPLING,
) -> Estimate | Finding:  # fmt: skip
    """What is the change of the share won since an earlier quarter made of, segment by segment?

    Parameters
    ----------
    split : Split
        Deals of today, from `split_by`; every segment but the owner is decomposed on its own.
    quarter : Quarter
        The quarter under study.
    as_known : mapping of Quarter to Split
        Earlier quarters, with the deals as known at the same lag after their end.
    settled_on : datetime.date
        Up to this day the quarter is settled; earlier ones are cut as many days before their end.
    horizon_days : int
        Age at which period incidences are read, less where a quarter is not known so far.
    resampling : Resampling
        Of whole accounts.

    Returns
    -------
    Estimate or Finding
        Kind contrast, keys (compared_to, segment, level, part). Rows of level "all" other than the total add up to the
        total exactly: mix (share of openings), rate (share won within a level), appeared and vanished (levels that one
        of the two quarters does not have), stock (deals opened before the quarter). `label`, `estimate_now`,
        `estimate_then`, `share_now`, `share_then`, `n_deals_now`, `n_deals_then`.

    Notes
    -----
    Period incidences, as in the headline of the quarter; segments keep their value at opening. It says what the change
    is made of, not why it came. See `analytics.estimators.decomposition.mix_and_rate` (Kitagawa 1955, JASA 50:1168).

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abcd"), "account_id": list("abcd"), "entry": -1, "exit": [10, 20, 5, 91],
    ...     "opened_on": pd.to_datetime(["2025-07-01", "2025-07-01", "2025-10-01", "2025-10-01"]),
    ...     "outcome": ["won", "lost", "won", "open"], "region": ["N", "S", "N", "W"]})
    >>> now = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> then = Quarter("2025Q3", dt.date(2025, 7, 1), dt.date(2025, 9, 30))
    >>> split = Split(deals, ("region",))
    >>> parts = quarter_on_quarter(split, now, as_known={then: split}, settled_on=now.end, horizon_days=30)
    >>> parts.frame.loc[parts.frame["part"].isin(["appeared", "vanished"]), "level"].tolist()
    ['S', 'W', 'all', 'all']
    """
    names = [name for name in split.by if name != OWNER]
    if not names:
        return lacking("quarter_on_quarter", "what a change between quarters is made of", "segments")
    now = _at_risk(split, quarter, (settled_on - quarter.end).days, horizon_days)
    tables, notes, taken = [], [], dict[tuple[str, str], Sides]()
    for other, known in as_known.items():
        then = _at_risk(known, other, (settled_on - quarter.end).days, horizon_days)
        why = _not_comparable(then, now)
        if why:
            notes.append(f"{other.name}: {why}")
            continue
        age = min(reach(then, horizon_days), reach(now, horizon_days))
        for name in (name for name in names if name in known.by or name in known.deals):
            sides = taken[other.name, name] = _both_pooled(then, now, name)
            parts = mix_and_rate(Pace(sides[0]), Pace(sides[1]), by=name, horizon_days=age, resampling=resampling)
            tables.append(parts.assign(compared_to=other.name, segment=name, horizon_reached=age))
    if not tables:
        said = " ".join(notes) or "No earlier quarter is named (compare_to)."
        headline = f"What changed up to {quarter.name} cannot be taken apart."
        return Finding("quarter_on_quarter", headline, said, "not studied")
    frame = _labelled(pd.concat(tables, ignore_index=True))
    accounts = known_accounts(now["account_id"]) if "account_id" in now else 0
    meta = Meta(
        kind="contrast", keys=("compared_to", "segment", "level", "part"), n_deals=len(now),
        n_accounts=accounts or None,
        estimand="part of the change of the period incidence of winning at the horizon, now − then (Kitagawa)",
        interval="t", variance=f"whole-account bootstrap, {resampling.reps} resamples",
        cluster="account_id" if accounts else None, note=" ".join(notes),
    )  # fmt: skip
    return with_side_deals(Estimate(frame, meta), taken)


def _at_risk(split: Split, quarter: Quarter, lag: int, horizon: int) -> pd.DataFrame:
    """Deals at risk in a quarter, watched to the settled day that belongs to it and to the horizon."""
    end = min(quarter.end, quarter.end + dt.timedelta(days=lag))
    return at_risk_in(split.deals, quarter, end if end >= quarter.start else None, horizon_days=horizon)


def _not_comparable(then: pd.DataFrame, now: pd.DataFrame) -> str:
    for side in (then, now):
        if not len(side) or not side["opened_in_period"].any():
            return "one of the two quarters has no openings, so its mix is not known."
    return unrecorded_outcomes([*then["outcome"], *now["outcome"]])


def _both_pooled(then: pd.DataFrame, now: pd.DataFrame, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    both = pooled(pd.concat([then[name], now[name]], ignore_index=True))
    return (
        then.assign(**{name: both.iloc[: len(then)].to_numpy()}),
        now.assign(**{name: both.iloc[len(then) :].to_numpy()}),
    )


def _labelled(frame: pd.DataFrame) -> pd.DataFrame:
    more = np.where(frame["share_now"] >= frame["share_then"], "more ", "fewer ")
    named = ": " + np.where(frame["part"] == "mix", more, "").astype(object) + frame["level"].astype(object)
    label = frame["part"].map(PARTS) + named.where(frame["level"] != ALL, "")
    whole, one_sided = frame["level"] == ALL, frame["part"].isin(["appeared", "vanished"])
    events = frame[["n_event_then", "n_event_now"]].min(axis=1)
    events = events.mask(one_sided & ~whole, frame["n_event_then"] + frame["n_event_now"])
    # resamples of a side without an event repeat its 0; the total has limits of its own
    few = (events < np.where(whole, FEWEST_EVENTS, 1)) & (frame["part"] != "total")
    blank = {column: frame[column].mask(few) for column in ("std_error", "conf_low", "conf_high")}
    frame = frame.assign(no_interval_reason=frame["no_interval_reason"].mask(few, TOO_FEW), **blank)
    frame = frame.rename(columns=RENAMED)
    note = np.where(frame["borrowed"] & ~whole, "At some ages nobody of it was at risk; the pace of all is used.", "")
    return frame.assign(label=label, note=note, n_risk=frame["n_deals_now"], n_event=np.nan)


def appeared_or_vanished(parts: Estimate | Finding) -> Finding:
    """Which levels does one quarter have and the other not, and how much of the change lies there?

    Parameters
    ----------
    parts : Estimate or Finding
        From `quarter_on_quarter`.

    Returns
    -------
    Finding
        One line: the levels with their numbers of deals, or that there is none.

    Examples
    --------
    >>> appeared_or_vanished(Finding("x", "No earlier quarter.", "", "not studied")).name
    'appeared_or_vanished'
    """
    name = "appeared_or_vanished"
    if isinstance(parts, Finding):
        return Finding(name, parts.headline, parts.detail, parts.verdict)
    frame = parts.frame
    compared = ", ".join(dict.fromkeys(str(value) for value in frame["compared_to"]))
    segments = ", ".join(words_of(segment) for segment in dict.fromkeys(frame["segment"]))
    one_sided = frame[frame["part"].isin(["appeared", "vanished"]) & (frame["level"] != ALL)]
    if one_sided.empty:
        headline = f"No level of {segments} appeared or vanished against {compared}."
        return Finding(name, headline, "Every level had deals at risk in both quarters.", "described")
    said = [
        f"{words_of(str(row['segment']))} {row['level']} {row['part']} against {row['compared_to']} "
        f"({count(_either(row['n_deals_now'], row['n_deals_then']), 'deal')})"
        for row in one_sided.to_dict("records")
    ]
    headline = (
        f"{count(len(said), 'level')} appeared or vanished, a term of {'its' if len(said) == 1 else 'their'} own."
    )
    keys = tuple((key, str(one_sided.iloc[0][key])) for key in parts.meta.keys)
    return Finding(name, headline, f"{'; '.join(said)}.", "described", "quarter_on_quarter", keys)


def _either(now: float, then: float) -> float:
    return max(0.0 if np.isnan(float(value)) else float(value) for value in (now, then))
