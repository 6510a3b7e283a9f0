"""A SQL table is read like a file: the same History from DuckDB, SQLite and PostgreSQL as from the .csv."""

import os
import pwd
import secrets
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics.records.errors import InputError
from analytics.records.sources import read_history
from analytics.records.sources.mapping import FlatSource
from analytics.records.sources.salesforce.mapping import SalesforceSource

MAPPING = {
    "kind": "flat",
    "columns": {"deal_id": "id", "opened_on": "opened", "closed_on": "closed", "amount": "amount", "owner_id": "owner"},
    "outcome": {"column": "stage", "values": {"Won": "won", "Lost": "lost", "Open": "open"}},
}
ROWS = [
    ("D1", "2025-01-02", "2025-02-03", "Won", 10.5, "ana"),
    ("D2", "2025-01-05", None, "Open", None, "bo"),
    ("D3", None, None, "Open", 7.0, "bo"),
    ("D4", "2025-01-09", "2025-01-09", "Lost", 0.0, None),
]
COLUMNS = "id text, opened date, closed date, stage text, amount double precision, owner text"


def postgres_binaries() -> Path | None:
    """The newest server's programs, where one is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def unprivileged_user() -> str | None:
    """A user to run the server as: it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of its own, on a free port, under a temporary folder; needs a password."""
    binaries = postgres_binaries()
    if binaries is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed on the CI machine: its engine would go untested")
        pytest.skip("PostgreSQL is not installed here: install it to test this engine (CI does)")
    pytest.importorskip("psycopg") if os.environ.get("CI") != "true" else __import__("psycopg")
    user = unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="winloss-postgres-"))
    password = secrets.token_hex(8)
    (folder / "password").write_text(password)
    if user is not None:
        shutil.chown(folder, user)
        shutil.chown(folder / "password", user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data, run = folder / "data", {"user": user, "cwd": folder, "check": True, "capture_output": True, "timeout": 120}
    auth = ["--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--username=ana", "--encoding=UTF8"]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    try:
        subprocess.run([binaries / "initdb", "-D", data, "--no-sync", *auth], **run)
        subprocess.run([binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"], **run)
        try:
            yield f"postgres://ana:{password}@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([binaries / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"], **run)
    finally:
        shutil.rmtree(folder)


def expected(tmp_path: Path) -> list[list[object]]:
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in ROWS]
    (tmp_path / "deals.csv").write_text("\n".join(["id,opened,closed,stage,amount,owner", *lines]) + "\n")
    return states(read_history(FlatSource(**MAPPING, file="deals.csv"), base=tmp_path))


def states(history) -> list[list[object]]:
    frame = history.table.to_pandas()[
        ["deal_id", "recorded_on", "status", "opened_on", "closed_on", "amount", "owner_id"]
    ]
    return frame.astype(object).where(frame.notna(), None).values.tolist()


def check(url: str, tmp_path: Path) -> None:
    history = read_history(FlatSource(**MAPPING, url=url, table="deals"), base=tmp_path)
    assert states(history) == expected(tmp_path)
    assert history.rejects[["file", "line", "reason"]].values.tolist() == [["deals", 3, "no opening date (opened)"]]
    assert [(file.name, file.rows_read, file.rows_kept) for file in history.files] == [("deals", 4, 3)]
    again = read_history(FlatSource(**MAPPING, url=url, table="deals"), base=tmp_path)
    assert again.files == history.files
    with pytest.raises(InputError) as caught:
        read_history(FlatSource(**MAPPING, url=url, table="deal"), base=tmp_path)
    assert str(caught.value) == (
        "the database has no table 'deal'. Correct table: in the params (did you mean 'deals'?)."
    )


def test_a_duckdb_file(tmp_path):
    import duckdb

    with duckdb.connect(str(tmp_path / "crm.duckdb")) as connection:
        connection.execute(f"create table deals ({COLUMNS})")
        connection.executemany("insert into deals values (?, ?, ?, ?, ?, ?)", ROWS)
    check("duckdb:///crm.duckdb", tmp_path)


def test_an_sqlite_file(tmp_path, monkeypatch):
    connection = sqlite3.connect(tmp_path / "crm.db")
    connection.execute(f"create table deals ({COLUMNS})")
    connection.executemany("insert into deals values (?, ?, ?, ?, ?, ?)", ROWS)
    connection.commit()
    connection.close()
    monkeypatch.setenv("WINLOSS_DATA", str(tmp_path))
    check("sqlite:///${WINLOSS_DATA}/crm.db", tmp_path)


def test_a_postgresql_server(tmp_path, postgres_url, monkeypatch):
    import psycopg

    with psycopg.connect(postgres_url) as connection:
        connection.execute(f"create table deals ({COLUMNS})")
        with connection.cursor() as cursor:
            cursor.executemany("insert into deals values (%s, %s::date, %s::date, %s, %s, %s)", ROWS)
        connection.execute("create schema sales")
        connection.execute("create table sales.deals as select * from deals")
    monkeypatch.setenv("WINLOSS_CRM", postgres_url)
    check("${WINLOSS_CRM}", tmp_path)
    elsewhere = read_history(FlatSource(**MAPPING, url=postgres_url, table="sales.deals"), base=tmp_path)
    assert states(elsewhere) == expected(tmp_path)


def test_a_password_is_never_repeated(postgres_url, tmp_path):
    wrong = postgres_url.replace("ana:", "ana:wrong")
    with pytest.raises(InputError) as caught:
        read_history(FlatSource(**MAPPING, url=wrong, table="deals"), base=tmp_path)
    assert "wrong" not in str(caught.value)
    assert wrong.split(":")[2].split("@")[0] not in str(caught.value)


def test_a_database_that_cannot_be_reached_is_named_with_its_key(tmp_path):
    for read in (
        FlatSource(**MAPPING, url="postgres://ana:s3cret@127.0.0.1:1/crm", table="deals"),
        SalesforceSource(kind="salesforce", url="postgres://ana:s3cret@127.0.0.1:1/crm"),
    ):
        with pytest.raises(InputError) as caught:
            read_history(read, base=tmp_path)
        said = str(caught.value)
        assert said.startswith("value 'postgres://ana:***@127.0.0.1:1/crm': cannot be opened (")
        assert said.endswith("Check the address and that it is up: it is url: in the params, under source:.")
        assert "s3cret" not in said
    with pytest.raises(InputError) as caught:
        read_history(FlatSource(**MAPPING, url="sqlite:///gone.db", table="deals"), base=tmp_path)
    assert str(caught.value) == (
        f"{tmp_path.resolve() / 'gone.db'}: does not exist. "
        "Correct the path in the database address: it is url: in the params, under source:."
    )
