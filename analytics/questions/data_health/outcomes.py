"""How the known deals stand at the as-of date, whatever is known of the days on which they ended."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import ids_of, with_members
from analytics.estimators.rates import account_codes
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.sentences import percent
from analytics.questions.data_health.fields import proportion_row

_OUTCOMES = ("won", "lost", "no_decision", "open")
_NOTE = "unknown outcomes are shared out as the known ones are"


def outcome_shares(known_deals: pd.DataFrame) -> Estimate | Finding:
    """Where do all known deals stand, and how much could the unrecorded outcomes change that?

    Parameters
    ----------
    known_deals : pandas.DataFrame
        Deals frame, all episodes (a deal stands where its last one does); deals that ended before observation began
        belong here, because no day is needed.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (outcome,): won, lost, no_decision, open. `bound_low` (none of the unknown outcomes is
        this one), `bound_high` (all are), `estimate` (shared out in proportion to the outcomes known), `conf_low` and
        `conf_high` (lower limit of the lower bound, upper limit of the upper); `n_event` (known ones), `n_unknown`,
        `n_risk` (all deals), `n_accounts`, `note` (the bounds in words). A Finding without deals,
        and where no closed deal has a known outcome.

    Notes
    -----
    A share at one date, not an incidence: it depends on how many old deals the records hold. An unknown outcome is
    never counted as lost. The proportional estimate holds only if the unknown ended like the known; the bounds always
    hold (Manski 2003, Partial Identification of Probability Distributions, ch. 2; limits after Horowitz & Manski 2000,
    JASA 95:77). Without unknown outcomes the bounds are the estimate. Wilson limits, clustered by account where known.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abcd"), "episode": 1, "account_id": list("wxyz"),
    ...                       "outcome": ["won", "lost", "unknown", "won"]})
    >>> outcome_shares(deals).at(outcome="won")[["bound_low", "estimate", "bound_high"]].round(3).values.tolist()
    [[0.5, 0.667, 0.75]]
    """
    name = "outcome_shares"
    if not len(known_deals):
        return Finding(name, "There are no deals whose outcomes could be counted.", "", "not studied")
    deals = known_deals.sort_values(["deal_id", "episode"]).drop_duplicates("deal_id", keep="last")
    counts = deals["outcome"].value_counts()
    unknown, ended = int(counts.get("unknown", 0)), int(counts.drop(["unknown", "open"], errors="ignore").sum())
    if unknown and not ended:
        said = f"{unknown:,} of {len(deals):,} deals closed with an unknown outcome, the others are open."
        return Finding(
            name, "How deals ended is not known: no closed deal has a recorded outcome.", said, "not studied"
        )
    accounts = deals["account_id"] if bool(deals["account_id"].notna().any()) else None
    rows = [_row(deals["outcome"], outcome, accounts, ended) for outcome in _OUTCOMES]
    meta = Meta(
        kind="probability", estimand="share of all known deals that stand so at the as-of date", keys=("outcome",),
        n_deals=len(deals), n_accounts=None if accounts is None else account_codes(accounts)[1], interval="Wilson",
        variance="binomial" if accounts is None else "between accounts",
        cluster=None if accounts is None else "account_id", note=_NOTE if unknown else "",
    )  # fmt: skip
    return with_members(Estimate(pd.DataFrame(rows), meta), lambda row: _members(deals, row["outcome"]))


def _members(deals: pd.DataFrame, outcome: str) -> dict[str, list[object]]:
    unknown = ids_of(deals[deals["outcome"] == "unknown"]) if outcome != "open" else []
    return {"n_event": ids_of(deals[deals["outcome"] == outcome]), "n_risk": ids_of(deals), "n_unknown": unknown}


def _row(outcomes: pd.Series, outcome: str, accounts: pd.Series | None, ended: int) -> dict[str, object]:
    """Count one outcome with none, and with all, of the unknown ones; what is open cannot be one of them."""
    unknown = (outcomes == "unknown") & (outcome != "open")
    low = proportion_row(outcomes == outcome, accounts)
    row = {"outcome": outcome, **low, "n_unknown": int(unknown.sum()), "note": ""}
    if not unknown.any():
        return {**row, "bound_low": low["estimate"], "bound_high": low["estimate"]}
    high = proportion_row((outcomes == outcome) | unknown, accounts)
    share = low["n_event"] / ended
    middle = low["estimate"] + share * float(unknown.mean())
    # the width of the bounds is no sampling error, so there is no standard error to give
    none, every = percent(low["estimate"]), percent(high["estimate"])
    note = f"{none} if none of the {row['n_unknown']:,} unknown outcomes is this one, {every} if all are; {_NOTE}"
    limits = {"conf_high": high["conf_high"], "bound_low": low["estimate"], "bound_high": high["estimate"]}
    return {**row, "estimate": middle, "std_error": np.nan, **limits, "note": note}
