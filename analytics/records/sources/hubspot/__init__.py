"""HubSpot: deals with their property history, stages, merges, owners and engagements."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from analytics.records.contract import History
from analytics.records.rejects import RejectLedger
from analytics.records.sources.conform import Reader
from analytics.records.sources.hubspot.activities import activities
from analytics.records.sources.hubspot.deals import Deals, read_deals
from analytics.records.sources.hubspot.log import Log, read_log, with_entries
from analytics.records.sources.hubspot.mapping import HubspotSource
from analytics.records.sources.hubspot.people import owners
from analytics.records.sources.hubspot.recorded import deal_states
from analytics.records.sources.hubspot.seen import noticed_in
from analytics.records.sources.hubspot.stages import listed_stages
from analytics.records.sources.states import history_of, side_frames


def read_hubspot(source: HubspotSource, *, base: Path, timezone: str | None = None) -> History:
    """Read a HubSpot export: the API's objects, the portal's own file of deals, or a connector's tables.

    A deal opens on the day of createdate. Every recorded change of a property begins a state with all properties as
    they were then; a property was empty until it was first set (within a minute of createdate: at the creation).
    closedate is the expected close while a deal is open and the typed closing date once it is closed. Stages are told
    apart by pipeline and id, and named by their label, with the pipeline in brackets where several have it.

    Parameters
    ----------
    source : HubspotSource
        The mapping.
    base : pathlib.Path
        The params file's folder.
    timezone : str, optional
        Zone in which times are dated. HubSpot stores UTC and shows local time: without the portal's zone here, a
        closing late in the evening may be dated in the next quarter.

    Returns
    -------
    History
        With the side tables `activities`, `owners` and `stages` where these were exported, and `noticed`.

    Raises
    ------
    InputError
        As `read_history`; also for stages of which nothing says whether they are open, won or lost.

    Notes
    -----
    Earlier states come from the property history; without stages there, from the connector's `deal_stage`; without
    that, from the last entry dates on the deals (`hs_v2_date_entered_…`), where re-entry has overwritten the first one
    and a closing without such a date is dated by closedate; otherwise only today's state is known
    (`kind="current_only"`). The history of a deal that others were merged into may be another deal's until then.
    `amount_in_home_currency` is never read.

    Examples
    --------
    >>> import tempfile
    >>> base = Path(tempfile.mkdtemp())
    >>> _ = (base / "deals.csv").write_text(
    ...     "hs_object_id,pipeline,dealstage,closedate,createdate,hs_is_closed,hs_is_closed_won\\n"
    ...     "1,default,closedwon,2025-03-31T23:30:00Z,2025-01-05T10:00:00Z,true,true\\n"
    ... )
    >>> _ = (base / "deal_property_history.csv").write_text(
    ...     "deal_id,name,value,timestamp\\n"
    ...     "1,dealstage,appointmentscheduled,2025-01-05T10:00:00Z\\n"
    ...     "1,dealstage,closedwon,2025-03-31T23:30:00Z\\n"
    ... )
    >>> source = HubspotSource(kind="hubspot", folder=".")
    >>> states = read_hubspot(source, base=base, timezone="Europe/Berlin").table.to_pandas()
    >>> states[["recorded_on", "status", "closed_on"]].astype(str).values.tolist()
    [['2025-01-05', 'open', 'NaT'], ['2025-04-01', 'closed_won', '2025-04-01']]
    """
    reader = Reader(base, timezone, RejectLedger())
    deals = read_deals(source, reader)
    log = read_log(source, reader, deals)
    listed = listed_stages(source, reader)
    log = with_entries(log, source, deals, listed)
    deals = _with_a_stage(deals, log)
    if deals.frame.empty:
        return history_of(deals.frame, side={}, kind="recorded", attributes=(), ledger=reader.ledger)
    states = deal_states(source, deals, log, listed)
    people, of_owners = owners(source, reader)
    side = {
        "owners": people,
        "activities": activities(source, reader, states.deals, log),
        "stages": states.book.side_table(listed) if any(stage.id for stage in listed) else None,
    }
    return history_of(
        states.frame,
        side={name: frame for name, frame in side.items() if frame is not None} | side_frames(source.side, reader),
        kind="recorded" if log.has_stages else "current_only",
        attributes=tuple(source.tracked_attributes),
        ledger=reader.ledger,
        extracted_on=source.extracted_on,
        noticed=(*noticed_in(states, log), *of_owners),
    )


def _with_a_stage(deals: Deals, log: Log) -> Deals:
    """Reject deals that are in no stage, today or ever."""
    staged = log.frame.loc[log.frame["property"] == "dealstage", "deal_id"]
    nowhere = deals.frame["dealstage"].isna() & ~deals.frame["hs_object_id"].isin(staged)
    return replace(deals, rows=deals.rows.without(nowhere, "no dealstage"))
