"""A params file is read as a person means it, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics.records.errors import InputError
from analytics.studies.strict_yaml import read_yaml


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "acme.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-01-31", "2026-01-31"), ("2026-01-31 10:00:00", "2026-01-31 10:00:00"), ("NO", "NO"), ("yes", "yes"),
        ("off", "off"), ("true", True), ("False", False), ("007", "007"), ("12_000", "12_000"), ("12:30", "12:30"),
        ("12", 12), ("-3", -3), ("0", 0), ("1.08", 1.08), (".5", 0.5), ("", None), ("~", None), ("null", None),
        ("2025Q4", "2025Q4"), ("[a, NO]", ["a", "NO"]),
    ],
)  # fmt: skip
def test_a_value_is_what_it_says(tmp_path: Path, text: str, value: object) -> None:
    read = read_yaml(written(tmp_path, f"key: {text}\n"))
    assert read == {"key": value}
    assert type(read["key"]) is type(value)


def test_a_key_called_on_stays_text(tmp_path: Path) -> None:
    assert read_yaml(written(tmp_path, "on: 2018-05-03\n")) == {"on": "2018-05-03"}


@pytest.mark.parametrize("text", ["a: 1\nb: 2\na: 3\n", "top:\n  a: 1\n  b: 2\n  a: 3\n", "- {a: 1}\n- {a: 1, a: 3}\n"])
def test_a_repeated_key_is_an_error_at_any_depth(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"acme\.yaml: the key 'a' stands in line \d and again in line \d"):
        read_yaml(written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "acme.yaml: is empty"), ("# nothing\n", "acme.yaml: is empty"),
        ("- a\n", "is not a list of `key: value` lines"),
        ("a: [1,\n", r"acme.yaml, row 2: is not valid YAML"), ("a: b: c\n", "row 1: is not valid YAML"),
        ("{[a]: 1}\n", "a key must be one word"), ("1: a\n", "is not a list of `key: value` lines"),
        ("a: !!python/object/apply:os.system ['true']\n", "is not valid YAML"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_yaml(written(tmp_path, text))


def test_a_missing_file_names_the_nearest_one(tmp_path: Path) -> None:
    written(tmp_path, "a: 1\n")
    with pytest.raises(InputError, match=r"amce\.yaml: there is no such params file.*'acme\.yaml'"):
        read_yaml(tmp_path / "amce.yaml")


def test_another_encoding_is_said(tmp_path: Path) -> None:
    path = tmp_path / "acme.yaml"
    path.write_bytes("title: Müller\n".encode("latin-1"))
    with pytest.raises(InputError, match="is not UTF-8 text"):
        read_yaml(path)
