"""Listings of a shared report: rows that count few deals lose their numbers, lines that take few off are merged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.estimators.result import WITHHELD, Finding, Listing
from analytics.studies.small_marks import NOT_SHOWN, TOTALS, complemented, emptied, nested, small, texts_scrubbed
from analytics.studies.small_sentences import few, without_small_counts, without_totals

_TAKES = ("rejected", "not yet known", "left out", "ended as")
_NAMES = (
    "trap", "looked_for", "rule", "unit", "field", "label", "outcome", "group", "what", "check", "currency",
    "line", "to", "from_label", "to_label",
)  # fmt: skip
"""Texts that say what a row is about, and stay where its numbers are taken away."""


@dataclass(frozen=True)
class Seen:
    """What the listings of a report have shown so far.

    Parameters
    ----------
    counts : frozenset of float
        Numbers of deals.
    merged : frozenset of float
        Numbers of lines that were merged, since one of them takes off few deals.
    """

    counts: frozenset[float] = frozenset()
    merged: frozenset[float] = frozenset()

    def and_also(self, before: Listing, shown: object) -> Seen:
        """Add what a listing shows, `before` being the same one unprotected."""
        if not isinstance(shown, Listing):
            return self
        was, now = ({float(n) for n in one.frame.get("deals", ()) if pd.notna(n)} for one in (before, shown))
        return Seen(self.counts | _deals_told(shown.frame), self.merged | (now - was))

    def gives_away(self, count: float, smallest: int) -> bool:
        """Say whether a count beside these would give a small one by subtraction."""
        near = any(0 < abs(count - other) < smallest for other in self.counts - self.merged if other >= smallest)
        return near or any(0 < other - count < smallest for other in self.merged)


NOTHING_SEEN = Seen()


def _deals_told(frame: pd.DataFrame) -> frozenset[float]:
    """Numbers of deals that hold what other tables count; how deals ended is another count."""
    deals = frame[frame["unit"].eq("deals")] if "unit" in frame else frame
    deals = deals[deals["step"].ne("ended as")] if "step" in deals else deals
    columns = [c for c in ("deals", "remaining", "filled", "missing") if c in frame]
    return frozenset(float(n) for c in columns for n in pd.to_numeric(deals[c], errors="coerce").dropna() if n > 0)


def shown_listing(listing: Listing, name: str, smallest: int, seen: Seen) -> Listing | Finding:
    """Return a listing without its small counts; a Finding in its place where nothing is left of it.

    Parameters
    ----------
    listing : Listing
        What a question answered; not a list of deals.
    name : str
        Under which it is saved.
    smallest : int
        A count below it is hidden.
    seen : Seen
        What other listings show.
    """
    frame, title = listing.frame.reset_index(drop=True), listing.title
    nothing = Finding(name, f"Too few deals to show: {title}.", f"It is {few(smallest)}.", "not studied")
    columns = set(frame.columns)
    if {"step", "rule", "deals", "remaining"} <= columns:
        rows = _merged_lines(frame, smallest)
    elif {"rows_read", "rows_kept", "rows_rejected"} <= columns:
        rows = _files(frame, smallest)
    elif {"from_rate", "to_rate"} <= columns or {"item", "value", "unit"} <= columns:
        texts = frame.select_dtypes("object").astype(str)
        told = texts.map(lambda text: without_small_counts(text, smallest) != text).to_numpy().any()
        few_deals = small(frame, [c for c in ("deals",) if c in frame], smallest).any()
        rows = None if told or few_deals else frame
    elif {"n_found", "n_of"} <= columns:
        rows = _found_rows(frame, smallest, seen)
    else:
        rows = _counted_rows(frame, smallest)
    return nothing if rows is None else Listing(rows, title, as_of=listing.as_of)


def _found_rows(frame: pd.DataFrame, smallest: int, seen: Seen) -> pd.DataFrame:
    """What was found of how many: what few were found, or not found, or would be told by another count, is hidden.

    Of how many is never shown: rows look at deals that are nearly the same, and differ by few. Fields are no deals:
    which they are, and how many from `smallest` on, may be said.
    """
    fields = frame["unit"].eq("fields") if "unit" in frame else pd.Series(False, index=frame.index)
    found, of = (pd.to_numeric(frame[name]).astype(float) for name in ("n_found", "n_of"))
    nearly = (of - found).between(1, smallest - 1) | of.between(1, smallest - 1)
    near = pd.Series([seen.gives_away(count, smallest) for count in found], index=frame.index)
    few_found = small(frame, ["n_found"], smallest)
    said = np.where(few_found, f"<{smallest}", np.where((nearly | near) & ~fields, NOT_SHOWN, ""))
    mark = pd.Series(said, index=frame.index)
    for _, rows in frame.groupby([c for c in ("trap", "unit") if c in frame], dropna=False, sort=False):
        nested(mark, found[rows.index].dropna().to_frame(), smallest)
    hidden = mark.ne("")
    shown = _emptied_row(frame.assign(n_of=np.nan), hidden, smallest)
    if "looked_for" in frame:
        shown["looked_for"] = shown["looked_for"].mask(fields, frame["looked_for"])
    if "found" in frame:
        shown["found"] = [without_totals(str(text)) for text in shown["found"]]
        shown["found"] = shown["found"].mask(hidden, mark)
    return shown.assign(**{WITHHELD: mark}) if hidden.any() else shown


def _counted_rows(frame: pd.DataFrame, smallest: int) -> pd.DataFrame | None:
    """Rows that count deals: small ones lose their numbers, and `found` or `missing` goes with `filled`."""
    named = [c for c in ("deals", "n_deals", "found") if c in frame][:1]
    pairs = [c for c in ("filled", "missing") if c in frame]
    twice = [c for c in ("then_deals", "now_deals") if c in frame]
    more = np.where(small(frame, [*pairs, *twice], smallest) | _small_share(frame, smallest), NOT_SHOWN, "")
    mark = pd.Series(np.where(small(frame, named, smallest), f"<{smallest}", more), index=frame.index, dtype=object)
    parts = frame[~frame.iloc[:, 0].astype(str).isin(TOTALS)]
    if named and not {"trap", "field", "what", "check"} & set(frame.columns) and mark.ne("").any():
        cells = parts.assign(_group=parts.get("group", ""), _cell=range(len(parts)))
        sizes = cells[named[0]].astype(float), cells[named].astype(float)
        if not complemented(mark, cells, ["_group"], ("_cell", *sizes), smallest):
            return None
    others = [c for c in frame.columns if c.endswith("_deals") or c.startswith("n_")]
    single = [c for c in others if c not in (*named, *twice) and small(frame, [c], smallest).any()]
    frame = frame.assign(**dict.fromkeys(single, np.nan))
    if "most_common" in frame:
        frame["most_common"] = frame["most_common"].mask(_tells_the_rest(frame, smallest) | mark.ne(""), "")
    frame = frame.assign(**{c: [without_totals(str(t)) for t in frame[c]] for c in ("how_known", "why") if c in frame})
    if mark.eq("").all():
        return texts_scrubbed(frame, smallest)
    return texts_scrubbed(_emptied_row(frame, mark.ne(""), smallest), smallest).assign(**{WITHHELD: mark})


def _emptied_row(frame: pd.DataFrame, hidden: pd.Series, smallest: int) -> pd.DataFrame:
    """Take the numbers of hidden rows away, with every text beside them that is no name and all that brackets list."""
    kept = tuple(c for c in ("trap", "year", "number") if c in frame)
    frame = emptied(frame, hidden, kept, smallest).drop(columns=["no_interval_reason"], errors="ignore")
    for place, name in enumerate(frame.columns):
        if pd.api.types.is_numeric_dtype(frame[name]):
            continue
        if name == "looked_for":
            said = frame[name].astype(str).str.replace(r" ?\([^()]*\)", "", regex=True)
            frame[name] = frame[name].mask(hidden, said)
        elif place and name not in _NAMES:
            frame[name] = frame[name].mask(hidden, "")
    return frame


def _tells_the_rest(frame: pd.DataFrame, smallest: int) -> pd.Series:
    """Whether the most common value is rare, or what is left for the other values tells how rare those are."""
    found = frame["most_common"].astype(str).str.extract(r"\(([\d,]+)\)$")[0].str.replace(",", "").astype(float)
    rest = frame["filled"].astype(float) - found if "filled" in frame else pd.Series(0.0, index=frame.index)
    others = frame["distinct"].astype(float) - 1 if "distinct" in frame else pd.Series(np.inf, index=frame.index)
    return (found < smallest) | rest.between(1, smallest - 1) | ((rest > 0) & (rest == others))


def _small_share(frame: pd.DataFrame, smallest: int) -> np.ndarray:
    """Whether a share of a number of deals (`share_x` of `n_x`), or what it leaves over, is few of them."""
    told = np.zeros(len(frame), dtype=bool)
    for name in frame.columns:
        of = f"n_{str(name).removeprefix('share_')}"
        if str(name).startswith("share_") and of in frame:
            deals, share = frame[of].astype(float), frame[name].astype(float)
            both = pd.DataFrame({"part": (share * deals).round(), "rest": (deals - share * deals).round()})
            told |= small(both, ["part", "rest"], smallest)
    return told


def _files(frame: pd.DataFrame, smallest: int) -> pd.DataFrame | None:
    """Rows of a file may be deals: of files that lost rows only their sum is shown, as the reasons are of all files."""
    whole = frame[frame["file"] == "all files"]
    if small(whole if len(whole) else frame, ["rows_rejected", "rows_kept"], smallest).any():
        return None
    told = frame["file"].ne("all files") & (frame["rows_rejected"].gt(0) | small(frame, ["rows_kept"], smallest))
    if not len(whole) or not told.any():
        return frame
    if told.sum() == 1:  # the sum would give its numbers
        told |= frame.index == frame.index[~told & frame["file"].ne("all files")].min()
    shown = emptied(frame, told, ("file",), smallest)
    return shown.assign(**{WITHHELD: np.where(told, NOT_SHOWN, "")})


def _merged_lines(frame: pd.DataFrame, smallest: int) -> pd.DataFrame | None:
    """Lines of one step that take off few deals become one line with the next smallest, so that everything adds up."""
    lines = frame.to_dict("records")
    for step in _TAKES:
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
        left = left - line["deals"] if line["step"] in _TAKES else line["deals"]
        line["remaining"] = left
    return pd.DataFrame(lines, columns=frame.columns)
