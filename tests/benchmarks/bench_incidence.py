"""1,000,000 deals in 40 strata: incidence with intervals against R survfit, and against comprisk from loaded arrays.

Run as `python tests/benchmarks/bench_incidence.py [deals]`. All contestants run one after the other on the same deals
in the same process tree; ratios are printed, since seconds belong to the machine. R needs the package survival, the
second comparison the extra `benchmark`; whoever is absent is named. Not a test: nothing fails on a slow day.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence

OUTCOMES = ["won", "lost", "no_decision", "open"]
SURVFIT = """
suppressPackageStartupMessages(library(survival))
d <- read.csv(commandArgs(TRUE)[1])
d$ev <- factor(d$outcome, c("open", "won", "lost", "no_decision"))
t <- system.time(f <- survfit(Surv(exit, ev) ~ segment, data = d))["elapsed"]
s <- summary(f, times = 100, extend = TRUE)
cat(t, sum(s$pstate[, 2]), "\\n")
"""


def simulated(n: int, seed: int = 1) -> pd.DataFrame:
    """Deals of 40 segments, durations up to a year, a seventh of them open."""
    rng = np.random.default_rng(seed)
    segment = rng.integers(0, 40, n)
    duration = np.minimum(rng.exponential(60 + 2 * segment, n).astype(np.int64), 365)
    watched = rng.integers(30, 365, n)
    outcome = np.where(duration <= watched, rng.choice(3, n, p=[0.3, 0.45, 0.25]), 3)
    return pd.DataFrame({
        "entry": np.full(n, -1), "exit": np.minimum(duration, watched),
        "outcome": pd.Categorical.from_codes(outcome, categories=OUTCOMES),
        "segment": pd.Categorical.from_codes(segment, categories=[f"s{i:02d}" for i in range(40)]),
        "account_id": rng.integers(0, max(n // 8, 1), n),
    })  # fmt: skip


def fastest(work: Callable[[], Any], repeats: int = 5) -> tuple[float, Any]:
    """Return the least of several times in seconds, and the result."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
    return min(times), result


def from_parquet(path: Path) -> Any:
    import ibis

    table = ibis.duckdb.connect().read_parquet(path)
    return cumulative_incidence(count_events(table, by="segment"))


def with_survfit(deals: pd.DataFrame, folder: Path) -> tuple[float, float] | None:
    """Seconds of R's survfit alone (reading not counted), and its sum of won by day 100 over the strata."""
    csv, script = folder / "deals.csv", folder / "survfit.R"
    deals[["exit", "outcome", "segment"]].to_csv(csv, index=False)
    script.write_text(SURVFIT)
    try:
        done = subprocess.run(["Rscript", str(script), str(csv)], capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        print(f"R survfit: absent ({type(error).__name__})")
        return None
    seconds, total = done.stdout.split()
    return float(seconds), float(total)


def with_comprisk(deals: pd.DataFrame) -> tuple[float, float] | None:
    """Seconds of comprisk's cumulative incidence, and its sum of won by day 100 over the strata."""
    try:
        from comprisk import CumulativeIncidence
    except ImportError:
        print("comprisk: absent (install the extra 'benchmark')")
        return None
    duration = deals["exit"].to_numpy()
    event = (deals["outcome"].cat.codes.to_numpy() + 1) % 4
    group = deals["segment"].cat.codes.to_numpy()
    seconds, fitted = fastest(lambda: CumulativeIncidence().fit(duration, event, group=group))
    won = [cause == 1 for _, cause in sorted(fitted.curves_, key=lambda key: (str(key[0]), key[1]))]
    return seconds, float(fitted.timepoints([100])[0][won].sum())


def main(n: int) -> None:
    """Print seconds and ratios."""
    warnings.simplefilter("ignore", DeprecationWarning)  # the engine's, not ours
    deals = simulated(n)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "deals.parquet"
        deals.drop(columns="account_id").to_parquet(path, index=False)
        import ibis  # noqa: F401 - its import is not part of the comparison

        parquet, estimate = fastest(lambda: from_parquet(path))
        survfit = with_survfit(deals, folder)
    loaded, same = fastest(lambda: cumulative_incidence(count_events(deals, by="segment")))
    assert np.allclose(estimate.frame["estimate"], same.frame["estimate"])
    accounts, _ = fastest(lambda: cumulative_incidence(count_events(deals, cluster="account_id")), repeats=2)
    print(f"{n:,} deals, 40 strata")
    print(f"Parquet to Estimate with intervals  {parquet:8.3f} s")
    print(f"loaded arrays to Estimate           {loaded:8.3f} s")
    print(f"clustered by {deals['account_id'].nunique():,} accounts       {accounts:8.3f} s")
    won = same.at(outcome="won", time=100)["estimate"].sum()
    if survfit:
        assert abs(won - survfit[1]) < 1e-4, "the two do not agree"
        print(
            f"R survfit                           {survfit[0]:8.3f} s   ratio {survfit[0] / parquet:6.1f} (target 20)"
        )
    comprisk = with_comprisk(deals)
    if comprisk:
        assert abs(won - comprisk[1]) < 1e-9, "the two do not agree"
        print(
            f"comprisk                            {comprisk[0]:8.3f} s   ratio {comprisk[0] / loaded:6.1f} (target 3)"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
