"""Figures of cohorts: the Estimate's own numbers, what is outside the funnel, captions, alt texts, texts as text."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from display_samples import HOSTILE, meta

from analytics.display import figures, rendering, theme
from analytics.display.findings import Cards
from analytics.estimators.result import Estimate, Finding, Listing


def shares(segment: str = "source", levels: tuple[str, ...] = ("web", HOSTILE, "far", "few")) -> Estimate:
    nan = float("nan")
    frame = pd.DataFrame({
        "segment": segment, "level": levels, "estimate": [0.5, 0.62, 0.9, nan], "conf_low": [0.3, 0.3, 0.3, nan],
        "conf_high": [0.95, 0.95, 0.95, nan], "n_event": 20, "n_deals": [40, 80, 60, 93], "overall": 0.5, "low_95": 0.4,
        "high_95": 0.6, "low_99.8": 0.3, "high_99.8": 0.7, "outside": [0.0, 0.95, 0.998, 0.0], "comparable": True,
        "no_interval_reason": "few",
    })  # fmt: skip
    return Estimate(frame, meta("probability", ("segment", "level"), "won of closed deals"))


def rates(hostile: str = HOSTILE) -> Estimate:
    same = {"n_deals": 300, "n_event": 90, "overall": 0.31, "note": "", "no_interval_reason": ""}
    rows = [
        {"segment": "source", "level": level, "kind": kind, "estimate": value, "conf_low": value - 0.05,
         "conf_high": value + 0.05, **same}
        for level, first in (("web", 0.3), (hostile, 0.4))
        for kind, value in (("raw", first), ("standardised", first + 0.02), ("shrunken", first - 0.01))
    ]  # fmt: skip
    return Estimate(pd.DataFrame(rows), meta("probability", ("segment", "level", "kind"), "share won within 365 days"))


def differences() -> Estimate:
    rows = [
        {"segment": "source", "level": HOSTILE, "kind": kind, "estimate": value, "conf_low": value - 0.04,
         "conf_high": value + 0.04, "n_deals": 300, "margin": 0.03, "smallest_reliable_change": 0.09,
         "verdict": "shown, size unclear", "note": "", "no_interval_reason": ""}
        for kind, value in (("raw", 0.08), ("overlap", 0.05), ("inverse_probability", 0.06))
    ]  # fmt: skip
    return Estimate(pd.DataFrame(rows), meta("contrast", ("segment", "level", "kind"), "difference from the rest"))


def balance() -> Listing:
    frame = pd.DataFrame({
        "segment": "source", "level": HOSTILE, "term": ["size: large", "region: S"], "smd_before": [-0.8, 0.2],
        "smd_overlap": [0.0, 0.0], "smd_inverse_probability": [0.03, -0.06], "deals": 300,
    })  # fmt: skip
    return Listing(frame, "How far apart deals are")


ALL = {
    "funnel": lambda: figures.plot_funnel(shares()),
    "standardised": lambda: figures.plot_standardised(rates()),
    "contrasts": lambda: figures.plot_contrasts(differences()),
    "balance": lambda: figures.plot_balance(balance()),
}


def drawn(name: str) -> dict[str, Any]:
    return rendering.figure_json(ALL[name]())


@pytest.mark.parametrize("name", ALL)
def test_every_figure_is_stable_described_and_escapes_what_the_crm_says(name: str) -> None:
    figure = drawn(name)
    assert json.dumps(figure) == json.dumps(drawn(name))
    assert "NaN" not in json.dumps(figure)
    said = figure["layout"]["meta"]
    assert said["caption"]
    assert sum(character.isdigit() for character in said["alt"]) >= 4
    assert "nan" not in said["alt"].lower()
    assert "<img" not in json.dumps({key: value for key, value in figure["layout"].items() if key != "meta"})
    assert "<img" not in json.dumps(figure["data"])
    assert said["narrow"]


@pytest.mark.parametrize("name", ["standardised", "contrasts", "balance"])
def test_dots_differ_in_shape_and_not_in_colour_alone(name: str) -> None:
    looks = [(trace["marker"]["symbol"], trace["marker"]["color"] == theme.PAPER) for trace in drawn(name)["data"]]
    assert len(set(looks)) == len(looks) == 3


def test_the_funnel_has_its_limits_and_marks_what_lies_outside() -> None:
    figure = drawn("funnel")
    lines = {trace["name"]: trace for trace in figure["data"] if trace["mode"] == "lines"}
    assert set(lines) == {"all together", "low 99.8", "high 99.8", "low 95", "high 95"}
    assert lines["low 95"]["line"]["dash"] == "dash" != lines["low 99.8"]["line"]["dash"]
    assert lines["high 99.8"]["y"] == [0.7] * 3
    points = {trace["marker"]["symbol"]: trace for trace in figure["data"] if trace["mode"] == "markers"}
    assert {name: trace["y"] for name, trace in points.items()} == {"circle": [0.5], "diamond": [0.62], "square": [0.9]}
    assert points["square"]["x"] == [60]
    assert points["circle"]["customdata"] == [[0.3, 0.95]]
    assert "3 groups; 2 outside the inner funnel, of which 1 outside the outer one" in figure["layout"]["meta"]["alt"]
    assert "95" in figure["layout"]["meta"]["caption"]
    assert "31 January 2026" in figure["layout"]["meta"]["caption"]


def test_the_funnel_names_no_owner() -> None:
    people = shares("owner_id", ("Ann Bell", "Bob Cole", "Cy Dunn", "Di Eads"))
    figure = rendering.figure_json(figures.plot_funnel(people))
    drawn_texts = json.dumps([figure["layout"]["annotations"], figure["layout"]["meta"]])
    assert not [name for name in people.frame["level"] if name in drawn_texts]


def test_a_funnel_of_nothing_says_so() -> None:
    with pytest.raises(ValueError, match="no funnel by 'region'"):
        figures.plot_funnel(shares(), segment="region")


def test_shares_are_drawn_as_they_are_highest_first() -> None:
    figure = drawn("standardised")
    by = {trace["marker"]["symbol"]: trace for trace in figure["data"]}
    assert by["circle"]["x"] == pytest.approx([0.4, 0.3])
    assert by["diamond"]["x"] == pytest.approx([0.42, 0.32])
    assert by["square"]["x"] == pytest.approx([0.39, 0.29])
    assert by["diamond"]["error_x"]["array"] == pytest.approx([0.05, 0.05])
    assert "n = 412" in figure["layout"]["meta"]["caption"]


def test_a_segment_of_many_levels_is_left_to_the_table() -> None:
    one = rates().frame
    many = pd.concat([one.assign(segment="owner_id", level=f"o{k}").iloc[:1] for k in range(20)] + [one])
    figure = rendering.figure_json(figures.plot_standardised(Estimate(many, rates().meta)))
    assert "Not drawn: owner (20 levels, see the table)." in figure["layout"]["meta"]["caption"]
    assert "o7" not in figure["layout"]["meta"]["alt"]


def test_differences_stand_over_what_is_too_small_to_matter() -> None:
    figure = drawn("contrasts")
    by = {trace["marker"]["symbol"]: trace for trace in figure["data"]}
    assert (by["circle"]["x"], by["diamond"]["x"], by["square"]["x"]) == ([0.08], [0.05], [0.06])
    shaded = [shape for shape in figure["layout"]["shapes"] if shape["type"] == "rect"]
    assert (shaded[0]["x0"], shaded[0]["x1"]) == (-0.03, 0.03)
    alt = figure["layout"]["meta"]["alt"]
    assert "+5.0 (+1.0 to +9.0) points" in alt
    assert "would show from 9.0" in alt


def test_balance_shows_the_worst_covariate_before_and_after() -> None:
    figure = drawn("balance")
    by = {trace["marker"]["symbol"]: trace for trace in figure["data"]}
    assert (by["circle"]["x"], by["square"]["x"], by["diamond"]["x"]) == ([0.8], [0.06], [0])
    assert "before 0.80 (size: large), all deals 0.06, overlap 0.00" in figure["layout"]["meta"]["alt"]
    assert figure["layout"]["shapes"][-1]["x1"] == 0.1


def test_balance_to_rounding_names_no_covariate_and_is_the_same_on_every_machine() -> None:
    pictures = []
    for noise in ([6.7e-16, 2.9e-15], [4.4e-15, -1.3e-15]):
        frame = pd.DataFrame({
            "segment": "region", "level": "North", "term": ["size", "source"], "smd_before": [0.3, 0.1],
            "smd_inverse_probability": [0.02, 0.01], "smd_overlap": noise, "deals": 40,
        })  # fmt: skip
        pictures.append(rendering.figure_json(figures.plot_balance(Listing(frame, "How alike they are"))))
    assert pictures[0] == pictures[1]
    (diamond,) = [trace for trace in pictures[0]["data"] if trace["marker"]["symbol"] == "diamond"]
    assert (diamond["x"], diamond["hovertext"]) == ([0], ["North, overlap: 0.00"])


def test_a_finding_in_its_place_is_a_sentence_and_withheld_rows_are_drawn_without() -> None:
    said = Finding("x", "No deal.", "", "not studied")
    for plot in (figures.plot_funnel, figures.plot_standardised, figures.plot_contrasts, figures.plot_balance):
        assert isinstance(plot(said), Cards)
    frame = differences().frame
    frame.loc[1, ["estimate", "conf_low", "conf_high", "n_deals", "smallest_reliable_change", "margin"]] = float("nan")
    frame.loc[1, "no_interval_reason"] = "fewer than 5 deals"
    figure = rendering.figure_json(figures.plot_contrasts(Estimate(frame, differences().meta)))
    assert len(figure["data"]) == 2
    assert "nan" not in json.dumps(figure["layout"]["meta"]).lower()
