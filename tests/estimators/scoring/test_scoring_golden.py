"""Scores and regressions on pseudo-values against R: `python test_scoring_golden.py` prints differences by key."""

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

from analytics.estimators.influence import Influence
from analytics.estimators.scoring.auc import auc_of, time_dependent_auc
from analytics.estimators.scoring.brier import brier_of, brier_score
from analytics.estimators.scoring.calibration import calibration_bins
from analytics.estimators.scoring.censoring import marginal_censoring, modelled_censoring
from analytics.estimators.scoring.cohort import Forecasts, judged
from analytics.estimators.scoring.concordance import concordance
from analytics.estimators.scoring.joint import prediction_accuracy, score_differences
from analytics.estimators.scoring.pseudo import pseudo_regression, pseudo_values

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
VALUES = json.loads((GOLDEN / "scoring.json").read_text())
HORIZONS = (28.0, 42.0, 63.0)
TOLERANCE = 1e-11


class Seen:
    """The largest difference and how many numbers were compared."""

    def __init__(self) -> None:
        self.largest, self.compared = 0.0, 0

    def see(self, mine: Any, theirs: Any) -> None:
        a, b = np.asarray(mine, dtype=float), np.asarray(theirs, dtype=float)
        assert a.shape == b.shape
        assert not np.isnan(a).any()
        self.compared += a.size
        self.largest = max(self.largest, float(np.abs(a - b).max()))


def judged_deals() -> tuple[pd.DataFrame, Forecasts]:
    rows = pd.read_csv(GOLDEN / "inputs" / "syn_rc_predictions.csv")
    deals = pd.DataFrame({"entry": -1, "exit": rows["exit"], "x1": rows["x1"], "against_x1": -rows["x1"],
                          "csc": rows["csc_t42"]})  # fmt: skip
    deals["outcome"] = np.array(["open", "c1", "c2", "c3"])[rows["status"]]
    told = {
        model: np.stack([rows[f"{model}_t{t:g}"].to_numpy() for t in HORIZONS], axis=1)[:, None, :]
        for model in ("csc", "fgr")
    }
    return deals, Forecasts(("c1",), HORIZONS, told)


def beside(mine: pd.DataFrame, theirs: dict[str, Any], model: str = "model") -> pd.DataFrame:
    """Our rows and R's, by model (and reference) and time."""
    table = pd.DataFrame(theirs).replace("Null model", "null")
    keys = ["model", "reference"] if "reference" in table else ["model"]
    both = mine.merge(table, left_on=[*keys, "time"], right_on=[*keys, "times"], suffixes=("", "_r"))
    assert len(both) == len(table)
    return both


def all_differences(joint: Influence) -> pd.DataFrame:
    references = ["null", "csc"] if "null" in set(joint.estimate.frame["model"]) else ["csc"]
    frame = pd.concat([score_differences(joint, reference=name).frame for name in references])
    return frame[(frame["model"] != "null")]


def score(seen: Seen, value: dict[str, Any], brier: Influence, auc: Influence) -> None:
    both = beside(brier.estimate.frame, value["brier"])
    seen.see(both["estimate"], both["Brier"])
    both = beside(prediction_accuracy(brier).frame, value["brier"])
    seen.see(both["estimate"], both["IPA"])
    both = beside(auc.estimate.frame, value["auc"])
    seen.see(both["estimate"], both["AUC"])
    both = beside(all_differences(brier), value["brier_contrasts"])
    seen.see(both["estimate"], both["delta.Brier"])
    both = beside(all_differences(auc), value["auc_contrasts"])
    seen.see(both["estimate"], both["delta.AUC"])


def score_km(value: dict[str, Any]) -> Seen:
    """Standard errors with R's risk set of censoring (deals that end on a day count), of Brier scores only."""
    seen = Seen()
    deals, told = judged_deals()
    score(seen, value, brier_score(deals, told), time_dependent_auc(deals, told))
    cohort, kept = judged(deals, told, landmark=0, cluster=None, counts=None)
    as_r = marginal_censoring(cohort, tied_ends_at_risk=True)
    brier = brier_of(cohort, kept, as_r, as_r, 0.95)
    both = beside(brier.estimate.frame, value["brier"])
    for mine, theirs in (("std_error", "se"), ("conf_low", "lower"), ("conf_high", "upper")):
        seen.see(both[mine], both[theirs])
    both = beside(all_differences(brier), value["brier_contrasts"])
    for mine, theirs in (("std_error", "se"), ("conf_low", "lower"), ("conf_high", "upper"), ("p_value", "p")):
        seen.see(both[mine], both[theirs])
    return seen


def score_cox(value: dict[str, Any]) -> Seen:
    """With R's risk set of censoring: it is in the weights here."""
    seen = Seen()
    deals, told = judged_deals()
    cohort, kept = judged(deals, told, landmark=0, cluster=None, counts=None)
    as_r = modelled_censoring(cohort, deals, "x1", tied_ends_at_risk=True)
    brier = brier_of(cohort, kept, marginal_censoring(cohort), as_r, 0.95)
    score(seen, value, brier, auc_of(cohort, kept, as_r, 0.95))
    return seen


def without_factor(joint: Influence) -> float:
    """The standard error without n/(n-1), which R's concordance does not have."""
    frame = joint.estimate.frame
    units = len(joint.units)
    return float(frame["std_error"].iloc[0]) * float(np.sqrt((units - 1) / units))


def pec(value: dict[str, Any]) -> Seen:
    seen = Seen()
    row = concordance(judged_deals()[0], "csc", outcome="c1", horizon=42).estimate.frame.iloc[0]
    seen.see(row["estimate"], value["AppCindex"]["csc"])
    seen.see(row["comparable"], sum(value["Pairs"]["csc"].values()))
    seen.see(row["concordant"], sum(value["Concordant"]["csc"].values()))
    return seen


def never(value: dict[str, Any]) -> Seen:
    seen = Seen()
    joint = concordance(judged_deals()[0], "csc", outcome="c1", pairs="harrell")
    row, count = joint.estimate.frame.iloc[0], value["count"]
    seen.see(row["estimate"], value["concordance"])
    seen.see(without_factor(joint), value["se"])
    seen.see(row["concordant"], count["concordant"] + count["tied.x"] / 2)
    seen.see(row["comparable"], count["concordant"] + count["discordant"] + count["tied.x"])
    return seen


def any_event(value: dict[str, Any]) -> Seen:
    """R ranks by lower values of x1 first."""
    seen = Seen()
    for pairs in ("harrell", "uno"):
        joint = concordance(judged_deals()[0], "against_x1", pairs=pairs)  # type: ignore[arg-type]
        seen.see(joint.estimate.frame["estimate"].iloc[0], value[pairs])
        seen.see(without_factor(joint), value[f"{pairs}_se"])
    return seen


def bins(value: list[dict[str, Any]]) -> Seen:
    seen = Seen()
    frame = calibration_bins(*judged_deals()).at(model="csc", time=42.0)
    theirs = pd.DataFrame(value)
    for mine, name in (("bin", "group"), ("n_deals", "n"), ("forecast", "mean_pred"), ("estimate", "obs_aj"),
                       ("std_error", "se")):  # fmt: skip
        seen.see(frame[mine], theirs[name])
    return seen


def fitting_deals(name: str) -> pd.DataFrame:
    frame = pd.read_csv(GOLDEN / "inputs" / f"{name}.csv")
    if name == "syn_deals_rc":
        frame = frame[frame["segment"].isin(list("ABCD"))].reset_index(drop=True)
    frame["outcome"] = np.where(frame["status"] == 0, "open", "c" + frame["status"].astype(str))
    return frame.assign(entry=-1)


def jackknife(name: str) -> Callable[[Any], Seen]:
    def compare(value: dict[str, Any]) -> Seen:
        seen = Seen()
        times = value["times"] if "times" in value else [value["time"]]
        mine = pseudo_values(fitting_deals(name), outcome="c1", times=times, method="jackknife").to_numpy()
        theirs = np.asarray(value["values"] if "values" in value else value["values_first50"], dtype=float)
        seen.see(mine[: len(theirs)], theirs.reshape(len(theirs), -1))
        return seen

    return compare


LINKS: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]] = {
    "logit": (lambda m: np.log(m / (1 - m)), lambda e: 1 / (1 + np.exp(-e)),
              lambda e: np.exp(-e) / (1 + np.exp(-e)) ** 2),
    "cloglog": (lambda m: np.log(-np.log(1 - m)), lambda e: 1 - np.exp(-np.exp(e)), lambda e: np.exp(e - np.exp(e))),
}  # fmt: skip


def as_glm_fit(x: np.ndarray, y: np.ndarray, link: str, epsilon: float = 1e-8) -> tuple[np.ndarray, np.ndarray]:
    """R's glm.fit from the mean, and vcovHC of its result: coefficients and HC3 errors.

    It stops when the deviance changes by less than `epsilon`, before the coefficients do, and keeps the weights of the
    step before; with a tiny epsilon both are the least-squares ones.
    """
    forward, inverse, slope = LINKS[link]
    eta, deviance = forward(np.full(len(y), y.mean())), np.inf
    for _ in range(100):
        weight = slope(eta)
        working = eta + (y - inverse(eta)) / weight
        beta = np.linalg.lstsq(x * weight[:, None], working * weight, rcond=None)[0]
        eta, before = x @ beta, deviance
        deviance = ((y - inverse(eta)) ** 2).sum()
        if abs(deviance - before) / (abs(deviance) + 0.1) < epsilon:
            break
    weighted = x * weight[:, None]
    bread = np.linalg.inv(weighted.T @ weighted)
    leverage = (weighted @ bread * weighted).sum(axis=1)
    scores = x * (weight**2 * (y - inverse(eta)) / slope(eta) / (1 - leverage))[:, None]
    return beta, np.sqrt(np.diag(bread @ scores.T @ scores @ bread))


def eventglm(name: str, link: str, measure: str = "incidence") -> Callable[[Any], Seen]:
    """Identity: our fit. Curved links: R's steps up to where R stops, and on to the end, which is our fit."""

    def compare(value: dict[str, Any]) -> Seen:
        seen, deals = Seen(), fitting_deals(name)
        formula = "x1 + x2" if name == "syn_deals_rc" else "age + grp"
        time = value["tau"] if measure == "time_lost" else value["time"]
        asked: dict[str, Any] = {"outcome": "c1", "measure": measure, "method": "jackknife"}
        fitted = pseudo_regression(deals, formula, time=time, link=link, **asked).frame  # type: ignore[arg-type]
        beta, error = fitted["estimate"].to_numpy(), fitted["std_error"].to_numpy()
        if link != "identity":
            x, y = design_of(deals, formula), pseudo_values(deals, times=[time], **asked).iloc[:, 0].to_numpy()
            last = as_glm_fit(x, y, link, epsilon=1e-18)
            np.testing.assert_allclose(beta, last[0], rtol=1e-6)
            np.testing.assert_allclose(error, last[1], rtol=1e-6)
            beta, error = as_glm_fit(x, y, link)
        scale = 100.0 if measure == "time_lost" else 1.0
        seen.see(beta / scale, np.array(list(value["coef"].values())) / scale)
        seen.see(error / scale, np.array(list(value["se_robust"].values())) / scale)
        return seen

    return compare


def design_of(deals: pd.DataFrame, formula: str) -> np.ndarray:
    columns = [deals[name] for name in formula.split(" + ")]
    coded = [c.to_numpy(dtype=float) if c.dtype.kind in "if" else (c == sorted(c.unique())[1]).to_numpy(dtype=float)
             for c in columns]  # fmt: skip
    return np.column_stack([np.ones(len(deals)), *coded])


COVERED: dict[tuple[str, str], tuple[str, Callable[[Any], Seen]]] = {
    ("syn_deals_rc", "score_km_ipcw"): ("brier_score, prediction_accuracy, score_differences, auc", score_km),
    ("syn_deals_rc", "score_cox_ipcw_x1"): ("the same with modelled censoring", score_cox),
    ("syn_deals_rc", "pec_cindex_ipcw_marginal"): ("concordance (wolbers)", pec),
    ("syn_deals_rc", "uno_concordance_cause1_censor_competing_at_infinity"): ("concordance (harrell)", never),
    ("syn_deals_rc", "concordance_harrell_and_uno_anyevent"): ("concordance (harrell, uno)", any_event),
    ("syn_deals_rc", "calibration_quantile_groups"): ("calibration_bins", bins),
    ("syn_deals_rc", "eventglm_rmeanglm_cause1_identity"): (
        "pseudo_regression (time lost)", eventglm("syn_deals_rc", "identity", "time_lost")),
    **{("syn_deals_rc", f"eventglm_cumincglm_cause1_{link}"): ("pseudo_regression", eventglm("syn_deals_rc", link))
       for link in ("identity", "logit", "cloglog")},
    **{(name, "eventglm_cumincglm_cause1_cloglog"): ("pseudo_regression", eventglm(name, "cloglog"))
       for name in ("fourD", "mgus2")},
    **{(name, "pseudo_jackknife_prodlim_cause1"): ("pseudo_values (jackknife)", jackknife(name))
       for name in ("syn_deals_rc", "fourD", "mgus2")},
}  # fmt: skip
KEYS = [(name, key) for name, keys in VALUES.items() for key in keys]


@cache
def seen_of(name: str, key: str) -> Seen:
    return COVERED[name, key][1](VALUES[name][key]["value"])


@pytest.mark.parametrize(("name", "key"), KEYS)
def test_same_as_r(name: str, key: str) -> None:
    seen = seen_of(name, key)
    assert seen.compared > 0
    assert seen.largest < TOLERANCE


def test_every_committed_key_is_compared() -> None:
    assert set(KEYS) == set(COVERED)


def test_the_table_of_the_readme_is_current() -> None:
    held_to_table((key, seen_of(name, key).compared, seen_of(name, key).largest) for name, key in KEYS)


@pytest.mark.parametrize("link", ["logit", "cloglog"])
def test_the_fit_is_the_least_squares_one(link: str) -> None:
    """Where R stops the gradient is not yet 0; at our coefficients it is."""
    deals = fitting_deals("syn_deals_rc")
    x = design_of(deals, "x1 + x2")
    y = pseudo_values(deals, outcome="c1", times=[42], method="jackknife").iloc[:, 0].to_numpy()
    fitted = pseudo_regression(deals, "x1 + x2", outcome="c1", time=42, link=link, method="jackknife")  # type: ignore[arg-type]
    _, inverse, slope = LINKS[link]

    def gradient(beta: np.ndarray) -> float:
        eta = x @ beta
        return float(np.abs(x.T @ (slope(eta) * (y - inverse(eta)))).max())

    assert gradient(fitted.frame["estimate"].to_numpy()) < 1e-10
    assert gradient(as_glm_fit(x, y, link)[0]) > 1e-6


if __name__ == "__main__":
    for name, key in KEYS:
        result = seen_of(name, key)
        print(f"| `{key}` | {name} | {COVERED[name, key][0]} | {result.compared} | {result.largest:.0e} |")
