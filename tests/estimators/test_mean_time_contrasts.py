"""Contrasts of mean time: means of the deals where all are followed, numerical weights of accounts, R's numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from analytics.estimators.counts import count_events
from analytics.estimators.mean_time import restricted_mean_time_lost
from analytics.estimators.mean_time_contrasts import NO_RATIO, mean_time_contrast, mean_time_influence
from analytics.records.errors import InputError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def deals(n: int = 80, seed: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    entry = np.where(rng.random(n) < 0.3, rng.integers(-1, 5, n), -1)
    return pd.DataFrame({
        "entry": entry, "exit": entry + 1 + rng.integers(0, 40, n), "outcome": rng.choice(["won", "lost", "open"], n),
        "team": rng.choice(["x", "y"], n), "account": rng.integers(0, 12, n), "weight": 1.0,
    })  # fmt: skip


@pytest.mark.parametrize("cluster", [None, "account"])
def test_influence_has_the_estimates_and_standard_errors_of_mean_time(cluster: str | None) -> None:
    risk = count_events(deals(), by="team", cluster=cluster)
    joint = mean_time_influence(risk, horizon_days=25)
    theirs = restricted_mean_time_lost(risk, horizon_days=25, variance="infinitesimal_jackknife").frame
    pd.testing.assert_frame_equal(joint.estimate.frame, theirs)
    np.testing.assert_allclose(np.sqrt(np.diag(joint.covariance())), theirs["std_error"], atol=1e-12)


def test_shared_accounts_enter_once() -> None:
    """Each account's influence on the contrast is its derivative with respect to the account's weight."""
    frame = deals()

    def contrast(weighted: pd.DataFrame, of: str) -> float:
        risk = count_events(weighted, by="team", weights="weight")
        mean = restricted_mean_time_lost(risk, horizon_days=25).at(outcome="won").set_index("team")["estimate"]
        return mean["y"] - mean["x"] if of == "difference" else np.log(mean["y"] / mean["x"])

    joint = mean_time_influence(count_events(frame, by="team", cluster="account"), horizon_days=25)
    result = mean_time_contrast(joint.select(team="y"), joint.select(team="x")).at(outcome="won").set_index("contrast")
    for of in ("difference", "ratio"):
        slopes = []
        for account in frame["account"].unique():
            moved = [contrast(frame.assign(weight=np.where(frame["account"] == account, w, 1.0)), of)
                     for w in (1 + 1e-5, 1 - 1e-5)]  # fmt: skip
            slopes.append((moved[0] - moved[1]) / 2e-5)
        count = len(slopes)
        slow = np.sqrt(np.square(slopes).sum() * count / (count - 1))
        assert result.loc[of, "std_error"] == pytest.approx(slow, rel=1e-6)
    assert result["shared_accounts"].tolist() == [count, count]
    row = result.loc["ratio"]
    # t by the team that rests on fewer accounts, counted by the days that their deals were watched, eased by events
    days = frame.assign(days=frame["exit"] - frame["entry"]).groupby(["team", "account"])["days"].sum()
    worth = days.groupby("team").sum() ** 2 / (days**2).groupby("team").sum() - 1
    won = frame[(frame["outcome"] == "won") & (frame["exit"] <= 25)].groupby("team").size()
    quantile = t.ppf(0.975, (worth * (1 + (8 / won) ** 2)).min())
    assert [row["conf_low"], row["conf_high"]] == pytest.approx(
        row["estimate"] * np.exp([-quantile * row["std_error"], quantile * row["std_error"]])
    )


def test_complete_follow_up_is_a_difference_of_two_means() -> None:
    frame = deals().assign(outcome=lambda d: d["outcome"].replace("open", "no_decision"), entry=-1)
    joint = mean_time_influence(count_events(frame, by="team"), horizon_days=30)
    row = mean_time_contrast(joint.select(team="y"), joint.select(team="x")).at(outcome="won", contrast="difference")
    lost = np.where(frame["outcome"] == "won", np.maximum(30 - frame["exit"], 0), 0)
    y, x = lost[frame["team"] == "y"], lost[frame["team"] == "x"]
    assert row["estimate"].item() == pytest.approx(y.mean() - x.mean(), abs=1e-12)
    assert row["std_error"].item() == pytest.approx(np.sqrt(y.var() / len(y) + x.var() / len(x)), abs=1e-12)


def test_independent_groups_of_syn_deals_as_r() -> None:
    value = json.loads((GOLDEN / "syn_deals.json").read_text())["rmtl_by_group_ij_residuals_auc"]["value"]
    r = {group[0]["group"]: group[0] for group in value if isinstance(group, list) and "est" in group[0]}
    frame = pd.read_csv(GOLDEN / "inputs" / "syn_deals.csv")
    frame["outcome"] = np.where(frame["status"] == 0, "open", "c" + frame["status"].astype(str))
    joint = mean_time_influence(
        count_events(frame, by="segment", outcomes=["c1", "c2", "c3"]), horizon_days=r["A"]["tau"]
    )
    result = mean_time_contrast(joint.select(segment="A"), joint.select(segment="B")).at(contrast="difference")
    a, b = (
        dict(zip(r[name]["states"], zip(r[name]["est"], r[name]["se_ij"], strict=True), strict=True)) for name in "AB"
    )
    for row in result[result["outcome"] != "open"].to_dict("records"):
        (mean_a, error_a), (mean_b, error_b) = a[row["outcome"]], b[row["outcome"]]
        assert row["estimate"] == pytest.approx(mean_a - mean_b, abs=1e-11)
        assert row["std_error"] == pytest.approx(np.hypot(error_a, error_b), abs=1e-11)


def test_a_side_without_the_outcome_is_not_known_without_error() -> None:
    """10 deals of which none was won in 12 days, and 10 of which half were on day 6: MOVER of their limits."""
    frame = pd.DataFrame({"entry": -1, "exit": [12] * 10 + [6] * 5 + [12] * 5, "team": list("n" * 10 + "h" * 10),
                          "outcome": ["open"] * 10 + ["won"] * 5 + ["open"] * 5})  # fmt: skip
    joint = mean_time_influence(count_events(frame, by="team"), horizon_days=12)
    row = mean_time_contrast(joint.select(team="n"), joint.select(team="h")).at(outcome="won", contrast="difference")
    error = np.sqrt(0.25 / 10)  # of the share of the horizon, a quarter, half of that of the share won
    reach = 1.959963984540054 * (error / 2) / (0.25 * 0.75)
    low, high = (12 / (1 + np.exp(-(np.log(1 / 3) + sign * reach))) for sign in (-1, 1))
    upper = 12 * (1 - 0.025 ** (1 / 10))
    expected = [-3, -3 - (high - 3), -3 + np.hypot(upper, 3 - low)]
    assert row[["estimate", "conf_low", "conf_high"]].to_numpy().ravel().tolist() == pytest.approx(expected, abs=1e-9)


def test_edges() -> None:
    joint = mean_time_influence(count_events(deals(), by="team"), horizon_days=25)
    result = mean_time_contrast(joint.select(team="y"), joint.select(team="x")).at(outcome="no_decision")
    assert result.set_index("contrast")["no_interval_reason"].to_dict() == {"difference": "", "ratio": NO_RATIO}
    assert result["estimate"].iloc[0] == 0
    # nobody on either side: each limit is as far from 0 as that side's upper limit, horizon (1 - 0.025^(1 / n_eff))
    ends = joint.estimate.frame.query("outcome == 'no_decision'").set_index("team")["conf_high"]
    assert [-result["conf_low"].iloc[0], result["conf_high"].iloc[0]] == pytest.approx([ends["x"], ends["y"]])
    short = deals().assign(exit=lambda d: np.where(d["team"] == "x", np.minimum(d["exit"], d["entry"] + 3), d["exit"]),
                           outcome=lambda d: np.where(d["team"] == "x", "open", d["outcome"]))  # fmt: skip
    alone = mean_time_influence(count_events(short, by="team"), horizon_days=25)
    assert alone.estimate.frame["team"].unique().tolist() == ["y"]
    np.testing.assert_allclose(np.sqrt(np.diag(alone.covariance())), alone.estimate.frame["std_error"], atol=1e-12)
    other = mean_time_influence(count_events(deals(seed=9), by="team"), horizon_days=25)
    with pytest.raises(InputError, match="two tables"):
        mean_time_contrast(joint.select(team="y"), other.select(team="x"))
    with pytest.raises(InputError, match="different keys"):
        mean_time_contrast(joint.select(team="y"), joint)
