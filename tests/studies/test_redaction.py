"""A password never reaches a file."""

from __future__ import annotations

import json

import pytest

from analytics.studies.redaction import hidden, hidden_in, known_secrets, secrets_in

URLS = [
    ("postgres://ana:s3cret@db:5432/crm", "s3cret"), ("postgres://ana:p%40ss:w/rd@db/crm", "p@ss:w/rd"),
    ("postgres://db/crm?user=ana&password=hunter22", "hunter22"), ("host=db password=hunter22 dbname=crm", "hunter22"),
]  # fmt: skip


@pytest.mark.parametrize(("url", "password"), URLS)
def test_passwords_are_found_and_hidden_wherever_they_stand(url: str, password: str) -> None:
    secrets = secrets_in([url])
    assert password in secrets
    text = f"could not open {url}: wrong password {password} for ana"
    assert password not in hidden(text, secrets)
    assert hidden(text, secrets).count("***") >= 2


def test_an_address_without_a_password_is_left_alone() -> None:
    for text in ("see https://example.org/a?b=c", "sqlite:///crm.db", "at 10:30 mail ana@example.org"):
        assert hidden(text, secrets_in([text])) == text


def test_a_password_is_hidden_in_json_too() -> None:
    secrets = secrets_in(["postgres://ana:qu%22o%5Cte@db/crm"])
    assert 'qu"o\\te' in secrets
    assert hidden(json.dumps(['qu"o\\te']), secrets) == '["***"]'


def test_a_short_password_is_hidden_in_its_address_without_garbling_the_text() -> None:
    assert secrets_in(["postgres://ana:abc@db/crm"]) == ()
    assert hidden("abc of postgres://ana:abc@db/crm", ()) == "abc of postgres://ana:***@db/crm"


def test_secrets_come_from_the_params_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINLOSS_CRM", "postgres://ana:from-env@db/crm")
    params = {"source": {"lookups": [{"url": "postgres://ana:from-file@db/crm"}]}}
    assert set(known_secrets(params)) == {"from-env", "from-file", "ZnJvbS1lbnY=", "ZnJvbS1maWxl"}
    assert hidden_in(params, known_secrets(params)) == {"source": {"lookups": [{"url": "postgres://ana:***@db/crm"}]}}
