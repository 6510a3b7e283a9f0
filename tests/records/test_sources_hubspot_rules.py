"""HubSpot's own traps, each with its rule: shared labels, deleted stages, merges, edits in bulk, companies."""

from hubspot_export import DEALS, HISTORY, PIPELINES, STAGES, export, history, plain, rows, seen, sentence

LONE = {"attributes": {}, "deal_type": None}


def lines(text: str, *without: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith(without)) + "\n"


def test_a_label_of_several_pipelines_is_never_merged(tmp_path):
    made = history(export(tmp_path))
    assert plain(made.side["stages"].to_pandas(), "stage", "order", "pipeline") == [
        ["Meeting (Renewals)", 0, "Renewals"],
        ["Renewed", 1, "Renewals"],
        ["Meeting (Sales)", 0, "Sales"],
        ["Won", 1, "Sales"],
        ["Lost", 2, "Sales"],
    ]
    assert seen(made, "stage whose label another pipeline has too") == (9, 7, 9)


def test_a_label_is_plain_where_only_its_pipeline_occurs(tmp_path):
    made = history(export(tmp_path, deals=lines(DEALS, "1,"), deal_property_history=lines(HISTORY, "1,")))
    assert rows(made, "stage", "pipeline", deal="3") == [["Meeting", "Renewals"]]
    assert plain(made.side["stages"].to_pandas(), "stage") == [["Meeting"], ["Renewed"]]


def test_pipelines_and_stages_of_one_name_are_told_apart_by_their_ids(tmp_path):
    stages = STAGES + "903,900,Meeting,2,0.6,false,false\n"
    named = PIPELINES.replace("Sales", "Renewals")
    made = history(export(tmp_path, deal_pipeline=named, deal_pipeline_stage=stages))
    assert rows(made, "stage", "pipeline", deal="3") == [["Meeting (Renewals (900), 902)", "Renewals (900)"]]
    assert rows(made, "stage", "pipeline", deal="1")[0] == ["Meeting (Renewals (default))", "Renewals (default)"]


def test_stages_may_be_written_by_their_label(tmp_path):
    deals = DEALS.replace("900,901", "Renewals,Renewed").replace("900,902", "Renewals,Meeting (Renewals)")
    made = history(export(tmp_path, deals=deals, deal_property_history=""))
    assert rows(made, "deal_id", "stage", "pipeline", "status") == [
        ["1", None, "Sales", "open"],
        ["1", "Lost", "Sales", "closed_lost"],
        ["2", None, "Renewals", "open"],
        ["2", "Renewed", "Renewals", "closed_won"],
        ["3", "Meeting (Renewals)", "Renewals", "open"],
    ]


def test_a_stage_that_was_deleted_for_good_stays_an_id(tmp_path):
    log = HISTORY.replace("2,dealstage,902", "2,dealstage,555")
    made = history(export(tmp_path, deal_property_history=log))
    assert rows(made, "recorded_on", "stage", "status", "pipeline", deal="2") == [
        ["01-05", "555", "open", "Renewals"],
        ["02-01", "555", "open", "Renewals"],
        ["03-01", "555", "open", "Renewals"],
        ["04-02", "Renewed", "closed_won", "Renewals"],
    ]
    assert seen(made, "stage that no list of stages names") == (9, 3, 9)
    stated = history(tmp_path, lost_stages=[555])
    assert rows(stated, "status", "closed_on", deal="2")[0] == ["closed_lost", "01-05"]


def test_what_a_stage_means(tmp_path):
    stages = STAGES.replace(",is_closed,closed_won", "").replace(",false,false", "").replace(",true,true", "")
    by_probability = history(export(tmp_path, deal_pipeline_stage=stages.replace(",true,false", "")))
    assert [rows(by_probability, "status", deal=deal)[-1] for deal in "123"] == [
        ["closed_lost"],
        ["closed_won"],
        ["open"],
    ]
    (tmp_path / "deal_pipeline_stage.csv").unlink()
    no_list = history(tmp_path)  # the flags of today's deals say it, and a stage that all have left is open
    assert [rows(no_list, "stage", "status", deal=deal)[-1] for deal in "123"] == [
        ["closedlost", "closed_lost"],
        ["901", "closed_won"],
        ["902", "open"],
    ]
    assert rows(no_list, "stage", "status", deal="1")[0] == ["appointmentscheduled", "open"]
    assert "stages" not in no_list.side
    unsaid = DEALS.replace("true,false", ",").replace("true,true", ",").replace("false,false", ",")
    assert sentence(export(tmp_path, deals=unsaid, deal_pipeline_stage="")) == (
        "column 'dealstage': nothing says whether these stages are open, won or lost: '901', '902'. Export the list of "
        "stages (deal_pipeline_stage) too, or list each under open_stages:, won_stages: or lost_stages: of source: in "
        "the params."
    )
    stated = history(tmp_path, won_stages=[901], open_stages=["902"])
    assert [rows(stated, "status", deal=deal)[-1] for deal in "123"] == [["closed_lost"], ["closed_won"], ["open"]]


def test_the_params_go_before_the_list_of_stages(tmp_path):
    export(tmp_path)
    by_label = history(tmp_path, lost_stages=["Renewed"])
    assert rows(by_label, "stage", "status", deal="2")[-1] == ["Renewed", "closed_lost"]
    in_one_pipeline = history(tmp_path, won_stages=["Meeting (Renewals)"])
    assert rows(in_one_pipeline, "status", deal="3") == [["closed_won"]]
    assert rows(in_one_pipeline, "status", deal="1")[0] == ["open"]
    assert sentence(tmp_path, won_stages=["Renewd"]) == (
        "column 'dealstage', value 'Renewd': no stage of the export is called so. "
        "Correct it in the params (did you mean 'Renewed'?)."
    )
    assert sentence(tmp_path, won_stages=["Lost"], lost_stages=["Lost"]) == (
        "column 'dealstage', value 'Lost': the params list this stage twice. "
        "List each under open_stages:, won_stages: or lost_stages: of source: in the params."
    )


def test_the_stage_decides_against_the_flag(tmp_path):
    made = history(export(tmp_path, deals=DEALS.replace("true,true", "true,false")))
    assert rows(made, "status", deal="2")[-1] == ["closed_won"]
    assert seen(made, "hs_is_closed_won says otherwise than the stage") == (9, 1, 3)
    (tmp_path / "deal_pipeline_stage.csv").unlink()
    split = DEALS.replace("3,900,902", "3,900,901")
    assert sentence(export(tmp_path, deals=split, deal_pipeline_stage="")) == (
        "column 'dealstage', value '901': hs_is_closed and hs_is_closed_won differ between deals of this stage "
        "(closed_won, open), and no list of stages decides. "
        "List each under open_stages:, won_stages: or lost_stages: of source: in the params."
    )


def test_todays_stage_that_the_history_lacks_is_known_at_the_end_of_it(tmp_path):
    made = history(export(tmp_path, deal_property_history=lines(HISTORY, "2,dealstage,901")))
    assert rows(made, "recorded_on", "stage", "status", "closed_on", "reason", deal="2")[-2:] == [
        ["04-02", "Meeting (Renewals)", "open", None, None],
        ["04-02", "Renewed", "closed_won", "04-02", "Product"],
    ]
    assert seen(made, "deal whose last recorded stage is not today's") == (9, 1, 3)


MERGED = "deal_id,merged_deal_id,_fivetran_synced\n1,4,2025-06-01 00:00:00\n1,1,2025-06-01 00:00:00\n"


def test_merged_and_deleted_deals_are_rejected_with_their_history(tmp_path):
    header, *deals = DEALS.splitlines()
    flags = ["", "5;6", "", "", "", ""]
    more = [f"{deal},900,902,1,EUR,,2025-02-01T10:00:00Z,false,false,,,,,,SMB" for deal in "456"]
    deals = [f"{line},{merged},{gone}" for line, merged, gone in zip(
        [*deals, *more], flags, ["false", "false", "true", "false", "false", "true"], strict=True)]  # fmt: skip
    text = "\n".join([f"{header},hs_merged_object_ids,is_deleted", *deals, ""])
    log = HISTORY + "".join(f"{deal},dealstage,902,2025-02-01T10:00:00Z,CRM_UI\n" for deal in "456")
    made = history(export(tmp_path, deals=text, deal_property_history=log, merged_deal=MERGED))
    assert sorted(set(made.table.deal_id.to_pandas())) == ["1", "2"]
    of_log = made.rejects["file"] == "deal_property_history.csv"
    assert made.rejects.loc[~of_log, ["line", "reason"]].values.tolist() == [
        [4, "deleted in the CRM"],
        [5, "merged into 1"],
        [6, "merged into 2"],
        [7, "deleted in the CRM"],
    ]
    assert made.rejects.loc[of_log, ["line", "reason"]].values.tolist() == [
        *[[line, "its deal is deleted in the CRM"] for line in (21, 22, 23, 24)],
        [25, "its deal was merged into another"],
        [26, "its deal was merged into another"],
        [27, "its deal is deleted in the CRM"],
    ]
    assert seen(made, "deal deleted in the CRM") == (16, 2, 6)
    assert seen(made, "deal merged into another") == (16, 3, 6)
    assert seen(made, "deal that others were merged into") == (16, 2, 2)


BULK = "".join(f"{deal},900,902,1,EUR,,2025-02-01T10:00:00Z,false,false,,,,,,SMB\n" for deal in range(10, 20))


def bulk_export(tmp_path):
    """Ten deals that were imported at once and moved at once, and one that an import moved by itself."""
    log = HISTORY
    for deal in range(10, 20):
        log += f"{deal},dealstage,902,2025-02-01T10:00:10Z,IMPORT\n"
        log += f"{deal},dealstage,901,2025-02-20T10:00:{deal}Z,AUTOMATION_PLATFORM\n"
    log += "3,dealstage,901,2025-03-20T10:00:00Z,IMPORT\n3,amount,71,2025-03-20T10:00:00Z,IMPORT\n"
    return export(tmp_path, deals=DEALS + BULK, deal_property_history=log)


def test_edits_in_bulk_are_counted_and_kept(tmp_path):
    made = history(bulk_export(tmp_path))
    assert seen(made, "change made in bulk") == (9, 20, 44)  # of 45 rows, one is of a property that is not read
    assert rows(made, "recorded_on", "stage", deal="10") == [
        ["02-01", "Meeting (Renewals)"],
        ["02-20", "Renewed"],
        ["04-02", "Meeting (Renewals)"],  # where it stands today
    ]
    assert len(made.rejects) == 0


def test_sources_that_are_ignored_change_no_stage_but_at_the_creation(tmp_path):
    made = history(bulk_export(tmp_path), ignore_sources=["import", "AUTOMATION_PLATFORM"])
    assert set(made.rejects["reason"]) == {"its source is one of ignore_sources"}
    assert made.rejects["line"].tolist() == [*range(26, 45, 2), 45]
    assert seen(made, "change made in bulk") == (9, 10, 33)
    assert rows(made, "recorded_on", "stage", deal="10") == [["02-01", "Meeting (Renewals)"]]
    assert rows(made, "recorded_on", "stage", "amount", deal="3") == [
        ["02-01", "Meeting (Renewals)", 70.0],
        ["03-20", "Meeting (Renewals)", 71.0],
    ]


COMPANIES = """\
deal_id,company_id,type_id,category
1,700,341,HUBSPOT_DEFINED
1,90,341,HUBSPOT_DEFINED
1,800,5,HUBSPOT_DEFINED
2,700,341,HUBSPOT_DEFINED
2,90,341,HUBSPOT_DEFINED
9,90,5,HUBSPOT_DEFINED
"""


def test_a_deal_has_one_company_the_primary_or_the_first(tmp_path):
    made = history(export(tmp_path, deal_company=COMPANIES))
    assert [rows(made, "account_id", deal=deal)[-1] for deal in "123"] == [["800"], ["90"], [None]]
    assert seen(made, "deal with several companies") == (19, 2, 3)
    assert seen(made, "deal without a company") == (19, 1, 3)
    assert made.rejects[["file", "line", "reason"]].values.tolist() == [
        ["deal_company.csv", 7, "its deal is not in the export"]
    ]


def test_forecasts_and_probabilities_have_the_contracts_names_and_scale(tmp_path):
    log = HISTORY + (
        "3,hs_manual_forecast_category,BEST_CASE,2025-03-01T10:00:00Z,CRM_UI\n"
        "3,hs_deal_stage_probability,0.5,2025-02-01T10:00:00Z,CRM_UI\n"
        "3,hs_manual_forecast_category,COMMIT,2025-04-01T10:00:00Z,CRM_UI\n"
        "3,hs_manual_forecast_category,Perhaps,2025-05-01T10:00:00Z,CRM_UI\n"
    )
    made = history(export(tmp_path, deal_property_history=log))
    assert rows(made, "recorded_on", "forecast_category", "probability", deal="3") == [
        ["02-01", None, 0.5],
        ["03-01", "best_case", 0.5],
        ["04-01", "commit", 0.5],
        ["05-01", None, 0.5],
    ]
    assert seen(made, "forecast category that no rule names") == (12, 1, 3)
    assert seen(made, "probability in percent") == (11, 0, 4)


def test_the_amount_in_the_home_currency_is_never_read(tmp_path):
    header, *deals = DEALS.splitlines()
    text = "\n".join([f"{header},amount_in_home_currency", *(f"{line},999" for line in deals), ""])
    made = history(export(tmp_path, deals=text))
    assert rows(made, "amount", "currency", deal="2")[-1] == [50.0, "USD"]
    assert seen(made, "amount in the home currency") == (13, 3, 3)


def test_constants_fill_what_the_export_lacks(tmp_path):
    made = history(export(tmp_path), constants={"pipeline": "all", "segment": "any"})
    assert rows(made, "pipeline", "segment", deal="3") == [["all", "any"]]


def test_a_deleted_deal_in_a_stage_that_nothing_explains_stops_nobody(tmp_path):
    deals = DEALS + "4,900,777,1,EUR,,2025-02-01T10:00:00Z,,,,,,,,\n"
    text = "\n".join(f"{line},{gone}" for line, gone in zip(
        deals.splitlines(), ["archived", "false", "false", "false", "true"], strict=True)) + "\n"  # fmt: skip
    assert rows(history(export(tmp_path, deals=text)), "status", deal="3") == [["open"]]
    assert sentence(export(tmp_path, deals=text.replace("true\n", "false\n"))) == (
        "column 'dealstage': nothing says whether these stages are open, won or lost: '777'. Export the list of "
        "stages (deal_pipeline_stage) too, or list each under open_stages:, won_stages: or lost_stages: of source: in "
        "the params."
    )
