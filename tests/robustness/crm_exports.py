"""The same small company as HubSpot, Dynamics 365 and Pipedrive export it."""

from __future__ import annotations

from pathlib import Path

from small_exports import deals, states, write_csv

ENDS = {"Won": "won", "Lost": "lost"}


def write_hubspot(base: Path) -> None:
    """Write deals, property history and the list of stages."""
    today = [["hs_object_id", "pipeline", "dealstage", "amount", "closedate", "createdate", "hubspot_owner_id",
              "closed_lost_reason", "region", "dealname"]]  # fmt: skip
    for id_, _, opened, closed, due, stage, reason, amount, owner, region, note in deals()[1:]:
        close, born = f"{closed or due}T18:00:00Z", f"{opened}T08:00:00Z"
        today.append([id_, "p", stage, amount, close, born, owner, reason, region, note])
    write_csv(base / "deals.csv", today)
    changes = [["dealId", "property", "value", "timestamp"]]
    for id_, at, stage, *_ in states(deals())[1:]:
        changes.append([id_, "dealstage", stage, f"{at.replace(' ', 'T')}Z"])
    write_csv(base / "deal_property_history.csv", changes)
    listed = [["stage_id", "label", "pipeline_id", "display_order", "is_closed", "closed_won", "probability"]]
    for place, (name, chance) in enumerate({"Talk": "0.2", "Offer": "0.6", "Won": "1.0", "Lost": "0.0"}.items()):
        flags = [str(name in ENDS).lower(), str(name == "Won").lower()]
        listed.append([name, name, "p", str(place), *flags, chance])
    write_csv(base / "deal_pipeline_stage.csv", listed)


def write_dynamics(base: Path) -> None:
    """Write opportunity, opportunityclose and a flattened audit."""
    today = [["opportunityid", "ownerid", "customerid", "createdon", "modifiedon", "statecode", "statuscode",
              "actualclosedate", "estimatedclosedate", "estimatedvalue", "actualvalue", "stepname",
              "region"]]  # fmt: skip
    closings = [["opportunityid", "createdon", "actualend", "opportunitystatecode", "opportunitystatuscode"]]
    codes = {"Won": ("1", "3"), "Lost": ("2", "4")}
    for id_, account, opened, closed, due, stage, _, amount, owner, region, _ in deals()[1:]:
        state, status = codes.get(stage, ("0", "1"))
        last, step = f"{closed or opened}T18:00:00Z", "Offer" if closed else stage
        today.append([id_, owner, account, f"{opened}T08:00:00Z", last, state, status, closed, due, amount,
                      amount if stage == "Won" else "", step, region])  # fmt: skip
        if closed:
            closings.append([id_, last, closed, state, status])
    write_csv(base / "opportunity.csv", today)
    write_csv(base / "opportunityclose.csv", closings)
    audit = [["objectid", "createdon", "attributename", "oldvalue", "newvalue"]]
    for id_, _, opened, *_ in deals()[1:]:
        audit.append([id_, f"{opened}T12:00:00Z", "estimatedvalue", "50", "75"])
    write_csv(base / "audit.csv", audit)


def write_pipedrive(base: Path) -> None:
    """Write deals and their flow."""
    today = [["id", "org_id", "owner_id", "pipeline_id", "stage_id", "status", "value", "currency", "add_time",
              "update_time", "won_time", "lost_time", "lost_reason", "expected_close_date", "region"]]  # fmt: skip
    flow = [["deal_id", "object", "field_key", "old_value", "new_value", "log_time"]]
    for id_, account, opened, closed, due, stage, reason, amount, owner, region, _ in deals()[1:]:
        status, born = ENDS.get(stage, "open"), f"{opened} 08:00:00"
        end = f"{closed} 18:00:00" if closed else ""
        times = [end or born, end if status == "won" else "", end if status == "lost" else ""]
        today.append([id_, account, owner, "1", "2" if closed else "1", status, amount, "EUR", born, *times, reason,
                      due, region])  # fmt: skip
        flow.append([id_, "dealChange", "value", "10", amount, f"{opened} 09:00:00"])
        if closed:
            flow.append([id_, "dealChange", "status", "open", status, end])
    write_csv(base / "deals.csv", today)
    write_csv(base / "flow.csv", flow)


CRM_EXPORTS = {
    "hubspot": (write_hubspot, {"kind": "hubspot", "folder": ".", "attributes": {"region": "region"}}),
    "dynamics": (write_dynamics, {"kind": "dynamics", "folder": ".", "attributes": {"region": "region"}}),
    "pipedrive": (write_pipedrive, {"kind": "pipedrive", "folder": ".", "attributes": {"region": "region"}}),
}
"""Name -> its writer, and how the params describe it."""
