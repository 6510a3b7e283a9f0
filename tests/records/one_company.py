"""One made-up company, written as Salesforce, HubSpot, Dynamics and Pipedrive would export it."""

import csv
import io
import json
import tempfile
from pathlib import Path

import pandas as pd
from pydantic import TypeAdapter

from analytics.records.sources import read_history
from analytics.records.sources.mapping import SourceConfig

# one company: deal -> opening (UTC), then changes in order: (moment, {field: value})
# fields: stage, amount, expected (date), owner, status, typed (date of closing), reason, segment
CO = {
    "1": (
        "2025-01-02T10:00:00",
        {"stage": "Qualify", "amount": 40, "expected": "2025-02-28", "owner": "U1", "segment": "SMB"},
        [
            ("2025-01-20T09:00:00", {"stage": "Propose"}),
            ("2025-02-10T09:00:00", {"amount": 50, "expected": "2025-03-31"}),
            ("2025-03-31T22:30:00", {"status": "won"}),
        ],
    ),
    "2": (
        "2025-01-05T10:00:00",
        {"stage": "Qualify", "amount": 70, "expected": "2025-03-30", "owner": "U2", "segment": "Ent"},
        [
            ("2025-03-01T12:00:00", {"stage": "Close"}),  # skipped Propose
            ("2025-04-02T08:00:00", {"status": "lost", "amount": 0, "reason": "Price"}),
        ],
    ),
    "3": (
        "2025-02-01T10:00:00",
        {"stage": "Propose", "amount": 30, "expected": "2025-03-15", "owner": "U1", "segment": "SMB"},
        [
            ("2025-02-20T10:00:00", {"stage": "Qualify"}),  # regressed
            ("2025-03-14T10:00:00", {"expected": "2025-06-30", "owner": "U2"}),
        ],
    ),
    "4": (
        "2025-01-10T10:00:00",
        {"stage": "Qualify", "amount": 20, "expected": "2025-02-28", "owner": "U1", "segment": "SMB"},
        [
            ("2025-02-10T10:00:00", {"status": "lost", "reason": "Price"}),
            ("2025-02-20T10:00:00", {"status": "open", "stage": "Propose", "expected": "2025-05-01"}),
            ("2025-04-15T10:00:00", {"status": "won"}),
        ],
    ),
    "5": (
        "2025-02-05T10:00:00",
        {"stage": "Propose", "amount": 15, "expected": "2025-02-05", "owner": "U2", "segment": "Ent", "status": "won"},
        [],
    ),
    "6": (
        "2025-01-15T10:00:00",
        {"stage": "Qualify", "amount": 60, "expected": "2025-04-30", "owner": "U2", "segment": "Ent"},
        [("2025-04-10T10:00:00", {"status": "lost", "typed": "2025-03-28", "reason": "Timing"})],
    ),
}
STAGES = ["Qualify", "Propose", "Close"]


def local(moment, zone):
    t = pd.Timestamp(moment, tz="UTC")
    return str((t.tz_convert(zone) if zone else t).date())


def csvtext(rows):
    names = list(dict.fromkeys(k for r in rows for k in r))
    out = io.StringIO()
    w = csv.DictWriter(out, names)
    w.writeheader()
    w.writerows(rows)
    return out.getvalue()


UNTIL = [None]
"""Nothing after this day is written: the export of that day."""


def walk(zone):
    """yield deal, list of (moment, changed, full state)"""
    for d, (opened, first, changes) in CO.items():
        if UNTIL[0] and opened[:10] > UNTIL[0]:
            continue
        changes = [c for c in changes if not UNTIL[0] or c[0][:10] <= UNTIL[0]]
        s = {"status": "open", "typed": None, "reason": None} | first
        if s["status"] != "open":
            s["typed"] = local(opened, zone)
        log = [(opened, dict(s), dict(s), {})]
        for m, ch in changes:
            old = dict(s)
            ch = dict(ch)
            if ch.get("status") in ("won", "lost"):
                ch.setdefault("typed", local(m, zone))
            if ch.get("status") == "open":
                ch["typed"] = None
                ch["reason"] = None
            s = s | ch
            log.append((m, {k: v for k, v in ch.items() if old.get(k) != v}, dict(s), old))
        yield d, opened, log


def salesforce(f, zone):
    opp, hist, fld = [], [], []
    for d, opened, log in walk(zone):

        def stage(s):
            return {"won": "Closed Won", "lost": "Closed Lost"}.get(s["status"], s["stage"])

        def close(s):
            return s["typed"] if s["status"] != "open" else s["expected"]

        s = log[-1][2]

        def z(m):
            return m + ".000+0000"

        opp.append(
            {
                "Id": d,
                "AccountId": "a" + d,
                "OwnerId": s["owner"],
                "StageName": stage(s),
                "Amount": s["amount"],
                "CloseDate": close(s),
                "CreatedDate": z(opened),
                "IsClosed": str(s["status"] != "open").lower(),
                "IsWon": str(s["status"] == "won").lower(),
                "IsDeleted": "false",
                "LeadSource": "Web",
                "Segment__c": s["segment"],
                "Loss_Reason__c": s["reason"] or "",
                "CurrencyIsoCode": "EUR",
            }
        )
        prev = None
        for m, ch, st, old in log:
            key = (stage(st), st["amount"], close(st))
            if key != prev:
                hist.append(
                    {
                        "Id": len(hist),
                        "OpportunityId": d,
                        "CreatedDate": z(m),
                        "StageName": stage(st),
                        "Amount": st["amount"],
                        "CloseDate": close(st),
                    }
                )
            prev = key
            if old:
                for a, b in (("owner", "Owner"), ("reason", "Loss_Reason__c"), ("segment", "Segment__c")):
                    if a in ch:
                        fld.append(
                            {
                                "Id": len(fld),
                                "OpportunityId": d,
                                "Field": b,
                                "OldValue": old.get(a) or "",
                                "NewValue": st[a] or "",
                                "CreatedDate": z(m),
                            }
                        )
    st = [
        {
            "ApiName": n,
            "MasterLabel": n,
            "SortOrder": i,
            "IsActive": "true",
            "IsClosed": str(n.startswith("Closed")).lower(),
            "IsWon": str(n == "Closed Won").lower(),
        }
        for i, n in enumerate([*STAGES, "Closed Won", "Closed Lost"])
    ]
    for n, r in {
        "Opportunity": opp,
        "OpportunityHistory": hist,
        "OpportunityFieldHistory": fld,
        "OpportunityStage": st,
    }.items():
        (f / f"{n}.csv").write_text(csvtext(r))
    return {"kind": "salesforce", "folder": ".", "reason": "Loss_Reason__c", "attributes": {"segment": "Segment__c"}}


def hubspot(f, zone):
    ids = {"Qualify": "s1", "Propose": "s2", "Close": "s3"}
    deals, hist = [], []
    for d, opened, log in walk(zone):

        def stage(s):
            return {"won": "closedwon", "lost": "closedlost"}.get(s["status"], ids[s["stage"]])

        def close(s, m):  # datetime; a closing's closedate is the moment of closing unless typed
            day = s["typed"] if s["status"] != "open" else s["expected"]
            if s["status"] != "open" and day == local(m, zone):
                return m + "Z"
            t = pd.Timestamp(day + "T12:00:00", tz=zone or "UTC").tz_convert("UTC")
            return t.strftime("%Y-%m-%dT%H:%M:%SZ")

        prev = {}
        cl = None
        for m, ch, s, _old in log:
            if cl is None or {"status", "expected", "typed"} & set(ch):
                cl = close(s, m)
            p = {
                "dealstage": stage(s),
                "amount": str(s["amount"]),
                "closedate": cl,
                "hubspot_owner_id": s["owner"],
                "closed_lost_reason": s["reason"] or "",
                "segment": s["segment"],
                "pipeline": "default",
            }
            for k, v in p.items():
                if prev.get(k) != v and not (k not in prev and v == ""):
                    hist.append({"deal_id": d, "name": k, "value": v, "timestamp": m + "Z", "source": "CRM_UI"})
            prev = p
        s = log[-1][2]
        deals.append(
            dict(
                hs_object_id=d,
                **prev,
                deal_currency_code="EUR",
                createdate=opened + "Z",
                hs_is_closed=str(s["status"] != "open").lower(),
                hs_is_closed_won=str(s["status"] == "won").lower(),
                hs_analytics_source="Web",
                associated_company_id="a" + d,
            )
        )
    st = [
        {
            "stage_id": i,
            "pipeline_id": "default",
            "label": n,
            "display_order": k,
            "probability": p,
            "is_closed": c,
            "closed_won": w,
        }
        for k, (i, n, p, c, w) in enumerate(
            [
                ("s1", "Qualify", 0.2, "false", "false"),
                ("s2", "Propose", 0.4, "false", "false"),
                ("s3", "Close", 0.8, "false", "false"),
                ("closedwon", "Closed Won", 1.0, "true", "true"),
                ("closedlost", "Closed Lost", 0.0, "true", "false"),
            ]
        )
    ]
    for n, r in {
        "deals": deals,
        "deal_property_history": hist,
        "deal_pipeline_stage": st,
        "deal_pipeline": [{"pipeline_id": "default", "label": "Sales"}],
    }.items():
        (f / f"{n}.csv").write_text(csvtext(r))
    return {"kind": "hubspot", "folder": ".", "attributes": {"segment": "segment"}}


def dynamics(f, zone):
    G = {"U1": "00000000-0000-4000-8000-000000000001", "U2": "00000000-0000-4000-8000-000000000002"}
    opp, cl, aud = [], [], []
    REASON = {"Price": "100000001", "Timing": "100000002"}
    for d, opened, log in walk(zone):
        s = log[-1][2]
        st = {"open": "0", "won": "1", "lost": "2"}

        def sc(s):
            return {"open": "1", "won": "3"}.get(s["status"]) or REASON[s["reason"]]

        mod = log[-1][0]
        opp.append(
            {
                "opportunityid": d,
                "name": "x",
                "_ownerid_value": G[s["owner"]],
                "_parentaccountid_value": "a" + d,
                "createdon": opened + "Z",
                "modifiedon": mod + "Z",
                "estimatedclosedate": s["expected"],
                "actualclosedate": s["typed"] or "",
                "estimatedvalue": s["amount"],
                "actualvalue": s["amount"] if s["status"] != "open" else "",
                "statecode": st[s["status"]],
                "statuscode": sc(s),
                "stepname": s["stage"],
                "new_segment": s["segment"],
                "_transactioncurrencyid_value": "c1",
            }
        )
        for m, ch, now, old in log:
            if now["status"] != "open" and (not old or old["status"] == "open"):
                cl.append(
                    {
                        "activityid": len(cl),
                        "_opportunityid_value": d,
                        "createdon": m + "Z",
                        "actualend": now["typed"],
                        "actualrevenue": now["amount"],
                        "opportunitystatecode": st[now["status"]],
                        "opportunitystatuscode": sc(now),
                    }
                )
            if not old:
                continue
            a = []

            def c(n, o, w, a=a):
                a.append({"logicalName": n, "oldValue": o, "newValue": w})

            if "stage" in ch:
                c("stepname", old["stage"], now["stage"])
            if "amount" in ch:
                c("estimatedvalue", str(old["amount"]), str(now["amount"]))
            if "expected" in ch:
                c("estimatedclosedate", old["expected"], now["expected"])
            if "owner" in ch:
                c("ownerid", "systemuser," + G[old["owner"]], "systemuser," + G[now["owner"]])
            if "status" in ch:
                c("statecode", st[old["status"]], st[now["status"]])
                c("statuscode", sc(old), sc(now))
            if "typed" in ch:
                c("actualclosedate", old["typed"], now["typed"])
            aud.append(
                {
                    "auditid": len(aud),
                    "objectid": d,
                    "createdon": m + "Z",
                    "operation": 2,
                    "changedata": json.dumps({"changedAttributes": a}),
                }
            )
    for n, r in {
        "opportunity": opp,
        "opportunityclose": cl,
        "audit": aud,
        "transactioncurrency": [{"transactioncurrencyid": "c1", "isocurrencycode": "EUR", "exchangerate": 1}],
    }.items():
        (f / f"{n}.csv").write_text(csvtext(r))
    return {
        "kind": "dynamics",
        "folder": ".",
        "attributes": {"segment": "new_segment"},
        "status_reasons": {"100000001": "Price", "100000002": "Timing"},
        "constants": {"source": "Web"},
    }


def pipedrive(f, zone):
    deals, flow = [], []
    ids = {"Qualify": "11", "Propose": "12", "Close": "13"}
    H = "3f0c2b7d9e4a5f6180c1d2e3f4a5b6c7d8e9f0a1"

    def sp(m):
        return m.replace("T", " ")

    for d, opened, log in walk(zone):
        s = log[-1][2]
        times = {"won_time": "", "first_won_time": "", "lost_time": "", "close_time": ""}
        for m, ch, now, old in log:
            if now["status"] != "open" and (not old or old["status"] == "open"):
                t = (
                    sp(m)
                    if now["typed"] == local(m, zone)
                    else pd.Timestamp(now["typed"] + "T12:00:00", tz=zone or "UTC")
                    .tz_convert("UTC")
                    .strftime("%Y-%m-%d %H:%M:%S")
                )
                if now["status"] == "won":
                    times["won_time"] = t
                    times["first_won_time"] = times["first_won_time"] or t
                    times["lost_time"] = ""
                else:
                    times["lost_time"] = t
                    times["won_time"] = ""
                times["close_time"] = t
            if old:

                def c(k, o, w, d=d, m=m):
                    flow.append(
                        {
                            "object": "dealChange",
                            "id": len(flow),
                            "deal_id": d,
                            "user_id": "1",
                            "field_key": k,
                            "old_value": o if o is not None else "",
                            "new_value": w if w is not None else "",
                            "log_time": sp(m),
                            "is_bulk_update_flag": "",
                        }
                    )

                if "stage" in ch:
                    c("stage_id", ids[old["stage"]], ids[now["stage"]])
                if "amount" in ch:
                    c("value", old["amount"], now["amount"])
                if "expected" in ch:
                    c("expected_close_date", old["expected"], now["expected"])
                if "owner" in ch:
                    c("user_id", old["owner"], now["owner"])
                if "status" in ch:
                    c("status", old["status"], now["status"])
                if "reason" in ch:
                    c("lost_reason", old["reason"], now["reason"])
        deals.append(
            dict(
                id=d,
                title="x",
                org_id="a" + d,
                user_id=s["owner"],
                pipeline_id="1",
                stage_id=ids[s["stage"]],
                status=s["status"],
                value=s["amount"],
                currency="EUR",
                probability="",
                add_time=sp(opened),
                update_time=sp(log[-1][0]),
                stage_change_time="",
                **times,
                lost_reason=s["reason"] or "",
                expected_close_date=s["expected"],
                is_archived="false",
                channel="Web",
                **{H: s["segment"]},
            )
        )
    flow = flow[::-1]
    st = [
        {"id": i, "name": n, "order_nr": k, "pipeline_id": "1", "deal_probability": 10}
        for k, (n, i) in enumerate(ids.items())
    ]
    for n, r in {"deals": deals, "flow": flow, "stages": st, "pipelines": [{"id": "1", "name": "Sales"}]}.items():
        (f / f"{n}.csv").write_text(csvtext(r))
    return {"kind": "pipedrive", "folder": ".", "attributes": {"segment": H}}


SHAPES = {"salesforce": salesforce, "hubspot": hubspot, "dynamics": dynamics, "pipedrive": pipedrive}


def histories(zone=None, until=None):
    UNTIL[0] = until
    out = {}
    for n, shape in SHAPES.items():
        with tempfile.TemporaryDirectory() as folder:
            block = shape(Path(folder), zone)
            source = TypeAdapter(SourceConfig).validate_python(block)
            out[n] = read_history(source, base=Path(folder), timezone=zone)
    return out
