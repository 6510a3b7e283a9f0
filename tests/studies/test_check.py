"""`winloss check` says what is there, what is not, and what that rules out; it only reads, and shows no deal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner, Result

from analytics.records.contract import SourceFile
from analytics.records.needs import PARTS, WRITTEN
from analytics.records.sources.looked_for import objects_looked_for
from analytics.records.sources.salesforce.mapping import SalesforceSource
from analytics.studies.check_words import printable
from analytics.studies.cli import main
from analytics.studies.places import project_root

PARAMS = project_root() / "params"


def checked(path: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["check", str(path), *options])


def facts(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(checked(path, "--json").stdout)
    return content


def params_of(acme: Path) -> Path:
    return acme / "params" / "acme.yaml"


def changed(acme: Path, **keys: Any) -> Path:
    """Change keys of the company's params; None removes one."""
    path = params_of(acme)
    content = yaml.safe_load(path.read_text()) | keys
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return path


def questions(found: dict[str, Any], answer: str) -> dict[str, str]:
    return {one["question"]: one["words"] for one in found["abilities"] if one["possible"] == answer}


def test_what_was_read_is_accounted_for(acme: Path) -> None:
    deals = acme / "export" / "deals.csv"
    rows = deals.read_text().splitlines()
    rows += ["X1,A99,,2025-02-01,Won,,100,North", "X2,A99,2025-01-01,,Won,,100,North", "X3,A99,,,Open,,100,South"]
    deals.write_text("\n".join(rows) + "\n")
    (file,) = facts(params_of(acme))["files"]
    assert (file["rows_read"], file["rows_kept"], file["rows_rejected"]) == (123, 120, 3)
    assert file["reasons"] == [
        {"reason": "no opening date (opened)", "rows": 2},
        {"reason": "closed without a closing date (closed)", "rows": 1},
    ]
    said = checked(params_of(acme)).stdout
    assert "deals.csv        123 rows, 120 kept, 3 rejected" in said
    assert "2 rejected: no opening date (opened)" in said


def test_the_history_is_counted(acme: Path) -> None:
    found = facts(params_of(acme))["history"]
    deals = pd.read_csv(acme / "export" / "deals.csv")
    ends = deals["stage"].value_counts()
    assert (found["kind"], found["deals"]) == ("current_only", 120)
    assert found["statuses"] == {
        "open": ends["Open"], "closed_won": ends["Won"], "closed_lost": ends["Lost"], "closed_unknown": 0
    }  # fmt: skip
    assert found["first_opened"] == deals["opened"].min()
    assert found["last_record"] == max(deals["opened"].max(), deals["closed"].dropna().max())
    assert found["attributes"] == {"region": 120}
    scope = facts(params_of(acme))["scope"]
    assert (scope["set"], scope["deals"]) == (True, 120)
    counted = {line["rule"]: line["deals"] for line in scope["lines"]}
    assert counted[f"known on or before {found['last_record']}"] == counted["deals studied"] == 120
    assert counted["no opening date"] == counted["closed before it was opened"] == 0


def test_what_is_missing_rules_questions_out_in_one_line_each(acme: Path) -> None:
    found = facts(params_of(acme))
    assert [one["table"] for one in found["tables"] if one["rows"] is not None] == []
    no = questions(found, "no")
    assert no["booked against plan, coverage"] == "Not studied: it needs the quotas table (side: quotas)."
    assert no["quota attainment"].startswith(
        "Not studied: it needs the owner of a deal (owner_id); and the quotas table"
    )
    assert "the way through the stages" in no
    assert "no decision, old deals" in questions(found, "yes")
    assert (
        "Studied without recorded history"
        in questions(found, "partly")["against earlier quarters, as they were known then"]
    )
    quotas = acme / "export" / "quotas.csv"
    quotas.write_text("owner,period,quota\nU1,2025Q2,100\n")
    source = yaml.safe_load(params_of(acme).read_text())["source"]
    columns = {"owner_id": "owner", "period": "period", "quota": "quota"}
    path = changed(acme, source={**source, "side": {"quotas": {"file": "../export/quotas.csv", "columns": columns}}})
    found = facts(path)
    assert {"table": "quotas", "rows": 1} in found["tables"]
    assert "booked against plan, coverage" in questions(found, "yes")


def test_without_a_scope_it_says_what_to_paste_and_that_no_study_can_run(acme: Path) -> None:
    result = checked(changed(acme, scope=None))
    assert result.exit_code == 2
    assert "    region: [North, South]  # 60, 60 deals" in result.stdout
    assert "\n# or, for all deals: scope: {everything: true}\n" in result.stdout
    assert result.stdout.splitlines()[2:4] == [
        "A study cannot run yet.",
        "  - scope is not set, so it is not known which deals are studied. Paste the lines below.",
    ]
    assert result.stderr == ""  # said once
    assert "What can be studied" in result.stdout


def test_a_quarters_file_is_held_to_what_a_run_would_ask(acme: Path) -> None:
    quarter = acme / "params" / "acme-2025Q2.yaml"
    result = checked(quarter)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == "Acme Tools, 2025Q2: as known at the end of 2025-06-30 (the quarter's file)"
    assert result.stdout.splitlines()[1:4] == ["", "A study can run.", "  winloss run params/acme-2025Q2.yaml"]
    quarter.write_text(quarter.read_text().replace("[region]", "[regoin]").replace("2025Q1", "2025Q3"))
    found = facts(quarter)
    assert (found["can_run"], len(found["problems"])) == (False, 2)
    assert "can only be compared with an earlier quarter" in found["problems"][0]
    assert "did you mean 'region'?" in found["problems"][1].lower()
    assert checked(quarter).exit_code == 2


def test_a_quarters_file_without_its_keys_does_not_hide_the_records(acme: Path) -> None:
    quarter = acme / "params" / "acme-2025Q2.yaml"
    quarter.write_text("company: acme\n")
    result = checked(quarter)
    assert result.exit_code == 2
    assert "acme-2025Q2.yaml: the key 'quarter' is missing" in result.stdout.splitlines()[3]
    assert "120 deals" in result.stdout
    quarter.write_text("company: acne\n")
    result = checked(quarter)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Did you mean 'acme'?" in result.stderr


def test_what_cannot_be_read_is_one_sentence(acme: Path) -> None:
    (acme / "export" / "deals.csv").unlink()
    result = checked(params_of(acme))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Input: ../export/deals.csv: does not exist.")


def test_settings_that_fit_nothing_are_named(acme: Path) -> None:
    rules = {"no_decision_reasons": ["No desicion"], "silent_days": 90, "pushed_times": 2}
    said = " ".join(facts(changed(acme, rules=rules, stages=["Opne"], horizon_days=900))["settings"])
    assert "no lost deal has the reason 'No desicion' (did you mean 'No decision'?)" in said
    assert "rules.silent_days is set, but there are no activities" in said
    assert "rules.pushed_times is set, but only today's state is known" in said
    assert "horizon_days: 900 is longer than the oldest deal was followed" in said
    assert "source.extracted_on is not set: the last record, of " in said


def test_reasons_to_choose_from_can_be_pasted(acme: Path) -> None:
    path = changed(acme, rules={"older_than_days": 300})
    deals = pd.read_csv(acme / "export" / "deals.csv")
    counts = deals.loc[deals["stage"] == "Lost", "reason"].value_counts()
    assert {one["reason"]: one["deals"] for one in facts(path)["reasons"]} == counts.to_dict()
    said = checked(path).stdout
    block = said.split("keep those that mean no decision:\n\n")[1].split("\n\n")[0]
    assert counts.to_dict() == {"No decision": counts["Price"], "Price": counts["Price"]}  # equal counts: by name
    assert yaml.safe_load(block) == {"rules": {"no_decision_reasons": ["No decision", "Price"]}}
    assert f"    - Price  # {counts['Price']} deals" in block
    assert facts(changed(acme, rules={"no_decision_reasons": ["No decision"]}))["reasons"] == []
    export = acme / "export" / "deals.csv"
    export.write_text(export.read_text().replace("Price", "ask ana@corp.example"))
    assert facts(changed(acme, rules={"older_than_days": 300}))["reasons"] == []


def test_a_reason_that_is_not_mapped_is_said_and_unused_columns_are_named(acme: Path) -> None:
    source = yaml.safe_load(params_of(acme).read_text())["source"]
    assert facts(params_of(acme))["columns_not_used"] == []
    columns = {name: header for name, header in source["columns"].items() if name != "reason"}
    path = changed(acme, source={**source, "columns": columns})
    said = checked(path).stdout
    assert "Columns of the deals that are not used\n  reason\n" in said
    assert "no column is mapped as reason, so no lost deal counts as declared no decision; name it" in said
    assert "reason: from no day. No column is mapped as reason, or it is empty." in said


def test_a_history_without_rows_and_a_file_of_rejected_rows_are_named(tmp_path: Path) -> None:
    (tmp_path / "params").mkdir()
    header = "Id,AccountId,OwnerId,StageName,CloseDate,CreatedDate,IsClosed,IsWon"
    rows = [f"D{n},A{n},U1,Open,2025-03-0{1 + n},2025-01-0{1 + n}T00:00:00Z,false,false" for n in range(5)]
    (tmp_path / "Opportunity.csv").write_text("\n".join([header, *rows, rows[0]]) + "\n")
    (tmp_path / "OpportunityHistory.csv").write_text("Id,OpportunityId,CreatedDate,StageName,Amount,CloseDate\n")
    path = tmp_path / "params" / "acme.yaml"
    source = {"kind": "salesforce", "folder": ".."}
    path.write_text(yaml.safe_dump({"company": "acme", "title": "Acme", "source": source}))
    found = facts(path)
    (why,) = found["files"][0]["reasons"]
    assert found["settings"][:2] == [
        f"Opportunity.csv: 1 of 6 rows were rejected, most of them for this: {why['reason']}.",
        "OpportunityHistory.csv has no rows: earlier dates are rebuilt from today.",
    ]
    said = checked(path).stdout
    assert "found: Opportunity, OpportunityHistory (no rows)" in said
    assert said.index("Settings to look at") < said.index("What was read")


def test_studies_to_come_are_one_line_and_the_next_command_names_the_folder(acme: Path) -> None:
    (acme / "params" / "acme-2025Q2.yaml").unlink()
    said = checked(params_of(acme)).stdout
    assert "  winloss init quarter --company acme --quarter 2025Q2 --folder params\n" in said
    to_come = len({part.study for part in PARTS} - set(WRITTEN))
    missing = f"{to_come} studies have no notebook yet; something is missing for "
    assert "journey" in said.split(missing)[1].split(" (--json")[0]
    assert "the way through the stages" not in said


def test_no_deal_is_shown_and_nothing_is_written(acme: Path) -> None:
    before = sorted(path.relative_to(acme) for path in acme.rglob("*"))
    deals = pd.read_csv(acme / "export" / "deals.csv")
    for options in ((), ("--json",)):
        shown = checked(params_of(acme), *options).output
        assert not [value for value in (*deals["id"], *deals["account"]) if f"{value}" in shown.split()]
        assert not [amount for amount in deals["amount"] if f"{amount:,}.0" in shown]
    assert sorted(path.relative_to(acme) for path in acme.rglob("*")) == before


def test_a_stage_cannot_steer_the_terminal(acme: Path) -> None:
    assert printable("Won\x1b[2J\r\u202e") == "Won\ufffd[2J\ufffd\ufffd"
    deals = acme / "export" / "deals.csv"
    deals.write_text(deals.read_text().replace("North", "No\x1b[2Jrth"))
    result = checked(changed(acme, scope=None))
    assert "\x1b" not in result.output


def test_observation_is_proposed_and_changes_no_number(acme: Path) -> None:
    rng = np.random.default_rng(5)
    opened = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 500, 700), unit="D")
    closed = pd.Series(opened + pd.to_timedelta(rng.geometric(1 / 45, 700), unit="D"))
    frame = pd.DataFrame({"id": range(700), "account": range(700), "opened": opened, "closed": closed, "reason": ""})
    frame = frame.assign(amount=100, region="North", stage=rng.choice(["Won", "Lost"], 700))
    later = closed > pd.Timestamp("2025-06-30")
    frame.loc[later, "stage"], frame.loc[later, "closed"] = "Open", pd.NaT
    kept = frame[~(frame["closed"] < pd.Timestamp("2024-07-01"))]
    kept.to_csv(acme / "export" / "deals.csv", index=False)
    found = facts(params_of(acme))
    day = f"{kept['closed'].min():%Y-%m-%d}"
    assert found["observed"]["observed_from"] == day
    assert found["observed"]["words"].endswith(f'If they are absent, set observed_from: "{day}".')
    assert "and none had closed, where about " in found["observed"]["how_known"]
    assert (found["can_run"], found["scope"]["deals"]) == (True, len(kept))


@pytest.mark.parametrize("name", sorted(path.name for path in PARAMS.glob("*.yaml")))
def test_every_params_file_of_the_project(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not name.startswith("demo"):
        monkeypatch.setenv("WINLOSS_DATA", str(request.getfixturevalue("shared_data")))
    result = checked(PARAMS / name)
    assert result.exit_code == 0, result.output
    assert "A study can run." in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 110


def test_the_demo_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    found = facts(PARAMS / "demo-2025Q4.yaml")
    assert [one["object"] for one in found["objects"] if one["found"]][:3] == [
        "Opportunity", "OpportunityHistory", "OpportunityFieldHistory"
    ]  # fmt: skip
    opportunity = found["files"][0]
    assert (opportunity["name"], opportunity["rows_read"]) == ("Opportunity.csv.gz", 2800)
    assert found["scope"]["deals"] == 2397
    stages = {one["stage"]: one["means"] for one in found["history"]["stages"]}
    assert (stages["Proposal"], stages["Closed Won"]) == (["open"], ["closed_won"])
    assert found["observed"]["observed_from"] is None
    assert questions(found, "no").keys() & {"booked against plan, coverage", "no decision, silent deals"} == set()


def test_objects_are_found_in_a_folder_and_by_their_place(tmp_path: Path) -> None:
    for name in ("sf_opportunity_data.csv", "Task.xlsx", "notes.txt", "people.csv"):
        (tmp_path / name).touch()
    places = {"User": {"file": "people.csv"}}
    source = SalesforceSource(kind="salesforce", folder=".", objects=places)  # type: ignore[arg-type]
    found = objects_looked_for(source, [SourceFile("people.csv (User)", "", 1, 1, 0)], tmp_path)
    assert {name: names for name, names in found.items() if names} == {
        "Opportunity": ("sf_opportunity_data.csv",), "Task": ("Task.xlsx",), "User": ("people.csv",)
    }  # fmt: skip
    assert found["OpportunityHistory"] == ()


def test_tables_of_a_database_are_found_after_their_schema() -> None:
    url = "postgres://reader@db/crm"
    source = SalesforceSource(kind="salesforce", url=url, objects={"Task": {"table": "crm.todo"}})  # type: ignore[dict-item]
    read = [SourceFile(name, "", 1, 1, 0) for name in ("crm.opportunity", "crm.todo", "crm.task")]
    found = objects_looked_for(source, read)
    assert (found["Opportunity"], found["Task"], found["User"]) == (("crm.opportunity",), ("crm.todo",), ())
