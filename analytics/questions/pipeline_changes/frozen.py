"""The same quarter twice: what we said then, and what we know now."""

from __future__ import annotations

import pandas as pd

from analytics.estimators.cell_deals import with_deals
from analytics.estimators.lacking import lacking
from analytics.estimators.result import Finding, Listing
from analytics.estimators.sentences import day
from analytics.questions.pipeline_changes.pipeline import Border, Pipeline, moves
from analytics.questions.pipeline_changes.waterfall import GROUPS, LINES, waterfall

COLUMNS = [
    "line", "label", "group", "deals", "then_deals", "now_deals", "then_amount", "now_amount", "difference_amount",
    "currency",
]  # fmt: skip


def then_and_now(frozen: Pipeline, restated: Pipeline, *, border: Border | None = None) -> Listing | Finding:
    """Line by line, what did the quarter's pipeline look like as it was known then, and what does it look like now?

    Parameters
    ----------
    frozen, restated : Pipeline
        Of the same quarter, with `view="frozen"` and `view="restated"`.
    border : {"quarter", "whole"}, optional
        As for `waterfall`; by default the quarter's pipeline where expected dates are recorded, else all open deals.

    Returns
    -------
    Listing or Finding
        line, label, group, deals (counted differently: in the line then or now and not both, or with another worth),
        then_deals, now_deals, then_amount, now_amount, difference_amount (now less then), currency. Both columns add
        up to the cent on their own; exact, no interval.

    Notes
    -----
    What differs was recorded late: openings, closings, deletions. Amounts and expected dates carry no other day than
    that of their recording, so they cannot be restated.

    Examples
    --------
    >>> from analytics.questions.pipeline_changes.example import one_deal
    >>> pipeline = one_deal("won")
    >>> restated = one_deal("won", view="restated")
    >>> then_and_now(pipeline, restated).frame[["line", "then_deals", "now_deals"]].values.tolist()
    [['start', 1, 1], ['raised', 1, 1], ['won', 1, 1], ['end', 0, 0]]
    """
    name = "then_and_now"
    if frozen.history.kind == "current_only":
        return lacking(name, "the quarter as it was known then beside what is known now", "history")
    border = border or ("whole" if frozen.lacks else "quarter")
    tables = [waterfall(one, border=border, name=name) for one in (frozen, restated)]
    for table in tables:
        if isinstance(table, Finding):
            return table
    frames = [_compared(frozen, restated, border, currency) for currency in frozen.currencies]
    which = "all open deals" if border == "whole" else "expected to close in it"
    known = f"as known on each day, and as known on {day(restated.as_of)}"
    title = f"Pipeline of {frozen.quarter.name} ({which}) {known}: exact counts"
    frame = pd.concat(frames, ignore_index=True)
    members = {name: frame[f"{name}_ids"].tolist() for name in ("deals", "then_deals", "now_deals")}
    return with_deals(Listing(frame[COLUMNS], title), **members)


def _compared(frozen: Pipeline, restated: Pipeline, border: Border, currency: str) -> pd.DataFrame:
    then, now = (moves(one, border=border, currency=currency) for one in (frozen, restated))
    sums = [found.groupby(["line", "deal_id"])["cents"].sum() for found in (then, now)]
    both = pd.concat(sums, axis=1, keys=["then", "now"])
    rows = []
    for line, (group, label) in LINES.items():
        mine = both.loc[[line]] if line in both.index.get_level_values("line") else both.iloc[:0]
        if not len(mine) and line not in ("start", "end"):
            continue
        differ = mine["then"].isna() | mine["now"].isna() | (mine["then"] != mine["now"])
        money = [sum(mine[side].dropna().astype("int64").tolist()) for side in ("then", "now")]
        known, ids = frozen.has_amounts, mine.index.get_level_values("deal_id")
        rows.append({
            "deals_ids": ids[differ].tolist(), "then_deals_ids": ids[mine["then"].notna()].tolist(),
            "now_deals_ids": ids[mine["now"].notna()].tolist(),
            "line": line, "label": label, "group": GROUPS[group], "deals": int(differ.sum()),
            "then_deals": int(mine["then"].notna().sum()), "now_deals": int(mine["now"].notna().sum()),
            "then_amount": money[0] / 100 if known else float("nan"),
            "now_amount": money[1] / 100 if known else float("nan"),
            "difference_amount": (money[1] - money[0]) / 100 if known else float("nan"), "currency": currency or None,
        })  # fmt: skip
    return pd.DataFrame(rows)
