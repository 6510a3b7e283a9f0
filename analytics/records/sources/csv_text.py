"""The bytes of a .csv file as UTF-8: unpacked, without a byte-order mark, what does not fit left to be shown."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from pathlib import Path

from analytics.records.errors import InputError, nearest

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1", "iso-8859-15", "cp1250", "shift_jis", "gb18030")
UTF8 = ("utf-8", "utf-8-sig")
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte-order marks, which no UTF-8 text begins with: a file that begins with one says what it is."""

UNREADABLE = re.compile("[\x00\udc80-\udcff]")
"""What no value may hold: NUL, and bytes that did not fit (as `surrogateescape` keeps them)."""


def utf8_of(path: Path, encoding: str, name: str) -> tuple[bytes, bool]:
    """Read a .csv or .csv.gz file as UTF-8, and say whether every character of it can be read.

    Bytes that do not fit UTF-8 stay where they are, for the rows concerned to be rejected. In other encodings they are
    an error at once.

    Raises
    ------
    InputError
        For an empty file, one that was not packed whole, and an encoding that is unknown or not the file's.
    """
    stated = _known_encoding(encoding, name)
    raw = path.read_bytes()
    if path.suffix.lower() == ".gz" and raw:
        try:
            raw = gzip.decompress(raw)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InputError("is not a whole .gz file", file=name, action="Export or copy it again") from error
    if not raw:
        raise InputError("is empty", file=name, action="Export it again")
    if stated in UTF8:
        stated = next((marked for mark, marked in MARKS if raw.startswith(mark)), stated)
    try:
        text = raw.decode(stated)
    except UnicodeDecodeError as error:
        if stated not in UTF8:
            raise wrong_encoding(name, stated, raw[error.start], raw[: error.start].count(b"\n") + 1) from error
        return raw.removeprefix(codecs.BOM_UTF8), False
    except UnicodeError as error:
        raise InputError(f"cannot be read as {stated}", file=name, action=f"Set {ENCODING_LINE}") from error
    if stated not in UTF8:
        raw = text.removeprefix("\ufeff").encode("utf-8", "surrogatepass")
    return raw.removeprefix(codecs.BOM_UTF8), b"\x00" not in raw


ENCODING_LINE = "read: {encoding: …} in the params to the file's own"


def wrong_encoding(name: str, encoding: str, byte: int, line: int) -> InputError:
    """Say that a file is not of the stated encoding, with the first byte that does not fit."""
    return InputError(
        f"cannot be read as {encoding}: the byte 0x{byte:02x} does not fit",
        file=name,
        row=line,
        action=f"Set {ENCODING_LINE}, for example {'latin-1' if encoding == 'cp1252' else 'cp1252'}",
    )


def shown(text: str) -> str:
    r"""Write what cannot be read as `\x..`, so that a text can be kept and shown.

    Examples
    --------
    >>> print(shown(b"M\xfcller\x00".decode("utf-8", "surrogateescape")))
    M\xfcller\x00
    """
    plain = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return plain.replace("\x00", r"\x00")


def said_unreadable(text: str, encoding: str) -> str:
    r"""Say what a row holds that cannot be read.

    Examples
    --------
    >>> said_unreadable("M\udcfcller", "utf-8")
    'its byte 0xfc cannot be read as utf-8'
    """
    odd = sorted(set(UNREADABLE.findall(text)) - {"\x00"})
    if not odd:
        return "it holds NUL bytes"
    listed = ", ".join(f"0x{ord(mark) - 0xDC00:02x}" for mark in odd)
    return f"its byte{'s' if len(odd) > 1 else ''} {listed} cannot be read as {encoding}"


def _known_encoding(encoding: str, name: str) -> str:
    try:
        b"a".decode(encoding, "ignore")
        plain = encoding.lower().replace("_", "-")
        return {"utf8": "utf-8", "utf-8-sig": "utf-8-sig"}.get(plain, plain)
    except (LookupError, ValueError) as error:
        raise InputError(
            f"the encoding {encoding!r} is unknown",
            file=name,
            action=f"Correct read.encoding in the params ({nearest(encoding, ENCODINGS)})",
        ) from error
