"""Every format gives the same rows, and every unusable file a sentence that says what to change."""

import csv
import datetime as dt
import gzip
import hashlib
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.records.errors import InputError
from analytics.records.rejects import RejectLedger
from analytics.records.sources.conform import Reader
from analytics.records.sources.csv_rows import rows_at_once, rows_one_by_one
from analytics.records.sources.numbers import parse_numbers
from analytics.records.sources.paths import resolve_path
from analytics.records.sources.raw import FILE, LINE
from analytics.records.sources.reading import read_table
from analytics.records.sources.table_mapping import TableMapping
from analytics.records.sources.values import parse_flags, parse_moments, zone_named


def read(base: Path, ledger: RejectLedger | None = None, **place):
    return read_table(TableMapping(**place), base=base, ledger=ledger or RejectLedger())


def sentence(base: Path, **place) -> str:
    with pytest.raises(InputError) as caught:
        read(base, **place)
    return str(caught.value)


def test_lines_are_those_of_the_file(tmp_path):
    text = 'id,note\r\n1,"two\r\nlines"\r\n\r\n2,plain\r\n'
    (tmp_path / "a.csv").write_bytes(text.encode())
    ledger = RejectLedger()
    table = read(tmp_path, ledger, file="a.csv")
    assert table.frame.values.tolist() == [["1", "two\r\nlines", "a.csv", 2], ["2", "plain", "a.csv", 5]]
    assert ledger.files()[0].sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    for encoding in ("utf-8-sig", "utf-8"):
        (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfid,x\n1,2\n")
        assert read(tmp_path, file="a.csv", read={"encoding": encoding}).columns == ["id", "x"]


def test_rows_that_are_not_whole_are_rejected_and_the_others_kept(tmp_path):
    (tmp_path / "a.csv").write_text('id,x\n1,2\n3\n4,5,6\n7,"8"9\n10,11\n')
    ledger = RejectLedger()
    table = read(tmp_path, ledger, file="a.csv")
    assert table.frame["id"].tolist() == ["1", "10"]
    assert ledger.frame()[["line", "reason", "values"]].values.tolist() == [
        [3, "the row has 1 values and the header 2", '{"id": "3", "x": ""}'],
        [4, "the row has 3 values and the header 2", '{"id": "4", "x": "5", "value 3": "6"}'],
        [5, "its quotation marks cannot be read", '{"row": "7,\\"8\\"9"}'],
    ]
    file = ledger.files()[0]
    assert (file.rows_read, file.rows_kept, file.rows_rejected) == (5, 2, 3)


def test_the_same_rows_from_every_format(tmp_path):
    frame = pd.DataFrame(
        {
            "id": [1, 2], "amount": [10.5, 20.0], "won": [True, False],
            "opened": [dt.datetime(2025, 1, 2, 3, 4, 5), dt.datetime(2025, 1, 3)], "note": ["é", None],
        }
    )  # fmt: skip
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    frame.assign(won=["true", "false"]).to_csv(tmp_path / "a.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S")
    with gzip.open(tmp_path / "a.csv.gz", "wb") as handle:
        handle.write((tmp_path / "a.csv").read_bytes())
    expected = [
        ["1", "10.5", "true", "2025-01-02T03:04:05", "é"],
        ["2", "20", "false", "2025-01-03T00:00:00", None],
    ]
    for name, lines in (("a.parquet", [1, 2]), ("a.xlsx", [2, 3]), ("a.csv", [2, 3]), ("a.csv.gz", [2, 3])):
        table = read(tmp_path, file=name)
        rows = table.frame.drop(columns=[FILE, LINE]).replace({"": None, "20.0": "20"}).values.tolist()
        assert rows == expected, name
        assert table.frame[LINE].tolist() == lines
        assert table.typed == (frozenset() if "csv" in name else {"id", "amount", "opened"})


def test_a_folder_of_files_is_one_table(tmp_path):
    for name, rows in (("2.csv", "id,x\n3,c\n"), ("1.csv", "x,id\na,1\nb,2\n"), ("notes.txt", "no\n")):
        (tmp_path / name).write_text(rows)
    ledger = RejectLedger()
    table = read(tmp_path, ledger, folder=".", pattern="*.csv")
    assert table.frame[["id", "x", FILE, LINE]].values.tolist() == [
        ["1", "a", "1.csv", 2],
        ["2", "b", "1.csv", 3],
        ["3", "c", "2.csv", 2],
    ]
    assert [file.name for file in ledger.files()] == ["1.csv", "2.csv"]


def test_a_folder_of_unlike_files_is_refused(tmp_path):
    (tmp_path / "1.csv").write_text("id,x\n1,a\n")
    (tmp_path / "2.csv").write_text("id,y\n1,a\n")
    assert sentence(tmp_path, folder=".") == (
        "2.csv, column 'x': its columns differ from those of 1.csv. Put files of one shape in a folder."
    )
    assert sentence(tmp_path, folder=".", pattern="*.xlsx").startswith(
        ".: the folder has no file that matches '*.xlsx'."
    )
    assert sentence(tmp_path, folder="none") == "none: there is no such folder. Check the path in the params."


def test_a_missing_file_names_the_nearest(tmp_path):
    (tmp_path / "deals.csv").write_text("id\n1\n")
    assert sentence(tmp_path, file="deal.csv") == (
        "deal.csv: does not exist. Check the path in the params (did you mean 'deals.csv'?)."
    )


def test_an_empty_file(tmp_path):
    (tmp_path / "a.csv").write_text("")
    assert sentence(tmp_path, file="a.csv") == "a.csv: is empty. Export it again."
    (tmp_path / "a.csv").write_text("id,x\n")
    assert sentence(tmp_path, file="a.csv") == "a.csv: has a header and no rows that can be read. Export it again."
    pd.DataFrame().to_excel(tmp_path / "a.xlsx")
    assert sentence(tmp_path, file="a.xlsx") == "a.xlsx: is empty. Export it again."


@pytest.mark.parametrize(("mark", "shown"), [(";", "';'"), ("\t", r"'\t'"), ("|", "'|'")])
def test_a_wrong_delimiter(tmp_path, mark, shown):
    (tmp_path / "a.csv").write_text(mark.join(["id", "x"]) + "\n" + mark.join("12") + "\n")
    header = repr(mark.join(["id", "x"]))
    assert sentence(tmp_path, file="a.csv") == (
        f"a.csv, column {header}: has a single column when its rows are split at ','. "
        f"Set read: {{delimiter: {shown}}} in the params."
    )
    assert read(tmp_path, file="a.csv", read={"delimiter": mark}).frame["x"].tolist() == ["2"]


def test_an_unknown_encoding(tmp_path):
    (tmp_path / "a.csv").write_text("id\n1\n")
    assert sentence(tmp_path, file="a.csv", read={"encoding": "utf-9"}) == (
        "a.csv: the encoding 'utf-9' is unknown. Correct read.encoding in the params (did you mean 'utf-8'?)."
    )


def test_an_encoding_that_is_not_the_files_own(tmp_path):
    body = "id,x\n" + "1,a\n" * 50 + "2,Müller\n"
    (tmp_path / "a.csv").write_bytes(body.encode("cp1252"))
    assert sentence(tmp_path, file="a.csv") == (
        "a.csv, row 52: cannot be read as utf-8-sig: the byte 0xfc does not fit. "
        "Set read: {encoding: …} in the params to the file's own, for example cp1252."
    )
    assert read(tmp_path, file="a.csv", read={"encoding": "cp1252"}).frame["x"].iloc[-1] == "Müller"
    (tmp_path / "b.csv").write_bytes("id,x\n1,a\n".encode("utf-16"))
    assert read(tmp_path, file="b.csv", read={"encoding": "utf-16"}).frame["x"].tolist() == ["a"]
    assert read(tmp_path, file="b.csv").frame["x"].tolist() == ["a"]  # its byte-order mark says what it is
    (tmp_path / "c.csv").write_bytes("id,x\n1,a\n2,b\n".encode("utf-16-le"))
    assert sentence(tmp_path, file="c.csv") == (
        "c.csv, row 1: holds NUL bytes. Export it again, or state its encoding, for example utf-16-le."
    )


def test_a_few_bytes_that_do_not_fit_reject_their_rows(tmp_path):
    lines = [b"id,x", *(b"%d,a" % number for number in range(198)), "198,Müller".encode("cp1252"), b"199,b\x00c"]
    (tmp_path / "a.csv").write_bytes(b"\n".join(lines))
    ledger = RejectLedger()
    assert len(read(tmp_path, ledger, file="a.csv").frame) == 198
    assert ledger.frame()[["line", "reason", "values"]].values.tolist() == [
        [200, "its byte 0xfc cannot be read as utf-8-sig", '{"id": "198", "x": "M\\\\xfcller"}'],
        [201, "it holds NUL bytes", '{"id": "199", "x": "b\\\\x00c"}'],
    ]
    (tmp_path / "a.csv").write_bytes(b"\n".join(lines[:100] + lines[199:]))
    assert sentence(tmp_path, file="a.csv").startswith("a.csv, row 101: cannot be read as utf-8-sig: the byte 0xfc ")


def test_a_row_with_broken_quotation_marks_takes_no_other_row_with_it(tmp_path):
    (tmp_path / "a.csv").write_text('id,x\n1,a\n2,"b\n3,c\n4,"d"\n5,e\n')
    ledger = RejectLedger()
    table = read(tmp_path, ledger, file="a.csv")
    assert table.frame[["id", LINE]].values.tolist() == [["1", 2], ["3", 4], ["4", 5], ["5", 6]]
    assert ledger.frame()[["line", "values"]].values.tolist() == [[3, '{"row": "2,\\"b"}']]
    (tmp_path / "a.csv").write_text('id,"x"y\n1,a\n')
    assert sentence(tmp_path, file="a.csv") == (
        "a.csv, row 1: the quotation marks of the header cannot be read. Export it again."
    )


def test_delimiters_at_the_end_of_every_line_are_no_columns(tmp_path):
    (tmp_path / "a.csv").write_text("id,x\n1,a,\n2,,\n")
    assert read(tmp_path, file="a.csv").frame[["id", "x"]].values.tolist() == [["1", "a"], ["2", ""]]
    (tmp_path / "a.csv").write_text("id,x,\n1,a\n")
    assert read(tmp_path, file="a.csv").columns == ["id", "x"]
    (tmp_path / "a.csv").write_text("id,x\n1,a,\n2,b,c\n")
    assert sentence(tmp_path, file="a.csv") == (
        "a.csv, row 2: has no row that can be read: the row has 3 values and the header 2. "
        "Export it again, or correct read: in the params."
    )


def test_the_line_in_which_excel_says_the_delimiter(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfsep=;\r\nid;x\r\n1;a,b\r\n")
    assert read(tmp_path, file="a.csv").frame.values.tolist() == [["1", "a,b", "a.csv", 3]]
    (tmp_path / "a.csv").write_text("sep=;\nid,x\n1;2,a\n")
    assert read(tmp_path, file="a.csv", read={"delimiter": ","}).frame["id"].tolist() == ["1;2"]


def test_lines_may_end_in_any_way(tmp_path):
    for end in ("\n", "\r\n", "\r"):
        (tmp_path / "a.csv").write_bytes(end.join(["id,x", "1,a", "", '2,"b' + end + 'c"', "3,d"]).encode())
        table = read(tmp_path, file="a.csv")
        assert table.frame[["x", LINE]].values.tolist() == [["a", 2], [f"b{end}c", 4], ["d", 6]]


def test_a_gz_file_that_is_cut_off(tmp_path):
    whole = gzip.compress(b"id,x\n" + b"1,a\n" * 500)
    for damaged in (whole[:40], whole[:20] + b"\x00\xff\x00" + whole[23:]):
        (tmp_path / "a.csv.gz").write_bytes(damaged)
        assert sentence(tmp_path, file="a.csv.gz") == "a.csv.gz: is not a whole .gz file. Export or copy it again."
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b""))
    assert sentence(tmp_path, file="a.csv.gz") == "a.csv.gz: is empty. Export it again."


def test_a_value_without_end_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("id,x\n1," + "a" * 10_000 + "\n")
    assert read(tmp_path, file="a.csv").frame["x"].str.len().tolist() == [10_000]
    (tmp_path / "a.csv").write_text("id,x\n1," + "a" * 200_000 + "\n")
    assert sentence(tmp_path, file="a.csv") == (
        "a.csv, row 2: a value that begins here is longer than 131,072 characters. "
        "Close the quotation mark if one is open, or leave the column out of the export."
    )


TEXTS = st.text(alphabet='ab,;"\n\r\x00é ', max_size=40)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(body=TEXTS, quoted=st.lists(st.lists(TEXTS, min_size=2, max_size=2), max_size=6))
def test_splitting_at_once_and_line_by_line_agree(body, quoted):
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["id", "x"], *quoted])
    for raw in (("id,x\n" + body).encode(), text.getvalue().encode()):
        fast = rows_at_once(raw, ",")
        if fast is not None:
            slow = rows_one_by_one(raw, ",", 0, "a.csv")
            assert (list(fast.lines), fast.cells) == (slow.lines, slow.cells)
            assert slow.defects == []


def test_a_quotation_mark_that_never_closes(tmp_path):
    (tmp_path / "a.csv").write_text('id,x\n1,a\n2,"b\n3,c\n')
    assert sentence(tmp_path, file="a.csv") == (
        "a.csv, row 3: a quotation mark opens here and never closes. Close it, or export the file again."
    )


def test_files_that_are_not_what_their_name_says(tmp_path):
    for name in ("a.parquet", "a.xlsx", "a.csv.gz"):
        (tmp_path / name).write_bytes(b"not at all")
    assert sentence(tmp_path, file="a.parquet") == "a.parquet: is not a whole Parquet file. Export it again."
    assert sentence(tmp_path, file="a.xlsx") == "a.xlsx: is not a whole Excel file. Save it again as .xlsx."
    assert sentence(tmp_path, file="a.csv.gz") == "a.csv.gz: is not a whole .gz file. Export or copy it again."
    (tmp_path / "a.json").write_text("{}")
    assert sentence(tmp_path, file="a.json") == (
        "a.json: its format '.json' is not read. Use one of .csv, .csv.gz, .parquet, .xlsx."
    )


def test_a_sheet_is_found_by_name(tmp_path):
    with pd.ExcelWriter(tmp_path / "a.xlsx") as book:
        pd.DataFrame({"id": [1]}).to_excel(book, sheet_name="Notes", index=False)
        pd.DataFrame({"id": [2]}).to_excel(book, sheet_name="Deals", index=False)
    assert read(tmp_path, file="a.xlsx", read={"sheet": "Deals"}).frame["id"].tolist() == ["2"]
    assert sentence(tmp_path, file="a.xlsx", read={"sheet": "Deal"}) == (
        "a.xlsx: has no sheet 'Deal'. Correct read.sheet in the params (did you mean 'Deals'?)."
    )


def test_paths_expand_only_our_own_variables(tmp_path, monkeypatch):
    monkeypatch.setenv("WINLOSS_DATA", str(tmp_path))
    assert resolve_path("${WINLOSS_DATA}/a.csv", Path("params")) == tmp_path / "a.csv"
    assert resolve_path("../data/a.csv", tmp_path) == tmp_path / "../data/a.csv"
    monkeypatch.delenv("WINLOSS_DATA")
    with pytest.raises(InputError) as unset:
        resolve_path("${WINLOSS_DATA}/a.csv", tmp_path)
    assert str(unset.value) == (
        "${WINLOSS_DATA}/a.csv: the variable WINLOSS_DATA is not set. "
        "Set WINLOSS_DATA to the folder that holds the data."
    )
    with pytest.raises(InputError, match="the variable 'HOME' is not expanded in a path"):
        resolve_path("${HOME}/a.csv", tmp_path)


def rows(tmp_path, text: str, *, timezone: str | None = None, ledger: RejectLedger | None = None, **mapping):
    (tmp_path / "a.csv").write_text(text)
    reader = Reader(tmp_path, timezone, ledger or RejectLedger())
    contract = {"opened_on": "date", "amount": "float64"}
    return reader.rows(TableMapping(file="a.csv", **mapping), contract).frame


def test_a_column_that_the_file_lacks_names_the_nearest(tmp_path):
    with pytest.raises(InputError) as caught:
        rows(tmp_path, "id,close_date\n1,2025-01-02\n", columns={"opened_on": "closedate"})
    assert str(caught.value) == (
        "a.csv, column 'closedate': the mapping names this column and the file lacks it. "
        "Correct columns: opened_on in the params (did you mean 'close_date'?)."
    )


def test_a_mapped_column_that_is_there_twice(tmp_path):
    with pytest.raises(InputError) as caught:
        rows(tmp_path, "id,day,day\n1,2025-01-02,2025-01-03\n", columns={"opened_on": "day"})
    assert str(caught.value) == "a.csv, column 'day': the header has this column more than once. Rename one of them."


def test_a_date_that_does_not_parse_rejects_its_row(tmp_path):
    ledger = RejectLedger()
    text = "id,day\n1,02.01.2025\n2,31.02.2025\n3,\n4,01.01.9999\n"
    frame = rows(tmp_path, text, ledger=ledger, columns={"opened_on": "day"}, dates="%d.%m.%Y")
    assert frame["opened_on"].tolist() == [pd.Timestamp("2025-01-02"), pd.NaT]
    assert ledger.frame()[["line", "reason"]].values.tolist() == [
        [3, "day is not a date written as %d.%m.%Y"],
        [5, "day is not a date written as %d.%m.%Y"],
    ]


def test_a_column_of_which_no_date_parses_is_an_error(tmp_path):
    with pytest.raises(InputError) as caught:
        rows(tmp_path, "id,day\n1,\n2,soon\n3,later\n", columns={"opened_on": "day"})
    assert str(caught.value) == (
        "a.csv, column 'day', row 3, value 'soon': no value of this column can be read: this one is not an ISO "
        "date (2025-10-01). State its format under dates: opened_on: in the params."
    )


def test_numbers_as_the_file_writes_them(tmp_path):
    ledger = RejectLedger()
    text = "id;n\n1;1.234,5\n2;-7\n3;nan\n4;1e3\n5;12x\n"
    reading = {"delimiter": ";", "decimal": ",", "thousands": "."}
    frame = rows(tmp_path, text, ledger=ledger, columns={"amount": "n"}, read=reading)
    assert frame["amount"].fillna(0).tolist() == [1234.5, -7.0, 0.0, 1000.0]
    assert ledger.frame()[["line", "reason"]].values.tolist() == [[6, "n is not a number"]]
    assert [(seen.what, seen.found, seen.of) for seen in ledger.noticed] == [
        ("'n' says 'nan' where a value belongs", 1, 5)
    ]


def test_times_with_a_zone_are_dated_in_the_zone_of_the_params():
    texts = pd.Series(
        ["2025-09-30T23:30:00.000+0000", "2025-09-30 23:30:00", "2025-10-01T00:30:00Z", None, "x"], dtype=object
    )
    written = parse_moments(texts, "iso", None).dt.normalize().dt.strftime("%m-%d").tolist()
    berlin = parse_moments(texts, "iso", zone_named("Europe/Berlin")).dt.normalize().dt.strftime("%m-%d").tolist()
    new_york = parse_moments(texts, "iso", zone_named("America/New_York")).dt.normalize().dt.strftime("%m-%d").tolist()
    assert written[:3] == ["09-30", "09-30", "10-01"]
    assert berlin[:3] == ["10-01", "09-30", "10-01"]
    assert new_york[:3] == ["09-30", "09-30", "09-30"]
    assert parse_moments(texts, "iso", None).isna().tolist() == [False, False, False, True, True]
    with pytest.raises(InputError, match="'Mars/Base' is not a time zone"):
        zone_named("Mars/Base")


def test_cells_that_came_as_dates_need_no_format():
    texts = pd.Series(["2025-03-04T00:00:00", "05.04.2025"], dtype=object)
    assert parse_moments(texts, "%d.%m.%Y", None).dt.strftime("%Y-%m-%d").tolist() == ["2025-03-04", "2025-04-05"]
    ambiguous = pd.Series(["2025-03-04"], dtype=object)
    assert parse_moments(ambiguous, "%Y-%d-%m", None).dt.strftime("%Y-%m-%d").tolist() == ["2025-04-03"]


def test_flags_and_numbers_that_are_none_are_missing():
    assert parse_flags(pd.Series(["TRUE", "0", "maybe", None], dtype=object)).tolist() == [True, False, None, None]
    read = TableMapping(file="a.csv").read
    assert parse_numbers(pd.Series(["1_000", "inf", None, "2"], dtype=object), read).fillna(-1).tolist() == [
        -1,
        -1,
        -1,
        2,
    ]
