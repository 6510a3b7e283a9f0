"""The demo company's report as people get it: opened from disk in a real browser, its links followed, its files read.

One run serves all tests, and all are slow. Where `CI=true` a missing Chromium fails them; elsewhere they are skipped,
and say so.
"""

from __future__ import annotations

import base64
import csv
import functools
import gzip
import html
import itertools
import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import openpyxl
import pandas as pd
import pytest
from click.testing import CliRunner
from counted_cells import EXCEPTIONS, NO_DEALS, cells, counts, unlinked

from analytics.estimators.result import Estimate, Listing
from analytics.studies import store
from analytics.studies.cli import main

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "display"))
from test_browser import DARK, FLAGS, _asked, browser

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("index", "front", "00_data_health", "01_quarter", "02_time_to_outcome", "03_no_decision", "05_cohorts",
         "06_pipeline_changes", "deals")  # fmt: skip
MEGABYTE = 1_000_000

# Waits until every figure is drawn, then tells the page around it what a person would see.
PROBE = """
<script>
(function () {
  var began = Date.now();
  function at(element) { return element.getBoundingClientRect(); }
  function measure() {
    var figures = window.winlossFigures, edge = document.documentElement.clientWidth;
    var done = !figures || figures.errors.length || figures.drawn === figures.wanted;
    if (!done && Date.now() - began < 60000) return setTimeout(measure, 200);
    var cells = Array.from(document.querySelectorAll("td, th")).filter(function (cell) { return at(cell).width > 0; });
    var told = {
      figures: figures || { drawn: 0, wanted: 0, errors: [] }, wide: document.documentElement.scrollWidth, edge: edge,
      cells: cells.length, beyond: cells.filter(function (cell) { return at(cell).right > edge + 1; })
        .map(function (cell) { return cell.textContent.slice(0, 40); }),
      empty: Array.from(document.querySelectorAll(".wl-plot")).filter(function (p) { return !p.querySelector("svg"); })
        .map(function (p) { return p.id; }),
      ground: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color,
      unnamed: document.querySelectorAll('td > a[href*="deals.html#"]:not([aria-label*="deals"])').length,
      days: document.querySelectorAll('td > a[aria-label*=", day "]').length,
      boxes: Array.from(document.querySelectorAll(".wl-table > div, .wl-scroll")).filter(function (box) {
        return at(box).width > 0 && box.tabIndex !== 0; }).length,
    };
    window.parent.document.documentElement.dataset[window.name] = JSON.stringify(told);
  }
  setTimeout(measure, 500);
})();
</script>
"""


class Page(HTMLParser):
    """The ids and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "script" and "src" in given:
            self.scripts.append(given["src"])


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the demo company's quarter after one run."""
    reports = tmp_path_factory.mktemp("demo") / "reports"
    asked = [str(ROOT / "params" / "demo-2025Q4.yaml"), "--reports", str(reports)]
    done = CliRunner().invoke(main, ["run", *asked])
    assert done.exit_code == 0, done.output
    return reports / "demo" / "2025Q4"


@pytest.fixture(scope="session")
def run(bundle: Path) -> Path:
    """The folder of the run to which the bundle leads."""
    (link,) = [link for link in Page((bundle / "index.html").read_text()).links if not link.startswith("#")]
    return (bundle / link).parent


@pytest.fixture(scope="session")
def probed(bundle: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the bundle, at the same depth, whose pages measure themselves."""
    copy = tmp_path_factory.mktemp("probed")
    for script in bundle.glob("plotly-*.js"):
        shutil.copy(script, copy)
    folder = copy / "runs" / "1"
    folder.mkdir(parents=True)
    for name in PAGES:
        text = (run / f"{name}.html").read_text(encoding="utf-8")
        (folder / f"{name}.html").write_text(text.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    return folder


def looked_at(folder: Path, scratch: Path, width: int, *flags: str) -> tuple[dict[str, Any], str, list[str]]:
    """Open every page at a width; return by page what it measured, what the console said, and what was asked for."""
    frames = "".join(
        f'<iframe name="p{i}" src="{(folder / f"{name}.html").as_uri()}"></iframe>' for i, name in enumerate(PAGES)
    )
    style = f"<style>iframe {{ border: 0; display: block; width: {width}px; height: 1200px; }}</style>"
    harness = scratch / "pages.html"
    harness.write_text(f"<!doctype html><html><head>{style}</head><body>{frames}</body></html>", encoding="utf-8")
    log = scratch / "net.json"
    budget = [flag for flag in FLAGS if not flag.startswith("--virtual-time")] + ["--virtual-time-budget=90000"]
    command = ["chromium", *budget, "--window-size=1300,2000", *flags, f"--user-data-dir={scratch / 'profile'}",
               f"--log-net-log={log}", "--dump-dom", harness.as_uri()]  # fmt: skip
    command[0] = browser()
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    root = re.search(r"<html([^>]*)>", done.stdout)
    assert root is not None, done.stderr[-2000:]
    told = {int(i): html.unescape(text) for i, text in re.findall(r'data-p(\d+)="([^"]*)"', root[1])}
    assert sorted(told) == list(range(len(PAGES))), f"pages that did not come to their end: {told}"
    said = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return {name: json.loads(told[i]) for i, name in enumerate(PAGES)}, said, _asked(log)


@pytest.mark.parametrize(
    ("width", "flags"),
    [
        pytest.param(375, (), id="phone"),
        pytest.param(1180, (), id="desk"),
        pytest.param(375, (DARK,), id="phone in the dark"),
    ],
)
def test_every_page_opens_from_disk_with_every_figure_and_nothing_to_the_side(
    run: Path, probed: Path, tmp_path: Path, width: int, flags: tuple[str, ...]
) -> None:
    pages, console, asked = looked_at(probed, tmp_path, width, *flags)
    assert console == ""
    assert asked == []
    drawn = {name: (run / f"{name}.html").read_text().count('class="wl-plot"') for name in PAGES}
    assert drawn["index"] == drawn["front"] == 3
    assert sum(drawn.values()) > 35
    for name, seen in pages.items():
        assert seen["figures"] == {"drawn": drawn[name], "wanted": drawn[name], "errors": []}, name
        assert seen["empty"] == [], name
        assert seen["wide"] <= seen["edge"] == width, name
        assert seen["boxes"] == 0, f"{name}: a box that scrolls cannot be reached by key"
        assert seen["unnamed"] == 0, f"{name}: a number that leads to its deals does not say whose"
        assert seen["days"] > 10 or name not in ("index", "01_quarter", "02_time_to_outcome"), (
            f"{name}: nor of which day"
        )
        dark = DARK in flags
        assert (seen["ground"] == "rgb(20, 24, 28)") is dark
        assert (seen["ink"] == "rgb(232, 236, 240)") is dark


def test_paper_shows_every_column(probed: Path, tmp_path: Path) -> None:
    """The rules for paper at the width of A4 between its margins; then the browser's own print of two pages."""
    folder = tmp_path / "runs" / "1"
    shutil.copytree(probed, folder)
    for script in probed.parents[1].glob("plotly-*.js"):
        shutil.copy(script, tmp_path)
    for path in folder.glob("*.html"):
        text = path.read_text(encoding="utf-8").replace("@media screen", "@media not all")
        path.write_text(text.replace("@media print", "@media all"), encoding="utf-8")
    pages, console, _ = looked_at(folder, tmp_path, 695)
    assert console == ""
    for name, seen in pages.items():
        assert seen["cells"] > 10 or name in ("front", "index", "deals"), name
        assert seen["beyond"] == [], name
        assert seen["wide"] <= seen["edge"], name
    for name in ("index", "01_quarter"):
        sheet = tmp_path / f"{name}.pdf"
        command = [browser(), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--no-pdf-header-footer",
                   f"--print-to-pdf={sheet}", (probed / f"{name}.html").as_uri()]  # fmt: skip
        subprocess.run(command, capture_output=True, timeout=240, check=True)
        assert re.search(rb"/MediaBox\s*\[0 0 59[45](\.\d+)? 84[12]", sheet.read_bytes()), "the paper is not A4"


def test_the_bundle_leads_to_the_front_page_of_the_run(bundle: Path, run: Path, tmp_path: Path) -> None:
    command = [browser(), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom",
               (bundle / "index.html").as_uri()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    assert 'id="findings"' in done.stdout
    assert run.parent == bundle / "runs"


def test_every_link_lands(bundle: Path, run: Path) -> None:
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in run.glob("*.html")}
    pages[(bundle / "index.html").resolve()] = Page((bundle / "index.html").read_text(encoding="utf-8"))
    followed = 0
    for path, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), f"{path.name} has two places of one name"
        for link in (*page.links, *page.scripts):
            parts = urlsplit(link)
            assert not parts.scheme, f"{path.name} leads out of the bundle: {link}"
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path.name}: {link}"
            if parts.fragment:
                lists = list(lists_of_deals(run)) if target.name == "deals.html" else []
                places = [*pages[target].ids, *lists]
                assert parts.fragment in places, f"{path.name}: {link}"
            followed += 1
    assert followed > 250


@functools.cache
def lists_of_deals(run: Path) -> dict[str, list[str]]:
    """The lists that the page of deals shows, by what stands after # in their addresses."""
    text = (run / "deals.html").read_text(encoding="utf-8")
    found = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data = json.loads(gzip.decompress(base64.b64decode(found[1])))
    sets = [[data["deals"][place][0] for place in itertools.accumulate(steps)] for steps in data["sets"]]
    return {key: sets[which] for key, (_, _, which) in data["lists"].items()}


def test_every_count_of_deals_has_a_list_of_as_many(run: Path) -> None:
    """All counts of all results; what counts no deals is named in `counted_cells`, with its reason."""
    found = list(cells(run))
    assert len(found) > 5000
    assert [cell for cell in found if cell[3] != cell[4]] == []
    lists = lists_of_deals(run)
    for result, row, column, number, _ in found:
        assert len(lists[f"{result}/{row}/{column}"]) == number, (result, row, column)
    assert len(lists) == len({(result, row, column) for result, row, column, *_ in found}), "lists of no cell"


def test_every_exception_is_one_that_a_table_needs(run: Path) -> None:
    tables = {}
    for folder in (run / "results").iterdir():
        for name in store.names(folder):
            result = store.read(folder, name)
            if isinstance(result, Estimate | Listing):
                tables[f"{folder.name}/{name}"] = set(counts(result.frame))
    everywhere = set().union(*tables.values())
    assert [name for name in NO_DEALS if name not in everywhere] == []
    for column in EXCEPTIONS:
        table, name = column.split(".")
        assert name in tables[table], column


def test_every_number_of_deals_in_a_table_opens_its_list(run: Path) -> None:
    lists, followed = lists_of_deals(run), 0
    for page in (run / "index.html", *sorted(run.glob("0*.html"))):
        links = re.findall(r'<a href="deals\.html#([^"]+)"[^>]*>([^<]*)</a>', page.read_text(encoding="utf-8"))
        assert [link for link in links if link[1].split(" deal")[0] != f"{len(lists[link[0]]):,}"] == []
        assert unlinked(page) == []
        assert len(links) > 80
        followed += len(links)
    assert followed > 4600
    assert "deals.html" not in (run / "front.html").read_text(encoding="utf-8")


def test_the_front_page_leads_to_the_place_of_every_finding(run: Path) -> None:
    front = (run / "index.html").read_text(encoding="utf-8")
    cards = re.findall(r'<article class="wl-card">.*?</article>', front, re.S)
    fixed = store.read(run / "results" / "01_quarter", "findings")
    assert isinstance(fixed, tuple)
    assert len(cards) == len(fixed) == 6
    for text, finding in zip(cards, fixed, strict=True):
        assert html.escape(finding.headline) in text.replace("&#39;", "&#x27;").replace("\u00a0", " ")
        assert finding.verdict in text
        assert f'href="01_quarter.html#result-{finding.estimate}"' in text
    strip = re.search(r'<ul class="wl-strip".*?</ul>', front, re.S)
    assert strip
    assert strip[0].count("<li>") == strip[0].count('href="01_quarter.html#result-') == 6


def test_every_number_on_the_front_page_leads_somewhere(run: Path) -> None:
    """Cards, lines, rows and the head: whatever has a digit has a link; under each figure stands one to its study."""
    front = (run / "index.html").read_text(encoding="utf-8")
    shown = re.sub(
        r"<script.*?</script>", "", front[front.index("<header") : front.index("<!-- beside -->")], flags=re.S
    )
    assert len(re.findall(r'<a href="01_quarter.html#result-[a-z_]+">More in', shown)) == shown.count("<figure") == 3
    shown = re.sub(r'<figure.*?</figure>|<details class="wl-numbers">.*?</details>', "", shown, flags=re.S)
    blocks = re.findall(r"(<(article|li|tr)\b.*?</\2>)", shown, re.S)
    found = re.findall(r'(<p class="wl-(lead|found)">.*?</p>)', shown, re.S)
    numbered = [text for text, _ in (*blocks, *found) if re.search(r">[^<]*\d", text)]
    assert len(numbered) > 60
    assert [text for text in numbered if "<a href" not in text] == []
    untold = shown[shown.index('id="untold"') : shown.index('id="studies"')]
    assert "Of 24 ratios none was shown to change" in untold
    assert "Could not be told:" not in untold  # its study's own summary of that card


def test_the_table_under_the_change_holds_what_the_figure_shows(run: Path) -> None:
    front = (run / "index.html").read_text(encoding="utf-8")
    after = front[front.index("What the change is made of</h3>") :]
    table = after[after.index('<details class="wl-numbers">') : after.index("</details>", after.index("wl-numbers"))]
    rows = re.findall(r"<tr><td>(.*?)</td>", table)
    words = re.search(r'aria-label="([^"]*)"', after)
    assert words
    assert 5 < len(rows) < 20
    assert len(set(rows)) == len(rows)
    levels = [html.unescape(row) for row in rows if row not in ("Mix", "Rate", "Change")]
    assert [level for level in levels if f"{level}: " not in html.unescape(words[1])] == []


def same(cell: str, value: Any) -> bool:
    """Whether a cell of a CSV file is a value of a frame, to the last digit."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NaT or value is pd.NA:
        return cell == ""
    if isinstance(value, bool | np.bool_):
        return cell == str(bool(value))
    if isinstance(value, int | float | np.integer | np.floating):
        return float(cell) == float(value)
    if isinstance(value, pd.Timestamp):
        return cell[:10] == f"{value:%Y-%m-%d}"
    return cell.lstrip("'") == str(value).lstrip("'")


def test_csv_files_hold_the_estimates_to_the_last_digit(run: Path) -> None:
    offered = {link for path in run.glob("0*.html") for link in Page(path.read_text()).links if link.endswith(".csv")}
    assert len(offered) > 60
    estimates = 0
    for link in sorted(offered):
        path = run / link
        result = store.read(path.parent, path.stem)
        assert isinstance(result, Estimate | Listing)
        with path.open(encoding="utf-8", newline="") as handle:
            head, *rows = list(csv.reader(handle))
        assert head == [str(name) for name in result.frame.columns], link
        assert len(rows) == len(result.frame), link
        for row, given in zip(rows, result.frame.itertuples(index=False, name=None), strict=True):
            wrong = [pair for pair in zip(row, given, strict=True) if not same(*pair)]
            assert wrong == [], link
        estimates += isinstance(result, Estimate)
    assert estimates > 40


def results_of(run: Path) -> Mapping[tuple[str, str], Any]:
    folders = sorted((run / "results").iterdir())
    return {(folder.name, name): store.read(folder, name) for folder in folders for name in store.names(folder)}


def test_one_json_file_holds_every_estimate(run: Path) -> None:
    content = json.loads(gzip.decompress((run / "results.json.gz").read_bytes()))
    assert (content["company"], content["quarter"], content["as_of"]) == ("demo", "2025Q4", "2026-01-31")
    checked = 0
    for (study, name), result in results_of(run).items():
        if isinstance(result, Listing) and result.private:
            assert name not in content["results"][study]
            continue
        told = content["results"][study][name]
        if not isinstance(result, Estimate):
            continue
        assert told["meta"]["estimand"] == result.meta.estimand
        assert told["columns"] == list(result.frame.columns)
        place = told["columns"].index("estimate")
        numbers = np.array([np.nan if row[place] is None else row[place] for row in told["rows"]], dtype=float)
        np.testing.assert_array_equal(numbers, result.frame["estimate"].to_numpy(dtype=float))
        checked += 1
    assert checked > 40


def test_one_workbook_holds_every_result(run: Path) -> None:
    book = openpyxl.load_workbook(run / "results.xlsx", read_only=True)
    sheets = {(row[1], row[2]): book[row[0]] for row in book["contents"].iter_rows(min_row=2, values_only=True)}
    found = results_of(run)
    assert set(sheets) == set(found)
    for key, result in found.items():
        if isinstance(result, Estimate):
            rows = list(sheets[key].iter_rows(values_only=True))
            place = rows[0].index("estimate")
            numbers = np.array([np.nan if row[place] is None else row[place] for row in rows[1:]], dtype=float)
            # a workbook holds 16 digits
            np.testing.assert_allclose(numbers, result.frame["estimate"].to_numpy(dtype=float), rtol=1e-14)


@pytest.fixture(scope="session")
def passed_on(bundle: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What somebody copies, as the README says: the report without the machine's records, in a place of its own."""
    copy = tmp_path_factory.mktemp("passed") / "on"
    shutil.copytree(bundle, copy, ignore=lambda folder, names: {"notebooks", "results"} & set(names))
    assert [folder.name for folder in (copy / "runs").iterdir()] == [run.name]
    return copy / "runs" / run.name


def test_what_is_passed_on_is_small(passed_on: Path) -> None:
    """The whole report, workbook, JSON and CSV included, and beside it the page to mail, which has its own limit."""
    files = {path.relative_to(passed_on.parents[1]): path for path in passed_on.parents[1].rglob("*") if path.is_file()}
    assert len([path for path in files if path.suffix == ".js"]) == 1
    mailed = files.pop((passed_on / "front.html").relative_to(passed_on.parents[1]))
    assert mailed.stat().st_size < 3 * MEGABYTE
    assert sum(path.stat().st_size for path in files.values()) < 6 * MEGABYTE
    whole = sum(path.stat().st_size for path in files.values()) / MEGABYTE
    assert f"That is the report: {whole:.1f} MB for the demo company" in (ROOT / "README.md").read_text(
        encoding="utf-8"
    )
    assert max(path.stat().st_size for path in passed_on.glob("0*.html")) < 0.8 * MEGABYTE


def test_every_link_lands_in_what_is_passed_on(passed_on: Path) -> None:
    carried = 0
    for path in passed_on.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        page = Page(re.sub(r'<a href="[^"]+" download data-csv="([^"]+)">', r'<a href="#\1">', text))
        for link in (*page.links, *page.scripts):
            parts = urlsplit(link)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path.name}: {link}"
            if link.startswith("#csv-"):
                assert link[1:] in page.ids, f"{path.name} does not carry {link}"
                carried += 1
    assert carried > 60


# Clicks on every CSV link and puts what the page gives out where it can be read.
CLICKS = """
<script>
(function () {
  var given = [], make = URL.createObjectURL;
  URL.createObjectURL = function (blob) { given.push(blob); return make.call(URL, blob); };
  var links = Array.from(document.querySelectorAll("a[data-csv]"));
  links.forEach(function (link) { link.click(); });
  (function wait() {
    if (given.length < links.length) return setTimeout(wait, 50);
    Promise.all(given.map(function (blob) { return blob.text(); })).then(function (texts) {
      var names = links.map(function (link) { return link.download; });
      document.body.dataset.given = JSON.stringify({ names: names, texts: texts });
    });
  })();
})();
</script>
"""


@pytest.mark.parametrize("page", ["index", "01_quarter"])
def test_a_page_gives_out_the_files_that_it_carries(run: Path, passed_on: Path, tmp_path: Path, page: str) -> None:
    text = (passed_on / f"{page}.html").read_text(encoding="utf-8")
    place = passed_on / f"{page}-clicked.html"
    place.write_text(text.replace("</body>", f"{CLICKS}</body>"), encoding="utf-8")
    command = [browser(), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", place.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    place.unlink()
    found = re.search(r'data-given="([^"]*)"', done.stdout)
    assert found, done.stderr[-2000:]
    given = json.loads(html.unescape(found[1]))
    files = {file.name: file.read_bytes().decode() for file in run.glob("results/*/*.csv")}
    wanted = re.findall(r'<a href="([^"]+)" download data-csv', text)
    assert given["names"] == [link.rpartition("/")[2] for link in wanted]
    assert len(given["texts"]) == len(wanted) > 2
    assert sorted(given["texts"]) == sorted((run / link).read_bytes().decode() for link in wanted)
    assert set(given["texts"]) <= set(files.values())
