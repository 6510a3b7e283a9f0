"""Which questions these records can answer, and from which day on each kind of answer can be trusted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from analytics.estimators.result import Finding, Listing
from analytics.records.abilities import abilities as lines_of
from analytics.records.contract import History
from analytics.records.definitions import Definitions
from analytics.records.needs import WRITTEN
from analytics.records.observation import agreement, observed_since
from analytics.records.rules import OutcomeRules
from analytics.records.trusted import trusted_from


def abilities(
    history: History, *, as_of: dt.date, definitions: Definitions, rules: OutcomeRules, segments: Sequence[str] = ()
) -> Listing:
    """Which questions can these records answer, and what would make the others possible?

    Parameters
    ----------
    history, as_of, definitions, rules, segments
        As for `analytics.records.abilities.abilities`.

    Returns
    -------
    Listing
        study, question, possible (yes, partly, no), needs, words.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = {"deal_id": ["A"], "recorded_on": [dt.date(2025, 1, 10)], "sequence": [0], "status": ["open"],
    ...         "opened_on": [dt.date(2025, 1, 10)]}
    >>> known = {"as_of": dt.date(2025, 3, 1), "definitions": Definitions(), "rules": OutcomeRules()}
    >>> frame = abilities(History(table=pd.DataFrame(rows)), **known).frame
    >>> frame.loc[frame["question"] == "quota attainment", "possible"].tolist()
    ['no']
    """
    frame = lines_of(history, as_of=as_of, definitions=definitions, rules=rules, segments=segments)
    return Listing(frame, "What these records can answer")


def abilities_in_short(listed: Listing) -> Listing:
    """What can the studies that have a notebook answer, and in a line, what those can that are yet to be written?

    Parameters
    ----------
    listed : Listing
        From `abilities`.

    Returns
    -------
    Listing
        study, question, possible, what_it_takes; the last row stands for all studies without a notebook.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"study": ["quarter", "reviews"], "question": ["mix", "reasons"], "possible": ["yes", "no"],
    ...                      "needs": ["", "reviews"], "words": ["", "Not studied: it needs reviews."]})
    >>> abilities_in_short(Listing(rows, "Answers")).frame.values.tolist()[1][1:]
    ['1 study without a notebook', 'no', 'Not all of: reviews.']
    """
    frame = listed.frame[["study", "question", "possible", "words"]].rename(columns={"words": "what_it_takes"})
    later = frame[~frame["study"].isin(WRITTEN)]
    shown = frame[frame["study"].isin(WRITTEN)].assign(study=lambda rows: rows["study"].str.replace("_", " "))
    if len(later):
        lacking = list(dict.fromkeys(later.loc[later["possible"] != "yes", "study"].str.replace("_", " ")))
        possible = "yes" if not lacking else "partly" if (later["possible"] != "no").any() else "no"
        studies = later["study"].nunique()
        said = f"{studies} {'study' if studies == 1 else 'studies'} without a notebook"
        words = f"Not all of: {', '.join(lacking)}." if lacking else ""
        shown.loc[len(frame)] = ["later", said, possible, words]
    return Listing(shown.reset_index(drop=True), listed.title)


def trusted(history: History, *, as_of: dt.date, definitions: Definitions) -> Listing | Finding:
    """From which day on can each kind of answer be trusted, and how is that known?

    Parameters
    ----------
    history, as_of
        As for `analytics.records.trusted.trusted_from`.
    definitions : Definitions
        Which closing date counts.

    Returns
    -------
    Listing or Finding
        what, trusted_from, late, share_before, share_after, how_known, affects. A Finding without usable dates.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = {"deal_id": ["A"], "recorded_on": [dt.date(2025, 1, 10)], "sequence": [0], "status": ["open"],
    ...         "opened_on": [dt.date(2025, 1, 10)]}
    >>> found = trusted(History(table=pd.DataFrame(rows)), as_of=dt.date(2025, 3, 1), definitions=Definitions())
    >>> found.frame["what"].tolist()[:2]
    ['outcomes', 'records']
    """
    frame = trusted_from(history, as_of=as_of, close_date=definitions.close_date)
    if not len(frame):
        return Finding("trusted", "There are no deals with usable dates.", "", "not studied")
    return Listing(frame, "From when each kind of answer can be trusted")


def observed(history: History, *, as_of: dt.date, definitions: Definitions) -> Finding:
    """Are deals that ended before some day absent from the export, and do the params say so?

    Parameters
    ----------
    history, as_of
        As for `analytics.records.observation.observed_since`.
    definitions : Definitions
        With `observed_from`, where it is set.

    Returns
    -------
    Finding
        What the records show, against the params, and how it is known. Numbers change only where the params say so.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = {"deal_id": ["A"], "recorded_on": [dt.date(2025, 1, 10)], "sequence": [0], "status": ["open"],
    ...         "opened_on": [dt.date(2025, 1, 10)]}
    >>> observed(History(table=pd.DataFrame(rows)), as_of=dt.date(2025, 3, 1), definitions=Definitions()).headline
    'Nothing says that deals are absent.'
    """
    found = observed_since(history, as_of=as_of, close_date=definitions.close_date)
    return Finding("observed", agreement(found, definitions.observed_from), found.how_known, "described")
