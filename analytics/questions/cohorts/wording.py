"""What may be said of a difference: "associated with", unless the design that allows more was declared."""

from __future__ import annotations

import re
from collections.abc import Mapping

from analytics.questions.cohorts.splitting import words_of

RANDOMISED = "randomised"
CAUSAL = re.compile(
    r"\b(because|caus\w+|due to|thanks to|owing to|effects?|impact\w*|leads? to|led to|driv(?:es|en|ers?)|results? in|"
    r"raised|lowered|boost\w*|improv\w+|makes? (?:deals|it))\b",
    re.IGNORECASE,
)


def claims_cause(text: str) -> list[str]:
    """Find the words of a sentence that say that one thing brought about another.

    Examples
    --------
    >>> claims_cause("Partner deals are associated with 8 points more won."), claims_cause("Partners led to more wins.")
    ([], ['led to'])
    """
    return [found.lower() for found in CAUSAL.findall(text)]


def relation(segment: str, level: str, change: str, *, more: bool, designs: Mapping[str, str]) -> str:
    """Say how a level and the share won go together, as strongly as the design allows.

    Parameters
    ----------
    segment, level : str
        What is compared.
    change : str
        The difference in words, with its interval.
    more : bool
        Whether the share is higher.
    designs : mapping of str to str
        Segment -> "randomised", where deals were given their level by lot.

    Examples
    --------
    >>> relation("source", "Partner", "+8 points (+2 to +14)", more=True, designs={})
    'source Partner is associated with +8 points (+2 to +14)'
    >>> relation("pilot", "yes", "+8 points (+2 to +14)", more=True, designs={"pilot": "randomised"})
    'pilot yes, given by lot, raised the share by +8 points (+2 to +14)'
    """
    name = f"{words_of(segment)} {level}"
    if designs.get(segment) == RANDOMISED:
        return f"{name}, given by lot, {'raised' if more else 'lowered'} the share by {change}"
    return f"{name} is associated with {change}"
