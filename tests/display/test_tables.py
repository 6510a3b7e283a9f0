"""Tables say the Estimate's numbers, are stable, escaped, and carry their notes below."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from display_samples import HOSTILE, against, attrition, bridge, findings, incidence, win_rates

from analytics.display import tables
from analytics.display.findings import Cards
from analytics.display.tables import Table
from analytics.estimators.result import Estimate, Listing


def table(value: Table | Cards) -> Table:
    assert isinstance(value, Table)
    return value


def test_an_estimate_shows_its_interval_and_its_n() -> None:
    made = table(tables.estimate_table(win_rates(), title="Win rates"))
    row = win_rates().frame.iloc[0]
    low, high = round(100 * row["conf_low"]), round(100 * row["conf_high"])
    assert made.frame.iloc[0]["Share (95 % interval)"] == f"{100 * row['estimate']:.0f}\u00a0% ({low}–{high})"
    assert made.frame.iloc[0]["At risk"] == "148"
    assert "n = 868 deals of 260 accounts, as of 31 January 2026" in made.footnote


def test_a_number_without_meaning_is_not_shown_proudly() -> None:
    made = table(tables.estimate_table(win_rates(), title="Win rates"))
    assert made.frame.iloc[2]["Share (95 % interval)"] == "not meaningful (100\u00a0%) [1]"
    assert "[1] Not meaningful: 61 of 61 lost deals carry amount 0." in made.footnote


def test_rendering_is_stable_inline_and_escaped() -> None:
    made = table(tables.estimate_table(win_rates(hostile=True), title=HOSTILE, name="Win rates!"))
    first, second = made.html(), table(tables.estimate_table(win_rates(hostile=True), title=HOSTILE, name="x")).html()
    assert first == made.html()
    assert 'id="win-rates"' in first
    assert 'id="x"' in second
    assert "<style" not in first
    assert "<img" not in first
    assert "&lt;img" in first
    assert "R&amp;D" in first


def test_plain_text_is_the_same_table() -> None:
    made = table(tables.estimate_table(against(), title="Changes"))
    text = made._repr_mimebundle_()["text/plain"]
    assert text.startswith("Changes")
    assert "−3.1 (−10.0 to +3.8)" in text
    assert "±12.8" in text
    assert "GT(" not in text


def test_a_curve_is_shown_at_the_times_asked_for() -> None:
    made = table(tables.estimate_table(incidence(), title="Incidence", times=(30, 365)))
    assert made.frame["Day"].tolist() == ["30"] * 3 + ["365"] * 3
    row = incidence().at(outcome="won", time=30).iloc[0]
    assert made.frame.iloc[0]["Share (95 % interval)"].startswith(f"{100 * row['estimate']:.0f}\u00a0%")
    assert len(table(tables.estimate_table(incidence(), title="Incidence")).frame) == 12


def test_a_listing_shows_every_row_in_words() -> None:
    made = table(tables.listing_table(bridge()))
    assert made.frame["Change"].tolist() == ["−21.1", "−20.0", "−6.6"]
    assert made.frame["From"].iloc[0] == "Closed, count: won / (won + lost)"
    assert made.frame["To rate"].tolist() == ["37.7\u00a0%", "11.1\u00a0%", "11.1\u00a0%"]
    counts = table(tables.listing_table(attrition()))
    assert counts.frame["Deals"].iloc[0] == "18,240"
    assert "Deals" in counts.numeric
    assert "Rule" not in counts.numeric


def test_a_long_listing_is_cut_with_a_word_about_it() -> None:
    long = Listing(pd.DataFrame({"deal_id": [f"d{i}" for i in range(250)]}), "Deals")
    made = table(tables.listing_table(long))
    assert len(made.frame) == tables.MOST_ROWS
    assert "The first 200 of 250 rows" in made.footnote


def test_missing_values_are_empty_and_never_nan() -> None:
    frame = pd.DataFrame(
        {"a": [1.0, np.nan], "b": [None, "x"], "day": [pd.Timestamp("2026-01-31"), pd.NaT], "ok": [True, False]}
    )
    made = table(tables.listing_table(Listing(frame, "Mixed")))
    assert made.frame.to_numpy().tolist() == [["1", "", "2026-01-31", "yes"], ["", "x", "", "no"]]
    assert not re.search(r"\bnan\b|NaT|None", made.text())
    rates = win_rates().frame.copy()
    rates.loc[1, ["estimate", "conf_low", "conf_high"]] = np.nan
    rates["no_interval_reason"] = ["", "nobody at risk", *[""] * 5]
    shown = table(tables.estimate_table(Estimate(rates, win_rates().meta), title="Rates"))
    assert shown.frame.iloc[1]["Share (95 % interval)"] == "– [1]"
    assert "[1] Nobody at risk." in shown.footnote


def test_an_empty_listing_says_so() -> None:
    made = table(tables.listing_table(Listing(pd.DataFrame({"reason": []}), "Rejected rows")))
    assert made.subtitle == "No rows."
    assert "No rows." in made.html()


def test_a_finding_in_its_place_is_a_card() -> None:
    assert isinstance(tables.estimate_table(findings()[0], title="x"), Cards)
    assert isinstance(tables.listing_table(findings()[0]), Cards)


def test_headings_are_words_of_a_reader_and_not_of_a_database() -> None:
    frame = pd.DataFrame({"label": ["account"], "words": ["said"], "what_it_takes": ["quotas"], "n_deals": [3]})
    made = table(tables.listing_table(Listing(frame, "Words")))
    assert list(made.frame.columns) == ["What", "In words", "What it takes", "Deals"]
