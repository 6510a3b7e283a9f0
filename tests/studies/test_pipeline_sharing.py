"""A shared report of pipeline changes: no few deals in a line, and none that follow from the lines around it."""

from __future__ import annotations

import pandas as pd

from analytics.estimators.result import Listing
from analytics.studies.small_cells import protected

GROUPS = {"start": "level", "end": "level", "raised": "worth", "lowered": "worth"}


def team(name: str, deals: dict[str, int]) -> pd.DataFrame:
    rows = [(name, line, line, f"{name}, {GROUPS.get(line, 'comes')}", n, 10.0 * n) for line, n in deals.items()]
    return pd.DataFrame(rows, columns=["team", "line", "label", "group", "deals", "amount"])


def test_a_hidden_line_of_a_team_is_never_alone_among_the_lines_that_move_deals() -> None:
    north = {"start": 30, "created": 20, "reopened": 2, "raised": 9, "lowered": 8, "won": 11, "lost": 12, "end": 29}
    south = {"start": 40, "created": 20, "reopened": 0, "raised": 9, "lowered": 8, "won": 13, "lost": 12, "end": 35}
    shown = protected(Listing(pd.concat([team("North", north), team("South", south)]), "By team"), "teams", 5)
    assert isinstance(shown, Listing)
    hidden = shown.frame[shown.frame["deals"].isna()]
    assert hidden["team"].tolist() == ["North", "North"]
    assert hidden["line"].tolist() == ["reopened", "won"]  # not a raise, which moves no deal and would hide nothing
    assert hidden["amount"].isna().all()


def test_then_and_now_hides_few_deals_on_either_side_and_few_that_differ() -> None:
    frame = pd.DataFrame({
        "line": ["start", "created", "reopened", "won", "lost", "end"], "label": list("abcdef"),
        "group": ["level", *["comes"] * 4, "level"], "deals": [6, 0, 0, 1, 7, 9], "then_deals": [50, 20, 1, 15, 16, 40],
        "now_deals": [56, 20, 1, 16, 23, 37], "then_amount": 1.0, "now_amount": 2.0, "difference_amount": 1.0,
    })  # fmt: skip
    shown = protected(Listing(frame, "Then and now"), "then_and_now", 5)
    assert isinstance(shown, Listing)
    rows = shown.frame.set_index("line")
    for line in ("reopened", "won"):
        assert rows.loc[line, ["then_deals", "now_deals", "then_amount", "difference_amount"]].isna().all()
    assert rows.loc["start", "then_deals"] == 50


def test_a_flow_keeps_its_names_and_loses_its_numbers() -> None:
    rows = [("commit", "won", "commit", "won", 2, 5.0), ("pipeline", "won", "pipeline", "won", 30, 90.0),
            ("pipeline", "lost", "pipeline", "lost", 20, 60.0)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["from", "to", "from_label", "to_label", "deals", "amount"])
    shown = protected(Listing(frame, "Flows"), "flows", 5)
    assert isinstance(shown, Listing)
    assert shown.frame[["from_label", "to_label"]].values.tolist() == frame[["from_label", "to_label"]].values.tolist()
    assert shown.frame["amount"].isna().tolist() == [True, False, True]
