"""Definitions: everything besides the outcome rules that decides which deals are studied, and how they are read."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Moment = Literal["opening", "as_of", "close"]


class Scope(BaseModel):
    """Which deals belong to the study; each exclusion becomes a line of the attrition table.

    Parameters
    ----------
    keep : mapping of column to list of values
        Only deals with one of these values; `null` in the list keeps deals without a value.
    drop : mapping of column to list of values
        Deals with one of these values are left out (test accounts, owners, deal ids …).
    amount_at_least : float, optional
        Amount floor, in the currency that is reported; a deal without an amount does not reach it.
    everything : bool, default False
        Say so when every deal is meant to be studied.

    Notes
    -----
    Columns are `deal_id`, `account_id`, `pipeline`, `owner_id`, `team`, `source`, `currency_original` or a
    declared attribute. A deal is in or out as a whole, by its first episode.

    Examples
    --------
    >>> Scope(keep={"deal_type": ["New Business"]}).says_something
    True
    """

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    keep: dict[str, list[str | None]] = Field(default_factory=dict)
    drop: dict[str, list[str | None]] = Field(default_factory=dict)
    amount_at_least: float | None = None
    everything: bool = False

    @property
    def says_something(self) -> bool:
        """Whether a choice was made at all (choosing everything is a choice)."""
        return self.everything or bool(self.keep or self.drop) or self.amount_at_least is not None

    @model_validator(mode="after")
    def _everything_or_a_choice(self) -> Scope:
        if self.everything and (self.keep or self.drop or self.amount_at_least is not None):
            raise ValueError("everything: true contradicts keep, drop and amount_at_least; remove one of them")
        for column, values in {**self.keep, **self.drop}.items():
            if not values:
                raise ValueError(f"the list of values for {column!r} is empty; name the values or remove the column")
        return self


class CurrencyPolicy(BaseModel):
    """In which currency amounts are reported, and at which rate they are converted.

    Parameters
    ----------
    report_in : str, optional
        The currency of the report; needed by every policy but "own".
    policy : {"own", "plan_rate", "rate_at_opening", "rate_at_as_of"}
        "own" converts nothing. "plan_rate" uses `rates`. The other two use the `fx_rates` side table, with the rate
        of the deal's opening day or of the as-of day; never the close date, so that a push re-values nothing.
    rates : mapping of currency to float
        Units of `report_in` per one unit of the currency (EUR: 1.08 when reporting in USD).

    Examples
    --------
    >>> CurrencyPolicy(report_in="USD", policy="plan_rate", rates={"EUR": 1.08}).rates["EUR"]
    1.08
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    report_in: str | None = None
    policy: Literal["own", "plan_rate", "rate_at_opening", "rate_at_as_of"] = "own"
    rates: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _policy_has_what_it_needs(self) -> CurrencyPolicy:
        if self.policy == "own" and (self.report_in is not None or self.rates):
            raise ValueError("policy: own converts nothing; choose plan_rate, rate_at_opening or rate_at_as_of")
        if self.policy != "own" and self.report_in is None:
            raise ValueError(f"policy: {self.policy} needs report_in, the currency of the report")
        if self.policy.startswith("rate_at") and self.rates:
            raise ValueError(f"policy: {self.policy} takes its rates from the fx_rates table; remove rates")
        for currency, rate in self.rates.items():
            if not 0 < rate < float("inf"):
                raise ValueError(f"the rate of {currency} must be a positive number, it is {rate}")
            if currency == self.report_in and rate != 1:
                raise ValueError(f"the rate of {currency} must be 1, because it is the currency of the report")
        return self


class Definitions(BaseModel):
    """Who is studied and how deals are read; hashed, so that two studies can be told apart.

    Parameters
    ----------
    scope : Scope, optional
        Which deals belong to the study. A run refuses to start without it (`require_scope`); unset here means all.
    currency : CurrencyPolicy
        How amounts are converted.
    observed_from : datetime.date, optional
        Deals that ended before this day are absent from the extract, so deals opened earlier count from it (delayed
        entry). Leave it out where only stage history starts late: outcomes before that are good.
    qualification_stage : str, optional
        The stage at which the qualified cohort's clock starts.
    stages : tuple of str
        Open stages in their order; empty means the `stages` side table decides.
    attributes_at : mapping of column to {"opening", "as_of", "close"}
        When the value of an attribute (or of `owner_id`, `team`, `pipeline`, `source`) is taken; "opening" by default,
        so that what happens to a deal cannot choose its segment.
    close_date : {"typed", "recorded"}
        Whether a deal ended on its typed close date (never later than the day on which it was recorded as closed) or
        on the day on which it was recorded.

    Examples
    --------
    >>> Definitions(attributes_at={"team": "close"}).attributes_at["team"]
    'close'
    >>> Definitions().hash == Definitions(close_date="typed").hash
    True
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scope: Scope | None = None
    currency: CurrencyPolicy = Field(default_factory=CurrencyPolicy)
    observed_from: dt.date | None = None
    qualification_stage: str | None = None
    stages: tuple[str, ...] = ()
    attributes_at: dict[str, Moment] = Field(default_factory=dict)
    close_date: Literal["typed", "recorded"] = "typed"

    @model_validator(mode="after")
    def _stages_once(self) -> Definitions:
        if len(set(self.stages)) < len(self.stages):
            raise ValueError("a stage is named twice in stages")
        return self

    @property
    def hash(self) -> str:
        """Short SHA-256 of the definitions."""
        meaning = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(meaning.encode()).hexdigest()[:16]
