"""HubSpot's times: milliseconds since 1970, ISO texts, or a connector's UTC without a zone."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from analytics.records.errors import InputError
from analytics.records.sources.conform import Rows
from analytics.records.sources.values import FIRST_YEAR, LAST_YEAR

MILLISECONDS = re.compile(r"\d{11,14}")
ONE_DIGIT_HOUR = re.compile(r"(\d{4}-\d{2}-\d{2}) (\d:.*)")
USUAL = {
    24: "%Y-%m-%dT%H:%M:%S.%fZ", 20: "%Y-%m-%dT%H:%M:%SZ", 23: "%Y-%m-%d %H:%M:%S.%f", 19: "%Y-%m-%d %H:%M:%S",
}  # fmt: skip
"""Length of a text -> the form that the API or a connector gives a time of that length."""

START = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Clock:
    """How the times of an export are written, and in which zone they are dated.

    Attributes
    ----------
    form : str
        `iso` or a `strptime` format; milliseconds are read in any case.
    zone : ZoneInfo or None
        The zone of the params; None keeps the written clock time.
    in_utc : bool
        Whether a time without a zone is UTC, else it is local already. A date without a time never moves.
    """

    form: str
    zone: ZoneInfo | None
    in_utc: bool

    def moments(self, texts: pd.Series) -> pd.Series:
        """Parse times, each distinct text once; NaT where it is missing or cannot be read.

        Examples
        --------
        >>> berlin = Clock("iso", ZoneInfo("Europe/Berlin"), in_utc=True)
        >>> texts = ["1743463800000", "2025-03-31T23:30:00Z", "2025-03-31 23:30:00", "2025-03-31", "soon"]
        >>> berlin.moments(pd.Series(texts, dtype=object)).astype(str).tolist()
        ['2025-04-01 01:30:00', '2025-04-01 01:30:00', '2025-04-01 01:30:00', '2025-03-31 00:00:00', 'NaT']
        """
        codes, found = pd.factorize(texts)
        distinct = np.asarray(found, dtype=object)
        parsed = self._in_usual_forms(distinct)
        for at in np.flatnonzero(np.isnat(parsed)):
            parsed[at] = self._moment(distinct[at])
        values = np.append(parsed, np.datetime64("NaT", "ns"))
        return pd.Series(values[codes], index=texts.index)

    def in_zone_utc(self) -> Clock:
        """The same writing, dated in UTC."""
        return replace(self, zone=ZoneInfo("UTC"))

    def of_rows(self, rows: Rows, columns: Sequence[str]) -> Rows:
        """Turn columns of texts into times; a row with a time that cannot be read is rejected.

        Raises
        ------
        InputError
            For a column of which no value can be read.
        """
        for name in columns:
            if name not in rows.frame:
                continue
            texts = rows.frame[name]
            times = self.moments(texts)
            failed = texts.notna() & times.isna()
            if failed.any() and failed.sum() == texts.notna().sum():
                at = int(np.flatnonzero(failed)[0])
                file, line = rows.raw.place(int(rows.frame.index[at]))
                raise InputError(
                    f"no value of this column can be read: this one {self._said}",
                    file=file,
                    column=name,
                    row=line,
                    value=texts.iloc[at],
                    action="State the format of times under dates: in the params",
                )
            rows = Rows(rows.frame.assign(**{name: times}), rows.raw, rows.ledger)
            rows = rows.without(failed, f"{name} {self._said}")
        return rows

    def _in_usual_forms(self, texts: np.ndarray) -> np.ndarray:
        """Parse the texts of the usual forms at once; NaT for the others, which are parsed one by one."""
        parsed = np.full(len(texts), np.datetime64("NaT", "ns"))
        lengths = np.fromiter((len(text) for text in texts), dtype=np.int64, count=len(texts))
        for length, form in USUAL.items() if self.form == "iso" else ():
            at = np.flatnonzero(lengths == length)
            moments = pd.to_datetime(pd.Index(texts[at], dtype=object), format=form, errors="coerce", utc=True)
            local = moments if self.zone is None else moments.tz_convert(self.zone)
            plain = moments if form[-1] != "Z" and not self.in_utc else local
            parsed[at] = plain.where((plain.year >= FIRST_YEAR) & (plain.year <= LAST_YEAR)).tz_localize(None)
        return parsed

    @property
    def _said(self) -> str:
        written = "an ISO time (2025-10-01T12:00:00Z)" if self.form == "iso" else f"a time written as {self.form}"
        return f"is neither {written} nor milliseconds"

    def _moment(self, text: str) -> dt.datetime | None:
        if MILLISECONDS.fullmatch(text):
            moment: dt.datetime | None = START + dt.timedelta(milliseconds=int(text))
        else:
            moment = self._written(text)
        if moment is None:
            return None
        if moment.tzinfo is None and self.in_utc and ":" in text:
            moment = moment.replace(tzinfo=dt.UTC)
        if moment.tzinfo is not None:
            moment = (moment.astimezone(self.zone) if self.zone else moment).replace(tzinfo=None)
        return moment if FIRST_YEAR <= moment.year <= LAST_YEAR else None

    def _written(self, text: str) -> dt.datetime | None:
        try:
            if self.form != "iso" and text[10:11] != "T":
                return dt.datetime.strptime(text, self.form)
            return dt.datetime.fromisoformat(ONE_DIGIT_HOUR.sub(r"\1 0\2", text))
        except (ValueError, OverflowError):
            return None
