"""Record ids: a report writes 15 characters, the API the same 15 and a checksum of three."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

RECORD_ID = re.compile(r"0[0-9A-Za-z]{14}(?:[0-9A-Za-z]{3})?")
CHARACTERS = 15


def as_known(ids: pd.Series, known: Iterable[object]) -> pd.Series:
    """Write ids as the records that are known write them; an id whose first 15 characters are no known one's stays.

    Parameters
    ----------
    ids : pandas.Series
        Ids as one file writes them.
    known : iterable
        The ids of the records; a missing one is passed over.

    Returns
    -------
    pandas.Series
        The same ids. Upper and lower case are different ids: the checksum exists because 15 characters rely on it.

    Examples
    --------
    >>> as_known(pd.Series(["006Hs0000000001", "006hs0000000001"]), ["006Hs0000000001AAB"]).tolist()
    ['006Hs0000000001AAB', '006hs0000000001']
    """
    written = {name for name in known if isinstance(name, str)}
    by_start = {name[:CHARACTERS]: name for name in sorted(written) if RECORD_ID.fullmatch(name)}
    other = {
        name: by_start[name[:CHARACTERS]]
        for name in ids.dropna().unique()
        if name not in written and name[:CHARACTERS] in by_start and RECORD_ID.fullmatch(name)
    }
    return ids.map(lambda name: other.get(name, name)).astype(object) if other else ids
