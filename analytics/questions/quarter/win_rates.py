"""The ledger of win rates: every definition side by side, and a bridge from one to the next that adds up exactly."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.bounds import incidence_bounds
from analytics.estimators.cell_deals import deals_of, ids_of, members_apart, with_deals
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.period_incidence import period_at_horizon
from analytics.estimators.rates import Interval, clustered_proportion, clustered_ratio, known_accounts
from analytics.estimators.result import Estimate, Finding, Listing, Meta
from analytics.estimators.sentences import count, outcome_words
from analytics.estimators.watched import counted, has_accounts, not_studied
from analytics.questions.quarter.definitions import Books, Definition, bounded, definitions
from analytics.questions.quarter.ledger import CLOSED
from analytics.records.calendar import Quarter

PERIOD_LABEL = "At this quarter's pace, within {horizon} days"
BRIDGES = (
    ("closed_count_narrow", "closed_amount_narrow"),
    ("closed_count_broad", "closed_amount_broad"),
)
CHAIN = (
    "closed_count_narrow", "closed_count_broad", "opened_cohort", "mature_cohort", "qualified_cohort",
    "period_incidence",
)  # fmt: skip


def win_rates(
    deals: pd.DataFrame, ledger_deals: pd.DataFrame, quarter: Quarter, *, settled_on: dt.date, horizon_days: int
) -> Estimate | Finding:
    """What is the win rate, by each of the definitions that people quote?

    Parameters
    ----------
    deals : pandas.DataFrame
        Deals frame, first episodes.
    ledger_deals : pandas.DataFrame
        Deals frame, all episodes; closed rates and cohorts so far use where each deal stands at as-of.
    quarter : Quarter
        The quarter.
    settled_on : datetime.date
        Up to this day outcomes are recorded; the period incidence and the cohorts with a horizon end there.
    horizon_days : int
        The horizon of the latter.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (definition,). `label`, `denominator` in words, `n_event`, `n_risk` (deals),
        `n_accounts`, `meaningful` with `note`; with unknown outcomes `bound_low`, `bound_high` (none of them won, all
        of them won). Definitions that the data cannot give are absent, and `meta.note` says why. A Finding where there
        are none.

    Notes
    -----
    Closed rates say who closed, which is itself an outcome: they rise when losses are closed late. None is wrong; they
    answer different questions. Counts: clustered Wilson limits; amounts: whole-account bootstrap.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abc"), "episode": 1, "account_id": list("xyz"), "amount": 10.0,
    ...     "opened_on": pd.to_datetime(["2025-10-02"] * 3), "outcome": ["won", "lost", "open"], "currency": "USD",
    ...     "closed_on": pd.to_datetime(["2025-12-01", "2025-12-02", None]), "born_closed": False, "entry": -1,
    ...     "exit": [60, 61, 90]})
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> rates = win_rates(deals, deals, quarter, settled_on=quarter.end, horizon_days=365)
    >>> rates.at(definition="closed_count_narrow")["estimate"].tolist()
    [0.5]
    """
    books = Books(deals, ledger_deals, quarter, settled_on, horizon_days)
    made, missing = definitions(books)
    rows = [_row(definition, books) for definition in made.values()]
    period = period_at_horizon(deals, quarter, settled_on=settled_on, horizon_days=horizon_days)
    if isinstance(period, Finding):
        missing.append(period.headline)
    else:
        rows.append(_period_row(period, quarter))
    if not rows:
        headline = f"There is no win rate for {quarter.name}: no deal to count."
        return not_studied("win_rates", headline, " ".join(missing))
    rows, lists = members_apart(rows)
    frame = pd.DataFrame(rows)
    if frame["bound_low"].isna().all():
        frame = frame.drop(columns=["bound_low", "bound_high"])
    meta = Meta(
        kind="probability", estimand="share of deals won, by definition", keys=("definition",), n_deals=len(deals),
        n_accounts=known_accounts(deals["account_id"]) if has_accounts(deals) else None,
        interval="Wilson; percentile for amounts; log-log for incidences",
        variance="between accounts; whole-account bootstrap for amounts", time_unit="days after opening",
        cluster="account_id" if has_accounts(deals) else None, note=" ".join(missing),
    )  # fmt: skip
    return with_deals(Estimate(frame, meta), **lists)


def _row(definition: Definition, books: Books) -> dict[str, Any]:
    members = definition.members
    interval, reason = _interval(definition, books)
    low = high = float("nan")
    if definition.unknown and definition.delayed:
        interval, low, high = _delayed_bounds(definition, books, interval)
    elif definition.unknown:  # the estimate leaves the unknown out, the limits cover both extremes
        low, high = bounded(definition)
        interval = interval._replace(conf_low=_limits(definition, 0.0)[0], conf_high=_limits(definition, 1.0)[1])
        reason = ""
    return {
        "definition": definition.name, **interval._asdict(), "n_risk": len(members),
        "n_event": int(members["hit"].sum()), "label": definition.label, "denominator": definition.denominator,
        "n_accounts": known_accounts(members["account_id"]) if has_accounts(members) else None,
        "meaningful": definition.meaningful, "note": definition.note, "bound_low": low, "bound_high": high,
        "no_interval_reason": reason,
        "members": {"n_risk": ids_of(members), "n_event": ids_of(members[members["hit"].astype(bool)])},
    }  # fmt: skip


def _limits(definition: Definition, hit: float) -> tuple[float, float]:
    """Limits of the rate if every deal without a recorded outcome was won (hit 1), or none was (hit 0)."""
    both = definition.with_unrecorded(hit)
    cluster = both["account_id"] if has_accounts(both) else None
    if "amount" not in definition.name:
        found = clustered_proportion(both["hit"], cluster=cluster)
        return found.conf_low, found.conf_high
    found = clustered_ratio(both["hit"] * both["weight"], both["weight"], cluster=cluster)
    # where every resample gives the same ratio the bound itself is all that is known
    return (found.estimate, found.estimate) if np.isnan(found.conf_low) else (found.conf_low, found.conf_high)


def _delayed_bounds(definition: Definition, books: Books, interval: Interval) -> tuple[Interval, float, float]:
    """Bounds of an incidence, from the deals of the cohort with and without a recorded outcome."""
    named = definition.with_unrecorded(0.0)["deal_id"]
    cohort = books.deals[books.deals["deal_id"].isin(named)]
    rows = incidence_bounds(counted(cohort), times=[books.horizon_days]).at(outcome="won")
    if not len(rows):  # nobody was followed that far: the plain shares are all there is
        plain = interval._replace(conf_low=_limits(definition, 0.0)[0], conf_high=_limits(definition, 1.0)[1])
        return plain, *bounded(definition)
    row = rows.iloc[0]
    low, high = float(row["bound_low"]), float(row["bound_high"])
    limits = {"conf_low": float(row["conf_low"]), "conf_high": float(row["conf_high"])}
    return interval._replace(**limits), low, high


def _interval(definition: Definition, books: Books) -> tuple[Interval, str]:
    members = definition.members
    cluster = members["account_id"] if has_accounts(members) else None
    if "amount" in definition.name:
        found = clustered_ratio(members["hit"] * members["weight"], members["weight"], cluster=cluster)
        reason = "every amount is on one side" if np.isnan(found.conf_low) else ""
        return found, reason
    if definition.delayed:
        cohort = books.deals[books.deals["deal_id"].isin(members["deal_id"])]
        row = cumulative_incidence(counted(cohort), times=[books.horizon_days]).at(outcome="won")
        if len(row):
            values = [float(row[name].iloc[0]) for name in ("estimate", "std_error", "conf_low", "conf_high")]
            return Interval(*values), str(row["no_interval_reason"].iloc[0])
    return clustered_proportion(members["hit"], cluster=cluster), ""


def _period_row(period: Estimate, quarter: Quarter) -> dict[str, Any]:
    row = period.at(outcome="won").iloc[0]
    counted = {"n_risk": "n_deals", "n_event": "n_event"}
    place = period.frame.index[period.frame["outcome"] == "won"]
    reached = int(row["horizon_reached"])
    return {
        "definition": "period_incidence", **{n: row[n] for n in ("estimate", "std_error", "conf_low", "conf_high")},
        "n_risk": int(row["n_deals"]), "n_event": int(row["n_event"]), "label": PERIOD_LABEL.format(horizon=reached),
        "denominator": f"deals open at some time in {quarter.name}, their ages put together into one whole life",
        "n_accounts": row["n_accounts"], "meaningful": True, "note": row["note"],
        "bound_low": row.get("bound_low", float("nan")), "bound_high": row.get("bound_high", float("nan")),
        "no_interval_reason": row["no_interval_reason"],
        "members": {name: deals_of(period, column, place) for name, column in counted.items()},
    }  # fmt: skip


def bridge(
    deals: pd.DataFrame, ledger_deals: pd.DataFrame, quarter: Quarter, *, settled_on: dt.date, horizon_days: int
) -> Listing | Finding:
    """How does one win rate become the next: which deals leave, which are counted differently, which join?

    Parameters
    ----------
    deals, ledger_deals, quarter, settled_on, horizon_days
        As for `win_rates`.

    Returns
    -------
    Listing or Finding
        from, to, from_label, to_label, from_rate, to_rate, step ("leave", "counted differently", "join"), change,
        deals, words. For each pair `from_rate` plus its changes is `to_rate`, exactly. A Finding with fewer than two
        definitions.

    Notes
    -----
    The order of the steps is fixed (leave, counted differently, join) and the sizes of the steps depend on it; the sum
    does not. Between a share of deals and an incidence there is one step: the incidence counts no deal as a plain hit
    or miss.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abc"), "episode": 1, "account_id": list("xyz"), "amount": 10.0,
    ...     "opened_on": pd.Timestamp("2025-10-02"), "outcome": ["won", "lost", "no_decision"], "currency": "USD",
    ...     "closed_on": pd.to_datetime(["2025-12-01", "2025-12-02", "2025-12-03"]), "born_closed": False, "entry": -1,
    ...     "exit": [60, 61, 62]})
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> steps = bridge(deals, deals, quarter, settled_on=quarter.end, horizon_days=365).frame
    >>> steps.loc[steps["to"] == "closed_count_broad", ["step", "change"]].round(3).values.tolist()
    [['join', -0.167]]
    """
    books = Books(deals, ledger_deals, quarter, settled_on, horizon_days)
    made, _ = definitions(books)
    known = {name: _end(definition, books) for name, definition in made.items()}
    period = period_at_horizon(deals, quarter, settled_on=settled_on, horizon_days=horizon_days)
    if isinstance(period, Estimate):
        known["period_incidence"] = _period_row(period, quarter)
    if len(known) < 2:
        return not_studied("bridge", f"There are no two win rates of {quarter.name} to compare.")
    chain = [name for name in CHAIN if name in known]
    pairs = [*pairwise(chain), *(p for p in BRIDGES if set(p) <= set(known) and made[p[1]].meaningful)]
    rows = []
    for start, end in pairs:
        ends = {
            "from": start, "to": end, "from_label": known[start]["label"], "to_label": known[end]["label"],
            "from_rate": float(known[start]["estimate"]), "to_rate": float(known[end]["estimate"]),
        }  # fmt: skip
        a, b = made.get(start), made.get(end)
        opaque = a is None or b is None or a.delayed or b.delayed
        steps = _one_step(ends, known[end]) if opaque or a is None or b is None else _steps(a, b)
        rows += [{**ends, **step} for step in steps]
    plain, lists = members_apart(rows)
    return with_deals(Listing(pd.DataFrame(plain), "From one win rate to the next"), **lists)


def _end(definition: Definition, books: Books) -> dict[str, Any]:
    """One end of a bridge: the same estimate as in the ledger, without its interval."""
    estimate = _interval(definition, books)[0].estimate if definition.delayed else definition.rate
    ends = {"label": definition.label, "denominator": definition.denominator}
    members = {"n_risk": ids_of(definition.members)}
    return {**ends, "estimate": estimate, "n_risk": len(definition.members), "members": members}


def _one_step(ends: dict[str, Any], row: Mapping[Any, Any]) -> list[dict[str, Any]]:
    change = ends["to_rate"] - ends["from_rate"]
    words = f"{row['denominator'][0].upper()}{row['denominator'][1:]} instead of “{ends['from_label']}”."
    members = {"deals": row["members"]["n_risk"]}
    step = {"step": "counted differently", "change": change, "deals": int(row["n_risk"])}
    return [{**step, "words": words, "members": members}]


def _steps(a: Definition, b: Definition) -> list[dict[str, Any]]:
    both = a.members.merge(b.members, on="deal_id", how="outer", suffixes=("_a", "_b"), indicator=True)
    shared = both[both["_merge"] == "both"]
    only_a, only_b = both[both["_merge"] == "left_only"], both[both["_merge"] == "right_only"]
    if not (shared["weight_a"].sum() > 0 and shared["weight_b"].sum() > 0):
        words = f"No deal is in both: {count(len(only_a), 'deal')} leave, {count(len(only_b), 'deal')} join."
        step = {"step": "counted differently", "change": b.rate - a.rate, "deals": len(both)}
        return [{**step, "words": words, "members": {"deals": ids_of(both)}}]
    kept, recounted = _rate(shared, "_a"), _rate(shared, "_b")
    same = np.isclose(shared["weight_a"], shared["weight_b"]) & (shared["hit_a"] == shared["hit_b"])
    changed = shared[~same]
    steps: list[tuple[str, float, pd.DataFrame, Callable[[], str]]] = [
        ("leave", kept - a.rate, only_a, lambda: f"{_listed(only_a['status_a'])} no longer counted."),
        ("counted differently", recounted - kept, changed, lambda: _recounted(changed, b)),
        ("join", b.rate - recounted, only_b, lambda: f"{_listed(only_b['status_b'])} counted as well."),
    ]
    rows = [
        {"step": step, "change": change, "deals": len(frame), "words": words(), "members": {"deals": ids_of(frame)}}
        for step, change, frame, words in steps
        if len(frame)
    ]
    words = "The same deals, counted alike."
    return rows or [{"step": "counted differently", "change": b.rate - a.rate, "deals": 0, "words": words}]


def _rate(shared: pd.DataFrame, side: str) -> float:
    weight = shared[f"weight{side}"].to_numpy(dtype=float)
    return float((weight * shared[f"hit{side}"].to_numpy(dtype=float)).sum() / weight.sum())


def _listed(status: pd.Series) -> str:
    numbers = status.value_counts()
    inside = ", ".join(f"{numbers[name]:,} {outcome_words(name)}" for name in (*CLOSED, "open") if name in numbers)
    verb = "is" if len(status) == 1 else "are"
    return f"{count(len(status), 'deal')} ({inside}) {verb}"


def _recounted(changed: pd.DataFrame, b: Definition) -> str:
    if "amount" in b.name:
        return f"{count(len(changed), 'deal')} weighed by amount instead of counted as one."
    moves = changed["status_a"].map(outcome_words) + " → " + changed["status_b"].map(outcome_words)
    listed = ", ".join(f"{n:,} {move}" for move, n in moves.value_counts(sort=True).items())
    return f"{count(len(changed), 'deal')} counted differently ({listed})."
