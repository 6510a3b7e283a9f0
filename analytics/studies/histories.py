"""A company's records: read from their source once, then from the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analytics.records.contract import History
from analytics.records.sources import read_history as read_source
from analytics.studies.cache import CachedHistory, cache_key, cached_history
from analytics.studies.inputs import content_key, input_key
from analytics.studies.params import CompanyParams, load_company
from analytics.studies.places import cache_folder, params_folder


def read_history(params: CompanyParams | Path | str) -> History:
    """What did a company's CRM record, and when?

    Parameters
    ----------
    params : CompanyParams, path or str
        The company's checked params, their file, or its short name.

    Returns
    -------
    History
        Tables of the engine, with rejected rows and the files that were read.

    Raises
    ------
    InputError
        As `analytics.records.sources.read_history` and `load_company`.

    Examples
    --------
    >>> try:
    ...     read_history("params/no_such_company.yaml")
    ... except ValueError as problem:
    ...     "no such params file" in str(problem)
    True
    """
    if isinstance(params, str) and not params.endswith((".yaml", ".yml")):
        params = params_folder(params) / f"{params}.yaml"
    if not isinstance(params, CompanyParams):
        params = load_company(params)
    return read_source(params.source, base=params.folder, timezone=params.timezone)


def company_history(params: CompanyParams) -> tuple[str, CachedHistory]:
    """Return the hash of a company's input and its History on disk, reading the source only where it has changed."""
    cache = cache_folder(params.folder)
    how: dict[str, Any] = {"source": params.source.model_dump(mode="json"), "timezone": params.timezone}
    known = input_key(params.source, params.folder)
    if known is not None:
        return known, cached_history(cache, cache_key(input=known, **how), lambda: read_history(params))
    # A database: what it holds now is known only once it has been read.
    history = read_history(params)
    known = content_key(history.files)
    kept = cached_history(cache, cache_key(input=known, **how), lambda: history)
    history.table.get_backend().disconnect()
    return known, kept
