"""Dated full extracts of one table: what differs from one extract to the next is the history."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from analytics.records.contract import HISTORY_COLUMNS, History, Noticed
from analytics.records.errors import InputError
from analytics.records.rejects import RejectLedger
from analytics.records.sources.conform import Reader
from analytics.records.sources.flat import checked_deals
from analytics.records.sources.mapping import Extract, SnapshotsSource
from analytics.records.sources.noticing import closings_at_an_edge, one_row_per_deal, with_forecasts
from analytics.records.sources.paths import resolve_path
from analytics.records.sources.raw import FILE, LINE
from analytics.records.sources.states import MISSING_DEALS, history_of, side_frames


def read_snapshots(source: SnapshotsSource, *, base: Path, timezone: str | None = None) -> History:
    """Read dated full extracts.

    A row that differs from the deal's row in the extract before is a new state, recorded on the extract's date: a
    change is known from the first extract that shows it, and nothing is known before the first extract. A deal that a
    later extract lacks keeps its last state and is listed in the side table `missing_deals`.

    Parameters
    ----------
    source : SnapshotsSource
        The mapping of one extract, and where the extracts are.
    base : pathlib.Path
        The params file's folder.
    timezone : str, optional
        Zone of the dates of timestamps that carry a zone.

    Returns
    -------
    History
        `kind="recorded"`; `known_to` is the last extract's date. Where no closing date is mapped, a deal is closed on
        the date of the first extract that shows it closed, which is late by up to the time between extracts:
        `closed_after` is the extract before it, or the opening if that is later (of a deal that the first extract shows
        as closed, its opening), so that a deal that closed on the day of its opening is given a day too late. What the
        first extract already shows as closed then ended on a day that nobody knows: with `observed_from` on the day
        after the first extract, such deals count in shares at the as-of date and in no curve.

    Raises
    ------
    InputError
        As `read_history`; also for an id that is twice in one extract with different values (unless
        `splits` is mapped) and two extracts of one date.

    Examples
    --------
    >>> import tempfile
    >>> base = Path(tempfile.mkdtemp())
    >>> _ = (base / "2025-03-01.csv").write_text("id,opened,status\\n1,2025-01-02,open\\n2,2025-01-03,open\\n")
    >>> _ = (base / "2025-04-01.csv").write_text("id,opened,status\\n1,2025-01-02,won\\n2,2025-01-03,open\\n")
    >>> source = SnapshotsSource(
    ...     kind="snapshots", folder=".", pattern=r"(?P<on>[-0-9]+)\\.csv",
    ...     columns={"deal_id": "id", "opened_on": "opened"},
    ...     outcome={"column": "status", "values": {"open": "open", "won": "won"}},
    ... )
    >>> states = read_snapshots(source, base=base).table.to_pandas()
    >>> states[["deal_id", "valid_from", "status"]].astype(str).values.tolist()
    [['1', '2025-03-01', 'open'], ['1', '2025-04-01', 'closed_won'], ['2', '2025-03-01', 'open']]
    """
    reader = Reader(base, timezone, RejectLedger())
    extracts = _extracts(source, base)
    seen: list[Noticed] = []
    frames = [_extract_rows(source, extract, reader, seen) for extract in extracts]
    first = frames[0].assign(closed_after=_closed_after(frames[0], before=None))
    states = pd.concat([first, *(_changed(*pair) for pair in _with_known(frames))], ignore_index=True)
    states, scales = with_forecasts(states)
    side = side_frames(source.side, reader)
    missing = _missing(frames, [extract.on for extract in extracts])
    return history_of(
        states.drop(columns=[FILE, LINE]),
        side=side | ({MISSING_DEALS: missing} if len(missing) else {}),
        kind="recorded",
        attributes=tuple(source.attributes),
        ledger=reader.ledger,
        extracted_on=extracts[-1].on,
        noticed=[*_added(seen), *scales],
    )


def _extracts(source: SnapshotsSource, base: Path) -> list[Extract]:
    extracts = list(source.files) or _found(source, base)
    extracts.sort(key=lambda extract: extract.on)
    for earlier, later in itertools.pairwise(extracts):
        if earlier.on == later.on:
            raise InputError(
                f"{Path(earlier.file).name} is an extract of the same date",
                file=Path(later.file).name,
                value=later.on,
                action="Keep one extract per date",
            )
    return extracts


def _found(source: SnapshotsSource, base: Path) -> list[Extract]:
    written, pattern = str(source.folder), re.compile(str(source.pattern))
    folder = resolve_path(written, base)
    if not folder.is_dir():
        raise InputError("there is no such folder", file=written, action="Check the path in the params")
    found = []
    for path in sorted(folder.iterdir()):
        match = pattern.fullmatch(path.name)
        if match is None:
            continue
        try:
            found.append(Extract(file=str(path), on=dt.date.fromisoformat(match.group("on"))))
        except ValueError as error:
            raise InputError(
                "the group `on` of the pattern is not an ISO date here",
                file=path.name,
                value=match.group("on"),
                action="Rename the extract, or list the extracts under files:",
            ) from error
    if not found:
        raise InputError(
            f"no file name matches {pattern.pattern!r}", file=written, action="Correct pattern: in the params"
        )
    return found


def _extract_rows(source: SnapshotsSource, extract: Extract, reader: Reader, seen: list[Noticed]) -> pd.DataFrame:
    mapping = source.extract_mapping(extract.file)
    rows = checked_deals(reader.rows(mapping, HISTORY_COLUMNS, role=f"extract of {extract.on}"), mapping)
    rows, twice = one_row_per_deal(rows, source.splits, source.read, source.columns["deal_id"])
    seen += twice
    if "closed_on" in source.columns:
        closed, form = rows.frame["status"] != "open", mapping.date_format("closed_on")
        seen += closings_at_an_edge(rows, closed, source.columns["closed_on"], form, reader.timezone)
    return rows.frame.assign(recorded_on=pd.Timestamp(extract.on))


def _added(seen: list[Noticed]) -> list[Noticed]:
    """Add up what several extracts show of one kind: rows of all extracts."""
    sums: dict[tuple[int, str], Noticed] = {}
    for one in seen:
        so_far = sums.get((one.trap, one.what))
        found, of = (so_far.found + one.found, so_far.of + one.of) if so_far else (one.found, one.of)
        sums[one.trap, one.what] = replace(one, found=found, of=of, unit="rows")
    return list(sums.values())


def _with_known(frames: list[pd.DataFrame]) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Pair each later extract with the last known row of every deal before it."""
    known, pairs = frames[0], []
    for frame in frames[1:]:
        pairs.append((known, frame))
        known = pd.concat([known[~known["deal_id"].isin(frame["deal_id"])], frame])
    return pairs


def _changed(known: pd.DataFrame, current: pd.DataFrame) -> pd.DataFrame:
    """Rows of an extract that are new or differ in any mapped column from what was known."""
    before = known.set_index("deal_id").reindex(current["deal_id"])
    changed = (~current["deal_id"].isin(known["deal_id"])).to_numpy()
    for name in current.columns.difference(["deal_id", "recorded_on", FILE, LINE]):
        now, then = current[name].to_numpy(), before[name].to_numpy()
        equal = (now == then) | (pd.isna(now) & pd.isna(then))
        changed |= ~np.asarray(equal, dtype=bool)
    open_before = before["recorded_on"].where(before["status"] == "open").to_numpy()
    is_known = before["status"].notna().to_numpy()
    after = _closed_after(current, before=known["recorded_on"].max())
    was_open = (current["status"] != "open").to_numpy() & ~pd.isna(open_before)
    after = after.where(~is_known, pd.Series(open_before, index=current.index).where(was_open))
    return current.assign(closed_after=after)[changed]


def _closed_after(extract: pd.DataFrame, before: pd.Timestamp | None) -> pd.Series:
    """Without a typed date a deal first seen closed closed after its opening and after the extract before it."""
    after = extract["opened_on"].astype("datetime64[ns]")
    if before is not None:
        after = after.where(after > before, before)
    closed: pd.Series = after.where(extract["status"] != "open")
    return closed


def _missing(frames: list[pd.DataFrame], dates: list[dt.date]) -> pd.DataFrame:
    rows: list[tuple[str, dt.date, dt.date]] = []
    for place, (frame, later) in enumerate(itertools.pairwise(frames)):
        gone = frame.loc[~frame["deal_id"].isin(later["deal_id"]), "deal_id"]
        rows += [(deal, dates[place], dates[place + 1]) for deal in gone]
    return pd.DataFrame(rows, columns=["deal_id", "last_seen_on", "recorded_on"]).astype(
        {"last_seen_on": "datetime64[ns]", "recorded_on": "datetime64[ns]"}
    )
