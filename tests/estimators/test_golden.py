"""Every number of the estimators against R: `python test_golden.py` prints the table of `tests/README.md`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reference_table import held_to_table

from analytics.estimators.aalen_johansen import curve_of
from analytics.estimators.counts import RiskTable, count_events
from analytics.estimators.incidence import conditional_incidence, cumulative_incidence, survival
from analytics.estimators.jackknife import changes_of, influence_at, influence_integrated
from analytics.estimators.mean_time import days_spent, restricted_mean_time_lost

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
SETS = ("abortion", "fourD", "mgus2", "syn_deals", "syn_deals_rc")
TOLERANCE = 1e-11
IJ: dict[str, Any] = {"variance": "infinitesimal_jackknife"}


def load(name: str) -> pd.DataFrame:
    frame = pd.read_csv(GOLDEN / "inputs" / f"{name}.csv")
    if name == "syn_deals_rc":
        frame = frame[frame["segment"] != "F"].reset_index(drop=True)
    if "entry" not in frame:
        frame["entry"] = -1
    frame["grp"] = frame["segment"] if "segment" in frame else frame["grp"]
    frame["outcome"] = np.where(frame["status"] == 0, "open", "c" + frame["status"].astype(str))
    return frame


def causes(frame: pd.DataFrame) -> list[str]:
    return [f"c{k}" for k in range(1, int(frame["status"].max()) + 1)]


def count(frame: pd.DataFrame, **how: Any) -> RiskTable:
    return count_events(frame, outcomes=causes(frame), **how)


class Differences:
    """Largest differences seen; nulls of R (no value there) are left out, and something must be compared."""

    def __init__(self) -> None:
        self.largest, self.compared = 0.0, 0

    def see(self, mine: Any, theirs: Any, where: Any = None) -> None:
        a, b = np.asarray(mine, dtype=float), np.asarray(theirs, dtype=float)
        assert a.shape == b.shape
        keep = ~np.isnan(b) if where is None else ~np.isnan(b) & where
        assert not np.isnan(a[keep]).any()
        self.compared += int(keep.sum())
        self.largest = max(self.largest, float(np.abs(a - b)[keep].max(initial=0)))


def step(frame: pd.DataFrame, times: list[float], column: str, start: float) -> np.ndarray:
    """Value of a curve at times, carried beyond follow-up as R's `extend = TRUE` does."""
    place = np.searchsorted(frame["time"].to_numpy(), times, side="right") - 1
    return np.where(place >= 0, frame[column].to_numpy()[np.maximum(place, 0)], start)


def compare_states(seen: Differences, value: dict[str, Any], incidence: pd.DataFrame, open_: pd.DataFrame) -> None:
    """One stratum of a multi-state survfit: `sfms` with the open state first."""
    names = [state for state in value["states"] if state != "(s0)"]
    for j, state in enumerate(value["states"]):
        mine = open_ if state == "(s0)" else incidence[incidence["outcome"] == state]
        times, start = value["time"], 1.0 if state == "(s0)" else 0.0
        estimate, error = (np.array(value[name], dtype=float)[:, j] for name in ("pstate", "std_err"))
        seen.see(step(mine, times, "estimate", start), estimate)
        seen.see(step(mine, times, "std_error", 0.0), error)
        # at 0 and at 1 R has a zero-width or missing interval; ours is told by test_limits_at_zero_and_one
        inside = (estimate > 1e-12) & (estimate < 1 - 1e-12) & (error > 1e-9)
        for column, theirs in (("conf_low", "lower"), ("conf_high", "upper")):
            seen.see(step(mine, times, column, 0.0), np.array(value[theirs], dtype=float)[:, j], inside)
    assert names == list(incidence["outcome"].unique())


def split_strata(value: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    start = 0
    for label, length in value["strata"].items():
        rows = slice(start, start + length)
        columns = ("time", "pstate", "std_err", "lower", "upper", "n_risk", "n_event", "n_censor", "surv")
        piece = {name: value[name][rows] if name in columns else value[name] for name in value}
        yield label.split("=")[1], piece
        start += length


def compare_cif(value: dict[str, Any], risk: RiskTable, **how: Any) -> Differences:
    seen = Differences()
    incidence = cumulative_incidence(risk, **IJ, **how).frame
    open_ = survival(risk, **IJ, **how).frame
    if not risk.by:
        compare_states(seen, value, incidence, open_)
        return seen
    by = risk.by[0]
    for label, piece in split_strata(value):
        mine = incidence[incidence[by].astype(str) == label], open_[open_[by].astype(str) == label]
        compare_states(seen, piece, *mine)
    return seen


def cif_with(**how: Any) -> Callable[[str, dict[str, Any]], Differences]:
    counting = {name: how.pop(name) for name in ("by", "weights") if name in how}

    def compare(name: str, value: dict[str, Any]) -> Differences:
        risk = count(load(name), **counting)
        seen = compare_cif(value, risk, **how)
        if not counting:
            compare_counts(seen, value, risk)
        return seen

    return compare


def compare_counts(seen: Differences, value: dict[str, Any], risk: RiskTable) -> None:
    moves = risk.movements().set_index("time").loc[value["time"]]
    seen.see(moves["n_risk"], np.array(value["n_risk"], dtype=float)[:, 0])
    seen.see(moves["censored"], np.array(value["n_censor"], dtype=float).sum(axis=1))
    for j, state in enumerate(value["states"]):
        if state != "(s0)":
            seen.see(moves[f"d_{state}"], np.array(value["n_event"], dtype=float)[:, j])


def cif_grid(name: str, value: dict[str, Any]) -> Differences:
    return compare_cif(value, count(load(name)))


def cif_conditional(name: str, value: dict[str, Any]) -> Differences:
    seen, risk, start = Differences(), count(load(name)), value["start_time"]
    incidence = conditional_incidence(risk, at_age=start, **IJ).frame
    later = load(name).query("exit >= @start").assign(entry=lambda d: np.maximum(d["entry"], start - 1))
    compare_states(seen, value, incidence, survival(count(later), **IJ).frame)
    return seen


def expanded_rows(name: str, value: dict[str, Any]) -> Differences:
    frame = load(name)
    return compare_cif(value, count(frame.loc[frame.index.repeat(frame["fw"])]))


def km(
    by: tuple[str, ...] = (), weights: str | None = None, **how: Any
) -> Callable[[str, dict[str, Any]], Differences]:
    def compare(name: str, value: dict[str, Any]) -> Differences:
        seen = Differences()
        mine = survival(count(load(name), by=by, weights=weights), **how).frame
        pieces = split_strata(value) if by else [("", value)]
        for label, piece in pieces:
            rows = mine[mine["grp"].astype(str) == label] if by else mine
            compare_km(seen, rows, piece, piece["std_err_is_for_log"])
        return seen

    return compare


def compare_km(seen: Differences, rows: pd.DataFrame, value: dict[str, Any], for_log: bool) -> None:
    surv, error = np.array(value["surv"], dtype=float), np.array(value["std_err"], dtype=float)
    seen.see(step(rows, value["time"], "estimate", 1.0), surv)
    with np.errstate(invalid="ignore"):
        theirs = np.where(surv > 0, error * surv, 0.0) if for_log else error
    seen.see(step(rows, value["time"], "std_error", 0.0), theirs)
    inside = (surv > 1e-12) & (surv < 1 - 1e-12)
    for column, limit in (("conf_low", "lower"), ("conf_high", "upper")):
        seen.see(step(rows, value["time"], column, 1.0), np.array(value[limit], dtype=float), inside)


def late_start(rows: pd.DataFrame) -> float:
    """R counts time open from the first entry, these estimators from the opening."""
    return max(float(rows["entry"].min()), 0.0)


def rmtl(by: tuple[str, ...] = (), weights: str | None = None) -> Callable[[str, dict[str, Any]], Differences]:
    """R's table starts at the first entry, and its standard error stops at the last exit up to tau.

    So the standard error is compared where tau is an exit or nobody is followed beyond it; between two exits R's is
    off (its own residuals disagree with it), and the keys from residuals hold ours.
    """

    def compare(name: str, value: dict[str, Any]) -> Differences:
        seen, tau, frame = Differences(), value["tau"], load(name)
        groups = sorted(frame["grp"].unique()) if by else [""]
        for g, group in enumerate(groups):
            rows = frame[frame["grp"] == group] if by else frame
            risk = count_events(rows, outcomes=causes(frame), weights=weights)
            how: dict[str, Any] = {"beyond_follow_up": "carry", **IJ}
            whole = restricted_mean_time_lost(risk, horizon_days=tau, **how).frame.set_index("outcome")
            last = rows.loc[rows["exit"] <= tau, "exit"].max()
            exact = last == tau or not (rows["exit"] > tau).any()
            part = whole
            if last < tau:
                part = restricted_mean_time_lost(risk, horizon_days=last, **how).frame.set_index("outcome")
            for j, state in enumerate(["open", *causes(frame)]):
                row = value["table"][j * len(groups) + g]
                seen.see(whole.loc[state, "estimate"] - (late_start(rows) if state == "open" else 0), row[2])
                if exact:
                    seen.see(part.loc[state, "std_error"], row[3])
        return seen

    return compare


def rmtl_residuals(name: str, value: list[Any]) -> Differences:
    seen, frame = Differences(), load(name)
    entries = [entry for item in value for entry in (item if isinstance(item, list) else [item])]
    for entry in entries:
        if "note" in entry:
            continue
        rows = frame[frame["grp"] == entry["group"]] if "group" in entry else frame
        mine = restricted_mean_time_lost(
            count_events(rows, outcomes=causes(frame)), horizon_days=entry["tau"], beyond_follow_up="carry", **IJ
        ).frame.set_index("outcome")
        order = ["open" if state == "(s0)" else state for state in entry["states"]]
        late = np.array([late_start(rows) if state == "open" else 0 for state in order])
        seen.see(mine.loc[order, "estimate"] - late, entry["est"])
        seen.see(mine.loc[order, "std_error"], entry["se_ij"])
    return seen


def etm(name: str, value: dict[str, Any]) -> Differences:
    seen = Differences()
    mine = cumulative_incidence(count(load(name))).frame  # Greenwood by default
    for label, theirs in value["cif"].items():
        rows = mine[mine["outcome"] == "c" + label.split()[1]]
        seen.see(step(rows, value["times"], "estimate", 0.0), theirs["P"])
        seen.see(step(rows, value["times"], "std_error", 0.0) ** 2, theirs["var"])
    return seen


def cuminc(by: tuple[str, ...] = ()) -> Callable[[str, dict[str, Any]], Differences]:
    def compare(name: str, value: dict[str, Any]) -> Differences:
        seen = Differences()
        mine = cumulative_incidence(count(load(name), by=by)).frame
        for label, theirs in value["est"].items():
            group, cause = label.rsplit(" ", 1)
            rows = mine[mine["outcome"] == "c" + cause]
            rows = rows[rows["grp"].astype(str) == group] if by else rows
            seen.see(step(rows, value["times"], "estimate", 0.0), theirs)
        return seen

    return compare


def cuminc_full(name: str, value: dict[str, Any]) -> Differences:
    seen = Differences()
    mine = cumulative_incidence(count(load(name))).frame
    for label, theirs in value.items():
        last = pd.DataFrame({"time": theirs["time"], "est": theirs["est"]}).groupby("time").last().reset_index()
        rows = mine[mine["outcome"] == "c" + label.split()[1]]
        seen.see(step(rows, last["time"].tolist(), "estimate", 0.0), last["est"])
    return seen


def prodlim(name: str, value: dict[str, Any]) -> Differences:
    seen = Differences()
    mine = cumulative_incidence(count(load(name))).frame
    for k, theirs in value["cuminc"].items() if isinstance(value["cuminc"], dict) else enumerate(value["cuminc"], 1):
        rows = mine[mine["outcome"] == f"c{k}"]
        seen.see(step(rows, value["time"], "estimate", 0.0), theirs)
        errors = value["se"][k] if isinstance(value["se"], dict) else value["se"][int(k) - 1]
        seen.see(step(rows, value["time"], "std_error", 0.0), errors)
    seen.see(rows["n_risk"], value["n_risk"][: len(rows)])
    return seen


def pseudo(name: str, value: dict[str, Any]) -> Differences:
    """Estimate + n x influence of each deal (R's IJ pseudo-values)."""
    seen, frame = Differences(), load(name)
    frame = frame[frame["segment"].isin(list("ABCD"))] if name == "syn_deals_rc" else frame
    risk = count(frame.assign(row=np.arange(len(frame))), cluster="row")
    ((_, cells),) = risk.strata()
    curve = curve_of(cells, len(risk.outcomes))
    changes = changes_of(curve, cells)
    whole = np.column_stack([curve.incidence, 1 - curve.survival])
    order, n = risk.cells["row"].to_numpy(), len(frame)

    def values(theta: np.ndarray, moved: np.ndarray) -> np.ndarray:
        rows = np.empty_like(moved)
        rows[order] = theta + n * moved
        return rows

    if "tau" in value:
        spent = days_spent(curve, value["tau"])
        mine = values(spent @ whole, influence_integrated(changes, spent))
        seen.see(mine[:, :-1], np.array(value["values"])[:, 1:])
        seen.see(value["tau"] - mine[:, -1], np.array(value["values"])[:, 0])
        return seen
    for t, time in enumerate(value["times"]):
        index = int(np.searchsorted(curve.time, time, side="right")) - 1
        mine = values(whole[index], influence_at(changes, index))
        if "cause1" in value:
            seen.see(mine[:, 0], np.array(value["cause1"])[:, t])
            continue
        first = np.array(value["first10"])
        seen.see(mine[:10, :-1], first[:, 1:, t])
        seen.see(1 - mine[:10, -1], first[:, 0, t])
        seen.see(mine[:, :-1].mean(axis=0), np.array(value["mean"])[1:, t])
    return seen


COVERED: dict[str, tuple[str, Callable[[str, Any], Differences]]] = {
    **{f"survfit_cif_all_ci_{i}": ("cumulative_incidence, survival (IJ)", cif_with(interval=i))
       for i in ("log", "log-log", "plain", "logit")},
    "survfit_cif_by_group": ("cumulative_incidence, survival (IJ)", cif_with(by="grp")),
    "survfit_cif_grid": ("cumulative_incidence, survival (IJ)", cif_grid),
    "survfit_conditional_start_time": ("conditional_incidence (IJ)", cif_conditional),
    "survfit_km_anyevent": ("survival (Greenwood)", km()),
    "survfit_km_anyevent_by_group": ("survival (Greenwood)", km(by=("grp",))),
    "km_weighted_pw": ("survival (Greenwood, weights)", km(weights="pw", variance="greenwood")),
    "km_weighted_pw_robust": ("survival (IJ, weights)", km(weights="pw")),
    "rmtl_all": ("restricted_mean_time_lost (IJ)", rmtl()),
    "rmtl_by_group": ("restricted_mean_time_lost (IJ)", rmtl(by=("grp",))),
    "rmtl_weights_pw": ("restricted_mean_time_lost (IJ, weights)", rmtl(weights="pw")),
    "rmtl_all_ij_residuals_auc": ("restricted_mean_time_lost (IJ)", rmtl_residuals),
    "rmtl_by_group_ij_residuals_auc": ("restricted_mean_time_lost (IJ)", rmtl_residuals),
    "etm_cif_all": ("cumulative_incidence (Greenwood)", etm),
    "weights_freq_as_case_weights_robust": ("cumulative_incidence (IJ, weights)",
        cif_with(weights="fw", interval="log-log")),
    "weights_freq_expanded_rows": ("cumulative_incidence (IJ)", expanded_rows),
    "weights_sampling_pw": ("cumulative_incidence (IJ, weights)", cif_with(weights="pw", interval="log-log")),
    "weights_sampling_pw_by_region": (
        "cumulative_incidence (IJ, weights)", cif_with(weights="pw", by="region", interval="log")),
    "cuminc_all": ("cumulative_incidence (estimates)", cuminc()),
    "cuminc_by_group": ("cumulative_incidence (estimates)", cuminc(by=("grp",))),
    "cuminc_all_full": ("cumulative_incidence (estimates)", cuminc_full),
    "prodlim_cif_all": ("cumulative_incidence (Greenwood, n at risk)", prodlim),
    "pseudo_lefttrunc_ij_all": ("influence (pseudo-values)", pseudo),
    "pseudo_ij_survival": ("influence (pseudo-values)", pseudo),
    "pseudo_rmtl_ij_survival": ("influence (pseudo-values)", pseudo),
}  # fmt: skip
VALUES = {name: json.loads((GOLDEN / f"{name}.json").read_text()) for name in SETS}
KEYS = [(name, key) for name in SETS for key in VALUES[name]]


@cache
def seen_of(name: str, key: str) -> Differences:
    return COVERED[key][1](name, VALUES[name][key]["value"])


@pytest.mark.parametrize(("name", "key"), KEYS)
def test_same_as_r(name: str, key: str) -> None:
    seen = seen_of(name, key)
    assert seen.compared > 0
    assert seen.largest < TOLERANCE


def test_every_committed_key_is_compared() -> None:
    assert {key for _, key in KEYS} == set(COVERED)


def test_the_table_of_the_readme_is_current() -> None:
    held_to_table((key, seen_of(name, key).compared, seen_of(name, key).largest) for name, key in KEYS)


if __name__ == "__main__":
    for name, key in KEYS:
        result = seen_of(name, key)
        print(f"| {name} | `{key}` | {COVERED[key][0]} | {result.compared} | {result.largest:.0e} |")
