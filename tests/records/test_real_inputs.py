"""The three real data sets, through their own params files, with the counts and incidences that they must give."""

import datetime as dt
import functools
import shutil
from pathlib import Path

import pandas as pd
import pytest

from analytics.estimators.bounds import incidence_bounds
from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence
from analytics.questions.data_health import outcome_shares
from analytics.records.attrition import attrition
from analytics.records.contract import History
from analytics.records.definitions import Definitions
from analytics.records.delays import reporting_delays
from analytics.records.errors import InputError
from analytics.records.rejects import rejects_by_reason
from analytics.records.snapshot import snapshot_frame
from analytics.records.sources import read_history
from analytics.records.sources.mapping import SalesforceSource
from analytics.studies.params import CompanyParams, load_company, load_quarter

PARAMS = Path(__file__).resolve().parents[2] / "params"


@pytest.fixture(autouse=True)
def _data(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINLOSS_DATA", str(shared_data))


@functools.cache
def company(name: str) -> tuple[CompanyParams, History]:
    params = load_company(PARAMS / f"{name}.yaml")
    return params, read_history(params.source, base=PARAMS, timezone=params.timezone)


DEALS: dict[tuple[object, ...], pd.DataFrame] = {}
"""What several tests ask about is computed once."""


def deals(name: str, as_of: dt.date | None = None, definitions: Definitions | None = None) -> pd.DataFrame:
    params, history = company(name)
    day, asked = as_of or history.known_to, definitions or params.definitions
    if (name, day, asked.hash) not in DEALS:
        rules = params.rules.declared_only()
        DEALS[name, day, asked.hash] = snapshot_frame(history, as_of=day, rules=rules, definitions=asked)
    return DEALS[name, day, asked.hash].copy()


def incidences(frame: pd.DataFrame, day: int) -> dict[str, float]:
    curve = cumulative_incidence(count_events(frame), times=[day]).frame
    shares = dict(zip(curve["outcome"], curve["estimate"], strict=True))
    return {name: round(share, 4) for name, share in (shares | {"open": 1 - sum(shares.values())}).items()}


def closings(frame: pd.DataFrame, day: int) -> dict[str, float]:
    return {name: share for name, share in incidences(frame, day).items() if name != "open"}


@pytest.mark.parametrize("name", ["maven", "uk_dos", "bpi2017"])
def test_files_are_those_of_the_provenance_notes_and_their_bytes_are_kept(name, shared_data):
    params, history = company(name)
    notes = "".join(path.read_text() for path in shared_data.glob("*/PROVENANCE.md"))
    for file in history.files:
        assert file.sha256 in notes
        assert file.rows_kept + file.rows_rejected == file.rows_read
    assert params.scope is not None
    (quarter,) = PARAMS.glob(f"{name}-*.yaml")
    assert load_quarter(quarter).company == name


def test_maven_counts(shared_data):
    _, history = company("maven")
    pipeline = history.files[0]
    assert (pipeline.name, pipeline.rows_read, pipeline.rows_kept) == ("sales_pipeline.csv", 8800, 8300)
    assert rejects_by_reason(history.rejects).values.tolist() == [
        ["sales_pipeline.csv", "no opening date (engage_date)", 500, 8302]
    ]
    lines = (shared_data / "maven_crm" / "sales_pipeline.csv").read_bytes().split(b"\r\n")
    for row in history.rejects.iloc[[0, 250, 499]].itertuples():
        assert b",Prospecting,,," in lines[row.line - 1]
    assert history.kind == "current_only"
    frame = deals("maven", definitions=Definitions())
    assert frame["outcome"].value_counts().to_dict() == {"won": 4238, "lost": 2473, "open": 1589}
    assert frame.loc[frame["outcome"] != "open", "account_id"].nunique() == 85


def test_maven_closed_counts_and_amounts():
    frame = deals("maven", definitions=Definitions())
    won, lost = frame["outcome"] == "won", frame["outcome"] == "lost"
    assert round(won.sum() / (won | lost).sum(), 3) == 0.632
    assert (frame.loc[lost, "amount"] == 0).sum() == 2473
    assert frame.loc[frame["outcome"] == "open", "amount"].isna().all()


def test_maven_product_fix_joins_every_row():
    frame = deals("maven", definitions=Definitions())
    assert "GTXPro" not in set(frame["product"])
    assert frame["series"].notna().all()
    _, history = company("maven")
    assert int((frame["product"] == "GTX Pro").sum()) + _rejected(history, '"product": "GTXPro"') == 1480
    assert "technolgy" not in set(frame["sector"])
    assert frame["sector"].isna().sum() == 1088  # open deals without an account


def _rejected(history: History, text: str) -> int:
    return int(history.rejects["values"].str.contains(text, regex=False).sum())


def test_maven_incidence_from_opening():
    frame = deals("maven", dt.date(2017, 12, 31), Definitions())
    at_30 = incidences(frame, 30)
    assert (at_30["won"], at_30["lost"]) == (0.2190, 0.1622)
    assert incidences(frame, 138) == {"won": 0.5194, "lost": 0.3017, "no_decision": 0.0, "open": 0.1788}


def test_maven_incidence_with_delayed_entry():
    params, _ = company("maven")
    assert params.observed_from == dt.date(2017, 3, 1)
    frame = deals("maven", dt.date(2017, 12, 31))
    assert incidences(frame, 30)["won"] == 0.2473
    assert incidences(frame, 138)["won"] == 0.5290
    early = frame[frame["opened_on"] < "2017-03-01"]
    assert len(early) == 708 + 264 + 213
    assert ((early["entry"] + 1) == (pd.Timestamp("2017-03-01") - early["opened_on"]).dt.days).all()


def test_bpi2017_counts():
    _, history = company("bpi2017")
    (log,) = history.files
    assert (log.rows_read, log.rows_kept, log.rows_rejected) == (22409, 22409, 0)
    frame = deals("bpi2017")
    assert frame["outcome"].value_counts().to_dict() == {"won": 1873, "no_decision": 2599, "lost": 528}
    assert frame["account_id"].nunique() == 3544
    assert set(frame.loc[frame["outcome"] == "no_decision", "no_decision_kind"]) == {"declared"}


def test_bpi2017_incidence_on_the_full_log():
    frame = deals("bpi2017")
    assert closings(frame, 30) == {"won": 0.3530, "lost": 0.1016, "no_decision": 0.2836}
    assert closings(frame, 31) == {"won": 0.3550, "lost": 0.1016, "no_decision": 0.4140}


def test_bpi2017_as_known_at_the_end_of_february():
    frame = deals("bpi2017", dt.date(2016, 2, 29))
    assert len(frame) == 5000
    assert (frame["outcome"] == "open").sum() == 960
    assert closings(frame, 30) == {"won": 0.3527, "lost": 0.0976, "no_decision": 0.2642}


def test_bpi2017_against_a_plain_loop(shared_data):
    log = pd.read_csv(shared_data / "bpi2017_offers_5000" / "bpic2017.csv", dtype=str)
    day = pd.to_datetime(log["Complete Timestamp"]).dt.normalize()
    expected = {}
    for case, activity, when in zip(log["Case ID"], log["Activity"], day, strict=True):
        opened, _, outcome = expected.get(case, (None, None, None))
        if activity == "O_Create Offer":
            opened = when
        kinds = {"O_Accepted": "won", "O_Refused": "lost", "O_Cancelled": "no_decision"}
        expected[case] = (opened, when, kinds.get(activity, outcome))
    frame = deals("bpi2017").set_index("deal_id")
    for case, (opened, closed, outcome) in expected.items():
        row = frame.loc[case]
        assert (row["opened_on"], row["exit"], row["outcome"]) == (opened, (closed - opened).days, outcome)


def test_uk_history_is_the_difference_of_two_extracts(shared_data):
    _, history = company("uk_dos")
    first, second = (
        pd.read_csv(path, dtype=str, index_col="ID")
        for path in sorted((shared_data / "uk_dos_opportunities").glob("*.csv"))
    )
    columns = [
        "Buyer Domain", "Published At", "Status", "Contract amount", "Framework", "Category", "Specialist",
        "Location Of The Work",
    ]  # fmt: skip
    changed = 0
    for deal in first.index:
        then, now = first.loc[deal, columns].fillna(""), second.loc[deal, columns].fillna("")
        numbers = [float(value or "nan") for value in (then["Contract amount"], now["Contract amount"])]
        same_number = numbers[0] == numbers[1] or all(number != number for number in numbers)
        text = [name for name in columns if name != "Contract amount"]
        changed += not (same_number and (then[text] == now[text]).all())
    assert int(history.table.count().execute()) == 1905 + (2118 - 1905) + changed
    assert [(file.rows_read, file.rows_rejected) for file in history.files] == [(1905, 0), (2118, 0)]
    assert "missing_deals" not in history.side


def uk_known(as_of: dt.date = dt.date(2018, 7, 27)) -> pd.DataFrame:
    """Every tender known, those that the first extract already shows as closed included."""
    return deals("uk_dos", as_of, company("uk_dos")[0].definitions.model_copy(update={"observed_from": None}))


def test_uk_closings_before_the_first_extract_have_no_day():
    first = dt.date(2018, 5, 3)
    assert (uk_known(first)["closed_on"] == pd.Timestamp(first)).all()  # as recorded, which is no closing day
    assert len(deals("uk_dos", first)) == 0
    studied = deals("uk_dos")
    assert len(studied) == 2118 - 1905
    assert set(studied["deal_id"]) == set(uk_known()["deal_id"]) - set(uk_known(first)["deal_id"])
    assert (studied["closed_on"] > pd.Timestamp(first)).all()
    params, history = company("uk_dos")
    lines = attrition(
        history, as_of=history.known_to, rules=params.rules.declared_only(), definitions=params.definitions
    ).set_index("rule")["deals"]
    assert lines["ended before observation began"] == 1905
    assert lines["deals studied"] == 213


def test_uk_recording_delay_is_not_known():
    params, history = company("uk_dos")
    assert params.settle_days == 0  # said, because it cannot be estimated: every closing is dated by an extract
    for definitions in (params.definitions, Definitions()):
        assert reporting_delays(history, as_of=history.known_to, definitions=definitions).empty


def test_uk_outcome_shares_are_bounds_over_all_tenders():
    shares = outcome_shares(uk_known()).frame.set_index("outcome")
    assert shares["n_event"].to_dict() == {"won": 616, "lost": 61, "no_decision": 109, "open": 0}
    assert (shares["n_risk"] == 2118).all()
    assert shares["bound_low"].to_dict() == pytest.approx(
        {"won": 616 / 2118, "lost": 61 / 2118, "no_decision": 109 / 2118, "open": 0}
    )
    width = (shares["bound_high"] - shares["bound_low"]).to_dict()
    assert width == pytest.approx(dict.fromkeys(("won", "lost", "no_decision"), 1332 / 2118) | {"open": 0})


def test_uk_outcomes_as_known_at_each_extract():
    assert len(uk_known(dt.date(2018, 5, 2))) == 0
    then, now = uk_known(dt.date(2018, 5, 3)), uk_known()
    assert then["outcome"].value_counts().to_dict() == {"unknown": 1279, "won": 488, "no_decision": 89, "lost": 49}
    assert now["outcome"].value_counts().to_dict() == {"unknown": 1332, "won": 616, "no_decision": 109, "lost": 61}
    both = then.merge(now, on="deal_id", suffixes=("_then", "_now"))
    moved = both[both["outcome_then"] != both["outcome_now"]]
    assert moved["outcome_now"].value_counts().to_dict() == {"won": 76, "no_decision": 9, "lost": 4}
    assert set(moved["outcome_then"]) == {"unknown"}


def test_uk_unknown_outcomes_are_refused_unless_bounds_are_asked_for():
    frame = uk_known()
    with pytest.raises(InputError):
        count_events(frame)
    risk = count_events(frame, unknown="bounds")
    assert set(risk.cells["outcome"]) == {"won", "lost", "no_decision", "unknown"}


def test_uk_unknown_outcomes_are_bounds_and_never_lost():
    risk = count_events(uk_known(), unknown="bounds")
    at_end = incidence_bounds(risk).frame.groupby("outcome").last()
    assert (at_end["bound_low"] < at_end["estimate"]).all()
    assert (at_end["estimate"] < at_end["bound_high"]).all()
    # Every tender is closed, so the lower bounds are plain shares of all of them and the rest is unknown.
    assert at_end["bound_low"].to_dict() == pytest.approx(
        {"won": 616 / 2118, "no_decision": 109 / 2118, "lost": 61 / 2118}
    )
    assert (at_end["bound_high"] - at_end["bound_low"]).to_numpy() == pytest.approx(1332 / 2118)


def test_a_connectors_column_names_are_read_as_salesforces_own(shared_data, tmp_path):
    seeds = shared_data / "fivetran_crm_seeds" / "salesforce"
    table = pd.read_csv(seeds / "sf_opportunity_data.csv", dtype=str, keep_default_na=False)
    assert set(table["is_deleted"].str.lower()) == {"true"}  # as landed, nothing would be left
    table.assign(is_deleted="false").to_csv(tmp_path / "Opportunity.csv", index=False)
    shutil.copy(seeds / "sf_task_data.csv", tmp_path / "Task.csv")
    history = read_history(SalesforceSource(kind="salesforce", folder="."), base=tmp_path)
    frame = history.table.to_pandas()
    assert history.kind == "current_only"
    assert set(frame["deal_id"]) == set(table["id"])
    closed = frame[frame["status"] != "open"].set_index("deal_id")
    expected = table[table["is_closed"].str.lower() == "true"].set_index("id")
    assert closed["status"].map({"closed_won": "true", "closed_lost": "false"}).to_dict() == (
        expected["is_won"].str.lower().to_dict()
    )
    assert closed["closed_on"].dt.strftime("%Y-%m-%d").to_dict() == expected["close_date"].str[:10].to_dict()
    tasks = history.files[-1]
    assert (tasks.name, tasks.rows_kept + tasks.rows_rejected) == ("Task.csv", tasks.rows_read)
