"""Connecting: clear sentences, and never a password in them."""

import sqlite3

import pytest

from analytics.records.engine import connect, redacted
from analytics.records.errors import InputError


@pytest.mark.parametrize("url", [None, "duckdb://", "DuckDB://"])
def test_in_memory(url):
    connection = connect(url)
    assert connection.name == "duckdb"
    assert connection.con.sql("select 6 * 7").fetchall() == [(42,)]


def test_files(tmp_path):
    path = tmp_path / "crm.db"
    with sqlite3.connect(path) as database:
        database.execute("create table deals (deal_id text)")
    database.close()
    connection = connect(f"sqlite:///{path}")
    assert connection.list_tables() == ["deals"]
    connection.disconnect()


@pytest.mark.parametrize("scheme", ["sqlite", "duckdb"])
def test_a_missing_file_is_not_created(tmp_path, scheme):
    path = tmp_path / "nowhere.db"
    with pytest.raises(InputError, match=r"nowhere\.db: does not exist"):
        connect(f"{scheme}:///{path}")
    assert not path.exists()


def test_unknown_scheme_names_the_nearest():
    with pytest.raises(InputError, match=r"(?i)did you mean 'postgres'"):
        connect("postgre://ana:s3cret@db/crm")
    with pytest.raises(InputError) as caught:
        connect("deals.csv")
    assert "duckdb://" in str(caught.value)


def test_the_password_stays_secret():
    with pytest.raises(InputError) as caught:
        connect("postgres://ana:s3cret%21@127.0.0.1:1/crm?connect_timeout=1")
    assert caught.value.__cause__ is None
    shown = str(caught.value) + str(caught.value.__dict__)
    assert "s3cret" not in shown
    assert "ana:***@127.0.0.1" in shown
    assert redacted("postgresql://ana:a:b@c@db/crm") == "postgresql://ana:***@db/crm"
    assert redacted("postgres://db/crm?user=ana&password=s3cret") == "postgres://db/crm?user=ana&password=***"
    with pytest.raises(InputError) as caught:
        connect("oracle://ana:s3cret@db/crm")
    assert "s3cret" not in str(caught.value)
