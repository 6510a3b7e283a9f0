"""Which deals bear which flag, for loading back into the CRM."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analytics.questions.no_decision.landmarks import standing
from analytics.questions.no_decision.zombies import Marks, borne, marks
from analytics.records.errors import InputError
from analytics.studies.opening import open_params
from analytics.studies.params import company_of, load_quarter
from analytics.studies.store import as_csv, write_text
from analytics.studies.study import Study

COLUMNS = ("deal_id", "flag", "rule", "flagged_on", "as_of")


def write_flags(params: Path | str, target: Path | None = None) -> tuple[Path, int]:
    """Write the flags of a quarter's deals as CSV in which no cell can act as a formula.

    Parameters
    ----------
    params : path
        `params/<company>-<quarter>.yaml`.
    target : pathlib.Path, optional
        The file; by default `<company>-<quarter>-deals.csv` where one stands.

    Returns
    -------
    (pathlib.Path, int)
        The file and its number of rows.

    Raises
    ------
    InputError
        Under `share: safe`: a list of deals is no part of what may be shared.
    """
    quarter = load_quarter(params)
    company = company_of(quarter)
    if company.share == "safe":
        raise InputError(
            "a list of deals names deals, and the params say share: safe", file=f"{company.company}.yaml",
            action="Write it from the company's own params (share: private)",
        )  # fmt: skip
    study = open_params(company, quarter)
    flags = flagged_deals(study)
    target = target or Path(f"{company.company}-{study.quarter.name}-deals.csv")
    write_text(target, as_csv(flags))
    return target, len(flags)


def flagged_deals(study: Study) -> pd.DataFrame:
    """Which deals are no decision by which rule, and which open ones look dead by which mark?

    Parameters
    ----------
    study : Study
        The opened study.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, one row per deal, flag and rule: `no_decision` (declared: the rule is the reason), as many deals as
        the studies count; `no_decision_inferred` (a rule fired, on `flagged_on`; each rule beside the declared reasons
        alone, so that a deal can bear several); `looks_dead` (open, and bears the mark at the as-of date).
    """
    declared = study.deals[study.deals["outcome"] == "no_decision"]
    parts = [_rows(declared, "no_decision", declared["reason"].astype(object), declared["closed_on"])]
    stated = Marks(study.rules.silent_days, study.rules.pushed_times, study.rules.older_than_days)
    for kind in study.rules.inferred_kinds:
        deals = study.deals_by_rule[str(kind)]
        fired = deals[deals["no_decision_kind"] == kind]
        rule = rule_words(stated, str(kind))
        parts.append(_rows(fired, "no_decision_inferred", pd.Series(rule, index=fired.index), fired["closed_on"]))
    looked = marks(study.deals, study.rules)
    if looked != Marks(stated=False):
        now = standing(study.deals, study.history, as_of=study.as_of)
        for mark, bearing in borne(now, looked, study.as_of).items():
            mine = now[bearing]
            rule = looked.words(mark)
            days = pd.Series(pd.Timestamp(study.as_of), index=mine.index)
            parts.append(_rows(mine, "looks_dead", pd.Series(rule, index=mine.index), days))
    frame = pd.concat(parts, ignore_index=True).assign(as_of=study.as_of)
    order = ["deal_id", "flag", "rule"]
    return frame[list(COLUMNS)].sort_values(order, kind="stable", na_position="last", ignore_index=True)


def rule_words(stated: Marks, kind: str) -> str:
    """Say a rule in the words of the params.

    Examples
    --------
    >>> rule_words(Marks(90, 3, 390), "silent")
    'silent for 90 days'
    """
    return {
        "silent": f"silent for {stated.silent_days} days",
        "pushed": f"past due and pushed {stated.pushed_times} times",
        "aged": f"older than {stated.older_than_days} days",
    }[kind]


def _rows(deals: pd.DataFrame, flag: str, rule: pd.Series, flagged_on: pd.Series) -> pd.DataFrame:
    named = deals["deal_id"].astype(object).to_numpy()
    days = pd.to_datetime(flagged_on).dt.date.to_numpy()
    return pd.DataFrame({"deal_id": named, "flag": flag, "rule": rule.to_numpy(), "flagged_on": days})
