"""What deals are made alike in: the covariates of every model of this study, under names of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analytics.estimators.decomposition import OTHERWISE, with_others_merged
from analytics.estimators.hazards.design import design
from analytics.questions.cohorts.cohort import ACCOUNT, Cohort, levels_of
from analytics.questions.cohorts.splitting import OWNER, words_of
from analytics.records.errors import InputError

FEWEST_EVENTS = 5
OPENED = "opened"
TERM = re.compile(r"C\((s\d+)\)\[T\.(.*)\]", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Alike:
    """Deals as the models see them.

    Attributes
    ----------
    deals : pandas.DataFrame
        `deal_id` where it is known, `entry`, `exit`, `outcome` (the outcome looked at, "otherwise", open), `account`,
        `opened`, and a column per segment under a name of its own, so that nothing a CRM calls a field or a value can
        be part of a formula.
    columns : dict of str
        Segment -> its column.
    terms : tuple of str
        Terms of the formula, those that can stand together.
    left_out : int
        Deals of levels with fewer than five deals of an outcome: no model can say what such a level does.
    """

    deals: pd.DataFrame
    columns: dict[str, str]
    terms: tuple[str, ...]
    outcome: str
    left_out: int

    def formula(self, without: str = "") -> str:
        """Return the formula, without the term of one segment if named; empty where no term is left."""
        return " + ".join(term for term in self.terms if not without or term != f"C({self.columns[without]})")

    def covariates(self, without: str = "") -> str:
        """Say what deals are made alike in."""
        names = {column: words_of(segment) for segment, column in self.columns.items()}
        kept = [term for term in self.terms if not without or term != f"C({self.columns[without]})"]
        said = ["time of opening" if term == OPENED else names[term[2:-1]] for term in kept]
        return ", ".join(said)

    def term_words(self, term: str) -> str:
        """Write a covariate of a design as a reader says it."""
        found = TERM.fullmatch(term)
        if found is None:
            return "time of opening" if term == OPENED else term
        segment = next(name for name, column in self.columns.items() if column == found[1])
        return f"{words_of(segment)}: {found[2]}"


def made_alike(cohort: Cohort, *, outcome: str = "won", first: Sequence[str] = ()) -> Alike:
    """Which of the segments can stand in one model, and which deals can it speak of?

    Parameters
    ----------
    cohort : Cohort
        From `opening_cohort`.
    outcome : str
        The outcome looked at; the others are taken together.
    first : sequence of str
        Segments whose terms come first, so that they stay where one segment says the same as another. The owner is a
        covariate only where it is named here.

    Returns
    -------
    Alike

    Examples
    --------
    >>> import datetime as dt
    >>> deals = pd.DataFrame({"entry": -1, "exit": [5, 6] * 20, "outcome": ["won", "won", "lost", "lost"] * 10,
    ...     "account": 0, "opened": 0.5, "region": list("NS" * 20), "part": list("ab" * 20)})
    >>> cohort = Cohort(deals, ("region", "part"), 9, False, (dt.date(2025, 1, 1),) * 2, dt.date(2025, 12, 31))
    >>> alike = made_alike(cohort)  # the part says the same as the region
    >>> alike.formula(), alike.term_words("C(s0)[T.S]"), alike.left_out
    ('C(s0)', 'region: S', 0)
    """
    others = [name for name in cohort.by if name not in first and name != OWNER]
    columns = {name: f"s{place}" for place, name in enumerate([*first, *others])}
    merged = with_others_merged(cohort.deals, outcome)
    named = [name for name in ("deal_id",) if name in merged]
    frame = merged[[*named, "entry", "exit", "outcome", ACCOUNT, OPENED]].assign(
        **{column: levels_of(cohort, name).astype(object) for name, column in columns.items()}
    )
    kept = _with_enough(frame, list(columns.values()), (outcome, OTHERWISE))
    terms: list[str] = []
    for term in [*(f"C({column})" for column in columns.values()), OPENED]:
        try:
            design(kept, " + ".join([*terms, term]))
        except InputError:  # it has one value, or says the same as the terms before it
            continue
        terms.append(term)
    return Alike(kept, columns, tuple(terms), outcome, len(frame) - len(kept))


def _with_enough(frame: pd.DataFrame, columns: Sequence[str], outcomes: Sequence[str]) -> pd.DataFrame:
    """Leave out the deals of thin levels until none is left: leaving some out can make others thin."""
    while True:
        before = len(frame)
        for column in columns:
            counts = pd.crosstab(frame[column], frame["outcome"]).reindex(columns=list(outcomes), fill_value=0)
            enough = counts.index[(counts >= FEWEST_EVENTS).all(axis=1)]
            frame = frame[frame[column].isin(enough)]
        if len(frame) == before or not len(frame):
            return frame.reset_index(drop=True)
