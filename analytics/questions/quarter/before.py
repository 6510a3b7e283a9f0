"""The curve of the quarter before, cut where this quarter's is cut, so that the two can lie in one picture."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pandas as pd

from analytics.estimators.period_incidence import period_incidence
from analytics.estimators.result import Estimate, Finding
from analytics.estimators.watched import last_day_of, not_studied
from analytics.records.calendar import Quarter


def incidence_before(
    quarter: Quarter, *, as_known: Mapping[Quarter, pd.DataFrame], settled_on: dt.date, horizon_days: int
) -> Estimate | Finding:
    """Where would deals have ended up at the pace of the first quarter that this one is compared with?

    Parameters
    ----------
    quarter : Quarter
        The quarter under study.
    as_known : mapping of Quarter to frame
        For each earlier quarter the Deals frame as known at the same lag after its end; the first one is used.
    settled_on : datetime.date
        Up to this day the quarter under study is settled; the earlier one is cut as many days before its end.
    horizon_days : int
        The curves' last age.

    Returns
    -------
    Estimate or Finding
        As `period_incidence`; a Finding where there is no earlier quarter, or nothing settled in this one.

    Examples
    --------
    >>> now = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> incidence_before(now, as_known={}, settled_on=now.end, horizon_days=365).verdict
    'not studied'
    """
    other, known = next(iter(as_known.items()), (quarter, None))
    cut = last_day_of(other, quarter, settled_on)
    if known is None or cut is None:
        why = "nothing in it is settled yet" if cut is None else "there is no earlier quarter to compare with"
        return not_studied("incidence_before", f"{quarter.name} cannot be laid over an earlier quarter: {why}.")
    return period_incidence(known, other, settled_on=cut, horizon_days=horizon_days)
