"""What leaves a published report: lists of deals behind its numbers, pictures, a print, a deck, flags, team pages."""

from __future__ import annotations

import base64
import csv
import dataclasses
import datetime as dt
import gzip
import html
import itertools
import json
import re
import shutil
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from handoff_company import AS_OF, COMPANY, HOSTILE, QUARTER, rows, team_of, write_company

from analytics import open_study
from analytics.estimators.result import Estimate
from analytics.questions.data_health import left_out
from analytics.records.errors import InputError
from analytics.studies import results
from analytics.studies.browser import find_browser
from analytics.studies.cli import main
from analytics.studies.deal_lists import crm_url
from analytics.studies.export import chosen_figures, export_figures, print_report, saved_figures
from analytics.studies.export_deals import write_flags
from analytics.studies.params import check_crm_url, load_company
from analytics.studies.published_run import PublishedRun, current_run
from analytics.studies.run import Options, run_study
from analytics.studies.slides import write_slides

DAY = dt.date.fromisoformat


@pytest.fixture(scope="session")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quarter's params of a company that has been run once."""
    params = write_company(tmp_path_factory.mktemp("handoff") / "home")
    result = run_study(params)
    assert result.exit_code == 0, [outcome.message for outcome in result.outcomes]
    return params


@pytest.fixture(scope="session")
def run(asked: Path) -> PublishedRun:
    return current_run(asked)


def lists_of(run: PublishedRun) -> dict[str, list[str]]:
    """The lists of the page of deals: what stands after # in their addresses, and the ids in each."""
    text = (run.folder / "deals.html").read_text()
    data = json.loads(
        gzip.decompress(base64.b64decode(re.search(r'id="data">(.*?)</script>', text)[1]))  # type: ignore[index]
    )
    sets = [[data["deals"][place][0] for place in itertools.accumulate(steps)] for steps in data["sets"]]
    return {key: sets[item[2]] for key, item in data["lists"].items()}


def links_of(run: PublishedRun) -> list[tuple[str, str]]:
    """The cells of the page that open a list: address and number."""
    found = re.findall(r'<a href="deals\.html#([^"]+)"[^>]*>([^<]*)</a>', (run.folder / "01_quarter.html").read_text())
    return [(html.unescape(address), number) for address, number in found]


def closed_in_quarter(deals: Sequence[dict[str, str]], stage: str, reasons: Sequence[str]) -> list[str]:
    """The rule in the plainest words: which deals closed so in the quarter?"""
    found = []
    for deal in deals:
        if deal["stage"] == stage and deal["reason"] in reasons and QUARTER[0] <= DAY(deal["closed"]) <= QUARTER[1]:
            found.append(deal["id"])
    return sorted(found)


def test_every_number_that_is_linked_opens_a_list_of_as_many_deals(run: PublishedRun) -> None:
    lists, links = lists_of(run), links_of(run)
    assert {address.split("/")[1] for address, _ in links} == {"what_closed", "period_at_horizon", "period_incidence"}
    assert len(links) > 30
    for address, number in links:
        assert number == f"{len(lists[address]):,}", address


def test_the_list_behind_a_number_holds_the_deals_that_a_loop_finds(run: PublishedRun) -> None:
    lists = lists_of(run)
    expected = {
        "won": closed_in_quarter(rows(), "Won", [""]), "lost": closed_in_quarter(rows(), "Lost", ["Price"]),
        "no_decision": closed_in_quarter(rows(), "Lost", ["No decision"]),
    }  # fmt: skip
    saved = results.read(run.folder, "01_quarter", "what_closed").frame  # type: ignore[union-attr]
    for row, outcome in enumerate(saved["outcome"]):
        if outcome in expected:
            assert sorted(lists[f"01_quarter/what_closed/{row}/deals"]) == expected[outcome]
            assert saved["deals"][row] == len(expected[outcome]) > 5


def test_the_front_page_opens_lists_too_and_its_strip_leaves_out_what_is_not_in_the_data(run: PublishedRun) -> None:
    """This company has no quotas: what was booked stands there, and no sentence in place of a plan."""
    front = (run.folder / "index.html").read_text(encoding="utf-8")
    strip = re.search(r'<ul class="wl-strip".*?</ul>', front, re.DOTALL)
    assert strip
    assert "booked</li>" in strip[0]
    assert "plan" not in strip[0]
    found, lists = re.findall(r'<td[^>]*><a href="deals\.html#([^"]+)">([\d,]+)( deals?)?</a>', front), lists_of(run)
    assert len(found) > 8
    assert [(key, number) for key, number, _ in found if number != f"{len(lists[html.unescape(key)]):,}"] == []
    assert "deals.html" not in (run.folder / "front.html").read_text(encoding="utf-8")


def test_a_hostile_id_is_text_in_the_lists_and_an_address_in_the_crm_and_nothing_else(run: PublishedRun) -> None:
    listed = {deal for deals in lists_of(run).values() for deal in deals}
    assert set(HOSTILE) <= listed
    text = (run.folder / "deals.html").read_text()
    assert "<script>alert" not in text
    assert text.count("<script") == 2  # the data, and the page's own
    page = (run.folder / "01_quarter.html").read_text()
    hrefs = [html.unescape(address) for address in re.findall(r'href="([^"]*)"', page)]
    dead = [row["id"] for row in rows() if row["stage"] == "Open" and (AS_OF - DAY(row["opened"])).days > 120]
    assert dead
    to_crm = [address for address in hrefs if address.startswith("https://crm.")]
    assert sorted(to_crm) == sorted(crm_url("https://crm.example.com/deal/{deal_id}/view", deal) for deal in dead)
    assert not [address for address in hrefs if address.lower().startswith("javascript:")]


@pytest.mark.parametrize(
    ("deal", "address"),
    [
        ("006A1", "https://c.example/006A1"),
        ("a b&c", "https://c.example/a%20b%26c"),
        ("../x", "https://c.example/..%2Fx"),
        ('"><b', "https://c.example/%22%3E%3Cb"),
        ("{deal_id}", "https://c.example/%7Bdeal_id%7D"),
    ],
)
def test_an_id_is_escaped_in_the_address(deal: str, address: str) -> None:
    assert crm_url("https://c.example/{deal_id}", deal) == address


@pytest.mark.parametrize(
    "template",
    [
        "javascript:alert({deal_id})", "http://crm.example.com/{deal_id}", "https://crm.example.com/deals",
        "https://{deal_id}.example.com/", "https://crm.example.com/{deal_id}/{deal_id}", "data:text/html,{deal_id}",
        "https://user@crm.example.com/{deal_id}", "https://crm.example.com/{deal_id}\"onclick=x", "//x/{deal_id}",
        "https://crm.example.com/{id}", " https://crm.example.com/{deal_id}", "https://crm.example.com/{deal_id}\n",
    ],
)  # fmt: skip
def test_a_link_to_the_crm_is_https_and_names_the_deal_in_its_path(template: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be like https://crm"):
        check_crm_url(template)
    (tmp_path / "acme.yaml").write_text(
        COMPANY.replace("https://crm.example.com/deal/{deal_id}/view", json.dumps(template))
    )
    with pytest.raises(InputError, match="crm_url_template"):
        load_company(tmp_path / "acme.yaml")


def test_a_shared_report_has_no_list_no_link_and_no_side_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINLOSS_SHARE_KEY", "a long enough text")
    params = write_company(tmp_path / "safe", params=COMPANY + "share: safe\n")
    result = run_study(params)
    assert result.exit_code == 0, [outcome.message for outcome in result.outcomes]
    files = [path for path in (tmp_path / "safe" / "reports").rglob("*") if path.is_file()]
    assert [path for path in files if "deals" in path.name] == []
    texts = [path.read_bytes() for path in files]
    for word in (b"deals.html", b"crm.example.com", *(deal.encode() for deal in HOSTILE)):
        assert not [path for path, text in zip(files, texts, strict=True) if word in text], word
    codes = {row["id"] for row in rows() if re.fullmatch(r"D\d{3}", row["id"])}
    page = (result.folder / "01_quarter.html").read_text()
    assert not [deal for deal in codes if deal in page]
    with pytest.raises(InputError, match="share: safe"):
        write_flags(params, tmp_path / "flags.csv")
    assert not (tmp_path / "flags.csv").exists()
    refused = CliRunner().invoke(main, ["run", str(params), "--team", "North"])
    assert (refused.exit_code, "share: safe" in refused.output) == (2, True)


def test_flags_are_the_rules_own_answer(asked: Path, tmp_path: Path) -> None:
    target, number = write_flags(asked, tmp_path / "flags.csv")
    with target.open(newline="") as handle:
        written = [tuple(row.values()) for row in csv.DictReader(handle)]
    expected = set()
    for deal in rows():
        opened = DAY(deal["opened"])
        shown = "'" + deal["id"] if deal["id"].startswith("=") else deal["id"]
        if deal["reason"] == "No decision":
            expected.add((shown, "no_decision", "No decision", deal["closed"], "2025-06-30"))
        fires = opened + dt.timedelta(days=121)
        ended = DAY(deal["closed"]) if deal["closed"] else dt.date.max
        if fires <= AS_OF and fires < ended:
            expected.add((shown, "no_decision_inferred", "older than 120 days", fires.isoformat(), "2025-06-30"))
        if deal["stage"] == "Open" and (AS_OF - opened).days > 120:
            expected.add((shown, "looks_dead", "open for more than 120 days", "2025-06-30", "2025-06-30"))
    assert {flag for _, flag, *_ in expected} == {"no_decision", "no_decision_inferred", "looks_dead"}
    assert sorted(written) == sorted(expected)
    assert number == len(written)


def test_pictures_are_drawn_at_twice_the_size_and_say_their_title(run: PublishedRun, tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    figures = chosen_figures(saved_figures(run), ["period_incidence"])
    assert [figure.name for figure in figures] == ["01_quarter/period_incidence"]
    files = export_figures(figures, tmp_path / "out", ("png", "svg", "pdf"))
    assert [path.relative_to(tmp_path / "out").as_posix() for path in files] == [
        f"01_quarter/period_incidence.{ending}" for ending in ("png", "svg", "pdf")
    ]
    layout = figures[0].figure["layout"]
    with Image.open(files[0]) as picture:
        assert picture.size == (2 * layout["meta"]["page"]["widest"], 2 * layout["height"])
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    for colour in ((0, 114, 178), (213, 94, 0), (141, 148, 156)):  # won, lost, no decision
        assert (pixels == colour).all(axis=1).mean() > 0.01, colour
    assert (pixels == 255).all(axis=1).mean() > 0.2
    words = "".join(ET.fromstring(files[1].read_text()).itertext())
    assert "Where deals end up" in words
    assert "n = 89 deals" in words
    assert files[2].read_bytes().startswith(b"%PDF-")
    assert not list((tmp_path / "out").glob(".export-*"))


def test_an_unknown_figure_is_named_with_the_nearest(run: PublishedRun) -> None:
    with pytest.raises(InputError, match="period_incidence"):
        chosen_figures(saved_figures(run), ["period_incidense"])


def test_what_is_missing_is_said_in_one_sentence(asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(*words: str) -> str:
        done = CliRunner().invoke(main, [words[0], str(asked), *words[1:]])
        assert done.exit_code == 2, done.output
        assert done.output.count("\n") == 1
        return done.output

    out = str(tmp_path / "out")
    with monkeypatch.context() as without:
        without.setattr("analytics.studies.export.importlib.util.find_spec", lambda name: None)
        assert "kaleido, which is not installed" in said("export", "--out", out)
        assert "pptx, which is not installed" in said("slides", "--out", out)
    with monkeypatch.context() as without:
        without.delenv("BROWSER_PATH", raising=False)
        without.setattr("analytics.studies.browser.shutil.which", lambda name: None)
        assert "there is none on this machine" in said("export", "--out", out)
        assert "Printing the report takes a Chromium" in said("export", "--print", "--out", out)
        without.setenv("BROWSER_PATH", "/nowhere/chromium")
        assert "BROWSER_PATH names /nowhere/chromium" in said("export", "--out", out)
    assert not Path(out).exists()
    assert "no report of Acme Tools, 2025Q2, was published" in said("slides", "--reports", str(tmp_path / "none"))


def test_the_deck_is_editable_and_holds_the_saved_numbers(run: PublishedRun, tmp_path: Path) -> None:
    from pptx import Presentation

    count = write_slides(run, tmp_path / "deck.pptx")
    deck = Presentation(str(tmp_path / "deck.pptx"))
    assert len(deck.slides) == count == 2
    saved = results.read(run.folder, "01_quarter", "period_at_horizon")
    card = results.read(run.folder, "01_quarter", "findings")
    assert isinstance(saved, Estimate)
    assert isinstance(card, tuple)
    slide = deck.slides[1]
    assert slide.shapes.title.text.split("\n") == [card[0].headline, card[0].detail]
    tables = [shape for shape in slide.shapes if shape.has_table]
    cells = [[cell.text for cell in row.cells] for row in tables[0].table.rows]
    assert cells[0] == ["Outcome", "Share (95 % interval)", "Events", "Deals"]
    for line, row in zip(cells[1:], saved.frame.to_dict("records"), strict=True):
        share, low, high = (round(100 * row[name]) for name in ("estimate", "conf_low", "conf_high"))
        assert re.sub(r"\s", " ", line[1]).split(" [")[0] == f"{share} % ({low}–{high})"
        assert line[2:] == ["" if pd.isna(row["n_event"]) else f"{row['n_event']:.0f}", f"{row['n_deals']:.0f}"]
    pictures = [shape for shape in slide.shapes if shape.shape_type == 13]
    described = [shape._element.xpath(".//p:cNvPr")[0].get("descr") for shape in (*pictures, *tables)]
    assert len(pictures) == 1
    assert described[0].startswith("Where deals end up. ")
    assert described[1].startswith("Table: ")
    strip = next(shape for shape in deck.slides[0].shapes if shape.has_table).table
    assert "13 won, 16 lost, 13 no decision" in [cell.text for row in strip.rows for cell in row.cells]
    edges = [(shape.left + shape.width, shape.top + shape.height) for page in deck.slides for shape in page.shapes]
    assert all(right <= deck.slide_width and low <= deck.slide_height for right, low in edges)


def test_a_deck_has_eight_slides_at_most(tmp_path: Path) -> None:
    from analytics.display.slides import Slide, write_deck

    with pytest.raises(ValueError, match="at most 8"):
        write_deck(tmp_path / "deck.pptx", [Slide("x")] * 9, footer="")
    assert not (tmp_path / "deck.pptx").exists()


@pytest.mark.slow
def test_the_print_has_every_page_and_its_words(run: PublishedRun, tmp_path: Path) -> None:
    from pypdf import PdfReader

    read = PdfReader(print_report(run, tmp_path / "report.pdf"))
    assert [item.title for item in read.outline] == ["Acme Tools, 2025Q2", "The quarter: Acme Tools, 2025Q2"]
    words = " ".join(page.extract_text() for page in read.pages)
    assert "What closed in 2025Q2" in words
    assert [path.name for path in tmp_path.iterdir()] == ["report.pdf"]


@pytest.fixture(scope="module")
def north(asked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quarter's params of a company beside whose report one team has its own."""
    home = tmp_path_factory.mktemp("north") / "home"
    shutil.copytree(asked.parents[1], home)
    params = home / "params" / asked.name
    result = run_study(params, Options(team="North"))
    assert result.exit_code == 0, [outcome.message for outcome in result.outcomes]
    assert result.page == home / "reports" / "acme" / "2025Q2" / "teams" / "north" / "index.html"
    return params


def test_a_team_report_holds_that_teams_deals_and_no_others(north: Path) -> None:
    own = current_run(north, None, team="North")
    mine = [row for row in rows() if team_of(row["owner"], DAY(row["opened"])) == "North"]
    others = {row["id"] for row in rows()} - {row["id"] for row in mine}
    moved = [row for row in rows() if row["owner"] == "U1"]
    assert any(row in mine for row in moved)
    assert any(row not in mine for row in moved)
    lists = lists_of(own)
    listed = {deal for deals in lists.values() for deal in deals}
    assert listed
    assert listed <= {row["id"] for row in mine}
    assert sorted(lists["01_quarter/what_closed/0/deals"]) == closed_in_quarter(mine, "Won", [""])
    read = {path.name: unpacked(path) for path in own.folder.rglob("*") if path.is_file()}
    assert {"index.html", "front.html", "01_quarter.html", "results.xlsx", "results.json.gz"} <= set(read)
    for name, text in read.items():
        assert not [deal for deal in others if re.search(rf"\b{re.escape(deal)}\b", text)], name
        assert "South" not in text, name
    assert not (own.folder / "rejects.csv").exists()
    front = html.unescape((own.folder / "index.html").read_text())
    assert "North: deals whose owner belonged to it on the day on which the deal was opened" in front


def test_a_team_report_says_the_companys_definitions_and_leads_to_its_own_pages(north: Path) -> None:
    whole, own = current_run(north), current_run(north, None, team="North")
    told = [dict(stated((run.folder / "index.html").read_text(encoding="utf-8"))) for run in (whole, own)]
    assert {word: meaning for word, meaning in told[1].items() if word != "Team"} == told[0]
    assert len(told[0]) > 12
    front = (own.folder / "index.html").read_text(encoding="utf-8")
    addresses = {link for link in re.findall(r'href="([^"#]+)', front) if not link.startswith("data:")}
    assert {"01_quarter.html", "deals.html", "results.xlsx", "results.json.gz"} <= addresses
    for link in addresses:
        target = (own.folder / link).resolve()
        assert target.is_file(), link
        assert own.bundle.resolve() in target.parents, f"{link} leads out of the team's own report"


def stated(front: str) -> list[tuple[str, str]]:
    """Definitions and parameters at the foot of a front page."""
    return re.findall(r"<div><dt>(.*?)</dt><dd>(.*?)</dd></div>", front, re.DOTALL)


def unpacked(path: Path) -> str:
    """A file as text, with all that lies packed in it."""
    content = path.read_bytes()
    if path.suffix == ".parquet":
        return pd.read_parquet(path).to_csv()
    if path.suffix == ".gz":
        return gzip.decompress(content).decode("utf-8")
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as book:
            return "".join(book.read(part).decode("utf-8") for part in book.namelist())
    text = content.decode("utf-8")
    packed = re.findall(r'<script type="text/plain"[^>]*>(.*?)</script>', text)
    return text + "".join(gzip.decompress(base64.b64decode(one)).decode("utf-8") for one in packed)


def test_who_was_left_out_is_named_to_the_company_alone(
    asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a team, whose scope leaves the others out, nor a shared report may see whom the lines take off."""
    monkeypatch.setenv("WINLOSS_SHARE_KEY", "a long enough text")
    how = {"company": "acme", "quarter": "2025Q2", "as_of": AS_OF.isoformat()}
    homes = {
        "whole": asked.parents[1],
        "safe": write_company(tmp_path / "x", params=COMPANY + "share: safe\n").parents[1],
    }
    seen = {}
    for name, home, team in (("whole", "whole", ""), ("team", "whole", "North"), ("safe", "safe", "")):
        with monkeypatch.context() as inside:
            inside.setenv("WINLOSS_PARAMS", str(homes[home] / "params"))
            if team:
                inside.setenv("WINLOSS_TEAM", team)
            study = open_study(**how)
            seen[name] = study.attrition_deals, study.delays
            if name == "whole":
                listing = left_out(study.attrition, study.attrition_deals)
    whole, _ = seen["whole"]
    assert whole is not None
    assert sorted(whole["deal_id"]) == sorted({row["id"] for row in rows()})
    assert listing.deals is not None
    assert len(listing.deals.query("column == 'deals'")["deal_id"]) >= len(whole)
    assert seen["team"][0] is None
    assert seen["safe"][0] is None
    assert "deal_id" not in seen["team"][1]
    assert not set(seen["safe"][1]["deal_id"]) & set(whole["deal_id"])


def test_a_team_without_deals_is_named_with_the_nearest_and_nothing_runs(asked: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["run", str(asked), "--team", "Nort", "--reports", str(tmp_path / "reports")])
    assert done.exit_code == 2
    assert "no deal in scope belongs to the team 'Nort'" in done.output
    assert "North" in done.output
    assert not (tmp_path / "reports").exists()


def test_pages_of_teams_follow_the_companys_run_where_the_params_say_so(
    asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analytics.studies import run_teams
    from analytics.studies.run import Result

    home = tmp_path / "home"
    shutil.copytree(asked.parents[1], home, ignore=shutil.ignore_patterns("reports"))
    (home / "params" / "acme.yaml").write_text(COMPANY + "teams: pages\n")
    ran: list[str | None] = []

    def noted(params: Any, options: Options) -> Result:
        ran.append(options.team)
        return Result(0, home, home, ())

    monkeypatch.setattr(run_teams, "run_study", noted)
    params = home / "params" / asked.name
    assert len(list(run_teams.run_all(params, Options()))) == 3
    assert ran == [None, "North", "South"]
    ran.clear()
    list(run_teams.run_all(params, Options(), ("South",)))
    assert ran == ["South"]

    def failed(params: Any, options: Options) -> Result:
        return dataclasses.replace(noted(params, options), exit_code=4)

    monkeypatch.setattr(run_teams, "run_study", failed)
    ran.clear()
    assert [result.exit_code for result in run_teams.run_all(params, Options())] == [4]
    assert ran == [None]


def test_a_browser_is_found_by_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "browser"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER_PATH", str(program))
    assert find_browser("It") == str(program)
