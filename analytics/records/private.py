"""What in a CRM's records is nobody else's business: names, addresses, free text; and how to tell."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable

ID_COLUMNS = {"deal_id": "deal", "account_id": "account", "owner_id": "owner"}
"""Columns of the contracts that identify a deal, an account or a person, and what their codes begin with."""

HIDDEN = "(not shown)"
"""Stands where a name or a text was."""

_NAME_LIKE = re.compile(
    r"name|mail|phone|mobile|fax|street|address|city|zip|postal|description|comment|note|subject|title|url|website"
    r"|contact|linkedin|next_?step|text|birth|manager|salutation|summary|details",
    re.IGNORECASE,
)
_NOT_NAMES = re.compile(
    r"(stage|forecast_?category|field|type|pipeline|record_?type|product|team)_?name", re.IGNORECASE
)
_CODE = re.compile(r"(?=.*\d)[\w.:+\-/]{1,40}|true|false|[A-Z]{3}|", re.IGNORECASE)
_EMAIL = re.compile(r"[^\s@<>()[\],;:\"']+@[^\s@<>()[\],;:\"']+\.[^\s@<>()[\],;:\"'.]+")
_MANY, _FEW_FILLED, _LONG = 100, 10, 60


def is_name_like(column: str) -> bool:
    """Say whether a column is called as one that holds a name, an address or a text.

    Examples
    --------
    >>> [is_name_like(name) for name in ("Owner_Name", "Email", "StageName", "region", "Next_Step__c")]
    [True, True, False, False, True]
    """
    return bool(_NAME_LIKE.search(column)) and not _NOT_NAMES.fullmatch(column.removesuffix("__c"))


def is_free_text(distinct: Collection[str], filled: int | None = None) -> bool:
    """Say whether the different values of a column are what people typed rather than what they chose.

    Parameters
    ----------
    distinct : collection of str
        The different values.
    filled : int, optional
        In how many rows the column is filled.

    Notes
    -----
    More than 100 different values; or at least half as many as there are filled rows (from ten on); or a value that is
    longer than 60 characters or an e-mail address. A picklist of more values counts as text: it is hidden, not shown.

    Examples
    --------
    >>> is_free_text(["Price", "Timing"], 40), is_free_text(["Price", "mail ana@example.org"], 40)
    (False, True)
    """
    if len(distinct) > _MANY or (filled is not None and filled >= _FEW_FILLED and 2 * len(distinct) >= filled):
        return True
    return any(len(value) > _LONG or has_address(value) for value in distinct)


def has_address(text: str) -> bool:
    """Say whether a text holds an e-mail address."""
    return "@" in text and bool(_EMAIL.search(text))


def without_addresses(text: str) -> str:
    """Return a text with `(not shown)` in the place of each e-mail address.

    Examples
    --------
    >>> without_addresses("scope: source is [ana@example.org, web]")
    'scope: source is [(not shown), web]'
    """
    return _EMAIL.sub(HIDDEN, text) if "@" in text else text


def original_values(text: str, keep: Iterable[str] = ()) -> str:
    """Return a rejected row's original values without names, addresses and texts.

    What stays readable is what says why the row was rejected and where it is: ids, dates, numbers, yes and no, the
    columns in `keep`, and the names of all columns.

    Parameters
    ----------
    text : str
        The row as JSON.
    keep : iterable of str
        Columns that are shown as they are.

    Examples
    --------
    >>> original_values('{"Id": "006A1", "Name": "Acme 2025", "CloseDate": "31.12.2025", "Stage": "Won by Ana"}')
    '{"Id": "006A1", "Name": "(not shown)", "CloseDate": "31.12.2025", "Stage": "(not shown)"}'
    """
    try:
        row = json.loads(text)
    except ValueError:
        return HIDDEN
    if not isinstance(row, dict):
        return HIDDEN
    kept = set(keep)
    return json.dumps(
        {name: value if name in kept else _shown(name, value) for name, value in row.items()}, ensure_ascii=False
    )


def _shown(column: str, value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value if not is_name_like(column) else (value and HIDDEN)
    if value == "":
        return value
    return str(value) if not is_name_like(column) and _CODE.fullmatch(str(value)) else HIDDEN
