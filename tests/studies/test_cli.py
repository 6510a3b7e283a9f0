"""The command reads well to somebody who has an export and a question."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from analytics.studies.cli import main
from analytics.studies.exits import STATUS

ROOT = Path(__file__).resolve().parents[2]

ROOT = Path(__file__).resolve().parents[2]


def test_help_says_how_to_begin_and_how_to_use_ones_own_export() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    for phrase in (
        "winloss run params/demo-2025Q4.yaml",
        "your own export",
        "OpportunityHistory",
        "params/acme.yaml",
        "scope",
    ):
        assert phrase in text
    assert max(map(len, text.splitlines())) <= 90
    assert "exit codes" in text.lower()
    run = CliRunner().invoke(main, ["run", "--help"]).output
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.split("| exit code | meaning |\n|---|---|\n")[1].split("\n\n")[0]
    assert {int(code) for code in re.findall(r"^ +(\d+)  \w", run, flags=re.MULTILINE)} == set(STATUS)
    assert [int(code) for code in re.findall(r"^\| (\d+) \| \w", table, flags=re.MULTILINE)] == list(STATUS)


def test_version_and_module_door() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "analytics.studies.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith("winloss 0.")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom analytics.studies.cli import main\n"
        "print([name for name in ('pandas', 'ibis', 'papermill', 'plotly') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_demo_writes_a_salesforce_export_and_spares_what_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "practice"
    result = CliRunner().invoke(main, ["demo", str(folder), "--deals", "60", "--seed", "7"])
    assert result.exit_code == 0, result.output
    names = {path.name for path in folder.iterdir()}
    assert {"Opportunity.csv.gz", "OpportunityHistory.csv.gz", "User.csv.gz"} <= names
    again = CliRunner().invoke(main, ["demo", str(folder)])
    assert again.exit_code == 2
    assert "is not an empty folder" in again.output


def test_a_wrong_option_is_exit_code_2() -> None:
    assert CliRunner().invoke(main, ["run"]).exit_code == 2
    assert CliRunner().invoke(main, ["rnu"]).exit_code == 2
