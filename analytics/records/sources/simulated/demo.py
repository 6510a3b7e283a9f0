"""The demo company's export: the simulated company, and the few bad rows that every real export has."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analytics.records.sources.simulated.company import simulate
from analytics.records.sources.simulated.config import SimulationConfig
from analytics.records.sources.simulated.export import salesforce_frames, write_files

DEMO_DEALS, DEMO_SEED = 2800, 2025

HOSTILE_NAMES = ("<script>alert(1)</script>", '=HYPERLINK("http://x","y")')
UNREADABLE = "2024-13-45T99:00:00.000+0000"


def write_demo(folder: Path, *, deals: int = DEMO_DEALS, seed: int = DEMO_SEED) -> None:
    """Write the demo company as a Salesforce export with a few bad rows in it.

    Parameters
    ----------
    folder : pathlib.Path
        Where the `.csv.gz` files go; see `to_salesforce`.
    deals : int
        How many deals the company opens over its quarters; accounts grow with them.
    seed : int
        The same seed writes the same bytes.

    Notes
    -----
    The bad rows are those of `spoiled`; without them the files are those of `to_salesforce`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     write_demo(Path(place), deals=400)
    ...     len(list(Path(place).glob("*.csv.gz")))
    8
    """
    config = SimulationConfig(deals=deals, accounts=max(1, round(deals / DEMO_DEALS * 1000)))
    frames = salesforce_frames(simulate(config, seed=seed))
    frames["Opportunity"], frames["OpportunityHistory"] = spoiled(frames["Opportunity"], frames["OpportunityHistory"])
    write_files(frames, folder)


def spoiled(opportunities: pd.DataFrame, history: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Put the bad rows of a real export into a clean one.

    Returns
    -------
    (opportunities, history)
        With: two hostile names; an open deal expected to close in 2099; a won deal whose close date lies in the
        future; a lost deal whose close date lies before its creation; a creation date that is no date; and six
        deleted deals, whose history the CRM has removed.
    """
    table, changes = opportunities.reset_index(drop=True), history.copy()
    is_open = table["IsClosed"].eq("false")
    won, lost = table["IsWon"].eq("true"), table["IsClosed"].eq("true") & table["IsWon"].eq("false")
    new = table["Type"].eq("New Business")
    opens, wins, losses = (table.index[mask & new].to_numpy() for mask in (is_open, won, lost))
    table.loc[wins[len(wins) // 2], "Name"] = HOSTILE_NAMES[0]
    table.loc[losses[len(losses) // 2], "Name"] = HOSTILE_NAMES[1]
    _set_close_date(table, changes, opens[-1], "2099-12-31")
    _set_close_date(table, changes, wins[-1], "2026-06-30")
    _set_close_date(table, changes, losses[len(losses) // 3], "2020-02-29")
    table.loc[losses[len(losses) // 4], "CreatedDate"] = UNREADABLE
    deleted = losses[5 : len(losses) : max(1, len(losses) // 6)][:6]
    table.loc[deleted, "IsDeleted"] = "true"
    gone = changes["OpportunityId"].isin(table.loc[deleted, "Id"])
    return table, changes[~gone].reset_index(drop=True)


def _set_close_date(table: pd.DataFrame, changes: pd.DataFrame, row: int, day: str) -> None:
    table.loc[row, "CloseDate"] = day
    own = changes.index[changes["OpportunityId"] == table.loc[row, "Id"]]
    changes.loc[own[-1], "CloseDate"] = day
