"""An export without any of the optional tables is studied all the same; what is missing is said in one line."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner

from analytics.estimators.lacking import lacking
from analytics.records.needs import NEEDS, PARTS
from analytics.studies.cli import main
from analytics.studies.places import project_root

OPEN = """\
from analytics import open_study
from analytics.display import tables
from analytics.display.findings import finding_cards
from analytics.estimators.lacking import lacking
from analytics.questions import data_health as question

study = open_study(company=company, quarter=quarter, as_of=as_of, compare_to=compare_to, segments=segments)
known = {"as_of": study.as_of, "definitions": study.definitions}"""

ABILITIES = """\
able = question.abilities(study.history, rules=study.rules, segments=study.segments, **known)
tables.listing_table(study.save("abilities", able), columns=["study", "question", "possible", "words"])"""

TRUSTED = """\
finding_cards(study.save("observed", question.observed(study.history, **known)))"""

SINCE = """\
tables.listing_table(study.save("trusted", question.trusted(study.history, **known)), columns=["what", "how_known"])"""

LACKING = """\
finding_cards(study.save("plan", lacking("plan", "booked against plan", "quotas")))"""


@pytest.fixture
def page(acme: Path, rewritten: Callable[..., Path]) -> Callable[[str], str]:
    """Run the project's notebooks and the cells above on an export of one table; return a page's text."""
    rewritten(OPEN, ABILITIES, TRUSTED, SINCE, LACKING)
    (acme / "notebooks" / "01_ending.ipynb").unlink()
    (acme / "notebooks" / "02_size.ipynb").rename(acme / "notebooks" / "90_abilities.ipynb")
    for name in ("00_data_health", "01_quarter"):
        shutil.copy(project_root() / "notebooks" / f"{name}.ipynb", acme / "notebooks")
    result = CliRunner().invoke(main, ["run", str(acme / "params" / "acme-2025Q2.yaml")])
    assert result.exit_code == 0, result.output
    (run,) = (acme / "reports" / "acme" / "2025Q2" / "runs").iterdir()

    def text(name: str) -> str:
        shown = re.sub(
            r"<script.*?</script>|<style.*?</style>", " ", (run / f"{name}.html").read_text(), flags=re.DOTALL
        )
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", shown)).split())

    return text


@pytest.mark.slow
def test_a_study_whose_table_is_missing_says_so_and_the_run_goes_on(page: Callable[[str], str]) -> None:
    health, quarter, able = page("00_data_health"), page("01_quarter"), page("90_abilities")
    assert "Whether silence means anything is not known. Add the activities table (Task in Salesforce)" in health
    assert "How late closings are recorded is not known." in health
    assert "not studied" in health
    assert "The quarter in money" in quarter
    assert "of plan" not in quarter
    assert "Not studied: it needs the quotas table (side: quotas)." in able
    assert "Not studied: it needs the reviews table (side: reviews)." in able
    assert "The source keeps only today's state: no change is recorded." in able
    assert "Not studied: booked against plan. It needs the quotas table (side: quotas)." in able
    assert "Nothing says that deals are absent." in able


def test_every_need_of_every_part_has_words() -> None:
    assert {need for part in PARTS for need in (*part.needs, *part.better)} == set(NEEDS)
    assert len({(part.study, part.question) for part in PARTS}) == len(PARTS)


def test_a_need_without_words_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'quotas'"):
        lacking("plan", "booked against plan", "qoutas")
