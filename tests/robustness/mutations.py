"""Ways in which an export arrives spoilt: some change cells, some change bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

Rows = list[list[str]]
Draw = np.random.Generator

HOSTILE = ("<script>alert(1)</script>", '=HYPERLINK("http://x")', "'; DROP TABLE deals; --", "{{7*7}}", "\u202e\u0000",
           "NaN", "null", "#N/A", "None", "-1", "1e999", "0000-00-00", "9999-12-31", "2215-01-01", "45000", "%s%n", "𝕏",
           "\\", "a" * 300, "31/12/2024", "12:00", "true", " ", "\n", '"', ",", ";;;")  # fmt: skip


def dropped_column(draw: Draw, rows: Rows) -> Rows:
    at = int(draw.integers(len(rows[0])))
    return [[cell for place, cell in enumerate(row) if place != at] for row in rows]


def shuffled_columns(draw: Draw, rows: Rows) -> Rows:
    order = draw.permutation(len(rows[0]))
    return [[row[place] if place < len(row) else "" for place in order] for row in rows]


def shuffled_rows(draw: Draw, rows: Rows) -> Rows:
    return [rows[0], *(rows[at] for at in 1 + draw.permutation(len(rows) - 1))]


def duplicated_rows(draw: Draw, rows: Rows) -> Rows:
    again = draw.integers(1, max(len(rows), 2), size=3) if len(rows) > 1 else []
    return [*rows, *(list(rows[int(at)]) for at in again)]


def duplicated_header(draw: Draw, rows: Rows) -> Rows:
    one, other = (int(at) for at in draw.integers(len(rows[0]), size=2))
    if draw.random() < 0.5:  # a column twice
        return [[*row, row[one] if one < len(row) else ""] for row in rows]
    header = [rows[0][one] if place == other else name for place, name in enumerate(rows[0])]
    return [header, *rows[1:]]


def repeated_header(draw: Draw, rows: Rows) -> Rows:
    at = int(draw.integers(1, len(rows) + 1))
    return [*rows[:at], list(rows[0]), *rows[at:]]


def empty_header(draw: Draw, rows: Rows) -> Rows:
    at = int(draw.integers(len(rows[0])))
    return [[*rows[0][:at], "", *rows[0][at + 1 :]], *rows[1:]]


def _column(rows: Rows, *parts: str) -> list[int]:
    return [at for at, name in enumerate(rows[0]) if any(part in name.lower() for part in parts)]


def _changed(draw: Draw, rows: Rows, columns: list[int], change: Callable[[str], str], share: float) -> Rows:
    if not columns:
        return rows
    at = int(draw.choice(columns))
    new = [list(row) for row in rows]
    for row in new[1:]:
        if at < len(row) and draw.random() < share:
            row[at] = change(row[at])
    return new


DATES, AMOUNTS = ("opened", "closed", "due", "date", "at"), ("amount", "value", "probability")


def _iso_to(form: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        year, month, day = text[:4], text[5:7], text[8:10]
        return form.format(y=year, m=month, d=day) + text[10:] if text[4:5] == "-" else text

    return change


def day_first_dates(draw: Draw, rows: Rows) -> Rows:
    form = str(draw.choice(["{d}/{m}/{y}", "{d}.{m}.{y}", "{m}/{d}/{y}", "{y}/{m}/{d}"]))
    return _changed(draw, rows, _column(rows, *DATES), _iso_to(form), float(draw.choice([1.0, 1.0, 0.1])))


def strange_dates(draw: Draw, rows: Rows) -> Rows:
    text = str(draw.choice(["0000-00-00", "2215-01-01", "9999-12-31", "45000", "1735689600000", "2025-02-30", "soon"]))
    share = float(draw.choice([0.05, 0.05, 1.0]))
    return _changed(draw, rows, _column(rows, *DATES), lambda _: text, share)


def huge_amounts(draw: Draw, rows: Rows) -> Rows:
    text = str(draw.choice(["1e308", "-1e308", "1e15", "9" * 400, "inf", "1e309"]))
    return _changed(draw, rows, _column(rows, *AMOUNTS), lambda _: text, float(draw.choice([0.1, 0.5, 1.0])))


def negative_amounts(draw: Draw, rows: Rows) -> Rows:
    form = str(draw.choice(["-{}", "({})", "{}-", "-${}"]))
    return _changed(draw, rows, _column(rows, *AMOUNTS), lambda text: form.format(text), 0.4)


def written_amounts(draw: Draw, rows: Rows) -> Rows:
    def change(text: str) -> str:
        try:
            number = f"{float(text):,.2f}"
        except ValueError:
            return text
        swapped = number.translate(str.maketrans(",.", ".,"))
        return {"$": f"${number}", "€": f"{swapped} €", " ": number.replace(",", " "), "k": number[:-3]}[form]

    form = str(draw.choice(["$", "€", " ", "k"]))
    return _changed(draw, rows, _column(rows, *AMOUNTS), change, float(draw.choice([1.0, 0.2])))


def emptied_cells(draw: Draw, rows: Rows) -> Rows:
    share = float(draw.choice([0.02, 0.1, 1.0]))
    return _changed(draw, rows, list(range(len(rows[0]))), lambda _: "", share)


def swapped_cells(draw: Draw, rows: Rows) -> Rows:
    new = [list(row) for row in rows]
    for _ in range(4):
        row = new[int(draw.integers(len(new)))]
        if len(row) > 1:
            one, other = (int(at) for at in draw.integers(len(row), size=2))
            row[one], row[other] = row[other], row[one]
    return new


def hostile_texts(draw: Draw, rows: Rows) -> Rows:
    return _changed(draw, rows, list(range(len(rows[0]))), lambda _: str(draw.choice(HOSTILE)), 0.15)


def long_fields(draw: Draw, rows: Rows) -> Rows:
    length = int(draw.choice([10_000, 10_000, 140_000]))
    return _changed(draw, rows, list(range(len(rows[0]))), lambda text: (text or "x") * (length // 8), 0.02)


def odd_lengths(draw: Draw, rows: Rows) -> Rows:
    new = [list(row) for row in rows]
    for _ in range(2):
        row = new[int(draw.integers(len(new)))]
        if draw.random() < 0.5 and len(row) > 1:
            del row[int(draw.integers(len(row))) :]
        else:
            row.append("more")
    return new


def trailing_delimiters(draw: Draw, rows: Rows) -> Rows:
    if draw.random() < 0.5:
        return [rows[0], *([*row, ""] for row in rows[1:])]
    return [[*row, ""] for row in rows]


def header_only(draw: Draw, rows: Rows) -> Rows:
    return rows[: int(draw.integers(0, 3))]


CELLS: dict[str, Callable[[Draw, Rows], Rows]] = {
    function.__name__.replace("_", " "): function
    for function in (
        dropped_column, shuffled_columns, shuffled_rows, duplicated_rows, duplicated_header, repeated_header,
        empty_header, day_first_dates, strange_dates, huge_amounts, negative_amounts, written_amounts, emptied_cells,
        swapped_cells, hostile_texts, long_fields, odd_lengths, trailing_delimiters, header_only,
    )
}  # fmt: skip


def truncated_file(draw: Draw, raw: bytes) -> bytes:
    return raw[: int(draw.integers(len(raw) + 1))]


def truncated_lines(draw: Draw, raw: bytes) -> bytes:
    lines = raw.split(b"\n")
    for at in draw.integers(len(lines), size=2):
        lines[int(at)] = lines[int(at)][: int(draw.integers(len(lines[int(at)]) + 1))]
    return b"\n".join(lines)


def mixed_encodings(draw: Draw, raw: bytes) -> bytes:
    lines = raw.split(b"\n")
    if draw.random() < 0.3:
        return raw.decode("utf-8", "replace").encode("cp1252", "replace")
    at = int(draw.integers(len(lines)))
    lines[at] = lines[at].replace(b"A", "Ä".encode("cp1252"))
    return b"\n".join(lines)


def byte_order_mark(draw: Draw, raw: bytes) -> bytes:
    if draw.random() < 0.5:
        return b"\xef\xbb\xbf" + raw
    return raw.decode("utf-8", "replace").encode(str(draw.choice(["utf-16", "utf-16-le", "utf-32"])))


def other_line_ends(draw: Draw, raw: bytes) -> bytes:
    return raw.replace(b"\r\n", [b"\n", b"\r", b"\n\n", b"\r\r\n"][int(draw.integers(4))])


def quotes(draw: Draw, raw: bytes) -> bytes:
    for _ in range(int(draw.integers(1, 4))):
        at = int(draw.integers(len(raw) + 1))
        raw = raw[:at] + b'"' + raw[at:]
    return raw


def nul_bytes(draw: Draw, raw: bytes) -> bytes:
    if draw.random() < 0.3:
        return raw + b"\x00" * 64
    at = int(draw.integers(len(raw) + 1))
    return raw[:at] + b"\x00" + raw[at:]


def other_delimiter(draw: Draw, raw: bytes) -> bytes:
    mark = [b";", b"\t", b"|"][int(draw.integers(3))]
    said = b"sep=" + mark + b"\r\n" if draw.random() < 0.4 else b""
    return said + raw.replace(b",", mark)


def blank_lines(draw: Draw, raw: bytes) -> bytes:
    lines = raw.split(b"\n")
    for _ in range(3):
        lines.insert(int(draw.integers(len(lines) + 1)), [b"", b"  ", b",,,\r"][int(draw.integers(3))])
    return b"\n".join(lines)


def random_bytes(draw: Draw, raw: bytes) -> bytes:
    spoilt = bytearray(raw)
    for _ in range(int(draw.integers(1, 6))):
        if spoilt:
            spoilt[int(draw.integers(len(spoilt)))] = int(draw.integers(256))
    return bytes(spoilt)


BYTES: dict[str, Callable[[Draw, bytes], bytes]] = {
    function.__name__.replace("_", " "): function
    for function in (
        truncated_file, truncated_lines, mixed_encodings, byte_order_mark, other_line_ends, quotes, nul_bytes,
        other_delimiter, blank_lines, random_bytes,
    )
}  # fmt: skip


def spoilt(folder: Path, draw: Draw) -> list[str]:
    """Spoil one to four things in the .csv files of a folder; returns the names of what was done."""
    number = int(draw.choice([1, 2, 3, 4], p=[0.4, 0.3, 0.2, 0.1]))
    chosen = [str(name) for name in draw.choice([*CELLS, *BYTES], size=number, replace=False)]
    files = sorted(folder.glob("*.csv"))
    for name in sorted(chosen, key=lambda name: (name in BYTES, name == "long fields")):
        path = files[int(draw.integers(len(files)))]
        raw = path.read_bytes()
        if name in BYTES:
            path.write_bytes(BYTES[name](draw, raw))
            continue
        rows = list(csv.reader(io.StringIO(raw.decode(), newline="")))
        if rows and rows[0]:
            text = io.StringIO(newline="")
            csv.writer(text).writerows(CELLS[name](draw, rows))
            path.write_bytes(text.getvalue().encode())
    return chosen
