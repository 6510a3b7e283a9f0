"""Curves of a shared report: steps are merged until enough deals stand behind each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def coarsened(frame: pd.DataFrame, keys: Sequence[str], smallest: int) -> pd.DataFrame:
    """Merge the steps of curves; a stratum in which an outcome has few deals in all is left out.

    A time is kept where, since the last one kept, every outcome had no event or at least `smallest`. The last time
    of a stratum is always kept, and earlier ones are given up for it. `n_event` counts since the last time kept.

    Parameters
    ----------
    frame : pandas.DataFrame
        Keys, `n_event`, and usually `n_risk`, `cum_event`.
    keys : sequence of str
        Key columns, `time` among them.
    smallest : int
        Fewest deals of a step.

    Examples
    --------
    >>> curve = pd.DataFrame({"time": range(6), "n_event": [1, 2, 3, 0, 1, 1], "n_risk": [20, 19, 17, 14, 14, 13]})
    >>> coarsened(curve, ["time"], 5)[["time", "n_event", "n_risk"]].to_numpy().tolist()
    [[5.0, 8.0, 13.0]]
    """
    by = [key for key in keys if key not in ("time", "outcome")]
    groups = [part for _, part in frame.groupby(by, sort=False, dropna=False)] if by else [frame]
    parts = [found for part in groups if (found := _stratum(part, smallest)) is not None]
    return pd.concat(parts, ignore_index=True) if parts else frame.head(0)


def _stratum(part: pd.DataFrame, smallest: int) -> pd.DataFrame | None:
    if "n_deals" in part and 0 < float(part["n_deals"].max()) < smallest:
        return None
    outcome = part["outcome"] if "outcome" in part else pd.Series("", index=part.index)
    table = part.assign(_o=outcome).pivot_table(index="time", columns="_o", values="n_event", aggfunc="sum")
    events = table.sort_index().fillna(0.0)
    total = events.sum().to_numpy()
    if ((total > 0) & (total < smallest)).any() or not len(events):
        return None
    times = events.index.to_numpy()[_kept(events.to_numpy(), smallest)]
    cumulated = events.cumsum().loc[times]
    since = cumulated.diff().fillna(cumulated)
    rows = part[part["time"].isin(times)].copy()
    label = outcome[rows.index]
    rows["n_event"] = [int(since.loc[time, name]) for time, name in zip(rows["time"], label, strict=True)]
    if "n_risk" in rows:
        rows["n_risk"] = _risks(rows.assign(_o=label), cumulated.sum(axis=1), smallest)
    return rows


def _kept(events: np.ndarray, smallest: int) -> list[int]:
    """Places of the times that are kept."""
    kept: list[int] = []
    cumulated = events.cumsum(axis=0)

    def enough(start: int, end: int) -> bool:
        since = cumulated[end] - (cumulated[start] if start >= 0 else 0)
        return bool(((since == 0) | (since >= smallest)).all())

    last = len(events) - 1
    for place in range(last):
        if enough(kept[-1] if kept else -1, place):
            kept.append(place)
    while kept and not enough(kept[-1], last):
        kept.pop()
    return [*kept, last]


def _risks(rows: pd.DataFrame, ended: pd.Series, smallest: int) -> pd.Series:
    """Numbers at risk that neither are small themselves nor change by a few deals that had no event."""
    shown = pd.Series(np.nan, index=rows.index)
    for _, curve in rows.groupby("_o", sort=False):
        before: tuple[float, float] | None = None
        for place, time, risk in zip(curve.index, curve["time"], curve["n_risk"].astype(float), strict=True):
            events = float(ended[time])
            if before is not None:
                change = abs(risk - before[0])
                left = abs(before[0] - risk - (events - before[1]))
                if 0 < change < smallest or 0 < left < smallest:
                    continue
            if not 0 < risk < smallest:
                shown[place], before = risk, (risk, events)
    return shown
