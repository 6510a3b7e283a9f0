"""A pipeline of one deal, for the examples of this package."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import pandas as pd

from analytics.questions.pipeline_changes.pipeline import Pipeline, pipeline_between
from analytics.records.calendar import Quarter
from analytics.records.contract import History
from analytics.records.definitions import Definitions
from analytics.records.positions import View
from analytics.records.rules import OutcomeRules

AS_OF = dt.date(2025, 4, 30)


def one_deal(became: Literal["pushed", "won"], *, view: View = "frozen") -> Pipeline:
    """Return the first quarter of 2025 with one deal of 5, opened in December and expected to close on 28 February.

    On 3 February its amount is raised to 6; that day it is pushed to the end of March, or won.

    Examples
    --------
    >>> one_deal("pushed").quarter.name
    '2025Q1'
    """
    day = dt.date
    later = day(2025, 3, 31) if became == "pushed" else day(2025, 2, 28)
    rows = {
        "deal_id": ["A", "A"], "recorded_on": [day(2024, 12, 10), day(2025, 2, 3)], "sequence": [0, 1],
        "status": ["open", "open" if became == "pushed" else "closed_won"], "opened_on": [day(2024, 12, 8)] * 2,
        "amount": [5.0, 6.0], "expected_close_on": [day(2025, 2, 28), later],
        "forecast_category": ["pipeline", "commit"],
    }  # fmt: skip
    return pipeline_between(
        History(table=pd.DataFrame(rows)), pd.DataFrame({"deal_id": ["A"]}),
        Quarter("2025Q1", day(2025, 1, 1), day(2025, 3, 31)),
        as_of=AS_OF, definitions=Definitions(), rules=OutcomeRules(), view=view,
    )  # fmt: skip
