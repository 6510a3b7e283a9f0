"""Every number of the multi-state estimators against R: `python test_multistate_golden.py` prints the table."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reference_table import held_to_table

from analytics.estimators.intervals import probability_interval
from analytics.estimators.multistate.landmark import landmark, landmark_occupation
from analytics.estimators.multistate.occupation import stage_occupation
from analytics.estimators.multistate.probabilities import transition_covariance, transition_probabilities
from analytics.estimators.multistate.regression import move_hazards, predicted_occupation
from analytics.estimators.multistate.rows import Stages, read_stages
from analytics.estimators.multistate.stay import mean_stage_days
from analytics.estimators.multistate.table import TransitionTable, count_transitions, transition_counts
from analytics.estimators.result import Estimate

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
TOLERANCE = 1e-11
STATES = {
    "syn_stages": ["qualify", "evaluate", "negotiate", "won", "lost", "nodec"],
    "syn_illness_death": ["open", "neg", "won", "lost"],
}


class Differences:
    """Largest difference and how many numbers were compared; nulls of R are left out."""

    def __init__(self) -> None:
        self.largest, self.compared = 0.0, 0

    def see(self, mine: Any, theirs: Any, where: Any = True) -> None:
        a, b = np.asarray(mine, dtype=float), np.asarray(theirs, dtype=float)
        assert a.shape == b.shape
        keep = ~np.isnan(b) & where
        assert not np.isnan(a[keep]).any()
        self.compared += int(keep.sum())
        self.largest = max(self.largest, float(np.abs(a - b)[keep].max(initial=0)))


def load(name: str) -> pd.DataFrame:
    frame = pd.read_csv(GOLDEN / "inputs" / f"{name}.csv")
    frame = frame.rename(columns={"id": "deal_id", "tstart": "entry", "tstop": "exit"})
    labels = dict(enumerate(STATES[name], start=1))
    for column in ("from", "to"):
        frame[column] = pd.Categorical(frame[column].map(labels), categories=STATES[name], ordered=True)
    return frame


def stages(name: str = "syn_stages", **how: Any) -> Stages:
    return read_stages(load(name), **how)


def table(name: str = "syn_stages") -> TransitionTable:
    return count_transitions(stages(name))


def wide(frame: pd.DataFrame, column: str, across: str, states: list[str]) -> pd.DataFrame:
    return frame.pivot(index="time", columns=across, values=column)[states]


def compare_occupation(seen: Differences, value: dict[str, Any], found: pd.DataFrame, rows: slice) -> None:
    states = value["states"]
    times = value["time"][rows]
    theirs = {name: np.array(value[name][rows], dtype=float) for name in ("pstate", "std_err", "lower", "upper")}
    estimate, error = (wide(found, name, "state", states) for name in ("estimate", "std_error"))
    assert estimate.index.tolist() == times
    seen.see(estimate, theirs["pstate"])
    seen.see(error, theirs["std_err"])
    seen.see(wide(found, "n_event", "state", states), np.array(value["n_event"], dtype=float)[rows])
    seen.see(wide(found, "n_risk", "state", states), np.array(value["n_risk"], dtype=float)[rows])
    inside = (theirs["pstate"] > 1e-12) & (theirs["pstate"] < 1 - 1e-12) & (theirs["std_err"] > 1e-9)
    limits = probability_interval(
        estimate.to_numpy(), error.to_numpy(), np.ones(estimate.shape), interval=value["conf_type"]
    )
    for mine, name in zip(limits, ("lower", "upper"), strict=True):
        seen.see(mine, theirs[name], inside)


def occupation(name: str = "syn_stages", **how: Any) -> Callable[[Any], Differences]:
    def compare(value: Any) -> Differences:
        seen = Differences()
        by = "segment" if value["strata"] else ()
        found = stage_occupation(stages(name, by=by), **how).frame
        begin = 0
        for label, length in (value["strata"] or {"=": len(value["time"])}).items():
            own = found[found["segment"] == label.split("=")[1]] if by else found
            compare_occupation(seen, value, own, slice(begin, begin + length))
            begin += length
        return seen

    return compare


def compare_rows(seen: Differences, value: Any, found: Estimate, state: str, variance: str) -> None:
    """One state of a probtrans: its first row is the start."""
    states = STATES["syn_stages"]
    mine = found.at(**{"from": state})
    estimate, error = (wide(mine, name, "to", states).loc[value["time"][1:]] for name in ("estimate", "std_error"))
    seen.see(estimate, np.array(value["p"], dtype=float)[1:])
    # at 0 and at 1 Aalen's variance need not be 0; here the limits there come from the number of deals instead
    inside = ((estimate > 0) & (estimate < 1)).to_numpy() if variance == "aalen" else True
    seen.see(error, np.array(value["se"], dtype=float)[1:], inside)


def probtrans(variance: Any) -> Callable[[Any], Differences]:
    def compare(value: Any) -> Differences:
        seen = Differences()
        start, rows = (value["s"], value["from"]) if isinstance(value, dict) else (0, value)
        found = transition_probabilities(table(), start=start, variance=variance)
        for row in rows:
            compare_rows(seen, row, found, STATES["syn_stages"][row["from"] - 1], variance)
        return seen

    return compare


def etm(name: str = "syn_stages") -> Callable[[Any], Differences]:
    def compare(value: Any) -> Differences:
        seen, names = Differences(), STATES[name]
        found = transition_probabilities(table(name), start=value["s"], times=value["times"])
        for move, theirs in value["transitions"].items():
            h, j = (names[int(k) - 1] for k in move.split())
            mine = found.at(**{"from": h, "to": j})
            seen.see(mine["estimate"], theirs["P"])
            seen.see(mine["std_error"] ** 2, theirs["var"])
            time = value["times"][-1]
            square = transition_covariance(table(name), start=value["s"], time=time)
            seen.see(square.loc[(h, j), j], theirs["var"][-1])
        return seen

    return compare


def days(name: str = "syn_stages", *, late: bool = False, by: str = "") -> Callable[[Any], Differences]:
    """R starts some clocks at the first move, and takes the error at tau from a line between those of two days."""

    def compare(value: Any) -> Differences:
        seen, states, tau = Differences(), STATES[name], value["tau"]
        read = stages(name, by=by or ())

        def at(horizon: float) -> pd.DataFrame:
            found = mean_stage_days(read, horizon_days=horizon, start=0, beyond_follow_up="carry").frame
            return found.sort_values(by, kind="stable") if by else found

        mine = at(tau)
        groups = mine[by].unique() if by else [None]
        shown = np.array(value["table"], dtype=float).reshape(len(states), len(groups), 4)
        for g, group in enumerate(groups):
            rows = mine[by] == group if by else np.full(len(mine), True)
            own = load(name).query(f"{by} == @group") if by else load(name)
            first = min(own.loc[own["to"].notna(), "exit"]) if late else 0
            clock = np.where(np.array(states) == states[0], first, 0)
            seen.see(mine.loc[rows, "estimate"] - clock, shown[:, g, 2])
            exits = np.unique(own["exit"])
            before, after = exits[exits <= tau].max(), exits[exits > tau].min()
            low, high = (at(t).loc[rows, "std_error"].to_numpy() for t in (before, after))
            seen.see(low + (high - low) * (tau - before) / (after - before), shown[:, g, 3])
        return seen

    return compare


def elos(value: Any) -> Differences:
    seen = Differences()
    for k, state in enumerate(STATES["syn_stages"]):
        found = mean_stage_days(stages(), horizon_days=value["tau"], start=0, initial=state)
        seen.see(found.frame["estimate"], value["elos"][k])
    return seen


def landmark_aj(value: Any) -> Differences:
    seen = Differences()
    own = landmark(stages(), state="evaluate", at=value["s"])
    seen.see(own.n_deals, value["n"])
    compare_rows(
        seen, value, transition_probabilities(count_transitions(own), start=value["s"]), "evaluate", "greenwood"
    )
    found = landmark_occupation(stages(), state="evaluate", at=value["s"]).frame
    seen.see(wide(found, "estimate", "state", STATES["syn_stages"]).loc[value["time"][1:]], np.array(value["p"])[1:])
    return seen


def survcheck(value: Any) -> Differences:
    seen = Differences()
    counts = transition_counts(table()).frame.pivot(index="from", columns="to", values="n")
    columns = [name if name != "(censored)" else "still there" for name in value["cols"]]
    seen.see(counts.loc[value["rows"], columns], value["transitions"])
    return seen


def events(value: Any) -> Differences:
    """mstate counts the deals that stay in an outcome as well, which have no stay here."""
    seen, names = Differences(), STATES["syn_stages"]
    counts = transition_counts(table()).frame.pivot(index="from", columns="to", values="n").loc[names]
    counts = counts[[*names, "still there"]].assign(total=lambda c: c.sum(axis=1))
    seen.see(counts.iloc[:3], value["freq"][:3])
    seen.see(counts[names].sum().iloc[3:], np.array(value["freq"])[3:, 7])
    return seen


def cox(value: Any) -> Differences:
    seen, names = Differences(), STATES["syn_stages"]
    fitted = move_hazards(load("syn_stages"), "x", ties="breslow")
    seen.see(fitted.loglik, value["loglik"])
    frame = fitted.coefficients.frame.set_index(["from", "to"])
    for k, (term, coefficient) in enumerate(value["coef"].items()):
        h, j = (names[int(place) - 1] for place in term.split("_")[1].split(":"))
        row = frame.loc[(h, j), ["estimate", "sandwich_std_error", "model_std_error"]]
        seen.see(row, [coefficient, value["robust_se"][k], value["naive_se"][k]])
    return seen


def cox_predict(value: Any) -> Differences:
    seen, names = Differences(), STATES["syn_stages"]
    fitted = move_hazards(load("syn_stages"), "x", ties="breslow")
    found = predicted_occupation(fitted, pd.DataFrame({"x": value["x"]}), initial="qualify", product="exponential")
    for k in range(2):
        mine = wide(found.at(profile=k), "estimate", "state", names)
        place = np.searchsorted(mine.index, value["time"], side="right") - 1
        seen.see(mine.to_numpy()[place], value["pstate"][k])
    return seen


COMPARED: dict[str, Callable[[Any], Differences]] = {
    "survcheck_transitions": survcheck,
    "mstate_events": events,
    "state_occupation": occupation(start=0),
    "state_occupation_by_segment": occupation(start=0),
    "state_occupation_p0_qualify": occupation(start=0, initial="qualify"),
    "state_occupation_start_time": occupation(start=29),
    "illness_death_occupation": occupation("syn_illness_death", start=0),
    "illness_death_occupation_by_segment": occupation("syn_illness_death", start=0),
    "sojourn_rmean_tau": days(late=True),
    "sojourn_rmean_tau_by_segment": days(late=True, by="segment"),
    "sojourn_rmean_tau_start0": days(),
    "illness_death_rmean": days("syn_illness_death"),
    "mstate_ELOS_tau": elos,
    "mstate_probtrans_from0_greenwood": probtrans("greenwood"),
    "mstate_probtrans_from_s0_greenwood": probtrans("greenwood"),
    "mstate_probtrans_from0_aalen": probtrans("aalen"),
    "mstate_probtrans_from_s0_aalen": probtrans("aalen"),
    "etm_transition_probs": etm(),
    "etm_transition_probs_s0": etm(),
    "illness_death_etm": etm("syn_illness_death"),
    "landmark_AJ_breslow": landmark_aj,
    "cox_multistate_x": cox,
    "cox_multistate_x_predict": cox_predict,
}


def reference() -> dict[str, Any]:
    return json.loads((GOLDEN / "syn_stages.json").read_text())  # type: ignore[no-any-return]


@cache
def seen_of(key: str) -> Differences:
    return COMPARED[key](reference()[key]["value"])


@pytest.mark.parametrize("key", COMPARED)
def test_every_number_agrees_with_r(key: str) -> None:
    seen = seen_of(key)
    assert seen.compared > 0
    assert seen.largest <= TOLERANCE


def test_every_reference_is_compared() -> None:
    assert set(reference()) == set(COMPARED)


def test_the_table_of_the_readme_is_current() -> None:
    held_to_table((key, seen_of(key).compared, seen_of(key).largest) for key in COMPARED)


if __name__ == "__main__":
    for name in COMPARED:
        result = seen_of(name)
        print(f"| `{name}` | {result.compared:,} | {result.largest:.0e} |")
