"""Sentences of a shared report: no count of few deals in words, and none that rests on hidden numbers."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd

from analytics.estimators.result import Finding


def few(smallest: int) -> str:
    """Say that something rests on too few deals to be shown."""
    return f"fewer than {smallest} deals, or it would tell of so few"


_COUNTED = re.compile(
    r"(?<![\d.,–−+±-])(\d+)(?= (?:and [\d,]+ deals|of\b|deals?\b|won\b|lost\b|no.decision|open\b|unknown\b|undecided\b|"
    r"accounts?\b|closings?\b))|(?<=\bn )(\d+)\b(?![,.]\d)|(?<=\bn = )(\d+)\b(?![,.]\d)"
)
_BRACKETS = re.compile(r" ?\(([^()]*)\)")


def without_small_counts(text: object, smallest: int) -> str:
    """Replace the small counts of deals in a sentence; a bracket that lists one is left out, since it adds up.

    Examples
    --------
    >>> without_small_counts("124 deals (43 won, 3 lost) are counted; 1 of 69 carries no amount, 3 days late.", 5)
    '124 deals are counted; fewer than 5 of 69 carries no amount, 3 days late.'
    """
    if not isinstance(text, str):
        return "" if text is None or text is pd.NA or (isinstance(text, float) and np.isnan(text)) else str(text)

    def small(match: re.Match[str]) -> bool:
        return 0 < int(next(filter(None, match.groups()))) < smallest

    def replaced(match: re.Match[str]) -> str:
        return f"fewer than {smallest}" if small(match) else match[0]

    def listed(match: re.Match[str]) -> str:
        return "" if any(small(found) for found in _COUNTED.finditer(match[1])) else match[0]

    return _COUNTED.sub(replaced, _BRACKETS.sub(listed, text))


_TOTAL = re.compile(r"\bof \d[\d,]* (?=(?:[a-z]+ )?(?:deals?|rows?|fields?|accounts?|closings?)\b)")


def without_totals(text: str) -> str:
    """Say of how many deals something was found without their number: two such numbers may differ by few deals.

    Examples
    --------
    >>> without_totals("641 of 1,770 deals"), without_totals("56% of 2,015 closed deals have it")
    ('641 of the deals', '56% of the closed deals have it')
    """
    return _TOTAL.sub("of the ", text)


def scrubbed(finding: Finding, smallest: int) -> Finding:
    """Return a Finding without small counts, or one that says it is withheld where a number in it is missing.

    Examples
    --------
    >>> scrubbed(Finding("x", "3 deals were won.", "", "described"), 5).headline
    'fewer than 5 deals were won.'
    """
    if re.search(r"\bnan\b|– \(|\bNone\b", f"{finding.headline} {finding.detail}"):
        return withheld(finding, smallest)
    headline, detail = (without_small_counts(text, smallest) for text in (finding.headline, finding.detail))
    return dataclasses.replace(finding, headline=headline, detail=detail)


def withheld(finding: Finding, smallest: int) -> Finding:
    """Say that a Finding rests on too few deals to be shown."""
    headline = "Too few deals stand behind this to be shown in a shared report."
    return Finding(finding.name, headline, f"It rests on {few(smallest)}.", "not studied", finding.estimate)
