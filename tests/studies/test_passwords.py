"""A password comes from the environment, and no file that a run leaves behind, and nothing that it says, holds it."""

from __future__ import annotations

import base64
import csv
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "records"))
from test_sql_tables import postgres_url  # noqa: F401 - the server is a fixture

from analytics.records.engine import connect
from analytics.records.errors import InputError
from analytics.studies.cli import main
from analytics.studies.params import load_company

HARD = "pa ss/w@rd:#%+é"
"""A password with every sign that an address must write in another way."""

DATABASE = """\
  kind: flat
  url: {url}
  table: deals
"""


def forms(password: str) -> Iterator[bytes]:
    for text in {password, quote(password, safe=""), quote(password), base64.b64encode(password.encode()).decode()}:
        yield text.encode()
        yield text.encode("utf-16-le")


def assert_nowhere(password: str, folder: Path, said: str) -> None:
    """No file below a folder, and nothing that was said, holds a password in any form."""
    files = [path for path in folder.rglob("*") if path.is_file() and "params" not in path.relative_to(folder).parts]
    assert len(files) > 5
    for form in forms(password):
        assert form not in said.encode()
        for path in files:
            assert form not in path.read_bytes(), f"{path.name} holds the password"


@pytest.fixture
def server(acme: Path, postgres_url: str, tmp_path: Path) -> Iterator[tuple[Path, str]]:  # noqa: F811
    """The company's deals in a database whose user has the hard password; the params name a variable in its place."""
    import psycopg

    with (acme / "export" / "deals.csv").open(newline="") as handle:
        head, *rows = list(csv.reader(handle))
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("drop table if exists deals")
        connection.execute(f"create table deals ({', '.join(f'{name} text' for name in head)})")
        with connection.cursor() as cursor:
            places = ", ".join(["nullif(%s, '')"] * len(head))
            cursor.executemany(f"insert into deals values ({places})", rows)
        connection.execute("drop role if exists reader")
        connection.execute(f"create role reader login password '{HARD}'")
        connection.execute("grant select on deals to reader")
    (acme / "export" / "deals.csv").unlink()
    yield acme, f"127.0.0.1:{urlsplit(postgres_url).port}/postgres"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("drop table deals")
        connection.execute("drop role reader")


def rewritten(acme: Path, url: str) -> None:
    params = acme / "params" / "acme.yaml"
    text = params.read_text().replace("  kind: flat\n  file: ../export/deals.csv\n", DATABASE.format(url=url))
    params.write_text(text)


def run(acme: Path) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["run", str(acme / "params" / "acme-2025Q2.yaml"), "--debug"])
    return done.exit_code, done.output + (done.stderr if done.stderr_bytes else "")


WAYS = ("only the password", "the driver's variable", "the driver's file")


@pytest.mark.parametrize("way", ["whole address", *(pytest.param(way, marks=pytest.mark.slow) for way in WAYS)])
def test_a_run_that_ends_well_says_the_password_nowhere(
    server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str
) -> None:
    acme, place = server
    url = {"whole address": "${WINLOSS_CRM}", "only the password": "postgres://reader:${WINLOSS_CRM_WORD}@" + place}
    rewritten(acme, url.get(way, f"postgres://reader@{place}"))
    monkeypatch.setenv("WINLOSS_CRM", f"postgres://reader:{quote(HARD, safe='')}@{place}")
    monkeypatch.setenv("WINLOSS_CRM_WORD", quote(HARD, safe=""))
    if way == "the driver's variable":
        monkeypatch.setenv("PGPASSWORD", HARD)
    if way == "the driver's file":
        host, port, database = place.replace("/", ":").split(":")
        escaped = HARD.replace("\\", "\\\\").replace(":", "\\:")
        (tmp_path / "pgpass").write_text(f"{host}:{port}:{database}:reader:{escaped}\n", encoding="utf-8")
        (tmp_path / "pgpass").chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    code, said = run(acme)
    assert code == 0, said
    assert_nowhere(HARD, acme, said)
    assert_nowhere(quote(HARD, safe=""), acme, said)


def test_a_run_that_cannot_connect_says_the_password_nowhere(
    server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, place = server
    rewritten(acme, "postgres://reader:${WINLOSS_CRM_WORD}@" + place)
    wrong = HARD + "wrong"
    monkeypatch.setenv("WINLOSS_CRM_WORD", quote(wrong, safe=""))
    code, said = run(acme)
    assert code == 2
    assert "cannot be opened" in said
    assert "Traceback" in said  # --debug shows where, and still not with what
    (acme / "reports" / "padding").mkdir()
    for number in range(6):
        (acme / "reports" / "padding" / str(number)).touch()
    assert_nowhere(wrong, acme, said)


def test_a_run_whose_notebook_prints_it_says_the_password_nowhere(
    server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from small_company import OPEN, notebook

    acme, place = server
    rewritten(acme, "${WINLOSS_CRM}")
    monkeypatch.setenv("WINLOSS_CRM", f"postgres://reader:{quote(HARD, safe='')}@{place}")
    show = f"""import os
url, word = os.environ["WINLOSS_CRM"], {HARD[::-1]!r}[::-1]
print(url, word)
raise RuntimeError(word + url)"""
    notebook(acme / "notebooks" / "02_size.ipynb", "How many deals", [OPEN, show])
    code, said = run(acme)
    assert code == 1
    assert "02_size" in said
    reports = acme / "reports"
    assert list(reports.rglob("02_size.failed.ipynb"))
    assert_nowhere(HARD, reports, said)
    assert_nowhere(quote(HARD, safe=""), reports, said)
    assert_nowhere(HARD, acme / ".winloss-cache", said)


@pytest.mark.parametrize(
    "url", ["postgres://ana:s3cretword@db/crm", "postgres://db/crm?user=ana&password=s3cretword",
            "postgres://ana:${WINLOSS_A}s3cretword@db/crm"],
)  # fmt: skip
def test_a_password_in_a_params_file_is_refused_and_not_repeated(acme: Path, url: str) -> None:
    rewritten(acme, url)
    with pytest.raises(InputError) as caught:
        load_company(acme / "params" / "acme.yaml")
    assert str(caught.value) == (
        "acme.yaml: the key 'source.url' holds a password. Put the address, or the password in it, into a variable "
        "whose name begins with WINLOSS_ and write ${WINLOSS_…} here; or leave the password out and let the driver "
        "read its own file."
    )
    code, said = run(acme)
    assert code == 2
    assert "s3cretword" not in said
    assert not (acme / "reports").exists()


@pytest.mark.parametrize("word", ["p@ss", "a/b:c", "50%25"])
def test_an_address_that_cannot_be_opened_is_repeated_without_its_password(word: str) -> None:
    with pytest.raises(InputError) as caught:
        connect(f"postgres://ana:{word}@127.0.0.1:1/crm")
    assert word not in str(caught.value)
    assert os.environ.get("PGPASSWORD") is None
