"""Pushed close dates: how often, how far, early in the quarter or late, and what became of what was said."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import ids_of, members_apart, with_deals
from analytics.estimators.lacking import lacking
from analytics.estimators.rates import clustered_proportion, known_accounts
from analytics.estimators.result import Estimate, Finding, Listing, Meta
from analytics.estimators.watched import has_accounts
from analytics.questions.pipeline_changes.pipeline import Pipeline, left_on
from analytics.questions.pipeline_changes.statements import dates_stated

MOST = 5
KINDS = {
    "within": "within the quarter",
    "pushed_out": "out of the quarter, early",
    "slipped": "out of the quarter, late (slipped)",
    "beyond": "of a date that was not in the quarter",
    "all": "all pushes",
}
BECAME = {
    "won": "won in the quarter",
    "lost": "lost in the quarter",
    "no_decision": "no decision in the quarter",
    "unknown": "closed in the quarter, outcome not recorded",
    "removed": "merged or deleted",
    "pushed_out": "pushed out early",
    "slipped": "slipped: pushed out late",
    "dated_out": "expected earlier now, or no date left",
    "open": "still open, and still expected by its end",
}
FIXED = ("won", "lost", "no_decision", "pushed_out", "slipped", "open")


def pushes_per_deal(pipeline: Pipeline) -> Listing | Finding:
    """How often have the deals of the window been pushed: since they were opened, and in the window alone?

    Parameters
    ----------
    pipeline : Pipeline
        From `pipeline_between`.

    Returns
    -------
    Listing or Finding
        group (since the opening; in the quarter), label (never, once, … "5 times or more"), deals: the deals
        open at some time in the window, exact counts. A Finding where no change of an expected date is recorded.

    Examples
    --------
    >>> from analytics.questions.pipeline_changes.example import one_deal
    >>> pipeline = one_deal("pushed")
    >>> pushes_per_deal(pipeline).frame.query("deals > 0").values.tolist()
    [['since the opening', 'once', 1], ['in the quarter', 'once', 1]]
    """
    if pipeline.lacks:
        return lacking("pushes_per_deal", "how often close dates are pushed", *pipeline.lacks)
    said = dates_stated(pipeline)
    said = said[said["on"] <= pd.Timestamp(pipeline.end)]
    pushed = said[said["moved_days"] > 0]
    in_window = pushed[pushed["on"] > pd.Timestamp(pipeline.start)]
    deals = pipeline.spans["deal_id"].unique()
    rows = []
    for group, found in (("since the opening", pushed), ("in the quarter", in_window)):
        times = found.groupby("deal_id").size().reindex(deals, fill_value=0).clip(upper=MOST)
        for pushes in range(MOST + 1):
            rows.append((group, _times(pushes), times.index[times == pushes].tolist()))
    frame = pd.DataFrame([(group, label, len(ids)) for group, label, ids in rows], columns=["group", "label", "deals"])
    listing = Listing(frame, f"How often deals open in {pipeline.quarter.name} were pushed to a later date")
    return with_deals(listing, deals=[ids for _, _, ids in rows])


def _times(pushes: int) -> str:
    return (
        ("never", "once", "twice")[pushes] if pushes < 3 else f"{pushes} times" + (" or more" if pushes == MOST else "")
    )


def push_distances(pipeline: Pipeline) -> Listing | Finding:
    """How far were dates pushed in the window, and from where: within the quarter, out of it early, out of it late?

    Parameters
    ----------
    pipeline : Pipeline
        From `pipeline_between`.

    Returns
    -------
    Listing or Finding
        kind, label, deals, pushes, lower_quartile_days, median_days, upper_quartile_days: of all pushes recorded in the
        window, exact. A Finding where none is.

    Examples
    --------
    >>> from analytics.questions.pipeline_changes.example import one_deal
    >>> pipeline = one_deal("pushed")
    >>> push_distances(pipeline).frame[["label", "pushes", "median_days"]].values.tolist()
    [['within the quarter', 1, 31.0], ['all pushes', 1, 31.0]]
    """
    if pipeline.lacks:
        return lacking("push_distances", "how far close dates are pushed", *pipeline.lacks)
    said = dates_stated(pipeline)
    first, last = pd.Timestamp(pipeline.start), pd.Timestamp(pipeline.end)
    pushed = said[(said["moved_days"] > 0) & (said["on"] > first) & (said["on"] <= last)]
    if not len(pushed):
        said_so = f"No expected close date was pushed in {pipeline.quarter.name}."
        return Finding("push_distances", said_so, "", "described")
    was, is_ = pipeline.inside(pushed["was"]), pipeline.inside(pushed["expected"])
    late = (pushed["on"] > pd.Timestamp(pipeline.quarter.end) - pd.Timedelta(days=pipeline.late_days)).to_numpy()
    kind = np.where(was & is_, "within", np.where(was, np.where(late, "slipped", "pushed_out"), "beyond"))
    rows, members = [], []
    for name, label in KINDS.items():
        mine = pushed if name == "all" else pushed[kind == name]
        if len(mine):
            low, middle, high = np.quantile(mine["moved_days"], [0.25, 0.5, 0.75])
            members.append(mine["deal_id"].unique().tolist())
            rows.append((name, label, len(members[-1]), len(mine), low, middle, high))
    columns = ["kind", "label", "deals", "pushes", "lower_quartile_days", "median_days", "upper_quartile_days"]
    frame = pd.DataFrame(rows, columns=columns)
    return with_deals(Listing(frame, f"How far dates were pushed in {pipeline.quarter.name}"), deals=members)


def what_became(pipeline: Pipeline, *, conf_level: float = 0.95) -> Estimate | Finding:
    """Of the deals said at the start to close in the quarter, how many did, and what became of the others?

    Parameters
    ----------
    pipeline : Pipeline
        From `pipeline_between`; its end should be the quarter's.
    conf_level : float
        Of the intervals.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (outcome,): won, lost, no_decision, pushed_out (before the last days), slipped (in them),
        open (still expected by the quarter's end, so past due from the next day); estimate, n_event, n_risk,
        n_accounts, label. Shares of all these deals, account-clustered; they add up to 1. A Finding where there are no
        such deals.

    Notes
    -----
    The interval is for deals like these in quarters like this one; of the deals themselves the counts are exact.

    Examples
    --------
    >>> from analytics.questions.pipeline_changes.example import one_deal
    >>> pipeline = one_deal("pushed")
    >>> what_became(pipeline).frame.query("n_event > 0")[["outcome", "estimate"]].values.tolist()
    [['open', 1.0]]
    """
    if pipeline.lacks:
        return lacking("what_became", "what became of the deals said to close in the quarter", *pipeline.lacks)
    spans = pipeline.spans
    mine = spans[(spans["entry"] == "start") & pipeline.inside(spans["then_expected_close_on"])]
    if not len(mine):
        said = f"No open deal was expected to close in {pipeline.quarter.name} at its start."
        return Finding("what_became", said, "", "not studied")
    became = _became(pipeline, mine)
    cluster = mine["account_id"] if has_accounts(mine) else None
    rows = []
    for outcome, label in BECAME.items():
        hits = (became == outcome).to_numpy(dtype=float)
        if outcome in FIXED or hits.any():
            found = clustered_proportion(hits, cluster=cluster, conf_level=conf_level)
            members = {"n_event": ids_of(mine[hits == 1]), "n_risk": ids_of(mine), "n_deals": ids_of(mine)}
            row = {"outcome": outcome, "label": label, **found._asdict(), "n_event": int(hits.sum())}
            rows.append({**row, "members": members})
    accounts = known_accounts(mine["account_id"]) if cluster is not None else None
    plain, lists = members_apart(rows)
    frame = pd.DataFrame(plain).assign(n_risk=len(mine), n_deals=len(mine), n_accounts=accounts)
    cut = "" if pipeline.end >= pipeline.quarter.end else f"The quarter is not over: as of {pipeline.end}."
    meta = Meta(
        kind="probability", keys=("outcome",), n_deals=len(mine), n_accounts=accounts, conf_level=conf_level,
        estimand=f"of the deals open at the start of {pipeline.quarter.name} and expected to close in it, the share "
        f"with each fate by its end; pushed out in the last {pipeline.late_days} days is slipped",
        interval="Wilson", cluster="account_id" if cluster is not None else None, note=cut,
    )  # fmt: skip
    return with_deals(Estimate(frame, meta), **lists)


def _became(pipeline: Pipeline, mine: pd.DataFrame) -> pd.Series:
    after = pd.Timestamp(pipeline.quarter.end)
    late = left_on(pipeline)[mine.index] > after - pd.Timedelta(days=pipeline.late_days)
    expected = mine["now_expected_close_on"]
    out = np.where(expected > after, np.where(late, "slipped", "pushed_out"), "dated_out")
    still = np.where(pipeline.inside(expected), "open", out)
    return pd.Series(np.where(mine["exit"] == "end", still, mine["exit"]), index=mine.index)
