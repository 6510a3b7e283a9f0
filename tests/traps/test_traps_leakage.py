"""Trap 20: fields that only closing fills are marked and refused; and every trap has its line at every date."""

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from trap_exports import AS_OF, counts, recorded, today

from analytics.records.contract import History, Noticed
from analytics.records.errors import InputError
from analytics.records.leakage import leaky_fields, leaky_in_export, refuse_leaky
from analytics.records.traps import TRAPS, trap_counts
from analytics.records.traps.noticed import UNCHANGED
from analytics.studies.opening import open_params
from analytics.studies.params import load_company, quarter_params


def tracked(folder, n: int = 20) -> History:
    """20 deals whose rival and reason are written at the close, whose lead source is edited there in 12."""
    rows = ["deal_id recorded_on status opened_on source rival reason size"]
    for number in range(n):
        lead = "Web" if number < 12 else "Event"
        rows += [
            f"d{number:02} 2025-01-02 open 2025-01-02 {lead} - - small",
            f"d{number:02} 2025-02-03 closed_lost 2025-01-02 Event Acme Price small",
        ]
    return recorded(folder, "\n".join(rows))


def test_trap_20_fields_that_only_the_closing_fills(tmp_path):
    history = tracked(tmp_path)
    found = leaky_fields(history, as_of=AS_OF).set_index("field")
    assert found["kind"].to_dict() == {"rival": "filled", "size": "", "source": "changed", "reason": "filled"}
    assert (
        found.at["rival", "why"]
        == "100% of 20 closed deals have it; of 20 on record before the day of closing, 0% had it then"
    )
    assert found.at["source", "why"] == "its value changed at the close in 60% of 20 deals"
    assert found.loc["rival", ["filled_closed", "filled_before", "n_closed", "n_before"]].tolist() == [1, 0, 20, 20]
    assert found.at["size", "changed"] == 0
    assert counts(history, 20) == {"fields filled or changed only at the close": (3, 4)}
    # at an earlier date nothing had closed, so the records of then say nothing; with 19 deals neither
    assert leaky_fields(history, as_of=dt.date(2025, 2, 2)).empty
    assert leaky_fields(tracked(tmp_path, 19), as_of=AS_OF).empty
    # a study of that date refuses them all the same
    assert counts(history, 20, as_of=dt.date(2025, 2, 2)) == {"fields filled or changed only at the close": (3, 4)}
    assert counts(tracked(tmp_path, 19), 20) == {}


def test_trap_20_a_leak_that_shows_only_later_is_refused_at_the_earlier_date(tmp_path):
    """Deals that were open in February have closed since, and today's file fills the field for all of them."""
    history = today(tmp_path, untracked(20, 20, 20, 0) + "\n" + "\n".join(
        f"e{n} 2025-01-10 closed_won 2025-02-03 retail" for n in range(20)
    ))  # fmt: skip
    february = dt.date(2025, 2, 28)
    then = leaky_fields(history, as_of=february).set_index("field")
    assert then.loc["sector", ["filled_closed", "filled_open", "leaky"]].tolist() == [1.0, 0.5, True]
    mostly = today(tmp_path, untracked(40, 40, 20, 0) + "\n" + "\n".join(
        f"e{n} 2025-01-10 closed_won 2025-02-03 retail" for n in range(20)
    ))  # fmt: skip
    then = leaky_fields(mostly, as_of=february).set_index("field")
    assert then.at["sector", "filled_open"] == pytest.approx(40 / 60)
    assert not then.at["sector", "leaky"]
    by_now = leaky_in_export(mostly, as_of=february).set_index("field")
    assert by_now.at["sector", "leaky"]


def test_trap_20_leaky_fields_are_refused_as_covariates(tmp_path):
    leaky = leaky_fields(tracked(tmp_path), as_of=AS_OF)
    refuse_leaky(["size"], leaky)
    with pytest.raises(InputError) as caught:
        refuse_leaky(["size", "rival"], leaky, read_at={})
    assert str(caught.value) == (
        "column 'rival': says how a deal ended, so it cannot split deals or explain how they end: 100% of 20 closed "
        "deals have it; of 20 on record before the day of closing, 0% had it then. Leave it out of segments, or map "
        "the history that says when it was filled; it may describe deals that have closed, not split those that may "
        "still."
    )
    # what changes at the close has a value at the opening, which is known and may be used
    refuse_leaky(["source"], leaky, read_at={})
    for read_at in (None, {"source": "as_of"}, {"source": "close"}):
        with pytest.raises(InputError, match="changed at the close in 60%"):
            refuse_leaky(["source"], leaky, read_at=read_at)


def test_trap_20_the_sentence_says_the_numbers_of_its_row(tmp_path):
    """Five deals were closed when first recorded and have no reason: they count among the closed ones."""
    born = "\n".join(f"b{n} 2025-02-03 closed_lost 2025-01-02 Event - - small" for n in range(5))
    rows = ["deal_id recorded_on status opened_on source rival reason size"]
    for number in range(20):
        rows += [
            f"d{number:02} 2025-01-02 open 2025-01-02 Web - - small",
            f"d{number:02} 2025-02-03 closed_lost 2025-01-02 Web - Price small",
        ]
    history = recorded(tmp_path, "\n".join(rows) + "\n" + born)
    row = leaky_fields(history, as_of=AS_OF).set_index("field").loc["reason"]
    assert row[["filled_closed", "n_closed", "filled_before", "n_before"]].tolist() == [20 / 25, 25, 0.0, 20]
    assert row["why"] == "80% of 25 closed deals have it; of 20 on record before the day of closing, 0% had it then"


def untracked(closed: int, closed_filled: int, open_: int, open_filled: int, opened: str = "2025-01-02") -> str:
    rows = ["deal_id opened_on status closed_on sector"]
    rows += [f"c{n} 2025-01-02 closed_won 2025-03-03 {'retail' if n < closed_filled else '-'}" for n in range(closed)]
    rows += [f"o{n} {opened} open - {'retail' if n < open_filled else '-'}" for n in range(open_)]
    return "\n".join(rows)


@pytest.mark.parametrize(
    ("numbers", "leaky"),
    [
        ((20, 20, 20, 10), True),  # 100 % against 50 %
        ((20, 20, 20, 11), False),  # 45 points apart
        ((40, 20, 40, 1), True),  # 50 % against 2.5 %
        ((40, 20, 40, 2), False),  # 50 % against 5 %
        ((20, 0, 20, 10), True),  # emptied at the close
        ((20, 20, 19, 0), False),  # too few open deals
    ],
)
def test_trap_20_a_field_without_a_history_is_judged_by_open_deals_as_old(tmp_path, numbers, leaky):
    found = leaky_fields(today(tmp_path, untracked(*numbers)), as_of=AS_OF).set_index("field")
    assert bool(found.at["sector", "leaky"]) is leaky


def test_trap_20_young_open_deals_are_no_comparison(tmp_path):
    young = today(tmp_path, untracked(20, 20, 20, 0, opened="2025-12-01"))  # 30 days old; deals closed at 60
    found = leaky_fields(young, as_of=AS_OF).set_index("field")
    assert found.at["sector", "n_open"] == 0
    assert not found.at["sector", "leaky"]


PARAMS = """
company: acme
title: Acme
source:
  kind: flat
  file: deals.csv
  columns: {deal_id: deal_id, opened_on: opened_on, status: status, closed_on: closed_on}
  attributes: {sector: sector}
  extracted_on: "2025-12-31"
scope: {everything: true}
"""


def test_trap_20_a_study_refuses_a_leaky_segment(tmp_path, monkeypatch):
    monkeypatch.setenv("WINLOSS_CACHE", str(tmp_path / "cache"))
    today(tmp_path, untracked(20, 20, 20, 0))
    (tmp_path / "acme.yaml").write_text(PARAMS)
    params = load_company(tmp_path / "acme.yaml")
    asked = {"company": "acme", "quarter": "2025Q4", "as_of": "2025-12-31", "compare_to": []}
    with pytest.raises(InputError, match=r"column 'sector': says how a deal ended.* 0% of 20 open ones as old"):
        open_params(params, quarter_params({**asked, "segments": ["sector"]}))
    study = open_params(params, quarter_params({**asked, "segments": []}))
    assert study.leaky_fields.loc[study.leaky_fields["leaky"].astype(bool), "field"].tolist() == ["sector"]
    assert study.trap_counts["trap"].drop_duplicates().tolist() == list(range(1, 21))


def test_what_could_not_be_looked_for_is_never_0(tmp_path):
    bare = trap_counts(today(tmp_path, "deal_id opened_on status\nA 2025-01-02 open"), as_of=AS_OF)
    unseen = bare[bare["found"].isna()]
    assert unseen["trap"].tolist() == [1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20]
    assert unseen["rule"].tolist() == [f"not in this export: needs {TRAPS[n].needs}" for n in unseen["trap"]]
    assert bare.loc[bare["trap"] == 1, "name"].tolist() == [TRAPS[1].name]


def test_what_a_source_noticed_stands_with_its_trap_and_0_of_0_says_that_there_was_nothing_to_look_at(tmp_path):
    history = today(tmp_path, "deal_id opened_on status\nA 2025-01-02 open")
    seen = (Noticed(19, "split", 0, 0, "rows", "never joined"), Noticed(16, "merged", 2, 9, "deals", "left out"))
    frame = trap_counts(replace(history, noticed=seen), as_of=AS_OF)
    assert frame.loc[frame["trap"] == 16, ["what", "found", "of", "rule"]].values.tolist() == [
        ["merged", 2, 9, "left out"]
    ]
    assert frame.loc[frame["trap"] == 19, "rule"].tolist() == [f"not in this export: needs {TRAPS[19].needs}"]
    # a source counts whatever it read, in scope or not
    assert frame.loc[frame["trap"] == 16, "unit"].tolist() == ["deals of the export"]


def test_fields_without_a_history_are_counted_as_fields_and_not_as_deals(tmp_path):
    history = today(tmp_path, "deal_id opened_on status\nA 2025-01-02 open")
    stands = "today's value stands for all earlier days"
    seen = (
        Noticed(20, "source (LeadSource): no change is on record", 9, 9, "deals", stands),
        Noticed(20, "owner_id (OwnerId) is on record from 2025-01-02 on; opened before", 2, 9, "deals", "earliest"),
        Noticed(20, "region (Region__c): no change is on record", 9, 9, "deals", stands),
    )
    frame = trap_counts(replace(history, noticed=seen), as_of=AS_OF)
    assert frame.loc[frame["trap"] == 20, ["what", "found", "of", "unit", "rule"]].values.tolist() == [
        ["owner_id (OwnerId) is on record from 2025-01-02 on; opened before", 2, 9, "deals of the export", "earliest"],
        [
            "fields of which no change is on record (source (LeadSource), region (Region__c))", 2, 3,
            "fields of the export", stands,
        ],
    ]  # fmt: skip


def test_the_words_for_a_field_without_a_history_are_those_of_the_source():
    source = Path(__file__).resolve().parents[2] / "analytics/records/sources/salesforce/histories.py"
    assert UNCHANGED in source.read_text(encoding="utf-8")


def test_a_later_as_of_date_changes_no_earlier_count(tmp_path):
    rows = [
        "deal_id recorded_on status opened_on closed_on expected_close_on stage amount currency owner_id account_id"
    ]
    for n in range(40):
        day, month = 1 + n % 27, 1 + n % 6
        opened = f"2025-{month:02}-{day:02}"
        tail = f"EUR o{n % 3} a{n % 7}"
        rows.append(f"d{n} {opened} open {opened} - 2025-0{month + 1}-01 Lead {10 * (n % 5)} {tail}")
        rows.append(f"d{n} 2025-0{month + 1}-{day:02} open {opened} - 2025-0{month + 2}-01 Offer 50 {tail}")
        if n % 3:
            status = "closed_won" if n % 2 else "closed_lost"
            rows.append(f"d{n} 2025-0{month + 2}-{day:02} {status} {opened} 2025-0{month + 1}-28 - Done 0 {tail}")
    history = recorded(tmp_path, "\n".join(rows))
    states = history.table.to_pandas()
    for as_of in (dt.date(2025, 2, 14), dt.date(2025, 5, 3), dt.date(2025, 7, 1)):
        cut = History(
            table=states[pd.to_datetime(states["recorded_on"]) <= pd.Timestamp(as_of)], noticed=history.noticed
        )
        told, known = (trap_counts(records, as_of=as_of) for records in (history, cut))
        kept = [frame[frame["trap"] != 20].reset_index(drop=True) for frame in (told, known)]  # by the whole export
        pd.testing.assert_frame_equal(*kept)


def test_the_readme_lists_the_twenty_traps_by_their_names_and_each_has_a_test():
    root = Path(__file__).resolve().parents[2]
    rows = re.findall(
        r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|", (root / "README.md").read_text(encoding="utf-8"), flags=re.M
    )
    assert {int(number): name.strip() for number, name, _ in rows} == {n: trap.name for n, trap in TRAPS.items()}
    assert [int(number) for number, _, _ in rows] == list(range(1, 21))
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert sorted(set(re.findall(r"^def test_trap_(\d\d)_", tests, flags=re.M))) == [f"{n:02}" for n in range(1, 21)]
