"""What the numbers of a Dynamics export mean: states, status reasons, sales stages, currencies, ids."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.errors import InputError, shortened
from analytics.records.sources.conform import Rows
from analytics.records.sources.dynamics.mapping import DynamicsSource
from analytics.records.sources.objects import column_of, plain_name

STATES = {
    "0": "open",
    "open": "open",
    "1": "closed_won",
    "won": "closed_won",
    "2": "closed_lost",
    "lost": "closed_lost",
}
"""statecode (number, or label in lower case) -> status."""

STATUS_REASONS = {"1": "In Progress", "2": "On Hold", "3": "Won", "4": "Canceled", "5": "Out-Sold"}
"""The status reasons that every company has; `On Hold` is open."""

STATE_OF_REASON = {
    "inprogress": "open", "onhold": "open", "won": "closed_won", "canceled": "closed_lost", "outsold": "closed_lost",
}  # fmt: skip
"""Which state a status reason belongs to, where the vendor says it."""

SALES_STAGES = {"0": "Qualify", "1": "Develop", "2": "Propose", "3": "Close"}

FORECAST = {
    "100000001": "pipeline", "100000002": "best_case", "100000003": "commit", "100000004": "omitted",
    "100000005": "closed", "100000006": "omitted", "lost": "omitted",
}  # fmt: skip
"""msdyn_forecastcategory; a lost deal is no longer forecast."""

GUID = re.compile(r"\{?([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}?")
REFERENCE = re.compile(r"[a-z][a-z0-9_]*,(.+)")


def plain_id(text: str | None) -> str | None:
    """Write a GUID in one way: lower case, without braces; what is no GUID stays.

    Examples
    --------
    >>> plain_id("{0E9F8A2B-1111-2222-3333-444455556666}"), plain_id("Contoso")
    ('0e9f8a2b-1111-2222-3333-444455556666', 'Contoso')
    """
    found = GUID.fullmatch(text) if text else None
    return found.group(1).lower() if found else text


def referenced(text: str | None) -> str | None:
    """Return the id of what audit refers to (`systemuser,0e9f…`), or the text as it is."""
    found = REFERENCE.fullmatch(text) if text else None
    return plain_id(found.group(1)) if found and GUID.fullmatch(found.group(1)) else plain_id(text)


def statuses(texts: pd.Series, column: str = "statecode") -> pd.Series:
    """Read states as statuses of the contract; missing stays missing.

    Raises
    ------
    InputError
        For a state that is none of Open, Won and Lost.
    """
    found = pd.Series([None if text is None else STATES.get(text.lower()) for text in texts], texts.index, dtype=object)
    strange = texts[texts.notna() & found.isna()]
    if len(strange):
        said = shortened(str(strange.iloc[0]))
        raise InputError(
            "nothing says whether this state is open, won or lost",
            column=column,
            value=strange.iloc[0],
            action=f"Name it in the params: values: {{{column}: {{{said}: Won}}}}, or Open, or Lost",
        )
    return found


def reason_labels(source: DynamicsSource, deals: pd.DataFrame) -> dict[str, str]:
    """Number of a status reason -> label: the vendor's, then what the export itself says, then the params'."""
    codes, names = column_of(deals, "statuscode"), column_of(deals, "statuscodename")
    said = {code: name for code, name in zip(codes, names, strict=True) if code is not None and name is not None}
    return STATUS_REASONS | said | source.status_reasons


def loss_reasons(texts: pd.Series, lost: pd.Series, labels: Mapping[str, str]) -> pd.Series:
    """Name the status reasons of lost states; empty elsewhere.

    Raises
    ------
    InputError
        For a number of which nothing says the label.
    """
    named = pd.Series([None if text is None else labels.get(text, text) for text in texts], texts.index, dtype=object)
    unnamed = texts[lost & named.map(lambda label: label is not None and label.isdigit())]
    if len(unnamed):
        raise InputError(
            "nothing says what this status reason means",
            column="statuscode",
            value=unnamed.iloc[0],
            action=f'Name it under status_reasons: in the params ({{"{unnamed.iloc[0]}": its label}})',
        )
    return named.where(lost, None)


def stage_names(texts: pd.Series, field: str) -> pd.Series:
    """Name sales stages that are numbers; other stages stay as they are.

    Raises
    ------
    InputError
        For a number that is none of the vendor's.
    """
    if field != "salesstage":
        return texts
    named = pd.Series([None if text is None else SALES_STAGES.get(text, text) for text in texts], texts.index, object)
    strange = texts[named.map(lambda label: label is not None and label.isdigit())]
    if len(strange):
        raise InputError(
            "nothing says what this stage is called",
            column=field,
            value=strange.iloc[0],
            action=f'Name it in the params: values: {{{field}: {{"{shortened(str(strange.iloc[0]))}": its name}}}}',
        )
    return named


def contradictions(deals: pd.DataFrame, labels: Mapping[str, str]) -> list[Noticed]:
    """Count where a deal's columns contradict its state, which decides."""
    codes = column_of(deals, "statuscode")
    meant = codes.map(lambda code: None if code is None else STATE_OF_REASON.get(plain_name(labels.get(code, code))))
    dated = column_of(deals, "actualclosedate").notna()
    is_open = deals["status"] == "open"
    against, total = int((meant.notna() & (meant != deals["status"])).sum()), len(deals)
    open_dated, undated = int((is_open & dated).sum()), int((~is_open & ~dated).sum())
    return [
        Noticed(9, "statuscode contradicts statecode", against, total, "deals", "statecode decides"),
        Noticed(
            3, "open with an actual close date", open_dated, int(is_open.sum()), "deals", "open; the date is not read"
        ),
        Noticed(
            1, "closed without an actual close date", undated, int((~is_open).sum()), "deals",
            "closed on the day on which the closing was recorded",
        ),
    ]  # fmt: skip


def currency_codes(deals: pd.DataFrame, currencies: Rows | None) -> dict[str, str]:
    """Id (or code) of a currency -> ISO code, from the table of currencies and from the deals themselves."""
    known: dict[str, str] = {}
    tables = [deals] if currencies is None else [deals, currencies.frame]
    for frame in tables:
        ids, codes = column_of(frame, "transactioncurrencyid").map(plain_id), column_of(frame, "isocurrencycode")
        known |= {key: code for key, code in zip(ids, codes, strict=True) if key is not None and code is not None}
    return known
