"""Play simulations and write their tables: `python tests/simulations/run.py [module ...]`, all modules by default."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [folder for folder in (str(HERE.parent), str(HERE.parents[1])) if folder not in sys.path]

import pandas as pd  # noqa: E402

from simulations.scenario import COLUMNS, RESULTS, Scenario, play  # noqa: E402

NOT_STUDIES = {"__init__", "run", "scenario", "companies"}


def modules() -> list[str]:
    """The modules of this folder that hold scenarios."""
    names = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("test_"))
    return [name for name in names if name not in NOT_STUDIES]


def scenarios(module: str) -> tuple[Scenario, ...]:
    """The scenarios of a module."""
    found: tuple[Scenario, ...] = importlib.import_module(f"simulations.{module}").SCENARIOS
    return found


def table(module: str) -> pd.DataFrame:
    """The committed results of a module."""
    return pd.read_csv(RESULTS / f"{module}.csv", keep_default_na=False, na_values={"value": [""], "mc_error": [""]})


def readme() -> str:
    """All committed results as one page."""
    lines = [
        "# Simulations", "",
        "Coverage of 95 % intervals and size of 5 % tests over 5,000 simulated companies per scenario; written by",
        "`python tests/simulations/run.py`, checked by `test_tables.py` at once and by `test_simulations.py` (slow),",
        "which plays some hundred replicates of every scenario again. Limits: 93.5-96.5 % where 5 events or more are",
        "expected, at least 93.5 % below that; 4-6 % for tests, 78-82 % where a change of that size is to be shown in",
        "4 of 5, at most 5 % of false discoveries; two Monte Carlo errors (`±` is one) are allowed. `missing` counts",
        "replicates without an interval, and the note says why.", "",
    ]  # fmt: skip
    for module in modules():
        if not (RESULTS / f"{module}.csv").exists():
            continue
        rows = table(module)
        title = (importlib.import_module(f"simulations.{module}").__doc__ or module).splitlines()[0]
        heads = [
            "scenario",
            "estimator",
            "target",
            "expected events",
            "missing",
            "held or refused",
            "limits",
            "verdict",
        ]
        heads.append("note")
        lines += [f"## {title}", "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
        for row in rows.to_dict("records"):
            events = "" if pd.isna(row["expected_events"]) or row["expected_events"] == "" else row["expected_events"]
            lines.append(
                f"| {row['scenario']} | {row['estimator']} | {row['target']} | {events} | {row['missing']} of "
                f"{row['replicates']:,} | {100 * row['value']:.1f} % ± {100 * row['mc_error']:.1f} | "
                f"{100 * row['low']:g}-{100 * row['high']:g} % | {row['verdict']} | {row['note']} |"
            )
        lines.append("")
    return "\n".join(lines)


def main(names: list[str]) -> None:
    """Play the named modules (or all) and write tables and page."""
    for module in names or modules():
        parts = []
        for scenario in scenarios(module):
            began = time.process_time()
            parts.append(play(scenario))
            failing = int((parts[-1]["verdict"] != "holds").sum())
            print(f"{module}: {scenario.name}: {time.process_time() - began:.1f} CPU-s, {failing} fail", flush=True)
        pd.concat(parts, ignore_index=True)[COLUMNS].to_csv(RESULTS / f"{module}.csv", index=False)
    (HERE / "README.md").write_text(readme() + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
