"""Do deals that were in a stage on a day go on differently: log-rank tests of the Markov assumption, by account too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.account_scores import account_score_test
from analytics.estimators.counts import count_events
from analytics.estimators.group_tests import NO_INTERVAL, logrank_scores, quadratic_form
from analytics.estimators.hazards.arrange import Spells, arrange
from analytics.estimators.hazards.likelihood import evaluate, event_means, score_residuals
from analytics.estimators.hazards.rows import summed
from analytics.estimators.multistate.rows import Floats, Ints, Stages
from analytics.estimators.result import Estimate, Meta
from analytics.records.errors import InputError


def markov_test(stages: Stages, *, state: str, at: float) -> Estimate:
    """Do deals that were in a stage on a day go on differently from other deals, once they are in the same stage?

    Parameters
    ----------
    stages : Stages
        Without weights.
    state, at
        The landmark: where a deal was at the end of that day after opening.

    Returns
    -------
    Estimate
        Kind test; keys `("from", "to")`: for every move after `at` that both kinds of deals could make, chi-squared
        (`estimate`), `df`, `p_value`, `n_event`, then one row ("all", "all") for all moves together.

    Raises
    ------
    InputError
        Weights, an unknown state, a day at whose end no deal is seen there or every deal is.

    Notes
    -----
    Log-rank tests of each move's hazard after the landmark, deals in `state` then against the others seen then,
    within strata; under the Markov assumption all have chi-squared distributions and tests of different moves add
    (Titman & Putter 2022, Biostatistics 23:380, for one landmark). With accounts the same scores are summed by
    account, their covariance is the accounts', over moves too, and p-values are Hotelling's (`account_score_test`):
    at 5 % all moves together refuse 4.5 to 6.5 % of simulated companies of 40 and more accounts and 3.3 % of those of
    20, where it finds little; a single rare move may refuse 9 %. A small p-value says that `transition_probabilities`
    is wrong for such deals and `landmark_occupation` is not.

    Examples
    --------
    >>> from analytics.estimators.multistate.rows import read_stages
    >>> rows = pd.DataFrame({"deal_id": [1, 1, 2, 2, 3, 3, 4], "entry": [-1, 4, -1, 7, -1, 8, -1],
    ...                      "exit": [4, 9, 7, 12, 8, 15, 11],
    ...                      "from": list("abababa"), "to": ["b", "won", "b", "won", "b", "won", "b"]})
    >>> markov_test(read_stages(rows), state="b", at=5).frame[["from", "to", "df"]].values.tolist()
    [['b', 'won', 1], ['all', 'all', 1]]
    """
    if stages.weighted:
        raise InputError("the Markov test is for deals without weights", action="Use markov_difference")
    groups, unseen = _followed_from(stages, stages.place(state), at)
    if groups["was_there"].nunique() < 2:
        raise InputError(f"at the end of day {at:g} every deal, or none, is seen in {state}", value=at,
                         action="Choose a day on which deals differ")  # fmt: skip
    rows = _moves_by_account(stages, groups) if stages.cluster else _moves(stages, groups)
    note = f"{unseen} deals that nobody had seen by the end of day {at:g} are left out." if unseen else ""
    meta = Meta(
        kind="test", estimand=f"whether it matters for later moves that a deal was in {state} on day {at:g}",
        keys=("from", "to"), n_deals=stages.n_deals, n_accounts=stages.n_accounts,
        variance="log-rank" + (", sandwich by account" if stages.cluster else ""), cluster=stages.cluster,
        unit="chi-squared", note=note,
    )  # fmt: skip
    return Estimate(pd.DataFrame(rows), meta)


def _followed_from(stages: Stages, place: int, at: float) -> tuple[pd.DataFrame, int]:
    """Return the stays after the landmark of deals seen then, with whether they were there, and how many were not."""
    pieces, unseen = [], 0
    for k, (_, stays) in enumerate(stages.parts):
        now, later = stays.seen_at(at), stays.after(at)
        known = np.isin(later.deal, now.deal)
        unseen += len(np.unique(later.deal[~known]))
        there = np.isin(later.deal, now.deal[now.source == place])
        pieces.append(pd.DataFrame({
            "stratum": k, "entry": later.entry, "exit": later.leave, "from": later.source, "to": later.target,
            "was_there": np.where(there, "there", "elsewhere"), "unit": later.unit,
        })[known])  # fmt: skip
    return pd.concat(pieces, ignore_index=True), unseen


def _moves(stages: Stages, groups: pd.DataFrame) -> list[dict[str, Any]]:
    rows = [row for h in range(len(stages.states)) for row in _moves_from(stages, groups[groups["from"] == h], h)]
    total = _row(("all", "all"), sum(row["estimate"] for row in rows), len(rows), sum(r["n_event"] for r in rows))
    return [*rows, total]


def _moves_by_account(stages: Stages, groups: pd.DataFrame) -> list[dict[str, Any]]:
    """Test every move, and all together, by what each account adds to the log-rank scores."""
    place, names = pd.factorize(groups["unit"])
    rows, scores, events = [], [], 0
    for (h, j), seen in _compared(stages, groups):
        score = _log_rank_by_unit(seen, j, np.asarray(place[groups["from"] == h], dtype=np.int64), len(names))
        statistic, df, p = account_score_test(score[:, None])
        if df:
            count = int((seen["to"] == j).sum())
            rows.append(_row((stages.states[h], stages.states[j]), statistic, df, count, p))
            scores.append(score)
            events += count
    found = account_score_test(np.column_stack(scores)) if scores else (np.nan, 0, np.nan)
    return [*rows, _row(("all", "all"), found[0], found[1], events, found[2])]


def _compared(stages: Stages, groups: pd.DataFrame) -> Iterator[tuple[tuple[int, int], pd.DataFrame]]:
    """Give each move with the stays in its stage, where both kinds of deals were."""
    for h in range(len(stages.states)):
        seen = groups[groups["from"] == h]
        if seen["was_there"].nunique() == 2:
            yield from (((h, j), seen) for j in sorted(int(k) for k in seen["to"].unique() if k >= 0))


def _log_rank_by_unit(seen: pd.DataFrame, j: int, unit: Ints, units: int) -> Floats:
    """Return what each unit adds to the log-rank score of the deals that were there: a Cox score at no effect."""
    x = np.where(seen["was_there"] == "there", 1.0, 0.0)[:, None]
    one = np.ones(len(seen))
    stratum = np.asarray(pd.factorize(seen["stratum"])[0], dtype=np.int64)
    hit = np.where(seen["to"] == j, 1, 0).astype(np.int64)
    rows = arrange(Spells(x, seen["entry"].to_numpy(), seen["exit"].to_numpy(), hit, one, one, one, stratum))
    point = evaluate(rows, np.zeros(1), "breslow")
    residuals = score_residuals(rows, point, event_means(rows, point, "breslow"))[:, 0]
    added = summed(unit[rows.order], residuals, units)
    return np.where(np.abs(added) > 1e-12, added, 0.0)


def _moves_from(stages: Stages, seen: pd.DataFrame, h: int) -> Iterator[dict[str, Any]]:
    if seen["was_there"].nunique() < 2:
        return
    outcomes = [f"to {name}" for name in stages.states]
    named = seen.assign(outcome=seen["to"].map(dict(enumerate(outcomes))).fillna("open"))
    risk = count_events(named, by=["stratum", "was_there"], outcomes=outcomes)
    for j in sorted(int(k) for k in named["to"].unique() if k >= 0):
        scores = list(logrank_scores(risk, outcome=outcomes[j], strata=["stratum"]))
        score, variance = sum(s.score for s in scores), sum(s.variance for s in scores)
        statistic, df = quadratic_form(np.asarray(score)[:-1], np.asarray(variance)[:-1, :-1])
        if df:
            yield _row((stages.states[h], stages.states[j]), statistic, df, int((named["to"] == j).sum()))


def _row(move: tuple[str, str], statistic: float, df: int, events: int, p_value: float | None = None) -> dict[str, Any]:
    from scipy.special import chdtrc

    if p_value is None:
        p_value = float(chdtrc(df, statistic)) if df else np.nan

    return {
        "from": move[0], "to": move[1], "estimate": statistic if df else np.nan, "conf_low": np.nan,
        "conf_high": np.nan, "df": df, "p_value": p_value if df else np.nan, "n_event": events,
        "no_interval_reason": NO_INTERVAL if df else "no move could be compared",
    }  # fmt: skip
