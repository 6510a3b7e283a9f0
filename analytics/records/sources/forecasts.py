"""What a CRM forecasts of a deal, under one name and on one scale: forecast category and probability."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.sources.objects import plain_name

CATEGORIES: dict[str, str] = {
    "omitted": "omitted", "omit": "omitted", "excluded": "omitted",
    "pipeline": "pipeline",
    "bestcase": "best_case", "upside": "best_case",
    "mostlikely": "most_likely",
    "commit": "commit", "committed": "commit", "forecast": "commit",
    "closed": "closed", "won": "closed", "closedwon": "closed",
}  # fmt: skip
"""A CRM's word (lower case, letters and digits only) -> the one name; Salesforce's API says Forecast for Commit."""


def forecast_categories(texts: pd.Series, more: Mapping[str, str] | None = None) -> tuple[pd.Series, Noticed]:
    """Bring forecast categories to the names of the contract.

    Parameters
    ----------
    texts : pandas.Series
        As the CRM writes them; missing as None.
    more : mapping of str to str, optional
        Further words of one CRM (option numbers, say) -> name.

    Returns
    -------
    (pandas.Series, Noticed)
        `FORECAST_CATEGORIES` or None; and how many rows have a word that is none of them (left empty).

    Examples
    --------
    >>> named, seen = forecast_categories(pd.Series(["Forecast", "Best Case", None, "Maybe"], dtype=object))
    >>> named.tolist(), seen.found
    (['commit', 'best_case', None, None], 1)
    """
    known = {**CATEGORIES, **{plain_name(word): name for word, name in (more or {}).items()}}
    named = pd.Series(
        [None if text is None else known.get(plain_name(str(text))) for text in texts], index=texts.index, dtype=object
    )
    said = texts.notna()
    strange = int((said & named.isna()).sum())
    what = "forecast category that no rule names"
    return named, Noticed(12, what, strange, int(said.sum()), "rows", "left empty; Forecast and Commit are one")


def probabilities(values: pd.Series) -> tuple[pd.Series, Noticed, Noticed]:
    """Bring a column of probabilities to the scale from 0 to 1.

    The column decides as a whole: where any value is above 1 it is in percent. A column that holds nothing but 0 and 1
    is taken as shares, which is right for both scales of a closed deal.

    Parameters
    ----------
    values : pandas.Series
        float64, on either scale.

    Returns
    -------
    (pandas.Series, Noticed, Noticed)
        Shares, NaN where the value lies outside the scale; how many rows are in percent, and how many lay outside.

    Examples
    --------
    >>> shares, percent, outside = probabilities(pd.Series([10.0, 100.0, 1000.0, float("nan")]))
    >>> shares.tolist(), percent.found, outside.found
    ([0.1, 1.0, nan, nan], 3, 1)
    """
    said = values.notna()
    in_percent = bool((values > 1).any())
    shares = values / 100 if in_percent else values
    outside = said & ~shares.between(0, 1)
    scale = Noticed(
        11, "probability in percent", int(said.sum()) if in_percent else 0, int(said.sum()), "rows", "divided by 100"
    )
    beyond = Noticed(
        11, "probability outside its scale", int(outside.sum()), int(said.sum()), "rows", "left empty, the row is kept"
    )
    return shares.where(~outside), scale, beyond
