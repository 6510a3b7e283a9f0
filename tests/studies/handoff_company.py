"""A company whose ids would like to be markup, formulas and scripts, with teams that owners change between."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

from small_company import notebook

QUARTER = (dt.date(2025, 4, 1), dt.date(2025, 6, 30))
AS_OF = dt.date(2025, 6, 30)
MOVED_ON = dt.date(2025, 3, 1)
HOSTILE = (
    'D"><script>alert(1)</script>',
    '=HYPERLINK("http://example.com")',
    "../../up?and=#away",
    "javascript:alert(2)",
    "D & 'quoted' {deal_id}",
)

COMPANY = """\
company: acme
title: Acme Tools
source:
  kind: flat
  file: ../export/deals.csv
  columns: {deal_id: id, account_id: account, opened_on: opened, closed_on: closed, reason: reason, amount: amount,
            owner_id: owner}
  outcome: {column: stage, values: {Won: won, Lost: lost, Open: open}}
  constants: {currency: USD, pipeline: all}
  side:
    owners:
      file: ../export/owners.csv
      columns: {owner_id: owner, team: team, start_on: start, end_on: end}
scope: {everything: true}
rules: {no_decision_reasons: [No decision], older_than_days: 120}
segments: []
horizon_days: 180
crm_url_template: https://crm.example.com/deal/{deal_id}/view
"""

PARAMETERS = """\
company: str = "acme"
quarter: str = "2025Q2"
as_of: str = "2025-06-30"
compare_to: list[str] = ["2025Q1"]
segments: list[str] = []"""

OPEN = """\
from analytics import open_study
from analytics.display import figures, tables
from analytics.display.findings import finding_cards
from analytics.estimators.result import Finding
from analytics.questions import no_decision
from analytics.questions import quarter as question

study = open_study(company=company, quarter=quarter, as_of=as_of, compare_to=compare_to, segments=segments)
study"""

CELLS = (
    OPEN,
    'tables.listing_table(study.save("what_closed", question.what_closed(study.ledger_deals, study.quarter)))',
    """\
pace = {"settled_on": study.settled_on, "horizon_days": study.horizon_days}
ending = study.save("period_at_horizon", question.period_at_horizon(study.deals, study.quarter, **pace))
tables.estimate_table(ending, title="By the horizon", columns=["n_event", "n_deals"])""",
    """\
incidence = study.save("period_incidence", question.period_incidence(study.deals, study.quarter, **pace))
figures.plot_stacked_incidence(incidence)""",
    """\
known = {"rules": study.rules, "as_of": study.as_of}
found = no_decision.landmarks(study.deals, study.history, within_days=90, as_of=study.as_of)
dead = study.save("zombies", no_decision.zombies(study.deals, study.history, found, **known))
tables.listing_table(dead, columns=["deal_id", "why"])""",
    """\
row = ending.at(outcome="won").iloc[0]
won = f"{100 * row['estimate']:.0f} % ({100 * row['conf_low']:.0f}-{100 * row['conf_high']:.0f}) of deals were won"
card = Finding("ends", won, f"{row['n_deals']:,} deals.", "described", "period_at_horizon", (("outcome", "won"),))
finding_cards(study.save("findings", (card,)))""",
    '_ = study.save("money_strip", question.money_strip(study.ledger_deals, study.quarter))',
)


def rows() -> list[dict[str, str]]:
    """State every deal: opened two days apart, ended after 10 to 149 days, owner and outcome in turn."""
    made = []
    for number in range(150):
        opened = dt.date(2024, 9, 1) + dt.timedelta(days=2 * number)
        closed = opened + dt.timedelta(days=10 + 37 * number % 140)
        stage = "Open" if closed > AS_OF or number % 11 == 0 else ("Won", "Lost", "Lost")[number % 3]
        made.append({
            "id": dict(zip((55, 66, 77, 88, 99), HOSTILE, strict=True)).get(number, f"D{number:03d}"),
            "account": f"A{number % 40:02d}", "opened": opened.isoformat(),
            "closed": "" if stage == "Open" else closed.isoformat(), "stage": stage,
            "reason": ("Price", "No decision")[number % 2] if stage == "Lost" else "",
            "amount": str(100 + number), "owner": f"U{number % 4}",
        })  # fmt: skip
    return made


def team_of(owner: str, day: dt.date) -> str:
    """North has U0 and U1, South U2 and U3; U1 goes from North to South."""
    if owner == "U1":
        return "North" if day < MOVED_ON else "South"
    return "North" if owner == "U0" else "South"


def write_company(home: Path, *, params: str = COMPANY) -> Path:
    """Write params, export and one notebook; return the quarter's params file."""
    (home / "params").mkdir(parents=True)
    (home / "export").mkdir()
    (home / "params" / "acme.yaml").write_text(params)
    quarter = home / "params" / "acme-2025Q2.yaml"
    quarter.write_text("company: acme\nquarter: 2025Q2\nas_of: 2025-06-30\ncompare_to: [2025Q1]\nsegments: []\n")
    with (home / "export" / "deals.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows()[0]))
        writer.writeheader()
        writer.writerows(rows())
    day = MOVED_ON.isoformat()
    owners = ["U0,North,,", f"U1,North,,{day}", f"U1,South,{day},", "U2,South,,", "U3,South,,"]
    (home / "export" / "owners.csv").write_text("\n".join(["owner,team,start,end", *owners]) + "\n")
    notebook(home / "notebooks" / "01_quarter.ipynb", "The quarter", CELLS, parameters=PARAMETERS)
    return quarter
