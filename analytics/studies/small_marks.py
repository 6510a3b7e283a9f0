"""Which rows of a shared table lose their numbers: the small ones, and those that would give them away."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analytics.studies.small_sentences import few, without_small_counts

NOT_SHOWN = "not shown"
TOTALS = ("all", "all closed", "all files")
_KEPT = ("horizon_days", "horizon_reached", "age_days", "one_in", "margin", "overall", "followed_days")
_TEXTS = ("note", "words", "sentence")
_DERIVED = {"verdict": "not studied", "comparable": False}


def small(frame: pd.DataFrame, names: list[str], smallest: int) -> np.ndarray:
    """Say of which rows one of these counts is above 0 and below `smallest`."""
    if not names:
        return np.zeros(len(frame), dtype=bool)
    counts = frame[names].apply(pd.to_numeric, errors="coerce").astype(float)
    return np.asarray(((counts > 0) & (counts < smallest)).any(axis=1), dtype=bool)


def nested(mark: pd.Series, counts: pd.DataFrame, smallest: int) -> None:
    """Hide of two groups that hold one another the smaller one, where they differ by a few deals in any count.

    Examples
    --------
    >>> mark = pd.Series(["", "", ""])
    >>> nested(mark, pd.DataFrame({"n_risk": [60, 36, 33], "n_event": [20, 8, 8]}), 5)
    >>> mark.tolist()
    ['', '', 'not shown']
    """
    ordered = counts.sort_values(list(counts.columns), kind="stable")
    for place in ordered.index:
        row = ordered.loc[place]
        larger = ordered[mark[ordered.index].eq("") & (ordered.index != place)]
        apart = (larger[larger.iloc[:, 0] >= row.iloc[0]] - row).abs()
        if mark[place] == "" and ((apart > 0) & (apart < smallest)).to_numpy().any():
            mark[place] = NOT_SHOWN


def complemented(
    mark: pd.Series, frame: pd.DataFrame, by: list[str], cells: tuple[str, pd.Series, pd.DataFrame], smallest: int
) -> bool:
    """Hide more cells, smallest first, until no count of a hidden one follows from what they add up to.

    Parameters
    ----------
    mark : pandas.Series
        What stands in the place of each row's numbers; changed here.
    frame : pandas.DataFrame
        The rows.
    by : list of str
        Columns within whose values rows add up.
    cells : tuple
        The column that tells the cells of a group apart, the number of deals of each row, and all its counts.
    smallest : int
        Fewest deals that are shown.

    Returns
    -------
    bool
        False where a group has nothing more to hide, and its total still gives every cell.

    Examples
    --------
    >>> frame = pd.DataFrame({"level": list("abc"), "deals": [4, 4, 9]})
    >>> mark = pd.Series(["<5", "<5", ""])
    >>> complemented(mark, frame, [], ("level", frame["deals"], frame[["deals"]]), 5), mark.tolist()
    (True, ['<5', '<5', 'not shown'])
    """
    key, size, counts = cells
    parts = frame[~frame[key].astype(str).isin(TOTALS)]
    groups = parts.groupby(by, dropna=False, sort=False).indices.values() if by else [np.arange(len(parts))]
    kept = True
    for places in groups:
        labels = parts.index[places]
        if mark[labels].eq("").all():
            continue
        for place in size[labels][mark[labels].eq("") & (size[labels] > 0)].sort_values(kind="stable").index:
            if _enough(mark[labels], counts.loc[labels], smallest):
                break
            mark[place] = NOT_SHOWN
        hidden = mark[labels].ne("")
        kept &= hidden.sum() < 2 or not _told(mark[labels][hidden], counts.loc[labels][hidden].sum(), smallest)
    return bool(kept)


def _enough(mark: pd.Series, counts: pd.DataFrame, smallest: int) -> bool:
    hidden = mark.ne("")
    total = counts[hidden].sum()
    few_together = ((total > 0) & (total < smallest)).any()
    return bool(hidden.sum() >= 2 and not few_together and not _told(mark[hidden], total, smallest))


def _told(mark: pd.Series, total: pd.Series, smallest: int) -> bool:
    """Whether a total leaves one way only: every cell at the fewest or at the most deals that its mark allows."""
    number, others = len(mark), int(mark.eq(NOT_SHOWN).sum())
    fewest = (number, number - others + others * smallest)
    most = (number * (smallest - 1),) if not others else ()
    return bool(total.isin([*fewest, *most]).any())


def emptied(frame: pd.DataFrame, hidden: pd.Series, keys: tuple[str, ...], smallest: int) -> pd.DataFrame:
    """Take the numbers of hidden rows away, and the words that say them."""
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


def texts_scrubbed(frame: pd.DataFrame, smallest: int) -> pd.DataFrame:
    """Return a frame whose notes and labels say no small count."""
    texts = [name for name in (*_TEXTS, "label", "denominator") if name in frame]
    return frame.assign(
        **{name: [without_small_counts(text, smallest) for text in frame[name]] for name in texts},
    )
