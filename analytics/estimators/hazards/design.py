"""From a formula and a frame of deals to the covariates of a regression, and back to a profile's covariates."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.counts import RiskTable
from analytics.estimators.hazards.rows import Floats
from analytics.records.errors import InputError, nearest


@dataclass(frozen=True)
class Design:
    """What a formula made of a frame.

    Attributes
    ----------
    formula : str
        As it was written.
    terms : tuple of str
        Names of the covariates ("x1", "C(segment)[T.SMB]"): a category is compared with the first one.
    columns : tuple of str
        Columns of the frame that the formula reads.
    x : array (rows, terms)
        The covariates, without an intercept (the baseline hazard is it).
    """

    formula: str
    terms: tuple[str, ...]
    columns: tuple[str, ...]
    x: Floats
    _spec: Any
    _levels: dict[str, frozenset[Any]]

    def of(self, profiles: pd.DataFrame) -> Floats:
        """Return the covariates of profiles, `(profiles, terms)`.

        Raises
        ------
        InputError
            A column that the formula reads is missing or empty, or holds a category that the deals did not have, or a
            value beyond the ends of a spline.
        """
        from formulaic.errors import DataMismatchWarning, FormulaicError

        _complete(profiles, self.columns)
        for name, levels in self._levels.items():
            for value in profiles[name].unique():
                if value not in levels:
                    raise InputError(
                        "no deal that the model was fitted to has this value", column=name, value=value,
                        action=nearest(str(value), map(str, levels)),
                    )  # fmt: skip
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", DataMismatchWarning)
                return _without_intercept(self._spec.get_model_matrix(profiles))[0]
        except (DataMismatchWarning, FormulaicError) as error:
            raise InputError(
                f"the model was not fitted to such values: {str(error).splitlines()[0]}", value=self.formula
            ) from None


def design(deals: pd.DataFrame, formula: str) -> Design:
    """Turn a formula into covariates.

    Parameters
    ----------
    deals : pandas.DataFrame
        The columns that the formula names.
    formula : str
        Right-hand side in Wilkinson's notation ("x1 + C(segment)").

    Raises
    ------
    InputError
        A formula that cannot be read, a column that is missing or has empty cells, a covariate that is the same for
        every deal, covariates of which one is a sum of the others.

    Examples
    --------
    >>> made = design(pd.DataFrame({"size": [1.0, 2.0, 3.0, 5.0], "segment": list("abab")}), "size + C(segment)")
    >>> made.terms, made.of(pd.DataFrame({"size": [4.0], "segment": ["b"]})).tolist()
    (('size', 'C(segment)[T.b]'), [[4.0, 1.0]])
    """
    columns = columns_read(deals, formula)
    return _made(deals, formula, columns, _matrix(deals, formula))


def design_of_counts(counted: RiskTable, formula: str) -> Design:
    """Turn a formula into the covariates of counted deals, a row per cell.

    What a formula learns from the data (the mean of `scale` and `center`, the knots of `bs`, the polynomials of `poly`)
    is learned from the deals, each as often as it was counted, and categories keep the order that they had in the
    deals, so that coefficients are those of one row per deal.

    Raises
    ------
    InputError
        As `design`.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": 3, "outcome": "won", "size": [1.0, 1, 1, 5]})
    >>> design_of_counts(count_events(deals, by="size"), "center(size)").x.tolist()
    [[-1.0], [3.0]]
    """
    cells = counted.cells.assign(**{
        name: pd.Categorical(counted.cells[name], categories=list(levels)) for name, levels in counted.levels.items()
    })  # fmt: skip
    columns = columns_read(cells, formula)
    matrix = _matrix(cells, formula)
    if matrix.model_spec.transform_state and (cells["n"] != 1).any():
        every = cells[list(columns)].loc[np.repeat(cells.index.to_numpy(), cells["n"].to_numpy(dtype=np.int64))]
        matrix = _matrix(every.reset_index(drop=True), formula).model_spec.get_model_matrix(cells)
    return _made(cells, formula, columns, matrix)


def _matrix(deals: pd.DataFrame, formula: str) -> Any:
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    try:
        return Formula(formula).get_model_matrix(deals)
    except FormulaicError as error:
        raise _unreadable(formula, error) from None


def _made(deals: pd.DataFrame, formula: str, columns: tuple[str, ...], matrix: Any) -> Design:
    x, terms = _without_intercept(matrix)
    _independent(x, terms)
    levels = {name: frozenset(deals[name].unique()) for name in columns if not _is_number(deals[name])}
    return Design(formula, terms, columns, x, matrix.model_spec, levels)


def columns_read(deals: pd.DataFrame, formula: str) -> tuple[str, ...]:
    """Return the columns that a formula reads, in order, all of them there and without empty cells.

    Raises
    ------
    InputError
        A formula that cannot be read, a column that is missing or has empty cells.

    Examples
    --------
    >>> columns_read(pd.DataFrame({"size": [1.0], "segment": ["a"]}), "bs(size, df=4) + C(segment)")
    ('segment', 'size')
    """
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    try:
        read = Formula(formula)
        names = {str(name) for name in read.required_variables}
    except FormulaicError as error:
        raise _unreadable(formula, error) from None
    for term in read if isinstance(read, Sequence) else ():
        for factor in term.factors:
            names |= _named_inside(factor.expr) if factor.eval_method.value == "python" else set()
    columns = tuple(sorted(names))
    _complete(deals, columns)
    return columns


def _named_inside(expression: str) -> set[str]:
    """Return the columns that a call reads: formulaic leaves out those inside splines and polynomials."""
    try:
        nodes = list(ast.walk(ast.parse(expression, mode="eval")))
    except SyntaxError:
        return set()  # a quoted column name, which formulaic itself finds
    inner = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    inner |= {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    return {node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in inner}


def _unreadable(formula: str, error: Exception) -> InputError:
    return InputError(
        f"the formula cannot be read: {str(error).splitlines()[0]}", value=formula, action="Write it like x1 + C(x2)"
    )


def _complete(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    for name in columns:
        if name not in frame.columns:
            raise InputError(
                "the formula names this column and the deals lack it", column=name, action=nearest(name, frame.columns)
            )
        empty = int(frame[name].isna().sum())
        if empty:
            raise InputError(
                f"{empty:,} of {len(frame):,} deals have no value", column=name,
                action="Leave them out by a named rule, or give the missing value a category of its own",
            )  # fmt: skip


def _without_intercept(matrix: Any) -> tuple[Floats, tuple[str, ...]]:
    frame = pd.DataFrame(matrix)
    kept = [name for name in frame.columns if name != "Intercept"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return frame[kept].to_numpy(dtype=float), tuple(str(name) for name in kept)


def _independent(x: Floats, terms: Sequence[str]) -> None:
    if not terms:
        raise InputError("the formula names no covariate", action="Name at least one column")
    if not len(x):
        raise InputError("there are no deals to fit a model to")
    spread = x.std(axis=0)
    for name, width in zip(terms, spread, strict=True):
        if not width > 0:
            raise InputError("this covariate is the same for every deal", value=name, action="Leave it out")
    scaled = (x - x.mean(axis=0)) / spread
    values, vectors = np.linalg.eigh(scaled.T @ scaled / len(x))
    if values[0] < 1e-10:
        tied = [name for name, part in zip(terms, vectors[:, 0], strict=True) if abs(part) > 1e-6]
        raise InputError(
            f"these covariates say the same thing together: {', '.join(tied)}", action="Leave one of them out"
        )


def _is_number(values: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype)
