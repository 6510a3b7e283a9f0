"""Guards of the estimators of closed deals and of tables: the order of groups, their names, empty and single groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.estimators.das_gupta import das_gupta
from analytics.estimators.dirichlet import shrink_shares
from analytics.estimators.heterogeneity import heterogeneity
from analytics.estimators.share_models import clustered_logit, grouped_logit
from analytics.estimators.shrinkage import shrink
from analytics.estimators.standardised import standardised_shares
from analytics.estimators.table_tests import chi_squared_test, cmh_test
from analytics.records.errors import InputError

QUICK = settings(max_examples=15, deadline=None)
NUMBERS = ["estimate", "conf_low", "conf_high"]
OUTCOMES = ["won", "lost", "no_decision"]
counts = st.lists(st.tuples(*[st.integers(1, 40)] * 3), min_size=5, max_size=9)


def table(rows: list[tuple[int, ...]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=OUTCOMES)
    return frame.assign(quarter=[f"Q{i}" for i in range(len(frame))])


def closed(rows: list[tuple[int, ...]]) -> pd.DataFrame:
    """One row per deal, ten accounts, a numeric trait."""
    deals = [(i % 2, outcome) for i, row in enumerate(rows) for outcome, n in zip(OUTCOMES, row, strict=True)
             for _ in range(n)]  # fmt: skip
    frame = pd.DataFrame(deals, columns=["partner", "outcome"])
    return frame.assign(account_id=np.arange(len(frame)) % 10, size=np.arange(len(frame)) % 7 / 3.0)


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(np.asarray(a, dtype=float), np.asarray(b, dtype=float), rtol=1e-5, atol=1e-7)


@QUICK
@given(rows=counts, order=st.permutations(range(9)))
def test_the_order_of_groups_changes_nothing(rows: list[tuple[int, ...]], order: list[int]) -> None:
    frame = table(rows)
    mixed = frame.loc[[i for i in order if i < len(frame)]]
    for ask in (
        lambda f: chi_squared_test(f, group="quarter", outcomes=OUTCOMES),
        lambda f: heterogeneity(f["won"] / 50, 0.02 + f["lost"] / 500),
        lambda f: grouped_logit(f.assign(x=f["quarter"].str[1:].astype(float)), "x", successes="won", failures="lost"),
    ):
        close(ask(frame).frame[["estimate"]], ask(mixed).frame[["estimate"]])
    shares = [
        shrink_shares(f.set_index("quarter")[OUTCOMES]).frame.set_index(["group", "outcome"]) for f in (frame, mixed)
    ]
    close(shares[0][NUMBERS], shares[1].loc[shares[0].index, NUMBERS])
    one, other = (shrink(f["won"], f["won"] + f["lost"])[0] for f in (frame, mixed))
    close(sorted(one["estimate"]), sorted(other["estimate"]))


@QUICK
@given(rows=counts)
def test_outcomes_that_change_places_change_their_results(rows: list[tuple[int, ...]]) -> None:
    frame = table(rows).set_index("quarter")
    swapped = frame.rename(columns={"won": "lost", "lost": "won"})
    one = shrink_shares(frame).frame.set_index(["group", "outcome"])
    other = shrink_shares(swapped[OUTCOMES]).frame.replace({"outcome": {"won": "lost", "lost": "won"}})
    close(one[NUMBERS], other.set_index(["group", "outcome"]).loc[one.index, NUMBERS])


@QUICK
@given(rows=counts, seed=st.integers(0, 99))
def test_the_order_of_deals_changes_no_share(rows: list[tuple[int, ...]], seed: int) -> None:
    deals = closed(rows)
    mixed = deals.sample(frac=1, random_state=seed)
    for ask in (
        lambda f: clustered_logit(f, "partner + size", cluster="account_id"),
        lambda f: standardised_shares(f, "partner", "partner + size"),
    ):
        close(ask(deals).frame[NUMBERS], ask(mixed).frame[NUMBERS])


@QUICK
@given(
    a=st.lists(st.floats(0.05, 0.95), min_size=3, max_size=3), b=st.lists(st.floats(0.05, 0.95), min_size=3, max_size=3)
)
def test_effects_add_up_and_turn_round_with_time(a: list[float], b: list[float]) -> None:
    def rate(mix: Any, won: Any) -> Any:
        return (mix / mix.sum(axis=-1, keepdims=True) * won).sum(axis=-1)

    then, now = ({"mix": np.array(x), "won": np.array(y)} for x, y in ((a, b), (b, a)))
    forth, back = das_gupta(rate, then, now).frame, das_gupta(rate, now, then).frame
    close(forth["estimate"], -back["estimate"])
    close(forth["estimate"].iloc[:-1].sum(), rate(**now) - rate(**then))


@pytest.mark.parametrize(
    "ask",
    [
        lambda: chi_squared_test(table([(3, 2, 1)]), group="quarter", outcomes=OUTCOMES),
        lambda: chi_squared_test(table([]), group="quarter", outcomes=OUTCOMES),
        lambda: chi_squared_test(table([(3, 0, 0), (5, 0, 0)]), group="quarter", outcomes=OUTCOMES),
        lambda: cmh_test(table([(3, 2, 1)]).assign(s="x"), group="quarter", outcomes=["won", "lost"], strata=["s"]),
        lambda: heterogeneity([0.3], [0.1]),
        lambda: heterogeneity([], []),
        lambda: shrink_shares(table([(3, 2, 1)]).set_index("quarter")[OUTCOMES]),
        lambda: shrink_shares(table([(0, 0, 0)] * 6).set_index("quarter")[OUTCOMES]),
        lambda: clustered_logit(closed([(3, 2, 1)]), "partner", cluster="account_id"),
        lambda: standardised_shares(closed([(3, 2, 1)]), "partner", "partner"),
    ],
)  # fmt: skip
def test_nothing_to_compare_is_an_answer_or_a_named_error(ask: Any) -> None:
    try:
        frame = ask().frame
    except InputError:
        return
    reasons = frame.get("no_interval_reason", pd.Series("", index=frame.index)).fillna("").astype(str)
    assert (frame["estimate"].notna() | (reasons.str.len() > 0)).all()
