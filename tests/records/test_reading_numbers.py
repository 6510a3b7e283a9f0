"""Numbers as people write them: one style for a column, and a sentence where two readings are possible."""

import math
from pathlib import Path

import pytest

from analytics.records.errors import InputError
from analytics.records.rejects import RejectLedger
from analytics.records.sources.conform import Reader
from analytics.records.sources.numbers import Style, _number
from analytics.records.sources.table_mapping import TableMapping


def amounts(tmp_path: Path, *texts: str, ledger: RejectLedger | None = None, target: str = "amount", **read):
    (tmp_path / "a.csv").write_text("id|n\n" + "".join(f"{at}|{text}\n" for at, text in enumerate(texts)))
    mapping = TableMapping(file="a.csv", columns={target: "n"}, read={"delimiter": "|", **read})
    kind = "int64" if target == "sequence" else "float64"
    return Reader(tmp_path, None, ledger or RejectLedger()).rows(mapping, {target: kind}).frame[target].tolist()


def sentence(tmp_path: Path, *texts: str, **mapping) -> str:
    with pytest.raises(InputError) as caught:
        amounts(tmp_path, *texts, **mapping)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("$1,234.50", 1234.5), ("1,234.50 USD", 1234.5), ("US$ 7", 7.0), ("-$500", -500.0), ("$-500", -500.0),
        ("(500)", -500.0), ("($1,500.25)", -1500.25), ("500-", -500.0), ("−500", -500.0), ("+5", 5.0), (".5", 0.5),
        ("1 234.5", 1234.5), ("1\u00a0234\u00a0567", 1234567.0), ("1'234.50", 1234.5), ("40%", 40.0), ("1e3", 1000.0),
        ("1,234,567", 1234567.0), ("5.", 5.0),
        ("1,23", None), ("1,2345", None), ("12 34", None), ("(-500)", None), ("(500", None), ("1.2.3", None),
        ("--5", None), ("", None), ("$", None), ("1_000", None), ("inf", None), ("0x10", None), ("1e999", None),
        ("٣", 3.0),
    ],
)  # fmt: skip
def test_one_number_with_point_and_comma(text, number):
    value = _number(text, Style(".", ","))
    assert (None if math.isnan(value) else value) == number


def test_the_column_decides_how_its_numbers_are_written(tmp_path):
    ledger = RejectLedger()
    assert amounts(tmp_path, "1.234", "12,50", "1.234,50 €", "7", ledger=ledger) == [1234.0, 12.5, 1234.5, 7.0]
    assert [(seen.what, seen.found, seen.of) for seen in ledger.noticed] == [
        ("numbers of 'n' are written like 1.234,50", 2, 4)
    ]
    assert amounts(tmp_path, "1,234", "12.50", "1.234") == [1234.0, 12.5, 1.234]


def test_a_column_in_which_nothing_decides_is_refused_with_the_lines_to_paste(tmp_path):
    assert sentence(tmp_path, "500", "1.234", "12.500") == (
        "a.csv, column 'n', row 3, value '1.234': this number may be 1.234 or 1234, and no value of the column decides "
        'whether the comma or the point is the decimal mark. State in the params read: {decimal: ".", thousands: ","} '
        '(1,234.50) or read: {decimal: ",", thousands: "."} (1.234,50).'
    )
    assert amounts(tmp_path, "500", "1.234", decimal=",", thousands=".") == [500.0, 1234.0]
    assert amounts(tmp_path, "500", "1.234", decimal=".") == [500.0, 1.234]
    assert amounts(tmp_path, "1.085", "1.123", target="rate") == [1.085, 1.123]


def test_two_styles_in_one_column(tmp_path):
    assert sentence(tmp_path, "12.50", "1.234,50") == (
        "a.csv, column 'n', row 3, value '1.234,50': this number is written in another way than '12.50' in row 2, and "
        'both ways are common in this column. Export it in one way, or state read: {decimal: ".", thousands: ","} in '
        "the params, and rows that do not fit are rejected."
    )
    ledger = RejectLedger()
    assert amounts(tmp_path, *["12.50"] * 150, "1.234,50", ledger=ledger) == [12.5] * 150
    assert ledger.frame()[["line", "reason"]].values.tolist() == [[152, "n is not a number"]]


def test_amounts_in_two_currencies_need_a_column_that_says_which(tmp_path):
    assert sentence(tmp_path, "$5.00", "7.00 €") == (
        "a.csv, column 'n', row 3, value '7.00 €': its amounts are in more than one currency ($ and €). "
        "Export the currency as a column of its own and map it under columns: currency."
    )
    assert amounts(tmp_path, "$5.00", "7.00", "($2.00)") == [5.0, 7.0, -2.0]


def test_an_amount_that_nobody_can_believe_rejects_its_row(tmp_path):
    ledger = RejectLedger()
    assert amounts(tmp_path, "1e308", "999999999999999", "-1e15", "5", ledger=ledger) == [999999999999999.0, 5.0]
    assert ledger.frame()[["line", "reason"]].values.tolist() == [
        [2, "n is too large to be believed"],
        [4, "n is too large to be believed"],
    ]


def test_a_whole_number_is_one(tmp_path):
    ledger = RejectLedger()
    assert amounts(tmp_path, "1", "2.5", "3.0", ledger=ledger, target="sequence") == [1.0, 3.0]
    assert ledger.frame()[["line", "reason"]].values.tolist() == [[3, "n is not a whole number"]]


def test_numbers_of_a_typed_cell_are_not_read_twice(tmp_path):
    import pandas as pd

    pd.DataFrame({"n": [1.234, 1234.5]}).to_parquet(tmp_path / "a.parquet")
    mapping = TableMapping(file="a.parquet", columns={"amount": "n"}, read={"decimal": ",", "thousands": "."})
    frame = Reader(tmp_path, None, RejectLedger()).rows(mapping, {"amount": "float64"}).frame
    assert frame["amount"].tolist() == [1.234, 1234.5]
