"""Where params, notebooks, reports and the cache are; never a matter of where somebody happens to stand."""

from __future__ import annotations

import os
from pathlib import Path

import analytics
from analytics.records.errors import InputError, nearest

PARAMS_VARIABLE, CACHE_VARIABLE, OUT_VARIABLE = "WINLOSS_PARAMS", "WINLOSS_CACHE", "WINLOSS_OUT"

RESULTS, NOTEBOOKS = "results", "notebooks"
"""The folders within a run that hold what its notebooks saved, a folder for each, and the notebooks as executed.

They are the machine's record, which later runs and commands read; the pages beside them do without.
"""


def project_root() -> Path:
    """The folder that holds the package: the clone, where it was installed with `pip install -e`."""
    return Path(analytics.__file__).resolve().parents[1]


def params_folder(company: str) -> Path:
    """Find the folder with `<company>.yaml`: `WINLOSS_PARAMS`, else `params` here or above, else the project's.

    Raises
    ------
    InputError
        Where no such folder has the company's file; names the nearest company of those found.
    """
    chosen = os.environ.get(PARAMS_VARIABLE)
    if chosen:
        candidates = [Path(chosen).absolute()]
    else:
        here = Path.cwd()
        candidates = [folder / "params" for folder in (here, *here.parents)] + [project_root() / "params"]
    for folder in candidates:
        if (folder / f"{company}.yaml").is_file():
            return folder
    known = [path.stem for folder in candidates for path in folder.glob("*.yaml") if "-" not in path.stem]
    raise InputError(
        f"there is no params file {company}.yaml for the company {company!r}",
        action=nearest(company, known) if known else f"Set {PARAMS_VARIABLE} to the folder that holds it",
    )


def cache_folder(params: Path) -> Path:
    """The snapshot cache: `WINLOSS_CACHE`, else `.winloss-cache` beside the params folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).absolute() if chosen else params.parent / ".winloss-cache"


def notebooks_folder(params: Path) -> Path:
    """The notebooks beside the params folder where there are any, else the project's own."""
    beside = params.parent / "notebooks"
    if any(beside.glob("[0-9][0-9]_*.ipynb")):
        return beside
    return project_root() / "notebooks"


def reports_of(company: str, chosen: Path | None = None) -> Path:
    """Where a company's reports are: as chosen, where no params file need be near, else beside its params folder.

    Examples
    --------
    >>> reports_of("nobody", Path("/srv/reports")).name
    'reports'
    """
    return chosen.absolute() if chosen else reports_folder(params_folder(company))


def reports_folder(params: Path, chosen: Path | None = None) -> Path:
    """Where reports go: as chosen, else `reports` beside the params folder."""
    return (chosen or params.parent / "reports").absolute()
