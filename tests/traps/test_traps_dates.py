"""Traps 1 to 6: dates that contradict each other; deals that were never open, or open again."""

import datetime as dt

import pytest
from trap_exports import counts, days, deals, recorded, today

from analytics.questions.data_health import never_open


def test_trap_01_typed_close_date_against_the_moment_of_closing(tmp_path):
    history = recorded(tmp_path, """
        deal_id recorded_on status      opened_on  closed_on
        A       2025-01-02  open        2025-01-02 -
        A       2025-02-10  closed_won  2025-01-02 2025-02-01
        B       2025-01-02  open        2025-01-02 -
        B       2025-02-10  closed_lost 2025-01-02 2025-02-10
        C       2025-01-02  open        2025-01-02 -
        C       2025-04-15  closed_lost 2025-01-02 2025-02-10
        D       2025-01-02  open        2025-01-02 -
        D       2025-03-01  closed_won  2025-01-02 -
    """)  # fmt: skip
    assert counts(history, 1) == {
        "typed and recorded closing day differ (median 36.5 days)": (2, 3),  # 9 and 64 days
        "they differ by more than 7 days": (2, 3),
        "they differ by more than 30 days": (1, 3),
        "of those that differ, the typed day is used": (2, 2),
    }
    assert counts(history, 1, close_date="recorded")["of those that differ, the typed day is used"] == (0, 2)
    typed = {"A": "2025-02-01", "B": "2025-02-10", "C": "2025-02-10", "D": "NaT"}
    assert days(deals(history)["typed_close_on"]) == typed
    assert days(deals(history)["closed_on"]) == typed | {"D": "2025-03-01"}
    by_record = deals(history, close_date="recorded")
    assert days(by_record["closed_on"]) == {"A": "2025-02-10", "B": "2025-02-10", "C": "2025-04-15", "D": "2025-03-01"}
    assert days(by_record["typed_close_on"]) == typed  # both are kept, whichever is chosen
    early = counts(history, 1, as_of=dt.date(2025, 3, 31))
    assert early["typed and recorded closing day differ (median 9 days)"] == (1, 2)  # C was not known yet


def test_trap_02_close_dates_in_the_future_and_in_2215(tmp_path):
    history = recorded(tmp_path, """
        deal_id recorded_on status      opened_on  closed_on
        A       2025-01-02  open        2025-01-02 -
        A       2025-03-05  closed_won  2025-01-02 2025-06-30
        B       2025-01-02  open        2025-01-02 -
        B       2025-03-06  closed_lost 2025-01-02 2215-03-01
        C       2025-01-02  open        2025-01-02 -
        C       2025-03-07  closed_won  2025-01-02 2025-03-07
    """)  # fmt: skip
    assert history.rejects.empty
    assert counts(history, 2) == {
        "close date later than the day on which it was recorded as closed": (2, 3),
        "close date more than 10 years later": (1, 3),
    }
    made = deals(history)
    assert days(made["closed_on"]) == {"A": "2025-03-05", "B": "2025-03-06", "C": "2025-03-07"}
    assert days(made["typed_close_on"]) == {"A": "2025-06-30", "B": "2215-03-01", "C": "2025-03-07"}


def test_trap_02_todays_file_knows_a_future_closing_by_the_day_of_the_extract(tmp_path):
    table = """
        deal_id opened_on  status      closed_on
        A       2025-01-02 closed_won  2215-03-01
        B       2025-01-05 closed_lost 2025-04-10
        C       2025-01-05 closed_won  2025-06-30
    """
    made = deals(today(tmp_path, table, extracted_on="2025-04-30"))
    assert made["outcome"].to_dict() == {"A": "won", "B": "lost", "C": "won"}
    assert days(made["closed_on"]) == {"A": "2025-04-30", "B": "2025-04-10", "C": "2025-04-30"}
    # on which day they closed nobody knows: after the opening, and not later than the extract
    assert days(made["closed_after"]) == {"A": "2025-01-02", "B": "NaT", "C": "2025-01-05"}
    # without the day of the extract only what is beyond any sense can be seen
    unstated = today(tmp_path, table)
    assert days(deals(unstated)["closed_on"]) == {"A": "2025-06-30", "B": "2025-04-10", "C": "2025-06-30"}
    assert counts(unstated, 2)["close date more than 10 years later"] == (1, 3)


def test_trap_03_open_past_its_expected_close_date(tmp_path):
    history = recorded(tmp_path, """
        deal_id recorded_on status      opened_on  expected_close_on
        A       2025-01-02  open        2025-01-02 2025-02-01
        B       2025-01-02  open        2025-01-02 2025-06-01
        C       2025-01-02  open        2025-01-02 -
        D       2025-01-02  open        2025-01-02 2025-02-01
        D       2025-02-20  closed_lost 2025-01-02 2025-02-01
    """)  # fmt: skip
    what = "open past its expected close date"
    assert counts(history, 3, as_of=dt.date(2025, 3, 1)) == {what: (1, 2)}
    assert counts(history, 3, as_of=dt.date(2025, 2, 1)) == {what: (0, 3)}  # the day itself is not past
    made = deals(history, as_of=dt.date(2025, 3, 1))
    assert made["outcome"].to_dict() == {"A": "open", "B": "open", "C": "open", "D": "lost"}
    assert made.at["A", "exit"] == 58


def test_trap_04_created_after_closed_and_imports(tmp_path):
    imports = "\n".join(f"i{n} 2025-01-10 closed_won 2025-01-10" for n in range(10))
    history = today(tmp_path, f"""
        deal_id opened_on  status      closed_on
        A       2025-03-02 closed_lost 2025-02-03
        B       2025-03-02 closed_won  2025-04-03
        C       2025-02-01 closed_won  2025-02-01
        {imports}
    """)  # fmt: skip
    assert counts(history, 4) == {
        "closed before it was opened": (1, 13),
        "opened and closed on one day, together with 9 or more others: an import": (10, 13),  # C is alone on its day
    }
    made = deals(history)
    assert "A" not in made.index  # left out, with a line of the attrition
    assert made.loc["i0", ["entry", "exit", "outcome"]].tolist() == [-1, 0, "won"]


def test_trap_05_born_closed_or_walked_through_on_one_day(tmp_path):
    history = recorded(tmp_path, """
        deal_id recorded_on status      opened_on  closed_on
        A       2025-01-10  closed_won  2025-01-02 2025-01-05
        B       2025-01-10  open        2025-01-10 -
        B       2025-01-10  closed_won  2025-01-10 2025-01-10
        C       2025-01-10  open        2025-01-10 -
        C       2025-03-10  closed_lost 2025-01-10 2025-03-10
        D       2025-01-10  open        2025-01-10 -
    """)  # fmt: skip
    assert counts(history, 5) == {
        "already closed when first recorded": (1, 3),
        "opened and closed on one day": (1, 3),
    }
    shares = never_open(deals(history).reset_index()).frame
    assert shares[["item", "n_event", "n_risk", "estimate"]].values.tolist() == [
        ["all", 2, 3, pytest.approx(2 / 3)], ["not_born_closed", 1, 2, 0.5], ["open_for_a_day", 0, 1, 0.0],
    ]  # fmt: skip


def test_trap_06_reopened(tmp_path):
    history = recorded(tmp_path, """
        deal_id recorded_on status      opened_on  closed_on
        A       2025-01-02  open        2025-01-02 -
        A       2025-02-01  closed_lost 2025-01-02 2025-02-01
        A       2025-03-01  open        2025-01-02 -
        A       2025-04-01  closed_won  2025-01-02 2025-04-01
        B       2025-01-02  open        2025-01-02 -
        B       2025-02-01  closed_won  2025-01-02 2025-02-01
    """)  # fmt: skip
    what = "open again after it was closed"
    assert counts(history, 6) == {what: (1, 2)}
    assert counts(history, 6, as_of=dt.date(2025, 2, 28)) == {what: (0, 2)}
    assert deals(history)["outcome"].to_dict() == {"A": "lost", "B": "won"}  # curves: the first closing
    assert deals(history, episodes="last")["outcome"].to_dict() == {"A": "won", "B": "won"}  # the ledger
    assert counts(today(tmp_path, "deal_id opened_on status closed_on\nA 2025-01-02 closed_won 2025-02-01"), 6) == {}
