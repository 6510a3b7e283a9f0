"""Params are checked before anything starts: unknown keys, wrong types and impossible values are sentences."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from analytics.records.errors import InputError
from analytics.records.sources.mapping import SnapshotsSource
from analytics.studies.checking import checked
from analytics.studies.params import CompanyParams, QuarterParams, load_company, load_quarter, quarter_params

ROOT = Path(__file__).resolve().parents[2]


def company_with(acme: Path, old: str, new: str) -> CompanyParams:
    path = acme / "params" / "acme.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return load_company(path)


def quarter_with(acme: Path, old: str, new: str) -> QuarterParams:
    path = acme / "params" / "acme-2025Q2.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return load_quarter(path)


def test_a_good_file_says_what_it_means(acme: Path) -> None:
    params = load_company(acme / "params" / "acme.yaml")
    assert params.rules.no_decision_reasons == ("No decision",)
    assert params.definitions.scope is not None
    assert params.definitions.scope.everything
    assert params.folder == acme / "params"
    assert params.practical_differences.by_outcome() == {"won": 0.03, "lost": 0.03, "no_decision": 0.03}
    assert params.calendar.quarter("2025Q2").end == dt.date(2025, 6, 30)


def test_a_quarter_has_the_five_parameters_of_the_notebooks(acme: Path) -> None:
    params = load_quarter(acme / "params" / "acme-2025Q2.yaml")
    assert params.as_parameters() == {
        "company": "acme", "quarter": "2025Q2", "as_of": "2025-06-30", "compare_to": ["2025Q1"], "segments": ["region"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("scope:", "scoope:", "the key 'scoope' is not known. Did you mean 'scope'"),
        ("{everything: true}", "{evrything: true}", "the key 'scope.evrything' is not known. Did you mean 'every"),
        ("older_than_days", "older_then_days", "'rules.older_then_days' is not known. Did you mean 'older_than_days'"),
        ("  file:", "  fil:", "the key 'source.fil' is not known. Did you mean 'file'"),
        ("kind: flat", "kind: flatt", "value 'flatt': the key 'source.kind' is not known. Did you mean 'flat'"),
        ("  kind: flat\n", "", "'source.kind' is missing. Use one of dynamics, events, flat, hubspot, pipedrive,"),
        ("title: Acme Tools\n", "", "the key 'title' is missing"),
        ("days: 200", 'days: "200"', "value '200': the key 'rules.older_than_days' must be a whole"),
        ("older_than_days: 200", "older_than_days: 200.0", "'rules.older_than_days' must be a whole number"),
        ("older_than_days: 200", "older_than_days: -1", "must be greater than or equal to 0"),
        ("everything: true", "everything: 1", "value '1': the key 'scope.everything' must be true or false"),
        ("everything: true", "everything: yes", "value 'yes': the key 'scope.everything' must be true or false"),
        ("everything: true", "keep: {region: North}", "'scope.keep.region' must be a list, like"),
        ("segments: [region]", "segments: region", "value 'region': the key 'segments' must be a list"),
        ("segments: [region]", "observed_from: 2017", "'observed_from' must be a date like 2026-01-31"),
        ("segments: [region]", "observed_from: 86400", "'observed_from' must be a date like 2026-01-31"),
        ("segments: [region]", "observed_from: 2025-02-30", "'observed_from' must be a date like 2026-01-31"),
        ("segments: [region]", "timezone: America/NewYork", "did you mean 'America/New_York'"),
        ("segments: [region]", "currency: {policy: plan_rte}", "'currency.policy' must be own, plan_rate"),
        ("segments: [region]", "practical_differences: {win_incidence: 3}", "must be less than 1"),
        ("segments: [region]", "designs: {region: randomized}", "'designs.region' must be randomised"),
        ("Won: won", "Won: wonn", "value 'wonn': the key 'source.outcome.values.Won' must be won, lost,"),
        ("company: acme", "company: Acme!", "may hold only a-z, 0-9 and _"),
        ("company: acme", "company: other", "says company: other, but the file is called acme"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_company_file_is_a_sentence(acme: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        company_with(acme, old, new)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("acme.yaml")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("quarter:", "qarter:", "the key 'qarter' is not known. Did you mean 'quarter'"),
        ("as_of: 2025-06-30\n", "", "the key 'as_of' is missing"),
        ("2025-06-30", "30.6.2025", "value '30.6.2025': the key 'as_of' must be a date like 2026-01-31"),
        ("2025-06-30", "20250630", "'as_of' must be a date like 2026-01-31"),
        ("[2025Q1]", "2025Q1", "value '2025Q1': the key 'compare_to' must be a list"),
        ("[region]", "[[region]]", "the key 'segments.1' must be text"),
    ],
)
def test_what_is_wrong_in_a_quarter_file_is_a_sentence(acme: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        quarter_with(acme, old, new)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("acme-2025Q2.yaml")


def test_a_number_where_names_are_listed_is_taken_as_written(acme: Path) -> None:
    params = company_with(acme, "{everything: true}", "{keep: {year: [2025, North]}}")
    assert params.scope is not None
    assert params.scope.keep == {"year": ["2025", "North"]}


def test_the_first_of_a_list_is_1() -> None:
    block = {
        "kind": "snapshots", "columns": {"deal_id": "id", "opened_on": "opened"},
        "files": [{"file": "a.csv", "on": "2025-01-31"}, {"file": "b.csv", "on": "soon"}],
        "outcome": {"column": "status", "values": {"Won": "won"}},
    }  # fmt: skip
    with pytest.raises(InputError) as caught:
        checked(SnapshotsSource, block, file="acme.yaml")
    assert "value 'soon': the key 'files.2.on'" in str(caught.value)


def test_a_company_file_is_not_a_quarter(acme: Path) -> None:
    with pytest.raises(InputError, match=r"is a company's file; a run takes a quarter's\. Try acme-2025Q2\.yaml"):
        load_quarter(acme / "params" / "acme.yaml")


def test_a_notebook_may_hand_over_a_date_or_its_text() -> None:
    given = {"company": "acme", "quarter": "2025Q2", "compare_to": None, "segments": None}
    text = quarter_params({**given, "as_of": "2025-06-30"})
    assert quarter_params({**given, "as_of": dt.date(2025, 6, 30)}) == text
    assert text.as_parameters()["compare_to"] is None


@pytest.mark.parametrize("path", sorted((ROOT / "params").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_params_file_of_the_project_is_good(path: Path) -> None:
    params = load_quarter(path) if "-" in path.stem else load_company(path)
    assert path.stem.startswith(params.company)
