"""A small Salesforce export: four deals with both histories, written to a folder; and how a test reads it."""

from pathlib import Path

import pandas as pd
import pytest
from pydantic import TypeAdapter

from analytics.records.errors import InputError
from analytics.records.sources import read_history
from analytics.records.sources.mapping import SourceConfig

BLOCK = {"kind": "salesforce", "folder": ".", "reason": "Loss_Reason__c", "attributes": {"segment": "Segment__c"}}

DEALS = """\
Id,AccountId,OwnerId,StageName,Amount,CloseDate,CreatedDate,IsClosed,IsWon,IsDeleted,LeadSource,Segment__c,Loss_Reason__c
006A,001X,005Bo,Closed Lost,0,2025-03-31,2025-01-02T10:00:00.000+0000,true,false,false,Web,SMB,Price
006B,001X,005Ana,Closed Won,50,2025-03-30,2025-01-05T10:00:00.000+0000,true,true,false,RFP,Ent,
006C,001Y,005Ana,Proposal,70,2025-06-30,2025-02-01T10:00:00.000+0000,false,false,false,,SMB,
006D,001Y,005Ana,Closed Lost,10,2025-02-02,2025-02-02T10:00:00.000+0000,true,false,true,Web,SMB,
"""

STAGES = """\
Id,OpportunityId,CreatedDate,StageName,Amount,CloseDate,Probability,PrevAmount,PrevCloseDate
1,006A,2025-01-02T10:00:00.000+0000,Discovery,40,2025-02-28,10,,
3,006A,2025-03-31T23:30:00.000+0000,Closed Lost,0,2025-03-31,0,40,2025-04-30
2,006A,2025-02-20T09:00:00.000+0000,Discovery,40,2025-04-30,10,40,2025-02-28
4,006B,2025-03-01T12:00:00.000+0000,Proposal,50,2025-03-30,60,45,2025-02-10
5,006B,2025-04-02T08:00:00.000+0000,Closed Won,50,2025-03-30,100,50,2025-03-30
6,006D,2025-02-02T10:00:00.000+0000,Closed Lost,10,2025-02-02,0,,
"""

FIELDS = """\
Id,OpportunityId,Field,OldValue,NewValue,CreatedDate
1,006A,Loss_Reason__c,,Price,2025-03-31T23:30:00.000+0000
2,006A,Owner,Ana,Bo,2025-02-25T09:00:00.000+0000
3,006A,Owner,005Ana,005Bo,2025-02-25T09:00:00.000+0000
4,006B,Segment__c,SMB,Mid,2025-02-01T09:00:00.000+0000
5,006B,Segment__c,Mid,Ent,2025-03-01T12:00:00.000+0000
6,006B,NextStep,,call,2025-03-05T12:00:00.000+0000
7,006Z,Owner,005Ana,005Bo,2025-03-05T12:00:00.000+0000
"""


def export(tmp_path: Path, **files: str) -> Path:
    for name, text in (
        {"Opportunity": DEALS, "OpportunityHistory": STAGES, "OpportunityFieldHistory": FIELDS} | files
    ).items():
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
    frame = frame[frame["deal_id"] == deal] if deal else frame
    frame = frame[list(columns)]
    for name in columns:
        if pd.api.types.is_datetime64_any_dtype(frame[name]):
            frame[name] = frame[name].dt.strftime("%m-%d")
    return frame.astype(object).where(frame.notna(), None).values.tolist()


def noticed(history, trap: int) -> dict[str, tuple[int, int]]:
    """What was noticed of one trap: words -> found, of."""
    return {seen.what: (seen.found, seen.of) for seen in history.noticed if seen.trap == trap}


def rejected(history, file: str) -> list[list[object]]:
    """Line and reason of every rejected row of one file."""
    return history.rejects.loc[history.rejects["file"] == file, ["line", "reason"]].values.tolist()
