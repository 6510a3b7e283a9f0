"""Which deals end faster, and which more often: two hazard ratios side by side, and whether they hold at every age."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import ids_of, with_members
from analytics.estimators.contrasts import benjamini_hochberg
from analytics.estimators.decomposition import NOT_RECORDED, level_of
from analytics.estimators.hazards.age_bands import band_name, hazard_ratios_by_age
from analytics.estimators.hazards.models import HazardModel, cause_specific_cox, fine_gray
from analytics.estimators.result import Estimate, Finding, Listing, Meta
from analytics.estimators.watched import not_studied
from analytics.questions.time_to_outcome.followed import Followed, followed, split_by
from analytics.records.errors import InputError

LEAST_EVENTS = 10
"""A level in which fewer deals had the outcome is put with the other such levels: its ratio would be a guess."""
OTHERS = "(other levels)"
PACE, SHARE = "cause-specific", "Fine-Gray"
VERB = {"won": "won", "lost": "lost", "no_decision": "left in no decision"}
SHOWN = 0.05
TITLE = "Pace while open, and share in the end, against the largest level"
BANDS = 3


def effects(
    deals: pd.DataFrame, *, by: Sequence[str], settled_on: dt.date, horizon_days: int,
    leaky_fields: pd.DataFrame | None = None,
) -> Estimate | Finding:  # fmt: skip
    """How much faster, and how much more often, do deals of one level have an outcome than those of the largest one?

    Parameters
    ----------
    deals, by, settled_on, horizon_days, leaky_fields
        As for `incidence_by_segment`; all segments are in one model, so that each ratio is for deals alike in the
        others.

    Returns
    -------
    Estimate or Finding
        Kind coefficient, keys (segment, level, outcome, model): `estimate` (log ratio), limits, `hazard_ratio`,
        `ratio_low`, `ratio_high`, `reference` (the largest level), `n_deals` and `n_event` of the
        level, `words`: what it means. `meta.note` names outcomes that could not be fitted.

    Raises
    ------
    InputError
        A column that does not exist, or a leaky one.

    Notes
    -----
    cause-specific: the pace among deals still open. Fine-Gray: the share that has the outcome at all, whose size has no
    reading beyond its direction. A level that loses faster wins less often at the same pace of winning: the two can
    point apart. Both are associations among deals as they came. Levels with fewer than ten such outcomes are put
    together; deals whose level was not recorded are a level of the model that is not shown. See `cause_specific_cox`
    and `fine_gray`.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": range(80), "opened_on": pd.Timestamp("2025-10-01"), "entry": -1,
    ...     "exit": range(1, 81), "outcome": ["won", "won", "lost", "won"] * 20, "region": ["N", "S"] * 40})
    >>> found = effects(deals, by=["region"], settled_on=dt.date(2026, 1, 31), horizon_days=90)
    >>> found.at(outcome="won")[["level", "model", "reference"]].values.tolist()
    [['S', 'cause-specific', 'N'], ['S', 'Fine-Gray', 'N']]
    """
    said = split_by("effects", deals, by, leaky_fields)
    given = said or followed("effects", deals, settled_on=settled_on, horizon_days=horizon_days)
    if isinstance(given, Finding):
        return given
    parts, notes, variance = [], [given.note], ""
    for outcome in given.outcomes:
        for kind, fit in ((PACE, cause_specific_cox), (SHARE, fine_gray)):
            model = _fitted(given, by, outcome, fit)
            if isinstance(model, str):
                notes.append(f"{outcome.replace('_', ' ').capitalize()}, {kind}: {model}")
                continue
            variance = model.coefficients.meta.variance
            parts.append(_rows(given, by, model).assign(model=kind))
    if not parts:
        return not_studied("effects", "No effect could be fitted.", " ".join(note for note in notes if note))
    frame = pd.concat(parts, ignore_index=True)
    frame = frame.sort_values(["segment", "level", "outcome"], kind="stable", key=_first_seen(frame))
    meta = Meta(
        kind="coefficient", estimand="log ratio of the pace among open deals (cause-specific), and of the incidence "
        "(Fine-Gray), against the largest level, deals alike in the other segments",
        keys=("segment", "level", "outcome", "model"), n_deals=len(given.young),
        n_accounts=given.n_accounts, interval="Wald", variance=f"{variance}, by account where known",
        cluster=given.cluster, unit="log hazard ratio", note=" ".join(note for note in notes if note),
    )  # fmt: skip
    found = Estimate(frame.assign(words=[_meaning(row) for row in frame.to_dict("records")]), meta)
    return with_members(found, _members(given, by))


def _members(given: Followed, by: Sequence[str]) -> Callable[[dict[str, Any]], dict[str, list[object]]]:
    """Name the deals of the level of a row, and those of them that had its outcome."""
    levels = {outcome: _leveled(given, by, outcome) for outcome in given.outcomes}
    place = {column: f"level{number}" for number, column in enumerate(by)}

    def of(row: dict[str, Any]) -> dict[str, list[object]]:
        deals = levels[row["outcome"]]
        mine = deals[deals[place[row["segment"]]] == row["level"]]
        return {"n_deals": ids_of(mine), "n_event": ids_of(mine[mine["outcome"] == row["outcome"]])}

    return of


def _first_seen(frame: pd.DataFrame) -> Any:
    return lambda column: column.map({value: place for place, value in enumerate(frame[column.name].unique())})


def _leveled(given: Followed, by: Sequence[str], outcome: str) -> pd.DataFrame:
    """Give the deals with each segment as an ordered level, the largest first, thin ones put together."""
    had = given.young["outcome"] == outcome
    made = {}
    for place, column in enumerate(by):
        levels = level_of(given.young, column)
        events = levels[had].value_counts().reindex(levels.unique()).fillna(0)
        levels = levels.mask(levels.map(events < LEAST_EVENTS), OTHERS)
        order = [name for name in levels.value_counts().index if name not in (OTHERS, NOT_RECORDED)]
        rest = [name for name in (OTHERS, NOT_RECORDED) if (levels == name).any()]
        codes = {name: f"{number:03d}" for number, name in enumerate([*order, *rest])}
        made[f"s{place}"], made[f"level{place}"] = levels.map(codes), levels
    return given.young.assign(**made)


def _fitted(given: Followed, by: Sequence[str], outcome: str, fit: Any) -> HazardModel | str:
    """Fit one model; a sentence where it cannot be."""
    deals = _leveled(given, by, outcome)
    for place in range(len(by)):  # levels put together of which still none had the outcome have an infinite ratio
        had = deals.loc[deals["outcome"] == outcome, f"s{place}"]
        deals = deals[deals[f"s{place}"].isin(had.unique())]
    varying = [f"C(s{place})" for place in range(len(by)) if deals[f"s{place}"].nunique() > 1]
    if not varying:
        return f"fewer than two levels with {LEAST_EVENTS} such deals."
    try:
        model: HazardModel = fit(deals, " + ".join(varying), outcome=outcome, cluster=given.cluster)
    except InputError as error:
        return f"could not be fitted ({error})."
    return model


def _terms(given: Followed, by: Sequence[str], outcome: str) -> pd.DataFrame:
    """Give for every term of the model the segment, level, reference, and sizes."""
    deals, rows = _leveled(given, by, outcome), []
    for place, column in enumerate(by):
        names = deals.groupby(f"s{place}")[f"level{place}"].first()
        for code, level in names.items():
            mine = deals[f"s{place}"] == code
            rows.append({
                "term": f"C(s{place})[T.{code}]", "segment": column, "level": level, "reference": names.iloc[0],
                "n_deals": int(mine.sum()), "n_event": int((mine & (deals["outcome"] == outcome)).sum()),
            })  # fmt: skip
    frame = pd.DataFrame(rows)
    return frame[frame["level"] != NOT_RECORDED]


def _rows(given: Followed, by: Sequence[str], model: HazardModel) -> pd.DataFrame:
    found = model.coefficients.frame.merge(_terms(given, by, model.outcome), on="term").assign(outcome=model.outcome)
    return found.drop(columns="term")


def _meaning(row: dict[Any, Any]) -> str:
    verb, ratio = VERB[row["outcome"]], row["hazard_ratio"]
    if row["conf_low"] <= 0 <= row["conf_high"]:
        what = "faster or slower" if row["model"] == PACE else "more or less often"
        return f"Cannot tell whether {verb} {what} than {row['reference']}."
    if row["model"] == PACE:
        return f"While open, {verb} at {ratio:.2g} times the pace of {row['reference']}."
    return f"{verb[0].upper()}{verb[1:]} {'more' if ratio > 1 else 'less'} often by any age than {row['reference']}."


def side_by_side(found: Estimate | Finding) -> Listing | Finding:
    """Lay the two ratios of each level side by side, with what each means.

    Parameters
    ----------
    found : Estimate or Finding
        From `effects`, as it may be shown.

    Returns
    -------
    Listing or Finding
        `segment`, `level`, `outcome`, `pace` and `share` (ratio with interval), `words`.

    Examples
    --------
    >>> side_by_side(Finding("effects", "Nothing.", "", "not studied")).verdict
    'not studied'
    """
    if isinstance(found, Finding):
        return found
    rows = []
    for key, both in found.frame.groupby(["segment", "level", "outcome"], sort=False):
        shown = {str(row["model"]): row for row in both.to_dict("records") if pd.notna(row["estimate"])}
        if not shown:
            continue
        said = " ".join(str(row["words"]) for row in shown.values())
        pace, share = (_ratio(shown[model]) if model in shown else "" for model in (PACE, SHARE))
        rows.append({**dict(zip(("segment", "level", "outcome"), key, strict=True)), "pace": pace, "share": share,
                     "words": said})  # fmt: skip
    return Listing(pd.DataFrame(rows, columns=["segment", "level", "outcome", "pace", "share", "words"]), TITLE)


def _ratio(row: dict[Any, Any]) -> str:
    return f"{row['hazard_ratio']:.2f} ({row['ratio_low']:.2f}–{row['ratio_high']:.2f})"


def ratios_by_age(
    deals: pd.DataFrame, *, by: Sequence[str], settled_on: dt.date, horizon_days: int,
    leaky_fields: pd.DataFrame | None = None,
) -> Estimate | Finding:  # fmt: skip
    """Is the pace of one level against the largest one the same among young and old deals?

    Parameters
    ----------
    deals, by, settled_on, horizon_days, leaky_fields
        As for `effects`.

    Returns
    -------
    Estimate or Finding
        Kind coefficient, keys (segment, level, outcome, age): `hazard_ratio` with limits in each of three bands of ages
        that hold a third of the outcomes each, `p_value` of their being equal and `p_adjusted`
        (Benjamini-Hochberg over all levels and outcomes; empty where there are too few accounts), `varies`.

    Raises
    ------
    InputError
        A column that does not exist, or a leaky one.

    Notes
    -----
    The one ratio of `effects` describes a whole life only where these are the same; where they are not, read them
    apart. That no difference is shown does not show that there is none. See `hazard_ratios_by_age`.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": range(160), "opened_on": pd.Timestamp("2025-10-01"), "entry": -1,
    ...     "exit": list(range(1, 41)) * 4, "outcome": "won", "region": (["N"] * 40 + ["S"] * 40) * 2})
    >>> found = ratios_by_age(deals, by=["region"], settled_on=dt.date(2026, 1, 31), horizon_days=60)
    >>> found.frame[["level", "age", "varies"]].values.tolist()[0]
    ['S', 'up to 14', False]
    """
    name = "ratios_by_age"
    said = split_by(name, deals, by, leaky_fields)
    given = said or followed(name, deals, settled_on=settled_on, horizon_days=horizon_days)
    if isinstance(given, Finding):
        return given
    parts, notes = [], [given.note]
    for outcome in given.outcomes:
        found = _by_age(given, by, outcome)
        notes += [f"{outcome.replace('_', ' ').capitalize()}: {found}"] if isinstance(found, str) else []
        parts += [found] if isinstance(found, pd.DataFrame) else []
    if not parts:
        return not_studied(name, "Whether effects hold at every age could not be judged.", " ".join(notes).strip())
    frame = pd.concat(parts, ignore_index=True)
    once = frame.drop_duplicates(["segment", "level", "outcome"])
    tested = once[once["p_value"].notna()]
    adjusted = pd.Series(benjamini_hochberg(tested["p_value"]) if len(tested) else [], index=tested.index, dtype=float)
    keys = ["segment", "level", "outcome"]
    frame = frame.merge(once[keys].assign(p_adjusted=adjusted), on=keys, how="left")
    frame = frame.assign(varies=frame["p_adjusted"] <= SHOWN)
    meta = Meta(
        kind="coefficient", estimand="log ratio of the pace among open deals in each band of ages, against the largest "
        "level", keys=("segment", "level", "outcome", "age"), n_deals=len(given.young),
        n_accounts=given.n_accounts, interval="Wald", variance="by account where known",
        cluster=given.cluster, unit="log hazard ratio", note=" ".join(note for note in notes if note),
    )  # fmt: skip
    of_level, spans = _members(given, by), {outcome: _spans(given, outcome) for outcome in given.outcomes}
    return with_members(
        Estimate(frame, meta), lambda row: {**of_level(row), "n_band": _in_band(given, row, spans[row["outcome"]])}
    )


def _in_band(given: Followed, row: dict[str, Any], spans: dict[str, tuple[float, float]]) -> list[object]:
    """Name the deals of all levels that had the outcome in a band of ages."""
    low, high = spans[row["age"]]
    inside = (given.young["outcome"] == row["outcome"]) & (given.young["exit"] > low) & (given.young["exit"] <= high)
    return ids_of(given.young[inside])


def _spans(given: Followed, outcome: str) -> dict[str, tuple[float, float]]:
    """Give the bands of ages by their names: after which age, up to which."""
    edges = [-np.inf, *_cuts(given, outcome), np.inf]
    return {band_name(low, high): (low, high) for low, high in pairwise(edges)}


def _cuts(given: Followed, outcome: str) -> list[float]:
    """Give the ages between bands that hold a third of the outcomes each."""
    ended = given.young.loc[given.young["outcome"] == outcome, "exit"]
    cuts = np.unique(np.floor(np.quantile(ended, np.arange(1, BANDS) / BANDS))).tolist()
    return [cut for cut in cuts if cut < ended.max()]


def _by_age(given: Followed, by: Sequence[str], outcome: str) -> pd.DataFrame | str:
    model = _fitted(given, by, outcome, cause_specific_cox)
    if isinstance(model, str):
        return model
    try:
        ratios, equal = hazard_ratios_by_age(model, cuts=_cuts(given, outcome))
    except InputError as error:
        return f"bands of ages could not be fitted ({error})."
    whole = model.coefficients.frame[["term", "hazard_ratio"]].rename(columns={"hazard_ratio": "whole_ratio"})
    found = ratios.frame.rename(columns={"n_event": "n_band"}).merge(_terms(given, by, outcome), on="term")
    found = found.merge(whole, on="term").merge(equal.frame[["term", "p_value"]], on="term", how="left")
    found = found.assign(outcome=outcome).drop(columns=["term"])
    return found.sort_values(["segment", "level"], kind="stable", key=_first_seen(found))
