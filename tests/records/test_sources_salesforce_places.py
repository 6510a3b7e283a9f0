"""One Salesforce export in a folder, in a database, and object by object: the same History; real column names."""

import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from salesforce_export import export, history, noticed, rejected, sentence
from test_sources_salesforce import TASKS, USERS
from test_sources_salesforce_side import DATED, EVENTS
from test_sources_salesforce_traps import LISTED

FILES = {"Task": TASKS, "Event": EVENTS, "User": USERS, "DatedConversionRate": DATED, "OpportunityStage": LISTED}
MORE = {"activity_side": "Side__c", "user_team": "Team__c"}


def tables(made) -> dict[str, list[list[object]]]:
    """History and side tables as plain rows; side tables in the order of their values, as a database has no other."""
    frames = {"history": made.table.to_pandas()} | {name: side.to_pandas() for name, side in made.side.items()}
    return {
        name: [
            [None if pd.isna(cell) else str(cell) for cell in row]
            for row in frame.sort_values(list(frame.columns), ignore_index=True).itertuples(index=False)
        ]
        for name, frame in frames.items()
    }


def snake(name: str) -> str:
    """A name as warehouses write it: OpportunityHistory -> opportunity_history, Side__c -> side_c."""
    text = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).replace("__", "_")
    return text.strip("_")


def landed(folder: Path) -> dict[str, pd.DataFrame]:
    """The files of an export with the names, and some of the types, that a connector would give them."""
    frames = {}
    for path in sorted(folder.glob("*.csv")):
        frame = pd.read_csv(path, dtype=str, keep_default_na=False).replace({"": None})
        for name in ("Amount", "Probability", "DurationInMinutes"):
            if name in frame:
                frame[name] = frame[name].astype(float)
        for name in [name for name in frame if set(frame[name]) <= {"true", "false"}]:
            frame[name] = frame[name].map({"true": True, "false": False})
        if path.stem != "DatedConversionRate":
            for name in [name for name in frame if name in ("CloseDate", "ActivityDate", "PrevCloseDate")]:
                frame[name] = pd.to_datetime(frame[name]).dt.date
        frames[snake(path.stem)] = frame.rename(columns=snake)
    return frames


def duckdb_file(folder: Path, place: Path, schema: str = "main") -> str:
    import duckdb

    with duckdb.connect(str(place / "crm.duckdb")) as connection:
        connection.execute(f'create schema if not exists "{schema}"')
        for name, frame in landed(folder).items():
            connection.register("frame", frame)
            connection.execute(f'create table "{schema}"."{name}" as select * from frame')
            connection.unregister("frame")
    return "duckdb:///crm.duckdb"


def sqlite_file(folder: Path, place: Path) -> str:
    with sqlite3.connect(place / "crm.db") as connection:
        for name, frame in landed(folder).items():
            frame.to_sql(name, connection, index=False)
    connection.close()
    return "sqlite:///crm.db"


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "export").mkdir()
    return export(tmp_path / "export", **FILES)


def expected(folder: Path) -> dict[str, list[list[object]]]:
    made = tables(history(folder.parent, folder="export", **MORE))
    assert {name: len(found) for name, found in made.items()} == {
        "history": 9, "owners": 2, "activities": 6, "stages": 5, "fx_rates": 3,
    }  # fmt: skip
    return made


@pytest.mark.parametrize("write", [duckdb_file, sqlite_file])
def test_a_database_gives_the_history_that_the_folder_gives(folder, write):
    url = write(folder, folder.parent)
    made = history(folder.parent, folder=None, url=url, **MORE)
    assert tables(made) == expected(folder)
    assert [(file.name, file.rows_read - file.rows_kept) for file in made.files][:3] == [
        ("opportunity", 1),
        ("opportunity_history", 1),
        ("opportunity_field_history", 1),
    ]
    assert made.noticed == history(folder.parent, folder="export", **MORE).noticed


def test_tables_of_one_schema(folder):
    url = duckdb_file(folder, folder.parent, schema="raw_crm")
    made = history(folder.parent, folder=None, url=url, database_schema="raw_crm", **MORE)
    assert tables(made) == expected(folder)
    assert sentence(folder.parent, folder=None, url=url, database_schema="raw") == (
        "the database has no table for Opportunity. Name it under objects: {Opportunity: …} in the params."
    )


def test_each_object_from_a_place_of_its_own_with_headers_of_its_own(folder):
    url = duckdb_file(folder, folder.parent)
    deals = pd.read_csv(folder / "Opportunity.csv", dtype=str, keep_default_na=False)
    deals = deals.rename(columns={"Id": "Deal number", "StageName": "Phase", "Segment__c": "Customer kind"})
    deals.to_csv(folder / "report.csv", index=False)
    columns = {"Id": "Deal number", "StageName": "Phase", "Segment__c": "Customer kind"}
    objects = {
        "Opportunity": {"file": "export/report.csv", "columns": columns},
        "OpportunityHistory": {"table": "opportunity_history"},
        "OpportunityFieldHistory": {"file": "export/OpportunityFieldHistory.csv"},
    }
    made = history(folder.parent, folder=None, url=url, objects=objects, **MORE)
    assert tables(made) == expected(folder)
    wrong = objects | {"Opportunity": {"file": "export/report.csv", "columns": {"StageName": "Fase"}}}
    assert sentence(folder.parent, folder=None, url=url, objects=wrong, **MORE) == (
        "report.csv, column 'Fase': the mapping names this column and the file lacks it. "
        "Correct objects: Opportunity: columns: StageName in the params (did you mean 'Phase'?)."
    )


def test_the_order_of_rows_does_not_matter(folder):
    plain = expected(folder)
    for path in folder.glob("*.csv"):
        header, *lines = path.read_text().splitlines()
        path.write_text("\n".join([header, *reversed(lines)]) + "\n")
    assert tables(history(folder.parent, folder="export", **MORE)) == plain


def seeds(shared_data: Path, tmp_path: Path, **changed: str) -> Path:
    """The connector's seeds, of which every row is deleted, with some flags changed so that something is left."""
    for path in sorted((shared_data / "fivetran_crm_seeds" / "salesforce").glob("*.csv")):
        shutil.copy(path, tmp_path / path.name)
    for name, value in changed.items():
        path = tmp_path / f"sf_{name}_data.csv"
        pd.read_csv(path, dtype=str, keep_default_na=False).assign(is_deleted=value).to_csv(path, index=False)
    return tmp_path


def test_a_connectors_seeds_as_they_are_hold_deleted_deals_only(shared_data, tmp_path):
    said = sentence(seeds(shared_data, tmp_path), reason=None, attributes={})
    assert said.startswith("sf_opportunity_data.csv, row 2: no row is left to study: 10 were rejected because: deleted")


def test_a_connectors_seeds_are_versions_older_than_whose_first_nothing_is_known(shared_data, tmp_path):
    folder = seeds(shared_data, tmp_path, opportunity="false", opportunity_history="false")
    made = history(folder, reason=None, attributes={"kind": "type"})
    assert made.kind == "recorded"
    files = {file.name: (file.rows_read, file.rows_kept) for file in made.files}
    assert files["sf_opportunity_data.csv"] == (10, 10)
    assert files["sf_opportunity_history_data.csv"] == (10, 10)
    assert files["sf_task_data.csv"][0] == len(pd.read_csv(folder / "sf_task_data.csv"))
    assert files["sf_event_data.csv"][0] == len(pd.read_csv(folder / "sf_event_data.csv"))
    frame = made.table.to_pandas()
    versions = pd.read_csv(folder / "sf_opportunity_history_data.csv", dtype=str, keep_default_na=False)
    expected = []
    for row in versions.to_dict("records"):
        expected.append((row["id"], row["created_date"][:10], "", "open"))
        closed = "closed_won" if row["is_won"] == "true" else "closed_lost"
        status = closed if row["is_closed"] == "true" else "open"
        expected.append((row["id"], row["_fivetran_start"][:10], row["stage_name"], status))
    days = frame["recorded_on"].astype(str)
    found = zip(frame["deal_id"], days, frame["stage"].fillna(""), frame["status"], strict=True)
    assert sorted(found) == sorted(expected)
    assert noticed(made, 11) == {"probability in percent": (10, 10), "probability outside its scale": (1, 10)}
    assert noticed(made, 12) == {"forecast category that no rule names": (10, 10)}  # the seeds hold hashes
    assert {reason for _, reason in rejected(made, "sf_task_data.csv")} == {
        "it belongs to no opportunity of the export"
    }
