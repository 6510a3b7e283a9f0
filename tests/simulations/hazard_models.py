"""Cox and Fine-Gray models: coefficients, predicted and standardised incidences, ratios by age"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr

from analytics.estimators.hazards.age_bands import hazard_ratios_by_age
from analytics.estimators.hazards.models import HazardModel, cause_specific_cox, fine_gray
from analytics.estimators.hazards.prediction import predicted_incidence, standardised_incidence
from analytics.estimators.hazards.proportionality import proportionality_test
from analytics.records.errors import InputError
from simulations.scenario import Found, Scenario, one_by_one

Floats = npt.NDArray[np.float64]
PACE = {"won": 0.011, "lost": 0.014}
"""Hazards a day where both covariates are 0."""
EFFECT = {"won": (0.4, 0.5), "lost": (-0.2, 0.0)}
"""Log hazard ratios of size and of partner; under Fine-Gray those of "won" are of the subdistribution."""
SHARE, LASTS = 0.35, 40.0
"""Fine-Gray: the share won in the end where both covariates are 0, and the mean days to each outcome."""
PARTNER, SAMPLED = 0.4, (0.3, 0.75)
"""Share of deals (accounts) with a partner; chances of being sampled of loud and of quiet deals."""
DAY = 60
FORMULA = "size + partner"
NOTHING = "all accounts watched alike have a partner, or none that has was won: no effect to be fitted"
_NODES, _MASS = np.polynomial.hermite_e.hermegauss(40)
_MASS = _MASS / _MASS.sum()


@dataclass(frozen=True)
class Deals:
    """Deals with a size (normal, their own) and a partner (0 or 1, of the account where there are accounts).

    The hazards of each deal are exactly proportional in both. With accounts, durations and outcomes of one account
    go together through normal variables with this correlation (a Gaussian copula), which leaves each deal's own chances
    as they are; `within` lets the partner vary from deal to deal there. `late`: share that is watched from a later day
    on. `weighted`: sampled by a trait that goes with the outcome. `regions`: a second baseline, twice as fast.
    """

    deals: int
    accounts: int = 0
    within: bool = False
    late: float = 0.0
    weighted: bool = False
    regions: bool = False
    correlation: float = 0.3
    subdistribution: bool = False

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        n, columns = self.deals, {}
        account = np.arange(n)
        if self.accounts:
            share = rng.gamma(0.8, size=self.accounts) + 0.1
            account = rng.choice(self.accounts, n, p=share / share.sum())
            columns["account"] = account
        size = rng.standard_normal(n)
        partner = (rng.random(n) < PARTNER).astype(float)
        if self.accounts and not self.within:
            partner = partner[account % n]
        region = rng.integers(0, 2, n) if self.regions else np.zeros(n, dtype=np.int64)
        first, second = self._uniform(rng, account), self._uniform(rng, account)
        won, lasts = self._ends(size, partner, region, first, second)
        lasts = np.ceil(lasts).astype(np.int64)
        leaves = rng.integers(60, 241, n)
        entry = np.where(rng.random(n) < self.late, rng.integers(0, 60, n), -1)
        keep = np.minimum(lasts, leaves) > entry
        columns |= {
            "entry": entry, "exit": np.minimum(lasts, leaves), "size": size, "partner": partner, "region": region,
            "outcome": np.where(lasts > leaves, "open", np.where(won, "won", "lost")),
        }  # fmt: skip
        if self.weighted:
            loud = ndtr(1.5 * (ndtr_inverse(second)) + rng.standard_normal(n)) > 0.5
            chance = np.where(loud, *SAMPLED)
            columns["weight"] = 1 / chance
            keep &= rng.random(n) < chance
        return {name: values[keep] for name, values in columns.items()}

    def _uniform(self, rng: np.random.Generator, account: Any) -> Floats:
        own = rng.standard_normal(len(account))
        if not self.accounts:
            return np.asarray(ndtr(own))
        shared = rng.standard_normal(self.accounts)[account]
        return np.asarray(ndtr(np.sqrt(self.correlation) * shared + np.sqrt(1 - self.correlation) * own))

    def _ends(self, size: Floats, partner: Floats, region: Any, first: Floats, second: Floats) -> tuple[Any, Floats]:
        """Return who is won, and after how many days each ends."""
        if self.subdistribution:
            ratio = np.exp(EFFECT["won"][0] * size + EFFECT["won"][1] * partner)
            ever = 1 - (1 - SHARE) ** ratio
            won = second < ever
            # F(t | x) = 1 - (1 - p (1 - exp(-t / 40)))^ratio, turned round (Fine & Gray 1999, section 5)
            reached = (1 - (1 - first * ever) ** (1 / ratio)) / SHARE
            return won, -LASTS * np.log1p(-np.where(won, np.minimum(reached, 1 - 1e-12), first))
        hazard = {name: _hazard(name, size, partner) * 2.0**region for name in PACE}
        total = hazard["won"] + hazard["lost"]
        return second < hazard["won"] / total, -np.log(first) / total


def ndtr_inverse(share: Floats) -> Floats:
    """Return normal quantiles."""
    from scipy.special import ndtri

    return np.asarray(ndtri(share))


def _hazard(outcome: str, size: Any, partner: Any) -> Any:
    return PACE[outcome] * np.exp(EFFECT[outcome][0] * size + EFFECT[outcome][1] * partner)


def incidence(outcome: str, day: int, size: Any, partner: Any) -> Any:
    """The true share of deals like these with an outcome by the end of a day, from cause-specific hazards."""
    total = _hazard("won", size, partner) + _hazard("lost", size, partner)
    return _hazard(outcome, size, partner) / total * -np.expm1(-total * day)


def subdistribution(day: int, size: Any, partner: Any) -> Any:
    """The true share won by the end of a day of the Fine-Gray deals."""
    ratio = np.exp(EFFECT["won"][0] * size + EFFECT["won"][1] * partner)
    return 1 - (1 - SHARE * -np.expm1(-day / LASTS)) ** ratio


@dataclass(frozen=True)
class Judge:
    """The coefficients of one company's models and, where asked for, what follows from them.

    `more`: predicted and standardised incidences too. `ages`: hazard ratios by age and tests of proportionality.
    `shape`: tests of proportionality alone.
    """

    deals: Deals
    more: bool = False
    ages: bool = False
    shape: bool = False

    def one(self, deals: pd.DataFrame) -> list[Found]:
        how: dict[str, Any] = {"cluster": "account"} if self.deals.accounts else {}
        how |= {"weights": "weight"} if self.deals.weighted else {}
        how |= {"strata": ["region"]} if self.deals.regions else {}
        fit, name = (
            (fine_gray, "fine_gray") if self.deals.subdistribution else (cause_specific_cox, "cause_specific_cox")
        )
        events = float((deals["outcome"] == "won").sum())
        try:
            model = fit(deals, FORMULA, outcome="won", **how)
        except InputError:
            model = None
        if self.shape:
            return self.proportional(model, events)
        found = [
            Found(name, f"log ratio of {term}, won",
                  _holds(None if model is None else model.coefficients.frame.iloc[place], truth), events,
                  note=NOTHING if model is None else "")
            for place, (term, truth) in enumerate(zip(("size", "partner"), EFFECT["won"], strict=True))
        ]  # fmt: skip
        if self.ages:
            found += self.by_age(model, events)
        if self.more:
            found += self.incidences(deals, model, how, events)
        return found

    def by_age(self, model: HazardModel | None, events: float) -> list[Found]:
        ratios = equal = proportional = None
        try:
            if model is not None:
                ratios, equal = (one.frame for one in hazard_ratios_by_age(model, cuts=(30,)))
                proportional = proportionality_test(model).frame
        except InputError:
            ratios = equal = None
        note = "" if ratios is not None else NOTHING
        found = [
            Found("hazard_ratios_by_age", f"{term} {age}",
                  _holds(None if ratios is None else _row(ratios, term, age), truth), events / 2, note=note)
            for age in ("up to 30", "over 30")
            for term, truth in zip(("size", "partner"), EFFECT["won"], strict=True)
        ]  # fmt: skip
        found += _refused("hazard_ratios_by_age, equality", equal, ("size", "all terms"), events)
        if not self.deals.accounts:  # by account it has scenarios of its own
            found += _refused("proportionality_test", proportional, ("size", "all terms"), events)
        return found

    def proportional(self, model: HazardModel | None, events: float) -> list[Found]:
        test = None if model is None else proportionality_test(model).frame
        return _refused("proportionality_test", test, ("size", "partner", "all terms"), events)

    def incidences(self, deals: pd.DataFrame, model: HazardModel | None, how: Any, events: float) -> list[Found]:
        truth = (lambda size, partner: subdistribution(DAY, size, partner)) if self.deals.subdistribution else (
            lambda size, partner: incidence("won", DAY, size, partner))  # fmt: skip
        profile, tables = pd.DataFrame({"size": [0.0], "partner": [0.0]}), None
        try:
            if model is not None:
                models = {"won": model}
                if not self.deals.subdistribution:
                    models["lost"] = cause_specific_cox(deals, FORMULA, outcome="lost", **how)
                shown = predicted_incidence(models, profile, times=[DAY])
                tables = (
                    shown,
                    *standardised_incidence(models, deals, exposure="partner", levels=[0.0, 1.0], times=[DAY]),
                )
        except InputError:
            tables = None
        averages = [float(_MASS @ truth(_NODES, level)) for level in (0.0, 1.0)]
        asked = [
            ("predicted_incidence", "won by day 60, size 0, no partner", 0, {"profile": 0}, float(truth(0.0, 0.0))),
            ("standardised_incidence", "won by day 60, no partner", 1, {"partner": 0.0}, averages[0]),
            ("standardised_incidence", "won by day 60, all with partner", 1, {"partner": 1.0}, averages[1]),
            ("standardised_incidence", "won by day 60, difference", 2, {"partner": 1.0}, averages[1] - averages[0]),
        ]  # fmt: skip
        return [
            Found(name, target,
                  _holds(None if tables is None else tables[place].at(outcome="won", **key).iloc[0], value),
                  events, note="" if tables is not None else NOTHING)
            for name, target, place, key, value in asked
        ]  # fmt: skip


def _refused(name: str, test: pd.DataFrame | None, terms: tuple[str, ...], events: float) -> list[Found]:
    found = []
    for term in terms:
        of = None if test is None else test.loc[test["term"] == term, "p_value"]
        refused = np.nan if of is None or of.empty else float(of.iloc[0] < 0.05)
        note = NOTHING if np.isnan(refused) else ""
        found.append(Found(name, f"refuses at 5 %: {term}", refused, events, kind="size", note=note))
    return found


def _row(frame: pd.DataFrame, term: str, age: str) -> Any:
    return frame[(frame["term"] == term) & (frame["age"] == age)].iloc[0]


def _holds(row: Any, truth: float) -> float:
    return np.nan if row is None else float(row["conf_low"] <= truth <= row["conf_high"])


def _scenario(name: str, seed: int, judge: Judge, again: int = 100) -> Scenario:
    return Scenario(name, seed, judge.deals.draw, one_by_one(judge.one), again=again)


SCENARIOS = (
    _scenario("Cox, 100 deals", 601, Judge(Deals(100), more=True)),
    _scenario("Cox, 400 deals, left-truncated", 602, Judge(Deals(400, late=0.35), ages=True)),
    _scenario("Cox, weights, 250 deals", 603, Judge(Deals(250, weighted=True))),
    _scenario("Cox, two regions as strata, 150 deals", 604, Judge(Deals(150, regions=True))),
    _scenario("Cox, 20 accounts, 150 deals", 605, Judge(Deals(150, accounts=20), more=True)),
    _scenario(
        "Cox, 20 accounts, partners within accounts, 300 deals", 606, Judge(Deals(300, accounts=20, within=True))
    ),
    _scenario("Cox, 40 accounts, 250 deals, left-truncated", 607, Judge(Deals(250, accounts=40, late=0.35))),
    _scenario("Cox, 100 accounts, 400 deals", 608, Judge(Deals(400, accounts=100), ages=True)),
    _scenario("Cox, 20 accounts, 150 deals, proportional", 613, Judge(Deals(150, accounts=20), shape=True)),
    _scenario(
        "Cox, 40 accounts, 250 deals, left-truncated, proportional",
        614,
        Judge(Deals(250, accounts=40, late=0.35), shape=True),
    ),
    _scenario("Cox, 100 accounts, 400 deals, proportional", 615, Judge(Deals(400, accounts=100), shape=True)),
    _scenario("Fine-Gray, 100 deals", 609, Judge(Deals(100, subdistribution=True), more=True)),
    _scenario("Fine-Gray, 250 deals, left-truncated", 610, Judge(Deals(250, late=0.35, subdistribution=True))),
    _scenario("Fine-Gray, 20 accounts, 150 deals", 611, Judge(Deals(150, accounts=20, subdistribution=True))),
    _scenario(
        "Fine-Gray, 40 accounts, 250 deals", 612, Judge(Deals(250, accounts=40, subdistribution=True), more=True)
    ),
)
