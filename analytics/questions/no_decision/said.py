"""How the answers of the study of no decision are put into words: rows, shares and ratios."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analytics.estimators.result import Estimate, Finding
from analytics.estimators.sentences import share_of, share_with_interval


def rows_of(estimate: Estimate, **keys: object) -> list[dict[str, Any]]:
    """Give the rows of an Estimate that have a number, as dictionaries."""
    found = estimate.at(**keys) if keys else estimate.frame
    return [{str(k): v for k, v in row.items()} for row in found[found["estimate"].notna()].to_dict("records")]


def share_said(row: Mapping[str, Any], kind: str = "") -> str:
    """Write a share with its interval, or its bounds; of another kind than the estimate ("won", "last") that one.

    Examples
    --------
    >>> share_said({"n_deals": 50, "won_share": 0.1, "won_low": 0.05, "won_high": 0.2}, "won")
    '10 % (5–20)'
    """
    size = float(row.get("n_deals", 0))
    if kind:
        return share_with_interval(
            float(row[f"{kind}_share"]), float(row[f"{kind}_low"]), float(row[f"{kind}_high"]), size
        )
    bounds = {name: row[name] for name in ("bound_low", "bound_high") if pd.notna(row.get(name))}
    plain = {name: row[name] for name in ("estimate", "conf_low", "conf_high")}
    return share_of({**plain, **bounds}, size)


def label_of(row: Mapping[str, Any]) -> str:
    """Give a rule's label without the word that joins it to the declared reasons."""
    return str(row["label"]).removeprefix("or ")


def nothing(what: str) -> Finding:
    """Say that too little is shown to say anything."""
    return Finding("", f"{what} cannot be told.", "Too few deals are shown.", "cannot tell")
