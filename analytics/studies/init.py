"""Params files to begin with: one per kind of source, every key in it, with what it means."""

from __future__ import annotations

import re
from pathlib import Path

from analytics.records.calendar import FiscalCalendar
from analytics.records.errors import InputError, nearest
from analytics.studies.params import load_company

TEMPLATES = Path(__file__).parent / "templates"

KINDS = ("salesforce", "hubspot", "dynamics", "pipedrive", "flat", "snapshots", "events")
"""Kinds of source that have a template; `quarter` is the quarter's file."""

_CALENDAR = FiscalCalendar()
_MARK = re.compile(r"^=== (.+) ===\n", flags=re.MULTILINE)
_PLACES = ("<object>", "<field>", "<text>")
_OPTIONAL = re.compile(r"^(\s*)#(?=[^\s#])", flags=re.MULTILINE)


def company_template(kind: str, company: str = "acme") -> str:
    """Write the params of a company that uses this kind of source, optional keys commented out.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    company : str
        Its short name.

    Returns
    -------
    str
        YAML. A line `#key: …` is an optional key with an example; lines that begin with `# ` explain.

    Raises
    ------
    InputError
        For a kind without a template, or a name that a file of params cannot have.

    Examples
    --------
    >>> "#reason: Loss_Reason__c" in company_template("salesforce", "acme")
    True
    """
    if kind not in KINDS:
        raise InputError(f"there is no template for {kind!r}", action=nearest(kind, (*KINDS, "quarter")))
    if not re.fullmatch(r"[a-z0-9_]+", company):
        raise InputError("may hold only a-z, 0-9 and _", value=company, action="Choose a short name for --company")
    text = _filled_in((TEMPLATES / "company.yaml").read_text(encoding="utf-8"), kind)
    return _named(text, company)


def quarter_template(quarter: str, company: str = "acme", calendar: FiscalCalendar = _CALENDAR) -> str:
    """Write the params of one quarter's study, as known at the end of its last day.

    Raises
    ------
    InputError
        For a name that is no quarter's.

    Examples
    --------
    >>> print("\\n".join(quarter_template("2026Q1").splitlines()[3:5]))
    quarter: 2026Q1                     # <- the quarter under study, in the company's fiscal calendar (2025Q4, FY26Q1)
    as_of: "2026-03-31"                 # <- the last day whose records are used: what was known at the end of this day
    """
    end = calendar.quarter(quarter).end
    text = (TEMPLATES / "quarter.yaml").read_text(encoding="utf-8")
    text = text.replace("quarter: 2025Q4", f"quarter: {quarter}").replace('"2026-01-31"', f'"{end}"')
    return _named(text, company)


def quarter_file(folder: Path, company: str, quarter: str | None) -> tuple[Path, str]:
    """Return where a quarter's file belongs and what is in it, in the company's fiscal calendar where it has one.

    Raises
    ------
    InputError
        Without a quarter.
    """
    if quarter is None:
        raise InputError("which quarter is not said", action="Add --quarter 2025Q4")
    beside = folder / f"{company}.yaml"
    calendar = load_company(beside).calendar if beside.is_file() else _CALENDAR
    return folder / f"{company}-{quarter}.yaml", quarter_template(quarter, company, calendar)


def with_optional_keys(text: str) -> str:
    """Return a template with every optional key in use.

    Examples
    --------
    >>> with_optional_keys("# why\\n#rules:\\n  #silent_days: 90  # days")
    '# why\\nrules:\\n  silent_days: 90  # days'
    """
    return _OPTIONAL.sub(r"\1", text)


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet.

    Raises
    ------
    InputError
        Where it is: nobody's params are overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as handle:
            handle.write(text)
    except FileExistsError:
        raise InputError(
            "is there already and stays as it is", file=str(path), action="Choose another --company or --folder"
        ) from None


def _filled_in(text: str, kind: str) -> str:
    """Put the parts that a template names in their places; the first word is the part, the others fill its own."""

    def part(match: re.Match[str]) -> str:
        name, *words = match[1].split()
        inner = (TEMPLATES / f"{kind if name == 'source' else name}.yaml").read_text(encoding="utf-8")
        for place, word in zip(_PLACES, words, strict=False):
            inner = inner.replace(place, word)
        return _filled_in(inner, kind)

    return _MARK.sub(part, text)


def _named(text: str, company: str) -> str:
    return re.sub(r"\bacme\b", company, text).replace("title: Acme", f"title: {company.capitalize()}")
