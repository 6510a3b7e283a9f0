"""Every date on which a deal was said to close: when it was said, which date, after how many pushes."""

from __future__ import annotations

import pandas as pd

from analytics.questions.pipeline_changes.pipeline import Pipeline
from analytics.records.positions import numbered


def dates_stated(pipeline: Pipeline) -> pd.DataFrame:
    """Which dates were stated for each deal, in order?

    Parameters
    ----------
    pipeline : Pipeline
        From `pipeline_between`.

    Returns
    -------
    pandas.DataFrame
        One row per deal, stretch of being open and change of its expected close date (the first one included):
        `deal_id`, `account_id`, `span`, `on` (day on which it was said), `expected`, `moved_days` (later than the date
        before; NaN for the first), `pushes` (moves to a later date so far, this one included), `was` (the date before).

    Examples
    --------
    >>> import datetime as dt
    >>> from analytics.questions.pipeline_changes.pipeline import pipeline_between
    >>> from analytics.records.calendar import Quarter
    >>> from analytics.records.contract import History
    >>> from analytics.records.definitions import Definitions
    >>> from analytics.records.rules import OutcomeRules
    >>> day = dt.date
    >>> rows = {"deal_id": ["A", "A"], "recorded_on": [day(2025, 1, 10), day(2025, 2, 3)], "sequence": [0, 1],
    ...         "status": ["open", "open"], "opened_on": [day(2025, 1, 8)] * 2,
    ...         "expected_close_on": [day(2025, 3, 31), day(2025, 6, 30)]}
    >>> pipeline = pipeline_between(History(table=pd.DataFrame(rows)), pd.DataFrame({"deal_id": ["A"]}),
    ...     Quarter("2025Q1", day(2025, 1, 1), day(2025, 3, 31)), as_of=day(2025, 4, 30), definitions=Definitions(),
    ...     rules=OutcomeRules())
    >>> dates_stated(pipeline)[["moved_days", "pushes"]].values.tolist()
    [[nan, 0.0], [91.0, 1.0]]
    """
    rows = numbered(pipeline.places)
    rows = rows[rows["is_open"] & rows["expected_close_on"].notna()]
    stretch = [rows["deal_id"], rows["span"]]
    was = rows.groupby(stretch, sort=False)["expected_close_on"].shift()
    said = rows[was.isna() | (rows["expected_close_on"] != was)]
    was = was[said.index]
    moved = (said["expected_close_on"] - was).dt.days.astype(float)
    pushes = (moved > 0).groupby([said["deal_id"], said["span"]], sort=False).cumsum()
    found = said[["deal_id", "account_id", "span", "on"]].assign(
        expected=said["expected_close_on"], moved_days=moved, pushes=pushes.astype("int64"), was=was
    )
    return found.reset_index(drop=True)
