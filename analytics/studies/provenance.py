"""How a number was made: hashes of inputs and rules, parameters, versions. Side-cars hold it, pages do not."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from analytics.estimators.result import SCHEMA_VERSION
from analytics.studies.cache import records_code
from analytics.studies.notebook_cell import Notebook
from analytics.studies.params import CompanyParams, QuarterParams
from analytics.studies.places import RESULTS
from analytics.studies.redaction import hidden_in
from analytics.studies.study import Study

PACKAGES = (
    "winloss", "pandas", "numpy", "scipy", "statsmodels", "lifelines", "ibis-framework", "duckdb", "pyarrow", "plotly",
    "great-tables", "papermill", "nbconvert", "ipykernel",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Versions of Python and of every package that can change a number or a picture.

    Examples
    --------
    >>> "pandas" in versions() and "python" in versions()
    True
    """
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def study_facts(study: Study, quarter: QuarterParams, secrets: tuple[str, ...]) -> dict[str, Any]:
    """Collect what all notebooks of a run share: parameters, inputs, rules, definitions, versions.

    Parameters
    ----------
    study : Study
        The opened study.
    quarter : QuarterParams
        What was asked for.
    secrets : tuple of str
        Passwords that must not appear; params are given as written, with nothing from the environment filled in.
    """
    facts = {
        "schema_version": SCHEMA_VERSION,
        "company": study.params.company,
        "quarter": {"name": study.quarter.name, "start": study.quarter.start, "end": study.quarter.end},
        "as_of": study.as_of,
        "settled_on": study.settled_on,
        "parameters": quarter.as_parameters(),
        "company_params": company_facts(study.params),
        "rules_hash": study.rules.hash,
        "definitions_hash": study.definitions.hash,
        "input_hash": study.input_hash,
        "inputs": study.sharing.inputs(study.files),
        "records_code": records_code(),
        "versions": versions(),
    }
    cleaned: dict[str, Any] = hidden_in(facts, secrets)
    return cleaned


def company_facts(params: CompanyParams) -> dict[str, Any]:
    """Give a company's params as written; of a shared report, without where its records are and whom they name."""
    if params.share != "safe":
        return params.raw
    left_out = ("source", "scope", "crm_url_template")
    kept: dict[str, Any] = {key: value for key, value in params.raw.items() if key not in left_out}
    scope = params.scope
    columns = [] if scope is None else sorted({*scope.keep, *scope.drop})
    return {**kept, "source": {"kind": params.source.kind}, "scope": {"columns": columns}}


def notebook_facts(shared: dict[str, Any], notebook: Notebook, folder: Path) -> dict[str, Any]:
    """Collect the provenance of one executed notebook: the shared facts, its own hash, and those of what it saved."""
    results = sorted(path for path in (folder / RESULTS / notebook.name).glob("*") if path.is_file())
    return {
        **shared,
        "notebook": {"name": notebook.path.name, "title": notebook.title, "sha256": file_hash(notebook.path)},
        "results": {path.name: file_hash(path) for path in results},
    }


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
