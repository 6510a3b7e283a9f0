"""How complete each field is, by outcome, and what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analytics.estimators.cell_deals import ids_of, members_apart, with_deals
from analytics.estimators.rates import Column, account_codes, clustered_proportion
from analytics.estimators.result import Estimate, Finding, Listing, Meta
from analytics.estimators.watched import has_accounts
from analytics.records.contract import DEALS_COLUMNS
from analytics.records.private import ID_COLUMNS, is_free_text, is_name_like

FIELDS = {
    "account_id": "account", "owner_id": "owner", "source": "source", "stage": "stage", "amount": "amount above 0",
    "expected_close_on": "expected close date", "qualified_on": "qualification date", "reason": "reason",
}  # fmt: skip
OUTCOME_ORDER = ("all", "won", "lost", "no_decision", "unknown", "open")


def completeness(deals: pd.DataFrame, fields: Sequence[str] | None = None) -> Estimate | Finding:
    """In what share of deals is each field filled, by outcome?

    Parameters
    ----------
    deals : pandas.DataFrame
        Deals frame as of the study's date.
    fields : sequence of str, optional
        Columns; by default the usual ones and every declared attribute.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (field, outcome) with outcome "all" first; `label`, `n_event` (filled), `n_risk` (deals),
        `n_accounts`. An amount of 0 counts as not filled.

    Notes
    -----
    A field filled for won deals only (a reason, an amount) is filled because of the outcome: it explains nothing.
    Clustered Wilson limits.

    Examples
    --------
    >>> deals = pd.DataFrame({"account_id": ["a", "b", None], "amount": [5.0, 0, 2], "outcome": ["won", "lost", "won"]})
    >>> filled = completeness(deals)
    >>> filled.at(field="amount", outcome="won")["estimate"].tolist()
    [1.0]
    """
    if not len(deals):
        return Finding("completeness", "There are no deals whose fields could be checked.", "", "not studied")
    known = has_accounts(deals)
    rows = []
    for field, label in _fields(deals, fields).items():
        filled = _filled(deals, field)
        for outcome in OUTCOME_ORDER:
            inside = deals["outcome"].notna() if outcome == "all" else deals["outcome"] == outcome
            if inside.any():
                # whether the account is filled cannot be clustered by account
                cluster = deals.loc[inside, "account_id"] if known and field != "account_id" else None
                row = proportion_row(filled[inside], cluster)
                members = {"n_event": ids_of(deals[inside & filled]), "n_risk": ids_of(deals[inside])}
                rows.append({"field": field, "outcome": outcome, "label": label, **row, "members": members})
    rows, lists = members_apart(rows)
    meta = Meta(
        kind="probability", estimand="share of deals in which the field is filled", keys=("field", "outcome"),
        n_deals=len(deals), n_accounts=account_codes(deals["account_id"])[1] if known else None, interval="Wilson",
        variance="between accounts" if known else "binomial", cluster="account_id" if known else None,
    )  # fmt: skip
    return with_deals(Estimate(pd.DataFrame(rows), meta), **lists)


def field_counts(deals: pd.DataFrame, fields: Sequence[str] | None = None) -> Listing:
    """How many deals have each field, and what is in it?

    Parameters
    ----------
    deals : pandas.DataFrame
        Deals frame.
    fields : sequence of str, optional
        As for `completeness`.

    Returns
    -------
    Listing
        field, label, deals, filled, missing, distinct, most_common (empty where every value is different, for ids, and
        for what people typed: who and what they wrote is nobody's business here).

    Examples
    --------
    >>> field_counts(pd.DataFrame({"source": ["web", "web", None], "outcome": "won"})).frame["most_common"].tolist()
    ['web (2)']
    >>> field_counts(pd.DataFrame({"source": ["web", "fair", "web", "fair"], "outcome": "won"})).frame["most_common"][0]
    'fair (2)'
    """
    rows, having = [], []
    for field, label in _fields(deals, fields).items():
        filled = _filled(deals, field)
        having.append(filled)
        values = deals.loc[filled, field].astype(str).value_counts()
        values = values.sort_index().sort_values(ascending=False, kind="stable")  # or the order of rows breaks ties
        telling = len(values) > 0 and values.iloc[0] > 1 and not _private(field, values)
        common = f"{values.index[0]} ({values.iloc[0]:,})" if telling else ""
        number = int(filled.sum())
        rows.append((field, label, len(deals), number, len(deals) - number, len(values), common))
    columns = ["field", "label", "deals", "filled", "missing", "distinct", "most_common"]
    found = Listing(pd.DataFrame(rows, columns=columns), "Fields and what is in them")
    lists = {"deals": [ids_of(deals)] * len(rows), "filled": [ids_of(deals[filled]) for filled in having]}
    return with_deals(found, **lists, missing=[ids_of(deals[~filled]) for filled in having])


def proportion_row(hits: pd.Series, cluster: Column | None) -> dict[str, Any]:
    """Estimate the share of hits as the value columns of a row, with `n_accounts` where accounts are known."""
    found = clustered_proportion(hits, cluster=cluster)
    accounts = account_codes(cluster)[1] if cluster is not None else None
    return {**found._asdict(), "n_event": int(hits.sum()), "n_risk": len(hits), "n_accounts": accounts}


def _fields(deals: pd.DataFrame, fields: Sequence[str] | None) -> dict[str, str]:
    if fields is not None:
        return {name: FIELDS.get(name, name) for name in fields}
    attributes = [name for name in deals.columns if name not in DEALS_COLUMNS]
    return {name: label for name, label in FIELDS.items() if name in deals} | {name: name for name in attributes}


def _private(field: str, values: pd.Series) -> bool:
    """Say whether the values of a field name somebody, or are what people typed: dates and amounts are neither."""
    chosen = field == "amount" or field.endswith("_on")
    return field in ID_COLUMNS or is_name_like(field) or (not chosen and is_free_text(values.index, int(values.sum())))


def _filled(deals: pd.DataFrame, field: str) -> pd.Series:
    values = deals[field]
    if field == "amount":
        return values.astype(float) > 0
    if values.dtype == object or pd.api.types.is_string_dtype(values.dtype):
        return values.notna() & (values.astype(str).str.strip() != "")
    return values.notna()
