"""The order of day and month is read off the column as a whole, stated by the mapping, or asked for; never guessed."""

from pathlib import Path

import pandas as pd
import pytest

from analytics.records.errors import InputError
from analytics.records.rejects import RejectLedger
from analytics.records.sources.conform import Reader
from analytics.records.sources.table_mapping import TableMapping
from analytics.records.sources.values import check_format


def opened(tmp_path: Path, *texts: str, ledger: RejectLedger | None = None, target: str = "opened_on", **mapping):
    (tmp_path / "a.csv").write_text("id;day\n" + "".join(f"{at};{text}\n" for at, text in enumerate(texts)))
    reader = Reader(tmp_path, mapping.pop("timezone", None), ledger or RejectLedger())
    table = TableMapping(file="a.csv", columns={target: "day"}, read={"delimiter": ";"}, **mapping)
    frame = reader.rows(table, {target: "moment"}).frame
    return frame[target].dt.strftime("%Y-%m-%d %H:%M:%S").str.removesuffix(" 00:00:00").tolist()


def sentence(tmp_path: Path, *texts: str, **mapping) -> str:
    with pytest.raises(InputError) as caught:
        opened(tmp_path, *texts, **mapping)
    return str(caught.value)


@pytest.mark.parametrize(
    ("texts", "days", "words", "found"),
    [
        (["3/4/2025", "17/4/2025", "18/4/2025"], ["2025-04-03", "2025-04-17", "2025-04-18"], "day/month/year", 2),
        (["03-04-2025", "04-17-2025"], ["2025-03-04", "2025-04-17"], "month/day/year", 1),
        (["2025/03/04", "2025/12/31"], ["2025-03-04", "2025-12-31"], "year/month/day", 2),
        (["31.12.99", "01.02.45"], ["1999-12-31", "2045-02-01"], "day/month/year", 1),
        (["4/17/2025 1:05 PM", "4/3/2025 12:30 AM"], ["2025-04-17 13:05:00", "2025-04-03 00:30:00"],
         "month/day/year", 1),
        (["17.04.2025 23:59:58", "03.04.2025 00:00:00"], ["2025-04-17 23:59:58", "2025-04-03"], "day/month/year", 1),
    ],
)  # fmt: skip
def test_one_order_that_fits_every_value_is_used_and_said(tmp_path, texts, days, words, found):
    ledger = RejectLedger()
    assert opened(tmp_path, *texts, ledger=ledger) == days
    (seen,) = ledger.noticed
    assert (seen.what, seen.found, seen.of) == (f"dates of 'day' are written as {words}", found, len(texts))
    assert seen.rule == "read so, because these values fit no other order"


def test_two_orders_that_fit_every_value_are_refused_with_the_lines_to_paste(tmp_path):
    assert sentence(tmp_path, "", "05/05/2025", "03/04/2025", "12/11/2025") == (
        "a.csv, column 'day', row 4, value '03/04/2025': this value may be 2025-04-03 or 2025-03-04, and no value of "
        "the column decides the order of day and month. State in the params "
        'dates: {opened_on: "%d/%m/%Y"} (day/month/year) or dates: {opened_on: "%m/%d/%Y"} (month/day/year).'
    )
    assert opened(tmp_path, "03/04/2025", dates={"opened_on": "%d/%m/%Y", "*": "iso"}) == ["2025-04-03"]
    assert opened(tmp_path, "03/04/2025", dates={"closed_on": "iso", "*": "%m/%d/%Y"}) == ["2025-03-04"]


def test_two_digit_years_may_stand_first_or_last(tmp_path):
    assert sentence(tmp_path, "13/04/25").split("State")[0] == (
        "a.csv, column 'day', row 2, value '13/04/25': this value may be 2025-04-13 or 2013-04-25, and no value of the "
        "column decides the order of day and month. "
    )


def test_orders_that_give_the_same_days_need_no_decision(tmp_path):
    ledger = RejectLedger()
    assert opened(tmp_path, "05/05/2025", "11/11/2025", ledger=ledger) == ["2025-05-05", "2025-11-11"]
    assert [(seen.found, seen.rule) for seen in ledger.noticed] == [(0, "read so: every order gives the same days")]


def test_a_column_that_no_order_fits_names_the_first_value(tmp_path):
    assert sentence(tmp_path, "03/04/2025", "17/04/2025", "soon", "04/17/2025") == (
        "a.csv, column 'day', row 4, value 'soon': no order of day, month and year fits every value of this column; "
        "day/month/year fits 2 of 4, and not this one. Correct it, or state "
        'dates: {opened_on: "%d/%m/%Y"} in the params, and rows that do not fit are rejected.'
    )
    ledger = RejectLedger()
    texts = ("03/04/2025", "17/04/2025", "soon", "04/17/2025")
    assert opened(tmp_path, *texts, ledger=ledger, dates={"opened_on": "%d/%m/%Y"}) == ["2025-04-03", "2025-04-17"]
    assert ledger.frame()["line"].tolist() == [4, 5]


def test_a_column_of_iso_dates_with_a_few_broken_ones_is_one(tmp_path):
    ledger = RejectLedger()
    assert opened(tmp_path, "2025-04-03", "17/04/2025", "2025-04-18", ledger=ledger) == ["2025-04-03", "2025-04-18"]
    assert ledger.frame()[["line", "reason"]].values.tolist() == [[3, "day is not an ISO date (2025-10-01)"]]
    assert ledger.noticed == []
    assert opened(tmp_path, "2025-04-03 22:30:00 UTC", "2025-04-03", timezone="Europe/Berlin") == [
        "2025-04-04 00:30:00",
        "2025-04-03",
    ]


def test_numbers_are_dates_only_where_the_mapping_says_what_they_count(tmp_path):
    assert sentence(tmp_path, "45000", "45001.5") == (
        "a.csv, column 'day', row 2, value '45000': the dates of this column are numbers, which may be days as Excel "
        "counts them, seconds or milliseconds. State in the params dates: {opened_on: excel} or "
        "dates: {opened_on: epoch_s} or dates: {opened_on: epoch_ms}."
    )
    assert opened(tmp_path, "45000", "45001.5", dates="excel") == ["2023-03-15", "2023-03-16 12:00:00"]
    assert opened(tmp_path, "1759274999", dates="epoch_s") == ["2025-09-30 23:29:59"]
    late = opened(tmp_path, "1759274999000", dates="epoch_ms", timezone="Europe/Berlin")
    assert late == ["2025-10-01 01:29:59"]


def test_a_typed_closing_date_of_a_year_that_no_deal_has_is_emptied_and_counted(tmp_path):
    ledger = RejectLedger()
    texts = ("2025-04-03", "2315-01-01", "0000-00-00", "9999-12-31 00:00:00", "later")
    days = opened(tmp_path, *texts, ledger=ledger, target="closed_on")
    assert days[0] == "2025-04-03"
    assert [pd.isna(day) for day in days] == [False, True, True, True]
    assert ledger.frame()["line"].tolist() == [6]
    (seen,) = ledger.noticed
    assert (seen.trap, seen.what, seen.found, seen.of) == (2, "'day' has a year before 1900 or after 2261", 3, 5)
    with pytest.raises(InputError, match="no value of this column can be read"):
        opened(tmp_path, "2315-01-01", target="opened_on")


def test_words_for_no_value_are_none_where_a_date_belongs(tmp_path):
    ledger = RejectLedger()
    assert len(opened(tmp_path, "2025-04-03", "#N/A", "NULL", "nan", ledger=ledger)) == 4
    assert [(seen.what, seen.found, seen.of) for seen in ledger.noticed] == [
        ("'day' says '#N/A' where a value belongs", 3, 4)
    ]


@pytest.mark.parametrize("form", ["dd/mm/yyyy", "%d/%m", "%d/%d/%Y", "%Q", "iso8601", ""])
def test_a_stated_format_that_is_none(tmp_path, form):
    with pytest.raises(InputError) as caught:
        check_format(form)
    assert str(caught.value) == (
        f"{form!r} is not a format of dates. "
        'Write dates: in the params like "%d/%m/%Y", or as iso, excel, epoch_s or epoch_ms.'
    )
    for usable in ("%d/%m/%Y", "%y%m%d", "%d.%m.%y %H:%M", "%m/%d/%Y %I:%M:%S %p", "%Y-%m-%dT%H:%M:%S%z"):
        check_format(usable)
