"""The columns by which deals are split: those asked for, the owner, and bands of what is counted in numbers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.decomposition import level_of
from analytics.estimators.result import Finding
from analytics.estimators.sentences import money
from analytics.records.contract import History
from analytics.records.errors import InputError, nearest
from analytics.records.leakage import refuse_leaky
from analytics.records.lives import states_known

Floats = npt.NDArray[np.float64]
OWNER, SIZE = "owner_id", "size"
BANDS = 4
FEWEST_VALUES = 12
"""A column of more different numbers than this is cut into bands."""
MOSTLY = 0.9


@dataclass(frozen=True, eq=False)
class Split:
    """Deals whose segments are texts, the segments that can be used, and what was refused, in words.

    `deals` has a column per name in `by`: numbers cut into bands at `edges`, what is missing called "not recorded".
    """

    deals: pd.DataFrame
    by: tuple[str, ...]
    refused: tuple[Finding, ...] = ()
    edges: Mapping[str, Floats] = field(default_factory=dict)
    amounts: pd.Series[float] | None = None


def opening_amounts(history: History, as_of: dt.date) -> pd.Series[float] | None:
    """What was the amount of each deal when it was first recorded?

    Parameters
    ----------
    history : History
        What was recorded, and when.
    as_of : datetime.date
        Only what was known at the end of this day exists.

    Returns
    -------
    pandas.Series or None
        Amount in its own currency by deal_id, missing where the deal was first recorded closed or had none or 0. None
        where the source keeps only today's state, which may have been written at the close, or has no amounts.

    Examples
    --------
    >>> day = dt.date(2025, 1, 10)
    >>> rows = {"deal_id": ["A", "A"], "recorded_on": [day, dt.date(2025, 2, 3)], "sequence": [0, 1],
    ...         "status": ["open", "closed_lost"], "opened_on": [day] * 2, "amount": [500.0, 0.0]}
    >>> opening_amounts(History(table=pd.DataFrame(rows)), dt.date(2025, 3, 1)).to_dict()
    {'A': 500.0}
    """
    if history.kind != "recorded" or "amount" not in history.table.columns:
        return None
    first = states_known(history, as_of, ["amount"]).drop_duplicates("deal_id").set_index("deal_id")
    amount = pd.to_numeric(first["amount"], errors="coerce").astype(float)
    amount = amount.where((first["status"] == "open") & (amount > 0))
    return amount if amount.notna().any() else None


def split_by(
    deals: pd.DataFrame, by: Sequence[str], *, leaky: pd.DataFrame | None = None,
    read_at: Mapping[str, str] | None = None, amounts: pd.Series[float] | None = None,
) -> Split:  # fmt: skip
    """By which columns can these deals be split, and into which levels?

    Parameters
    ----------
    deals : pandas.DataFrame
        Deals frame, first episodes; segments and `owner_id` as of the opening.
    by : sequence of str
        Columns asked for; the owner is added where it is known.
    leaky : pandas.DataFrame, optional
        From `study.leaky_fields`: a field that says how a deal ended splits nothing, and a Finding says so.
    read_at : mapping of str to str, optional
        When the value of a column is read (`attributes_at`).
    amounts : pandas.Series, optional
        From `opening_amounts`: adds the segment "size".

    Returns
    -------
    Split
        Numbers with more than 12 different values are cut at their quartiles over all these deals, so that a band means
        the same in every quarter.

    Raises
    ------
    InputError
        Where a column asked for does not exist.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abcd"), "region": ["N", "S", None, "N"], "owner_id": list("xyxy")})
    >>> split = split_by(deals, ["region"])
    >>> split.by, split.deals["region"].tolist()
    (('region', 'owner_id'), ['N', 'S', 'not recorded', 'N'])
    """
    frame, refused, kept, edges = deals.copy(), [], [], {}
    names = list(dict.fromkeys(by))
    if OWNER in frame and OWNER not in names and frame[OWNER].notna().any():
        names.append(OWNER)
    if amounts is not None and SIZE not in frame:
        frame[SIZE] = in_one_currency(frame, amounts)
        names.append(SIZE)
    for name in names:
        if name not in frame.columns:
            raise InputError(f"the deals have no segment {name!r}", action=nearest(name, frame.columns))
        said = _refusal("amount" if name == SIZE else name, leaky, read_at)
        if name != OWNER and (cut := band_edges(frame[name])) is not None:
            edges[name] = cut
        frame[name] = in_bands(frame, name, edges.get(name))
        if said is None and frame[name].nunique() < 2:
            said = _one_value(name, len(frame))
        if said is None:
            kept.append(name)
        else:
            refused.append(said)
    return Split(frame, tuple(kept), tuple(refused), edges, amounts)


def split_like(split: Split, deals: pd.DataFrame) -> Split:
    """Split other deals in the same way, by the same bands: those of an earlier quarter, as they were known then.

    Parameters
    ----------
    split : Split
        From `split_by`.
    deals : pandas.DataFrame
        Deals frame.

    Returns
    -------
    Split

    Examples
    --------
    >>> split = split_by(pd.DataFrame({"deal_id": range(20), "score": range(1, 21)}), ["score"])
    >>> split_like(split, pd.DataFrame({"deal_id": [0, 1], "score": [2, 90]})).deals["score"].tolist()
    ['1: up to 5.75', '4: above 15.25']
    """
    frame = deals.copy()
    if split.amounts is not None and SIZE in split.by:
        frame[SIZE] = in_one_currency(frame, split.amounts)
    for name in split.by:
        frame[name] = in_bands(frame, name, split.edges.get(name))
    return Split(frame, split.by, split.refused, split.edges, split.amounts)


def _refusal(name: str, leaky: pd.DataFrame | None, read_at: Mapping[str, str] | None) -> Finding | None:
    if leaky is None or not len(leaky):
        return None
    try:
        refuse_leaky([name], leaky, read_at=read_at)
    except InputError as refusal:
        headline = f"Deals are not split by {words_of(name)}: it says how a deal ended."
        return Finding(f"not_split_by_{name}", headline, str(refusal), "not studied")
    return None


def _one_value(name: str, n: int) -> Finding:
    headline = f"All deals have the same {words_of(name)}, so there is nothing to compare."
    return Finding(f"not_split_by_{name}", headline, f"{n:,} deals.", "not studied")


def words_of(segment: str) -> str:
    """Write the name of a segment as a reader says it.

    Examples
    --------
    >>> words_of("owner_id"), words_of("fit_score"), words_of("size")
    ('owner', 'fit score', 'size at opening')
    """
    return {OWNER: "owner", SIZE: "size at opening"}.get(segment, segment.replace("_", " "))


def in_one_currency(deals: pd.DataFrame, amounts: pd.Series[float]) -> pd.Series[float]:
    """Convert amounts at opening by the rates that turned the deals' own amounts into the report's currency.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["a", "b"], "amount": [108.0, 50.0], "amount_original": [100.0, 50.0],
    ...                       "currency_original": ["EUR", "USD"]})
    >>> in_one_currency(deals, pd.Series({"a": 200.0, "b": 70.0})).tolist()
    [216.0, 70.0]
    """
    own = deals["deal_id"].map(amounts).astype(float)
    if not {"amount", "amount_original", "currency_original"} <= set(deals.columns):
        return own
    usable = deals["amount"].notna() & (deals["amount_original"] > 0)
    currency = deals["currency_original"].astype(object).fillna("")
    rate = (deals["amount"] / deals["amount_original"].where(usable)).groupby(currency).median()
    return own * currency.map(rate).astype(float)


def band_edges(values: pd.Series[Any]) -> Floats | None:
    """Give the quartiles at which a column of many numbers is cut; None where it is no such column.

    Examples
    --------
    >>> band_edges(pd.Series([*range(1, 21)])).tolist(), band_edges(pd.Series(["a", "b"])) is None
    ([5.75, 10.5, 15.25], True)
    """
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    numbers = numbers.where(np.isfinite(numbers))
    filled = int(values.notna().sum())
    if not filled or numbers.notna().sum() < MOSTLY * filled or numbers.nunique() <= FEWEST_VALUES:
        return None
    edges = np.unique(np.quantile(numbers.dropna(), np.arange(1, BANDS) / BANDS))
    return np.asarray(edges[edges < numbers.max()], dtype=float)


def in_bands(deals: pd.DataFrame, name: str, edges: Floats | None) -> pd.Series[str]:
    """Give the band of each deal by name, or its level as a text where there are no edges.

    Examples
    --------
    >>> in_bands(pd.DataFrame({"score": [3, None, 20.0]}), "score", np.array([5.0, 15.0])).tolist()
    ['1: up to 5', 'not recorded', '3: above 15']
    """
    if edges is None:
        return level_of(deals, name)
    numbers = pd.to_numeric(deals[name], errors="coerce").astype(float)
    names = _names(edges)
    text = [names[place] for place in np.searchsorted(edges, numbers.to_numpy(dtype=float), side="left")]
    band = pd.Series(text, index=deals.index, dtype=object).where(numbers.notna(), None)
    return level_of(pd.DataFrame({name: band}), name)


def _names(edges: Floats) -> list[str]:
    shown = [_edge(float(edge)) for edge in edges]
    if not shown:
        return ["1: all"]
    between = [f"{place + 1}: to {shown[place]}" for place in range(1, len(shown))]
    return [f"1: up to {shown[0]}", *between, f"{len(shown) + 1}: above {shown[-1]}"]


def _edge(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1000 else money(value, None)
