"""Adjusted incidence, standardised shares, logistic regression and bounds with accounts"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, ndtr

from analytics.estimators.adjusted_incidence import adjusted_incidence
from analytics.estimators.adjustment import Scheme
from analytics.estimators.share_models import Working, clustered_logit
from analytics.estimators.standardised import standardised_shares
from analytics.records.errors import InputError
from simulations.companies import Company
from simulations.other_intervals import Bounds
from simulations.scenario import Found, Scenario, one_by_one

Floats = npt.NDArray[np.float64]
TERMS = {"partner": 0.6, "size": 0.7}
"""Log odds ratios of being won."""
IPTW: Scheme = "inverse_probability"
OVERLAP: Scheme = "overlap"
NO_RATIO = "nobody was won on one side: a share of 0 has no ratio"
LIMITS = ["conf_low", "conf_high"]
_NODES, _MASS = np.polynomial.hermite_e.hermegauss(80)
_MASS = _MASS / _MASS.sum()


@dataclass(frozen=True)
class Confounded:
    """Large deals have a partner more often and are won more often, and a partner helps as well.

    Size is standard normal; with accounts half of its variance is theirs, and partner and outcome of the deals of an
    account go together through normal variables with this correlation, which leaves each deal's own chances as they
    are. `wins`: log odds of a deal of size 0 without a partner. `paces`: of won and of lost deals, a day. `late`: share
    of deals watched only from a later day on, with paces alike so that those still open then are like all. `asked`:
    the estimators to be judged, by their schemes of weights or their own names.
    """

    deals: int
    day: int
    asked: tuple[str, ...] = ()
    accounts: int = 0
    wins: float = -1.2
    paces: tuple[float, float] = (1 / 60, 1 / 35)
    late: float = 0.0
    correlation: float = 0.3

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        n, account = self.deals, None
        if self.accounts:
            share = rng.gamma(0.8, size=self.accounts) + 0.1
            account = rng.choice(self.accounts, n, p=share / share.sum())
        size, first, second = (self._normal(rng, account, rho) for rho in (0.5, self.correlation, self.correlation))
        partner = (ndtr(first) < _chance(size)).astype(int)
        won = ndtr(second) < self._win(size, partner)
        lasts = np.ceil(rng.exponential(size=n) / np.where(won, *self.paces)).astype(np.int64)
        leaves = rng.integers(60, 241, n)
        entry = np.where(rng.random(n) < self.late, rng.integers(0, 60, n), -1)
        end, leave = np.where(won, "won", "lost"), np.minimum(lasts, leaves)
        keep = leave > entry
        columns = {"entry": entry, "exit": leave, "outcome": np.where(lasts <= leaves, end, "open"), "end": end,
                   "size": size, "partner": partner}  # fmt: skip
        columns |= {} if account is None else {"account": account}
        return {name: values[keep] for name, values in columns.items()}

    def _normal(self, rng: np.random.Generator, account: Any, rho: float) -> Floats:
        own = rng.standard_normal(self.deals)
        if account is None:
            return own
        return np.asarray(np.sqrt(rho) * rng.standard_normal(self.accounts)[account] + np.sqrt(1 - rho) * own)

    def _win(self, size: Floats, partner: Any) -> Floats:
        return np.asarray(expit(self.wins + TERMS["partner"] * partner + TERMS["size"] * size))

    def shares(self, scheme: Scheme) -> tuple[float, float]:
        """The true shares won in the end, had all deals been with a partner and had none been."""
        e = _chance(_NODES)
        mass = _MASS * (e * (1 - e) if scheme == "overlap" else 1.0)
        one, none = (float(mass @ self._win(_NODES, a) / mass.sum()) for a in (1, 0))
        return one, none

    def one(self, deals: pd.DataFrame) -> list[Found]:
        schemes: tuple[Scheme, ...] = (IPTW, OVERLAP)
        found = [one for scheme in schemes if scheme in self.asked for one in self._adjusted(deals, scheme)]
        if "standardised_shares" in self.asked:
            closed = deals.assign(outcome=deals["end"])  # all of them, followed to their ends
            events = np.bincount(deals["partner"], weights=deals["end"] == "won").min()
            rows = standardised_shares(closed, "partner", "partner + size", cluster=self.cluster).frame
            limits = rows[LIMITS].to_numpy()
            found += _four("standardised_shares", "won", limits, self.shares("inverse_probability"), events)
        return found

    @property
    def cluster(self) -> str | None:
        return "account" if self.accounts else None

    def _adjusted(self, deals: pd.DataFrame, scheme: Scheme) -> list[Found]:
        arms, contrasts = adjusted_incidence(
            deals, "partner", "size", times=[self.day], scheme=scheme, cluster=self.cluster
        )
        by_day = -np.expm1(-self.paces[0] * self.day)
        one, none = (share * by_day for share in self.shares(scheme))
        ended = (deals["outcome"] == "won").to_numpy() & (deals["exit"] <= self.day).to_numpy()
        events = min(np.bincount(deals["partner"].to_numpy()[ended], minlength=2))
        limits = np.vstack([
            part.loc[part["outcome"] == "won", LIMITS] for part in (arms.frame, contrasts.frame)
        ])  # fmt: skip
        name = f"adjusted_incidence, {scheme.replace('_', ' ')}"
        return _four(name, f"won by day {self.day}", limits, (one, none), events)


@dataclass(frozen=True)
class Closed:
    """All deals of a company with accounts, followed to their ends."""

    company: Confounded
    working: Working = "independence"

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return self.company.draw(rng)

    def one(self, deals: pd.DataFrame) -> list[Found]:
        closed = deals.assign(outcome=deals["end"])
        events = np.bincount(deals["partner"], weights=deals["end"] == "won").min()
        try:
            fit = clustered_logit(closed, "partner + size", cluster="account", working=self.working)
            limits, note = fit.frame.set_index("term")[LIMITS], ""
        except InputError:  # 2 of 5,000
            limits, note = pd.DataFrame(np.nan, list(TERMS), LIMITS), "the fit runs away, and its error says so"
        return [
            Found(f"clustered_logit, {self.working}", f"log odds ratio of {term}",
                  inside(*limits.loc[term], truth), events, note=note)
            for term, truth in TERMS.items()
        ]  # fmt: skip


def _chance(size: Floats) -> Floats:
    """The chance of a partner."""
    return np.asarray(expit(-0.3 + 0.8 * size))


def _four(name: str, target: str, limits: Floats, truth: tuple[float, float], events: Any) -> list[Found]:
    """Both arms, their difference and their ratio, in the order of their rows."""
    one, none = truth
    truths = {"exposed": one, "unexposed": none, "difference": one - none, "ratio": one / none}
    held = [inside(low, high, value) for (low, high), value in zip(limits, truths.values(), strict=True)]
    return [
        Found(name, f"{target}, {part}", value, events, note=NO_RATIO if part == "ratio" and np.isnan(value) else "")
        for part, value in zip(truths, held, strict=True)
    ]


def inside(low: float, high: float, truth: float) -> float:
    """1 if the limits hold the truth, 0 if not, NaN if there are none."""
    return float("nan") if np.isnan(low) else float(low <= truth <= high)


def _bounds(name: str, seed: int, company: Company) -> Scenario:
    judge = Bounds(company)
    return Scenario(name, seed, judge.draw, judge, again=500)


def _scenario(name: str, seed: int, judge: Any, again: int = 100) -> Scenario:
    return Scenario(name, seed, judge.draw, one_by_one(judge.one), again=again)


SCENARIOS = (
    _bounds("one closing in ten unrecorded, 20 accounts, 150 deals", 707, Company(150, accounts=20)),
    _bounds("one closing in ten unrecorded, 40 accounts, 250 deals", 708, Company(250, accounts=40)),
    _scenario("confounded, 300 deals, left-truncated, few wins", 701,
              Confounded(300, 30, (IPTW,), wins=-2.0, late=0.35, paces=(1 / 45, 1 / 45))),
    _scenario("confounded, 300 deals, left-truncated, overlap", 702,
              Confounded(300, 30, (OVERLAP,), wins=-2.0, late=0.35, paces=(1 / 45, 1 / 45))),
    _scenario("confounded, 250 deals, 20 accounts, overlap", 704, Confounded(250, 40, (OVERLAP,), accounts=20)),
    _scenario("confounded, 250 deals, 20 accounts", 703,
              Confounded(250, 40, (IPTW, "standardised_shares"), accounts=20)),
    _scenario("closed deals of 20 accounts", 705, Closed(Confounded(250, 40, accounts=20))),
)  # fmt: skip
