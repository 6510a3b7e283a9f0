"""Small cells of a shared report: hidden where few deals stand behind them, with what would give them away.

What is hidden, and what is not. A cell is a row of an Estimate or Listing with the number of deals it counts. Where
that number, the number of events, or what a plain share leaves over lies between 1 and `smallest - 1`, the row keeps
its names and loses its numbers (`withheld` says `<5`). Where the cells of several levels add up to a total, further
cells are hidden (`withheld` says `not shown`) until at least two, and at least `smallest` deals, are hidden together,
so that no subtraction from a shown total gives one of them. A count of 0 is shown. Curves are coarsened: steps are
merged until every step that is shown has at least `smallest` deals, or none, of each outcome; numbers at risk whose
changes would show fewer are left out. Lines that take few deals off a count are merged with the next smallest.
Sentences that rest on a hidden row are withheld; tests over a segment's levels are, where one level is hidden.

This protects against reading and subtracting within one report. It does not protect against somebody who knows other
totals, other deals, or a second report of the same deals with other segments, dates or thresholds.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection
from typing import TypeAlias

import numpy as np
import pandas as pd

from analytics.estimators.result import WITHHELD, Estimate, Finding, Listing
from analytics.studies.small_curves import coarsened
from analytics.studies.small_sentences import few, scrubbed, without_small_counts

Result: TypeAlias = Estimate | Listing | Finding

NOT_SHOWN = "not shown"
_APART = ("time", "segment", "kind", "view", "compared_to", "part", "definition", "measure", "rule", "field", "term")
"""Keys whose rows do not add up to anything that is shown; those of every other key may."""
_TOTALS = ("all", "all closed", "all files")
_SIZES = re.compile(r"n_deals(_now|_then)?|opened_(now|then)")
_EVENTS = re.compile(r"n_event(_now|_then|_rest)?|cum_event|n_unknown")
_CELLS = re.compile(r"n_risk|fired|later_won|n_without_account")
_KEPT = ("horizon_days", "horizon_reached", "age_days", "one_in", "margin", "overall", "followed_days")
_TEXTS = ("note", "words", "sentence")
_DERIVED = {"verdict": "not studied", "comparable": False}
_SINGLE = ("largest_deal_share",)
"""Columns that tell one deal's amount, whatever the number of deals."""


def protected(result: Result, name: str, smallest: int, *, tested: Collection[str] = ()) -> Result:
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

    Examples
    --------
    >>> closed = pd.DataFrame({"outcome": ["won", "lost", "open"], "deals": [3, 20, 40], "label": list("abc")})
    >>> protected(Listing(closed, "What closed"), "what_closed", 5).frame["withheld"].tolist()
    ['<5', 'not shown', '']
    """
    if isinstance(result, Finding):
        return scrubbed(result, smallest)
    if isinstance(result, Listing):
        return _listing(result, name, smallest)
    meta = result.meta
    nothing = Finding(name, f"Too few deals to show: {meta.estimand}.", f"It is {few(smallest)}.", "not studied")
    if 0 < meta.n_deals < smallest:
        return nothing
    note = without_small_counts(meta.note, smallest)
    if "time" in meta.keys and meta.kind in ("incidence", "survival", "probability") and "n_event" in result.frame:
        frame = coarsened(result.frame, meta.keys, smallest)
        return Estimate(frame, dataclasses.replace(meta, note=note)) if len(frame) else nothing
    frame = _estimate_rows(result.frame, meta.keys, smallest, tested if meta.kind == "test" else ())
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


def _estimate_rows(frame: pd.DataFrame, keys: tuple[str, ...], smallest: int, tested: Collection[str]) -> pd.DataFrame:
    sizes = [name for name in frame.columns if _SIZES.fullmatch(name)]
    base = sizes or [name for name in ("n_risk",) if name in frame]
    events = [name for name in frame.columns if _EVENTS.fullmatch(name)]
    small = _small(frame, [*base, *events], smallest)
    if {"n_event", "n_risk"} <= set(frame.columns):
        events_of, of = frame["n_event"].astype(float), frame["n_risk"].astype(float)
        share = np.isclose(frame["estimate"].astype(float), events_of / of.where(of > 0), rtol=0, atol=1e-9)
        small |= share & (of - events_of).between(1, smallest - 1).to_numpy()
    exact = [name for name in (*base, *events) if name in ("n_deals", "n_risk", "n_event")]
    said = np.where(_small(frame, exact, smallest), f"<{smallest}", np.where(small, NOT_SHOWN, ""))
    mark = pd.Series(said, index=frame.index, dtype=object)
    size = frame[base].astype(float).min(axis=1) if base else pd.Series(np.inf, index=frame.index)
    counts = frame[[*base, *events]].astype(float).fillna(0)
    if "segment" in keys:
        mark = mark.mask(frame["segment"].isin(list(tested)) & mark.eq(""), NOT_SHOWN)
    if "definition" in keys and base:
        _nested(mark, frame["definition"].astype(str), size, smallest)
    for key in keys:
        if key not in _APART and mark.ne("").any():
            _complemented(mark, frame, [other for other in keys if other != key], (key, size, counts), smallest)
    hidden = mark.ne("")
    cells = [name for name in frame.columns if _CELLS.fullmatch(name) and name not in base]
    single = [name for name in cells if _small(frame, [name], smallest).any()]
    frame = frame.assign(**{name: np.nan for name in _SINGLE if name in frame})
    for name in single:
        alone = _small(frame, [name], smallest) & ~hidden
        mark = mark.mask(alone, f"<{smallest}")
        frame[name] = frame[name].astype(float).mask(alone)
    if not mark.ne("").any():
        return _texts_scrubbed(frame, smallest)
    return _texts_scrubbed(_emptied(frame, hidden, keys, smallest), smallest).assign(**{WITHHELD: mark})


def _nested(mark: pd.Series, names: pd.Series, size: pd.Series, smallest: int) -> None:
    """Closed-count definitions hold one another: two that differ by a few deals show how many those are."""
    shown = size[names.str.startswith("closed_") & mark.eq("")].sort_values()
    for place, n in shown.items():
        if (shown[mark[shown.index].eq("")] - n).between(1, smallest - 1).any():
            mark[mark.index == place] = NOT_SHOWN


def _complemented(
    mark: pd.Series, frame: pd.DataFrame, by: list[str], cells: tuple[str, pd.Series, pd.DataFrame], smallest: int
) -> None:
    """Hide more cells, smallest first, until the hidden ones together are no small cell by any count."""
    key, size, counts = cells
    parts = frame[~frame[key].astype(str).isin(_TOTALS)]
    groups = parts.groupby(by, dropna=False, sort=False).indices.values() if by else [np.arange(len(parts))]
    for places in groups:
        labels = parts.index[places]
        hidden = mark[labels].ne("")
        if not hidden.any():
            continue
        number, total = int(hidden.sum()), counts.loc[labels][hidden].sum()
        for place, _ in size[labels][~hidden & (size[labels] > 0)].sort_values(kind="stable").items():
            if number >= 2 and not ((total > 0) & (total < smallest)).any():
                break
            mark[mark.index == place] = NOT_SHOWN
            number, total = number + 1, total + counts[counts.index == place].sum()


def _small(frame: pd.DataFrame, names: list[str], smallest: int) -> np.ndarray:
    if not names:
        return np.zeros(len(frame), dtype=bool)
    counts = frame[names].apply(pd.to_numeric, errors="coerce").astype(float)
    return np.asarray(((counts > 0) & (counts < smallest)).any(axis=1), dtype=bool)


def _emptied(frame: pd.DataFrame, hidden: pd.Series, keys: tuple[str, ...], smallest: int) -> pd.DataFrame:
    frame = frame.copy()
    for name in frame.columns:
        column = frame[name]
        if name in keys or name in _KEPT or not hidden.any():
            continue
        if name in _DERIVED:
            frame[name] = column.mask(hidden, _DERIVED[name])
        elif pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            frame[name] = column.astype(float).mask(hidden)
        elif name in (*_TEXTS, "detail"):
            frame[name] = column.mask(hidden, "")
    if "no_interval_reason" in frame or "conf_low" in frame:
        reasons = frame.get("no_interval_reason", pd.Series("", index=frame.index, dtype=object)).astype(object)
        frame["no_interval_reason"] = reasons.mask(hidden, few(smallest))
    return frame


def _texts_scrubbed(frame: pd.DataFrame, smallest: int) -> pd.DataFrame:
    texts = [name for name in (*_TEXTS, "label", "denominator") if name in frame]
    return frame.assign(
        **{name: [without_small_counts(text, smallest) for text in frame[name]] for name in texts},
    )


def _listing(listing: Listing, name: str, smallest: int) -> Listing | Finding:
    frame, title = listing.frame.reset_index(drop=True), listing.title
    nothing = Finding(name, f"Too few deals to show: {title}.", f"It is {few(smallest)}.", "not studied")
    if {"step", "rule", "deals", "remaining"} <= set(frame.columns):
        merged = _merged_lines(frame, smallest)
        return nothing if merged is None else Listing(merged, title)
    if {"rows_read", "rows_kept", "rows_rejected"} <= set(frame.columns):
        return _files(listing, smallest) or nothing
    if {"from_rate", "to_rate"} <= set(frame.columns) or {"item", "value", "unit"} <= set(frame.columns):
        texts = frame.select_dtypes("object").astype(str)
        told = texts.map(lambda text: without_small_counts(text, smallest) != text).to_numpy().any()
        return nothing if told or _small(frame, [c for c in ("deals",) if c in frame], smallest).any() else listing
    return Listing(_counted_rows(frame, smallest), title)


def _counted_rows(frame: pd.DataFrame, smallest: int) -> pd.DataFrame:
    """Rows that count deals: small ones lose their numbers, and `found` or `missing` goes with `filled`."""
    named = [c for c in ("deals", "n_deals", "found") if c in frame][:1]
    pairs = [c for c in ("filled", "missing") if c in frame]
    more = np.where(_small(frame, pairs, smallest), NOT_SHOWN, "")
    mark = pd.Series(np.where(_small(frame, named, smallest), f"<{smallest}", more), index=frame.index, dtype=object)
    totals = frame.iloc[:, 0].astype(str).isin(_TOTALS)
    apart = {"trap", "field", "what", "check"} & set(frame.columns)
    if named and not apart and mark.ne("").any():
        cells = frame[~totals].assign(_group=frame.get("group", ""), _cell=range(int((~totals).sum())))
        _complemented(
            mark, cells, ["_group"], ("_cell", cells[named[0]].astype(float), cells[named].astype(float)), smallest
        )
    others = [
        c for c in frame.columns if c.endswith("_deals") and c not in named and _small(frame, [c], smallest).any()
    ]
    frame = frame.assign(**dict.fromkeys(others, np.nan))
    if "most_common" in frame:
        found = frame["most_common"].astype(str).str.extract(r"\(([\d,]+)\)$")[0].str.replace(",", "").astype(float)
        frame["most_common"] = frame["most_common"].mask((found < smallest) | mark.ne(""), "")
    if mark.eq("").all():
        return _texts_scrubbed(frame, smallest)
    hidden = mark.ne("")
    kept = tuple(c for c in ("trap", "year") if c in frame)
    emptied = _emptied(frame, hidden, kept, smallest).drop(columns=["no_interval_reason"], errors="ignore")
    return _texts_scrubbed(emptied, smallest).assign(**{WITHHELD: mark})


def _files(listing: Listing, smallest: int) -> Listing | None:
    """Rows of a file may be deals: where few of one file were rejected, only all files together are shown."""
    frame = listing.frame
    if not _small(frame, ["rows_rejected", "rows_kept"], smallest).any():
        return listing
    whole = frame[frame["file"] == "all files"]
    enough = len(whole) and not _small(whole, ["rows_rejected", "rows_kept"], smallest).any()
    return Listing(whole.reset_index(drop=True), listing.title) if enough else None


def _merged_lines(frame: pd.DataFrame, smallest: int) -> pd.DataFrame | None:
    """Lines of one step that take off few deals become one line with the next smallest, so that everything adds up."""
    lines = frame.to_dict("records")
    for step in ("rejected", "not yet known", "left out", "ended as"):
        for unit in dict.fromkeys(str(line.get("unit", "deals")) for line in lines):
            mine = [x for x in lines if x["step"] == step and str(x.get("unit", "deals")) == unit and x["deals"] > 0]
            mine.sort(key=lambda line: float(line["deals"]))
            while mine and 0 < mine[0]["deals"] < smallest:
                if len(mine) < 2:
                    return None
                one, other = mine[0], mine[1]
                one |= {"rule": f"{one['rule']}; {other['rule']}", "deals": one["deals"] + other["deals"]}
                lines = [line for line in lines if line is not other]
                mine = sorted([one, *mine[2:]], key=lambda line: float(line["deals"]))
    left = 0
    for line in lines:
        takes = line["step"] in ("rejected", "not yet known", "left out", "ended as")
        left = left - line["deals"] if takes else line["deals"]
        line["remaining"] = left
    return pd.DataFrame(lines, columns=frame.columns)
