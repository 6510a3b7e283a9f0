"""Step curves with bands, told apart by dash as well as by colour."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analytics.display import wording
from analytics.display.figures.sheet import faint

VALUES = ["estimate", "conf_low", "conf_high"]
NOTHING = 1e-9
"""A limit that moves by less stands still: sums in another order end in another last digit."""
MARKS = {"solid": "━━", "longdash": "━ ━", "dash": "╍╍", "dot": "┅┅", "dashdot": "━·"}


def band(curve: pd.DataFrame, colour: str, dash: str, words: str) -> list[Any]:
    """Return a curve with its band as three traces: lower edge, filled upper edge, the estimate.

    Only times at which something steps are kept, with the first and the last: the drawn curve is the same. `words` are
    the hover text around `%{hovertext}` (the estimate with its interval) and `%{x}` (the day).
    """
    kept = curve.iloc[steps(curve[VALUES], beyond=NOTHING)]
    shared = {"x": kept["time"].tolist(), "mode": "lines", "xaxis": "x", "yaxis": "y"}
    edge = {"shape": "hv", "width": 0}
    filled = {"fill": "tonexty", "fillcolor": faint(colour, 0.15)}
    return [
        go.Scatter(**shared, y=kept["conf_low"].tolist(), line=edge, hoverinfo="skip"),
        go.Scatter(**shared, **filled, y=kept["conf_high"].tolist(), line=edge, hoverinfo="skip"),
        go.Scatter(
            **shared,
            y=kept["estimate"].tolist(),
            line={"shape": "hv", "width": 2, "color": colour, "dash": dash},
            hovertext=[wording.percent_interval(*map(float, row)) for row in kept[VALUES].to_numpy()],
            hovertemplate=f"{words}<extra></extra>",
        ),
    ]


def steps(values: pd.DataFrame, *, beyond: float = 0.0) -> np.ndarray[Any, Any]:
    """Places where a curve steps by more than `beyond`, with the first and the last: the file is a tenth."""
    changes = (values.diff().abs() > beyond).any(axis=1).to_numpy()
    changes[[0, -1]] = True
    return np.flatnonzero(changes)


def mark(colour: str, dash: str) -> str:
    """Return a short piece of the line itself, to stand before its name."""
    return f'<span style="color:{colour}">{MARKS.get(dash, "━━")}</span>'
