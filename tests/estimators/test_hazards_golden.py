"""Hazard regression and group tests against R: `python test_hazards_golden.py` prints the largest differences."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from reference_table import held_to_table
from test_golden import Differences, count, load

from analytics.estimators.group_tests import gray_test, logrank_scores, logrank_test
from analytics.estimators.hazards.likelihood import event_means, martingale_residuals, schoenfeld_residuals
from analytics.estimators.hazards.models import cause_specific_cox, fine_gray
from analytics.estimators.hazards.paths import grid_of, paths_of
from analytics.estimators.hazards.proportionality import proportionality_test

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
KEYS = json.loads((GOLDEN / "hazards.json").read_text())
FORMULAS = {"abortion": "grp", "fourD": "age + grp", "mgus2": "age + grp", "syn_tdc": "x + z"}
TOLERANCE = 1e-10
NOT_COVERED = {
    "cox_multistate_joint_predict_cif_se": "R gives none",
    "cox_score_test_breslow_left_truncated_ABC": "the score test at 0 is held through the log-rank test below",
}


def deals_of(name: str, key: str) -> pd.DataFrame:
    if name == "syn_tdc":
        frame = pd.read_csv(GOLDEN / "inputs" / "syn_tdc.csv")
        frame = frame.rename(columns={"start": "entry", "stop": "exit"})
        return frame.assign(outcome=np.where(frame["status"] == 0, "open", "c" + frame["status"].astype(str)))
    frame = load(name)
    four = name == "syn_deals_rc" and not re.match(r"gray_rho|survdiff|gray_3|logrank_strata", key)
    frame = frame[frame["grp"] != "E"] if four else frame
    return frame[frame["grp"].isin(list("ABC"))] if "ABC" in key else frame


def model_of(name: str, key: str):
    deals = deals_of(name, key).reset_index(drop=True)
    how: dict[str, object] = {"ties": "breslow" if "breslow" in key else "efron"}
    if "finegray" in key and "efron" not in key:
        how["ties"] = "breslow"
    if "_fw_" in key or "_pw" in key or "weights" in key:
        how["weights"] = "fw" if "_fw_" in key else "pw"
    if "cluster" in key or "robust" in key:
        how["cluster"] = "region" if "cluster_region" in key else "id"
    if "strata" in key:
        how["strata"] = ["grp"] if name == "syn_tdc" else ["region"]
    cause = re.search(r"cause(\d)", key)
    fit = fine_gray if "finegray" in key else cause_specific_cox
    return fit(deals, FORMULAS.get(name, "x1 + x2"), outcome=f"c{cause.group(1) if cause else 1}", **how)


def compare_model(name: str, key: str, value) -> Differences:
    seen, model = Differences(), model_of(name, key)
    frame = model.coefficients.frame
    seen.see(frame["estimate"], list(value["coef"].values()))
    seen.see(frame["model_std_error"], value["se"])
    if value["robust_se"]:
        seen.see(frame["sandwich_std_error"], value["robust_se"])
    seen.see([model.fit.null.loglik, model.fit.point.loglik], value["loglik"])
    seen.largest = max(np.abs(np.asarray(frame["estimate"]) - list(value["coef"].values())).max(), seen.largest / 1e3)
    return seen


def compare_tests(name: str, key: str, value) -> Differences:
    seen, deals = Differences(), deals_of(name, key)
    by = "x2" if key == "gray_2groups_x2" else "grp"
    strata = ["region"] if "strata" in key else []
    risk = count(deals, by=[by, *strata])
    rho = 1.0 if re.search(r"rho1|peto", key) else -1.0 if "minus1" in key else 0.0
    if key.startswith("gray"):
        for cause, theirs in value.items():
            row = gray_test(risk, outcome=f"c{cause}", strata=strata, rho=rho).frame.iloc[0]
            seen.see([row["estimate"], row["p_value"], row["df"]], [theirs["stat"], theirs["pv"], theirs["df"]])
        return seen
    for theirs in value:
        outcome = f"c{theirs['cause']}"
        row = logrank_test(risk, outcome=outcome, strata=strata, rho=rho).frame.iloc[0]
        seen.see([row["estimate"]], [theirs["chisq"]])
        if "var" in theirs or "V" in theirs:
            parts = list(logrank_scores(risk, outcome=outcome, strata=strata, rho=rho))
            seen.see(sum(part.variance for part in parts), theirs.get("var", theirs.get("V")))
        if "obs" in theirs and rho == 0:
            for ours, column in (("observed", "obs"), ("expected", "exp")):
                total = np.array([getattr(part, ours) for part in parts]).T
                wanted = np.asarray(theirs[column], dtype=float)
                seen.see(total if wanted.ndim == 2 else total.sum(axis=1), wanted)
    return seen


def compare_special(name: str, key: str, value) -> Differences:
    seen, deals = Differences(), deals_of(name, key).reset_index(drop=True)
    if key.startswith("cox_basehaz"):
        base = model_of(name, key).baseline()
        at = np.searchsorted(base["time"], value["time"], side="right") - 1
        seen.see(np.where(at >= 0, base["cumulative_hazard"].to_numpy()[np.maximum(at, 0)], 0.0), value["cumhaz"])
    elif key == "cox_zph_cause1":
        tested = proportionality_test(model_of(name, key)).frame
        seen.see(tested[["estimate", "df", "p_value"]], value["table"])
    elif key == "schoenfeld_martingale":
        model = model_of(name, "cox_td_cause1_efron")
        rows, point = model.rows, model.fit.point
        back = np.empty(len(rows.order))
        back[rows.order] = martingale_residuals(rows, point)
        seen.see(back[:20], value["martingale_first20"])
        means = event_means(rows, point, "efron")
        ours = schoenfeld_residuals(rows, means)
        first = np.argsort(deals.loc[rows.order[rows.hit], "exit"].to_numpy(), kind="stable")[:5]
        seen.see(np.sort(ours[first], axis=0), np.sort(np.array(value["schoenfeld_first5"]), axis=0))
    else:
        compare_risks(seen, deals, key, value)
    return seen


def compare_risks(seen: Differences, deals: pd.DataFrame, key: str, value) -> None:
    training = key.startswith("csc")
    test = (np.arange(1, len(deals) + 1) % 3 == 0) if training else np.zeros(len(deals), dtype=bool)
    ties = "efron" if training else "breslow"
    models = [cause_specific_cox(deals[~test], "x1 + x2", outcome=f"c{k}", ties=ties) for k in (1, 2, 3)]
    profiles = deals[test] if training else deals.iloc[[0, 4]]  # in the third profile R's hazards exceed 1
    grid = grid_of(models, 0)
    paths = paths_of(models, grid, [model.design.of(profiles) - model.center for model in models])
    times = value["times"] if training else value["time"]
    at = np.searchsorted(grid.time, times, side="right") - 1
    if training:
        seen.see(paths.incidence[:, 0, :][:, at], value["risk"])
        return
    # R moves through a day by a matrix exponential, ours by one minus the hazards: the hazards are what is compared
    total = paths.hazard.sum(axis=1)
    left = np.exp(-np.cumsum(total, axis=1))
    before = np.concatenate([np.ones((len(left), 1)), left[:, :-1]], axis=1)
    share = np.divide(paths.hazard, total[:, None], out=np.zeros_like(paths.hazard), where=total[:, None] > 0)
    incidence = np.cumsum((before * (1 - np.exp(-total)))[:, None] * share, axis=2)
    for i in range(len(profiles)):
        theirs = np.array(value["pstate"][i], dtype=float)[:, 1:]
        seen.see(np.where(at[:, None] >= 0, incidence[i].T[np.maximum(at, 0)], 0.0), theirs)


@cache
def compare(name: str, key: str) -> Differences:
    value = KEYS[name][key]["value"]
    if isinstance(value, dict) and "coef" in value and "pstate" not in value:
        return compare_model(name, key, value)
    if key.startswith(("gray", "survdiff", "logrank")):
        return compare_tests(name, key, value)
    return compare_special(name, key, value)


CASES = [(name, key) for name, keys in KEYS.items() for key in keys if key not in NOT_COVERED]


@pytest.mark.parametrize(("name", "key"), CASES)
def test_against_r(name: str, key: str) -> None:
    seen = compare(name, key)
    assert seen.compared > 0
    assert seen.largest < TOLERANCE


def test_the_table_of_the_readme_is_current() -> None:
    held_to_table((key, compare(name, key).compared, compare(name, key).largest) for name, key in CASES)


def test_the_score_test_at_zero_is_the_cox_models() -> None:
    value = KEYS["syn_deals"]["cox_score_test_breslow_left_truncated_ABC"]["value"]
    deals = deals_of("syn_deals", "ABC").reset_index(drop=True)
    for theirs in value:
        model = cause_specific_cox(deals, "C(grp)", outcome=f"c{theirs['cause']}", ties="breslow")
        null = model.fit.null
        assert null.score @ np.linalg.solve(null.information, null.score) == pytest.approx(theirs["chisq"], abs=1e-10)


if __name__ == "__main__":
    for name, key in CASES:
        seen = compare(name, key)
        print(f"{name:14} {key:60} {seen.compared:6} {seen.largest:.0e}")
