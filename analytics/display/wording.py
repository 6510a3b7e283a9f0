"""Numbers in words, and texts from the CRM made safe, the way the report speaks."""

from __future__ import annotations

import datetime as dt
import html
import math
import re
import textwrap

from analytics.display.theme import QUIET
from analytics.estimators.result import Listing, Meta


def minus(text: str) -> str:
    """Write minus signs as minus signs.

    Examples
    --------
    >>> minus("-3.1")
    '−3.1'
    """
    return text.replace("-", "−")


def decimals(n: float | None) -> int:
    """Digits that a share of `n` deals supports: whole per cents, one decimal from 2,000 deals."""
    return 1 if n is not None and math.isfinite(n) and n >= 2000 else 0


def percent(value: float, n: float | None = None) -> str:
    r"""Write a share as a percentage with as many digits as `n` deals support.

    Examples
    --------
    >>> percent(0.3184, 412), percent(0.3184, 4120)
    ('32\xa0%', '31.8\xa0%')
    """
    return f"{_plain(100 * value, decimals(n))}\u00a0%" if math.isfinite(value) else "–"


def percent_interval(value: float, low: float, high: float, n: float | None = None) -> str:
    r"""Write a share with its interval, the way findings speak.

    Examples
    --------
    >>> percent_interval(0.32, 0.27, 0.38, 412)
    '32\xa0% (27–38)'
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return percent(value, n)
    digits = decimals(n)
    return f"{percent(value, n)} ({_plain(100 * low, digits)}–{_plain(100 * high, digits)})"


def points(value: float, digits: int = 1) -> str:
    """Write a difference of shares in percentage points, signed.

    Examples
    --------
    >>> points(-0.0312), points(0.004)
    ('−3.1', '+0.4')
    """
    if not math.isfinite(value):
        return "–"
    text = f"{100 * value:+.{digits}f}"
    return minus("0" if float(text) == 0 else text)


def points_interval(value: float, low: float, high: float, digits: int = 1) -> str:
    """Write a difference in percentage points with its interval.

    Examples
    --------
    >>> points_interval(-0.03, -0.10, 0.04)
    '−3.0 (−10.0 to +4.0)'
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return points(value, digits)
    return f"{points(value, digits)} ({points(low, digits)} to {points(high, digits)})"


def count(value: float) -> str:
    """Write a count with thousands separators (a comma, as in 2,941)."""
    return minus(f"{value:,.0f}") if math.isfinite(value) else "–"


def money(value: float, currency: str = "") -> str:
    r"""Write an amount in thousands or millions with its currency.

    Examples
    --------
    >>> money(4_123_456, "USD"), money(28_300, "EUR"), money(950)
    ('USD\xa04.1\xa0M', 'EUR\xa028\xa0k', '950')
    """
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 9.5e5:
        text = f"{value / 1e6:,.1f}\u00a0M"
    elif size >= 1e3:
        text = f"{value / 1e3:,.0f}\u00a0k"
    else:
        text = f"{value:,.0f}"
    return minus(f"{currency}\u00a0{text}" if currency else text)


def day(value: dt.date) -> str:
    """Write a date out (31 December 2025)."""
    return f"{value.day} {value:%B %Y}"


def _plain(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return minus(text.lstrip("-") if float(text) == 0 else text)


def safe(value: object, limit: int = 90) -> str:
    """Escape a text that may come from the CRM before plotly sees it.

    plotly renders a subset of HTML in every text it draws and, where MathJax is loaded, takes two dollar signs for
    TeX, and fills in `%{…}` in templates; all are switched off here. Quotes stay as they are because plotly knows no
    name for them. Texts longer than `limit` end in an ellipsis.

    Examples
    --------
    >>> safe('<b>R&D</b>')
    '&lt;b&gt;R&amp;D&lt;/b&gt;'
    """
    text = readable(value, limit)
    return html.escape(text, quote=False).replace("$", "&#36;").replace("%{", "%&#123;")


def readable(value: object, limit: int = 300) -> str:
    r"""Return a text from the CRM as one line that says what it seems to say; the caller escapes it.

    Characters that nobody sees are taken out: those that command a terminal, end a string, or turn the direction of
    the text after them. A text longer than `limit` ends in an ellipsis.

    Examples
    --------
    >>> readable("Acme\x00 \u202egnp.exe\n<b>")
    'Acme gnp.exe <b>'
    """
    text = _one_line("".join(c if c.isprintable() or c == "\u00a0" else " " for c in str(value)))
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def unbroken(text: str) -> str:
    r"""Keep a number and its per cent sign on one line, in a sentence on a page.

    Examples
    --------
    >>> unbroken("32 % (27–38) of 412 deals")
    '32\xa0% (27–38) of 412 deals'
    """
    return re.sub(r"(?<=\d) %", "\u00a0%", text)


def _one_line(text: str) -> str:
    """Join the words of a text with single spaces; spaces that must not break stay."""
    return " ".join(word for word in re.split(r"[ \t\n\r\f\v\u2028\u2029]+", text) if word)


def wrapped(value: object, width: int, lines: int = 3) -> list[str]:
    """Break a text into at most `lines` escaped lines of `width` characters; what does not fit ends in an ellipsis."""
    parts = textwrap.wrap(readable(value, 20 * width), width, max_lines=lines, placeholder=" …", break_on_hyphens=False)
    return [safe(part, limit=width + 2) for part in parts] or [""]


def quiet(text: str) -> str:
    """Put already escaped text into the quiet grey, one size down."""
    return f'<span style="color:{QUIET};font-size:11px">{text}</span>'


def bold(text: str) -> str:
    """Make already escaped text bold."""
    return f"<b>{text}</b>"


def sizes(meta: Meta, noun: str = "deals") -> str:
    """Say how many deals, of how many accounts, stand behind an Estimate."""
    accounts = f" of {count(meta.n_accounts)} accounts" if meta.n_accounts else ""
    return f"n = {count(meta.n_deals)} {noun}{accounts}"


def provenance(meta: Meta, *, definition: str = "") -> str:
    """Write the caption of a figure: definition, interval, n, as-of date, and whether the past was reconstructed."""
    level = f"{100 * meta.conf_level:.3g}\u00a0% intervals" + (f" ({meta.interval})" if meta.interval else "")
    level += f", clustered by {meta.cluster.replace('_id', '')}" if meta.cluster else ""
    facts = [sentence(definition or meta.estimand), sentence(level)]
    facts.append(f"{sizes(meta)}{', as of ' + day(meta.as_of) if meta.as_of else ''}.")
    if meta.reconstructed:
        facts.append("Reconstructed: the source holds only today's state, so earlier dates are inferred from it.")
    if meta.note:
        facts.append(sentence(meta.note))
    return " ".join(fact for fact in facts if fact)


def counted(listing: Listing, n: str = "") -> str:
    """Write of exact counts what a caption owes besides their definition: how many deals, and as known when.

    Examples
    --------
    >>> import pandas as pd
    >>> counted(Listing(pd.DataFrame(), "What went in", as_of=dt.date(2026, 1, 31)), "12 deals studied")
    'n = 12 deals studied, as of 31 January 2026.'
    """
    facts = [f"n = {n}" if n else "", f"as of {day(listing.as_of)}" if listing.as_of else ""]
    said = ", ".join(fact for fact in facts if fact)
    return "" if not said else f"{said}." if n else sentence(said)


def sentence(text: str) -> str:
    """Give a text its capital and its full stop."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")
