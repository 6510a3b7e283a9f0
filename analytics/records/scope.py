"""Scope: a study says which deals it is about, or stops and shows what there is to choose from."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd

from analytics.records.contract import History
from analytics.records.definitions import Definitions
from analytics.records.errors import InputError
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import episodes_with_exclusion

_LISTED = 15
_END_OF_TIME = dt.date(9999, 12, 30)


def scope_values(history: History) -> dict[str, pd.DataFrame]:
    """Which values can a scope choose from, and how many deals have each?

    Parameters
    ----------
    history : History
        What was recorded.

    Returns
    -------
    dict of str to pandas.DataFrame
        For `pipeline`, `source`, `currency_original` and every attribute that says anything: `value` (None where empty;
        at the deal's opening, as the scope reads it) and `deals`, most deals first.

    Examples
    --------
    >>> rows = {"deal_id": ["A", "B"], "recorded_on": [dt.date(2025, 1, 10)] * 2, "sequence": [1, 1],
    ...         "status": ["open", "open"], "pipeline": ["new", "renewal"]}
    >>> scope_values(History(table=pd.DataFrame(rows)))["pipeline"]["value"].tolist()
    ['new', 'renewal']
    """
    known = episodes_with_exclusion(history, as_of=_END_OF_TIME, rules=OutcomeRules(), definitions=Definitions())
    first: Any = known.filter(known.episode == 1)
    columns = {"pipeline": "pipeline", "source": "source", "currency_original": "currency_original"}
    columns |= {name: name for name in history.attributes}
    deals: pd.DataFrame = first.select(**columns).to_pyarrow().to_pandas()
    found = {}
    for column in columns:
        if deals[column].notna().any():
            counts = deals.groupby(column, dropna=False).size().rename("deals").rename_axis("value").reset_index()
            counts["value"] = counts["value"].astype(object).where(counts["value"].notna(), None)
            found[column] = counts.sort_values(["deals", "value"], ascending=[False, True], ignore_index=True)
    return found


def require_scope(history: History, definitions: Definitions) -> None:
    """Stop unless the study says which deals it is about.

    Raises
    ------
    InputError
        With the values found, ready to paste into the company's params.

    Examples
    --------
    >>> from analytics.records.definitions import Scope
    >>> require_scope(History(table=None), Definitions(scope=Scope(everything=True)))
    """
    if definitions.scope is not None and definitions.scope.says_something:
        return
    raise InputError(
        "scope is not set, so it is not known which deals are studied. Paste this, and remove the lines and values "
        f"that do not belong to the study:\n\n{scope_lines(history)}\n\nThen run it again"
    )


def scope_lines(history: History) -> str:
    """What can a scope be made of? Lines for the params, each value with its number of deals.

    A column in which most deals have a value of their own (a name, an id) is no kind of deal: only its number of values
    is told, and not what stands in it.

    Examples
    --------
    >>> rows = {"deal_id": ["A", "B", "C"], "recorded_on": [dt.date(2025, 1, 10)] * 3, "sequence": [1, 1, 1],
    ...         "status": ["open"] * 3, "pipeline": ["new", "new", "renewal"]}
    >>> print(scope_lines(History(table=pd.DataFrame(rows))))
    scope:
      keep:
        pipeline: [new, renewal]  # 2, 1 deals
    # or, for all deals: scope: {everything: true}
    """
    lines, ids = [], []
    for column, values in scope_values(history).items():
        shown = values.head(_LISTED)
        counts = ", ".join(f"{deals:,}" for deals in shown["deals"])
        more = f"; {len(values) - _LISTED} more values" if len(values) > _LISTED else ""
        if more and len(values) > values["deals"].sum() / 2:
            ids.append(f"# {column}: {len(values):,} different values, nearly one for each deal")
        else:
            lines.append(f"    {column}: {_flow(shown['value'].tolist())}  # {counts} deals{more}")
    everything = "scope: {everything: true}"
    if not lines:
        return "\n".join([f"{everything}  # all deals", *ids])
    return "\n".join(["scope:", "  keep:", *lines, *ids, f"# or, for all deals: {everything}"])


def _flow(values: list[Any]) -> str:
    import yaml

    return str(yaml.safe_dump(values, default_flow_style=True, width=10**9, allow_unicode=True)).strip()
