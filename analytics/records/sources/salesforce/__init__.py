"""Salesforce: Opportunity with its histories, stages, activities, people and rates."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analytics.records.contract import History, Noticed
from analytics.records.rejects import RejectLedger
from analytics.records.sources.conform import MOMENT, Reader
from analytics.records.sources.reconstruct import reconstructed
from analytics.records.sources.salesforce.activities import activities
from analytics.records.sources.salesforce.histories import (
    Histories,
    ended_notice,
    field_notices,
    read_histories,
    states_of,
)
from analytics.records.sources.salesforce.leaks import contact_roles, splits
from analytics.records.sources.salesforce.mapping import SalesforceSource
from analytics.records.sources.salesforce.opportunities import Opportunities, read_opportunities
from analytics.records.sources.salesforce.people import owners
from analytics.records.sources.salesforce.rates import fx_rates, several_currencies
from analytics.records.sources.salesforce.stages import read_stages, stage_statuses, stages_table
from analytics.records.sources.salesforce.states import as_contract, with_forecasts, with_today
from analytics.records.sources.states import history_of, side_frames


def read_salesforce(source: SalesforceSource, *, base: Path, timezone: str | None = None) -> History:
    """Read a Salesforce export: a folder, a database, or each object from a place of its own.

    A deal opens on the date of CreatedDate. Its states come from the first of these that is there:

    - OpportunityHistory: each row is a state with the values after the change;
    - a connector's table of versions (`_fivetran_start`): each row is a state with every field, recorded at its start;
    - OpportunityFieldHistory, if it holds StageName: states since the day on which stages were tracked; what the stage
      was before is not known;
    - else only today's state is known (`kind="current_only"`).

    OpportunityFieldHistory and versions say when owner, reason, attributes and other mapped fields changed (before its
    first recorded change a field had that change's old value; without any, today's value). CloseDate is the expected
    close while a deal is open and the typed closing date once it is closed. Times with a zone are dated in `timezone`;
    CloseDate never moves.

    Parameters
    ----------
    source : SalesforceSource
        The mapping.
    base : pathlib.Path
        The params file's folder.
    timezone : str, optional
        Zone of the dates of timestamps that carry a zone; None keeps their written clock time.

    Returns
    -------
    History
        With the side tables `activities` (Task) and `owners` (User) where these were exported.

    Raises
    ------
    InputError
        As `read_history`; also for stages of which nothing says whether they are open, won or lost.

    Notes
    -----
    Field history is kept for 18 to 24 months only, and from the day on which tracking was switched on. Rows of deleted
    and merged opportunities are rejected; Salesforce itself drops their history. OpportunityContactRole and
    OpportunitySplit are counted and never joined. What was seen and done is in `History.noticed`. Field names:
    Salesforce Object Reference.

    Examples
    --------
    >>> import tempfile
    >>> base = Path(tempfile.mkdtemp())
    >>> _ = (base / "Opportunity.csv").write_text(
    ...     "Id,StageName,CloseDate,CreatedDate,IsClosed,IsWon\\n"
    ...     "006A,Closed Won,2025-03-30,2025-01-05T10:00:00.000+0000,true,true\\n"
    ... )
    >>> _ = (base / "OpportunityHistory.csv").write_text(
    ...     "OpportunityId,CreatedDate,StageName,CloseDate,Probability\\n"
    ...     "006A,2025-01-05T10:00:00.000+0000,Proposal,2025-02-28,40\\n"
    ...     "006A,2025-04-01T08:00:00.000+0000,Closed Won,2025-03-30,100\\n"
    ... )
    >>> states = read_salesforce(SalesforceSource(kind="salesforce", folder="."), base=base).table.to_pandas()
    >>> states[["recorded_on", "status", "closed_on"]].astype(str).values.tolist()
    [['2025-01-05', 'open', 'NaT'], ['2025-04-01', 'closed_won', '2025-03-30']]
    """
    reader = Reader(base, timezone, RejectLedger())
    deals = read_opportunities(source, reader)
    if deals.frame.empty:  # the sentence says why
        return history_of(deals.frame, side={}, kind="current_only", attributes=(), ledger=reader.ledger)
    histories = read_histories(source, deals, reader)
    listed = read_stages(source, reader)
    meanings, of_stages = stage_statuses(source, deals, histories, listed)
    states, of_states = _states(source, deals, histories, meanings)
    last = max(moments.max() for moments in (deals.frame["CreatedDate"], states.get(MOMENT, states["recorded_on"])))
    acts, of_acts = activities(source, reader, deals, last)
    rates, of_rates = fx_rates(source, reader)
    people = owners(source, reader, deals.frame)
    side = {"owners": people, "activities": acts, "stages": stages_table(listed), "fx_rates": rates}
    noticed = [*deals.noticed, *histories.noticed, *of_stages, *of_states, *of_acts, *of_rates]
    noticed += [several_currencies(deals.frame, source.currency), splits(source, reader)]
    noticed += [contact_roles(source, reader, deals.frame)]
    noticed += [ended_notice(deals.frame, histories, meanings)]
    noticed += field_notices(source, deals.frame, histories)
    return history_of(
        states,
        side={name: frame for name, frame in side.items() if frame is not None} | side_frames(source.side, reader),
        kind="recorded" if histories.tells_stages else "current_only",
        attributes=tuple(source.tracked_attributes),
        ledger=reader.ledger,
        extracted_on=source.extracted_on,
        noticed=noticed,
    )


def _states(
    source: SalesforceSource, deals: Opportunities, histories: Histories, meanings: dict[str, str]
) -> tuple[pd.DataFrame, list[Noticed]]:
    """Recorded states in contract columns, today's among them; or today's alone, with what can be said of earlier."""
    today = as_contract(deals.frame.rename(columns={"Id": "deal_id"}), source, meanings)
    if not histories.tells_stages:
        return with_forecasts(reconstructed(today, extracted_on=source.extracted_on), today)
    states = as_contract(states_of(source, deals, histories, meanings), source, meanings)
    states, noticed = with_today(states, today, deals.frame.get("LastStageChangeDate"))
    states, of_forecasts = with_forecasts(states, today)
    return states, [noticed, *of_forecasts]
