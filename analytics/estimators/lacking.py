"""The line in place of an answer that the records cannot give: what is not studied, and what would make it possible."""

from __future__ import annotations

from analytics.estimators.result import Finding
from analytics.records.errors import nearest
from analytics.records.needs import NEEDS


def lacking(name: str, question: str, *needs: str) -> Finding:
    """Say in one line that a question is not studied, and which table or column would make it possible.

    Parameters
    ----------
    name : str
        Of the result.
    question : str
        What is not studied, as a noun ("booked against plan").
    *needs : str
        What is missing, as named in `analytics.records.needs.NEEDS`.

    Returns
    -------
    Finding
        With the verdict "not studied".

    Raises
    ------
    ValueError
        For a need that has no words.

    Examples
    --------
    >>> lacking("plan", "booked against plan", "quotas").headline
    'Not studied: booked against plan. It needs the quotas table (side: quotas).'
    """
    for need in needs:
        if need not in NEEDS:
            raise ValueError(f"there is no need {need!r} ({nearest(need, NEEDS)})")
    words = "; and ".join(NEEDS[need] for need in needs)
    return Finding(name, f"Not studied: {question}. It needs {words}.", "", "not studied")
