"""Frames of the shapes that the questions hand over, with plausible numbers, and texts as hostile as a CRM can hold."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.result import Estimate, Finding, Listing, Meta

HOSTILE = '<img src=x onerror=alert(1)> R&D "A" $5 to $9 </script> %{x}'
AS_OF = dt.date(2026, 1, 31)
CHANCES = {"won": 0.30, "lost": 0.21, "no_decision": 0.32}


def meta(kind: str, keys: tuple[str, ...], estimand: str, **facts: Any) -> Meta:
    defaults: dict[str, Any] = {
        "n_deals": 412,
        "n_accounts": 260,
        "interval": "log-log",
        "cluster": "account_id",
        "as_of": AS_OF,
    }
    return Meta(kind=kind, estimand=estimand, keys=keys, **{**defaults, **facts})  # type: ignore[arg-type]


def incidence_frame(n: int = 412, horizon: int = 365, tilt: float = 1.0, seed: int = 7) -> pd.DataFrame:
    """An incidence over whole days with jumps on some of them and intervals of a plausible width."""
    rng = np.random.default_rng(seed)
    days = np.arange(horizon + 1)
    share = 1 - np.exp(-days / 95)
    jumps = rng.random(horizon + 1) < 0.45
    parts = []
    for outcome, chance in CHANCES.items():
        level = np.maximum.accumulate(np.where(jumps, chance * (tilt if outcome == "won" else 1) * share, 0.0))
        width = 1.96 * np.sqrt(level * (1 - level) / n)
        parts.append(
            pd.DataFrame(
                {
                    "outcome": outcome,
                    "time": days,
                    "estimate": level,
                    "std_error": width / 1.96,
                    "conf_low": np.clip(level - width, 0, 1),
                    "conf_high": np.clip(level + width + 0.004, 0, 1),
                    "n_risk": np.round(n * (1 - 0.9 * share)).astype(int),
                    "n_event": 0,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def incidence(**more: Any) -> Estimate:
    words = (
        "share of deals that would be won, lost or in no decision by day 365 at this quarter's pace (Aalen–Johansen)"
    )
    frame = incidence_frame(**more)
    return Estimate(frame, meta("incidence", ("outcome", "time"), words, n_deals=int(frame["n_risk"].max())))


def cohorts(names: tuple[str, ...] = ("2024Q4", "2025Q1", "2025Q2", "2025Q3"), key: str = "cohort") -> Estimate:
    parts = []
    for i, name in enumerate(names):
        horizon = 365 - 70 * i
        part = incidence_frame(n=300 + 31 * i, horizon=horizon, tilt=1 - 0.06 * i, seed=i)
        parts.append(
            part.assign(**{key: name, "mature": i == 0, "n_deals": 300 + 31 * i, "followed_days": horizon - 60})
        )
    return Estimate(
        pd.concat(parts), meta("incidence", (key, "outcome", "time"), "share of deals opened in each quarter")
    )


def win_rates(hostile: bool = False) -> Estimate:
    rows = [
        (
            "closed_count_narrow",
            "Closed, count: won / (won + lost)",
            "deals won or lost in the quarter",
            87,
            148,
            True,
            "",
        ),
        (
            "closed_count_broad",
            "Closed, count, no decision included",
            "all deals closed in the quarter",
            88,
            231,
            True,
            "",
        ),
        (
            "closed_amount_narrow",
            "Closed, amount: won / (won + lost)",
            "amount won or lost in the quarter",
            87,
            148,
            False,
            "not meaningful: 61 of 61 lost deals carry amount 0",
        ),
        ("opened_cohort", "Opened this quarter, so far", "deals opened in 2025Q4", 35, 316, True, ""),
        ("mature_cohort", "Opened a year ago, at 365 days", "deals opened in 2024Q4", 124, 412, True, ""),
        (
            "qualified_cohort",
            "Qualified a year ago, at 365 days",
            HOSTILE if hostile else "deals qualified in 2024Q4",
            122,
            338,
            True,
            "",
        ),
        ("period_incidence", "At this quarter's pace, by 365 days", "deals at risk in 2025Q4", 152, 520, True, ""),
    ]
    frame = pd.DataFrame(
        rows, columns=["definition", "label", "denominator", "n_event", "n_risk", "meaningful", "note"]
    )
    frame["estimate"] = np.where(frame["meaningful"], frame["n_event"] / frame["n_risk"], 1.0)
    half = 1.96 * np.sqrt(0.2 / frame["n_risk"])
    frame["conf_low"] = (frame["estimate"] - half).clip(0, 1)
    frame["conf_high"] = (frame["estimate"] + half).clip(0, 1)
    frame["std_error"] = half / 1.96
    frame["n_accounts"] = (frame["n_risk"] * 0.6).round()
    return Estimate(
        frame, meta("probability", ("definition",), "win rates by definition", interval="Wilson", n_deals=868)
    )


def bridge() -> Listing:
    rows = [
        (
            "closed_count_narrow",
            "closed_count_broad",
            "counted differently",
            87 / 231 - 87 / 148,
            83,
            "83 deals that ended in no decision are counted as not won",
        ),
        (
            "closed_count_broad",
            "opened_cohort",
            "leave",
            -0.2,
            196,
            "196 deals closed this quarter were opened before it",
        ),
        (
            "closed_count_broad",
            "opened_cohort",
            "join",
            35 / 316 - 87 / 231 + 0.2,
            281,
            "281 deals opened this quarter are still open and count as not won so far",
        ),
    ]
    frame = pd.DataFrame(rows, columns=["from", "to", "step", "change", "deals", "words"])
    rates = {"closed_count_narrow": 87 / 148, "closed_count_broad": 87 / 231, "opened_cohort": 35 / 316}
    labels = {
        "closed_count_narrow": "Closed, count: won / (won + lost)",
        "closed_count_broad": "Closed, count, no decision included",
        "opened_cohort": "Opened this quarter, so far",
    }
    for end in ("from", "to"):
        frame[f"{end}_rate"] = frame[end].map(rates)
        frame[f"{end}_label"] = frame[end].map(labels)
    return Listing(frame, "Bridge between the definitions of a win rate")


def against() -> Estimate:
    rows = []
    for quarter, view, shift in (
        ("2025Q3", "as known then", 0.0),
        ("2025Q3", "restated", 0.01),
        ("2024Q4", "as known then", 0.03),
        ("2024Q4", "restated", 0.02),
    ):
        for outcome, change, se in (("won", -0.031, 0.035), ("lost", 0.012, 0.03), ("no_decision", 0.081, 0.02)):
            verdict = "cannot tell" if outcome != "no_decision" else "shown and large enough to matter"
            rows.append((quarter, view, outcome, change + shift, se, 0.38, 0.38 - change - shift, verdict))
    frame = pd.DataFrame(
        rows,
        columns=["compared_to", "view", "outcome", "estimate", "std_error", "estimate_now", "estimate_then", "verdict"],
    )
    frame["conf_low"] = frame["estimate"] - 1.96 * frame["std_error"]
    frame["conf_high"] = frame["estimate"] + 1.96 * frame["std_error"]
    frame["margin"] = 0.03
    frame["smallest_reliable_change"] = 0.03 + 2.8 * frame["std_error"]
    return Estimate(frame, meta("contrast", ("compared_to", "view", "outcome"), "change of the incidence at 365 days"))


def mix_and_rate(hostile: bool = False) -> Estimate:
    levels = [HOSTILE if hostile else "inbound rfp", "partner", "outbound"]
    rows = [
        (level, "mix", value, f"Mix: more {level}") for level, value in zip(levels, (-0.026, -0.004, 0.0), strict=True)
    ]
    rows += [
        (level, "rate", value, f"Rate: {level}") for level, value in zip(levels, (-0.009, 0.007, 0.001), strict=True)
    ]
    rows += [("all", "stock", -0.001, "Open from before the quarter")]
    rows += [("all", "mix", -0.030, "Mix in all"), ("all", "rate", -0.001, "Rate in all")]
    rows += [("all", "total", -0.032, "Change")]
    frame = pd.DataFrame(rows, columns=["level", "part", "estimate", "label"])
    frame["compared_to"], frame["segment"] = "2025Q3", "source"
    frame["std_error"] = 0.008
    frame["conf_low"], frame["conf_high"] = frame["estimate"] - 0.016, frame["estimate"] + 0.016
    frame["estimate_then"], frame["estimate_now"] = 0.412, 0.380
    frame["verdict"] = np.where(frame["part"] == "total", "cannot tell", "")
    keys = ("compared_to", "segment", "level", "part")
    return Estimate(
        frame, meta("contrast", keys, "Kitagawa decomposition of the change of the won incidence at 365 days")
    )


def segments(hostile: bool = False) -> Estimate:
    rows = []
    for segment, level, rate, n in (
        ("source", "inbound", 0.42, 210),
        ("source", HOSTILE if hostile else "outbound", 0.22, 150),
        ("source", "partner", 0.36, 44),
        ("source", "event", 0.10, 8),
        ("segment", "Enterprise", 0.25, 120),
        ("segment", "Mid-market", 0.33, 292),
    ):
        half = 1.96 * np.sqrt(rate * (1 - rate) / n)
        pulled = 0.31 + (rate - 0.31) * n / (n + 40)
        for kind, value, width in (("raw", rate, half), ("shrunken", pulled, half * np.sqrt(n / (n + 40)))):
            rows.append((segment, level, kind, value, max(0.0, value - width), min(1.0, value + width), n, 0.31))
    frame = pd.DataFrame(
        rows, columns=["segment", "level", "kind", "estimate", "conf_low", "conf_high", "n_deals", "overall"]
    )
    frame["std_error"], frame["n_accounts"], frame["note"] = 0.02, (frame["n_deals"] * 0.7).round(), ""
    return Estimate(frame, meta("probability", ("segment", "level", "kind"), "won within 365 days by segment"))


def no_decision_range() -> Estimate:
    frame = pd.DataFrame(
        {
            "rule": ["declared", "silent", "pushed", "aged"],
            "label": [
                "Declared by reason code",
                "Silent for 120 days",
                "Past due and pushed 3 times",
                "Older than 540 days",
            ],
            "estimate": [0.25, 0.41, 0.31, 0.29],
            "conf_low": [0.21, 0.36, 0.27, 0.25],
            "conf_high": [0.30, 0.46, 0.36, 0.34],
            "std_error": 0.025,
            "n_deals": 520,
            "fired": [np.nan, 96, 41, 30],
            "later_won": [np.nan, 7, 2, 0],
            "note": "",
        }
    )
    return Estimate(frame, meta("probability", ("rule",), "no decision within 365 days at this quarter's pace"))


def value_weighted(meaningful: bool = True) -> Estimate:
    frame = pd.DataFrame(
        {
            "outcome": ["won", "lost", "no_decision", "open"],
            "estimate": [0.22, 0.26, 0.33, 0.19],
            "conf_low": [0.14, 0.18, 0.22, 0.1],
            "conf_high": [0.31, 0.35, 0.44, 0.29],
            "std_error": 0.04,
            "count_estimate": [0.30, 0.21, 0.32, 0.17],
            "n_deals": 520,
            "largest_deal_share": 0.084,
            "meaningful": meaningful,
            "note": "" if meaningful else "lost deals carry amount 0",
        }
    )
    return Estimate(
        frame, meta("probability", ("outcome",), "share of amount by outcome at 365 days", interval="bootstrap")
    )


def attrition(hostile: bool = False) -> Listing:
    rows = [
        ("read", "rows read", 18_240, 18_240, "rows"),
        ("rejected", HOSTILE if hostile else "no opening date (CreatedDate)", 19, 18_221, "rows"),
        ("kept", "rows kept", 18_221, 18_221, "rows"),
        ("in the history", "deals in the history", 3012, 3012, "deals"),
        ("not yet known", "first recorded after 2026-01-31", 0, 3012, "deals"),
        ("known", "known on or before 2026-01-31", 3012, 3012, "deals"),
        ("left out", "deal_type is Renewal or Expansion", 420, 2592, "deals"),
        ("left out", "closed before it was opened", 14, 2578, "deals"),
        ("studied", "deals studied", 2578, 2578, "deals"),
        ("ended as", "won", 800, 1778, "deals"),
        ("ended as", "lost", 600, 1178, "deals"),
        ("ended as", "no decision: declared by reason", 700, 478, "deals"),
        ("ended as", "still open", 478, 0, "deals"),
    ]
    frame = pd.DataFrame(rows, columns=["step", "rule", "deals", "remaining", "unit"])
    return Listing(frame, "Rows read and deals studied")


def completeness() -> Estimate:
    rows = []
    for field, label, share in (
        ("reason", "Loss reason", 0.62),
        ("amount", "Amount", 0.97),
        ("segment", "Segment", 1.0),
        ("competitor", "Competitor", 0.0),
    ):
        for outcome, n, tilt in (
            ("all", 2941, 0),
            ("won", 900, 0.02),
            ("lost", 700, -0.05),
            ("no_decision", 800, -0.1),
            ("open", 541, 0),
        ):
            value = float(np.clip(share + tilt, 0, 1)) if 0 < share < 1 else share
            half = 1.96 * np.sqrt(max(value * (1 - value), 0.0005) / n)
            rows.append((field, label, outcome, value, max(0, value - half), min(1, value + half), round(n * value), n))
    frame = pd.DataFrame(
        rows, columns=["field", "label", "outcome", "estimate", "conf_low", "conf_high", "n_event", "n_risk"]
    )
    frame["std_error"] = 0.01
    return Estimate(frame, meta("probability", ("field", "outcome"), "share of deals in which the field is filled"))


def recording_delay() -> Estimate:
    parts = []
    days = np.arange(0, 181)
    for outcome, mean in (("won", 2.0), ("lost", 16.0), ("no_decision", 30.0)):
        level = 1 - np.exp(-(days + 1) / mean)
        level[days > 150] = 1.0
        parts.append(
            pd.DataFrame(
                {
                    "outcome": outcome,
                    "time": days,
                    "estimate": level,
                    "conf_low": np.clip(level - 0.04, 0, 1),
                    "conf_high": np.clip(level + 0.03, 0, 1),
                    "std_error": 0.02,
                    "n_risk": 900 + 3 * days,
                }
            )
        )
    words = "share of closings recorded within so many days (reverse-time product limit)"
    facts = meta("probability", ("outcome", "time"), words, time_unit="days after closing")
    return Estimate(pd.concat(parts), facts)


def findings() -> tuple[Finding, ...]:
    return (
        Finding(
            "where_deals_end_up",
            "A third of deals end in no decision.",
            "32 % (27–38) of deals opened a year ago reached it within 365 days, n = 412; 25 % by your CRM's own word.",
            "shown and large enough to matter",
        ),
        Finding(
            "against_last_quarter",
            "At this quarter's pace 38 % of deals would be won, against 41 % last quarter; that may be noise.",
            "−3 points (−10 to +4). With these numbers only a change beyond 14 points would reliably show.",
            "cannot tell",
        ),
        Finding(
            "what_the_change_is_made_of",
            "More RFPs in the mix account for −3.0 points.",
            "(−4.4 to −1.6); inside segments −0.2 (−6.8 to +6.6). The total is uncertain, so no share of it is given.",
            "shown, size unclear",
        ),
        Finding(
            "where_open_effort_lies",
            "Past day 190, fewer than 1 in 10 open deals were later won.",
            "9 % (6–13). 31 % of open deal-days lie there, and 6 % of wins.",
            "described",
        ),
        Finding(
            "sellers",
            "Sellers differ by too little to matter.",
            "About ±1 point (0 to 3), 18 sellers.",
            "too small to matter",
        ),
        Finding(
            "not_told",
            "Discounts and outcome.",
            f"The extract has no discount field. Add it to the mapping. {HOSTILE}",
            "not studied",
        ),
    )
