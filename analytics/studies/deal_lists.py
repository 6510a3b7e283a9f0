"""The deals behind the numbers of a company's own report: which cells open a list, and the page of the lists."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

import pandas as pd

from analytics.display import tables
from analytics.display.cell_links import LinkedColumn, deals_page
from analytics.display.cells import cell, heading
from analytics.display.wording import day
from analytics.estimators.result import Estimate, Listing
from analytics.studies import store
from analytics.studies.index import FRONT
from analytics.studies.places import RESULTS
from analytics.studies.redaction import hidden_in
from analytics.studies.study import Study

Counted: TypeAlias = Estimate | Listing
PAGE = "deals.html"
EVERYWHERE = ""
"""Under this name the columns that are linked in every table of a page."""
FACTS = (
    "deal_id", "account_id", "owner_id", "opened_on", "stage", "outcome", "closed_on", "amount", "currency",
)  # fmt: skip


def crm_url(template: str, deal_id: str) -> str:
    """Return the address of a deal in the CRM.

    Examples
    --------
    >>> crm_url("https://crm.example.com/deal/{deal_id}/view", 'a"b/../c')
    'https://crm.example.com/deal/a%22b%2F..%2Fc/view'
    """
    return template.replace("{deal_id}", quote(deal_id, safe=""))


def cell_links(folder: Path, notebook: str, template: str | None) -> dict[str, list[LinkedColumn]]:
    """Say which columns of a notebook's tables lead to lists of deals, and which to the CRM.

    Parameters
    ----------
    folder : pathlib.Path
        The run's folder, the notebook's results saved in it.
    notebook : str
        Its name.
    template : str or None
        `crm_url_template` of the company.
    """
    results = folder / RESULTS / notebook
    columns: dict[str, list[LinkedColumn]] = {}
    listed: dict[str, str] = {}
    for name in store.names(results):
        result = store.read(results, name)
        if isinstance(result, Listing) and result.private and "deal_id" in result.frame:
            listed |= {cell("deal_id", str(deal)): str(deal) for deal in result.frame["deal_id"].dropna()}
        deals = store.read_deals(results, name)
        if deals is not None and isinstance(result, Estimate | Listing):
            columns[name] = _linked_columns(notebook, name, _shown(result), deals)
    if template and listed:
        addresses = [crm_url(template, deal) for deal in listed.values()]
        column = LinkedColumn(heading("deal_id"), list(listed), addresses, by_text=True)
        columns.setdefault(EVERYWHERE, []).append(column)
    return columns


def links_of(folder: Path, notebook: str, name: str, rows: Collection[int] | None = None) -> list[LinkedColumn]:
    """Say which columns of one result's table lead to lists of deals; none where the run has no such lists.

    Parameters
    ----------
    folder : pathlib.Path
        The run's folder, its page of lists written.
    notebook, name : str
        The notebook and the result.
    rows : collection of int, optional
        The rows that the table is made of, where it is not all.

    Examples
    --------
    >>> links_of(Path("no-run"), "01_quarter", "win_rates")
    []
    """
    deals = store.read_deals(folder / RESULTS / notebook, name) if (folder / PAGE).is_file() else None
    result = store.read(folder / RESULTS / notebook, name) if deals is not None else None
    if deals is None or not isinstance(result, Estimate | Listing):
        return []
    shown = _shown(result)
    return _linked_columns(notebook, name, shown if rows is None else shown[shown.index.isin(rows)], deals)


def _shown(result: Counted) -> pd.DataFrame:
    """The rows of a result's table, in their order."""
    return result.read_at() if isinstance(result, Estimate) else result.frame


def _linked_columns(notebook: str, name: str, shown: pd.DataFrame, deals: pd.DataFrame) -> list[LinkedColumn]:
    found = []
    for column in dict.fromkeys(deals["column"]):
        having = set(deals.loc[deals["column"] == column, "row"])
        keys = [address(notebook, name, row, column) if row in having else "" for row in shown.index]
        texts = [cell(column, value) for value in shown[column]]
        found.append(LinkedColumn(heading(column), texts, [key and f"{PAGE}#{key}" for key in keys]))
    return found


def address(notebook: str, name: str, row: int, column: str) -> str:
    """Return the part after # in the address of a list."""
    return f"{notebook}/{name}/{row}/{column}"


def row_words(result: Counted, row: int) -> str:
    """Say in words which row of a table it is: its label and keys, as the table shows them."""
    frame = result.frame
    labels = [name for name in frame.columns if name == "label" or name.endswith("_label")]
    if isinstance(result, Estimate):
        keys = [key for key in result.meta.keys if key not in (*tables.CODES, *labels) or not labels]
    else:
        keys = [name for name in ("team", "currency") if name in frame and frame[name].nunique() > 1]
    if not labels and not keys:
        keys = [str(name) for name in frame.columns if frame[name].dtype == object][:2]
    if labels and not frame.duplicated(labels).any():
        keys = []
    named = [(str(name), cell(str(name), frame[name].iloc[row])) for name in dict.fromkeys([*labels, *keys])]
    texts = [f"day {text}" if name == "time" else text for name, text in named]
    return ", ".join(text for text in texts if text)


def deal_lists(study: Study, folder: Path, secrets: Sequence[str] = ()) -> str | None:
    """Return the page of all lists of one run; None where there is none, or where the report is shared.

    Parameters
    ----------
    study : Study
        The opened study; what is said about a deal is what was known at its as-of date.
    folder : pathlib.Path
        The run's folder.
    secrets : sequence of str
        Passwords that must not appear; nobody could find them in the page, since its data are packed.
    """
    if study.sharing.safe:
        return None
    known = study.known_deals.sort_values("episode", kind="stable").drop_duplicates("deal_id", keep="last")
    known = known.set_index(known["deal_id"].astype(str))
    places: dict[str, int] = {}
    sets: dict[tuple[int, ...], int] = {}
    lists: dict[str, tuple[str, str, int]] = {}
    for key, of, what, deals in _lists(folder / RESULTS):
        numbers = tuple(sorted(places.setdefault(deal, len(places)) for deal in deals))
        lists[key] = (of, what, sets.setdefault(numbers, len(sets)))
    if not lists:
        return None
    columns = [name for name in FACTS if name in known]
    rows, lists = hidden_in(([_said(known, deal, columns) for deal in places], lists), secrets)
    return deals_page(
        title=f"The deals behind the numbers: {study.title}, {study.quarter.name}",
        subtitle=f"As known at the end of {day(study.as_of)}. This page names deals: it is the company's own.",
        heads=[heading(name) for name in columns], deals=rows, sets=[_steps(numbers) for numbers in sets], lists=lists,
        link=study.params.crm_url_template or "", home=FRONT,
    )  # fmt: skip


def _steps(places: tuple[int, ...]) -> list[int]:
    """Write rising places as the first one and the steps between them: half the bytes."""
    return [now - before for before, now in zip((0, *places), places, strict=False)]


def _lists(results: Path) -> Iterator[tuple[str, str, str, list[str]]]:
    """Give every list of a run: its address, which table it is of, which number, and its deals."""
    for folder in sorted(path for path in results.glob("*") if path.is_dir()):
        for name in store.names(folder):
            deals = store.read_deals(folder, name)
            result = store.read(folder, name) if deals is not None else None
            if deals is None or not isinstance(result, Estimate | Listing):
                continue
            title = result.title if isinstance(result, Listing) else name.replace("_", " ")
            groups: Any = deals.groupby(["row", "column"], sort=False)["deal_id"]
            for (row, column), mine in groups:
                counted = "" if column == "deals" else heading(column).lower()
                what = ", ".join(text for text in (row_words(result, row), counted) if text)
                yield address(folder.name, name, row, column), title, what, mine.tolist()


def _said(known: pd.DataFrame, deal: str, columns: list[str]) -> list[str]:
    if deal not in known.index:
        return [deal, *[""] * (len(columns) - 1)]
    return [deal, *(cell(name, known.at[deal, name]) for name in columns[1:])]
