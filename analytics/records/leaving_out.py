"""Which deals are left out of the study, by which rule: every exclusion has a number, a name and a count."""

from __future__ import annotations

from typing import Any

from analytics.records.contract import History
from analytics.records.definitions import Definitions
from analytics.records.errors import InputError, nearest

NO_OPENING_DATE = "no opening date"
OPENED_LATER = "opened after the as-of date"
CLOSED_BEFORE_OPENED = "closed before it was opened"
ENDED_UNOBSERVED = "ended before observation began"

_DATE_RULES = (NO_OPENING_DATE, OPENED_LATER, CLOSED_BEFORE_OPENED, ENDED_UNOBSERVED)
_SCOPE_COLUMNS = ("deal_id", "account_id", "pipeline", "owner_id", "team", "source", "currency_original")


def exclusions(history: History, definitions: Definitions) -> list[str]:
    """Return the names of all exclusions in the order in which they are applied; the first that holds counts.

    Raises
    ------
    InputError
        When the scope names a column that this history does not have.
    """
    scope = definitions.scope
    if scope is None:
        return list(_DATE_RULES)
    for column in (*scope.keep, *scope.drop):
        _scope_column(column, history)
    names = [f"scope: {column} is not {_listed(values)}" for column, values in scope.keep.items()]
    names += [f"scope: {column} is {_listed(values)}" for column, values in scope.drop.items()]
    if scope.amount_at_least is not None:
        names.append(f"scope: amount is missing or below {scope.amount_at_least:,.15g}")
    return [*_DATE_RULES, *names]


def with_exclusion(episodes: Any, history: History, definitions: Definitions, as_of: Any) -> Any:
    """Add `excluded`, the number (from 1) of the first exclusion that holds for this episode, 0 for none."""
    import ibis

    names = exclusions(history, definitions)
    unopened = episodes.opened_on.isnull()
    conditions = [
        unopened,
        episodes.opened_on > ibis.date(as_of),
        (episodes.closed_on < episodes.opened_on).fill_null(False),
        episodes.exit <= episodes.entry,
        *_scope_conditions(episodes, history, definitions),
    ]
    branches = [(condition, number) for number, condition in enumerate(conditions, start=1)]
    if len(branches) != len(names):
        raise AssertionError("every exclusion needs a name")
    return episodes.mutate(excluded=ibis.cases(*branches, else_=0).cast("int64"))


def _scope_conditions(episodes: Any, history: History, definitions: Definitions) -> list[Any]:
    scope = definitions.scope
    if scope is None:
        return []
    conditions = [~_is_one_of(episodes[_scope_column(c, history)], values) for c, values in scope.keep.items()]
    conditions += [_is_one_of(episodes[_scope_column(c, history)], values) for c, values in scope.drop.items()]
    if scope.amount_at_least is not None:
        conditions.append(~(episodes.amount >= scope.amount_at_least).fill_null(False))
    return conditions


def _is_one_of(column: Any, values: list[str | None]) -> Any:
    import ibis

    named = [value for value in values if value is not None]
    matches = column.isin(named).fill_null(False) if named else ibis.literal(False)
    return matches | column.isnull() if None in values else matches


def _scope_column(column: str, history: History) -> str:
    """Return the Deals column that the scope means."""
    if column == "currency":
        return "currency_original"
    options = (*_SCOPE_COLUMNS, *history.attributes)
    if column not in options:
        raise InputError(
            f"is not a column that the scope can use; {nearest(column, options)}", column="scope", value=column,
            action="Correct the name, or map the attribute in the source",
        )  # fmt: skip
    return column


def _listed(values: list[str | None]) -> str:
    return "[" + ", ".join("(empty)" if value is None else value for value in values) + "]"
