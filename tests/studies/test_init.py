"""Every key has its line in a template, which is valid as it is, and valid with every optional key in use."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from pydantic import BaseModel

from analytics.records.sources.mapping import SourceConfig
from analytics.studies.check import check
from analytics.studies.checking import checked
from analytics.studies.cli import main
from analytics.studies.init import KINDS, TEMPLATES, company_template, quarter_template, with_optional_keys
from analytics.studies.params import CompanyParams, QuarterParams, load_company, load_quarter
from analytics.studies.strict_yaml import read_yaml

WITHOUT_TEMPLATE = {"simulated"}
"""Kinds that nobody's export has."""


def models() -> dict[str, type[BaseModel]]:
    """Kind -> model, of every member of the union."""
    members = typing.get_args(typing.get_args(SourceConfig)[0])
    return {typing.get_args(model.model_fields["kind"].annotation)[0]: model for model in members}


KINDS_HERE = [kind for kind in KINDS if kind in models()]


def inner(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from inner(argument)


def keys_of(model: type[BaseModel], seen: frozenset[type[BaseModel]] = frozenset()) -> Iterator[str]:
    """Every key of a model and of the models in it."""
    for name, field in model.model_fields.items():
        yield name
        if name in ("source", "side"):  # the one has a template of its own, the other's tables map columns alone
            continue
        for other in inner(field.annotation):
            if other not in seen:
                yield from keys_of(other, seen | {model, other})


def parsed(text: str, tmp_path: Path) -> CompanyParams:
    path = tmp_path / "acme.yaml"
    path.write_text(text)
    return checked(CompanyParams, read_yaml(path), file=path.name)


def init(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["init", *options, "--folder", str(folder)])


def test_every_kind_has_a_template_and_every_template_a_place() -> None:
    assert set(models()) - WITHOUT_TEMPLATE <= set(KINDS)
    parts = {"company", "quarter", "export", "read", "side"}
    assert {path.stem for path in TEMPLATES.iterdir()} == set(KINDS) | parts


@pytest.mark.parametrize("kind", KINDS_HERE)
def test_every_key_occurs_with_a_comment(kind: str) -> None:
    text = company_template(kind)
    for key in {*keys_of(models()[kind]), *keys_of(CompanyParams)}:
        assert re.search(rf"(?:^|[\s#{{(,]){key}: ", text + " ", flags=re.MULTILINE) or re.search(
            rf"(?:^|[\s#]){key}:$", text, flags=re.MULTILINE
        ), f"{key} is in no line"
    top = [*models()[kind].model_fields, *CompanyParams.model_fields]
    for key in set(top) - {"kind", "source", "file", "folder", "url", "table", "database_schema", "pattern"}:
        lines = re.findall(rf"^(?:.*\n)?\s*#?{key}:.*$", text, flags=re.MULTILINE)
        assert any(" # " in line.splitlines()[-1] or line.lstrip().startswith("# ") for line in lines), key


@pytest.mark.parametrize("kind", KINDS_HERE)
def test_a_template_is_valid_as_it_is_and_says_what_to_fill_in(kind: str, tmp_path: Path) -> None:
    text = company_template(kind)
    params = parsed(text, tmp_path)
    assert (params.company, params.source.kind, params.scope) == ("acme", kind, None)
    assert set(params.model_fields_set) == {"company", "title", "source"}
    filled = [line for line in text.splitlines() if "<-" in line and not line.startswith("#")]
    named = {line.split(":")[0].strip() for line in filled}
    place = {"files"} if kind == "snapshots" else {"file" if kind in ("flat", "events") else "folder"}
    assert {"company", "title"} | place <= named


@pytest.mark.parametrize("kind", KINDS_HERE)
def test_a_template_is_valid_with_every_optional_key(kind: str, tmp_path: Path) -> None:
    params = parsed(with_optional_keys(company_template(kind)), tmp_path)
    source = params.source
    exclusive = {"url", "table", "database_schema", "files", "folder", "pattern", "file"}
    left_out = set(type(source).model_fields) - set(source.model_fields_set)
    assert left_out <= exclusive
    assert set(CompanyParams.model_fields) - set(params.model_fields_set) == set()
    assert set(getattr(source, "side", {})) == {
        "activities", "owners", "quotas", "reviews", "forecast_submissions", "fx_rates", "stages"
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_optional_keys_show_their_default_or_an_example(kind: str) -> None:
    """Of a source and of the company: a commented key at the top of its block says what holds without it."""
    text = company_template(kind)
    optional = [line for line in text.splitlines() if re.match(r"^(  )?#[a-z_]+: \S", line)]
    assert len(optional) >= 14
    assert [line for line in optional if "Default" not in line] == []
    assert max(len(line) for line in text.splitlines()) <= 170


def test_a_quarters_template_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "acme-2026Q1.yaml"
    path.write_text(quarter_template("2026Q1"))
    quarter = load_quarter(path)
    assert (quarter.company, quarter.quarter, f"{quarter.as_of}") == ("acme", "2026Q1", "2026-03-31")
    assert set(yaml.safe_load(path.read_text())) == set(QuarterParams.model_fields)


def test_the_command_writes_what_check_and_run_can_use(tmp_path: Path) -> None:
    folder = tmp_path / "params"
    result = init(folder, "flat", "--company", "globex", "--quarter", "2025Q1")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in folder.iterdir()) == ["globex-2025Q1.yaml", "globex.yaml"]
    assert "acme" not in (folder / "globex.yaml").read_text()
    assert load_company(folder / "globex.yaml").title == "Globex"
    (tmp_path / "data" / "globex").mkdir(parents=True)
    rows = [
        "id,created,closed,status",
        "1,2025-01-02,2025-02-01,Won",
        "2,2025-01-09,2025-02-20,Lost",
        "3,2025-02-01,,Open",
    ]
    (tmp_path / "data" / "globex" / "deals.csv").write_text("\n".join(rows))
    report = check(folder / "globex.yaml")
    assert report.facts["history"]["statuses"] == {"open": 1, "closed_won": 1, "closed_lost": 1, "closed_unknown": 0}
    assert [problem.split(",")[0] for problem in report.problems] == ["scope is not set"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text("mine")
    result = init(tmp_path, "salesforce")
    assert (result.exit_code, (tmp_path / "acme.yaml").read_text()) == (2, "mine")
    assert "is there already and stays as it is" in result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["salesfroce"], "Did you mean 'salesforce'?"),
        (["flat", "--company", "Acme Inc"], "may hold only a-z, 0-9 and _"),
        (["quarter"], "Add --quarter 2025Q4"),
        (["quarter", "--quarter", "Q4"], "is not the name of a quarter"),
    ],
)
def test_mistakes_are_one_sentence(options: list[str], said: str, tmp_path: Path) -> None:
    result = init(tmp_path, *options)
    assert (result.exit_code, said in result.output) == (2, True), result.output
    assert list(tmp_path.iterdir()) == []


def test_a_quarter_follows_the_companys_calendar(tmp_path: Path) -> None:
    assert init(tmp_path, "flat").exit_code == 0
    path = tmp_path / "acme.yaml"
    path.write_text(path.read_text().replace("#calendar:\n  #start_month: 2", "calendar:\n  start_month: 2"))
    assert init(tmp_path, "quarter", "--quarter", "FY26Q1").exit_code == 0
    assert f"{load_quarter(tmp_path / 'acme-FY26Q1.yaml').as_of}" == "2025-04-30"
