"""Colours, dashes and marks with one meaning everywhere, and the small template of every figure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from analytics.estimators.result import Verdict

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

# One meaning everywhere: an outcome never changes its colour, its dash or its marker.
OUTCOMES = ("won", "lost", "no_decision", "unknown", "open")
COLOURS = {
    "won": "#0072B2",
    "lost": "#D55E00",
    "no_decision": "#8D949C",
    "unknown": "#F0E442",
    "open": "#ECEFF2",
    "mix": "#CC79A7",
    "rate": "#009E73",
    "appeared": "#56B4E9",
    "vanished": "#E69F00",
    "total": "#22303C",
}
DASHES = {"won": "solid", "lost": "dash", "no_decision": "dot", "unknown": "dashdot", "open": "longdash"}
MARKERS = {"won": "circle", "lost": "square", "no_decision": "diamond", "unknown": "x", "open": "circle-open"}
NAMES = {
    "won": "Won",
    "lost": "Lost",
    "no_decision": "No decision",
    "unknown": "Closed, outcome unknown",
    "open": "Still open",
}

LEVEL = "#A9CFE5"  # a level in a bridge, beside the changes that lead from it

# Ink, two greys and paper; a page shown in the dark swaps exactly these strings for their partners.
INK, QUIET, RULE, PAPER, TINT = "#1B2126", "#59636D", "#D9DEE3", "#FFFFFF", "#EEF1F4"
LINK = "#00609A"
DARK = {
    LINK: "#6DB7EA",
    INK: "#E8ECF0",
    QUIET: "#A7B1BB",
    RULE: "#3A434C",
    PAPER: "#14181C",
    TINT: "#242B32",
    LEVEL: "#2C5672",
    COLOURS["won"]: "#3E9BD8",
    COLOURS["lost"]: "#E8772E",
    COLOURS["no_decision"]: "#98A0A8",
    COLOURS["open"]: "#2B333A",
    COLOURS["total"]: "#C9D1D9",
    COLOURS["mix"]: "#D68DB5",
    COLOURS["rate"]: "#23B48A",
}

# Chip of each verdict: (text, ground) on white paper and in the dark; every pair passes WCAG AA (tested).
CHIPS: dict[Verdict, tuple[str, str, str, str]] = {
    "shown and large enough to matter": ("#004B76", "#DCEEF8", "#A9D6F5", "#0E3149"),
    "shown, size unclear": ("#004B76", "#EDF5FA", "#A9D6F5", "#16242E"),
    "too small to matter": ("#2F5D4A", "#E4F3EC", "#9ADBC0", "#12332A"),
    "cannot tell": ("#7F3600", "#FDEEE2", "#FFC08F", "#40230D"),
    "not studied": ("#48525B", "#EEF1F4", "#C9D2DA", "#353F48"),
    "described": ("#48525B", "#EEF1F4", "#C9D2DA", "#353F48"),
}


def colour(name: object) -> str:
    """Return the fixed colour of an outcome or of a part of a change; ink for anything else."""
    return COLOURS.get(str(name), COLOURS["total"])


def outcome_name(name: object) -> str:
    """Return an outcome in the reader's words; a label the house does not know is spelled as it came."""
    return NAMES.get(str(name), str(name).replace("_", " "))


def in_order(values: Iterable[object]) -> list[str]:
    """Sort outcomes in the fixed order (won, lost, no decision, …); labels the house does not know come last."""
    seen = {str(value) for value in values}
    return [name for name in OUTCOMES if name in seen] + sorted(seen - set(OUTCOMES))


# What every text on a sheet has unless it says otherwise; kept in the template so that outputs stay small.
NOTE = {
    "align": "left",
    "showarrow": False,
    "xanchor": "left",
    "xref": "paper",
    "yanchor": "middle",
    "yref": "paper",
}


def template() -> dict[str, Any]:
    """Return the small template of every figure (the default one of plotly is 7 kB in each output)."""
    axis = {
        "automargin": False,
        "gridcolor": RULE,
        "linecolor": RULE,
        "showgrid": False,
        "tickcolor": RULE,
        "tickfont": {"color": QUIET, "size": 11},
        "title": {"font": {"color": QUIET, "size": 11}, "standoff": 6},
        "zeroline": False,
    }
    return {
        "layout": {
            "annotationdefaults": NOTE,
            "font": {"color": INK, "family": FONT, "size": 12},
            "hoverlabel": {"align": "left", "bgcolor": PAPER, "bordercolor": RULE, "font": {"color": INK, "size": 12}},
            "hovermode": "closest",
            "paper_bgcolor": PAPER,
            "plot_bgcolor": PAPER,
            "showlegend": False,
            "title": {"font": {"size": 16}, "x": 0, "xref": "paper", "xanchor": "left", "yanchor": "top"},
            "xaxis": axis,
            "yaxis": axis,
        }
    }
