"""Figures of pipeline changes: bars, bands and dots hold the numbers, say them in words, and survive withheld rows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analytics.display import figures, rendering
from analytics.display.findings import Cards
from analytics.estimators.result import Estimate, Finding, Listing, Meta

LINES = [
    ("start", "open at the start", 10, 1000.0),
    ("created", "created", 4, 400.5),
    ("raised", "raised", 2, 50.25),
    ("slipped", "slipped: pushed out late", 3, -300.0),
    ("won", "won", 5, -500.0),
    ("end", "open at the end", 6, 650.75),
    ("born_closed", "entered already closed", 2, 70.0),
]


def waterfall(**changes: Any) -> Listing:
    frame = pd.DataFrame(LINES, columns=["line", "label", "deals", "amount"])
    frame = frame.assign(group="x", currency="USD", without_amount_deals=0)
    return Listing(frame.assign(**changes), "Pipeline from then to now: exact counts, residual 0.")


def flows() -> Listing:
    rows = [("commit", "won", "commit", "won", 6), ("commit", "slipped", "commit", "slipped: late", 2),
            ("pipeline", "<b>", "pipeline", "<b>$x", 9)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["from", "to", "from_label", "to_label", "deals"])
    return Listing(frame.assign(amount=[600.0, 200.0, np.nan], currency="USD"), "Forecast categories of 2025Q4")


def dates() -> Estimate:
    shares = {"won": 0.1, "lost": 0.2, "no_decision": 0.1, "open": 0.6}
    rows = [
        {"said": said, "outcome": outcome, "days_after": after, "estimate": share, "conf_low": share - 0.05,
         "conf_high": share + 0.05, "n_deals": n, "n_event": round(n * share)}
        for said, n in (("first date", 200), ("after 1 push", 90)) for after in (0.0, 30.0)
        for outcome, share in shares.items()
    ]  # fmt: skip
    meta = Meta(kind="probability", estimand="share of dates", keys=("said", "outcome", "days_after"), n_deals=290)
    return Estimate(pd.DataFrame(rows), meta)


def shares() -> Estimate:
    rows = [("quarter", "the last day of a quarter", 0.4, 40, 0.011), ("other", "any other day", 0.6, 60, 0.989)]
    frame = pd.DataFrame(rows, columns=["item", "label", "estimate", "n_event", "share_of_days"])
    frame = frame.assign(conf_low=frame["estimate"] - 0.1, conf_high=frame["estimate"] + 0.1, n_risk=100)
    return Estimate(frame, Meta(kind="probability", estimand="share of dates", keys=("item",), n_deals=90))


def drawn(figure: Any) -> dict[str, Any]:
    return rendering.figure_json(figure)


def test_the_waterfall_draws_every_line_where_the_last_one_ended() -> None:
    figure = drawn(figures.plot_waterfall(waterfall()))
    level, change = figure["data"]
    assert level["x"] == [1000.0, 650.75]
    assert change["x"] == [400.5, 50.25, -300.0, -500.0]
    assert change["base"] == [1000.0, 1400.5, 1450.75, 1150.75]
    assert change["marker"]["pattern"]["shape"] == ["", "", "/", "/"]  # what takes away is told without colour
    alt = rendering.alt_text(figure)
    assert "created: +400, 4 deals" in alt
    assert "open at the end: USD\u00a0651, 6 deals" in alt
    assert "residual 0" in figure["layout"]["meta"]["caption"]
    assert figure["layout"]["meta"]["narrow"]["margin.l"] < figure["layout"]["margin"]["l"]
    assert len(figure["layout"]["meta"]["narrow"]["data.1.y"]) == 4


def test_without_amounts_the_waterfall_is_in_deals() -> None:
    figure = drawn(figures.plot_waterfall(waterfall(amount=np.nan)))
    assert figure["data"][1]["x"] == [4.0, -3.0, -5.0]  # a raise moves no deal
    assert "no amounts" in figure["layout"]["meta"]["caption"]


def test_a_waterfall_that_does_not_close_is_not_drawn() -> None:
    with pytest.raises(ValueError, match="does not add up"):
        figures.plot_waterfall(waterfall(amount=[1000.0, 400.5, 50.25, -300.0, -500.0, 651.0, 70.0]))


def test_withheld_lines_become_one_that_closes_the_waterfall() -> None:
    hidden = waterfall(amount=[1000.0, 400.5, np.nan, np.nan, -500.0, 650.75, np.nan],
                       deals=[10, 4, np.nan, np.nan, 5, 6, np.nan])  # fmt: skip
    figure = drawn(figures.plot_waterfall(hidden))
    assert figure["data"][1]["x"] == [400.5, -500.0, -249.75]
    assert "lines with few deals, together" in rendering.alt_text(figure)
    nothing = figures.plot_waterfall(waterfall(amount=np.nan, deals=np.nan))
    assert isinstance(nothing, Cards)


def test_two_currencies_are_never_drawn_as_one() -> None:
    other = waterfall().frame.assign(currency="EUR", deals=1)
    both = Listing(pd.concat([waterfall().frame, other]), "Pipeline: exact")
    figure = drawn(figures.plot_waterfall(both))
    assert figure["data"][0]["x"] == [1000.0, 650.75]
    assert "Not drawn here, because nothing is converted: EUR." in figure["layout"]["meta"]["caption"]


def test_flows_are_as_thick_as_their_deals_and_every_node_says_how_many() -> None:
    figure = drawn(figures.plot_category_flows(flows()))
    (sankey,) = figure["data"]
    assert sankey["link"]["value"] == [6.0, 2.0, 9.0]
    labels = sankey["node"]["label"]
    assert labels[:3] == ["commit 8", "pipeline 9", "won 6"]
    pairs = [(labels[s], labels[t]) for s, t in zip(sankey["link"]["source"], sankey["link"]["target"], strict=True)]
    assert pairs[1] == ("commit 8", "slipped 2")
    assert "&lt;b&gt;" in json.dumps(labels)
    assert "<b>" not in json.dumps(sankey)
    assert "commit to won: 6" in rendering.alt_text(figure)
    assert len(figure["layout"]["meta"]["narrow"]["data.0.node.label"]) == len(labels)


def test_withheld_flows_are_counted_and_not_drawn() -> None:
    frame = flows().frame.assign(deals=[6.0, np.nan, 9.0])
    figure = drawn(figures.plot_category_flows(Listing(frame, "Forecast categories")))
    assert figure["data"][0]["link"]["value"] == [6.0, 9.0]
    assert "Bands with few deals are not shown: 1." in figure["layout"]["meta"]["caption"]


@pytest.mark.parametrize("after", [0, 30])
def test_dates_draw_each_outcome_with_its_interval(after: int) -> None:
    figure = drawn(figures.plot_closed_by_date(dates(), days_after=after))
    marks = {trace["marker"]["symbol"] for trace in figure["data"]}
    assert marks == {"circle", "square", "diamond"}
    won = next(t for t in figure["data"] if t["marker"]["symbol"] == "circle" and t["marker"]["color"] != "#FFFFFF")
    assert won["x"] == [0.1, 0.1]
    assert won["customdata"][0] == [0.05, 0.15]
    assert "Won, first date: 10\u00a0% (5–15), n 200" in rendering.alt_text(figure)
    assert "n = 290 deals" in figure["layout"]["meta"]["caption"]


def test_shares_stand_beside_their_reference() -> None:
    figure = drawn(figures.plot_fates(shares(), title="Days", reference="share_of_days", named="even:"))
    assert figure["data"][0]["x"] == [0.4, 0.6]
    assert figure["data"][1]["x"] == [0.011, 0.989]
    assert "Days. The last day of a quarter: 40\u00a0% (30–50), 40 of 100, even: 1.1\u00a0%" in rendering.alt_text(
        figure
    )


@pytest.mark.parametrize("plot", ["plot_waterfall", "plot_category_flows", "plot_closed_by_date", "plot_fates"])
def test_a_sentence_stands_where_there_is_no_answer(plot: str) -> None:
    more = {"title": "x"} if plot == "plot_fates" else {}
    shown = getattr(figures, plot)(Finding("x", "Not studied: it.", "", "not studied"), **more)
    assert shown.text() == "[not studied] Not studied: it."


@pytest.mark.parametrize("make", [waterfall, flows])
def test_two_renderings_are_equal_byte_for_byte(make: Any) -> None:
    plot = figures.plot_waterfall if make is waterfall else figures.plot_category_flows
    first, second = (json.dumps(drawn(plot(make()))) for _ in range(2))
    assert first == second
    assert "NaN" not in first
