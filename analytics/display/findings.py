"""Findings as cards: verdict, one sentence that can be repeated in a meeting, then the figure with interval and n."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from analytics.display import theme, wording
from analytics.estimators.result import Finding

GRID = (
    "display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,270px),1fr));gap:12px;"
    "max-width:1100px;margin:8px 0"
)
CARD = (
    "border:1px solid {rule};border-radius:10px;padding:14px 16px 16px;background:{paper};color:{ink};"
    "font:14px/1.5 {font};break-inside:avoid"
)
CHIP = (
    "display:inline-block;border-radius:999px;padding:2px 9px;font-size:12px;line-height:1.4;"
    "color:{text};background:{ground}"
)
SLUGS = {verdict: f"wl-v{i}" for i, verdict in enumerate(theme.CHIPS)}


@dataclass(frozen=True)
class Cards:
    """Findings ready to be shown; the notebook calls `_repr_mimebundle_`, a page calls `html`."""

    findings: tuple[Finding, ...]

    def html(self) -> str:
        """Return the cards as escaped HTML with inline style, which an untrusted notebook keeps."""
        grid = GRID if len(self.findings) > 1 else GRID.replace("1100px", "720px")
        return f'<div class="wl-cards" style="{grid}">' + "".join(card(item) for item in self.findings) + "</div>"

    def text(self) -> str:
        """Return the cards as plain text: [verdict] headline detail."""
        said = ((item.verdict, _said(item.headline), _said(item.detail)) for item in self.findings)
        return "\n".join(f"[{verdict}] {headline} {detail}".rstrip() for verdict, headline, detail in said)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": self.text()}


def finding_cards(findings: Finding | Iterable[Finding]) -> Cards:
    """Show one or several findings as cards, in the order given.

    Examples
    --------
    >>> one = Finding("ends", "A third of deals end in no decision.", "32 % (27–38), n = 412.", "described")
    >>> print(finding_cards(one).text())
    [described] A third of deals end in no decision. 32 % (27–38), n = 412.
    """
    return Cards((findings,) if isinstance(findings, Finding) else tuple(findings))


def chip(verdict: str) -> str:
    """Return the verdict as a chip; a verdict the house does not know is shown in the quiet colours."""
    known = verdict if verdict in theme.CHIPS else "described"
    text, ground = theme.CHIPS[known][:2]
    style = CHIP.format(text=text, ground=ground)
    return f'<span class="wl-chip {SLUGS[known]}" style="{style}">{html.escape(verdict)}</span>'


def _said(text: str) -> str:
    """A sentence that may name something of the CRM."""
    return wording.readable(text, 1500)


def card(finding: Finding) -> str:
    """Return one finding as an article: chip, bold sentence, detail."""
    style = CARD.format(rule=theme.RULE, paper=theme.PAPER, ink=theme.INK, font=theme.FONT.replace("'", "&#39;"))
    return (
        f'<article class="wl-card" style="{style}">{chip(finding.verdict)}'
        f'<p class="wl-headline" style="margin:8px 0 4px;font-weight:650">{html.escape(_said(finding.headline))}</p>'
        f'<p class="wl-detail" style="margin:0">{html.escape(_said(finding.detail))}</p></article>'
    )
