"""The pipeline between two days as a horizontal waterfall: what it was, what came and went, what it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.rows import Rows, Text, placed, step_text
from analytics.display.figures.sheet import Space, Words, answers_or_sentence, listed, records, sheet
from analytics.display.findings import Cards, finding_cards
from analytics.estimators.result import Finding, Listing

LEFT, RIGHT, CHARACTERS, BAR = 230, 120, 32, 19
OUT = ("pushed_out", "slipped", "dated_out", "transferred_out", "won", "lost", "no_decision", "unknown", "removed")
LEVELS = ("start", "end")
WORTH = ("raised", "lowered", "currency")
MORE, LESS = theme.COLOURS["appeared"], theme.COLOURS["vanished"]
OUTCOMES = ("won", "lost", "no_decision", "unknown")
REST = "lines with few deals, together"


@dataclass(frozen=True)
class Bar:
    """One bar: a level (start is None), or a change that begins where the bar above ended."""

    line: str
    label: str
    value: float
    start: float | None
    text: str
    size: str

    @property
    def end(self) -> float:
        """Where the bar ends."""
        return self.value if self.start is None else self.start + self.value


@answers_or_sentence
def plot_waterfall(
    waterfall: Listing, *, currency: str = "", team: str = "", title: str = "What the pipeline is made of now"
) -> go.Figure | Cards:
    """Draw the waterfall of a pipeline in money, or in deals where they have no amounts.

    Parameters
    ----------
    waterfall : Listing
        From `questions.pipeline_changes.waterfall` or `team_waterfalls`: line, label, deals, amount, currency.
    currency, team : str, optional
        Which one is drawn; by default the currency with the most deals, and the first team.
    title : str
        Heading.

    Raises
    ------
    ValueError
        Where the lines do not add up: a waterfall that does not close is not drawn.

    Examples
    --------
    >>> frame = pd.DataFrame({"line": ["start", "created", "won", "end"],
    ...     "label": ["At the start", "Created", "Won", "At the end"], "deals": [10, 4, 3, 11],
    ...     "amount": [100.0, 40.0, -30.0, 110.0], "currency": "USD"})
    >>> plot_waterfall(Listing(frame, "The pipeline")).layout.meta["title"]
    'What the pipeline is made of now'
    """
    frame = waterfall.frame
    if "team" in frame.columns:
        frame = frame[frame["team"] == (team or frame["team"].iloc[0])]
    frame, others = _of_one_currency(frame[frame["line"] != "born_closed"].reset_index(drop=True), currency)
    money = bool(frame["amount"].notna().any())
    name = str(frame["currency"].dropna().iloc[0]) if money and frame["currency"].notna().any() else ""
    bars = _bars(frame, money, name)
    if not bars:
        said = f"{waterfall.title.split(':')[0]}: too few deals to draw."
        return finding_cards(Finding("waterfall", said, "", "not studied"))
    unit = (f"in {name}" if name else "in the amounts given") if money else "in deals, which have no amounts here"
    hatched = "Hatched bars take away, plain bars add; a deal counts in each line that moved it."
    ends = frame[frame["line"].isin(LEVELS)].set_index("line")["deals"].astype(float)
    n = " and ".join(f"{wording.count(ends[line])} deals at the {line}" for line in LEVELS if ends.get(line, 0) > 0)
    caption = f"{wording.sentence(waterfall.title)} {wording.counted(waterfall, n)} {wording.sentence(unit)} "
    caption += "Several changes of one deal share what they "
    caption += f"brought together, whatever their order. {hatched}{others}"
    subtitle = f"From {bars[0].text} to {bars[-1].text}"
    alt = f"{title}. {listed(f'{bar.label}: {bar.text}, {bar.size}'.rstrip(', ') for bar in bars)}."
    return _draw(bars, Words(title, subtitle, caption, alt), name if money else "")


def _of_one_currency(frame: pd.DataFrame, currency: str) -> tuple[pd.DataFrame, str]:
    named = frame["currency"].astype(object).fillna("")
    if named.nunique() < 2:
        return frame, ""
    starts = frame[frame["line"].isin(LEVELS)].assign(named=named).groupby("named")["deals"].sum()
    chosen = currency or str(starts.idxmax())
    rest = ", ".join(wording.readable(name) or "no currency" for name in named.unique() if name != chosen)
    return frame[named == chosen], f" Not drawn here, because nothing is converted: {rest}."


def _bars(frame: pd.DataFrame, money: bool, currency: str) -> list[Bar]:
    """Bars in order; lines whose numbers are withheld become one, which closes the waterfall."""
    rows = {str(record["line"]): record for record in records(frame)}
    values = {line: _value(line, record, money) for line, record in rows.items()}
    start, end = (values.get(line, math.nan) for line in LEVELS)
    if not (math.isfinite(start) and math.isfinite(end)):
        return []
    bars = [_bar(rows["start"], start, None, money, currency)]
    for line, record in rows.items():
        shown = math.isfinite(values[line]) and (money or line not in WORTH)
        if line not in LEVELS and shown:
            bars.append(_bar(record, values[line], bars[-1].end, money, currency))
    gap = end - bars[-1].end
    hidden = any(not math.isfinite(value) for value in values.values())
    if hidden:
        bars.append(Bar("rest", REST, gap, bars[-1].end, _signed(gap, money, currency), ""))
    elif abs(gap) >= 0.005 and (money or frame["currency"].nunique() < 2):
        raise ValueError(f"the waterfall does not add up: {bars[-1].end} is not {end}")
    return [*bars, _bar(rows["end"], end, None, money, currency)]


def _value(line: str, record: dict[str, Any], money: bool) -> float:
    value = float(record["amount"] if money else record["deals"])
    return -value if not money and line in OUT else value


def _bar(record: dict[str, Any], value: float, start: float | None, money: bool, currency: str) -> Bar:
    deals = float(record["deals"])
    size = f"{wording.count(deals)} deal{'' if deals == 1 else 's'}" if math.isfinite(deals) and money else ""
    text = _signed(value, money, currency) if start is not None else _plain(value, money, currency)
    return Bar(str(record["line"]), str(record["label"]), value, start, text, size)


def _plain(value: float, money: bool, currency: str) -> str:
    return wording.money(value, currency) if money else f"{wording.count(value)} deals"


def _signed(value: float, money: bool, currency: str) -> str:
    text = wording.money(value) if money else wording.count(value)
    return f"+{text}" if value > 0 else text


def _draw(bars: Sequence[Bar], words: Words, currency: str) -> go.Figure:
    place = placed([_text(bar) for bar in bars], LEFT, RIGHT)
    ends = [0.0, *(bar.end for bar in bars)]
    low, high = min(ends) * 1.05, max(ends) * 1.05 or 1.0
    axis = {"range": [low, high], "tickformat": "~s", "showgrid": True, "fixedrange": True, "nticks": 5}
    layout = {
        "xaxis": axis,
        "yaxis": place.axis(),
        "annotations": place.annotations(),
        "shapes": _joints(bars, place.wide),
        "barmode": "overlay",
    }
    traces, tight = _traces(bars, place)
    narrow = {
        **place.narrow(30),
        "shapes": _joints(bars, place.tight),
        **{f"data.{i}.y": heights for i, heights in enumerate(tight)},
    }
    space = Space(place.wide_height, left=LEFT, right=RIGHT, bottom=30, widest=820)
    return sheet(traces, layout, words, space, narrow)


def _text(bar: Bar) -> Text:
    return step_text(wording.wrapped(bar.label, CHARACTERS, 3), bar.text, bar.size, level=bar.start is None)


def _traces(bars: Sequence[Bar], place: Rows) -> tuple[list[Any], list[list[float]]]:
    groups = (
        ("level", [i for i, bar in enumerate(bars) if bar.start is None]),
        ("change", [i for i, bar in enumerate(bars) if bar.start is not None]),
    )
    traces: list[Any] = []
    for name, rows in groups:
        mine = [bars[i] for i in rows]
        marker: dict[str, Any] = {"color": [_colour(bar) for bar in mine], "line": {"width": 0}}
        if name == "change":
            less = ["/" if bar.value < 0 else "" for bar in mine]
            marker["pattern"] = {"shape": less, "fgcolor": theme.PAPER, "size": 6, "solidity": 0.25}
        traces.append(
            go.Bar(
                x=[bar.value for bar in mine],
                y=[place.wide[i] for i in rows],
                base=[bar.start or 0.0 for bar in mine],
                orientation="h",
                width=BAR,
                marker=marker,
                hovertext=[f"{wording.safe(bar.label)}: {bar.text}" for bar in mine],
                hoverinfo="text",
                name=name,
            )
        )
    return traces, [[place.tight[i] for i in rows] for _, rows in groups]


def _colour(bar: Bar) -> str:
    if bar.start is None:
        return theme.LEVEL
    if bar.line in OUTCOMES:
        return theme.colour(bar.line)
    return theme.QUIET if bar.line == "rest" else MORE if bar.value >= 0 else LESS


def _joints(bars: Sequence[Bar], middles: Sequence[float]) -> list[dict[str, Any]]:
    """Thin lines from the end of one bar to the beginning of the next."""
    line = {"color": theme.QUIET, "width": 1, "dash": "dot"}
    return [
        {"type": "line", "layer": "below", "x0": bar.end, "x1": bar.end, "y0": top, "y1": foot, "line": line}
        for bar, top, foot in zip(bars, middles, middles[1:], strict=False)
    ]
