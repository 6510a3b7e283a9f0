"""A small HubSpot export, written as files, read, and shown as plain rows."""

from pathlib import Path

import pandas as pd
import pytest
from pydantic import TypeAdapter

from analytics.records.errors import InputError
from analytics.records.sources import read_history
from analytics.records.sources.mapping import SourceConfig

DEALS = """\
hs_object_id,pipeline,dealstage,amount,deal_currency_code,closedate,createdate,hs_is_closed,hs_is_closed_won,\
hubspot_owner_id,closed_lost_reason,closed_won_reason,dealtype,hs_analytics_source,segment
1,default,closedlost,0,EUR,2025-03-31T22:30:00Z,2025-01-02T10:00:00Z,true,false,12,Price,,newbusiness,PAID,SMB
2,900,901,50,USD,2025-04-02T08:00:00Z,2025-01-05T10:00:00Z,true,true,11,,Product,existingbusiness,,Ent
3,900,902,70,EUR,2025-06-30T12:00:00Z,2025-02-01T10:00:00Z,false,false,11,,,newbusiness,EMAIL,SMB
"""

HISTORY = """\
deal_id,name,value,timestamp,source
1,dealstage,appointmentscheduled,2025-01-02T10:00:00Z,CRM_UI
1,amount,40,2025-01-02T10:00:00.400Z,CRM_UI
1,closedate,2025-01-31T10:00:00Z,2025-01-02T10:00:30Z,CRM_UI
1,hubspot_owner_id,11,2025-01-02T10:00:00Z,CRM_UI
1,closedate,1743415200000,2025-01-20T09:00:00Z,CRM_UI
1,hubspot_owner_id,12,2025-02-25T09:00:00Z,CRM_UI
1,amount,0,2025-03-31T22:30:00Z,CRM_UI
1,closedate,2025-03-31T22:30:00Z,2025-03-31T22:30:00Z,CRM_UI
1,dealstage,closedlost,2025-03-31T22:30:01Z,CRM_UI
1,closed_lost_reason,Price,2025-03-31T22:30:02Z,CRM_UI
1,dealname,A secret,2025-03-31T22:30:02Z,CRM_UI
2,pipeline,900,2025-01-05T10:00:00Z,IMPORT
2,dealstage,902,2025-01-05T10:00:00Z,IMPORT
2,segment,Mid,2025-02-01T09:00:00Z,WORKFLOWS
2,segment,Ent,2025-03-01T09:00:00Z,WORKFLOWS
2,amount,50,2025-03-01T09:00:00Z,CRM_UI
2,dealstage,901,1743580800000,CRM_UI
2,closedate,2025-04-02T08:00:00Z,1743580800000,CRM_UI
2,closed_won_reason,Product,1743580800000,CRM_UI
3,pipeline,900,2025-02-01T10:00:00Z,CRM_UI
3,dealstage,902,2025-02-01T10:00:00Z,CRM_UI
3,amount,70,2025-02-01T10:00:00Z,CRM_UI
3,closedate,2025-06-30T12:00:00Z,2025-02-01T10:00:00Z,CRM_UI
"""

PIPELINES = """\
pipeline_id,label
default,Sales
900,Renewals
"""

STAGES = """\
stage_id,pipeline_id,label,display_order,probability,is_closed,closed_won
appointmentscheduled,default,Meeting,0,0.2,false,false
closedwon,default,Won,1,1.0,true,true
closedlost,default,Lost,2,0.0,true,false
902,900,Meeting,0,0.5,false,false
901,900,Renewed,1,1.0,true,true
"""

BLOCK = {
    "kind": "hubspot",
    "folder": ".",
    "deal_type": "dealtype",
    "attributes": {"segment": "segment"},
}

FILES = {
    "deals": DEALS,
    "deal_property_history": HISTORY,
    "deal_pipeline": PIPELINES,
    "deal_pipeline_stage": STAGES,
}


def export(tmp_path: Path, **files: str) -> Path:
    for name, text in (FILES | files).items():
        if text:
            (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def history(base: Path, *, timezone: str | None = None, **block):
    return read_history(TypeAdapter(SourceConfig).validate_python(BLOCK | block), base=base, timezone=timezone)


def sentence(base: Path, **block) -> str:
    with pytest.raises(InputError) as caught:
        history(base, **block)
    return str(caught.value)


def rows(history, *columns: str, deal: str | None = None) -> list[list[object]]:
    frame = history.table.to_pandas()
    return plain(frame[frame["deal_id"] == deal] if deal else frame, *columns)


def plain(frame: pd.DataFrame, *columns: str) -> list[list[object]]:
    frame = frame[list(columns)].copy()
    for name in columns:
        if pd.api.types.is_datetime64_any_dtype(frame[name]):
            frame[name] = frame[name].dt.strftime("%m-%d")
    return frame.astype(object).where(frame.notna(), None).values.tolist()


def seen(history, what: str) -> tuple[int, int, int]:
    """Trap, found and of, of the one thing noticed whose words begin so."""
    (item,) = [item for item in history.noticed if item.what.startswith(what)]
    return item.trap, item.found, item.of
