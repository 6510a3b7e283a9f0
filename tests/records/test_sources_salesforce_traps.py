"""What only a Salesforce export shows, handled by a rule and counted: stages, deleted and repeated deals, leaks."""

import pytest
from pydantic import ValidationError
from salesforce_export import DEALS, FIELDS, STAGES, export, history, noticed, rejected, rows, sentence

from analytics.records.sources.salesforce.leaks import RECOMPUTED

LISTED = """\
Id,MasterLabel,ApiName,SortOrder,IsActive,IsClosed,IsWon
1,Discovery,Discovery,1,true,false,false
2,Proposal,Proposal,3,true,false,false
3,Closed Won,Closed Won,8,true,true,true
4,Closed Lost,Closed Lost,9,true,true,false
5,Legal,Legal,2,false,false,false
6,Legal,Legal,7,true,false,false
"""


def test_the_majority_of_its_deals_says_what_a_stage_means(tmp_path):
    # 006B is won by its flags, and stands in Closed Lost with two that are lost (one of them deleted).
    mixed = DEALS.replace("006B,001X,005Ana,Closed Won", "006B,001X,005Ana,Closed Lost")
    made = history(export(tmp_path, Opportunity=mixed), won_stages=["Closed Won"])
    assert noticed(made, 9) == {
        "IsClosed and IsWon are not what the stage means": (1, 3),
        "a recorded state is in a stage in which no opportunity is today": (3, 5),
    }
    assert rows(made, "stage", "status", deal="006B")[-1] == ["Closed Lost", "closed_lost"]
    assert noticed(made, 1) == {"the history ends in another status than the opportunity has": (1, 3)}


def test_a_stage_that_is_open_as_often_as_closed_is_open(tmp_path):
    won = "006H,001Y,005Ana,Proposal,70,2025-06-30,2025-02-01T10:00:00.000+0000,true,true,false,,SMB,\n"
    made = history(export(tmp_path, Opportunity=DEALS + won))
    assert rows(made, "stage", "status", deal="006C")[-1] == ["Proposal", "open"]
    assert rows(made, "stage", "status", deal="006H")[-1] == ["Proposal", "open"]
    assert noticed(made, 9)["IsClosed and IsWon are not what the stage means"] == (1, 4)


def test_opportunity_stage_decides_over_flags_and_the_params_over_both(tmp_path):
    mixed = DEALS.replace("005Ana,Proposal,70,2025-06-30,2025-02-01T10:00:00.000+0000,false",
                          "005Ana,Proposal,70,2025-06-30,2025-02-01T10:00:00.000+0000,true")  # fmt: skip
    renamed = STAGES.replace("Discovery", "Old Discovery").replace(",10,", ",,")
    folder = export(tmp_path, Opportunity=mixed, OpportunityStage=LISTED, OpportunityHistory=renamed)
    assert sentence(folder).startswith("column 'StageName': nothing says whether these stages are open")
    made = history(folder, open_stages=["Old Discovery"])
    assert rows(made, "stage", "status", deal="006C") == [["Proposal", "open"]]
    assert noticed(made, 9) == {
        "IsClosed and IsWon are not what the stage means": (1, 3),
        "a recorded state is in a stage that OpportunityStage lacks": (2, 5),
        "stands in a stage that is no longer active": (0, 3),
    }
    other = history(folder, open_stages=["Old Discovery"], lost_stages=["Proposal"])
    assert rows(other, "stage", "status", deal="006C") == [["Proposal", "closed_lost"]]


def test_stages_come_in_their_order_and_an_inactive_one_of_the_same_name_does_not_count(tmp_path):
    made = history(export(tmp_path, OpportunityStage=LISTED))
    assert made.side["stages"].to_pandas()[["stage", "order"]].values.tolist() == [
        ["Discovery", 1],
        ["Proposal", 3],
        ["Closed Won", 8],
        ["Closed Lost", 9],
        ["Legal", 7],
    ]
    assert rejected(made, "OpportunityStage.csv") == [[6, "a second stage of this name"]]


def test_a_deal_in_an_inactive_stage_is_counted(tmp_path):
    made = history(
        export(tmp_path, OpportunityStage=LISTED.replace("Proposal,Proposal,3,true", "Proposal,Proposal,3,false"))
    )
    assert noticed(made, 9)["stands in a stage that is no longer active"] == (1, 3)


def test_merged_deals_are_told_apart_from_deleted_ones(tmp_path):
    header, *lines = DEALS.splitlines()
    merged = "006E,001Y,005Ana,Proposal,5,2025-06-30,2025-02-01T10:00:00.000+0000,false,false,true,,SMB,,006C"
    deals = "\n".join([f"{header},MasterRecordId", *(f"{line}," for line in lines), merged]) + "\n"
    made = history(export(tmp_path, Opportunity=deals))
    assert rejected(made, "Opportunity.csv") == [
        [5, "deleted in the CRM"],
        [6, "merged into another opportunity in the CRM"],
    ]
    assert noticed(made, 16) == {
        "deleted in the CRM": (1, 5),
        "merged into another opportunity in the CRM": (1, 5),
        "the same opportunity again, with the same values in every field that is read": (0, 5),
        "history of an opportunity that is not in the export": (1, 13),
        "an invitee's copy of a meeting that is there": (0, 0),
    }


def test_a_report_by_split_or_product_counts_a_deal_once(tmp_path):
    header, *lines = DEALS.splitlines()
    split = [f"{header},SplitOwner,Percent", *(f"{line},Ana,60" for line in lines), f"{lines[1]},Bo,40"]
    made = history(export(tmp_path, Opportunity="\n".join(split) + "\n"))
    assert rejected(made, "Opportunity.csv") == [
        [5, "deleted in the CRM"],
        [6, "the same opportunity again, with the same values in every field that is read"],
    ]
    plain = history(export(tmp_path, Opportunity=DEALS))
    assert rows(made, "deal_id", "recorded_on", "amount") == rows(plain, "deal_id", "recorded_on", "amount")
    assert noticed(made, 16)["the same opportunity again, with the same values in every field that is read"] == (1, 5)


def test_splits_are_recognised_and_never_joined(tmp_path):
    assert noticed(history(export(tmp_path)), 19) == {"split of a deal between sellers": (0, 0)}
    splits = "Id,OpportunityId,SplitOwnerId,SplitPercentage\n1,006A,005Ana,60\n2,006A,005Bo,40\n3,006B,005Bo,100\n"
    made = history(export(tmp_path, OpportunitySplit=splits))
    assert noticed(made, 19) == {"split of a deal between sellers": (3, 3)}
    frame = made.table.to_pandas()
    assert frame.loc[frame["deal_id"] == "006B", "amount"].tolist() == [45.0, 45.0, 50.0, 50.0]


def test_contact_roles_are_counted_and_not_offered(tmp_path):
    roles = """\
Id,OpportunityId,ContactId,Role,CreatedDate,IsDeleted
1,006A,003X,Buyer,2025-03-31T12:00:00.000+0000,false
2,006A,003Y,Buyer,2025-01-31T12:00:00.000+0000,false
3,006B,003Y,Buyer,2025-06-01T12:00:00.000+0000,false
4,006C,003Z,Buyer,2025-06-01T12:00:00.000+0000,true
"""
    made = history(export(tmp_path, OpportunityContactRole=roles))
    assert noticed(made, 20)["contact role added on the close date or later"] == (2, 3)
    assert rejected(made, "OpportunityContactRole.csv") == [[5, "deleted in the CRM"]]
    undated = "OpportunityId,ContactId\n006A,003X\n006A,003Y\n"
    made = history(export(tmp_path, OpportunityContactRole=undated))
    assert noticed(made, 20)["contact role that does not say when it was added"] == (2, 2)


@pytest.mark.parametrize("field", sorted(RECOMPUTED))
def test_fields_that_the_crm_computes_anew_are_refused_as_attributes(tmp_path, field):
    with pytest.raises(ValidationError) as caught:
        history(tmp_path, attributes={"mine": field})
    assert f"attributes: mine: {field} {RECOMPUTED[field]}. Leave it out" in str(caught.value)


def test_a_connectors_name_of_such_a_field_is_refused_too(tmp_path):
    with pytest.raises(ValidationError) as caught:
        history(tmp_path, attributes={"quarter": "fiscal_quarter"})
    assert "fiscal_quarter follows CloseDate, so it moves with every push" in str(caught.value)


def test_which_fields_have_a_history_and_from_when(tmp_path):
    made = history(export(tmp_path))
    assert noticed(made, 20) == {
        "activity that did not happen (not completed, or planned)": (0, 0),
        "contact role added on the close date or later": (0, 0),
        "closed before the history begins (2025-01-02)": (0, 3),
        "account_id (AccountId): no change is on record": (3, 3),
        "owner_id (OwnerId) is on record from 2025-02-25 on; opened before": (3, 3),
        "reason (Loss_Reason__c) is on record from 2025-03-31 on; opened before": (3, 3),
        "source (LeadSource): no change is on record": (3, 3),
        "segment (Segment__c) is on record from 2025-02-01 on; opened before": (2, 3),
    }
    headed = noticed(history(export(tmp_path, OpportunityFieldHistory=FIELDS.splitlines()[0] + "\n")), 20)
    assert len(headed) == 9
    assert headed["OpportunityFieldHistory has no rows, so that it tells nothing of earlier dates"] == (3, 3)


def test_amounts_in_several_currencies_are_counted(tmp_path):
    header, *lines = DEALS.splitlines()
    codes = ["EUR", "EUR", "USD", "USD"]
    deals = [f"{header},CurrencyIsoCode", *(f"{line},{code}" for line, code in zip(lines, codes, strict=True))]
    made = history(export(tmp_path, Opportunity="\n".join(deals) + "\n"))
    assert noticed(made, 13)["amount in another currency than most"] == (1, 3)
    assert noticed(history(export(tmp_path, Opportunity=DEALS)), 13)["amount in another currency than most"] == (0, 3)
