"""Scores of forecasts: of single deals by a horizon, and of totals quarter by quarter"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.result import Estimate
from analytics.estimators.scoring.auc import time_dependent_auc
from analytics.estimators.scoring.brier import brier_score
from analytics.estimators.scoring.calibration import calibration_bins, observed_expected
from analytics.estimators.scoring.cohort import Forecasts
from analytics.estimators.scoring.concordance import concordance
from analytics.estimators.scoring.coverage import interval_coverage, pit_histogram
from analytics.estimators.scoring.distributions import poisson_binomial
from analytics.estimators.scoring.joint import integrated_score, prediction_accuracy, score_differences
from analytics.estimators.scoring.smooth import calibration_curve
from analytics.estimators.scoring.totals import FEW_BEYOND, mean_scores, paired_differences, total_scores
from analytics.records.errors import InputError
from simulations.scenario import Found, Scenario, one_by_one

Floats = npt.NDArray[np.float64]
LEVELS = np.linspace(0.06, 0.72, 20)
"""Chance of being won in the end at each level of what is known of a deal; all levels are as frequent."""
PACES = (1 / 40, 1 / 30)
"""Pace of deals that will be won, and of the others."""
HORIZONS = (30.0, 60.0)
LEAVES = (20, 160)
"""First and last day on which a deal may be censored."""
LANDMARK = 10
BENT = (-0.3, 0.8)
"""The bent model: cloglog of the honest forecast is the first plus the second times cloglog of the bent one."""
UNSETTLED = "missing where the curve cannot be fitted, of which the error says so"
PROJECTED = "limits from a joint region hold at least what they say; missing as the curve"
_NODES, _MASS = np.polynomial.hermite_e.hermegauss(40)
_MASS = _MASS / _MASS.sum()


def _ended(day: float, pace: float) -> float:
    return float(-np.expm1(-pace * np.floor(day)))


def _unbent(p: Floats) -> Floats:
    return np.asarray(-np.expm1(-np.exp(BENT[0] + BENT[1] * np.log(-np.log1p(-p)))))


def _bent(p: Floats) -> Floats:
    return np.asarray(-np.expm1(-np.exp((np.log(-np.log1p(-p)) - BENT[0]) / BENT[1])))


@dataclass(frozen=True)
class Portfolio:
    """Deals with an honest and a bent forecast of being won by two horizons.

    `late`: share watched late, judged from the landmark on. `accounts`: number of accounts, which have a share of the
    odds of winning (standard deviation 0.7, unknown to the models) and half of their deals' levels in common.
    """

    deals: int
    late: float = 0.0
    accounts: int = 0

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """The columns entry, exit, outcome, level (and account) of one replicate."""
        n, more = self.deals, {}
        level, odds = rng.integers(0, len(LEVELS), n), np.zeros(n)
        if self.accounts:
            share = rng.gamma(0.8, size=self.accounts) + 0.1
            account = rng.choice(self.accounts, n, p=share / share.sum())
            own = rng.integers(0, len(LEVELS), self.accounts)[account]
            level, odds = np.where(rng.random(n) < 0.5, own, level), 0.7 * rng.standard_normal(self.accounts)[account]
            more = {"account": account}
        won = rng.random(n) < self.chance(level, odds)
        lasts = np.ceil(rng.exponential(size=n) / np.where(won, *PACES)).astype(np.int64)
        leaves = rng.integers(LEAVES[0], LEAVES[1] + 1, n)
        entry = np.where(rng.random(n) < self.late, rng.integers(0, LANDMARK + 10, n), -1)
        leave = np.minimum(lasts, leaves)
        outcome = np.where(lasts <= leaves, np.where(won, "won", "lost"), "open")
        keep = leave > entry
        rows = {"entry": entry, "exit": leave, "outcome": outcome, "level": level} | more
        return {name: values[keep] for name, values in rows.items()}

    def chance(self, level: Any, odds: Any) -> Floats:
        base = LEVELS[level]
        return np.asarray(1 / (1 + (1 - base) / base * np.exp(-odds)))

    def won_by(self, day: float) -> Floats:
        """Chance of each level to be won by a day, of deals open at the landmark where deals are late; honest."""
        chance = LEVELS
        if self.accounts:
            chance = self.chance(np.arange(len(LEVELS))[:, None], 0.7 * _NODES[None, :]) @ _MASS
        now = chance * _ended(day, PACES[0])
        if self.late:
            before = chance * _ended(LANDMARK - 1, PACES[0])
            there = 1 - before - (1 - chance) * _ended(LANDMARK - 1, PACES[1])
            now = (now - before) / there
        return np.asarray(now)

    def mass(self) -> Floats:
        """Share of each level among the deals that are judged."""
        if not self.late:
            return np.full(len(LEVELS), 1 / len(LEVELS))
        there = 1 - LEVELS * _ended(LANDMARK - 1, PACES[0]) - (1 - LEVELS) * _ended(LANDMARK - 1, PACES[1])
        return np.asarray(there / there.sum())

    def open_by(self, day: float) -> Floats:
        """Chance of each level to be open after a day (no late entry)."""
        chance = self.won_by(1e9)
        return np.asarray(1 - chance * _ended(day, PACES[0]) - (1 - chance) * _ended(day, PACES[1]))

    def expected(self, day: float) -> float:
        """Expected number of deals seen to be won by a day."""
        days = np.arange(LANDMARK if self.late else 1, day + 1)
        moves = np.diff([float(self.mass() @ self.won_by(d)) for d in (days[0] - 1, *days)])
        seen = np.clip((LEAVES[1] + 1 - days) / (LEAVES[1] + 1 - LEAVES[0]), 0, 1)
        share = 1 - self.late / 2 if self.late else 1.0
        return float(self.deals * share * 0.8 ** bool(self.late) * (moves * seen).sum())


class Judge:
    """Judge some scores of one portfolio's forecasts: "deals" (Brier, AUC, O/E), "whole", "curve", "ranking"."""

    def __init__(self, portfolio: Portfolio, parts: tuple[str, ...]) -> None:
        self.portfolio, self.parts, self.mass = portfolio, parts, portfolio.mass()
        self.horizons = HORIZONS if "whole" in parts else HORIZONS[1:]
        self.honest = np.array([portfolio.won_by(day) for day in self.horizons]).T
        self.bent = _bent(self.honest)
        self.how: dict[str, Any] = {"landmark": float(LANDMARK) if portfolio.late else 0.0}
        self.how |= {"cluster": "account"} if portfolio.accounts else {}
        self.events = portfolio.expected(HORIZONS[1])

    def __call__(self, deals: pd.DataFrame) -> list[Found]:
        level = deals["level"].to_numpy()
        models = {"honest": self.honest[level][:, None, :], "bent": self.bent[level][:, None, :]}
        found = []
        for part in self.parts:
            told = Forecasts(("won",), self.horizons, {"bent": models["bent"]} if part == "curve" else models)
            found += getattr(self, part)(deals, told)
        return found

    def row(self, name: str, target: str, limits: Any, truth: float) -> Found:
        low, high = limits
        held = np.nan if np.isnan(low) else float(low - 1e-9 <= truth <= high + 1e-9)
        return Found(name, target, held, self.events)

    def deals(self, deals: pd.DataFrame, told: Forecasts) -> list[Found]:
        joint, honest, bent = brier_score(deals, told, **self.how), self.honest[:, -1], self.bent[:, -1]
        error, null = self.errors(honest, bent), self.null(honest)
        scores, shares = limits(joint.estimate), limits(prediction_accuracy(joint))
        gains = {model: 1 - value / null for model, value in error.items()}
        gaps = limits(score_differences(joint, reference="honest"))
        found = [self.row("brier_score", model, scores[model, "won"], error[model]) for model in error]
        found += [self.row("prediction_accuracy", model, shares[model, "won"], gains[model]) for model in error]
        gap = error["bent"] - error["honest"]
        found.append(self.row("score_differences", "Brier, bent minus honest", gaps["bent", "won"], gap))
        areas = limits(time_dependent_auc(deals, told, **self.how).estimate)
        case, control = self.mass * honest, self.mass * (1 - honest)
        found.append(self.row("time_dependent_auc", "honest", areas["honest", "won"], _area(case, control)))
        sizes = limits(observed_expected(deals, told, **self.how).estimate)
        truth = float(self.mass @ honest / (self.mass @ bent))
        return [*found, self.row("observed_expected", "bent", sizes["bent", "won"], truth)]

    def errors(self, honest: Floats, bent: Floats) -> dict[str, float]:
        """The mean squared error of either model."""
        off = honest * (1 - bent) ** 2 + (1 - honest) * bent**2
        return {"honest": float(self.mass @ (honest * (1 - honest))), "bent": float(self.mass @ off)}

    def null(self, honest: Floats) -> float:
        """The mean squared error of the forecast that is the same for every deal."""
        share = float(self.mass @ honest)
        return share * (1 - share)

    def whole(self, deals: pd.DataFrame, told: Forecasts) -> list[Found]:
        joint = integrated_score(brier_score(deals, told, **self.how))
        columns = [self.honest[:, h] for h in (0, 1)]
        error = float(np.mean([self.errors(p, p)["honest"] for p in columns]))
        null = float(np.mean([self.null(p) for p in columns]))
        scores, gains = limits(joint.estimate), limits(prediction_accuracy(joint))
        return [
            self.row("integrated_score", "honest", scores["honest", "won"], error),
            self.row("prediction_accuracy", "honest, both horizons", gains["honest", "won"], 1 - error / null),
        ]

    def curve(self, deals: pd.DataFrame, told: Forecasts) -> list[Found]:
        """Shares in groups of forecasts and along the smooth curve, of the bent model."""
        bins = calibration_bins(deals, told, bins=4, **self.how).frame.iloc[[0, -1]]
        found = [
            # deals of one group have about one chance: the curve at the mean of their forecasts
            self.row("calibration_bins", f"bent, bin {row['bin']:g} of 4", (row["conf_low"], row["conf_high"]),
                     self.mean_chance(deals, b))
            for b, row in zip((0, 3), bins.to_dict("records"), strict=True)
        ]  # fmt: skip
        names = [("calibration_curve", f"bent, point {place + 1} of 5") for place in (0, 2, 4)]
        names.append(("calibration_curve, ICI", "bent"))
        try:
            smooth = calibration_curve(deals, told, points=5, **self.how)
        except InputError:
            found += [Found(*name, np.nan, self.events, note=UNSETTLED) for name in names]
            return [*found[:-1], replace(found[-1], high=1.0, note=PROJECTED)]
        rows = smooth.curve.frame.iloc[[0, 2, 4]]
        truths = _unbent(rows["forecast"].to_numpy()).tolist()
        truths.append(float(self.mass @ np.abs(self.honest - self.bent)[:, -1]))
        shown = [*zip(rows["conf_low"], rows["conf_high"], strict=True), limits(smooth.errors)["bent", "won", "ICI"]]
        found += [replace(self.row(*name, *pair), note=UNSETTLED)
                  for name, pair in zip(names, zip(shown, truths, strict=True), strict=True)]  # fmt: skip
        return [*found[:-1], replace(found[-1], high=1.0, note=PROJECTED)]

    def mean_chance(self, deals: pd.DataFrame, b: int) -> float:
        """The honest mean of the deals in one of four groups of the bent forecasts."""
        level = deals["level"].to_numpy()[self._judged(deals)]
        p = self.bent[level, -1]
        edges = np.quantile(p, [0, 0.25, 0.5, 0.75, 1])
        own = np.clip(np.searchsorted(edges, p, side="left"), 1, 4) == b + 1
        return float(self.honest[level, -1][own].mean())

    def _judged(self, deals: pd.DataFrame) -> Any:
        start = self.how["landmark"]
        return ((deals["entry"] < start) & (deals["exit"] >= start)).to_numpy()

    def ranking(self, deals: pd.DataFrame, told: Forecasts) -> list[Found]:
        """How the levels order deals; two deals that end on one day have no order unless their outcomes differ."""
        horizon = int(HORIZONS[1])
        won = np.array([self.portfolio.won_by(d) for d in range(horizon + 1)])
        alive = np.array([self.portfolio.open_by(d) for d in range(horizon + 1)])
        pairs = {
            "won": (np.diff(won, axis=0), 1 - won[1:]),
            None: (-np.diff(alive, axis=0), alive[1:]),
        }
        found = []
        scored = deals.assign(score=LEVELS[deals["level"]])
        for outcome, (first, later) in pairs.items():
            truth = _area(first * self.mass, later * self.mass)
            shown = concordance(scored, "score", outcome=outcome, horizon=horizon, cluster=self.how.get("cluster"))
            ((target, pair),) = limits(shown.estimate).items()
            found.append(self.row("concordance", target[0], pair, truth))
        return found


def limits(estimate: Estimate) -> dict[Any, tuple[float, float]]:
    """The limits by key; of several horizons the last."""
    frame, names = estimate.frame, [name for name in estimate.meta.keys if name != "time"]
    keys = zip(*(frame[name] for name in names), strict=True)
    return dict(zip(keys, zip(frame["conf_low"], frame["conf_high"], strict=True), strict=True))


def _area(first: Floats, later: Floats) -> float:
    """Of pairs of levels with these masses (day by day where there are days), the share that the higher one wins."""
    beats = np.tri(len(LEVELS), k=-1) + np.eye(len(LEVELS)) / 2
    first, later = np.atleast_2d(first), np.atleast_2d(later)
    return float(np.einsum("ti,ij,tj->", first, beats, later) / (first.sum(axis=1) @ later.sum(axis=1)))


EXACT = "exact binomial limits hold at least what they say"
SPREAD = "a whole number's place is spread over its chance, so it varies less than the range allows for"
SIZES = (20, 30, 40, 50, 60, 80)
PORTFOLIOS = tuple(np.linspace(0.03, 0.9, size) ** 2 for size in SIZES)
"""Chances of the deals of a quarter; one of these is drawn for each."""
TIMES = 0.85
"""The low model says so much of each chance."""


def _shares(chances: Floats) -> Floats:
    """Probability of every number of wins, deal by deal."""
    total = np.ones(1)
    for p in chances:
        total = np.append(total, 0.0) * (1 - p) + np.append(0.0, total) * p
    return np.asarray(total)


def _quantile(shares: Floats, level: float) -> int:
    return int(np.argmax(np.cumsum(shares) >= level - 1e-12))


@dataclass(frozen=True)
class Quarters:
    """Numbers of deals won per quarter, forecast honestly and too low."""

    quarters: int

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        kind = rng.integers(0, len(PORTFOLIOS), self.quarters)
        won = [int((rng.random(SIZES[k]) < PORTFOLIOS[k]).sum()) for k in kind]
        return {"kind": kind, "won": np.array(won)}

    def __call__(self, rows: pd.DataFrame) -> list[Found]:
        came = {str(q): float(won) for q, won in enumerate(rows["won"])}
        told = {model: {str(q): TOLD[model][k] for q, k in enumerate(rows["kind"])} for model in TOLD}
        levels = [level for level in (0.5, 0.75) if self.quarters * (1 - level) >= FEW_BEYOND]
        scores = total_scores(told, came, levels=levels)
        means, gaps = limits(mean_scores(scores)), limits(paired_differences(scores, reference="honest"))
        found = []
        for score in ("CRPS", *(f"pinball {100 * level:g} %" for level in levels)):
            for model in TOLD:
                found.append(
                    self.row("mean_scores", f"{model}, {score}", means[model, score], self.truth(score, model))
                )
            gap = self.truth(score, "low") - self.truth(score, "honest")
            found.append(self.row("paired_differences", f"low minus honest, {score}", gaps["low", score], gap))
        honest = {"honest": told["honest"]}
        shown = limits(interval_coverage(honest, came, levels=[0.8]))["honest", 0.8]
        target = "80 % intervals of the honest model"
        found.append(replace(self.row("interval_coverage", target, shown, self.truth("inside", "honest")),
                             high=1.0, note=EXACT))  # fmt: skip
        part = pit_histogram(honest, came, bins=5).frame.iloc[2]
        inside = self.row("pit_histogram", "honest range of bin 3 of 5", tuple(part[["honest_low", "honest_high"]]),
                          part["estimate"])  # fmt: skip
        return [*found, replace(inside, high=1.0, note=SPREAD)]

    def row(self, name: str, target: str, shown: tuple[float, float], truth: float) -> Found:
        low, high = shown
        return Found(name, target, low - 1e-9 <= truth <= high + 1e-9, float(self.quarters))

    def truth(self, score: str, model: str) -> float:
        """The mean over the portfolios of a score's expectation."""
        return float(np.mean([_expected(score, model, k) for k in range(len(PORTFOLIOS))]))


def _expected(score: str, model: str, k: int) -> float:
    shares = _shares(PORTFOLIOS[k])
    told = shares if model == "honest" else _shares(TIMES * PORTFOLIOS[k])
    true, said = np.cumsum(shares), np.cumsum(told)
    if score == "CRPS":
        return float((true * (1 - true) + (said - true) ** 2).sum())
    if score == "inside":
        low, high = _quantile(told, 0.1), _quantile(told, 0.9)
        return float(shares[low : high + 1].sum())
    level = float(score.split()[1]) / 100
    gap = np.arange(len(shares)) - _quantile(told, level)
    return float(shares @ np.where(gap >= 0, level * gap, (level - 1) * gap))


TOLD = {
    "honest": [poisson_binomial(p) for p in PORTFOLIOS],
    "low": [poisson_binomial(TIMES * p) for p in PORTFOLIOS],
}


def _deals(name: str, seed: int, portfolio: Portfolio, *parts: str, again: int = 100) -> Scenario:
    return Scenario(name, seed, portfolio.draw, one_by_one(Judge(portfolio, parts)), again=again)


def _quarters(name: str, seed: int, quarters: Quarters, again: int = 100) -> Scenario:
    return Scenario(name, seed, quarters.draw, one_by_one(quarters), again=again)


SCENARIOS = (
    _deals("right-censored, 100 deals", 821, Portfolio(100), "deals", "ranking"),
    _deals("right-censored, 300 deals", 822, Portfolio(300), "deals", "whole"),
    _deals("right-censored, 200 deals, calibration", 823, Portfolio(200), "curve"),
    _deals("judged from day 10 on, 200 deals, a third of them watched late", 824, Portfolio(200, late=0.35), "deals"),
    _deals("25 accounts, 200 deals", 825, Portfolio(200, accounts=25), "deals", "ranking"),
    _deals("40 accounts, 250 deals, calibration", 826, Portfolio(250, accounts=40), "curve"),
    _quarters("8 quarters", 827, Quarters(8)),
    _quarters("20 quarters", 828, Quarters(20)),
)
