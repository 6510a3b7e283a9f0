"""Why nobody was chosen: the reasons of declared no-decisions, indecision apart from the status quo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analytics.estimators.cell_deals import ids_of, members_apart, with_deals
from analytics.estimators.lacking import lacking
from analytics.estimators.rates import clustered_proportion, known_accounts
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.watched import has_accounts

FEWEST = 5
SILENT = "does not say"
WORDS = {
    "indecision": ("indeci", "undecided", "could not decide", "consensus", "too risky", "postponed", "timing",
                   "delay", "on hold", "unresponsive", "dark", "ghost"),
    "status quo": ("status quo", "do nothing", "did nothing", "no need", "in-house", "inhouse", "internal solution",
                   "stays as is", "not a priority", "no priority", "satisfied"),
    "no money": ("budget", "funding", "funds", "money"),
}  # fmt: skip
"""Words by which a reason is read; the first kind with a word in it counts."""


def reason_kind(reason: str) -> str:
    """Read a reason as indecision, as a preference for how things are, as a lack of money, or as saying none of these.

    Examples
    --------
    >>> [reason_kind(reason) for reason in ("Project postponed", "Status quo", "No budget", "No decision")]
    ['indecision', 'status quo', 'no money', 'does not say']
    """
    text = reason.strip().lower()
    return next((kind for kind, words in WORDS.items() if any(word in text for word in words)), SILENT)


def reasons_given(deals: pd.DataFrame) -> Estimate | Finding:
    """Which reasons do declared no-decisions carry, and do they speak of indecision or of the status quo?

    Parameters
    ----------
    deals : pandas.DataFrame
        First episodes under declared rules, with `reason`.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (part, level): share of the declared no-decisions by reason (part "reason") and by kind
        (part "kind": indecision, status quo, no money, or a
        wording that does not say), with `label`, `reads_as`, `n_event`, `n_deals`. A Finding where
        no deal ended in a declared no decision with a reason.

    Notes
    -----
    A reason is what a seller wrote. It is read as a kind by the words in it, which `reads_as` shows; a wording that the
    list does not know, such as "No decision", does not say. Shares of one whole: their
    intervals, by account, are one at a time.

    Examples
    --------
    >>> deals = pd.DataFrame({"outcome": "no_decision", "reason": ["No budget"] * 3 + ["Project postponed"] * 2})
    >>> found = reasons_given(deals)
    >>> found.at(part="kind")[["level", "estimate"]].values.tolist()
    [['no money', 0.6], ['indecision', 0.4]]
    """
    ended = deals[deals["outcome"] == "no_decision"]
    ended = ended[ended["reason"].notna()] if "reason" in ended else ended.iloc[:0]
    if not len(ended):
        needs = ("no-decision reasons",) if "reason" in deals and deals["reason"].notna().any() else ("reason",)
        return lacking("reasons_given", "indecision against the status quo", *needs)
    reason = ended["reason"].astype(str).str.strip()
    kind = reason.map({name: reason_kind(name) for name in reason.unique()})
    rows: list[dict[str, Any]] = []
    for part, values in (("kind", kind), ("reason", reason)):
        for level in _by_size(values):
            cluster = ended["account_id"] if has_accounts(ended) else None
            share = clustered_proportion((values == level).astype(float), cluster=cluster)
            rows.append({
                "part": part, "group": "As written" if part == "reason" else "Read as", "level": level, "label": level,
                "reads_as": level if part == "kind" else reason_kind(level),
                "estimate": share[0], "std_error": share[1], "conf_low": share[2], "conf_high": share[3],
                "n_event": int((values == level).sum()), "n_deals": len(ended),
                "members": {"n_event": ids_of(ended[values == level]), "n_deals": ids_of(ended)},
            })  # fmt: skip
    meta = Meta(
        kind="probability", estimand="share of the declared no-decisions, by the reason that sellers wrote",
        keys=("part", "level"), n_deals=len(ended), interval="Wilson", variance="by account where known",
        n_accounts=known_accounts(ended["account_id"]) if has_accounts(ended) else None,
        cluster="account_id" if has_accounts(ended) else None,
    )  # fmt: skip
    rows, lists = members_apart(rows)
    return with_deals(Estimate(pd.DataFrame(rows), meta), **lists)


def _by_size(values: pd.Series[str]) -> Sequence[str]:
    counts = values.value_counts()
    return sorted(counts.index, key=lambda level: (-counts[level], level))
