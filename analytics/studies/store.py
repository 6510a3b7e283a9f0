"""The only reader and writer of Estimates, Listings and Findings: Parquet and JSON, and CSV for people."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import io
import json
import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from analytics.display.cells import withheld
from analytics.estimators.result import SCHEMA_VERSION, WITHHELD, Estimate, Finding, Listing, Meta

Saved: TypeAlias = Estimate | Listing | Finding | tuple[Finding, ...]

DEALS = ".deals.parquet"
"""Ending of the side file with the deals behind a result's counts; only in the company's own reports."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FORMULA = re.compile(r"[\s\ufeff\u200b-\u200f\u2060\x00-\x1f]*[=+\-@＝＋－＠]|[\t\r\n]")
"""A spreadsheet takes a cell that begins like this for a formula, and runs it; some drop blanks before they look."""


def write(folder: Path, name: str, result: Saved) -> tuple[Path, ...]:
    """Write one result as `<name>.parquet`, `<name>.json` and, where it is a table, `<name>.csv`.

    The rows are in the Parquet file; the JSON file beside it says what they are, and holds the sentences of findings.

    Parameters
    ----------
    folder : pathlib.Path
        Created if needed.
    name : str
        Lower-case letters, digits and `_`.
    result : Estimate, Listing, Finding or tuple of Finding
        What a question answered.

    Returns
    -------
    tuple of pathlib.Path
        The files, each complete: they are written under another name first and renamed.

    Raises
    ------
    ValueError
        For a name that is no plain word.

    Examples
    --------
    >>> listing = Listing(pd.DataFrame({"step": ["read"], "deals": [3]}), "What came in")
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = write(Path(folder), "attrition", listing)
    ...     same = read(Path(folder), "attrition").frame.equals(listing.frame)
    >>> [file.suffix for file in files], same
    (['.parquet', '.json', '.csv'], True)
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a result: use lower-case letters, digits and _")
    folder.mkdir(parents=True, exist_ok=True)
    frame, facts = _taken_apart(result)
    parquet, side, table = (folder / f"{name}.{ending}" for ending in ("parquet", "json", "csv"))
    write_frame(parquet, frame)
    write_json(side, {"name": name, **facts})
    if isinstance(result, Estimate | Listing) and result.deals is not None and len(result.deals):
        write_frame(folder / f"{name}{DEALS}", result.deals)
    if facts["type"] in ("findings", "finding"):
        return parquet, side
    write_text(table, as_csv(frame))
    return parquet, side, table


def read(folder: Path, name: str) -> Saved:
    """Read a result back, whichever schema version wrote it.

    Raises
    ------
    ValueError
        Where the side-car was written by a newer version.
    """
    facts = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    reader = _READERS.get(facts["schema_version"])
    if reader is None:
        raise ValueError(
            f"{name} was written in schema version {facts['schema_version']}; this reads up to {SCHEMA_VERSION}"
        )
    return reader(facts, pd.read_parquet(folder / f"{name}.parquet"))


def read_deals(folder: Path, name: str) -> pd.DataFrame | None:
    """Read the deals behind the counts of a result (row, column, deal_id); None where none were saved."""
    path = folder / f"{name}{DEALS}"
    return pd.read_parquet(path) if path.is_file() else None


def names(folder: Path) -> tuple[str, ...]:
    """The names of the results in a folder, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.json") if path.with_suffix(".parquet").is_file()))


def as_csv(frame: pd.DataFrame) -> str:
    """Write a frame as CSV text in which no cell can act as a formula.

    Examples
    --------
    >>> as_csv(pd.DataFrame({"who": ["=HYPERLINK(1)", "Ann"], "change": [-0.5, 2.0]})).split()
    ['who,change', "'=HYPERLINK(1),-0.5", 'Ann,2.0']
    """
    text = io.StringIO(newline="")
    # The standard's line ends: with "\n" alone a carriage return within a cell would not be quoted and end the row.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([_harmless(column) for column in frame.columns])
    for row in with_marks(frame).itertuples(index=False, name=None):
        writer.writerow([_harmless(plain(value)) for value in row])
    return text.getvalue()


def with_marks(frame: pd.DataFrame) -> pd.DataFrame:
    """Say in the place of each number that a shared report withholds that it is withheld.

    Examples
    --------
    >>> with_marks(pd.DataFrame({"n_event": [float("nan"), 7], "withheld": ["<5", ""]}))["n_event"].tolist()
    ['<5', 7.0]
    """
    if WITHHELD not in frame:
        return frame
    marks = {name: withheld(frame, name) for name in frame.columns if name != WITHHELD}
    taken = {name: mark for name, mark in marks.items() if mark.ne("").any()}
    return frame.assign(**{name: frame[name].astype(object).mask(mark.ne(""), mark) for name, mark in taken.items()})


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    _whole(path, lambda part: part.write_text(text, encoding="utf-8", newline=""))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    _whole(path, lambda part: part.write_bytes(content))


def write_json(path: Path, content: Any) -> None:
    """Write JSON whole or not at all; NaN and infinity have no place in it and become null."""
    write_text(path, json.dumps(plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a Parquet file whole or not at all."""
    _whole(path, lambda part: frame.to_parquet(part, index=False))


def plain(value: Any) -> Any:
    """Turn a value into what JSON knows: dates to ISO text, NumPy scalars to numbers, missing to null.

    Examples
    --------
    >>> plain({"on": pd.Timestamp("2025-10-01"), "share": np.float64("nan"), "n": np.int64(3)})
    {'on': '2025-10-01', 'share': None, 'n': 3}
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, pd.Timestamp | dt.datetime):
        midnight = value.hour == value.minute == value.second == value.microsecond == 0
        return value.date().isoformat() if midnight else value.isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool) else str(value)


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        value = value.replace("\x00", "")
        return "'" + value if _FORMULA.match(value) else value
    return "" if value is None else value


def _whole(path: Path, write_to: Callable[[Path], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write_to(part)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _taken_apart(result: Saved) -> tuple[pd.DataFrame, dict[str, Any]]:
    if isinstance(result, Estimate):
        meta = plain(dataclasses.asdict(result.meta))
        return result.frame, {"schema_version": SCHEMA_VERSION, "type": "estimate", "meta": meta}
    if isinstance(result, Listing):
        facts = {"schema_version": SCHEMA_VERSION, "type": "listing", "title": result.title, "private": result.private}
        return result.frame.reset_index(drop=True), {**facts, "as_of": plain(result.as_of)}
    many = result if isinstance(result, tuple) else (result,)
    if not all(isinstance(finding, Finding) for finding in many):
        raise TypeError(f"only Estimates, Listings and Findings can be saved, not {type(result).__name__}")
    rows = [{**dataclasses.asdict(finding), "keys": json.dumps(dict(finding.keys))} for finding in many]
    frame = pd.DataFrame(rows, columns=[field.name for field in dataclasses.fields(Finding)])
    facts = {"schema_version": SCHEMA_VERSION, "type": "findings" if isinstance(result, tuple) else "finding"}
    return frame, {**facts, "rows": plain(frame.to_dict("records"))}


def _read_version_1(facts: dict[str, Any], frame: pd.DataFrame) -> Saved:
    if facts["type"] == "estimate":
        meta = facts["meta"] | {"keys": tuple(facts["meta"]["keys"])}
        if meta["as_of"] is not None:
            meta["as_of"] = dt.date.fromisoformat(meta["as_of"])
        return Estimate(frame, Meta(**meta))
    if facts["type"] == "listing":
        known = facts.get("as_of")
        as_of = None if known is None else dt.date.fromisoformat(known)
        return Listing(frame, facts["title"], private=facts["private"], as_of=as_of)
    findings = tuple(
        Finding(
            name=row["name"], headline=row["headline"], detail=row["detail"], verdict=row["verdict"],
            estimate=row["estimate"], keys=tuple(json.loads(row["keys"]).items()),
        )
        for row in facts["rows"]
    )  # fmt: skip
    return findings if facts["type"] == "findings" else findings[0]


_READERS: dict[int, Callable[[dict[str, Any], pd.DataFrame], Saved]] = {1: _read_version_1}
"""A reader per schema version, so that last year's results can still be read."""
