"""The log of changes becomes one sequence of states per deal, each with every property as it was then."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analytics.records.sources.conform import MOMENT
from analytics.records.sources.hubspot.log import CREATION_SECONDS

SAVE_SECONDS = 2
"""Changes of one deal that follow each other so closely are one save: HubSpot sets closedate just after the stage."""


def states_of(created: pd.Series, log: pd.DataFrame, properties: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What was each property of a deal, at every moment at which one of them changed?

    History begins at creation: what was set within a minute of it, or is recorded earlier still, is the deal's first
    state, and a property that was set later was empty until then. Changes within two seconds of each other are one
    state, unless a property changes twice in them.

    Parameters
    ----------
    created : pandas.Series
        Moment of creation, indexed by deal id.
    log : pandas.DataFrame
        Columns `LOG`, of these deals.
    properties : sequence of str
        The properties wanted.

    Returns
    -------
    (pandas.DataFrame, pandas.DataFrame)
        `deal_id`, `MOMENT`, and each property as text, ordered by deal and moment; and, indexed by deal id, whether any
        change of each property of the deal is recorded.

    Examples
    --------
    >>> day = pd.Timestamp("2025-01-02 10:00")
    >>> log = pd.DataFrame({
    ...     "deal_id": ["1", "1"], MOMENT: [day, day + pd.Timedelta(days=3)], "property": ["dealstage"] * 2,
    ...     "value": ["a", "b"], "source": [None, None],
    ... })
    >>> states, recorded = states_of(pd.Series({"1": day}), log, ["dealstage", "amount"])
    >>> states["dealstage"].tolist(), recorded.loc["1"].tolist()
    (['a', 'b'], [True, False])
    """
    names = list(properties)
    ordered = _ordered(created, log, names)
    deal, code = ordered["deal"].to_numpy(), ordered["code"].to_numpy()
    new_deal = _begins(deal)
    starts = np.maximum.accumulate(np.where(new_deal, np.arange(len(deal)), 0))
    state, at_creation = _states(ordered, new_deal)
    last = _begins(state[::-1])[::-1]
    moment = ordered[MOMENT].to_numpy(dtype="datetime64[ns]")
    begun = created.to_numpy(dtype="datetime64[ns]")[deal]
    first_state = at_creation & (state == state[starts])
    moment = np.where(first_state, begun, np.maximum(moment, begun))
    out = {"deal_id": created.index.to_numpy(dtype=object)[deal[last]], MOMENT: moment[last]}
    value = ordered["value"].to_numpy(dtype=object)
    nothing = np.full(len(deal), None)
    recorded = np.zeros((len(created), len(names)), dtype=bool)
    for place, name in enumerate(names):
        changed = code == place
        recorded[deal[changed], place] = True
        at = np.maximum.accumulate(np.where(changed, np.arange(len(deal)), -1))
        out[name] = np.where(at >= starts, value[np.maximum(at, 0)], nothing)[last]
    return pd.DataFrame(out), pd.DataFrame(recorded, index=created.index, columns=names)


def _ordered(created: pd.Series, log: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """The log by deal and moment, with the creation itself (code -1), whatever the order of the file."""
    code = log["property"].map({name: place for place, name in enumerate(names)})
    kept = log[code.notna()]
    rows = pd.DataFrame(
        {
            "deal": np.concatenate([np.arange(len(created)), created.index.get_indexer(pd.Index(kept["deal_id"]))]),
            MOMENT: np.concatenate(
                [created.to_numpy(dtype="datetime64[ns]"), kept[MOMENT].to_numpy(dtype="datetime64[ns]")]
            ),
            "code": np.concatenate([np.full(len(created), -1), code[code.notna()].to_numpy(dtype=np.int64)]),
            "value": np.concatenate([np.full(len(created), None), kept["value"].to_numpy(dtype=object)]),
        }
    )
    rows["value"] = rows["value"].where(rows["value"].notna(), None)
    keys = ["deal", MOMENT, "code"]
    tied = rows.duplicated(keys, keep=False).to_numpy()
    rank = np.zeros(len(rows), dtype=np.int64)
    if tied.any():  # two values at one moment: their order in the file says nothing, so the value decides
        rank[tied] = pd.factorize(rows.loc[tied, "value"].fillna("").astype(str), sort=True)[0]
    rows = rows.assign(rank=rank)
    rows = rows[~rows.duplicated([*keys, "rank"]).to_numpy() | ~tied]
    ordered: pd.DataFrame = rows.sort_values([*keys, "rank"], kind="stable", ignore_index=True)
    begun = created.to_numpy(dtype="datetime64[ns]")[ordered["deal"].to_numpy()]
    since = (ordered[MOMENT].to_numpy() - begun) / np.timedelta64(1, "s")
    return ordered.assign(at_creation=since <= CREATION_SECONDS)


def _states(ordered: pd.DataFrame, new_deal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the states, and say which rows belong to the creation."""
    at_creation = ordered["at_creation"].to_numpy()
    moment = ordered[MOMENT].to_numpy()
    late = np.diff(moment, prepend=moment[:1]) > np.timedelta64(SAVE_SECONDS, "s")
    save = np.cumsum(new_deal | _begins(at_creation) | (~at_creation & late))
    again = pd.DataFrame({"save": save, "code": ordered["code"]}).groupby(["save", "code"]).cumcount()
    repeat = again.groupby(save).cummax().to_numpy()
    return np.cumsum(_begins(save) | _begins(repeat)), at_creation


def _begins(values: np.ndarray) -> np.ndarray:
    """Where a run of equal values begins."""
    begins = np.ones(len(values), dtype=bool)
    begins[1:] = values[1:] != values[:-1]
    return begins
