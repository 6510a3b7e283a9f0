"""Rows of a log that change what nothing here reads are kept, and counted."""

from pathlib import Path

import hubspot_export as hubspot
import salesforce_export as salesforce
import test_sources_dynamics as dynamics
import test_sources_pipedrive as pipedrive


def unread(history) -> tuple[int, int]:
    found = [(each.trap, each.found, each.of) for each in history.noticed if "fields that are not read" in each.what]
    assert [trap for trap, _, _ in found] == [0]
    return found[0][1:]


def test_salesforce_counts_the_change_of_a_next_step(tmp_path: Path) -> None:
    assert unread(salesforce.history(salesforce.export(tmp_path))) == (1, 6)  # the seventh is of no known deal


def test_hubspot_counts_the_change_of_a_name(tmp_path: Path) -> None:
    rows = len(hubspot.HISTORY.splitlines()) - 1
    assert unread(hubspot.history(hubspot.export(tmp_path))) == (1, rows)


def test_pipedrive_counts_the_change_of_a_title(tmp_path: Path) -> None:
    made = pipedrive.history(pipedrive.export(tmp_path))
    assert unread(made) == (1, 10)  # two are of deals that are not there, one is an activity


def test_dynamics_counts_a_row_that_changes_a_description_alone(tmp_path: Path) -> None:
    change = '{""logicalName"":""description"",""oldValue"":null,""newValue"":""z""}'
    row = f'99,O3,2025-02-21T10:00:00Z,2,"{{""changedAttributes"":[{change}]}}"\n'
    made = dynamics.history(dynamics.export(tmp_path, audit=dynamics.AUDIT + row))
    assert unread(made) == (1, len(dynamics.AUDIT.splitlines()))
