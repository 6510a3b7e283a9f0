"""HubSpot's times, however they are written: the forms that are parsed at once give what one by one they should."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from analytics.records.sources.hubspot.times import Clock


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin", "America/Los_Angeles"])
@pytest.mark.parametrize("in_utc", [True, False])
def test_every_form_of_a_moment_is_read_alike(zone, in_utc):
    clock = Clock("iso", ZoneInfo(zone) if zone else None, in_utc)
    draws = np.random.default_rng(5).integers(0, 4_000_000_000_000, size=200)
    texts, expected = [], []
    for milliseconds in draws:
        utc = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=int(milliseconds))
        here = (utc.astimezone(ZoneInfo(zone)) if zone else utc).replace(tzinfo=None)
        plain = utc.replace(tzinfo=None)
        whole = here.replace(microsecond=0)
        zoned = [
            (plain.isoformat(timespec="milliseconds") + "Z", here),
            (plain.isoformat(timespec="seconds") + "Z", whole),
            (plain.isoformat(timespec="milliseconds") + "+00:00", here),
        ]
        unzoned = [
            (plain.isoformat(" ", timespec="milliseconds"), here if in_utc else plain),
            (plain.isoformat(" ", timespec="seconds"), whole if in_utc else plain.replace(microsecond=0)),
            (plain.isoformat("T", timespec="microseconds"), here if in_utc else plain),
            (plain.date().isoformat(), dt.datetime.combine(plain.date(), dt.time())),
        ]
        as_number = [(str(milliseconds), here)] if milliseconds >= 10**10 else []
        for text, moment in (*zoned, *unzoned, *as_number):
            texts.append(text)
            expected.append(moment)
    found = clock.moments(pd.Series(texts, dtype=object))
    assert [moment.to_pydatetime() for moment in found] == expected


def test_what_is_no_time_or_lies_beyond_all_dates_is_not_read():
    texts = [
        "2025-02-30T10:00:00Z", "2025-02-30 10:00:00", "2262-01-01T00:00:00Z", "1899-12-31T10:00:00.000Z", "yesterday",
        "99999999999999", "2025-13-01", "2025-01-01T25:00:00.000Z", None, "12345",
    ]  # fmt: skip
    assert Clock("iso", None, in_utc=True).moments(pd.Series(texts, dtype=object)).isna().all()


def test_a_stated_format_is_local_or_utc_as_the_params_say():
    texts = pd.Series(["03/31/2025 23:30", "03/31/2025", "2025-03-31T23:30:00"], dtype=object)
    local = Clock("%m/%d/%Y %H:%M", ZoneInfo("Europe/Berlin"), in_utc=False).moments(texts)
    assert local.astype(str).tolist() == ["2025-03-31 23:30:00", "NaT", "2025-03-31 23:30:00"]
    utc = Clock("%m/%d/%Y %H:%M", ZoneInfo("Europe/Berlin"), in_utc=True).moments(texts)
    assert utc.astype(str).tolist() == ["2025-04-01 01:30:00", "NaT", "2025-04-01 01:30:00"]
