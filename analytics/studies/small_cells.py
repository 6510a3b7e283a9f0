"""Small cells of a shared report: hidden where few deals stand behind them, with what would give them away.

What is hidden, and what is not. A cell is a row of an Estimate or Listing with the number of deals it counts. Where
that number, the number of events, or what a plain share leaves over lies between 1 and `smallest - 1`, the row keeps
its names and loses its numbers (`withheld` says `<5`). Where the cells of several levels add up to a total, further
cells are hidden (`withheld` says `not shown`) until at least two, and at least `smallest` deals, are hidden together,
and the total leaves more than one way to share them out; where that cannot be had, nothing of the table is shown. Of
groups that hold one another, the smaller one is hidden where they differ by few. A count of 0 is shown. Curves are
coarsened: steps are merged until every step that is shown has at least `smallest` deals, or none, of each outcome;
numbers at risk whose changes would show fewer are left out. Lines that take few deals off a count are merged with the
next smallest, and what any table found is hidden where it would take such a line apart again; of files that lost rows
only the sum is shown. Sentences that rest on a hidden row are withheld; tests over a segment's levels are, where one
level is hidden.

This protects against reading, and against subtracting within a table; and, between tables, against taking apart what
was merged or left out. It does not protect against somebody who compares tables that count deals in different ways
(status today and first closing, for one), who knows other totals or other deals, or who has a second report of the
same deals with other segments, dates or thresholds.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection
from typing import TypeAlias

import numpy as np
import pandas as pd

from analytics.estimators.result import COARSENED, WITHHELD, Estimate, Finding, Listing
from analytics.studies.small_curves import coarsened
from analytics.studies.small_listings import NOTHING_SEEN, Seen, shown_listing
from analytics.studies.small_marks import NOT_SHOWN, complemented, emptied, nested, small, texts_scrubbed
from analytics.studies.small_sentences import few, scrubbed, without_small_counts

Result: TypeAlias = Estimate | Listing | Finding

_APART = (
    "time", "segment", "kind", "view", "compared_to", "part", "definition", "measure", "rule", "field", "term", "item",
    "threshold", "treatment",
)  # fmt: skip
"""Keys whose rows do not add up to anything that is shown; those of every other key may."""
_SIZES = re.compile(r"n_deals(_now|_then)?|opened_(now|then)")
_EVENTS = re.compile(r"n_event(_now|_then|_rest)?|cum_event|n_unknown")
_CELLS = re.compile(r"n_risk|fired|later_won|n_without_account|n_open|n_unrecorded")
_SINGLE = ("largest_deal_share",)
"""Columns that tell one deal's amount, whatever the number of deals."""


def protected(
    result: Result, name: str, smallest: int, *, tested: Collection[str] = (), seen: Seen = NOTHING_SEEN
) -> Result:
    """Return a result without its small cells; a Finding in its place where nothing is left of it.

    Parameters
    ----------
    result : Estimate, Listing or Finding
        What a question answered.
    name : str
        Under which it is saved.
    smallest : int
        A cell with fewer deals is hidden.
    tested : collection of str
        Segments that lost a level: what a test says of them would be about the other levels only, and is not shown.
    seen : Seen
        Counts that other tables of the report show: none in a table may differ from them by a few deals.

    Examples
    --------
    >>> closed = pd.DataFrame({"outcome": ["won", "lost", "open"], "deals": [3, 20, 40], "label": list("abc")})
    >>> protected(Listing(closed, "What closed"), "what_closed", 5).frame["withheld"].tolist()
    ['<5', 'not shown', '']
    """
    if isinstance(result, Finding):
        return scrubbed(result, smallest)
    if isinstance(result, Listing):
        return shown_listing(result, name, smallest, seen)
    meta = result.meta
    nothing = Finding(name, f"Too few deals to show: {meta.estimand}.", f"It is {few(smallest)}.", "not studied")
    if 0 < meta.n_deals < smallest:
        return nothing
    note = without_small_counts(meta.note, smallest)
    if "time" in meta.keys and meta.kind in ("incidence", "survival", "probability") and "n_event" in result.frame:
        frame = coarsened(result.frame, meta.keys, smallest)
        note = f"{note}; {COARSENED}" if note else COARSENED
        return Estimate(frame, dataclasses.replace(meta, note=note)) if len(frame) else nothing
    rows = _estimate_rows(result.frame, meta.keys, smallest, tested if meta.kind == "test" else ())
    if rows is None:
        return nothing
    frame = rows
    hidden = frame[WITHHELD].ne("") & frame["estimate"].isna() if WITHHELD in frame else pd.Series(False, frame.index)
    whole = (
        frame["level"].eq("all")
        if {"level", "part"} <= set(meta.keys)
        else pd.Series(meta.keys == ("outcome",), frame.index)
    )
    if len(frame) and (hidden.all() or (hidden & whole).any()):
        return nothing
    return Estimate(frame, dataclasses.replace(meta, note=note))


def hidden_rows(result: Result) -> pd.DataFrame:
    """Return the rows of a protected Estimate whose numbers were taken away."""
    if isinstance(result, Estimate) and WITHHELD in result.frame:
        return result.frame[result.frame[WITHHELD].ne("") & result.frame["estimate"].isna()]
    return pd.DataFrame()


def _estimate_rows(
    frame: pd.DataFrame, keys: tuple[str, ...], smallest: int, tested: Collection[str]
) -> pd.DataFrame | None:
    """Rows without small cells; None where what they add up to would give every cell."""
    sizes = [name for name in frame.columns if _SIZES.fullmatch(name)]
    base = sizes or [name for name in ("n_risk",) if name in frame]
    events = [name for name in frame.columns if _EVENTS.fullmatch(name)]
    counts = frame[[*base, *events]].astype(float).fillna(0)
    rest = _rest(frame)
    few_cells = small(frame, [*base, *events], smallest) | rest.between(1, smallest - 1).to_numpy()
    exact = [name for name in (*base, *events) if name in ("n_deals", "n_risk", "n_event")]
    said = np.where(small(frame, exact, smallest), f"<{smallest}", np.where(few_cells, NOT_SHOWN, ""))
    mark = pd.Series(said, index=frame.index, dtype=object)
    size = frame[base].astype(float).min(axis=1) if base else pd.Series(np.inf, index=frame.index)
    if "segment" in keys:
        mark = mark.mask(frame["segment"].isin(list(tested)) & mark.eq(""), NOT_SHOWN)
    counts["rest"] = rest.fillna(0)
    for key in ("definition", "item", "threshold"):
        if key in keys and base:
            within = (
                frame.index if key != "definition" else frame.index[frame[key].astype(str).str.startswith("closed_")]
            )
            nested(mark, counts.loc[within], smallest)
    for key in keys:
        if key not in _APART and mark.ne("").any():
            others = [other for other in keys if other != key]
            if not complemented(mark, frame, others, (key, size, counts), smallest):
                return None
    return _without(frame, mark, keys, smallest)


def _rest(frame: pd.DataFrame) -> pd.Series:
    """What a plain share leaves over: deals at risk without the event; empty where a row is no plain share."""
    if not {"n_event", "n_risk"} <= set(frame.columns):
        return pd.Series(np.nan, index=frame.index)
    events, of = frame["n_event"].astype(float), frame["n_risk"].astype(float)
    plain = np.isclose(frame["estimate"].astype(float), events / of.where(of > 0), rtol=0, atol=1e-9)
    return (of - events).where(plain)


def _without(frame: pd.DataFrame, mark: pd.Series, keys: tuple[str, ...], smallest: int) -> pd.DataFrame:
    """Take the numbers of marked rows away, and single small counts beside numbers that are shown."""
    hidden = mark.ne("")
    cells = [name for name in frame.columns if _CELLS.fullmatch(name)]
    single = [name for name in cells if (small(frame, [name], smallest) & ~hidden).any()]
    frame = frame.assign(**{name: np.nan for name in _SINGLE if name in frame})
    for name in single:
        alone = small(frame, [name], smallest) & ~hidden
        mark = mark.mask(alone, f"<{smallest}")
        frame[name] = frame[name].astype(float).mask(alone)
    if not mark.ne("").any():
        return texts_scrubbed(frame, smallest)
    return texts_scrubbed(emptied(frame, hidden, keys, smallest), smallest).assign(**{WITHHELD: mark})
