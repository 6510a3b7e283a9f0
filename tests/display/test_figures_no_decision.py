"""Figures of the study of no decision: traces are the numbers, and words say them to who cannot see."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd
import pytest
from display_samples import HOSTILE, incidence_frame, meta

from analytics.display import figures, rendering, wording
from analytics.display.findings import Cards
from analytics.estimators.result import Estimate, Finding

NAN = math.nan
OUTCOMES = ("moved_on", "won", "lost", "no_decision")


def rules() -> Estimate:
    rows = [
        ("declared", 0, "declared by reason code", "By reason code", True, 0.22, 0.20, 0.24, NAN, NAN, NAN, NAN),
        ("silent", 60, "or nothing heard for 60 days", "By silence", False, 0.58, 0.55, 0.61, 902, 0.15, 0.13, 0.18),
        ("silent", 90, "or nothing heard for 90 days", "By silence", True, 0.47, 0.44, 0.50, 546, 0.08, 0.06, 0.11),
    ]
    columns = ["rule", "threshold", "label", "group", "stated", "estimate", "conf_low", "conf_high", "fired",
               "won_share", "won_low", "won_high"]  # fmt: skip
    frame = pd.DataFrame(rows, columns=columns).assign(won_days=180, n_deals=412, note="")
    return Estimate(frame, meta("probability", ("rule", "threshold"), "share of deals that end in no decision"))


def ratios(label: str = "pushed once") -> Estimate:
    rows = [
        (outcome, "a", name, reference, value, low, high, 40, 0.011)
        for outcome in ("no_decision", "won")
        for name, reference, value, low, high in (
            ("never pushed", True, 1.0, NAN, NAN), (label, False, 1.5, 1.2, 1.9),
            ("pushed often", False, 0.004, 0.001, 0.3),
        )
    ]  # fmt: skip
    columns = ["outcome", "segment", "label", "reference", "estimate", "conf_low", "conf_high", "n_event", "weekly"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["no_interval_reason"] = frame["reference"].map({True: "the others are compared with it", False: ""})
    return Estimate(frame, meta("coefficient", ("outcome", "label"), "how many times the weekly odds", unit="ratio"))


def stages() -> Estimate:
    rows = [
        (stage, outcome, value, value - 0.01, value + 0.02, last, last - 0.01 if last == last else NAN, last)
        for stage, values in (("Discovery", (0.7, 0.03, 0.12, 0.08)), (HOSTILE, (0.1, 0.7, 0.1, 0.06)))
        for outcome, value, last in zip(OUTCOMES, values, (NAN, 0.1, 0.2, 0.35), strict=True)
    ]  # fmt: skip
    columns = ["stage", "outcome", "estimate", "conf_low", "conf_high", "last_share", "last_low", "last_high"]
    frame = pd.DataFrame(rows, columns=columns).assign(n_deals=400)
    return Estimate(frame, meta("probability", ("stage", "outcome"), "of deals that came to a stage, the share"))


def silence() -> Estimate:
    frame = incidence_frame(horizon=180).assign(quiet_days=90, n_deals=412)
    back = frame[frame["outcome"] == "won"].assign(outcome="heard_again")
    frame = pd.concat([back, frame[frame["outcome"] != "won"]], ignore_index=True)
    return Estimate(frame, meta("incidence", ("outcome", "time"), "of deals that went quiet, what happened next"))


def shares() -> Estimate:
    rows = [
        ("silent", "silent for 90 days or more", 0.01, 0.006, 0.015, 430, 336),
        ("none", HOSTILE, 0.15, 0.14, 0.17, 2167, 318),
    ]
    frame = pd.DataFrame(rows, columns=["rule", "label", "estimate", "conf_low", "conf_high", "n_deals", "n_open"])
    return Estimate(frame, meta("probability", ("rule",), "recorded won within 90 days"))


ALL = {
    "rules": lambda: figures.plot_no_decision_rules(rules()),
    "ratios": lambda: figures.plot_ratios(ratios(HOSTILE), title="After each push", weekly="deals a week"),
    "causes": lambda: figures.plot_ratios(ratios(), outcomes=("no_decision", "won"), title="By cause", head="segment"),
    "stages": lambda: figures.plot_stage_exits(stages()),
    "silence": lambda: figures.plot_after_silence(silence()),
    "shares": lambda: figures.plot_shares(shares(), title="Won all the same", below="n_open"),
}


def drawn(name: str) -> dict[str, Any]:
    return rendering.figure_json(ALL[name]())


@pytest.mark.parametrize("name", ALL)
def test_every_figure_is_stable_says_its_numbers_and_states_n_and_the_day(name: str) -> None:
    figure = drawn(name)
    text = json.dumps(figure)
    assert text == json.dumps(drawn(name))
    assert "bdata" not in text
    assert "NaN" not in text
    layout = {key: value for key, value in figure["layout"].items() if key != "meta"}  # the page escapes meta itself
    narrow = figure["layout"]["meta"]["narrow"]
    assert "<img" not in json.dumps([figure["data"], layout, narrow])
    alt, caption = rendering.alt_text(figure), figure["layout"]["meta"]["caption"]
    assert sum(character.isdigit() for character in alt) >= 4
    assert "nan" not in alt.lower()
    assert "n = 412" in caption
    assert "as of 31 January 2026" in caption
    assert "95\u00a0% intervals" in caption


@pytest.mark.parametrize("name", ALL)
def test_heights_on_a_phone_fit_the_traces_that_they_move(name: str) -> None:
    figure = drawn(name)
    for key, value in figure["layout"]["meta"]["narrow"].items():
        if key.startswith("data.") and key.endswith(".y"):
            assert len(value) == len(figure["data"][int(key.split(".")[1])]["x"])


def test_rules_are_drawn_with_their_intervals_the_declared_one_as_the_floor() -> None:
    figure = drawn("rules")
    dots = {
        x: (low, high)
        for trace in figure["data"]
        for x, (low, high) in zip(trace["x"], trace["customdata"], strict=True)
    }
    assert dots == {0.22: (0.2, 0.24), 0.58: (0.55, 0.61), 0.47: (0.44, 0.5)}
    floor = [shape for shape in figure["layout"]["shapes"] if shape["type"] == "line" and shape["x0"] == 0.22]
    assert floor
    assert floor[0]["line"]["dash"] == "dot"
    hollow = [trace for trace in figure["data"] if trace["marker"]["line"]["width"]]
    assert [x for trace in hollow for x in trace["x"]] == [0.58]  # the params state the others
    assert "8\u00a0% (6–11) of them were won within 180 days" in rendering.alt_text(figure)


def test_ratios_stand_on_a_log_scale_with_the_reference_hollow_and_cuts_said() -> None:
    figure = drawn("ratios")
    assert figure["layout"]["xaxis"]["type"] == "log"
    level, reference = figure["data"]
    assert level["x"] == [1.5, 0.02]
    assert level["customdata"][1] == [0.001, 0.3]
    assert level["error_x"]["array"] == pytest.approx([0.4, 0.28])
    assert level["error_x"]["arrayminus"][0] == pytest.approx(0.3)
    assert reference["x"] == [1.0]
    assert reference["marker"]["line"]["width"] == 2
    assert "Intervals are cut" in figure["layout"]["meta"]["caption"]
    assert "×\u00a00.004 (0.001–0.3)" in rendering.alt_text(figure)
    low = figure["layout"]["xaxis"]["range"][0]
    assert low < math.log10(0.02)


def test_causes_differ_in_shape_and_not_only_in_colour() -> None:
    traces = drawn("causes")["data"]
    assert {trace["marker"]["symbol"] for trace in traces} == {"diamond", "circle"}


def test_stages_show_each_outcome_in_its_own_shape() -> None:
    figure = drawn("stages")
    assert {trace["marker"]["symbol"] for trace in figure["data"]} == {"circle", "square", "diamond"}
    assert sorted(x for trace in figure["data"] for x in trace["x"]) == [0.03, 0.06, 0.08, 0.1, 0.12, 0.7]
    assert "35\u00a0% (34–35) of all no-decisions ended here" in " ".join(
        note["text"].replace("<br>", " ") for note in figure["layout"]["annotations"]
    ).replace('</span> <span style="color:#59636D;font-size:11px">', " ")  # fmt: skip


def test_curves_after_silence_end_where_the_estimate_does() -> None:
    figure = drawn("silence")
    frame = silence().frame
    last = frame[frame["time"] == 180].set_index("outcome")["estimate"]
    lines = [trace for trace in figure["data"] if trace.get("hovertext")]
    assert sorted(round(trace["y"][-1], 5) for trace in lines) == sorted(round(value, 5) for value in last)
    assert len({(trace["line"]["dash"], trace["line"]["color"]) for trace in lines}) == len(lines)
    value = last["heard_again"]
    row = frame[(frame["outcome"] == "heard_again") & (frame["time"] == 180)].iloc[0]
    assert wording.percent_interval(value, row["conf_low"], row["conf_high"], 412) in rendering.alt_text(figure)


@pytest.mark.parametrize(
    "draw",
    [figures.plot_no_decision_rules, figures.plot_stage_exits, figures.plot_after_silence,
     lambda answer: figures.plot_ratios(answer, title="x"), lambda answer: figures.plot_shares(answer, title="x")],
)  # fmt: skip
def test_a_finding_in_place_of_an_answer_is_shown_as_its_sentence(draw: Any) -> None:
    assert isinstance(draw(Finding("x", "It needs the activities table.", "", "not studied")), Cards)


def test_withheld_rows_are_blanks_and_not_errors() -> None:
    for make, draw in ((rules, figures.plot_no_decision_rules), (stages, figures.plot_stage_exits),
                       (shares, lambda e: figures.plot_shares(e, title="x")),
                       (ratios, lambda e: figures.plot_ratios(e, title="x"))):  # fmt: skip
        answer = make()
        numbers = answer.frame.select_dtypes("number").columns
        hidden = answer.frame.assign(no_interval_reason="withheld")
        hidden.loc[1, numbers] = NAN
        figure = rendering.figure_json(draw(Estimate(hidden, answer.meta)))
        assert "NaN" not in json.dumps(figure)
        assert "nan" not in rendering.alt_text(figure).lower()


def test_no_ratio_of_an_outcome_is_a_plain_error() -> None:
    with pytest.raises(ValueError, match="no ratio of the outcomes lost"):
        figures.plot_ratios(ratios(), outcomes=("lost",), title="x")
