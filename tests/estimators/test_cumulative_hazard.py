"""Nelson-Aalen against R's cumhaz and its jackknife, numerical weights of accounts; cmprsk's variance as oracle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.estimators.counts import RiskTable, count_events
from analytics.estimators.cumulative_hazard import cumulative_hazard
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.strata import ONE_ACCOUNT
from analytics.records.errors import InputError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
SETS = ("abortion", "fourD", "mgus2", "syn_deals", "syn_deals_rc")
VALUES = {name: json.loads((GOLDEN / f"{name}.json").read_text()) for name in SETS}


def load(name: str) -> pd.DataFrame:
    frame = pd.read_csv(GOLDEN / "inputs" / f"{name}.csv")
    frame = frame[frame["segment"] != "F"].reset_index(drop=True) if name == "syn_deals_rc" else frame
    frame["entry"] = frame.get("entry", -1)
    frame["grp"] = frame["segment"] if "segment" in frame else frame["grp"]
    return frame.assign(outcome=np.where(frame["status"] == 0, "open", "c" + frame["status"].astype(str)))


def count(frame: pd.DataFrame, **how: Any) -> RiskTable:
    return count_events(frame, outcomes=[f"c{k}" for k in range(1, int(frame["status"].max()) + 1)], **how)


def compare(risk: RiskTable, time: Any, hazard: Any, error: Any) -> None:
    mine = cumulative_hazard(risk, variance="infinitesimal_jackknife").frame
    for k, outcome in enumerate(risk.outcomes):
        rows = mine[mine["outcome"] == outcome]
        at = np.searchsorted(rows["time"].to_numpy(), time, side="right") - 1
        known = at >= 0
        np.testing.assert_allclose(rows["estimate"].to_numpy()[at[known]], np.array(hazard)[known, k], atol=1e-11)
        theirs = np.array(error)[known, k]
        ours = rows["std_error"].to_numpy()[at[known]]
        there = ~np.isnan(ours)
        np.testing.assert_allclose(ours[there], theirs[there], atol=1e-11)
        assert (theirs[~there] < 1e-9).all()


@pytest.mark.parametrize("name", SETS)
def test_cumhaz_and_std_chaz_as_r(name: str) -> None:
    value = VALUES[name]["survfit_cif_all_ci_log-log"]["value"]
    compare(count(load(name)), np.array(value["time"]), value["cumhaz"], value["std_chaz"])


def test_cumhaz_of_weighted_deals_as_r() -> None:
    value = VALUES["syn_deals"]["weights_sampling_pw"]["value"]
    compare(count(load("syn_deals"), weights="pw"), np.array(value["time"]), value["cumhaz"], value["std_chaz"])


def deals(n: int = 60, seed: int = 8) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    entry = np.where(rng.random(n) < 0.3, rng.integers(-1, 5, n), -1)
    return pd.DataFrame({
        "entry": entry, "exit": entry + 1 + rng.integers(0, 25, n), "outcome": rng.choice(["won", "lost", "open"], n),
        "account": rng.integers(0, 9, n), "weight": 1.0,
    })  # fmt: skip


def test_accounts_enter_by_their_derivatives() -> None:
    frame = deals()

    def hazard(weighted: pd.DataFrame) -> float:
        result = cumulative_hazard(count_events(weighted, weights="weight"), times=[12])
        return float(result.at(outcome="won")["estimate"].item())

    slopes = []
    for account in frame["account"].unique():
        mine = (frame["account"] == account).to_numpy()
        up, down = (hazard(frame.assign(weight=np.where(mine, 1 + step, 1.0))) for step in (1e-5, -1e-5))
        slopes.append((up - down) / 2e-5)
    row = cumulative_hazard(count_events(frame, cluster="account"), times=[12]).at(outcome="won")
    count_ = len(slopes)
    slow = np.sqrt(np.square(slopes).sum() * count_ / (count_ - 1))
    assert row["std_error"].item() == pytest.approx(slow, rel=1e-6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 100_000))
def test_definition_order_and_incidence(seed: int) -> None:
    """Sum of d / n deal by deal; the incidence is the sum of S- times its steps."""
    frame = deals(30, seed)
    mine = cumulative_hazard(count_events(frame)).at(outcome="won")
    total, expected = 0.0, []
    for t in sorted(set(frame["exit"])):
        at_risk = ((frame["entry"] < t) & (t <= frame["exit"])).sum()
        total += ((frame["exit"] == t) & (frame["outcome"] == "won")).sum() / at_risk
        expected.append(total)
    assert mine["estimate"].tolist() == pytest.approx(expected, abs=1e-12)
    assert (mine["conf_low"].dropna() <= mine["estimate"][mine["conf_low"].notna()]).all()
    again = cumulative_hazard(count_events(frame.sample(frac=1, random_state=seed))).at(outcome="won")
    pd.testing.assert_frame_equal(again, mine)
    curve = cumulative_incidence(count_events(frame)).at(outcome="won")
    assert (mine["estimate"].to_numpy() >= curve["estimate"].to_numpy() - 1e-12).all()


def test_edges() -> None:
    assert cumulative_hazard(count_events(deals().iloc[:0])).meta.note == "There are no deals."
    late = cumulative_hazard(count_events(deals()), times=[5, 900])
    assert "no deal is followed beyond day" in late.meta.note
    assert late.frame["time"].unique().tolist() == [5.0]
    one = cumulative_hazard(count_events(deals().assign(account=1), cluster="account")).at(outcome="won")
    assert one["no_interval_reason"].iloc[-1] == ONE_ACCOUNT
    none = cumulative_hazard(count_events(deals())).at(outcome="no_decision").iloc[0]
    assert (none["estimate"], none["conf_low"]) == (0.0, 0.0)
    assert none["conf_high"] > 0
    with pytest.raises(InputError, match="zero or more days"):
        cumulative_hazard(count_events(deals()), times=[-1])


def cmprsk_variance(risk: RiskTable, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The variance of R's cmprsk as a slow double sum: the cause and the other causes together, ties apart."""
    moves = risk.movements()
    n = moves["n_risk"].to_numpy(dtype=float)
    d = moves[[f"d_{name}" for name in risk.outcomes]].to_numpy(dtype=float)
    after = np.cumprod(1 - d.sum(axis=1) / n)
    after[after < 1e-12] = 0
    before = np.concatenate(([1.0], after[:-1]))
    incidence = np.cumsum(before * d[:, k] / n)
    inverse = np.where(after > 0, 1 / np.where(after > 0, after, 1.0), 0.0)
    variance = np.zeros(len(n))
    kinds = np.column_stack([d[:, k], d.sum(axis=1) - d[:, k]])  # cmprsk knows the cause and all others together
    for t in range(len(n)):
        for u in range(t + 1):
            for kind in (0, 1):
                if kinds[u, kind] == 0 or (kind == 1 and after[u] == 0):
                    continue
                ties = 1 - (kinds[u, kind] - 1) / (n[u] - 1) if kinds[u, kind] > 1 else 1.0
                v = before[u] ** 2 * ties * kinds[u, kind] / n[u] ** 2
                a = 1.0 - kind + incidence[u] * inverse[u]
                variance[t] += v * (a - incidence[t] * inverse[u]) ** 2
    return moves["time"].to_numpy(dtype=float), variance


@pytest.mark.parametrize("name", ["fourD", "mgus2", "syn_deals_rc"])
def test_cmprsk_variances_are_what_the_books_say(name: str) -> None:
    """`cuminc_all` and `cuminc_by_group`: the oracle is R's, and near Greenwood's where ties are few."""
    frame = load(name)
    for key, by in (("cuminc_all", ()), ("cuminc_by_group", ("grp",))):
        value = VALUES[name][key]["value"]
        for label, theirs in value["var"].items():
            group, cause = label.rsplit(" ", 1)
            part = frame[frame["grp"].astype(str) == group] if by else frame
            risk = count_events(part, outcomes=[f"c{k}" for k in range(1, int(frame["status"].max()) + 1)])
            time, variance = cmprsk_variance(risk, int(cause) - 1)
            mine = np.concatenate(([0.0], variance))[np.searchsorted(time, value["times"], side="right")]
            known = np.array([v is not None for v in theirs])
            np.testing.assert_allclose(mine[known], np.array(theirs, dtype=float)[known], atol=1e-12)
            books = cumulative_incidence(risk, times=value["times"]).at(outcome=f"c{cause}")
            error = dict(zip(books["time"], books["std_error"], strict=True))
            for t, v in zip(value["times"], mine, strict=True):
                if t in error and v > 0 and len(part) > 200:
                    assert error[t] == pytest.approx(np.sqrt(v), rel=0.05)


@pytest.mark.parametrize("name", ["fourD", "mgus2", "syn_deals_rc"])
def test_cmprsk_variances_of_the_whole_curve(name: str) -> None:
    """`cuminc_all_full`: R's step function, its value after each jump."""
    risk = count(load(name))
    for label, theirs in VALUES[name]["cuminc_all_full"]["value"].items():
        time, variance = cmprsk_variance(risk, int(label.split()[1]) - 1)
        last = pd.DataFrame({"time": theirs["time"], "var": theirs["var"]}).groupby("time").last()
        mine = np.concatenate(([0.0], variance))[np.searchsorted(time, last.index, side="right")]
        np.testing.assert_allclose(mine, last["var"], atol=1e-12)
