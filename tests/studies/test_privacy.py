"""Names, texts and ids stay at home, and no small cell can be read or subtracted from what is shared."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import gzip
import html
import json
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from analytics.estimators.result import Estimate, Finding, Listing, Meta
from analytics.questions.data_health import recording_delay, settled
from analytics.records.contract import SourceFile
from analytics.records.errors import InputError
from analytics.records.private import is_free_text, original_values
from analytics.studies.cli import main
from analytics.studies.codes import Codes, share_key
from analytics.studies.sharing import Sharing
from analytics.studies.small_cells import protected
from analytics.studies.small_curves import coarsened
from analytics.studies.small_sentences import scrubbed, without_small_counts

ROOT = Path(__file__).resolve().parents[2]
NAN = float("nan")


def test_a_code_is_stable_and_nobody_makes_it_without_the_key() -> None:
    import hashlib
    import hmac

    codes = Codes(b"a key of the company")
    expected = hmac.new(b"a key of the company", b"deal\x00006A1", hashlib.sha256).hexdigest()[:12]
    assert codes.of("deal", ["006A1"]) == {"006A1": f"deal-{expected}"}
    many = codes.of("deal", [f"006A{number}" for number in range(2000)])
    assert many["006A1"] == f"deal-{expected}"  # whatever else there is
    assert len(set(many.values())) == 2000
    assert codes.of("account", ["006A1"])["006A1"] != many["006A1"].replace("deal", "account")
    assert Codes(b"another key of it").of("deal", ["006A1"]) != codes.of("deal", ["006A1"])
    assert hashlib.sha256(b"006A1").hexdigest()[:12] not in many["006A1"]


def test_two_ids_with_one_short_code_get_longer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = {"a": "1" * 12 + "2" * 20, "b": "1" * 12 + "3" * 20, "c": "4" * 32}
    monkeypatch.setattr(Codes, "_digest", lambda self, kind, value: digests[value])
    assert Codes(b"").of("deal", "abc") == {
        "a": "deal-" + "1" * 12 + "2" * 12, "b": "deal-" + "1" * 12 + "3" * 12, "c": "deal-" + "4" * 12,
    }  # fmt: skip


def test_the_key_is_made_once_for_its_owner_only_and_git_ignores_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WINLOSS_SHARE_KEY", raising=False)
    key = share_key(tmp_path)
    assert re.fullmatch(rb"[0-9a-f]{64}", key)
    assert share_key(tmp_path) == key
    path = tmp_path / ".winloss-key" / "key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (tmp_path / ".winloss-key" / ".gitignore").read_text() == "*\n"
    assert sorted(one.name for one in path.parent.iterdir()) == [".gitignore", "key"]
    monkeypatch.setenv("WINLOSS_SHARE_KEY", "a long enough text")
    assert share_key(tmp_path) == b"a long enough text"
    monkeypatch.setenv("WINLOSS_SHARE_KEY", "short")
    with pytest.raises(InputError, match="fewer than 16 characters, so ids could be guessed"):
        share_key(tmp_path)


def test_a_rejected_row_keeps_what_says_why_and_loses_names_and_texts() -> None:
    row = {
        "Id": "006A1", "Name": "Acme renewal", "OwnerId": "005B2", "Owner_Email": "ana@example.org", "Amount": "-12.50",
        "CloseDate": "31.12.2025", "IsWon": "true", "Phone": "+49171555123", "NextStep": "Call3",
        "CurrencyIsoCode": "EUR", "StageName": "Won by Ana", "Empty": "", "Missing": None,
    }  # fmt: skip
    hidden = "(not shown)"
    assert json.loads(original_values(json.dumps(row))) == {
        "Id": "006A1", "Name": hidden, "OwnerId": "005B2", "Owner_Email": hidden, "Amount": "-12.50",
        "CloseDate": "31.12.2025", "IsWon": "true", "Phone": hidden, "NextStep": hidden, "CurrencyIsoCode": "EUR",
        "StageName": hidden, "Empty": "", "Missing": None,
    }  # fmt: skip
    assert original_values("not json, Ana Berg") == hidden
    rejects = pd.DataFrame({"file": ["a"], "line": [1], "reason": ["r"], "values": [json.dumps(row)]})
    assert Sharing("private", show=["text"]).rejects(rejects)["values"][0] == json.dumps(row)
    assert "Ana" not in Sharing("private").rejects(rejects)["values"][0]


def test_free_text_is_told_from_a_picklist() -> None:
    assert not is_free_text(["Price", "Timing", "Competitor"], 300)
    assert is_free_text([f"reason {number}" for number in range(101)], 5000)
    assert is_free_text([f"reason {number}" for number in range(6)], 12)
    assert is_free_text(["They told Ana that the budget is gone until the new head arrives in May"])


def meta(kind: str, *keys: str, n: int = 100) -> Meta:
    return Meta(kind=kind, estimand="share of deals", keys=keys, n_deals=n)  # type: ignore[arg-type]


def levels(*sizes: tuple[str, int, int]) -> Estimate:
    frame = pd.DataFrame(sizes, columns=["level", "n_deals", "n_event"])
    frame = frame.assign(segment="region", estimate=0.3, conf_low=0.2, conf_high=0.4, no_interval_reason="", note="x")
    return Estimate(frame, meta("probability", "segment", "level"))


def test_a_small_level_is_hidden_with_the_one_that_would_give_it_away() -> None:
    shown = protected(levels(("N", 40, 9), ("S", 3, 0), ("E", 20, 8), ("W", 37, 11)), "segments", 5)
    assert isinstance(shown, Estimate)
    frame = shown.frame.set_index("level")
    assert frame["withheld"].to_dict() == {"N": "", "S": "<5", "E": "not shown", "W": ""}
    assert frame["n_deals"].fillna(-1).to_dict() == {"N": 40, "S": -1, "E": -1, "W": 37}
    assert frame.loc[["S", "E"], ["estimate", "conf_low", "conf_high", "n_event"]].isna().all(axis=None)
    assert frame.loc["S", "no_interval_reason"] == "fewer than 5 deals, or it would tell of so few"
    assert frame.loc[["N", "W"], "estimate"].tolist() == [0.3, 0.3]


def test_few_events_are_a_small_cell_too_and_none_are_not() -> None:
    shown = protected(levels(("N", 40, 2), ("S", 30, 0), ("E", 20, 4), ("W", 10, 5)), "segments", 5)
    assert isinstance(shown, Estimate)
    assert shown.frame["withheld"].tolist() == ["<5", "", "<5", ""]


def test_what_a_plain_share_leaves_over_is_a_cell() -> None:
    frame = pd.DataFrame({"field": ["a", "b", "c"], "n_event": [97, 100, 60], "n_risk": 100, "label": list("abc")})
    frame = frame.assign(estimate=frame["n_event"] / 100, conf_low=0.5, conf_high=1.0)
    shown = protected(Estimate(frame, meta("probability", "field")), "completeness", 5)
    assert isinstance(shown, Estimate)
    assert shown.frame["withheld"].tolist() == ["not shown", "", ""]
    assert shown.frame["n_event"].fillna(-1).tolist() == [-1, 100, 60]


def test_two_definitions_do_not_show_a_small_cell_by_their_difference() -> None:
    frame = pd.DataFrame({"definition": ["closed_narrow", "closed_broad", "opened"], "n_risk": [60, 63, 61]})
    frame = frame.assign(n_event=20, estimate=0.3, conf_low=0.2, conf_high=0.4)
    shown = protected(Estimate(frame, meta("probability", "definition")), "win_rates", 5)
    assert isinstance(shown, Estimate)
    assert shown.frame["n_risk"].fillna(-1).tolist() == [-1, 63, 61]


def test_a_headline_without_one_of_its_outcomes_is_withheld_whole() -> None:
    frame = pd.DataFrame({"outcome": ["won", "lost", "open"], "n_event": [9, 2, 40], "n_deals": 51})
    frame = frame.assign(estimate=0.1, conf_low=0.0, conf_high=0.2)
    shown = protected(Estimate(frame, meta("probability", "outcome", n=51)), "period", 5)
    assert isinstance(shown, Finding)
    assert (shown.headline, shown.verdict) == ("Too few deals to show: share of deals.", "not studied")


@pytest.mark.parametrize("seed", range(30))
def test_no_hidden_level_follows_from_the_total(seed: int) -> None:
    """The slow way: every number of deals that a hidden level could have, given what is shown and the total."""
    rng = np.random.default_rng(seed)
    sizes = [int(n) for n in rng.choice([1, 2, 3, 4, 5, 6, 9, 30, 70], size=int(rng.integers(2, 7)))]
    made = levels(*[(f"L{place}", size, 0) for place, size in enumerate(sizes)])
    shown = protected(Estimate(made.frame, meta("probability", "segment", "level", n=max(sum(sizes), 5))), "s", 5)
    if isinstance(shown, Finding):
        return
    frame = shown.frame.assign(true=sizes)
    assert not frame["n_deals"].between(1, 4).any()
    if "withheld" not in frame:
        assert min(sizes) >= 5
        return
    hidden = frame[frame["n_deals"].isna()]
    left = sum(sizes) - int(frame["n_deals"].sum())
    assert len(hidden) >= 2
    assert left >= 5
    marks = hidden["withheld"].tolist()
    # Whoever knows how cells are hidden knows as well that one that is "not shown" has 5 deals or more.
    for knows in (1, 5):
        for place, true in enumerate(hidden["true"]):
            others = marks[:place] + marks[place + 1 :]
            lowest = sum(1 if other == "<5" else knows for other in others)
            highest = sum(4 if other == "<5" else left for other in others)
            mine = range(1, 5) if marks[place] == "<5" else range(knows, left + 1)
            possible = [n for n in mine if lowest <= left - n <= highest]
            assert true in possible
            assert len(possible) > 1


def test_hidden_cells_that_their_total_would_give_take_another_one_along_or_the_whole_table() -> None:
    """Two of 4 deals that are 8 together, three of 1 that are 3, and 1 and 5 that are 6 leave one way only."""
    shown = protected(levels(("N", 4, 0), ("S", 4, 0), ("E", 20, 0), ("W", 37, 0)), "segments", 5)
    assert isinstance(shown, Estimate)
    assert shown.frame["withheld"].tolist() == ["<5", "<5", "not shown", ""]
    shown = protected(levels(("N", 1, 0), ("S", 5, 0), ("E", 20, 0), ("W", 37, 0)), "segments", 5)
    assert isinstance(shown, Estimate)
    assert shown.frame["withheld"].tolist() == ["<5", "not shown", "not shown", ""]
    assert isinstance(protected(levels(*[(name, 1, 0) for name in "NSEWC"]), "segments", 5), Finding)
    closed = pd.DataFrame({"outcome": ["won", "lost", "no_decision", "all closed"], "deals": [4, 4, 0, 8]})
    assert isinstance(protected(Listing(closed.assign(group="closed"), "What closed"), "what_closed", 5), Finding)


def test_two_groups_of_which_one_holds_the_other_do_not_show_a_small_cell_by_their_difference() -> None:
    frame = pd.DataFrame({"item": ["all", "not_born_closed", "open_for_a_day"], "n_risk": [1729, 1693, 1690]})
    frame = frame.assign(n_event=[604, 568, 568], label=list("abc"), conf_low=0.0, conf_high=1.0)
    frame = frame.assign(estimate=frame["n_event"] / frame["n_risk"])
    shown = protected(Estimate(frame, meta("probability", "item", n=1729)), "never_open", 5)
    assert isinstance(shown, Estimate)
    assert shown.frame["withheld"].tolist() == ["", "", "not shown"]
    assert shown.frame["n_risk"].fillna(-1).tolist() == [1729, 1693, -1]
    # 3 of the 40 that differ were won: the difference of the wins is a small cell as well
    frame = frame.assign(n_risk=[1729, 1689, 1600], n_event=[604, 601, 500], estimate=0.4)
    shown = protected(Estimate(frame, meta("probability", "item", n=1729)), "never_open", 5)
    assert isinstance(shown, Estimate)
    assert shown.frame["withheld"].tolist() == ["", "not shown", ""]


def test_what_the_most_common_value_leaves_over_is_a_cell() -> None:
    rows = [
        ("deal_type", 150, 144, 6, 2, "New Business (141)"), ("region", 150, 144, 6, 3, "North (142)"),
        ("owner", 150, 150, 0, 51, "x (100)"), ("source", 150, 144, 6, 2, "Web (100)"),
        ("size", 150, 150, 0, 1, "S (150)"),
        ("reason", 150, 3, 147, 1, "Price (3)"),
    ]  # fmt: skip
    columns = ["field", "deals", "filled", "missing", "distinct", "most_common"]
    shown = protected(Listing(pd.DataFrame(rows, columns=columns), "Fields"), "field_counts", 5)
    assert isinstance(shown, Listing)
    assert shown.frame["most_common"].tolist() == ["", "", "", "Web (100)", "S (150)", ""]
    assert shown.frame["filled"].fillna(-1).tolist() == [144, 144, 150, 144, 150, -1]


def found(*lines: tuple[int, str, int | None, int | None]) -> Listing:
    frame = pd.DataFrame(lines, columns=["number", "looked_for", "n_found", "n_of"]).astype(
        {"n_found": "Int64", "n_of": "Int64"}
    )
    words = [f"{line[2]:,} of {line[3]:,} deals" if line[3] else "not looked for" for line in lines]
    return Listing(frame.assign(found=words, trap=frame["number"].astype(str), unit="deals", rule="kept"), "The traps")


def test_a_trap_says_neither_few_deals_nor_of_how_many() -> None:
    shown = protected(
        found(
            (1, "differ (median 10 days)", 641, 1770), (1, "of these, the typed day (x, y)", 640, 641),
            (2, "late (by 7 days)", 1, 1770),
            (3, "due", 235, 668), (4, "none", 0, 2793), (5, "nearly all", 664, 668),
            (6, "of few", 3, 4), (7, "?", None, None),
        ), "traps", 5,
    )  # fmt: skip
    assert isinstance(shown, Listing)
    frame = shown.frame
    assert frame["withheld"].tolist() == ["", "not shown", "<5", "", "", "not shown", "<5", ""]
    assert frame["n_found"].fillna(-1).tolist() == [641, -1, -1, 235, 0, -1, -1, -1]
    assert frame["n_of"].isna().all()
    assert frame["found"].tolist() == [
        "641 of the deals", "not shown", "<5", "235 of the deals", "0 of the deals", "not shown", "<5",
        "not looked for",
    ]  # fmt: skip
    assert frame["looked_for"].tolist()[:4] == ["differ (median 10 days)", "of these, the typed day", "late", "due"]


def test_fields_are_no_deals() -> None:
    listed = found((20, "no change on record (region, source)", 2, 8), (20, "filled late (reason)", 6, 8))
    shown = protected(Listing(listed.frame.assign(unit="fields"), ""), "traps", 5)
    assert isinstance(shown, Listing)
    assert shown.frame["found"].tolist() == ["<5", "6 of the deals"]
    assert shown.frame["looked_for"].tolist() == ["no change on record (region, source)", "filled late (reason)"]


def test_one_table_does_not_take_apart_what_another_one_merged() -> None:
    """Of a file 7 were rejected, 6 as deleted; a merged line leaves out 396, 395 of them by scope."""
    sharing = Sharing("safe")
    files = pd.DataFrame({"file": ["Deals", "Tasks", "Users", "all files"], "rows_read": [2800, 951, 34, 3785]})
    files = files.assign(rows_kept=[2793, 900, 34, 3727], rows_rejected=[7, 51, 0, 58])
    came = sharing.result("what_came_in", Listing(files, "What came in")).frame
    assert came["withheld"].tolist() == ["not shown", "not shown", "", ""]
    assert came["rows_rejected"].fillna(-1).tolist() == [-1, -1, 0, 58]
    assert came["rows_read"].fillna(-1).tolist() == [-1, -1, 34, 3785]
    alone = files.assign(rows_kept=[2793, 951, 34, 3778], rows_rejected=[7, 0, 0, 7])
    assert Sharing("safe").result("what_came_in", Listing(alone, "")).frame["rows_read"].isna().tolist() == [
        True, True, False, False,
    ]  # fmt: skip
    lines = [
        ("read", "rows read", 3785, "rows"), ("rejected", "no date", 1, "rows"), ("rejected", "deleted", 6, "rows"),
        ("rejected", "copy", 51, "rows"), ("known", "known", 2793, "deals"), ("left out", "closed before", 1, "deals"),
        ("left out", "scope", 395, "deals"), ("studied", "studied", 2397, "deals"),
    ]  # fmt: skip
    table = pd.DataFrame(lines, columns=["step", "rule", "deals", "unit"]).assign(remaining=0)
    left = sharing.result("left_out", Listing(table, "Left out")).frame
    assert left["deals"].tolist() == [3785, 7, 51, 2793, 396, 2397]
    asked = ((16, "deleted", 6, 2799), (18, "scope", 395, 2793), (18, "in scope", 2398, 2793), (3, "due", 235, 668))
    shown = sharing.result("traps", found(*asked)).frame
    assert shown["withheld"].tolist() == ["not shown", "not shown", "not shown", ""]
    assert sharing.inputs([SourceFile("Deals", "abc", 2800, 2793, 7)]) == [{"name": "Deals", "sha256": "abc"}]
    assert Sharing("private").inputs([SourceFile("Deals", "abc", 10, 9, 1)])[0]["rows_rejected"] == 1


def test_an_address_is_coded_whatever_its_column() -> None:
    sharing = Sharing("safe", values={"source": ["Web", MAIL], "pipeline": ["New"], "stage": ["Open", MAIL]})
    sharing.__dict__["_codes"] = Codes(b"the key of this test")
    assert {"source"} == set(sharing.kinds) - {"deal_id", "account_id", "owner_id"}
    frame = sharing.frame(pd.DataFrame({"source": ["Web", MAIL], "stage": ["Open", MAIL], "x": [None, "a@b"]}))
    assert frame["source"].str.fullmatch("source-[0-9a-f]{12}").all()
    assert frame["stage"].str.replace("[0-9a-f]{12}", "0", regex=True).tolist() == ["Open", "stage-0"]
    assert frame["x"].tolist() == [None, "a@b"]
    assert sharing.words(f"left out by source (Web, {MAIL}); stage bo@corp.example.") == (
        f"left out by source ({sharing.code('source', ['Web'])['Web']}, {sharing.code('source', [MAIL])[MAIL]}); "
        "stage (not shown)."
    )
    shown = Sharing("safe", show=["text"], values={"source": ["Web", MAIL]})
    assert shown.frame(pd.DataFrame({"source": [MAIL]}))["source"].tolist() == [MAIL]
    reasons = [f"They told us number {number}" for number in range(101)]
    assert "reason" in Sharing("safe", values={"reason": reasons}).kinds


def test_curves_are_merged_by_hand() -> None:
    curve = pd.DataFrame({
        "outcome": ["won"] * 6 + ["lost"] * 6, "time": [0, 1, 2, 3, 4, 5] * 2,
        "n_event": [2, 3, 0, 4, 1, 0, 0, 1, 4, 0, 5, 2], "n_risk": [60, 58, 54, 50, 46, 40] * 2,
    })  # fmt: skip
    # won, from day 0 on: 2 5 5 9 10 10; lost: 0 1 5 5 10 12. Day 2 has 5 and 5 since the start; days 3 and 4 give
    # won 4 (no), then 5, and lost 5: kept; after it day 5 has lost 2, so day 4 is given up for the last day.
    merged = coarsened(curve, ["outcome", "time"], 5)
    assert merged[["outcome", "time", "n_event"]].to_numpy().tolist() == [
        ["won", 2, 5], ["won", 5, 5], ["lost", 2, 5], ["lost", 5, 7],
    ]  # fmt: skip
    assert len(coarsened(curve.assign(n_event=[0] * 11 + [3]), ["outcome", "time"], 5)) == 0


@pytest.mark.parametrize("seed", range(20))
def test_every_step_of_a_shared_curve_has_enough_deals(seed: int) -> None:
    rng = np.random.default_rng(seed)
    days, parts = 40, []
    for outcome in ("won", "lost"):
        parts.append(pd.DataFrame({"outcome": outcome, "time": range(days), "n_event": rng.integers(0, 3, days)}))
    curve = pd.concat(parts, ignore_index=True)
    ended = curve.groupby("time")["n_event"].sum()
    risk = 200 - ended.cumsum().shift(fill_value=0) - np.cumsum(rng.integers(0, 2, days))
    curve["n_risk"] = curve["time"].map(risk)
    merged = coarsened(curve, ["outcome", "time"], 5)
    assert set(merged["n_event"]) & {1, 2, 3, 4} == set()
    for outcome, rows in merged.groupby("outcome"):
        assert int(rows["n_event"].sum()) == int(curve.loc[curve["outcome"] == outcome, "n_event"].sum())
        assert rows["time"].max() == days - 1
        shown = rows["n_risk"].dropna()
        assert not shown.diff().abs().between(1, 4).any()
        assert (shown >= 5).all()


def test_lines_that_take_few_deals_off_are_merged_and_still_add_up() -> None:
    lines = [
        ("in the history", "deals in the history", 100, 100), ("left out", "no date", 2, 98),
        ("left out", "later", 0, 98),
        ("left out", "scope", 20, 78), ("studied", "deals studied", 78, 78), ("ended as", "won", 30, 48),
        ("ended as", "lost", 45, 3), ("ended as", "open", 3, 0),
    ]  # fmt: skip
    table = pd.DataFrame(lines, columns=["step", "rule", "deals", "remaining"]).assign(unit="deals")
    shown = protected(Listing(table, "What went in"), "left_out", 5)
    assert isinstance(shown, Listing)
    assert shown.frame[["rule", "deals", "remaining"]].to_numpy().tolist() == [
        ["deals in the history", 100, 100], ["no date; scope", 22, 78], ["later", 0, 78], ["deals studied", 78, 78],
        ["lost", 45, 33], ["open; won", 33, 0],
    ]  # fmt: skip
    alone = table[table["rule"] != "scope"]
    assert isinstance(protected(Listing(alone, "What went in"), "left_out", 5), Finding)


def test_the_settled_day_says_no_share_that_a_coarser_curve_does_not_hold() -> None:
    """Wins are all recorded at once, so that no step after day 0 has enough of them until the last one."""
    delays = pd.DataFrame({"outcome": ["won"] * 60 + ["lost"] * 60, "window_days": 200})
    delays["delay_days"] = [0] * 57 + [9, 10, 11] + [0] * 20 + [*range(1, 41)]
    curve = recording_delay(delays)
    days = {"as_of": dt.date(2026, 1, 31), "settled_on": dt.date(2026, 1, 1)}
    assert "lost 83 %" in settled(curve, **days).detail.replace("\u00a0", " ")  # 20 and those of days 1 to 30, of 60
    shared = protected(curve, "recording_delay", 5)
    assert isinstance(shared, Estimate)
    said = settled(shared, **days)
    assert said.headline == settled(curve, **days).headline
    assert "%" not in said.detail
    assert "left out of a shared report" in said.detail


def test_a_sentence_says_no_small_count_and_none_without_its_number() -> None:
    said = without_small_counts("3 of 40 deals; won 12 (4–9), 2 days later, n 4, against 4 and 1,002 deals.", 5)
    assert said == (
        "fewer than 5 of 40 deals; won 12 (4–9), 2 days later, n fewer than 5, against fewer than 5 and 1,002 deals."
    )
    finding = Finding("x", "nan % of deals would be won.", "", "described")
    assert scrubbed(finding, 5).headline == "Too few deals stand behind this to be shown in a shared report."


def test_a_finding_about_a_hidden_row_is_withheld() -> None:
    sharing = Sharing("safe")
    sharing.result("segments", levels(("N", 40, 9), ("S", 3, 0), ("E", 20, 8)))
    about = {level: Finding("x", f"{level} wins.", "", "described", "segments", (("level", level),)) for level in "NS"}
    assert sharing.result("x", about["N"]).headline == "N wins."
    assert "wins" not in sharing.result("x", about["S"]).headline


PEOPLE = ["Ana Berg", "Bo Chen", "Cy Díaz"]
MAIL = "Ana Smith <ana.smith@corp.example>"
SECRETS = ["ana.berg@acme.example", "Deal for the Kraken launch", "call Ms. Rhode about the reorg", "Kraken", "Rhode"]


@pytest.fixture
def people(acme: Path) -> Path:
    """The company with owners' names, e-mails, deal names and reasons that people typed; one row is rejected."""
    from small_company import deals

    path = deals(acme / "export" / "deals.csv", 900)
    with path.open(newline="") as handle:
        head, *rows = list(csv.reader(handle))
    made = [[*head, "owner", "owner_name", "email", "name", "why"]]
    for number, row in enumerate(rows):
        row[0], row[1] = f"006SECRET{number:03d}", f"001SECRET{number % 40:02d}"
        row[7] = "West" if number % 150 == 0 else row[7]
        why = f"call Ms. Rhode about the reorg {number}" if row[5] == "Price" else ""
        made.append([*row, f"005SECRET{number % 3}", PEOPLE[number % 3], SECRETS[0], SECRETS[1], why])
    made.append(["006SECRET998", "001SECRET98", "yesterday", "", "Open", "", "5", "North", "005SECRET1", *PEOPLE[:1],
                 *SECRETS[:3]])  # fmt: skip
    with path.open("w", newline="") as handle:
        csv.writer(handle).writerows(made)
    params = acme / "params" / "acme.yaml"
    text = params.read_text().replace("amount: amount}", "amount: amount, owner_id: owner}")
    text = text.replace("{region: region}", "{region: region, owner_name: owner_name, why: why}")
    params.write_text(text.replace("horizon_days: 180", "horizon_days: 90"))
    return acme


def run(home: Path, *more: str) -> tuple[int, str, dict[str, bytes]]:
    """Run the project's own notebooks; return exit code, what was said, and every file of the newest bundle."""
    asked = [str(home / "params" / "acme-2025Q2.yaml"), "--notebooks", str(ROOT / "notebooks"), *more]
    done = CliRunner().invoke(main, ["run", *asked])
    bundle = home / "reports" / "acme" / "2025Q2"
    newest = max((bundle / "runs").iterdir()) if (bundle / "runs").is_dir() else bundle
    files = {path.name: path.read_bytes() for path in newest.rglob("*") if path.is_file()}
    if (bundle / "index.html").is_file():
        files["leading.html"] = (bundle / "index.html").read_bytes()
    return done.exit_code, done.output, files


def unzipped(files: dict[str, bytes]) -> dict[str, str]:
    """The files as text: Parquet, workbooks and data of pages read, so that nothing hides in a compressed block."""
    import io
    import zipfile

    texts = {}
    for name, content in files.items():
        if name.endswith(".parquet"):
            texts[name] = pd.read_parquet(io.BytesIO(content)).to_csv()
        elif name.endswith(".xlsx"):
            book = zipfile.ZipFile(io.BytesIO(content))
            texts[name] = "".join(book.read(part).decode() for part in book.namelist())
        elif name.endswith(".gz"):
            texts[name] = gzip.decompress(content).decode("utf-8")
        else:
            texts[name] = content.decode("utf-8")
        if name.endswith(".html"):
            packed = re.findall(r'<script type="text/plain"[^>]*>(.*?)</script>', texts[name])
            texts[name] += "".join(gzip.decompress(base64.b64decode(one)).decode("utf-8") for one in packed)
    return texts


def add(home: Path, *lines: str) -> None:
    with (home / "params" / "acme.yaml").open("a") as handle:
        handle.write("".join(f"{line}\n" for line in lines))


@pytest.mark.slow
def test_a_private_report_has_ids_in_its_lists_and_no_name_or_text(people: Path) -> None:
    code, said, files = run(people)
    assert code == 0, said
    texts = unzipped(files)
    for name, text in texts.items():
        for secret in (*PEOPLE, *SECRETS):
            assert secret not in text, f"{name} holds {secret}"
    assert "006SECRET998" in texts["rejects.csv"]
    assert "005SECRET" not in texts["field_counts.csv"]
    add(people, "show: [text]")
    code, said, files = run(people)
    assert code == 0, said
    assert SECRETS[1] in files["rejects.csv"].decode()


@pytest.mark.slow
def test_a_safe_report_holds_no_id_no_list_and_no_small_cell(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINLOSS_SHARE_KEY", "the key of this test")
    quarter = people / "params" / "acme-2025Q2.yaml"
    quarter.write_text(quarter.read_text().replace("[region]", "[region, owner_id, owner_name]"))
    add(people, "share: safe", "thresholds: {smallest_cell: 8}")
    code, said, files = run(people)
    assert code == 0, said
    texts = unzipped(files)
    for name, text in texts.items():
        for secret in (*PEOPLE, *SECRETS, "SECRET", "the key of this test", "export/deals.csv"):
            assert secret not in text, f"{name} holds {secret}"
    assert not {"rejects.csv", "rejected_rows.csv", "rejected.csv", "rejected_rows.json"} & set(files)
    assert "rejects.csv" not in texts["index.html"]
    owners = Codes(b"the key of this test").of("owner", [f"005SECRET{number}" for number in range(3)])
    for code_of in owners.values():
        assert code_of in texts["segments.csv"]
        assert code_of in texts["01_quarter.html"]
    counted = re.compile(r"n_(deals|event|risk|unknown)(_\w+)?|cum_event|opened_\w+|deals|filled|missing|\w+_deals")
    checked = 0
    for name in [name for name in texts if name.endswith(".csv")]:
        for row in csv.DictReader(texts[name].splitlines()):
            for column, cell in row.items():
                if counted.fullmatch(column) and re.fullmatch(r"[\d.]+", cell or ""):
                    assert not 0 < float(cell) < 8, f"{name}: {column} is {cell} in {row}"
                    checked += 1
    assert checked > 300
    assert "<8" in "".join(texts[name] for name in texts if name.endswith(".csv"))
    assert not re.search(r"\bnan\b", re.sub(r"<script.*?</script>", "", texts["01_quarter.html"], flags=re.S))


def test_the_same_owner_has_the_same_code_in_another_quarter(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from analytics.studies.opening import open_params
    from analytics.studies.params import load_company, quarter_params

    monkeypatch.delenv("WINLOSS_SHARE_KEY", raising=False)
    add(people, "share: safe", "ids: [region]")
    company, found = load_company(people / "params" / "acme.yaml"), []
    for quarter, as_of in (("2025Q1", "2025-03-31"), ("2025Q2", "2025-06-30")):
        asked = {"company": "acme", "quarter": quarter, "as_of": as_of, "compare_to": None, "segments": ["owner_id"]}
        study = open_params(company, quarter_params(asked))
        found.append(study.deals[["deal_id", "owner_id", "owner_name", "region", "opened_on"]])
        assert study.history.table["account_id"].str.startswith("account-").all()
    both = found[0].merge(found[1], on="deal_id", suffixes=("", "_later"))
    assert len(both) == len(found[0]) > 50
    assert (both["owner_id"] == both["owner_id_later"]).all()
    assert both["owner_id"].str.fullmatch("owner-[0-9a-f]{12}").all()
    assert both["owner_id"].nunique() == both["owner_name"].nunique() == 3
    assert both["region"].str.fullmatch("region-[0-9a-f]{12}").all()
    assert both["owner_name"].str.startswith("owner_name-").all()


def test_an_error_names_a_value_on_the_terminal_and_not_in_a_shared_bundle(
    people: Path, rewritten: Callable[..., Path]
) -> None:
    from small_company import OPEN

    (people / "notebooks" / "01_ending.ipynb").unlink()  # its answer is not shown, and its figure would fail first
    fails = "from analytics.records.errors import InputError\nprint(secret := 'Kra' + 'ken')\n"
    rewritten(OPEN, fails + "raise InputError('cannot be used', value=secret)")
    command = ["run", str(people / "params" / "acme-2025Q2.yaml")]
    assert "Kraken" in CliRunner().invoke(main, command).output
    bundle = people / "reports" / "acme" / "2025Q2" / "runs"
    private = max(bundle.iterdir())
    assert "Kraken" in (private / "run.json").read_text()
    add(people, "share: safe")
    assert "Kraken" in CliRunner().invoke(main, command).output
    shared = max(path for path in bundle.iterdir() if path != private)
    assert (shared / "notebooks" / "02_size.failed.ipynb").is_file()
    for path in shared.rglob("*"):
        if path.is_file():
            assert b"Kraken" not in path.read_bytes(), path.name
    facts = json.loads((shared / "run.json").read_text())
    assert (facts["exit_code"], facts["message"]) == (2, "input cannot be used")
    assert facts["company_params"]["source"] == {"kind": "flat"}


def test_scope_lines_name_codes(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINLOSS_SHARE_KEY", "the key of this test")
    sharing = Sharing("safe", values={"owner_name": PEOPLE})
    code = sharing.code("owner_name", ["Ana Berg"])["Ana Berg"]
    said = sharing.sentence("scope: owner_name is [Ana Berg, (empty)]", {"owner_name": ["Ana Berg", None]})
    assert said == f"scope: owner_name is [{code}, (empty)]"
    assert sharing.sentence("scope: region is [North]", {"region": ["North"]}) == "scope: region is [North]"
    assert dt.date(2025, 1, 1).isoformat() in sharing.sentence("first recorded after 2025-01-01", {})


COUNTED_IN_WORDS = re.compile(
    r"(?<![\d.,–−+±:-])\b[1-4] (?:of\b|(?:\w+ )?(?:deals?|rows?|accounts?|closings?|won|lost|fields?)\b)"
)
NO_COUNTS = {"time", "number", "distinct", "df", "n_levels", "schema_version", "age", "level", "order", "threshold"}
"""Columns of whole numbers that count no deals: days, the trap's number, different values, degrees of freedom."""


@pytest.fixture(scope="module")
def shared_demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], Path]:
    """The demo company's report for others; in one deal somebody typed a name and an address as its source."""
    home = tmp_path_factory.mktemp("shared")
    shutil.copytree(ROOT / "data" / "demo", home / "data" / "demo")
    (home / "params").mkdir()
    text = (ROOT / "params" / "demo.yaml").read_text(encoding="utf-8")
    assert "\nshare: private " in text
    (home / "params" / "demo.yaml").write_text(text.replace("\nshare: private ", "\nshare: safe "), encoding="utf-8")
    shutil.copy(ROOT / "params" / "demo-2025Q4.yaml", home / "params")
    path = home / "data" / "demo" / "Opportunity.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as handle:
        head, *rows = list(csv.reader(handle))
    rows[-5][head.index("LeadSource")] = MAIL
    with gzip.open(path, "wt", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([head, *rows])
    command = ["run", str(home / "params" / "demo-2025Q4.yaml"), "--notebooks", str(ROOT / "notebooks")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    bundle = home / "reports" / "demo" / "2025Q4"
    newest = max((bundle / "runs").iterdir())
    files = {str(one.relative_to(newest)): one.read_bytes() for one in newest.rglob("*") if one.is_file()}
    return files | {"leading.html": (bundle / "index.html").read_bytes()}, newest


@pytest.mark.slow
def test_the_shared_demo_shows_no_count_of_few_deals_anywhere(shared_demo: tuple[dict[str, bytes], Path]) -> None:
    files, newest = shared_demo
    for name, text in unzipped(files).items():
        assert COUNTED_IN_WORDS.findall(html.unescape(text)) == [], name
        assert "rows_rejected" not in text or not name.endswith(("run.json", "provenance.json")), name
    results = json.loads(gzip.decompress(files["results.json.gz"]))["results"]
    checked, few = 0, set()
    for path in sorted(newest.rglob("*.parquet")):
        tables = [pd.read_parquet(path)]
        told = results.get(path.parent.name, {}).get(path.stem, {})
        if "rows" in told:
            tables.append(pd.DataFrame(told["rows"], columns=told["columns"]))
        if path.with_suffix(".csv").is_file():
            tables.append(pd.read_csv(path.with_suffix(".csv"), dtype=str, keep_default_na=False))
        for table in tables:
            for column in set(table) - NO_COUNTS:
                cells = table[column].astype(str)
                numbers = pd.to_numeric(cells[cells.str.fullmatch(r"[\d.]+")])
                counts = column.startswith("n_") or (len(numbers) and numbers.max() > 1 and (numbers % 1 == 0).all())
                if counts:
                    checked += len(numbers)
                    if numbers.between(1, 4).any():
                        few.add((path.stem, column))
    assert few == set()
    assert checked > 3000


@pytest.mark.slow
def test_the_shared_demo_names_nobody(shared_demo: tuple[dict[str, bytes], Path]) -> None:
    texts = unzipped(shared_demo[0])
    for name, text in texts.items():
        assert "ana.smith" not in text, name
        assert "Ana Smith" not in text, name
        assert "@corp" not in text, name
    segments = next(text for name, text in texts.items() if name.endswith("segments.csv"))
    levels = set(re.findall(r"^source,([^,]+),", segments, flags=re.M))
    assert len(levels) >= 5
    assert all(re.fullmatch("source-[0-9a-f]{12}", level) for level in levels)


@pytest.mark.slow
def test_nothing_small_follows_from_the_shared_demo_by_subtraction(shared_demo: tuple[dict[str, bytes], Path]) -> None:
    """Differences that would give 1 or 3 deals: of traps, of nested groups, of files, of the values of a field."""
    folder = shared_demo[1] / "results" / "00_data_health"
    frames = {path.stem: pd.read_parquet(path) for path in folder.glob("*.parquet")}
    came, left, traps = frames["what_came_in"], frames["left_out"], frames["traps"]
    rejected = left.loc[left["step"] == "rejected", "deals"]
    per_file = came.loc[came["file"] != "all files", "rows_rejected"].dropna()
    assert per_file.tolist() == [0.0] * 4
    assert rejected.sum() == came.loc[came["file"] == "all files", "rows_rejected"].item() == 974
    out = left.loc[(left["step"] == "left out") & (left["deals"] > 0), "deals"]
    assert out.tolist() == [396]
    assert traps["n_of"].isna().all()
    assert not traps.loc[traps["unit"] == "deals", "n_found"].isin([392, 393, 394, 395, 2398]).any()
    sizes = frames["never_open"]["n_risk"].dropna().sort_values()
    assert sizes.tolist() == [1693, 1729]
    fields = frames["field_counts"]
    common = fields["most_common"].str.extract(r"\(([\d,]+)\)$")[0].str.replace(",", "").astype(float)
    assert not (fields["filled"] - common).between(1, 4).any()


def test_of_two_thresholds_that_differ_by_few_deals_one_is_hidden() -> None:
    frame = pd.DataFrame({
        "rule": ["declared", "silent", "silent"], "threshold": [0, 60, 90], "estimate": [0.2, 0.5, 0.4],
        "conf_low": [0.1, 0.4, 0.3], "conf_high": [0.3, 0.6, 0.5], "n_event": [40, 103, 100], "n_deals": 250,
        "fired": [NAN, 63, 60], "later_won": [NAN, 9, 3],
    })  # fmt: skip
    meta = Meta(kind="probability", estimand="share", keys=("rule", "threshold"), n_deals=250)
    shown = protected(Estimate(frame, meta), "no_decision_range", 5)
    assert isinstance(shown, Estimate)
    assert shown.frame["estimate"].notna().tolist() == [True, True, False]
    open_ = pd.DataFrame({
        "rule": ["silent", "none"], "estimate": [0.1, 0.2], "conf_low": 0.05, "conf_high": 0.4, "n_deals": [90, 400],
        "n_event": [9, 80], "n_open": [3, 70],
    })  # fmt: skip
    few = protected(Estimate(open_, Meta(kind="probability", estimand="x", keys=("rule",), n_deals=490)), "zombies", 5)
    assert isinstance(few, Estimate)
    assert few.frame["n_open"].isna().tolist() == [True, False]
