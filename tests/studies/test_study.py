"""Opening a study: what cannot be studied is a sentence; what can be is read from the cache without an engine."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analytics import count_events, cumulative_incidence, open_study
from analytics.estimators.result import Estimate, Finding
from analytics.records.errors import InputError
from analytics.records.snapshot import snapshot_frame
from analytics.studies import store
from analytics.studies.cache import cached_frame
from analytics.studies.histories import read_history
from analytics.studies.params import load_company
from analytics.studies.study import Study

ASKED: dict[str, Any] = {
    "company": "acme", "quarter": "2025Q2", "as_of": "2025-06-30", "compare_to": ["2025Q1"], "segments": ["region"],
}  # fmt: skip

PARAMS = Path(__file__).resolve().parents[2] / "params"


@pytest.fixture
def inside(acme: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(acme / "notebooks")
    return acme


def opened(**changed: Any) -> Study:
    return open_study(**{**ASKED, **changed})


def test_frames_are_those_of_the_snapshot(inside: Path) -> None:
    study = opened()
    params = load_company(inside / "params" / "acme.yaml")
    expected = snapshot_frame(
        read_history(params),
        as_of=dt.date(2025, 6, 30),
        rules=params.rules.declared_only(),
        definitions=params.definitions,
    )
    pd.testing.assert_frame_equal(study.deals, expected, check_dtype=False)
    assert len(study.deals) == 120
    assert set(study.deals_by_rule) == {"declared", "aged"}
    aged = study.deals_by_rule["aged"]["no_decision_kind"].eq("aged").sum()
    assert aged == (study.deals["outcome"].eq("open") & (study.deals["exit"] > 200)).sum()


def test_what_ended_unobserved_is_known_but_not_studied(inside: Path) -> None:
    everything = opened().deals
    path = inside / "params" / "acme.yaml"
    path.write_text(path.read_text() + "observed_from: 2025-03-01\n")
    study = opened()
    gone = everything[everything["closed_on"] < "2025-03-01"]
    assert len(gone) > 10
    assert set(study.known_deals["deal_id"]) - set(study.deals["deal_id"]) == set(gone["deal_id"])
    assert study.known_deals["outcome"].value_counts().to_dict() == everything["outcome"].value_counts().to_dict()


@pytest.mark.parametrize("name", ["acme", "demo"])
def test_attrition_ends_in_the_deals_studied(
    inside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name == "demo":
        monkeypatch.setenv("WINLOSS_PARAMS", str(PARAMS))
        monkeypatch.setenv("WINLOSS_CACHE", str(tmp_path / "cache"))
    study = opened() if name == "acme" else open_study(company="demo", quarter="2025Q4", as_of="2026-01-31")
    assert study.rules.inferred_kinds  # the study of declared reasons leaves them aside
    lines = study.attrition
    assert lines.loc[lines["step"] == "studied", "deals"].tolist() == [len(study.deals)]
    ended = lines.loc[(lines["step"] == "ended as") & (lines["deals"] > 0)].set_index("rule")["deals"].to_dict()
    names = {
        "won": "won", "lost": "lost", "no_decision": "no decision: declared by reason",
        "unknown": "closed, outcome unknown", "open": "still open",
    }  # fmt: skip
    assert ended == study.deals["outcome"].map(names).value_counts().to_dict()


def test_an_earlier_quarter_is_seen_at_the_same_lag(inside: Path) -> None:
    study = opened(as_of="2025-06-20")
    earlier = study.deals_as_known(study.compare_to[0])
    assert study.as_of_for(study.compare_to[0]) == dt.date(2025, 3, 21)
    assert earlier["opened_on"].max() <= pd.Timestamp("2025-03-21")
    assert earlier["closed_on"].max() <= pd.Timestamp("2025-03-21")
    assert len(study.deals_restated) > len(earlier) > 50


def test_unset_comparisons_and_segments_are_the_usual_ones(inside: Path) -> None:
    study = opened(compare_to=None, segments=None)
    assert [quarter.name for quarter in study.compare_to] == ["2025Q1", "2024Q2"]
    assert study.segments == ("region",)
    assert str(study) == (
        "Acme Tools: 2025Q2 (1 April 2025 to 30 June 2025), as of 30 June 2025. 120 deals studied, from 120 rows read."
    )
    assert study.margins == {"won": 0.03, "lost": 0.03, "no_decision": 0.03}


def test_settle_days_of_the_params_decide(inside: Path) -> None:
    path = inside / "params" / "acme.yaml"
    assert opened().settled_on == dt.date(2025, 6, 30)
    path.write_text(path.read_text() + "settle_days: 12\n")
    study = opened()
    assert study.settled_on == dt.date(2025, 6, 18)
    assert study.settled_for(study.compare_to[0]) == dt.date(2025, 3, 19)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"company": "acmee"}, "there is no params file acmee.yaml for the company 'acmee'. Did you mean 'acme'"),
        ({"quarter": "2025Q7"}, "is not the name of a quarter"),
        ({"quarter": "2025Q4"}, "the quarter begins on 2025-10-01, after the as-of date 2025-06-30"),
        (
            {"quarter": "2026Q3", "as_of": "2026-08-01"},
            "nothing was recorded in the year before the as-of date 2026-08-01",
        ),
        ({"as_of": "2029-01-01"}, "nothing was recorded in the year before the as-of date 2029-01-01"),
        ({"quarter": "2024Q1", "as_of": "2024-03-31", "compare_to": []}, "nothing had been recorded by the as-of date"),
        ({"as_of": "tomorrow"}, "value 'tomorrow': the key 'as_of' must be a date like 2026-01-31"),
        ({"compare_to": "2025Q1"}, "the key 'compare_to' must be a list"),
        ({"compare_to": ["2025Q3"]}, "2025Q2 can only be compared with an earlier quarter"),
        ({"compare_to": ["2025Q1", "FY25Q1"]}, "compare_to names a quarter twice"),
        ({"segments": ["regoin"]}, "there is no column 'regoin' to split deals by. Did you mean 'region'"),
        ({"segments": [False]}, "the key 'segments.1' must be text"),
    ],
)
def test_what_cannot_be_studied_is_a_sentence(inside: Path, changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        opened(**changed)
    assert sentence in str(caught.value)


def test_a_design_of_a_column_that_is_not_there_is_refused(inside: Path) -> None:
    path = inside / "params" / "acme.yaml"
    text = path.read_text()
    path.write_text(f"{text}designs: {{regoin: randomised}}\n")
    with pytest.raises(InputError, match=r"designs: there is no column 'regoin'.*Did you mean 'region'"):
        opened()
    path.write_text(f"{text}designs: {{region: randomised}}\n")
    assert opened().params.designs == {"region": "randomised"}


def test_an_as_of_date_after_the_export_is_refused(inside: Path) -> None:
    path = inside / "params" / "acme.yaml"
    path.write_text(path.read_text().replace("kind: flat\n", 'kind: flat\n  extracted_on: "2025-06-15"\n'))
    with pytest.raises(InputError) as caught:
        opened()
    assert "the as-of date 2025-06-30 lies after the day of the export, 2025-06-15" in str(caught.value)


def test_a_scope_that_keeps_a_value_no_deal_has_names_the_nearest(inside: Path) -> None:
    path = inside / "params" / "acme.yaml"
    path.write_text(path.read_text().replace("scope: {everything: true}\n", "scope: {keep: {region: [Nort]}}\n"))
    with pytest.raises(InputError) as caught:
        opened()
    assert "column 'region', value 'Nort': no deal has this value" in str(caught.value)


def test_a_scope_that_is_not_set_lists_what_to_choose_from(inside: Path) -> None:
    path = inside / "params" / "acme.yaml"
    path.write_text(path.read_text().replace("scope: {everything: true}\n", ""))
    with pytest.raises(InputError) as caught:
        opened()
    assert "scope" in str(caught.value)
    assert "North" in str(caught.value)


def test_a_missing_export_is_a_sentence(inside: Path) -> None:
    (inside / "export" / "deals.csv").rename(inside / "export" / "deal.csv")
    with pytest.raises(InputError, match=r"\.\./export/deals\.csv: does not exist.*'deal\.csv'"):
        opened()


def test_a_changed_export_is_read_again(inside: Path) -> None:
    before = opened()
    path = inside / "export" / "deals.csv"
    path.write_text(path.read_text() + "D999,A00,2025-06-01,,Open,,100,North\n")
    after = opened()
    assert after.input_hash != before.input_hash
    assert len(after.deals) == len(before.deals) + 1


def test_a_broken_row_is_rejected_with_its_place(inside: Path) -> None:
    path = inside / "export" / "deals.csv"
    path.write_text(path.read_text() + "D999,A00,2025-13-45,,Open,,100,North\n")
    study = opened()
    assert study.rejects[["file", "line"]].to_numpy().tolist() == [["deals.csv", 122]]
    assert [(file.rows_read, file.rows_kept) for file in study.files] == [(121, 120)]
    assert not study.attrition.empty


def test_saving_stamps_and_writes_only_where_it_is_told(
    inside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = opened()
    before = sorted(inside.rglob("*"))
    ending = study.save("ending", cumulative_incidence(count_events(study.deals)))
    assert (ending.meta.as_of, ending.meta.rules_hash) == (dt.date(2025, 6, 30), study.rules.hash)
    assert ending.meta.input_hash == study.input_hash[:16]
    assert study.saved["ending"] is ending
    study.save("ending", ending)  # a cell that is run again in JupyterLab
    study.save("findings", (Finding("x", "A sentence.", "", "described"),))
    assert sorted(path for path in inside.rglob("*") if ".winloss-cache" not in str(path)) == [
        path for path in before if ".winloss-cache" not in str(path)
    ]
    monkeypatch.setenv("WINLOSS_OUT", str(tmp_path / "out"))
    study = opened()
    saved = study.save("ending", ending)
    again = store.read(tmp_path / "out", "ending")
    assert isinstance(again, Estimate)
    pd.testing.assert_frame_equal(again.frame, saved.frame)
    with pytest.raises(ValueError, match="two results of this notebook are called 'ending'"):
        study.save("ending", ending)


def test_an_earlier_view_of_todays_state_is_a_reconstruction(inside: Path) -> None:
    early = opened(as_of="2025-05-31")
    assert early.save("ending", cumulative_incidence(count_events(early.deals))).meta.reconstructed
    newest = opened(as_of="2025-07-31")
    assert not newest.save("ending", cumulative_incidence(count_events(newest.deals))).meta.reconstructed


def test_a_warm_cache_needs_no_engine(inside: Path) -> None:
    code = (
        "import sys\nfrom analytics import open_study\n"
        f"study = open_study(**{ASKED!r})\nstudy.fill_cache()\n"
        "study.history.table, study.deals_by_rule, study.attrition, study.delays\n"
        "print([name for name in ('ibis', 'duckdb', 'papermill', 'plotly') if name in sys.modules])"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=inside)
        for _ in ("cold", "warm")
    ]
    assert [run.stdout.strip() for run in runs] == ["['ibis', 'duckdb']", "[]"]


def test_the_first_and_the_second_reading_are_the_same(inside: Path) -> None:
    cold, warm = opened(), opened()
    pd.testing.assert_frame_equal(cold.deals, warm.deals)
    pd.testing.assert_frame_equal(cold.attrition, warm.attrition)
    assert cold.deals["opened_on"].dtype == "datetime64[ns]"
    assert cold.history.table["recorded_on"].dtype == "datetime64[ns]"


def test_a_computation_that_fails_leaves_nothing_in_the_cache(tmp_path: Path) -> None:
    def broken() -> pd.DataFrame:
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        cached_frame(tmp_path, "key", broken)
    assert list(tmp_path.iterdir()) == []


def test_read_history_takes_a_name_or_a_file(inside: Path) -> None:
    by_name, by_file = read_history("acme"), read_history(inside / "params" / "acme.yaml")
    assert by_name.table.count().execute() == by_file.table.count().execute() > 120
