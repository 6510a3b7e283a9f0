"""Read the columns of deals that are counted, with an error that says what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analytics.records.errors import InputError

NOT_RECORDED = "not recorded"
NO_ACCOUNT = "no account, deal "


def stratum_column(values: pd.Series[Any]) -> Any:
    """Return a stratum column in which a missing text is the stratum "not recorded"."""
    if not values.isna().any():
        return values
    if isinstance(values.dtype, pd.CategoricalDtype):
        known = values.cat.add_categories([NOT_RECORDED]) if NOT_RECORDED not in values.cat.categories else values
        return known.fillna(NOT_RECORDED)
    if pd.api.types.is_string_dtype(values.dtype) or values.dtype == object:
        return values.astype(object).where(values.notna(), NOT_RECORDED)
    raise InputError("a stratum is missing", column=str(values.name), action="Fill it, or use a text column")


def category_orders(deals: Any, names: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Return the categories, in order, of the named columns that are categorical; an ibis table has none."""
    if not isinstance(deals, pd.DataFrame):
        return {}
    kept = {name: stratum_column(deals[name]) for name in names if isinstance(deals[name].dtype, pd.CategoricalDtype)}
    return {name: tuple(values.cat.categories) for name, values in kept.items()}


def account_column(deals: pd.DataFrame, cluster: str) -> Any:
    """Return the account of each deal; a deal without one is an account of its own."""
    values = deals[cluster]
    absent = values.isna()
    if not absent.any():
        return values
    if "deal_id" not in deals.columns:
        raise InputError("an account is missing and there is no deal_id", column=cluster,
                         action="Add deal_id, so that a deal without account is an account of its own")  # fmt: skip
    return values.astype(object).where(~absent, NO_ACCOUNT + deals["deal_id"].astype(str))


def day_column(values: pd.Series[Any]) -> Any:
    """Return days as whole numbers where they are whole, refusing missing ones."""
    array = values.to_numpy(dtype=float, na_value=np.nan) if values.dtype.kind not in "iu" else values.to_numpy()
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise InputError("a time is missing or infinite", column=str(values.name),
                             action="Leave such deals out by a named rule first")  # fmt: skip
        if (array == np.floor(array)).all():
            return array.astype(np.int64)
    return array


def outcome_column(values: pd.Series[Any]) -> Any:
    """Return the outcomes, refusing missing ones."""
    if values.isna().any():
        raise InputError("an outcome is missing", column="outcome", action="Say 'open' for a deal that has not ended")
    return values
