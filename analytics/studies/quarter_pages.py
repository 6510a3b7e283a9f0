"""Pages that lay published quarters side by side: two of them (`compare`), or all of them (`trend`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from analytics.display import figures, tables
from analytics.display.findings import finding_cards
from analytics.display.page import PLOTLY, Numbers, notebook_page
from analytics.display.rendering import figure_json
from analytics.display.wording import day
from analytics.estimators.result import Estimate, Finding, Listing
from analytics.studies import store
from analytics.studies.beside import FIGURES
from analytics.studies.changed_definitions import changes
from analytics.studies.saved_runs import SavedRun
from analytics.studies.views import PUBLISHED, View, moved

TWICE = (
    "The same deals looked at twice: what moved was recorded since, or counted otherwise. That is no matter of chance, "
    "so it has no interval. "
    "Where the reports of both runs are the company's own, they list the deals behind each number."
)
SHOWN = ["n_event", "n_deals", "n_accounts", "horizon_reached", "as_of", "followed_to", "definitions"]
MOVED = ["period", "outcome", "estimate_then", "estimate_now", "change", "events_then", "events_now", "deals_then",
         "deals_now", "followed_to_then", "followed_to_now", "definitions"]  # fmt: skip
MOST_DRAWN = 12
"""Changes in one figure; of more only those of deals won are drawn, and the table has all."""
CHANGED = ["estimate_then", "estimate_now", "n_deals_then", "n_deals_now", "smallest_reliable_change", "verdict"]


class Page:
    """A page in the making: its blocks in order, and the results behind them, which are saved beside it."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.results: dict[str, Estimate | Listing] = {}
        self._cells: list[dict[str, Any]] = []

    def say(self, markdown: str) -> None:
        """Add words of our own; what comes from params or records belongs in a table or a card, which escape it."""
        self._cells.append({"cell_type": "markdown", "metadata": {}, "source": markdown})

    def save(self, name: str, result: Any) -> Any:
        """Keep a result under a name, and return it with that name."""
        if isinstance(result, Estimate):
            result = result.stamped(saved_as=name)
        elif isinstance(result, Listing):
            result = dataclasses.replace(result, saved_as=name)
        self.results[name] = result
        return result

    def show(self, block: Any) -> None:
        """Add a figure, a table or cards."""
        if hasattr(block, "to_plotly_json"):
            data: Mapping[str, Any] = {PLOTLY: figure_json(block)}
        else:
            data = block._repr_mimebundle_()
        output = {"output_type": "display_data", "data": data, "metadata": {}}
        place = f"q{len(self._cells)}"
        self._cells.append({"cell_type": "code", "id": place, "metadata": {}, "source": "", "outputs": [output]})

    def tell(self, sentence: str, detail: str = "") -> None:
        """Add a sentence as a card: something that could not be told, or not be compared."""
        if sentence:
            self.show(finding_cards(Finding("said", sentence, detail, "not studied")))

    def write(self, folder: Path, facts: Sequence[tuple[str, str]], *, home: str) -> Path:
        """Write the results and figures, then the page, each whole or not at all.

        `home` leads back to the newest report on it; the figures are what `winloss export` draws.
        """
        from nbconvert.filters import markdown2html

        for name, result in self.results.items():
            store.write(folder / "results", name, result)
        store.write_json(folder / FIGURES, {"cells": self._cells})
        saved = {name: Numbers(f"results/{name}.csv") for name in self.results}
        shown: dict[str, Any] = {"markdown": markdown2html, "facts": facts, "saved": saved, "home": home}
        store.write_text(folder / "index.html", notebook_page({"cells": self._cells}, title=self.title, **shown))
        return folder / "index.html"


def show_shares(page: Page, shares: Estimate, title: str) -> None:
    """Show the shares of quarters in a figure and a table of the same numbers."""
    shares = page.save("quarters", shares)
    page.show(figures.plot_quarters(shares, title=title))
    page.show(tables.estimate_table(shares, title="The same in numbers", columns=_telling(shares.frame, SHOWN)))


def show_changes(page: Page, found: Estimate | None, said: Sequence[str], title: str) -> None:
    """Show the changes between quarters, and say which pairs were not compared and why."""
    for sentence in dict.fromkeys(said):
        page.tell(sentence)
    if found is None:
        return
    changed = page.save("changes", found)
    drawn = changed
    if len(changed.frame) > MOST_DRAWN:
        drawn, title = Estimate(changed.at(outcome="won"), changed.meta), f"{title}: won"
    page.show(figures.plot_quarter_changes(drawn, title=title))
    page.show(tables.estimate_table(changed, title="The changes in numbers", columns=CHANGED))


def show_moved(page: Page, pairs: Sequence[tuple[View, View]]) -> None:
    """Show what moved between a quarter's figures as published and as known now."""
    page.say(f"## What moved since\n\n{TWICE}")
    listing = moved(pairs)
    if listing is not None:
        page.show(tables.listing_table(page.save("moved", listing), columns=_telling(listing.frame, MOVED)))
    elif any(view.run.safe for pair in pairs for view in pair):
        page.tell(
            "What moved is not listed in a report for sharing.", "Two counts of few deals tell which deals moved."
        )
    else:
        page.tell(
            "Nothing is known of these quarters beyond what was published.", "Run one of them again, or a later one."
        )


def show_definitions(page: Page, runs: Sequence[SavedRun]) -> None:
    """Name every definition or parameter that changed from one run to the next."""
    rows = []
    for then, now in pairwise(runs):
        for change in changes(then, now):
            effect = "not compared" if change.stops else "compared; read it with this"
            between = f"{then.quarter} of {then.as_of} and {now.quarter} of {now.as_of}"
            rows.append(
                {"between": between, "what": change.name, "then": change.then, "now": change.now, "effect": effect}
            )
    page.say("## Definitions and parameters that changed")
    if rows:
        page.show(
            tables.listing_table(page.save("definitions", Listing(pd.DataFrame(rows), "What changed between runs")))
        )
    else:
        page.say("None: all of these runs counted by the same ones, as long after their quarters' ends.")


def _telling(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Leave out the horizon that every row reaches, and definitions where none differs."""
    says = {"horizon_reached": frame.get("horizon_reached", pd.Series(dtype=float)).nunique() > 1}
    says["definitions"] = bool(frame["definitions"].ne("").any())
    return [name for name in columns if says.get(name, True)]


def facts_of(views: Sequence[View]) -> list[tuple[str, str]]:
    """Say of every quarter which run its figures are from."""
    return [
        (
            f"{view.period}, {view.view}",
            f"the run of {view.run.quarter} as of {day(view.run.as_of)}, {_which(view)}",
        )
        for view in views
    ]


def _which(view: View) -> str:
    return "first published" if view.view == PUBLISHED else "the latest that knows the quarter"
