"""Traps 7 to 13: stages, amounts, probabilities, forecast categories, currencies."""

import datetime as dt

from trap_exports import counts, days, deals, recorded, rule, today

from analytics.records.definitions import CurrencyPolicy, Definitions

STAGES = ("Lead", "Demo", "Offer", "Terms")
MOVES = """
    deal_id recorded_on status      opened_on  stage
    A       2025-01-02  open        2025-01-02 Lead
    A       2025-01-10  open        2025-01-02 Offer
    B       2025-01-02  open        2025-01-02 Lead
    B       2025-01-12  open        2025-01-02 Demo
    B       2025-01-20  open        2025-01-02 Lead
    C       2025-01-02  open        2025-01-02 Demo
    C       2025-01-09  open        2025-01-02 Offer
    D       2025-01-02  open        2025-01-02 Lead
    D       2025-02-02  closed_lost 2025-01-02 Lost
"""


def test_trap_07_stage_skipped(tmp_path):
    history = recorded(tmp_path, MOVES)
    assert counts(history, 7, stages=STAGES) == {
        "moved past an open stage without being in it": (1, 3)
    }  # D never moved
    assert counts(history, 7, stages=STAGES, as_of=dt.date(2025, 1, 9)) == {
        "moved past an open stage without being in it": (0, 1)
    }
    assert counts(history, 7) == {}  # without an order nothing can be skipped
    qualified = deals(history, stages=STAGES, qualification_stage="Demo")["qualified_on"]
    assert days(qualified) == {"A": "2025-01-10", "B": "2025-01-12", "C": "2025-01-02", "D": "NaT"}
    # the order may come as a table, each pipeline with its own places
    order = "stage order\nLead 10\nDemo 20\nOffer 30\nTerms 40"
    assert counts(recorded(tmp_path, MOVES, side={"stages": order}), 7) == {
        "moved past an open stage without being in it": (1, 3)
    }


def test_trap_08_stage_regressed(tmp_path):
    history = recorded(tmp_path, MOVES)
    assert counts(history, 8, stages=STAGES) == {"moved back to an earlier stage": (1, 3)}
    assert counts(history, 8, stages=STAGES, as_of=dt.date(2025, 1, 19)) == {"moved back to an earlier stage": (0, 3)}
    made = deals(history, stages=STAGES, qualification_stage="Demo")
    assert made.at["B", "stage"] == "Lead"
    assert days(made["qualified_on"])["B"] == "2025-01-12"  # once reached, Demo stays reached


def test_trap_09_stages_renamed_and_contradictory(tmp_path):
    history = recorded(tmp_path, """
        deal_id recorded_on status      opened_on  stage
        A       2025-01-02  open        2025-01-02 Pitch
        B       2025-01-02  open        2025-01-02 Offer
        C       2025-01-02  open        2025-01-02 Lead
        C       2025-02-02  closed_lost 2025-01-02 Offer
        D       2025-02-02  closed_won  2025-01-02 Won
    """)  # fmt: skip
    listed = "open in a stage that the list of stages lacks (renamed or deactivated)"
    torn = "in a stage that is open for some deals and closed, or won and lost, for others (re-mapped)"
    assert counts(history, 9, stages=STAGES) == {listed: (1, 3), torn: (2, 4)}
    assert counts(history, 9) == {torn: (2, 4)}
    made = deals(history)
    assert made["outcome"].to_dict() == {"A": "open", "B": "open", "C": "lost", "D": "won"}  # the status decides
    assert made["stage"].to_dict() == {"A": "Pitch", "B": "Offer", "C": "Offer", "D": "Won"}


def test_trap_10_amounts_missing_negative_or_zeroed_at_loss(tmp_path):
    history = recorded(tmp_path, """
        deal_id recorded_on status      opened_on  amount
        A       2025-01-02  open        2025-01-02 -
        B       2025-01-02  open        2025-01-02 0
        C       2025-01-02  open        2025-01-02 -5
        D       2025-01-02  open        2025-01-02 80
        D       2025-01-20  open        2025-01-02 100
        D       2025-02-02  closed_lost 2025-01-02 0
        E       2025-01-02  open        2025-01-02 50
        E       2025-02-02  closed_won  2025-01-02 40
        F       2025-01-02  open        2025-01-02 70
        F       2025-02-02  closed_lost 2025-01-02 -
    """)  # fmt: skip
    assert counts(history, 10) == {
        "no amount": (1, 6),
        "amount 0": (1, 6),
        "amount below 0": (1, 6),
        "0 or empty once closed, with an amount while it was open": (2, 3),
    }
    amounts = deals(history)["amount"]
    assert amounts.drop("A").to_dict() == {"B": 0, "C": -5, "D": 100, "E": 40, "F": 70}
    assert amounts.isna().to_dict() == {"A": True, "B": False, "C": False, "D": False, "E": False, "F": False}


def test_trap_11_probability_in_percent_or_as_a_share(tmp_path):
    table = """
        deal_id recorded_on status      opened_on  probability
        A       2025-01-02  open        2025-01-02 {low}
        A       2025-02-02  closed_won  2025-01-02 {full}
        B       2025-01-02  open        2025-01-02 {full}
        C       2025-01-02  open        2025-01-02 {odd}
        D       2025-01-02  open        2025-01-02 -
    """
    percent = recorded(tmp_path, table.format(low=10, full=100, odd=250))
    torn = "open at 0 or 1, or closed between them"
    assert counts(percent, 11) == {
        torn: (1, 2), "probability in percent": (4, 4), "probability outside its scale": (1, 4)
    }  # fmt: skip
    assert deals(percent, as_of=dt.date(2025, 1, 15))["probability"].drop(["C", "D"]).to_dict() == {"A": 0.1, "B": 1.0}
    assert deals(percent)["probability"].isna().to_dict() == {"A": False, "B": False, "C": True, "D": True}
    shares = recorded(tmp_path, table.format(low=0.1, full=1, odd=0.25))
    assert counts(shares, 11)["probability in percent"] == (0, 4)
    assert deals(shares, as_of=dt.date(2025, 1, 15))["probability"].drop("D").to_dict() == {"A": 0.1, "B": 1, "C": 0.25}
    # what today's file says of a closed deal was not so while it was open
    closed = today(tmp_path, "deal_id opened_on status closed_on probability\nA 2025-01-02 closed_won 2025-02-01 100")
    assert deals(closed, as_of=dt.date(2025, 1, 15))["probability"].isna().all()


def test_trap_12_forecast_categories_under_one_name(tmp_path):
    history = recorded(tmp_path, """
        deal_id recorded_on status      opened_on  forecast_category
        A       2025-01-02  open        2025-01-02 Forecast
        B       2025-01-02  open        2025-01-02 Commit
        C       2025-01-02  open        2025-01-02 MostLikely
        D       2025-01-02  open        2025-01-02 Omitted
        E       2025-01-02  open        2025-01-02 BestCase
        E       2025-02-02  closed_won  2025-01-02 Pipeline
        F       2025-01-02  open        2025-01-02 Maybe
    """)  # fmt: skip
    assert counts(history, 12) == {
        "open in the category closed, or closed in another": (1, 5),
        "open and omitted from forecasts": (1, 4),
        "forecast category that no rule names": (1, 7),
    }
    named = deals(history)["forecast_category"].drop("F").to_dict()
    assert named == {"A": "commit", "B": "commit", "C": "most_likely", "D": "omitted", "E": "pipeline"}
    assert deals(history).at["D", "outcome"] == "open"  # omitted deals are at risk like any other


def test_trap_13_a_push_across_a_rate_change_revalues_nothing(tmp_path):
    rates = "currency valid_from rate\nEUR 2025-01-01 1.10\nEUR 2025-02-01 1.25"
    history = recorded(tmp_path, """
        deal_id recorded_on status opened_on  expected_close_on amount currency
        A       2025-01-10  open   2025-01-10 2025-01-31        100    EUR
        A       2025-02-20  open   2025-01-10 2025-02-28        100    EUR
        B       2025-01-10  open   2025-01-10 2025-01-15        200    EUR
        B       2025-01-12  open   2025-01-10 2025-01-20        200    EUR
        C       2025-02-10  open   2025-02-10 2025-03-01        300    USD
        D       2025-02-10  open   2025-02-10 2025-03-01        400    EUR
    """, side={"fx_rates": rates})  # fmt: skip
    opening = {"currency": CurrencyPolicy(report_in="USD", policy="rate_at_opening")}
    assert counts(history, 13, **opening) == {
        "in another currency than most (EUR, USD)": (1, 4),
        "converted into USD": (3, 4),
        "close date moved across a change of the exchange rate": (1, 2),
    }
    assert rule(history, 13, definitions=Definitions(**opening)) == [
        "converted at the rate of the opening day", "not re-valued: the close date chooses no rate",
    ]  # fmt: skip
    before = deals(history, as_of=dt.date(2025, 2, 19), **opening)
    after = deals(history, **opening)
    assert before["amount"].round(6).to_dict() == {"A": 110, "B": 220, "C": 300, "D": 500}
    assert before["amount"].equals(after["amount"])  # pushed from January into February, and worth the same
    assert days(after["expected_close_on"])["A"] == "2025-02-28"
    plan = {"currency": CurrencyPolicy(report_in="USD", policy="plan_rate", rates={"EUR": 1.2})}
    assert deals(history, **plan)["amount"].round(6).to_dict() == {"A": 120, "B": 240, "C": 300, "D": 480}
    kept = deals(history)
    assert kept["currency"].to_dict() == {"A": "EUR", "B": "EUR", "C": "USD", "D": "EUR"}
