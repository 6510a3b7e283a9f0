"""Twenty spoilt exports as whole runs of the real notebooks: a report, or exit code 2 with a sentence."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from mutations import spoilt
from small_exports import EXPORTS

from analytics.studies.cli import main

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
COMPANY = {
    "company": "acme",
    "title": "Acme",
    "scope": {"everything": True},
    "rules": {"no_decision_reasons": ["No decision"], "older_than_days": 300},
    "segments": ["region"],
    "horizon_days": 120,
}
QUARTER = {
    "company": "acme", "quarter": "2025Q1", "as_of": "2025-03-31", "compare_to": ["2024Q4"], "segments": ["region"],
}  # fmt: skip


def run(name: str, seed: int, home: Path) -> int:
    """Spoil an export, run data health and quarter on it, and check how it ended; returns the exit code."""
    (home / "params").mkdir(parents=True)
    EXPORTS[name].write(home / "params")
    done = spoilt(home / "params", np.random.default_rng(seed))
    (home / "params" / "acme.yaml").write_text(yaml.safe_dump({**COMPANY, "source": EXPORTS[name].source}))
    (home / "params" / "acme-2025Q1.yaml").write_text(yaml.safe_dump(QUARTER))
    options = ["--notebooks", str(NOTEBOOKS), "--only", "data_health", "--only", "quarter"]
    result = CliRunner().invoke(main, ["run", str(home / "params" / "acme-2025Q1.yaml"), *options])
    said = f"{name}, seed {seed}, {done}: {result.output[-3000:]}"
    assert result.exit_code in (0, 2), said
    assert "Traceback" not in result.output, said
    (folder,) = (home / "reports" / "acme" / "2025Q1" / "runs").iterdir()
    facts = json.loads((folder / "run.json").read_text())
    assert facts["exit_code"] == result.exit_code, said
    if result.exit_code == 2:
        told = [facts["message"], *(line.get("message") or "" for line in facts["notebooks"])]
        sentences = [text for text in told if text]
        assert sentences, said
        assert all("Traceback" not in text and "\n" not in text for text in sentences), said
    return result.exit_code


@pytest.mark.slow
def test_twenty_spoilt_exports_as_whole_runs(tmp_path: Path) -> None:
    codes = Counter(run(name, seed, tmp_path / f"{name} {seed}") for name in EXPORTS for seed in range(4))
    print(codes)
    assert sum(codes.values()) == 20
    assert codes[0] >= 5
