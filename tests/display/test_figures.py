"""Figures hold the Estimate's own numbers, render to the same bytes twice, and show texts from the CRM as text."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from display_samples import (
    HOSTILE,
    against,
    attrition,
    bridge,
    cohorts,
    completeness,
    findings,
    incidence,
    mix_and_rate,
    no_decision_range,
    recording_delay,
    segments,
    value_weighted,
    win_rates,
)

from analytics.display import figures, rendering, theme, wording
from analytics.estimators.result import Estimate, Listing

ALL: dict[str, Callable[[], Any]] = {
    "stacked": lambda: figures.plot_stacked_incidence(incidence()),
    "asked": lambda: figures.plot_stacked_incidence(incidence(), title="Where do deals end up?"),
    "many": lambda: figures.plot_stacked_incidence(incidence(n=8300)),
    "cohorts": lambda: figures.plot_stacked_incidence(cohorts()),
    "win_rates": lambda: figures.plot_win_rates(win_rates(hostile=True)),
    "bridge": lambda: figures.plot_bridge(bridge()),
    "against": lambda: figures.plot_against(against()),
    "two": lambda: figures.plot_two_periods(incidence(), incidence(seed=9), against(), names=("2025Q4", "2025Q3")),
    "mix": lambda: figures.plot_mix_and_rate(mix_and_rate(hostile=True)),
    "segments": lambda: figures.plot_segments(segments(hostile=True)),
    "no_decision": lambda: figures.plot_no_decision_range(no_decision_range()),
    "value": lambda: figures.plot_value_weighted(value_weighted()),
    "attrition": lambda: figures.plot_attrition(attrition(hostile=True)),
    "completeness": lambda: figures.plot_completeness(completeness()),
    "delay": lambda: figures.plot_recording_delay(recording_delay()),
}


@functools.cache
def drawn(name: str) -> dict[str, Any]:
    """The figure's JSON; tests only read it."""
    return rendering.figure_json(ALL[name]())


def texts(node: Any) -> list[str]:
    """Every string that plotly may draw."""
    if isinstance(node, str):
        return [node]
    if isinstance(node, dict):
        return [text for key, value in node.items() if key != "meta" for text in texts(value)]
    return [text for item in node for text in texts(item)] if isinstance(node, list) else []


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("name", ALL)
def test_two_renderings_are_equal_byte_for_byte(name: str) -> None:
    first, second = json.dumps(drawn(name)), json.dumps(rendering.figure_json(ALL[name]()))
    assert first == second
    assert "bdata" not in first
    assert "colorscale" not in first  # plotly's own template, 7 kB in each output, is not there
    assert len(first) < 90_000
    assert "NaN" not in first


@pytest.mark.parametrize("name", ALL)
def test_every_figure_says_its_numbers_in_words(name: str) -> None:
    figure = drawn(name)
    alt = rendering.alt_text(figure)
    assert sum(character.isdigit() for character in alt) >= 4
    assert "nan" not in alt.lower()
    said = alt.removeprefix(figure["layout"]["meta"]["title"]).lstrip(".?: ")
    assert not said[0].islower(), f"a sentence begins in lower case: {said}"
    assert "?." not in alt
    assert figure["layout"]["meta"]["caption"]


@pytest.mark.parametrize("name", ALL)
def test_captions_of_estimates_state_n_and_the_as_of_date(name: str) -> None:
    if name in ("bridge", "attrition"):  # made from Listings, which count every deal themselves
        return
    caption = drawn(name)["layout"]["meta"]["caption"]
    assert "n = " in caption
    assert "as of 31 January 2026" in caption
    assert "95\u00a0% intervals" in caption


@pytest.mark.parametrize("name", ["win_rates", "mix", "segments", "attrition"])
def test_hostile_text_reaches_plotly_escaped(name: str) -> None:
    strings = texts(drawn(name))
    assert any("&lt;img" in text for text in strings)
    for text in strings:
        assert "<img" not in text
        assert "%{x}" not in text
        assert "</script" not in text
        if "R&" in text:
            assert "R&amp;D" in text
        if "&lt;img" in text:
            assert "$" not in text  # two dollar signs would be read as TeX where MathJax is loaded


def test_stacked_incidence_draws_the_estimates_and_their_complement() -> None:
    estimate = incidence()
    figure = drawn("stacked")
    areas = {trace["name"]: trace for trace in figure["data"] if trace.get("stackgroup")}
    assert list(areas) == ["Won", "Lost", "No decision", "Still open"]
    total = np.zeros(366)
    for outcome, name in (("won", "Won"), ("lost", "Lost"), ("no_decision", "No decision")):
        rows = estimate.at(outcome=outcome)
        wanted = dict(zip(rows["time"], rows["estimate"], strict=True))
        drawn_values = dict(zip(areas[name]["x"], areas[name]["y"], strict=True))
        assert areas[name]["line"]["shape"] == "hv"
        assert areas[name]["fillcolor"] == theme.COLOURS[outcome]
        for time, value in drawn_values.items():
            assert value == near(wanted[time])
        # Between the times that are kept the curve stands still, so nothing that was estimated is left out.
        kept = np.asarray(sorted(drawn_values))
        for time, value in wanted.items():
            last = kept[kept <= time].max()
            assert drawn_values[last] == near(value)
        total += rows["estimate"].to_numpy()
    assert areas["Still open"]["y"][-1] == near(1 - total[-1])


def test_stacked_incidence_draws_the_interval_of_each_band_and_labels_it() -> None:
    estimate, figure = incidence(), drawn("stacked")
    whiskers = [trace for trace in figure["data"] if trace.get("error_y")]
    last = [estimate.at(outcome=o, time=365).iloc[0] for o in ("won", "lost", "no_decision")]
    for trace, row in zip(whiskers, last, strict=True):
        assert trace["customdata"][0] == [near(row["estimate"]), near(row["conf_low"]), near(row["conf_high"])]
        assert trace["error_y"]["array"][0] == near(row["conf_high"] - row["estimate"])
    strings = texts(figure["layout"]["annotations"])
    for row in last:
        words = wording.percent_interval(row["estimate"], row["conf_low"], row["conf_high"], 412)
        assert any(words in text for text in strings)


def test_numbers_at_risk_stand_under_the_axis() -> None:
    estimate, figure = incidence(), drawn("stacked")
    rows = estimate.at(outcome="won").set_index("time")["n_risk"]
    below = {n["x"]: n["text"] for n in figure["layout"]["annotations"] if n.get("yshift") == -58}
    assert below == {tick: f"{rows[tick]:,}" for tick in (0, 90, 180, 270, 365)}


def test_a_spike_stays_a_spike() -> None:
    frame = incidence().frame.copy()
    frame["estimate"] = np.where(frame["time"] >= 31, 0.3, 0.05)
    frame["conf_low"], frame["conf_high"] = frame["estimate"] - 0.02, frame["estimate"] + 0.02
    figure = rendering.figure_json(figures.plot_stacked_incidence(Estimate(frame, incidence().meta)))
    won = next(trace for trace in figure["data"] if trace.get("name") == "Won")
    assert (won["x"], won["y"]) == ([0, 31, 365], [0.05, 0.3, 0.3])


def test_labels_of_thin_bands_do_not_overlap() -> None:
    frame = incidence().frame.copy()
    frame["estimate"] = frame["outcome"].map({"won": 0.01, "lost": 0.01, "no_decision": 0.01})
    frame["conf_low"], frame["conf_high"] = 0.0, 0.03
    figure = rendering.figure_json(figures.plot_stacked_incidence(Estimate(frame, incidence().meta)))
    heights = sorted(n["y"] for n in figure["layout"]["annotations"] if n.get("xshift") == 6 and n.get("yref") == "y")
    assert len(heights) == 4
    assert min(np.diff(heights)) >= 30 / 300


def test_small_multiples_hold_every_cohort_and_say_which_is_not_mature() -> None:
    figure = drawn("cohorts")
    heads = [n["text"] for n in figure["layout"]["annotations"] if n.get("yshift") == 6]
    assert len(heads) == 4
    assert all(f"n {300 + 31 * i}" in head for i, head in enumerate(heads))
    assert "followed whole" not in heads[0]
    assert "followed whole for 235 days" in heads[1]
    assert {trace["yaxis"] for trace in figure["data"]} == {"y", "y2", "y3", "y4"}


@pytest.mark.parametrize(
    ("name", "estimate"),
    [("win_rates", win_rates()), ("no_decision", no_decision_range())],
)
def test_dots_and_intervals_are_the_estimates(name: str, estimate: Estimate) -> None:
    found = {
        round(x, 5): (x - minus, x + plus)
        for trace in drawn(name)["data"]
        for x, minus, plus in zip(trace["x"], trace["error_x"]["arrayminus"], trace["error_x"]["array"], strict=True)
    }
    for row in estimate.frame.itertuples():
        assert found[round(row.estimate, 5)] == (near(row.conf_low), near(row.conf_high))


def test_a_rate_without_meaning_is_hollow_and_says_why() -> None:
    figure = drawn("win_rates")
    hollow = [trace for trace in figure["data"] if trace["marker"]["color"] == theme.PAPER]
    assert [trace["x"] for trace in hollow] == [[1.0]]
    assert any("61 of 61 lost" in text for text in texts(figure["layout"]["annotations"]))
    assert "not meaningful" in rendering.alt_text(figure)
    assert "(93–100)" not in rendering.alt_text(figure)


def test_a_missing_interval_is_named_and_not_drawn_as_certain() -> None:
    frame = win_rates().frame.copy()
    frame.loc[0, ["conf_low", "conf_high"]] = np.nan
    frame.loc[1, ["estimate", "conf_low", "conf_high"]] = np.nan
    frame["no_interval_reason"] = ["one account only", "nobody at risk", *[""] * 5]
    figure = rendering.figure_json(figures.plot_win_rates(Estimate(frame, win_rates().meta)))
    strings = " ".join(re.sub(r"<[^>]*>", " ", text) for text in texts(figure["layout"]["annotations"]))
    strings = " ".join(strings.lower().split())
    assert "one account only" in strings
    assert "nobody at risk" in strings
    assert sum(len(trace["x"]) for trace in figure["data"]) == 6
    assert "nan" not in json.dumps(figure).lower()


def test_segments_are_sorted_by_the_shrunken_rate_with_the_raw_one_beside() -> None:
    figure = drawn("segments")
    filled = next(trace for trace in figure["data"] if trace["marker"]["color"] != theme.PAPER)
    hollow = next(trace for trace in figure["data"] if trace["marker"]["color"] == theme.PAPER)
    frame = segments().frame
    for trace, kind in ((filled, "shrunken"), (hollow, "raw")):
        wanted = frame[frame["kind"] == kind]["estimate"]
        assert sorted(trace["x"]) == [near(value) for value in sorted(wanted)]
    by_source = filled["x"][:4]
    assert by_source == sorted(by_source, reverse=True)


def test_bridge_bars_begin_where_the_bar_above_ended() -> None:
    figure = drawn("bridge")
    change = next(trace for trace in figure["data"] if trace["name"] == "change")
    level = next(trace for trace in figure["data"] if trace["name"] == "level")
    frame = bridge().frame
    assert change["x"] == [near(value) for value in frame["change"]]
    assert level["x"] == [near(value) for value in (87 / 148, 87 / 231, 35 / 316)]
    ends = [base + value for base, value in zip(change["base"], change["x"], strict=True)]
    assert change["base"][0] == near(level["x"][0])
    assert ends[0] == near(level["x"][1])
    assert change["base"][2] == near(ends[1])
    assert ends[2] == near(level["x"][2])


def test_a_bridge_that_does_not_add_up_is_not_drawn() -> None:
    frame = bridge().frame.copy()
    frame.loc[0, "change"] += 0.001
    with pytest.raises(ValueError, match="does not add up"):
        figures.plot_bridge(Listing(frame, "Bridge"))


def test_mix_and_rate_use_two_colours_and_add_up() -> None:
    figure = drawn("mix")
    change, level = figure["data"]
    assert set(change["marker"]["color"][:6]) == {theme.COLOURS["mix"], theme.COLOURS["rate"]}
    assert level["x"] == [0.412, 0.38]
    assert sum(change["x"]) == near(0.38 - 0.412)
    assert change["error_x"]["array"] == [near(0.016)] * 7
    frame = mix_and_rate().frame.copy()
    frame.loc[0, ["estimate", "conf_high"]] = [0.02, 0.03]
    with pytest.raises(ValueError, match="do not add up"):
        figures.plot_mix_and_rate(Estimate(frame, mix_and_rate().meta))


def test_many_levels_are_drawn_as_their_sums() -> None:
    frame = mix_and_rate().frame
    more = [frame.assign(level=[f"{level} {i}" if level != "all" else level for level in frame["level"]])
            for i in range(3)]  # fmt: skip
    rows = [
        part[part["level"] != "all"].assign(estimate=lambda p: p["estimate"] / 3, conf_low=-0.1, conf_high=0.1)
        for part in more
    ]
    wide = pd.concat([*rows, frame[frame["level"] == "all"]], ignore_index=True)
    figure = rendering.figure_json(figures.plot_mix_and_rate(Estimate(wide, mix_and_rate().meta)))
    assert len(figure["data"][0]["x"]) == 3  # mix in all, rate in all, open from before


def test_changes_stand_over_the_margin_with_the_verdict() -> None:
    figure = drawn("against")
    filled = [t for t in figure["data"] if t["marker"]["color"] != theme.PAPER]
    assert {t["marker"]["symbol"] for t in filled} == {"circle", "square", "diamond"}
    values = sorted(x for trace in filled for x in trace["x"])
    frame = against().frame
    wanted = sorted(frame[frame["view"] == "as known then"]["estimate"])
    assert values == [near(value) for value in wanted]
    blocks = [shape for shape in figure["layout"]["shapes"] if shape["type"] == "rect"]
    assert {(shape["x0"], shape["x1"]) for shape in blocks} == {(-0.03, 0.03)}
    strings = " ".join(texts(figure["layout"]["annotations"]))
    assert "−3.1 (−10.0 to +3.8)" in strings
    assert "cannot tell" in strings
    assert "would show from ±12.8" in strings


def test_two_periods_differ_by_dash_and_carry_their_bands() -> None:
    figure = drawn("two")
    lines = [trace for trace in figure["data"] if trace.get("hovertemplate")]
    assert [trace["line"]["dash"] for trace in lines] == ["solid", "dash"]
    row = incidence().at(outcome="won", time=365).iloc[0]
    assert lines[0]["y"][-1] == near(row["estimate"])
    assert figure["data"][0]["y"][-1] == near(row["conf_low"])
    assert figure["data"][1]["y"][-1] == near(row["conf_high"])
    assert any(trace.get("xaxis") == "x2" for trace in figure["data"])


def test_value_weighted_shows_the_counts_with_their_interval_where_given() -> None:
    frame = value_weighted().frame.assign(estimate=[0.3, 0.21, 0.32, 0.17])
    frame["conf_low"], frame["conf_high"] = frame["estimate"] - 0.05, frame["estimate"] + 0.05
    counts = Estimate(frame, value_weighted().meta)
    figure = rendering.figure_json(figures.plot_value_weighted(value_weighted(), counts))
    hollow = [trace for trace in figure["data"] if trace["marker"]["color"] == theme.PAPER]
    assert sorted(x for trace in hollow for x in trace["x"]) == [0.17, 0.21, 0.3, 0.32]
    assert all(trace["error_x"]["array"] == [near(0.05)] for trace in hollow)
    assert any("8.4\u00a0%" in text for text in texts(figure["layout"]["title"]))


def test_attrition_counts_rows_and_deals_on_their_own_scales() -> None:
    figure = drawn("attrition")
    by_axis = {(trace["name"], trace.get("xaxis", "x")): trace["x"] for trace in figure["data"]}
    assert by_axis[("remaining", "x")] == [18240, 18221, 18221]
    assert by_axis[("left out", "x")] == [19]
    assert by_axis[("left out", "x2")] == [420, 14]
    assert by_axis[("ended as", "x2")] == [800, 600, 700, 478]
    assert figure["layout"]["xaxis"]["range"] == [0, 18240]
    assert figure["layout"]["xaxis2"]["range"] == [0, 3012]


def test_completeness_and_delay_hold_their_estimates() -> None:
    filled = drawn("completeness")
    whole = next(trace for trace in filled["data"] if trace["marker"]["symbol"] == "triangle-up")
    assert whole["x"] == [0.0, 0.62, 0.97]
    assert "Filled in every deal, and not drawn: Segment." in filled["layout"]["meta"]["caption"]
    lines = [trace for trace in drawn("delay")["data"] if trace.get("hovertemplate")]
    assert [trace["line"]["dash"] for trace in lines] == ["solid", "dash", "dot"]
    first = recording_delay().at(outcome="lost", time=0).iloc[0]
    assert lines[1]["y"][0] == near(first["estimate"])
    below = [item for item in drawn("delay")["layout"]["annotations"] if item.get("xref") == "x"]
    shown = [(item["x"], item["yshift"], item["text"]) for item in below]
    lost = recording_delay().at(outcome="lost")
    for tick in {x for x, _, _ in shown}:
        behind = [int(n) for time, n in zip(lost["time"], lost["n_risk"], strict=True) if time <= tick][-1]
        assert (tick, -66, f"{behind:,}") in shown
    assert {x for x, _, _ in shown} >= {0}


def test_a_finding_in_place_of_an_estimate_is_shown_as_its_sentence() -> None:
    said = findings()[5]
    for draw in (figures.plot_stacked_incidence, figures.plot_win_rates, figures.plot_attrition, figures.plot_against):
        cards = draw(said)
        assert "The extract has no discount field" in cards.text()
    cards = figures.plot_two_periods(incidence(), said)
    assert cards.findings == (said,)


def test_nothing_to_draw_is_an_error_and_not_an_empty_picture() -> None:
    empty = Estimate(incidence().frame.iloc[:0], incidence().meta)
    with pytest.raises(ValueError, match="nothing to draw"):
        figures.plot_stacked_incidence(empty)
    with pytest.raises(ValueError, match="outcome and time"):
        figures.plot_stacked_incidence(win_rates())


@pytest.mark.parametrize("name", ALL)
def test_heights_on_a_phone_fit_the_traces_that_they_move(name: str) -> None:
    figure = drawn(name)
    narrow = figure["layout"]["meta"]["narrow"]
    for path, value in narrow.items():
        if path.startswith("data."):
            trace = figure["data"][int(path.split(".")[1])]
            assert len(value) == len(trace["y"])
            assert all(0 <= height <= narrow["height"] for height in value)
    for part in ("annotations", "shapes"):
        if part in narrow:
            drawn_part = [item for item in figure["layout"][part] if item.get("name") != "caption"]
            assert len(narrow[part]) == len(drawn_part)


def test_display_words() -> None:
    assert wording.percent_interval(0.32, 0.27, 0.38, 148) == "32\u00a0% (27–38)"
    assert wording.percent(0.6312, 6711) == "63.1\u00a0%"
    assert wording.percent(-0.0001) == "0\u00a0%"
    assert wording.points(-0.00001) == "0"
    assert wording.money(-4_123_456, "USD") == "USD\u00a0−4.1\u00a0M"
    assert (
        wording.safe(HOSTILE, 200)
        == '&lt;img src=x onerror=alert(1)&gt; R&amp;D "A" &#36;5 to &#36;9 &lt;/script&gt; %&#123;x}'
    )
