"""What went in: every row that was read and every deal that was left out, line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.rows import Rows, Text, placed
from analytics.display.figures.sheet import Space, Words, answers_or_sentence, listed, records, sheet
from analytics.estimators.result import Listing

LOSSES = ("rejected", "not yet known", "left out")  # steps that take their count off what remained
ENDS = "ended as"  # steps that say what the studied deals came to
LEFT, RIGHT, CHARACTERS, BAR = 310, 120, 46, 16
OUTCOME_OF = {"won": "won", "lost": "lost", "no decision": "no_decision", "closed": "unknown", "still open": "open"}


@answers_or_sentence
def plot_attrition(
    attrition: Listing, *, title: str = "What went in", subtitle: str = "Every row and every deal is accounted for"
) -> go.Figure:
    """Draw what was read, what each rule left out and what remained, as bars from zero.

    Rows and deals have each their own scale, because one deal has many rows in a history.

    Parameters
    ----------
    attrition : Listing
        From `records.snapshot.attrition`: step, rule, deals (the count of the line), remaining, and unit ("rows" or
        "deals", by default deals). Steps "rejected", "not yet known" and "left out" take their count off what remained;
        "ended as" says what the studied came to.
    title, subtitle : str
        Heading and the line under it.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"step": ["read", "left out", "studied"], "rule": ["", "renewals", ""],
    ...     "deals": [100, 20, 80], "remaining": [100, 80, 80]})
    >>> plot_attrition(Listing(frame, "Who is studied")).layout.meta["title"]
    'What went in'
    """
    lines = [line for line in records(attrition.frame) if line["step"] not in (*LOSSES, ENDS) or line["deals"] > 0]
    units = [str(line.get("unit") or "deals") for line in lines]
    place = placed(_texts(lines, units), LEFT, RIGHT, least=28)
    known = list(dict.fromkeys(units))
    axes: dict[str, Any] = {}
    for k, unit in enumerate(known):
        most = max(float(line["remaining"]) + _gone(line) for line, u in zip(lines, units, strict=True) if u == unit)
        over = {"overlaying": "x"} if k else {}
        axes[f"xaxis{k + 1 if k else ''}"] = {"range": [0, most or 1], "visible": False, "fixedrange": True, **over}
    layout = {**axes, "yaxis": place.axis(), "annotations": place.annotations(), "barmode": "overlay"}
    traces, tight = _bars(lines, [known.index(unit) for unit in units], place)
    narrow = {**place.narrow(8), **{f"data.{i}.y": heights for i, heights in enumerate(tight)}}
    said = [f"{_line(line)}: {wording.count(float(line['deals']))}" for line in lines]
    studied = [line for line in lines if line["step"] == "studied"]
    n = f"{wording.count(float(studied[0]['deals']))} deals studied" if studied else ""
    caption = f"{wording.sentence(attrition.title)} {wording.counted(attrition, n)}"
    caption += " Blue: remaining; orange: taken off at that line, by the rule beside it."
    words = Words(title, subtitle, caption, f"{title}. {listed(said)}.")
    return sheet(traces, layout, words, Space(place.wide_height, left=LEFT, right=RIGHT, bottom=8, widest=780), narrow)


def _gone(line: Mapping[str, Any]) -> float:
    return float(line["deals"]) if line["step"] in LOSSES else 0.0


def _line(line: Mapping[str, Any]) -> str:
    step, rule = (str(line.get(name) or "") for name in ("step", "rule"))
    return f"{step}: {rule}" if step in LOSSES and rule and rule != step else rule or step


def _texts(lines: Sequence[Mapping[str, Any]], units: Sequence[str]) -> list[Text]:
    found, heading = [], ""
    for line, unit in zip(lines, units, strict=True):
        head = ENDS if line["step"] == ENDS else f"in {unit}"
        whole = line["step"] not in (*LOSSES, ENDS)
        label = wording.wrapped(_line(line), CHARACTERS, 2)
        count = wording.count(float(line["deals"]))
        value = wording.bold(count) if whole else f"−{count}" if line["step"] in LOSSES else count
        words = {ENDS: "of these"}.get(head, head)
        found.append(
            Text([wording.bold(part) if whole else part for part in label], value, words if head != heading else "")
        )
        heading = head
    return found


def _bars(lines: Sequence[Mapping[str, Any]], axes: Sequence[int], place: Rows) -> tuple[list[Any], list[list[float]]]:
    """Per scale: what remained, what was taken off, what the studied came to; beside them the heights on a phone."""
    traces, tight = [], []
    for k in dict.fromkeys(axes):
        mine = [i for i, axis in enumerate(axes) if axis == k]
        for name, taken in (
            ("remaining", [i for i in mine if lines[i]["step"] != ENDS]),
            ("left out", [i for i in mine if _gone(lines[i]) > 0]),
            (ENDS, [i for i in mine if lines[i]["step"] == ENDS]),
        ):
            if taken:
                traces.append(
                    _bar(name, [lines[i] for i in taken], [place.wide[i] for i in taken], f"x{k + 1 if k else ''}")
                )
                tight.append([place.tight[i] for i in taken])
    return traces, tight


def _bar(name: str, lines: Sequence[Mapping[str, Any]], heights: list[float], axis: str) -> Any:
    remaining = name == "remaining"
    values = [float(line["remaining"] if remaining else line["deals"]) for line in lines]
    colours = {"remaining": theme.COLOURS["won"], "left out": theme.COLOURS["lost"]}
    look = [colours.get(name) or _ending(str(line["rule"])) for line in lines]
    return go.Bar(
        x=values,
        y=heights,
        base=[float(line["remaining"]) for line in lines] if name == "left out" else None,
        width=BAR,
        orientation="h",
        xaxis=axis,
        name=name,
        hovertext=[
            f"{wording.safe(_line(line))}: {wording.count(value)}" for line, value in zip(lines, values, strict=True)
        ],
        hoverinfo="text",
        marker={"color": look, "line": {"width": 0}},
    )


def _ending(rule: str) -> str:
    """Colour of what a studied deal came to; open deals are darker here than in a band, to be seen on paper."""
    outcome = next((name for start, name in OUTCOME_OF.items() if rule.startswith(start)), "")
    return theme.RULE if outcome == "open" else theme.colour(outcome)
