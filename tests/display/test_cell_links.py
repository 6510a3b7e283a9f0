"""Numbers that open lists: a link stands on the right number, or there is none."""

from __future__ import annotations

import html
import re

import pandas as pd
import pytest

from analytics.display.cell_links import LinkedColumn, linked
from analytics.display.tables import listing_table
from analytics.estimators.cell_deals import with_deals
from analytics.estimators.result import Estimate, Finding, Listing, Meta

FRAME = pd.DataFrame({"label": ["won", "lost <b>", "open"], "deals": [1200, 7, 7], "zero_amount_deals": [7, 0, 1]})


def block(frame: pd.DataFrame = FRAME, name: str = "closed") -> str:
    return str(listing_table(Listing(frame, "What closed", saved_as=name)).html())


def column(texts: list[str], addresses: list[str], *, heading: str = "Deals", by_text: bool = False) -> LinkedColumn:
    return LinkedColumn(heading, texts, addresses, by_text)


def anchors(text: str) -> list[tuple[str, str]]:
    return [(html.unescape(one), two) for one, two in re.findall(r'<a href="([^"]*)"[^>]*>([^<]*)</a>', text)]


def test_each_number_leads_to_its_own_row() -> None:
    found = linked(block(), {"closed": [column(["1,200", "7", "7"], ["#a", "", "#c"])]})
    assert anchors(found) == [("#a", "1,200"), ("#c", "7")]
    assert re.sub(r"</?a\b[^>]*>", "", found) == block()


def test_a_table_that_shows_its_first_rows_only_is_linked_as_far_as_it_goes() -> None:
    found = linked(block(FRAME.head(2)), {"closed": [column(["1,200", "7", "7"], ["#a", "#b", "#c"])]})
    assert anchors(found) == [("#a", "1,200"), ("#b", "7")]


@pytest.mark.parametrize(
    "texts", [["7", "1,200", "7"], ["1,200", "7"], ["1,201", "7", "7"]], ids=["other order", "fewer", "another"]
)
def test_a_table_that_shows_other_rows_is_left_alone(texts: list[str]) -> None:
    assert linked(block(), {"closed": [column(texts, ["#a"] * len(texts))]}) == block()


def test_a_table_of_another_result_and_a_column_that_is_not_there_are_left_alone() -> None:
    assert linked(block(), {"other": [column(["1,200", "7", "7"], ["#a", "#b", "#c"])]}) == block()
    assert linked(block(), {"closed": [column(["1,200", "7", "7"], ["#a"] * 3, heading="Events")]}) == block()
    assert linked("<p>no table</p>", {"closed": [column(["1"], ["#a"])]}) == "<p>no table</p>"


def test_an_address_cannot_leave_its_attribute() -> None:
    found = linked(block(), {"": [column(["lost <b>"], ['#"><script>'], heading="What", by_text=True)]})
    assert '"#&quot;&gt;&lt;script&gt;"' in found
    assert "<script>" not in found
    assert "lost &lt;b&gt;</a>" in found


def test_a_list_that_would_not_hold_as_many_deals_as_its_number_says_is_not_kept() -> None:
    frame = pd.DataFrame({"outcome": ["won", "lost", "open"], "deals": [2, 1, float("nan")]})
    found = with_deals(Listing(frame, "x"), deals=[["A", "A"], ["B", "C"], ["D"]])
    assert found.deals is not None
    assert found.deals.values.tolist() == [[0, "deals", "A"], [0, "deals", "A"]]
    assert found.frame is frame
    finding = Finding("x", "x", "", "not studied")
    assert with_deals(finding, deals=[["A"]]) is finding


def test_the_deals_stay_with_an_estimate_that_is_stamped() -> None:
    frame = pd.DataFrame({"outcome": ["won"], "estimate": [0.5], "conf_low": [0.4], "conf_high": [0.6], "n_event": [1]})
    found = with_deals(Estimate(frame, Meta("probability", "share", ("outcome",), 2)), n_event=[["A"]])
    assert found.stamped(saved_as="x").deals is found.deals
