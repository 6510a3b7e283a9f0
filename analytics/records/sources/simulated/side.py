"""What stands beside the deals: quotas, forecast submissions with a stated bias, and interviews after the close."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analytics.records.calendar import Quarter
from analytics.records.sources.simulated.closing import NEVER
from analytics.records.sources.simulated.config import SimulationConfig, day_number
from analytics.records.sources.simulated.draws import Draws, Floats
from analytics.records.sources.simulated.journey import CLOSED_WON
from analytics.records.sources.simulated.reasons import REASONS, WON_REASONS

CATEGORIES = ("Commit", "Best Case")
HELD_AFTER, HELD_WITHIN = 15, 45
MOODS = ("negative", "neutral", "positive")


def _in_office(people: pd.DataFrame, quarter: Quarter) -> pd.DataFrame:
    here = (people["start"] <= day_number(quarter.end)) & (people["end"] >= day_number(quarter.start))
    return people[here]


def quotas(config: SimulationConfig, people: pd.DataFrame) -> pd.DataFrame:
    """Return the quotas: `owner`, `period`, `quota` (reporting currency), `recorded` (the quarter's first day).

    A quota is for the days of the quarter in office, at half for those on which the seller was still ramping up.
    """
    rows = []
    for quarter in config.calendar_quarters():
        first, last = day_number(quarter.start), day_number(quarter.end)
        here = _in_office(people, quarter)
        begin, end = here["start"].clip(lower=first), here["end"].clip(upper=last)
        ramped = (here["start"] + config.selling.ramp_days).clip(lower=begin, upper=end + 1)
        share = ((end - begin + 1) - 0.5 * (ramped - begin)) / (last - first + 1)
        quota = np.maximum(np.round(config.forecasting.quota * share, -3), 1000)
        rows.append(pd.DataFrame({"owner": here["owner"], "period": quarter.name, "quota": quota, "recorded": first}))
    return pd.concat(rows, ignore_index=True)


def bookings(config: SimulationConfig, deals: pd.DataFrame, states: pd.DataFrame) -> pd.DataFrame:
    """Return the won deals in scope: `owner` at the closing, `closed` (typed day) and `amount` (reporting currency)."""
    scope = np.isin(list(config.deal_types), config.in_scope)[deals["deal_type"].to_numpy()]
    wins = states[(states["stage"] == CLOSED_WON) & scope[states["deal"].to_numpy()]]
    wins = wins[wins["change"].isin(["created", "closed", "closed again"])]
    euro = (deals["currency"].to_numpy() == "EUR")[wins["deal"].to_numpy()]
    amount = wins["amount"].to_numpy() * np.where(euro, config.eur_rate, 1.0)
    return pd.DataFrame({"owner": wins["owner"].to_numpy(), "closed": wins["expected"].to_numpy(), "amount": amount})


def forecast_submissions(
    config: SimulationConfig, people: pd.DataFrame, booked: pd.DataFrame, seed: int
) -> pd.DataFrame:
    """Draw the submissions: `period`, `submitted` (day number), `owner`, `category`, `amount` (reporting currency)."""
    model, rows = config.forecasting, []
    biases = dict(zip(CATEGORIES, (model.commit_bias, model.best_case_bias), strict=True))
    for quarter in config.calendar_quarters():
        first, last = day_number(quarter.start), day_number(quarter.end)
        inside = booked[booked["closed"].between(first, last)]
        owners = _in_office(people, quarter)["owner"].to_numpy()
        total = inside.groupby("owner")["amount"].sum().reindex(owners, fill_value=0.0).to_numpy()
        draws = Draws(seed, f"forecasts {quarter.name}")
        for on_day, noise in zip(model.on_days, model.noise, strict=True):
            for category, bias in biases.items():
                factor: Floats = np.exp(noise * draws.normal(len(owners)) - noise**2 / 2)
                rows.append(pd.DataFrame({
                    "period": quarter.name, "submitted": first + on_day, "owner": owners, "category": category,
                    "amount": np.round(total * bias * factor, -2),
                }))  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def reviews(config: SimulationConfig, deals: pd.DataFrame, closing: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw interviews about closed deals: one row from the seller and one from the buyer of each deal reviewed.

    Returns
    -------
    pandas.DataFrame
        `deal`, `respondent` ("rep" or "buyer"), `held` (day number), `reason`, `sentiment`. The buyer's reason is the
        true one; the seller's is what the confusion matrix of the configuration makes of it.
    """
    model, draws, n = config.reasons, Draws(seed, "reviews"), len(deals)
    won = closing["won"].to_numpy()
    chosen = draws.chance(model.reviewed, n) & (closing["recorded"].to_numpy() < NEVER)
    true_won = draws.category(model.won, n)
    rep_won = draws.category(model.won_confusion()[true_won], n)
    held = closing["recorded"].to_numpy() + draws.between(HELD_AFTER, HELD_AFTER + HELD_WITHIN, n)
    mood = draws.category(np.where(won[:, None], (0.05, 0.3, 0.65), (0.4, 0.45, 0.15)), n)
    names, won_names = np.array(REASONS), np.array(WON_REASONS)
    parts = []
    for respondent, lost_reason, won_reason in (
        ("rep", closing["filled_reason"].to_numpy(), rep_won), ("buyer", closing["true_reason"].to_numpy(), true_won)
    ):  # fmt: skip
        reason = np.where(won, won_names[won_reason], names[lost_reason])
        table = pd.DataFrame({"deal": deals["deal"], "respondent": respondent, "held": held, "reason": reason,
                              "sentiment": np.array(MOODS)[mood]})  # fmt: skip
        parts.append(table[chosen])
    return pd.concat(parts).sort_values(["deal", "respondent"], kind="stable").reset_index(drop=True)
