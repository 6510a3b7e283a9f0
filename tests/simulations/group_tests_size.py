"""Size of the tests between groups that do not differ"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.counts import RiskTable, count_events
from analytics.estimators.group_tests import gray_test, logrank_test
from analytics.estimators.result import Estimate
from analytics.estimators.subdistribution_test import subdistribution_score_test
from simulations.companies import Company
from simulations.scenario import Found, Scenario

NONE = "no deal of the replicate that could be compared was won"
Test = Callable[..., Estimate]


@dataclass(frozen=True)
class Groups:
    """A company whose deals fall into groups by chance; strata make the groups unequal and the pace different.

    `shares`: of the groups. `by_account`: whole accounts belong to a group, as regions do. `strata`: two kinds of
    deals, one of them slower and rarely in the last group.
    """

    company: Company
    shares: tuple[float, ...]
    by_account: bool = False
    strata: bool = False

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """The company's columns, group and, with strata, kind."""
        columns = self.company.draw(rng)
        n, count = len(columns["exit"]), len(self.shares)
        if self.by_account:
            return columns | {"group": rng.choice(count, self.company.accounts, p=self.shares)[columns["account"]]}
        if not self.strata:
            return columns | {"group": rng.choice(count, n, p=self.shares)}
        slow = rng.random(n) < 0.4
        chance = np.where(slow, 0.7, 0.3)
        leave = np.where(slow & (columns["outcome"] != "open"), 2 * columns["exit"], columns["exit"])
        return columns | {"group": (rng.random(n) < chance).astype(int), "kind": slow.astype(int), "exit": leave}


@dataclass(frozen=True)
class Judge:
    """Put the same replicates to several tests; `how` names each test and gives it and its options."""

    how: dict[str, tuple[Test, dict[str, Any]]]
    strata: bool = False
    clustered: bool = False
    weighted: bool = False

    def __call__(self, deals: pd.DataFrame, count: int) -> list[Found]:
        by = ["replicate", "group", *(["kind"] if self.strata else [])]
        risk = count_events(
            deals, by=by, cluster="account" if self.clustered else None, weights="weight" if self.weighted else None
        )
        strata = ["kind"] if self.strata else []
        p = {name: np.full(count, np.nan) for name in self.how}
        events = np.zeros(count)
        for place, one in replicates(risk):
            for name, (test, options) in self.how.items():
                row = test(one, outcome="won", strata=strata, **options).frame.iloc[0]
                p[name][place], events[place] = row["p_value"], row["n_event"]
        target = "refused at 5 %"
        return [
            Found(name, target, np.where(np.isnan(p[name]), np.nan, p[name] < 0.05), events, kind="size",
                  note=NONE if np.isnan(p[name]).any() else "")
            for name in self.how
        ]  # fmt: skip


def replicates(risk: RiskTable) -> Iterator[tuple[int, RiskTable]]:
    """The table of each replicate, without the column that tells them apart."""
    cells = risk.cells
    number = cells["replicate"].to_numpy()
    starts = np.flatnonzero(np.concatenate(([True], number[1:] != number[:-1])))
    by = tuple(name for name in risk.by if name != "replicate")
    rest = cells.drop(columns="replicate")
    for a, b in zip(starts, [*starts[1:], len(cells)], strict=True):
        part = rest.iloc[a:b].reset_index(drop=True)
        accounts = int(part[risk.cluster].nunique()) if risk.cluster else None
        yield int(number[a]), replace(risk, cells=part, by=by, n_deals=int(part["n"].sum()), n_accounts=accounts)


GRAY = {"gray_test, rho 0": (gray_test, {}), "gray_test, rho 1": (gray_test, {"rho": 1.0})}
LOGRANK = {"logrank_test": (logrank_test, {}), "logrank_test, rho 1": (logrank_test, {"rho": 1.0})}
SUBDISTRIBUTION = {"subdistribution_score_test": (subdistribution_score_test, {})}
TWO, FIVE, UNEQUAL = (0.5, 0.5), (0.2,) * 5, (0.85, 0.15)


def _scenario(name: str, seed: int, groups: Groups, how: dict[str, Any]) -> Scenario:
    company = groups.company
    clustered = company.accounts > 0
    return Scenario(name, seed, groups.draw, Judge(how, groups.strata, clustered, company.weighted))


SCENARIOS = (
    _scenario("2 groups, 100 deals", 201, Groups(Company(100), TWO), GRAY | LOGRANK | SUBDISTRIBUTION),
    _scenario("5 groups, 300 deals", 202, Groups(Company(300), FIVE), GRAY | SUBDISTRIBUTION),
    _scenario("unequal groups (15 %), 200 deals", 203, Groups(Company(200), UNEQUAL), GRAY | LOGRANK | SUBDISTRIBUTION),
    _scenario(
        "2 groups, 2 strata that differ, 200 deals",
        204,
        Groups(Company(200), TWO, strata=True),
        GRAY | LOGRANK | SUBDISTRIBUTION,
    ),
    _scenario(
        "2 groups, left-truncated, 150 deals", 205, Groups(Company(150, late=0.35), TWO), LOGRANK | SUBDISTRIBUTION
    ),
    _scenario(
        "5 groups, left-truncated, 300 deals", 206, Groups(Company(300, late=0.35), FIVE), LOGRANK | SUBDISTRIBUTION
    ),
    _scenario("2 groups, weights, 200 deals", 207, Groups(Company(200, weighted=True), TWO), SUBDISTRIBUTION),
    _scenario("2 groups within 20 accounts", 208, Groups(Company(150, accounts=20), TWO), SUBDISTRIBUTION),
    _scenario("2 groups of 40 accounts", 209, Groups(Company(250, accounts=40), TWO, by_account=True), SUBDISTRIBUTION),
    _scenario(
        "3 groups of 100 accounts, left-truncated",
        210,
        Groups(Company(400, accounts=100, late=0.35), (0.3, 0.3, 0.4), by_account=True),
        SUBDISTRIBUTION,
    ),
)
