"""Which deals end in no decision sooner, which are lost or won sooner: drivers by cause."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import ids_of, members_apart, with_deals
from analytics.estimators.columns import stratum_column
from analytics.estimators.hazards.models import cause_specific_cox
from analytics.estimators.lacking import lacking
from analytics.estimators.proportions import adjusted_p_values
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.watched import OUTCOMES, accounts_of, has_accounts, without_account
from analytics.questions.no_decision.followed import cannot_tell, followed
from analytics.records.errors import InputError

FEW_EVENTS = 10
FEW_DEALS = 20
REST = "all others"
MOST_LEVELS = 12


def drivers(deals: pd.DataFrame, *, by: Sequence[str], settled_on: dt.date) -> Estimate | Finding:
    """Which traits go with ending in no decision sooner, and which of them with losing or winning?

    Parameters
    ----------
    deals : pandas.DataFrame
        First episodes under declared rules.
    by : sequence of str
        Segment columns, known at opening; all of them enter one model.
    settled_on : datetime.date
        Follow-up ends here.

    Returns
    -------
    Estimate or Finding
        Kind coefficient, keys (outcome, segment, level): ratio of the pace (cause-specific hazard) among open deals to
        that of the segment's largest level, the other segments the same; `label`, `reference`, `n_deals`, `n_event`,
        `p_value`, `p_adjusted` (Benjamini-Hochberg over all of them), `note`. A Finding without a segment of two
        levels or with fewer than ten outcomes.

    Notes
    -----
    Levels with fewer than 20 deals are joined ("all others"), and so are those beyond the 12 largest; where even
    together they are fewer, they are left out. A ratio speaks of pace among open deals, not of shares. It assumes that
    the ratio does not change with age; by account where known.

    Examples
    --------
    >>> drivers(pd.DataFrame({"opened_on": []}), by=[], settled_on=dt.date(2025, 1, 1)).verdict
    'not studied'
    """
    if not by:
        return lacking("drivers", "which deals end in no decision sooner", "segments")
    watched = followed(deals, settled_on).reset_index(drop=True)
    levels = {name: _levels(watched[name]) for name in by if name in watched and len(watched)}
    kept = pd.DataFrame(levels).notna().all(axis=1) if levels else pd.Series(True, index=watched.index)
    watched = watched[kept]
    levels = {name: values[kept] for name, values in levels.items() if values[kept].nunique() > 1}
    if not levels:
        return cannot_tell("drivers", "No segment has two levels with 20 deals each, so no traits can be compared.")
    named = {name: f"segment_{place}" for place, name in enumerate(levels)}
    table = watched.assign(**{named[name]: values for name, values in levels.items()})
    rows, notes = [], [without_account(table)]
    notes += [] if kept.all() else [f"{int((~kept).sum())} deals of levels with few deals are left out."]
    for outcome in OUTCOMES:
        events = int((table["outcome"] == outcome).sum())
        if events < FEW_EVENTS:
            notes.append(f"Fewer than {FEW_EVENTS} deals ended in {outcome.replace('_', ' ')}, so it is left out.")
            continue
        try:
            rows += _of_outcome(table, outcome, named)
        except InputError as error:
            notes.append(f"{outcome.replace('_', ' ').capitalize()} is left out: {error.problem}.")
    said = " ".join(note for note in notes if note)
    if not rows:
        return cannot_tell("drivers", "Which traits go with no decision cannot be told.", said)
    rows, lists = members_apart(rows)
    frame = pd.DataFrame(rows)
    frame["p_adjusted"] = adjusted_p_values(frame["p_value"].to_numpy(dtype=float))
    meta = Meta(
        kind="coefficient", keys=("outcome", "segment", "level"), n_deals=len(table), interval="Wald on the log scale",
        estimand="how many times the pace of ending so among open deals, against the segment's largest level "
        "(cause-specific hazard ratio)", variance="by account where known", unit="ratio", note=said,
        n_accounts=accounts_of(table),
        cluster="account_id" if has_accounts(table) else None,
    )  # fmt: skip
    return with_deals(Estimate(frame, meta), **lists)


def _levels(values: pd.Series[Any]) -> pd.Series[str]:
    """Name the levels, the small ones together."""
    named = pd.Series(stratum_column(values), index=values.index).astype(object)
    counts = named.value_counts()
    kept = counts[counts >= FEW_DEALS].index[:MOST_LEVELS]
    rest = ~named.isin(kept)
    return named.mask(rest, REST if rest.sum() >= FEW_DEALS else None)


def _of_outcome(table: pd.DataFrame, outcome: str, named: dict[str, str]) -> list[dict[str, Any]]:
    coded, codes = {}, {}
    for column in named.values():  # a level in which nobody ended so has no ratio, and would have an infinite one
        ended = table.groupby(column)["outcome"].transform(lambda found: (found == outcome).any())
        table = table[ended.astype(bool)]
    for column in [column for column in named.values() if table[column].nunique() > 1]:
        order = table[column].value_counts().index.tolist()
        codes[column] = {level: f"{place:02d}" for place, level in enumerate(order)}
        coded[column] = table[column].map(codes[column])
    if not codes:
        return []
    formula = " + ".join(f"C({column})" for column in codes)
    cluster = "account_id" if has_accounts(table) else None
    fitted = cause_specific_cox(table.assign(**coded), formula, outcome=outcome, cluster=cluster).coefficients
    rows = []
    for name, column in [(name, column) for name, column in named.items() if column in codes]:
        for level, code in codes[column].items():
            here = table[column] == level
            had = here & (table["outcome"] == outcome)
            row = {
                "outcome": outcome, "segment": name, "level": level, "label": str(level), "reference": code == "00",
                "n_deals": int(here.sum()), "n_event": int(had.sum()),
                "members": {"n_deals": ids_of(table[here]), "n_event": ids_of(table[had])},
            }  # fmt: skip
            rows.append({**row, **_ratio(fitted, f"C({column})[T.{code}]", code == "00")})
    return rows


def _ratio(fitted: Estimate, term: str, reference: bool) -> dict[str, Any]:
    if reference:
        return {"estimate": 1.0, "std_error": np.nan, "conf_low": np.nan, "conf_high": np.nan, "p_value": np.nan,
                "no_interval_reason": "the others are compared with it"}  # fmt: skip
    row = fitted.at(term=term).iloc[0]
    return {"estimate": row["hazard_ratio"], "std_error": row["std_error"], "conf_low": row["ratio_low"],
            "conf_high": row["ratio_high"], "p_value": row["p_value"], "no_interval_reason": ""}  # fmt: skip
