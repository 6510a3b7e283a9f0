"""What every estimator says of itself: its source, what it assumes, and when it fails.

Without notes of its own it may point to the estimator whose words it shares.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ESTIMATORS = Path(__file__).resolve().parents[2] / "analytics" / "estimators"
SHARED = r"[Aa]s (?:for )?`|`\w+` (?:does|do)\b"
SOURCE = r"\b(?:18|19|20)\d\d\b"
ASSUMPTION = r"[Aa]ssum|independent|taken (?:as|to|to be)|rests? on|only (?:if|where)|holds? (?:only )?(?:if|where)|"
ASSUMPTION += r"wrong where|unrelated|conditional on|drawn from one"
FAILURE = r"Raises|Finding without|fails|ValueError|empty|[Mm]issing|no (?:limits|interval|rows)"


def estimators() -> Iterator[tuple[str, str]]:
    """Public functions that return an Estimate or an Influence, and their docstrings."""
    for path in sorted(ESTIMATORS.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_") or node.returns is None:
                continue
            told = ast.get_docstring(node) or ""
            if (
                re.search(r"\b(Estimate|Influence|SmoothCalibration)\b", ast.unparse(node.returns))
                and "Examples" in told
            ):
                yield f"{path.relative_to(ESTIMATORS)}:{node.name}", told


@pytest.mark.parametrize(("name", "told"), list(estimators()), ids=[name for name, _ in estimators()])
def test_source_assumption_and_failure(name: str, told: str) -> None:
    shared = "Notes\n" not in told and re.search(SHARED, told) is not None
    for what, words in (("source", SOURCE), ("assumption", ASSUMPTION), ("failure", FAILURE)):
        assert shared or re.search(words, told), f"{name} names no {what}"


def test_there_are_estimators_to_look_at() -> None:
    assert len(list(estimators())) > 60
