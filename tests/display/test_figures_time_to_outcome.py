"""Figures of time to outcome: the traces hold the numbers, the words say them, and what is missing is not drawn."""

from __future__ import annotations

import json
import math
from typing import Any

import display_samples as samples
import numpy as np
import pandas as pd
import pytest

from analytics.display import figures, theme
from analytics.estimators.result import Estimate, Finding

LIMITS = ["estimate", "conf_low", "conf_high"]


def banded() -> Estimate:
    plain = samples.incidence()
    frame = plain.frame.assign(
        band_low=(plain.frame["conf_low"] - 0.01).clip(lower=0), band_high=plain.frame["conf_high"] + 0.01
    )
    frame.loc[frame["time"] < 20, ["band_low", "band_high"]] = np.nan
    return Estimate(frame, plain.meta)


def still_open(stages: tuple[str, ...] = ("All stages", "Demo", "Offer")) -> Estimate:
    rows = [
        {"age": age, "stage": stage, "outcome": outcome, "estimate": share, "conf_low": share - 0.05,
         "conf_high": share + 0.05, "n_deals": 100 - age, "horizon_reached": 300 if stage == "Offer" else 365,
         "no_interval_reason": ""}
        for age in (1, 30, 90)
        for stage in stages
        for outcome, share in (("won", 0.4 - age / 400), ("lost", 0.2), ("no_decision", 0.1 + age / 1000))
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    blank = (frame["age"] == 1) & (frame["stage"] == stages[1])
    frame.loc[blank, LIMITS] = np.nan
    frame.loc[blank, "no_interval_reason"] = "fewer than 5 deals"
    return Estimate(frame, samples.meta("probability", ("age", "stage", "outcome"), "of deals still open, the share"))


def later_won() -> Estimate:
    age = np.arange(0, 360, 10)
    frame = pd.DataFrame({"age": age, "estimate": 0.3 - age / 1300, "n_risk": 400 - age, "n_event": 9})
    frame = frame.assign(conf_low=frame["estimate"] - 0.02, conf_high=frame["estimate"] + 0.02, horizon_reached=365)
    return Estimate(frame, samples.meta("probability", ("age",), "of deals still open, the share won"))


def seldom_won() -> Estimate:
    rows = [
        {"one_in": 10, "measure": name, "estimate": share, "conf_low": share - 0.02, "conf_high": share + 0.02,
         "age_days": 250, "n_deals": 400}
        for name, share in (("won_later", 0.09), ("open_days_share", 0.3), ("wins_share", 0.06))
    ]  # fmt: skip
    return Estimate(pd.DataFrame(rows), samples.meta("probability", ("one_in", "measure"), "where effort lies"))


def ratios(column: str, values: tuple[str, ...], level: str = "RFP") -> Estimate:
    rows = []
    for outcome in ("won", "lost"):
        for place, value in enumerate(values):
            log = math.log(2) * (1 if outcome == "won" else -1) * (1 + place / 2)
            rows.append({
                "segment": "source", "level": level, "outcome": outcome, column: value, "estimate": log,
                "conf_low": log - 0.3, "conf_high": log + 0.3, "hazard_ratio": math.exp(log),
                "ratio_low": math.exp(log - 0.3), "ratio_high": math.exp(log + 0.3), "reference": "Inbound",
                "n_deals": 120, "varies": outcome == "won", "p_adjusted": 0.01,
            })  # fmt: skip
    return Estimate(
        pd.DataFrame(rows), samples.meta("coefficient", ("segment", "level", "outcome", column), "log ratio")
    )


def practice() -> Estimate:
    rows = [
        {"practice": name, "label": label, "why": why, "estimate": share, "conf_low": share - 0.03,
         "conf_high": share + 0.03, "difference": gap, "difference_low": gap - 0.02, "difference_high": gap + 0.02,
         "verdict": verdict, "n_deals": 400, "horizon_reached": 365}
        for name, label, why, share, gap, verdict in (
            ("incidence", "Won by the horizon", "of all", 0.30, np.nan, "described"),
            ("closed_only", "Closed deals only", "leaves out", 0.48, 0.18, "shown and large enough to matter"),
        )
    ]  # fmt: skip
    return Estimate(pd.DataFrame(rows), samples.meta("probability", ("practice",), "today's practice"))


DRAWN = {
    "curves": lambda: figures.plot_incidence_curves(banded()),
    "still open": lambda: figures.plot_still_open(still_open()),
    "later won": lambda: figures.plot_later_won(later_won(), seldom_won()),
    "effects": lambda: figures.plot_effects(ratios("model", ("cause-specific", "Fine-Gray"))),
    "by age": lambda: figures.plot_ratios_by_age(ratios("age", ("up to 30", "over 30 to 90", "over 90"))),
    "practice": lambda: figures.plot_practice(practice()),
}


@pytest.mark.parametrize("name", DRAWN)
def test_caption_says_n_and_as_of_and_the_description_has_numbers(name):
    meta = DRAWN[name]().layout.meta
    assert "n = 412 deals of 260 accounts, as of 31 January 2026" in meta["caption"]
    assert sum(character.isdigit() for character in meta["alt"]) > 10
    assert meta["narrow"]


def test_curves_draw_the_bands_and_tell_outcomes_apart_by_dash():
    figure, frame = figures.plot_incidence_curves(banded()), banded().frame
    assert len(figure.data) == 9
    assert [trace.line.dash for trace in figure.data[2::3]] == [theme.DASHES[n] for n in ("won", "lost", "no_decision")]
    won = frame[frame["outcome"] == "won"].iloc[-1]
    low, high, value = (figure.data[i].y[-1] for i in range(3))
    assert (low, high, value) == pytest.approx((won["band_low"], won["band_high"], won["estimate"]))
    texts = " ".join(str(note.text) for note in figure.layout.annotations)
    assert "412" in texts
    assert "at risk" in texts
    assert f"{100 * won['estimate']:.0f}\u00a0%" in figure.layout.meta["alt"]


def test_heat_table_has_a_number_with_interval_and_n_in_each_cell_and_leaves_small_ones_empty():
    figure = figures.plot_still_open(still_open())
    won, undecided = figure.data
    assert won.z[0][0] == pytest.approx(0.4 - 1 / 400)
    assert undecided.z[2][2] == pytest.approx(0.19)
    assert won.z[1][0] is None  # Demo at day 1
    texts = [str(note.text) for note in figure.layout.annotations]
    assert sum("n 99" in text for text in texts) == 4  # all stages and Offer, in two panels; not the empty cell
    assert any("35–45" in text and "40\u00a0%" in text for text in texts)
    assert any("to day 300" in text for text in texts)


def test_heat_table_draws_lost_where_no_decision_is_not_on_record():
    still = still_open()
    frame = still.frame.assign(
        estimate=still.frame["estimate"].where(still.frame["outcome"] != "no_decision", 0.0),
        conf_low=still.frame["conf_low"].where(still.frame["outcome"] != "no_decision", 0.0),
    )
    texts = " ".join(str(note.text) for note in figures.plot_still_open(Estimate(frame, still.meta)).layout.annotations)
    assert "Lost" in texts
    assert "No decision" not in texts


def test_later_won_marks_the_age_and_says_what_lies_past_it():
    figure = figures.plot_later_won(later_won(), seldom_won())
    assert figure.layout.shapes[0].x0 == 250
    assert list(figure.data[2].y) == pytest.approx(later_won().frame["estimate"].tolist())
    assert (
        "past day 250 fewer than 1 in 10 later won, with 30\u00a0% (28–32) of open deal-days"
        in figure.layout.meta["alt"]
    )
    assert "no estimate of what stopping" in figure.layout.meta["caption"]
    alone = figures.plot_later_won(later_won(), Finding("seldom_won", "No age.", "", "described"))
    assert len(alone.data) == 3
    assert not alone.layout.shapes
    assert (
        "No deal." in figures.plot_later_won(Finding("later_won", "No deal.", "", "not studied"), seldom_won()).text()
    )


def test_effects_of_every_outcome_stand_on_a_log_axis_the_share_hollow():
    figure = figures.plot_effects(ratios("model", ("cause-specific", "Fine-Gray")))
    looks = [(trace.marker.symbol, trace.marker.color == theme.PAPER) for trace in figure.data]
    assert looks == [("circle", False), ("circle", True), ("square", False), ("square", True)]
    assert figure.data[0].x[0] == pytest.approx(math.log(2))
    assert figure.data[2].x[0] == pytest.approx(-math.log(2))
    assert "1" in figure.layout.xaxis.ticktext
    alt, texts = figure.layout.meta["alt"], [str(note.text) for note in figure.layout.annotations]
    assert "RFP against Inbound, won: cause-specific 2.00 (1.48–2.70)" in alt
    assert "RFP against Inbound, lost: cause-specific 0.50 (0.37–0.67)" in alt
    assert sum("source RFP, against Inbound · n 120" in text for text in texts) == 1  # one heading for its outcomes


def test_ratios_by_age_have_one_shape_per_band_and_say_whether_they_vary():
    figure = figures.plot_ratios_by_age(ratios("age", ("up to 30", "over 30 to 90", "over 90")))
    assert [trace.marker.symbol for trace in figure.data] == ["circle", "square", "diamond"] * 2
    alt = figure.layout.meta["alt"]
    assert "RFP, won: up to 30 days" in alt
    assert alt.count(", varies with age") == 1
    assert alt.count("no change with age shown") == 1
    assert "won ● up to 30, ■ over 30 to 90, ◆ over 90; lost ● up to 30" in figure.layout.meta["subtitle"]


def test_practice_is_hollow_beside_the_filled_share_and_says_by_how_much_it_is_off():
    figure = figures.plot_practice(practice())
    assert figure.data[0].x[0] == pytest.approx(0.30)
    assert figure.data[1].marker.color == theme.PAPER
    assert "+18.0 (+16.0 to +20.0) points, shown and large enough to matter" in figure.layout.meta["alt"]


def test_texts_of_the_crm_are_escaped():
    stages = ("All stages", samples.HOSTILE, "Offer")
    model = ratios("model", ("cause-specific", "Fine-Gray"), level=samples.HOSTILE)
    for figure in (figures.plot_still_open(still_open(stages)), figures.plot_effects(model)):
        drawn = json.dumps(
            {"data": figure.to_plotly_json()["data"], "notes": str(figure.layout.annotations)}, default=str
        )
        assert "<img" not in drawn
        assert "<img" not in str(figure.layout.yaxis.ticktext)


def emptied(estimate: Estimate) -> Estimate:
    frame: Any = estimate.frame.assign(**dict.fromkeys(LIMITS, np.nan), no_interval_reason="fewer than 5 deals")
    return Estimate(frame, estimate.meta)


def test_nothing_to_draw_is_said():
    for draw, estimate in (
        (figures.plot_incidence_curves, banded()), (figures.plot_still_open, still_open()),
        (figures.plot_later_won, later_won()), (figures.plot_practice, practice()),
        (figures.plot_effects, ratios("model", ("cause-specific",))),
        (figures.plot_ratios_by_age, ratios("age", ("up to 30",))),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="nothing to draw"):
            draw(emptied(estimate))


def test_withheld_limits_and_counts_of_a_shared_report_are_drawn_without_them():
    frame = later_won().frame.assign(n_risk=np.nan)
    frame.loc[3, ["conf_low", "conf_high"]] = np.nan
    shared = Estimate(frame.assign(no_interval_reason="few"), later_won().meta)
    assert "nan" not in str(figures.plot_later_won(shared).layout.annotations)
    still = still_open()
    hidden = still.frame.assign(n_deals=np.nan)
    assert "nan" not in str(figures.plot_still_open(Estimate(hidden, still.meta)).layout.annotations)
