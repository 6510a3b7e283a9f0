"""Segments: every level on its own, against the rest, and shrunken; what few or unrecorded deals cannot tell."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.estimators.bootstrap import Resampling
from analytics.estimators.result import Estimate, Finding
from analytics.questions.quarter import period_at_horizon, segment_spread, segments
from analytics.questions.quarter.picked import picked
from analytics.records.errors import InputError

FEW = Resampling(reps=80, seed=7)


def test_segments_read_every_level_on_its_own(company, q4) -> None:
    found = segments(company, q4, by=["segment", "region"], settled_on=q4.end, horizon_days=200, resampling=FEW)
    alone = period_at_horizon(company, q4, settled_on=q4.end, horizon_days=200, by=["segment"])
    for level in ("SMB", "MID", "ENT"):
        row = found.at(segment="segment", level=level, kind="raw").iloc[0]
        own = alone.at(segment=level, outcome="won").iloc[0]
        for column in ("estimate", "conf_low", "conf_high", "n_deals"):
            assert row[column] == pytest.approx(own[column], abs=1e-12)
        rest = period_at_horizon(company[company["segment"] != level], q4, settled_on=q4.end, horizon_days=200)
        assert row["difference"] == pytest.approx(
            own["estimate"] - rest.at(outcome="won")["estimate"].iloc[0], abs=1e-12
        )
    assert set(found.at(segment="segment")["kind"]) == {"raw"}  # three levels: nothing is shrunk
    assert found.at(segment="segment")["note"].str.contains("nothing is shrunk").all()
    region = found.at(segment="region")
    assert region["kind"].value_counts().to_dict() == {"raw": 5, "shrunken": 5}


def test_small_and_unrecorded_levels_are_shown_but_not_ranked(company, q4) -> None:
    region = company["region"].mask(np.arange(len(company)) % 7 == 0, None)
    region.loc[company.index[company["opened_on"] >= "2025-10-01"][:2]] = "rare"
    deals = company.assign(region=region)
    found = segments(deals, q4, by=["region"], settled_on=q4.end, horizon_days=200, resampling=FEW)
    rows = found.at(kind="raw").set_index("level")
    assert not rows.at["not recorded", "comparable"]
    assert "gap in the records" in rows.at["not recorded", "note"]
    assert rows.at["rare", "n_deals"] < 5
    assert np.isnan(rows.at["rare", "estimate"])
    assert rows.at["rare", "no_interval_reason"] == "fewer than 5 deals"
    spread = segment_spread(found)
    assert spread.frame["n_levels"].tolist() == [5]


def test_spread_speaks_by_its_adjusted_p_value(make_deals, q4) -> None:
    def rows(level: str, won: int, n: int) -> list[dict]:
        ended = {"closed": "2025-10-11"}
        return [{"opened": "2025-10-01", "kind": level, "same": level if i % 2 else "z", **ended,
                 "outcome": "won" if i < won else "lost"} for i in range(n)]  # fmt: skip

    deals = make_deals(rows("a", 10, 60) + rows("b", 45, 60))
    found = segment_spread(segments(deals, q4, by=["kind"], settled_on=q4.end, horizon_days=30, resampling=FEW))
    row = found.frame.iloc[0]
    # Pearson's chi-squared of 10/60 against 45/60; the clustered variance counts 59 of 60 accounts
    pearson = (10 * 15 - 50 * 45) ** 2 * 120 / (55 * 65 * 60 * 60)
    assert row["statistic"] == pytest.approx(pearson * 59 / 60)
    assert row["verdict"] == "shown, size unclear"
    assert row["sentence"].startswith(
        "Levels of kind differ by more than chance alone: its 2 levels range from 17 % to 75 %"
    )


def test_a_level_without_a_win_counts_for_what_was_watched_of_it(make_deals, q4) -> None:
    """Of 20 deals of level z two are watched from their opening, the others from day 20 on: 2 deals' worth, not 20."""
    full = [{"opened": "2025-10-01", "closed": f"2025-1{1 + i % 2}-05", "outcome": "won" if i % 3 else "lost",
             "kind": level} for i in range(60) for level in "ab"]  # fmt: skip
    old = [{"opened": "2025-09-11", "kind": "z"}] * 18 + [{"opened": "2025-10-01", "kind": "z"}] * 2
    how = {"by": ["kind"], "settled_on": q4.end, "horizon_days": 60, "resampling": FEW}
    found = segments(make_deals(full + old), q4, **how)
    row = found.at(level="z", kind="raw").iloc[0]
    assert (row["n_deals"], row["n_event"], row["n_effective"]) == (20, 0, 2)
    assert row["conf_high"] == pytest.approx(1 - 0.025 ** (1 / 2))
    assert not row["comparable"]
    assert "Too few of its deals" in row["note"]
    young = [{"opened": "2025-10-01", "kind": "z"}] * 20
    whole = segments(make_deals(full + young), q4, **how).at(level="z", kind="raw").iloc[0]
    assert (whole["n_effective"], whole["comparable"]) == (20, True)


def test_a_level_without_a_win_is_held_against_the_rest_by_both_their_limits(make_deals, q4) -> None:
    ended = {"opened": "2025-10-01", "closed": "2025-10-11"}
    rows = [{**ended, "kind": "b", "outcome": "won" if i < 6 else "lost"} for i in range(100)]
    rows += [{**ended, "kind": "z", "outcome": "lost"} for _ in range(12)]
    how = {"by": ["kind"], "settled_on": q4.end, "horizon_days": 30, "resampling": FEW}
    row = segments(make_deals(rows), q4, **how).at(level="z", kind="raw").iloc[0]
    assert row["difference"] == pytest.approx(-0.06)
    assert row["difference_high"] > 0.15  # 0 of 12 does not rule out 25 %
    assert row["p_value"] > 0.05
    assert row["n_event_rest"] == 6


def test_segments_with_unrecorded_outcomes_show_bounds_and_compare_nothing(company, q4) -> None:
    unknown = company.assign(outcome=company["outcome"].mask(np.arange(len(company)) % 9 == 0, "unknown"))
    found = segments(unknown, q4, by=["region"], settled_on=q4.end, horizon_days=200, resampling=FEW)
    assert set(found.frame["kind"]) == {"raw"}
    assert (found.frame["bound_low"] < found.frame["bound_high"]).any()
    assert found.frame[["difference", "p_value"]].isna().all().all()
    spread = segment_spread(found)
    assert isinstance(spread, Finding)
    assert (spread.verdict, "closings have no recorded outcome" in spread.detail) == ("not studied", True)


def test_a_spread_that_cannot_be_bounded_says_so(make_deals, q4) -> None:
    ended = {"opened": "2025-10-01", "closed": "2025-10-11"}
    rows = [{**ended, "kind": level, "outcome": "won" if i < won else "lost"}
            for level, won in (("a", 4), ("b", 3)) for i in range(6)]  # fmt: skip
    how = {"by": ["kind"], "settled_on": q4.end, "horizon_days": 30, "resampling": FEW}
    sentence = segment_spread(segments(make_deals(rows), q4, **how)).frame["sentence"].iloc[0]
    assert sentence.endswith("how large real differences are cannot be bounded. Do not rank.")


def test_shrunken_levels_are_quoted_where_there_are_any(company, q4) -> None:
    found = segments(company, q4, by=["region"], settled_on=q4.end, horizon_days=200, resampling=FEW)
    shrunken = found.at(kind="shrunken")["estimate"]
    sentence = segment_spread(found).frame["sentence"].iloc[0]
    assert "once chance is taken out" in sentence
    assert f"{100 * shrunken.min():.0f} %" in sentence
    assert f"{100 * shrunken.max():.0f} %" in sentence


def test_one_segment_is_a_sentence(company, q4) -> None:
    one = segments(company.assign(all="x"), q4, by=["all"], settled_on=q4.end, horizon_days=200, resampling=FEW)
    assert isinstance(one, Estimate)
    assert isinstance(segment_spread(one), Finding)
    assert isinstance(segments(company, q4, by=[], settled_on=q4.end, horizon_days=200), Finding)
    with pytest.raises(InputError, match=r"(?i)did you mean 'region'"):
        segments(company, q4, by=["regoin"], settled_on=q4.end, horizon_days=200)


def test_a_level_with_few_wins_is_looked_at_but_not_picked(make_deals, q4) -> None:
    ended = {"opened": "2025-10-01", "closed": "2025-10-11"}
    rows = [{**ended, "kind": "b", "outcome": "won" if i < 180 else "lost"} for i in range(300)]
    for wins, expected in ((0, None), (8, "Deals with kind z were won less often than the others.")):
        small = [{**ended, "kind": "z", "outcome": "won" if i < wins else "lost"} for i in range(60)]
        found = segments(make_deals(rows + small), q4, by=["kind"], settled_on=q4.end, horizon_days=30, resampling=FEW)
        assert found.at(level="z", kind="raw")["p_value"].iloc[0] < 1e-6
        card = picked(Estimate(found.frame[found.frame["level"] == "z"], found.meta), segment_spread(found), 0.03)
        assert (card.headline if card else None) == expected
