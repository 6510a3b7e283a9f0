"""The deals behind counts, against loops that count them one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analytics.estimators import cell_deals
from analytics.estimators.cell_deals import deals_of, with_deals, with_deals_of, with_members, with_watched
from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.result import Estimate, Finding, Listing, Meta
from analytics.estimators.side_deals import with_side_deals


def made(n: int = 300, seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    entry = np.where(rng.random(n) < 0.2, rng.integers(0, 40, n), -1)
    return pd.DataFrame({
        "deal_id": [f"D{k:03d}" for k in range(n)], "entry": entry, "exit": entry + rng.integers(1, 200, n),
        "outcome": rng.choice(["won", "lost", "no_decision", "open"], n), "region": rng.choice(["N", "S"], n),
        "opened_in_period": rng.random(n) < 0.5,
    })  # fmt: skip


def listed(result: Any) -> dict[tuple[int, str], list[str]]:
    groups = result.deals.groupby(["row", "column"], sort=False)["deal_id"]
    return {(int(key[0]), str(key[1])): sorted(deals) for key, deals in groups}


@pytest.mark.parametrize("step", [1, 7], ids=["every day", "every week"])
def test_a_curve_names_the_deals_that_a_loop_counts_at_the_ages_it_is_read_at(step: int) -> None:
    deals = made()
    curve = cumulative_incidence(count_events(deals, by=("region",)), times=np.arange(0, 181, step))
    sizes = deals["region"].value_counts()
    frame = curve.frame.assign(n_deals=curve.frame["region"].map(sizes))
    before = frame.groupby(["region", "outcome"])["cum_event"].shift(fill_value=0)
    found = with_watched(Estimate(frame.assign(n_event=frame["cum_event"] - before), curve.meta), deals, by=("region",))
    shown, lists, seen = found.read_at(), listed(found), 0
    for place, row in zip(shown.index, shown.to_dict("records"), strict=True):
        expected: dict[str, list[str]] = {"n_deals": [], "n_risk": [], "cum_event": [], "n_event": []}
        for deal in deals.to_dict("records"):
            if deal["region"] != row["region"]:
                continue
            expected["n_deals"].append(deal["deal_id"])
            if deal["entry"] < row["time"] <= deal["exit"]:
                expected["n_risk"].append(deal["deal_id"])
            if deal["outcome"] == row["outcome"] and deal["exit"] <= row["time"]:
                expected["cum_event"].append(deal["deal_id"])
                if deal["exit"] > row["time"] - step:
                    expected["n_event"].append(deal["deal_id"])
        for column, named in expected.items():
            assert lists.get((int(str(place)), column), []) == named, (row["time"], column)
            assert len(named) == row[column]
            seen += len(named)
    assert {row for row, _ in lists} == {int(str(place)) for place in shown.index}
    assert seen > 1000


def test_the_sides_of_a_change_are_named_as_a_loop_names_them() -> None:
    then, now = made(80, seed=1), made(90, seed=2)
    rows = []
    for level in ("N", "S", "all"):
        row: dict[str, Any] = {"compared_to": "Q", "segment": "region", "level": level, "horizon_reached": 60}
        for name, side in (("then", then), ("now", now)):
            mine = [deal for deal in side.to_dict("records") if level in ("all", deal["region"])]
            row[f"n_deals_{name}"] = len(mine)
            row[f"n_event_{name}"] = sum(deal["outcome"] == "won" and deal["exit"] <= 60 for deal in mine)
            row[f"opened_{name}"] = sum(deal["opened_in_period"] for deal in mine)
        rows.append(row)
    found = with_side_deals(Listing(pd.DataFrame(rows), "x"), {("Q", "region"): (then, now)})
    lists = listed(found)
    assert len(lists) == 3 * 6
    won = [deal["deal_id"] for deal in now.to_dict("records") if deal["outcome"] == "won" and deal["exit"] <= 60]
    assert lists[2, "n_event_now"] == won
    south = [deal["deal_id"] for deal in then.to_dict("records") if deal["region"] == "S" and deal["opened_in_period"]]
    assert lists[1, "opened_then"] == south


def test_a_list_that_no_page_would_show_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_deals, "MOST", 2)
    listing = Listing(pd.DataFrame({"deals": [3, 2]}), "x")
    assert listed(with_deals(listing, deals=[["A", "B", "C"], ["A", "B"]])) == {(1, "deals"): ["A", "B"]}


def test_lists_of_further_columns_join_those_that_are_there() -> None:
    listing = Listing(pd.DataFrame({"deals": [1], "won": [1]}), "x")
    found = with_deals(with_deals(listing, deals=[["A"]]), won=[["B"]])
    assert listed(found) == {(0, "deals"): ["A"], (0, "won"): ["B"]}
    assert listed(with_deals(found, won=[["C"]])) == {(0, "deals"): ["A"], (0, "won"): ["C"]}
    assert deals_of(found, "won", [0]) == ["B"]
    assert deals_of(listing, "won", [0]) == []


def test_a_finding_and_deals_without_ids_stay_as_they_are() -> None:
    finding = Finding("x", "x", "", "not studied")
    assert with_members(finding, lambda row: {}) is finding
    assert with_watched(finding, made()) is finding
    assert with_deals_of(finding, []) is finding
    frame = pd.DataFrame({"outcome": ["won"], "estimate": 0.5, "conf_low": 0.4, "conf_high": 0.6, "n_event": 1})
    share = Estimate(frame.assign(horizon_reached=9), Meta("probability", "share", ("outcome",), 2))
    assert with_watched(share, made().drop(columns="deal_id")) is share
