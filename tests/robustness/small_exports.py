"""One small export of every kind of source, to be spoilt: 240 deals, two years, every outcome."""

from __future__ import annotations

import datetime as dt
import functools
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analytics.records.contract import History

Rows = list[list[str]]
DAY = dt.timedelta(days=1)
HEADER = ["id", "account", "opened", "closed", "due", "stage", "reason", "amount", "owner", "region", "note"]
COLUMNS = {
    "deal_id": "id", "account_id": "account", "opened_on": "opened", "closed_on": "closed", "expected_close_on": "due",
    "reason": "reason", "amount": "amount", "owner_id": "owner",
}  # fmt: skip
OUTCOME = {"column": "stage", "values": {"Won": "won", "Lost": "lost", "Talk": "open", "Offer": "open"}}
DEALS = {"columns": COLUMNS, "attributes": {"region": "region"}, "outcome": OUTCOME}


@dataclass(frozen=True)
class Export:
    """How to write an export, how the params describe it, and which of its rows can be counted again in History."""

    write: Callable[[Path], None]
    source: dict[str, Any]
    one_state_each: tuple[str, ...] = ()


@functools.cache
def deals(seed: int = 3, n: int = 240) -> Rows:
    """Today's state of the deals, texts as a CRM writes them."""
    rng = np.random.default_rng(seed)
    rows = [HEADER]
    for number in range(n):
        opened = dt.date(2024, 1, 2) + int(rng.integers(0, 400)) * DAY
        closed = opened + int(rng.integers(0, 200)) * DAY
        stage = str(rng.choice(["Won", "Lost", "Lost", "Talk", "Offer"]))
        ended = stage in ("Won", "Lost")
        reason = str(rng.choice(["Price", "No decision", "Säumig, still"])) if stage == "Lost" else ""
        note = ["", "two, parts", 'says "yes"', "plain"][number % 4]
        rows.append(
            [f"D{number:03d}", f"A{number % 17:02d}", str(opened), str(closed) if ended else "", str(closed + 9 * DAY),
             stage, reason, f"{int(rng.integers(100, 90_000)) / 4:.2f}", f"O{number % 5}", ["N", "S"][number % 2], note]
        )  # fmt: skip
    return rows


def states(today: Rows) -> Rows:
    """Two or three recorded states of each deal."""
    rows = [["deal", "at", "stage", "closed", "due", "reason", "amount"]]
    for id_, _, opened, closed, due, stage, reason, amount, *_ in today[1:]:
        rows.append([id_, f"{opened} 09:00:00", "Talk", "", due, "", amount])
        if int(id_[1:]) % 3:
            rows.append([id_, f"{dt.date.fromisoformat(opened) + DAY} 10:00:00", "Offer", "", due, "", amount])
        if closed:
            rows.append([id_, f"{closed} 18:00:00", stage, closed, due, reason, amount])
    return rows


def write_csv(path: Path, rows: Rows) -> None:
    """Write rows as Excel and CRMs do: quotation marks where they are needed, lines that end in CRLF."""
    quoted = [[f'"{x.replace(chr(34), chr(34) * 2)}"' if set(x) & set(',"\r\n') else x for x in row] for row in rows]
    path.write_bytes("".join(",".join(row) + "\r\n" for row in quoted).encode())


def write_flat(base: Path) -> None:
    """Write today's deals."""
    write_csv(base / "deals.csv", deals())


def write_recorded(base: Path) -> None:
    """Write today's deals and a file of recorded states."""
    write_flat(base)
    write_csv(base / "history.csv", states(deals()))


def write_extracts(base: Path) -> None:
    """Write what three extracts would have shown."""
    header, *rows = deals()
    for on in ("2024-07-01", "2024-12-01", "2025-09-01"):
        seen = []
        for row in rows:
            known = [*row]
            if row[3] > on:
                known[3], known[5], known[6] = "", "Offer", ""
            if row[2] <= on:
                seen.append(known)
        write_csv(base / f"deals {on}.csv", [header, *seen])


def write_log(base: Path) -> None:
    """Write an event log."""
    rows = [["case", "what", "at", "who", "region"]]
    for id_, _, opened, closed, _, stage, _, _, owner, region, *_ in deals()[1:]:
        rows.append([id_, "Create", f"{opened}T08:00:00", owner, region])
        rows.append([id_, "Send", f"{opened}T12:30:00", owner, region])
        if closed:
            rows.append([id_, stage, f"{closed}T18:00:00", owner, region])
    write_csv(base / "log.csv", rows)


def write_salesforce(base: Path) -> None:
    """Write Opportunity, OpportunityHistory and User."""
    names = {"Won": "Closed Won", "Lost": "Closed Lost", "Talk": "Talk", "Offer": "Offer"}
    today = [
        ["Id", "AccountId", "CreatedDate", "CloseDate", "StageName", "IsClosed", "IsWon", "IsDeleted", "Amount",
         "OwnerId", "Loss_Reason__c", "Probability", "Region__c", "Name"]
    ]  # fmt: skip
    for id_, account, opened, closed, due, stage, reason, amount, owner, region, note in deals()[1:]:
        flags = [str(bool(closed)).lower(), str(stage == "Won").lower(), "false"]
        today.append(
            [id_, account, f"{opened}T08:00:00.000+0000", closed or due, names[stage], *flags, amount, owner, reason,
             "40", region, note]
        )  # fmt: skip
    write_csv(base / "Opportunity.csv", today)
    history = [["OpportunityId", "CreatedDate", "StageName", "Amount", "CloseDate", "Probability"]]
    for id_, at, stage, closed, due, _, amount in states(deals())[1:]:
        history.append([id_, f"{at.replace(' ', 'T')}.000+0000", names[stage], amount, closed or due, "40"])
    write_csv(base / "OpportunityHistory.csv", history)
    write_csv(base / "User.csv", [["Id", "Name"], *([f"O{n}", f"Owner {n}"] for n in range(5))])


def copied(folder: Path) -> Callable[[Path], None]:
    """Return a writer that copies the files of a committed export."""

    def write(base: Path) -> None:
        for path in sorted(folder.iterdir()):
            shutil.copy(path, base / path.name)

    return write


EXPORTS: dict[str, Export] = {
    "flat": Export(write_flat, {"kind": "flat", "file": "deals.csv", **DEALS}, ("deals.csv",)),
    "flat with history": Export(
        write_recorded,
        {"kind": "flat", "file": "deals.csv", **DEALS,
         "history": {"file": "history.csv", "outcome": OUTCOME,
                     "columns": {"deal_id": "deal", "recorded_on": "at", "stage": "stage", "closed_on": "closed",
                                 "expected_close_on": "due", "reason": "reason", "amount": "amount"}}},
    ),
    "snapshots": Export(
        write_extracts,
        {"kind": "snapshots", "folder": ".", "pattern": r"deals (?P<on>[-0-9]+)\.csv", **DEALS},
    ),
    "events": Export(
        write_log,
        {"kind": "events", "file": "log.csv", "opened_at": "Create", "outcome": {"Won": "won", "Lost": "lost"},
         "columns": {"case": "case", "activity": "what", "timestamp": "at", "resource": "who"},
         "attributes": {"region": "region"}},
        ("log.csv",),
    ),
    "salesforce": Export(
        write_salesforce,
        {"kind": "salesforce", "folder": ".", "reason": "Loss_Reason__c", "attributes": {"region": "Region__c"}},
    ),
}  # fmt: skip
"""Name -> export. A further source is its writer (`copied(folder)` for committed files) and its params here."""


def states_counted(name: str, history: History) -> int | None:
    """How many rows of its single file History must have been made from; None where a row is not one state or deal."""
    if name == "flat":
        return int(history.table.select("deal_id").distinct().count().execute())
    if name == "events":
        return int(history.table.count().execute())
    return None
