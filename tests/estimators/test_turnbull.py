"""Outcomes known to an interval: R's Turnbull, Aalen-Johansen where days are exact, what a maximum must satisfy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.interval_incidence import interval_incidence
from analytics.estimators.turnbull import NEVER, Maximum, Places, Sightings, maximise, places_of
from analytics.records.errors import InputError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
VALUES = json.loads((GOLDEN / "syn_interval.json").read_text())
NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "n_risk", "cum_event"]
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def fitted(frame: pd.DataFrame) -> tuple[Sightings, Places, Maximum]:
    after, by = frame["left"].fillna(-np.inf).to_numpy(), frame["right"].fillna(np.inf).to_numpy()
    seen = Sightings(after, by, np.where(np.isinf(by), NEVER, 0), np.ones(len(frame)))
    places = places_of(seen, 1)
    return seen, places, maximise(seen, places)


def against_r(frame: pd.DataFrame, time: list[float], surv: list[float]) -> float:
    """R spreads its mass over the middles of the places, and stops while some is still on its way."""
    seen, places, best = fitted(frame)
    middle = np.where(np.isinf(places.high), np.inf, (places.low + places.high) / 2)
    mine = np.array([1 - best.mass[middle <= t + 1e-9].sum() for t in time])
    difference = np.abs(mine - np.array(surv))
    # one value per curve, where R's last steps moved mass of 4e-5 from an empty place
    assert (difference > 1e-7).sum() == 1
    theirs = np.diff(-np.array([1.0, *surv]))
    held = (np.array(time)[None, :] >= seen.after[:, None] - 1e-9) & (
        np.array(time)[None, :] <= seen.by[:, None] + 1e-9
    )
    assert np.log(best.held @ best.mass).sum() >= np.log((held * theirs).sum(axis=1)).sum() - 1e-3
    return float(difference.max())


def test_turnbull_all_is_r_up_to_where_r_stops() -> None:
    frame, value = pd.read_csv(GOLDEN / "inputs" / "syn_interval.csv"), VALUES["turnbull_all"]["value"]
    assert against_r(frame, value["time"], value["surv"]) < 4e-5


def test_turnbull_by_g_is_r_up_to_where_r_stops() -> None:
    frame, value = pd.read_csv(GOLDEN / "inputs" / "syn_interval.csv"), VALUES["turnbull_by_g"]["value"]
    start = 0
    for label, length in value["strata"].items():
        rows = slice(start, start + length)
        mine = frame[frame["g"] == int(label[-1])]
        assert against_r(mine, value["time"][rows], value["surv"][rows]) < 4e-5
        start += length


def test_the_maximum_is_self_consistent() -> None:
    """Mass of a place = mean over deals of the chance that the deal lies there, and no empty place is wanted."""
    seen, _, best = fitted(pd.read_csv(GOLDEN / "inputs" / "syn_interval.csv"))
    share = best.held * best.mass / (best.held @ best.mass)[:, None]
    assert np.abs(share.mean(axis=0) - best.mass).max() < 1e-10
    pull = (best.held / (best.held @ best.mass)[:, None]).mean(axis=0)
    assert pull.max() <= 1 + 1e-10
    assert best.unique
    assert len(seen.w) == 120


def exact_deals(late_look: bool = False) -> pd.DataFrame:
    frame = pd.read_csv(GOLDEN / "inputs" / "syn_deals_rc.csv").assign(entry=-1)
    frame["outcome"] = np.array(["open", "won", "lost", "no_decision"])[frame["status"]]
    frame["account"] = np.arange(len(frame)) // 3
    if late_look:
        frame["open_after"] = np.where(frame["status"] > 0, np.maximum(frame["exit"] - 1, -1), np.nan)
    return frame


@pytest.mark.parametrize("how", [{}, {"weights": "pw"}, {"cluster": "account"}, {"by": "region"}])
@pytest.mark.parametrize("late_look", [False, True])
def test_exact_days_are_aalen_johansen_with_its_variances(how: dict[str, Any], late_look: bool) -> None:
    frame, times = exact_deals(late_look), [14, 28, 42, 63, 98]
    mine = interval_incidence(frame, times=times, interval="log-log", **how).frame
    theirs = cumulative_incidence(count_events(frame, **how), times=times, interval="log-log").frame
    keys = [name for name in ("region", "outcome", "time") if name in mine]
    both = mine.merge(theirs, on=keys, suffixes=("", "_"))
    assert len(both) == len(mine) == len(theirs)
    inside = both["estimate"].between(1e-9, 1 - 1e-9)  # at 0 the effective number differs on purpose
    for name in NUMBERS:
        rows = both[inside] if name.startswith("conf") else both
        np.testing.assert_allclose(rows[name], rows[name + "_"], atol=1e-12)


def test_looks_at_one_grid_are_aalen_johansen_of_the_grid() -> None:
    """With weekly extracts, and open deals seen last on an extract, the week is all there is to know."""
    frame = exact_deals()
    ended = frame["status"] > 0
    frame["open_after"] = np.where(ended, np.maximum((frame["exit"] - 1) // 7 * 7, -1), np.nan)
    frame["exit"] = np.where(ended, frame["open_after"].fillna(0) // 7 * 7 + 7, frame["exit"] // 7 * 7)
    mine = interval_incidence(frame, times=[14, 28, 42]).frame
    theirs = cumulative_incidence(count_events(frame.drop(columns="open_after")), times=[14, 28, 42]).frame
    np.testing.assert_allclose(mine[NUMBERS], theirs[NUMBERS], atol=1e-12)
    assert (mine["bound_low"] == mine["bound_high"]).all()


@st.composite
def sightings(draw: st.DrawFn) -> pd.DataFrame:
    row = st.tuples(st.integers(-1, 12), st.integers(1, 6), st.sampled_from(["won", "lost", "open"]), st.booleans())
    rows = draw(st.lists(row, min_size=1, max_size=14))
    frame = pd.DataFrame(rows, columns=["after", "width", "outcome", "exact"]).assign(entry=-1)
    frame["exit"] = frame["after"] + frame["width"]
    frame["open_after"] = np.where((frame["outcome"] == "open") | frame["exact"], np.nan, frame["after"])
    return frame


@QUICK
@given(sightings())
def test_no_other_curve_is_likelier(frame: pd.DataFrame) -> None:
    """A slow EM from another start never gets beyond the maximum, and self-consistency holds."""
    from analytics.estimators.interval_incidence import _sightings

    seen, _ = _sightings(frame, (), None, None)
    places = places_of(seen, 3)
    best = maximise(seen, places)
    mass = np.random.default_rng(3).dirichlet(np.ones(len(best.mass)))
    for _ in range(400):
        mass = (best.held * mass / (best.held @ mass)[:, None]).mean(axis=0)
    assert np.log(best.held @ mass).sum() <= np.log(best.held @ best.mass).sum() + 1e-9 * len(frame)
    share = best.held * best.mass / (best.held @ best.mass)[:, None]
    assert np.abs(share.mean(axis=0) - best.mass).max() < 1e-10


@QUICK
@given(sightings(), st.integers(1, 9), st.randoms(use_true_random=False))
def test_order_doubling_time_shift_and_names_of_causes(frame: pd.DataFrame, shift: int, random: Any) -> None:
    curve = interval_incidence(frame).frame
    order = list(range(len(frame)))
    random.shuffle(order)
    columns = ["bound_low", "bound_high"]
    again = interval_incidence(frame.iloc[order].reset_index(drop=True)).frame
    np.testing.assert_allclose(again[columns], curve[columns], atol=1e-7)
    twice = interval_incidence(pd.concat([frame, frame], ignore_index=True)).frame
    np.testing.assert_allclose(twice[columns], curve[columns], atol=1e-7)
    moved = frame.assign(
        exit=frame["exit"] + shift, entry=frame["entry"] + shift, open_after=frame["open_after"] + shift
    )
    late = interval_incidence(moved).frame
    np.testing.assert_allclose(late[columns], curve[columns], atol=1e-7)
    swapped = frame.assign(outcome=frame["outcome"].replace({"won": "lost", "lost": "won"}))
    other = interval_incidence(swapped).frame
    np.testing.assert_allclose(
        other.loc[other["outcome"] == "lost", columns], curve.loc[curve["outcome"] == "won", columns], atol=1e-7
    )


def test_between_the_places_only_bounds_are_known() -> None:
    deals = pd.DataFrame({"entry": -1, "open_after": [0, 3], "exit": [5, 8], "outcome": "won"})
    row = interval_incidence(deals, times=[4]).at(outcome="won").iloc[0]
    assert (row["estimate"], row["bound_low"], row["bound_high"]) == (0.0, 0.0, 1.0)
    row = interval_incidence(deals, times=[5]).at(outcome="won").iloc[0]
    assert (row["estimate"], row["bound_low"], row["bound_high"]) == (1.0, 1.0, 1.0)


def test_several_maxima_are_said_and_bounded() -> None:
    seen = Sightings(np.array([0.0, 2, 4, 6, 0, 4]), np.array([1.0, 3, 5, 7, 3, 7]), np.zeros(6, np.int64), np.ones(6))
    assert maximise(seen, places_of(seen, 1)).unique
    # four places, sets {1,2}, {3,4}, {1,3}, {2,4}: masses 1/4 + d, 1/4 - d, 1/4 - d, 1/4 + d are all as likely
    held = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1]], dtype=bool)

    class Square(Places):
        def held_by(self, seen: Sightings) -> Any:
            return held

    best = maximise(Sightings(*(np.zeros(4),) * 2, np.zeros(4, np.int64), np.ones(4)), Square(*(np.zeros(4),) * 3))
    from analytics.estimators.turnbull import range_of

    assert not best.unique
    assert range_of(best, np.array([True, False, False, False])) == pytest.approx((0.0, 0.5), abs=1e-9)
    assert range_of(best, np.array([True, True, False, False])) == pytest.approx((0.5, 0.5), abs=1e-9)


def test_snapshot_dates_of_deals_become_the_interval() -> None:
    deals = pd.DataFrame({
        "entry": -1, "exit": [7, 9], "outcome": ["won", "open"], "opened_on": pd.to_datetime(["2024-01-01"] * 2),
        "closed_after": pd.to_datetime(["2024-01-04", None]),
    })  # fmt: skip
    row = interval_incidence(deals, times=[4]).at(outcome="won").iloc[0]
    assert (row["bound_low"], row["bound_high"], row["cum_event"]) == (0.0, 0.5, 0)


def test_edges() -> None:
    none = pd.DataFrame({"entry": [], "exit": [], "outcome": []}).astype({"entry": int, "exit": int})
    assert interval_incidence(none).meta.note == "There are no deals."
    one = interval_incidence(pd.DataFrame({"entry": [-1], "exit": [5], "outcome": ["open"]}), times=[3, 9])
    assert one.meta.note == "All deals: no deal is followed beyond day 5."
    assert one.frame["estimate"].tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(InputError, match="watched only from later on"):
        interval_incidence(pd.DataFrame({"entry": [-1, 2], "exit": [5, 5], "outcome": "won"}))
    with pytest.raises(InputError, match="still open on the day"):
        interval_incidence(pd.DataFrame({"entry": [-1], "open_after": [5], "exit": [5], "outcome": "won"}))
    with pytest.raises(InputError, match="cannot be placed"):
        interval_incidence(pd.DataFrame({"entry": [-1], "exit": [5], "outcome": "unknown"}))
