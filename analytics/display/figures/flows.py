"""Forecast categories from the start of a quarter to its end, as a flow (Sankey) with a label on every node."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.sheet import Space, Words, answers_or_sentence, faint, listed, records, sheet
from analytics.display.findings import Cards, finding_cards
from analytics.estimators.result import Finding, Listing

HEIGHT = 430
SHADES = {"commit": "#22303C", "most_likely": "#48525B", "best_case": "#6E7A84", "pipeline": "#A7B1BB"}
MOVED = theme.COLOURS["vanished"]
COLOURS = {name: theme.COLOURS[name] for name in ("won", "lost", "no_decision", "unknown")}
ORDER = (
    "commit", "most_likely", "best_case", "pipeline", "omitted", "closed", "no category", "created", "reopened",
    "not in the quarter", "won", "lost", "no_decision", "unknown", "pushed_out", "slipped", "dated_out", "removed",
)  # fmt: skip
OUT = ("pushed_out", "slipped", "dated_out", "removed")


@answers_or_sentence
def plot_category_flows(
    flows: Listing, *, currency: str = "", title: str = "Forecast categories, from the start to the end"
) -> go.Figure | Cards:
    """Draw from which forecast category deals went to which category or outcome; a band is as thick as its deals.

    Parameters
    ----------
    flows : Listing
        From `questions.pipeline_changes.category_flows`: from, to, from_label, to_label, deals, amount, currency.
    currency : str, optional
        Which one is drawn where nothing is converted; by default the one with the most deals.
    title : str
        Heading.

    Examples
    --------
    >>> frame = pd.DataFrame({"from": ["commit", "commit"], "to": ["won", "lost"], "from_label": "Commit",
    ...     "to_label": ["Won", "Lost"], "deals": [8, 4], "amount": [80.0, 40.0], "currency": "USD"})
    >>> plot_category_flows(Listing(frame, "Where categories ended")).layout.meta["title"]
    'Forecast categories, from the start to the end'
    """
    frame = flows.frame
    named = frame["currency"].astype(object).fillna("")
    chosen = currency or str(frame.groupby(named)["deals"].sum().idxmax())
    mine = frame[named == chosen]
    shown = mine[mine["deals"].fillna(0) > 0]
    if not len(shown):
        said = f"{flows.title}: too few deals to draw."
        return finding_cards(Finding("category_flows", said, "", "not studied"))
    left, right = _nodes(shown, "from"), _nodes(shown, "to")
    hidden = len(mine) - len(shown)
    caption = f"{wording.sentence(flows.title)} Left: at the start (or how a deal came in); right: at the end. "
    caption += f"A band is as thick as its number of deals ({wording.count(float(shown['deals'].sum()))} in all): exact"
    caption += f" counts, so there is no interval. {wording.counted(flows)}".rstrip()
    caption += f" Bands with few deals are not shown: {hidden}." if hidden else ""
    if named.nunique() > 1:
        caption += f" Only deals in {wording.readable(chosen) or 'no currency'}: nothing is converted."
    told = (f"{r['from_label']} to {r['to_label']}: {wording.count(float(r['deals']))}" for r in records(shown))
    words = Words(title, "Deals; every node says how many", caption, f"{title}, in deals. {listed(told)}.")
    layout = {"xaxis": {"visible": False}, "yaxis": {"visible": False}}
    narrow = {"data.0.textfont.size": 10, "data.0.node.pad": 14, "data.0.node.label": _labels(left, right, 20)}
    space = Space(HEIGHT, left=8, right=8, bottom=14, top=8, widest=760)
    return sheet([_sankey(shown, left, right)], layout, words, space, narrow)


def _nodes(frame: pd.DataFrame, side: str) -> pd.DataFrame:
    found = frame.groupby([side, f"{side}_label"], sort=False)["deals"].sum().reset_index()
    found = found.set_axis(["node", "label", "deals"], axis=1)
    places = {name: place for place, name in enumerate(ORDER)}
    return found.sort_values("node", key=lambda names: names.map(places), kind="stable", ignore_index=True)


def _labels(left: pd.DataFrame, right: pd.DataFrame, limit: int) -> list[str]:
    rows = records(pd.concat([left, right]))
    return [f"{wording.safe(str(r['label']).split(':')[0], limit)} {wording.count(float(r['deals']))}" for r in rows]


def _colour(node: str) -> str:
    return COLOURS.get(node) or SHADES.get(node) or (MOVED if node in OUT else theme.QUIET)


def _sankey(frame: pd.DataFrame, left: pd.DataFrame, right: pd.DataFrame) -> Any:
    source = {name: i for i, name in enumerate(left["node"])}
    target = {name: i + len(left) for i, name in enumerate(right["node"])}
    rows = records(frame)
    hover = [f"{wording.safe(r['from_label'])} to {wording.safe(r['to_label'])}: {_size(r)}" for r in rows]
    return go.Sankey(
        arrangement="fixed",
        node={
            "label": _labels(left, right, 40),
            "color": [_colour(str(name)) for name in (*left["node"], *right["node"])],
            "x": [0.001] * len(left) + [0.999] * len(right),
            "y": [*_heights(left), *_heights(right)],
            "pad": 16,
            "thickness": 14,
            "line": {"width": 0},
            "hoverinfo": "none",
        },
        link={
            "source": [source[str(r["from"])] for r in rows],
            "target": [target[str(r["to"])] for r in rows],
            "value": [float(r["deals"]) for r in rows],
            "color": [faint(_colour(str(r["to"])), 0.35) for r in rows],
            "customdata": hover,
            "hovertemplate": "%{customdata}<extra></extra>",
        },
        textfont={"size": 12, "color": theme.INK},
        domain={"x": [0, 1], "y": [0, 1]},
    )


def _heights(nodes: pd.DataFrame) -> list[float]:
    """Middle of each node from the top, in the order given, with a gap between them."""
    gap = 0.03
    room = 1 - gap * (len(nodes) - 1)
    share = (nodes["deals"] / nodes["deals"].sum() * room).tolist()
    middles, down = [], 0.0
    for part in share:
        middles.append(round(min(max(down + part / 2, 0.001), 0.999), 4))
        down += part + gap
    return middles


def _size(row: dict[str, Any]) -> str:
    money = f", {wording.money(float(row['amount']), str(row['currency'] or ''))}" if pd.notna(row["amount"]) else ""
    return f"{wording.count(float(row['deals']))} deals{money}"
