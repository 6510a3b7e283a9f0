"""Hazard regressions and Gray's test against comprisk, R and lifelines, on the same deals, one after the other.

Run as `python tests/benchmarks/bench_hazards.py [deals]` (1,000,000 by default; Fine-Gray goes on to ten times that).
What is timed is the fit from arrays in memory to coefficients with standard errors: for ours the arranging of rows,
Newton's method and the covariance, without the formula's parsing; for comprisk and lifelines `fit`; for R `coxph` or
`crr` alone, the file's reading apart. Seconds belong to the machine, ratios to the code. Whoever is absent is named.
Not a test: nothing fails on a slow day, but the values must agree.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench_incidence import fastest, simulated

from analytics.estimators.counts import count_events
from analytics.estimators.group_tests import gray_test
from analytics.estimators.hazards.arrange import Spells, arrange
from analytics.estimators.hazards.fitting import fit_rows

COXPH = """
suppressPackageStartupMessages(library(survival))
d <- read.csv(commandArgs(TRUE)[1])
s <- if (any(d$entry > -1)) Surv(d$entry, d$exit, d$cause == 1) else Surv(d$exit, d$cause == 1)
t <- min(sapply(1:3, function(i) system.time(f <<- coxph(s ~ x1 + x2 + x3, d, ties = "breslow"))["elapsed"]))
cat(t, coef(f), sqrt(diag(vcov(f))), "\\n")
"""
CRR = """
suppressPackageStartupMessages(library(cmprsk))
d <- read.csv(commandArgs(TRUE)[1])
t <- system.time(f <- crr(d$exit, d$cause, d[, c("x1", "x2", "x3")]))["elapsed"]
cat(t, f$coef, sqrt(diag(f$var)), "\\n")
"""
Answer = tuple[float, np.ndarray[Any, Any], np.ndarray[Any, Any]]
"""Seconds, coefficients, standard errors."""


def spells(n: int, *, entering: bool = False, seed: int = 1) -> Spells:
    """Deals with three continuous covariates, whole days up to a year, a third of them still open."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    pace = np.exp(x @ [0.3, -0.2, 0.1])
    duration = np.minimum(rng.exponential(120 / pace).astype(np.int64), 365)
    watched = rng.integers(30, 365, n)
    cause = np.where(duration <= watched, np.where(rng.random(n) < 0.45, 1, 2), 0)
    leave = np.minimum(duration, watched)
    entry = np.where(rng.random(n) < 0.5, -1, rng.integers(-1, 200, n)) if entering else np.full(n, -1)
    keep = leave > entry
    one = np.ones(int(keep.sum()))
    return Spells(x[keep], entry[keep], leave[keep], cause[keep], one, one, one, np.zeros(len(one), dtype=np.int64))


def ours(deals: Spells, *, subdistribution: bool = False, repeats: int = 5) -> Answer:
    """Arrange and fit; Fine-Gray with its robust errors."""

    def fit() -> Any:
        rows = arrange(deals, subdistribution=subdistribution)
        return fit_rows(rows, "breslow", ("x1", "x2", "x3"), robust=subdistribution)

    seconds, found = fastest(fit, repeats)
    return seconds, found.beta, np.sqrt(np.diag(found.covariance))


def with_comprisk(deals: Spells, kind: str, repeats: int = 3) -> Answer | None:
    """CauseSpecificCox or FineGrayRegression of comprisk, the latter with its robust errors."""
    try:
        import comprisk
    except ImportError:
        print("comprisk: absent (install the extra 'benchmark')")
        return None
    more = {"robust_se": True} if kind == "FineGrayRegression" else {}
    y = comprisk.Surv.from_arrays(event=deals.cause, time=deals.leave.astype(float) + 1)  # it refuses a time of 0
    seconds, fitted = fastest(lambda: getattr(comprisk, kind)(**more).fit(deals.x, y), repeats)
    return seconds, fitted.coef_, fitted.se_


def with_lifelines(deals: Spells) -> Answer:
    """CoxPHFitter (Efron ties, so its values differ in the third digit and are not compared)."""
    from lifelines import CoxPHFitter

    frame = pd.DataFrame(deals.x, columns=["x1", "x2", "x3"])
    frame["exit"], frame["won"] = deals.leave + 1, deals.cause == 1
    entry = "entry" if (deals.entry > -1).any() else None
    if entry:
        frame[entry] = deals.entry + 1
    seconds, fitted = fastest(lambda: CoxPHFitter().fit(frame, "exit", "won", entry_col=entry), 1)
    return seconds, fitted.params_.to_numpy(), fitted.standard_errors_.to_numpy()


def with_r(deals: Spells, script: str, folder: Path) -> Answer | None:
    """R's own seconds, coefficients and errors."""
    csv, program = folder / "deals.csv", folder / "fit.R"
    frame = pd.DataFrame(deals.x, columns=["x1", "x2", "x3"])
    frame.assign(entry=deals.entry, exit=deals.leave, cause=deals.cause).to_csv(csv, index=False)
    program.write_text(script)
    try:
        done = subprocess.run(["Rscript", str(program), str(csv)], capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        print(f"R: absent ({type(error).__name__})")
        return None
    seconds, *values = (float(value) for value in done.stdout.split())
    return seconds, np.asarray(values[:3]), np.asarray(values[3:])


def line(work: str, mine: Answer, rivals: dict[str, Answer | None], targets: dict[str, float], agree: float) -> None:
    """Print one row of the table, after holding the values of the rivals to ours."""
    print(f"{work:<34} ours {mine[0]:8.3f} s")
    for name, rival in rivals.items():
        if rival is None:
            continue
        if name != "lifelines":
            assert np.allclose(mine[1], rival[1], atol=agree), (name, mine[1], rival[1])
            assert np.allclose(mine[2], rival[2], rtol=0.02), (name, mine[2], rival[2])
        target = f" (target {targets[name]:g})" if name in targets else ""
        print(f"{'':<34} {name} {rival[0]:8.3f} s   ratio {rival[0] / mine[0]:6.1f}{target}")


def gray(n: int) -> None:
    """Gray's test of 40 groups, from categories and whole days."""
    deals = simulated(n)
    seconds, test = fastest(lambda: gray_test(count_events(deals, by="segment"), outcome="won"))
    try:
        import comprisk
    except ImportError:
        return
    event = ((deals["outcome"].cat.codes + 1) % 4).to_numpy()
    time, group = deals["exit"].to_numpy(), deals["segment"].cat.codes.to_numpy()
    theirs, other = fastest(lambda: comprisk.gray_test(time, event, group), 3)
    assert abs(test.frame["estimate"].iloc[0] - other.stat) < 1e-6 * other.stat
    print(f"{'Gray, 40 groups':<34} ours {seconds:8.3f} s")
    print(f"{'':<34} comprisk {theirs:8.3f} s   ratio {theirs / seconds:6.1f} (target 3)")


def main(n: int) -> None:
    """Print seconds and ratios."""
    warnings.simplefilter("ignore")
    gray(n)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        deals = spells(n)
        rivals = {"comprisk": with_comprisk(deals, "CauseSpecificCox"), "coxph": with_r(deals, COXPH, folder),
                  "lifelines": with_lifelines(deals)}  # fmt: skip
        line(f"Cox, {n:,}, 3 covariates", ours(deals), rivals, {"comprisk": 3}, 1e-5)
        late = spells(n // 5, entering=True)
        size = f"Cox with entry, {len(late.x):,}"
        line(
            size,
            ours(late),
            {"coxph": with_r(late, COXPH, folder), "lifelines": with_lifelines(late)},
            {"coxph": 5},
            1e-6,
        )
        for count in (n // 100, n):
            deals = spells(count)
            rivals = {"comprisk": with_comprisk(deals, "FineGrayRegression")}
            if count < 20_000:
                rivals["crr"] = with_r(deals, CRR, folder)
            mine = ours(deals, subdistribution=True, repeats=5 if count > 20_000 else 30)
            line(f"Fine-Gray, {count:,}", mine, rivals, {"comprisk": 3}, 2e-2)
    for times in (1, 2, 5, 10):
        deals = spells(n * times)
        seconds = ours(deals, subdistribution=True, repeats=2)[0]
        million = 1e6 * seconds / (n * times)
        print(f"Fine-Gray, {n * times:>12,}            ours {seconds:8.3f} s   {million:.3f} s a million")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
