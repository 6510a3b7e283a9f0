"""A CRM full of hostile names: they are shown, and nothing of them runs, in pages, notebooks, CSV and Excel."""

from __future__ import annotations

import csv
import gzip
import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from test_browser import FLAGS, browser

from analytics.studies.run import Options, run_study

ROOT = Path(__file__).resolve().parents[2]
LONG = "<img src=x onerror=alert(4)>" + "long" * 2500
NAMES = {
    "SMB": "<script>alert(1)</script>", "Enterprise": '=HYPERLINK("http://evil.example","x")',
    "Mid-Market": '<a href="javascript:alert(2)">click</a>',
    "APAC": "{{7*7}} $\\alpha$ **bold** [x](javascript:alert(3))", "EMEA": "\u202egnp</script><b>loud</b>",
    "Americas": "+1+cmd|' /C calc'!A0", "Inbound": LONG, "Outbound": "@SUM(1)", "Partner": "-2+3",
    "RFP": " =1+1", "Referral": "＝2+2", "Proposal": "<svg onload=alert(5)>Proposal",
    "Price": "<script>alert(6)</script>",
    "005Demo00000009": "<script>alert(7)</script>", "001Demo00000645": '"><script>alert(8)</script>',
}  # fmt: skip

PROBE = """
<script>
setTimeout(function () {
  var all = document.documentElement, tags = function (s) { return document.querySelectorAll(s).length; };
  var links = Array.from(document.querySelectorAll("a")).map(function (a) {
    return a.getAttribute("href") || a.getAttribute("xlink:href") || ""; });
  all.dataset.probe = JSON.stringify({
    dialogs: window.dialogs, figures: window.winlossFigures || null, links: links,
    handlers: tags("[onerror],[onload],[onclick]"), svgs: tags("svg[onload]"), images: tags('img[src="x"]'),
    loud: Array.from(document.querySelectorAll("b, tspan")).filter(function (b) {
      return b.textContent === "loud"; }).length,
    text: document.body.innerText + " " + Array.from(document.querySelectorAll("svg text")).map(function (t) {
      return t.textContent; }).join(" "),
  });
}, 5000);
</script>
"""
WATCH = """<script>window.dialogs = [];
["alert", "confirm", "prompt"].forEach(function (n) { window[n] = function (t) { window.dialogs.push(n + t); }; });
</script>"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The newest run of the demo company, its names replaced by hostile ones."""
    home = tmp_path_factory.mktemp("hostile")
    (home / "params").mkdir()
    for path in sorted((ROOT / "data" / "demo").glob("*.gz")):
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as handle:
            rows = [[NAMES.get(cell, cell) for cell in row] for row in csv.reader(handle)]
        (home / "data" / "demo").mkdir(parents=True, exist_ok=True)
        with gzip.open(home / "data" / "demo" / path.name, "wt", encoding="utf-8", newline="") as handle:
            csv.writer(handle).writerows(rows)
    text = (ROOT / "params" / "demo.yaml").read_text(encoding="utf-8")
    text = text.replace("Proposal,", json.dumps(NAMES["Proposal"]) + ",").replace(
        "title: Demo company (invented)", "title: <script>alert(9)</script>"
    )
    (home / "params" / "demo.yaml").write_text(text, encoding="utf-8")
    quarter = (ROOT / "params" / "demo-2025Q4.yaml").read_text(encoding="utf-8")
    (home / "params" / "demo-2025Q4.yaml").write_text(quarter.replace("region]", "region, owner_id]"), encoding="utf-8")
    result = run_study(home / "params" / "demo-2025Q4.yaml", Options(notebooks=ROOT / "notebooks"))
    assert result.exit_code == 0, [outcome.message for outcome in result.outcomes]
    return result.folder


def opened(path: Path, scratch: Path) -> dict[str, Any]:
    """Open a page in a browser that counts dialogs; return what the probe saw."""
    text = path.read_text(encoding="utf-8")
    if path.parent.parent.name == "runs":  # plotly.js stays where it lies, beside the runs
        text = text.replace('src="../../', f'src="{path.parents[2].as_uri()}/')
    copy = scratch / path.name
    copy.write_text(text.replace("<head>", f"<head>{WATCH}", 1).replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    command = [browser(), *FLAGS, "--window-size=1180,2000", f"--user-data-dir={scratch / 'profile'}", "--dump-dom"]
    done = subprocess.run([*command, copy.as_uri()], capture_output=True, text=True, timeout=240, check=False)
    found = re.search(r'<html[^>]*data-probe="([^"]*)"', done.stdout)
    assert found is not None, done.stderr[-2000:]
    shutil.rmtree(scratch / "profile", ignore_errors=True)
    probe: dict[str, Any] = json.loads(html.unescape(found[1]))
    return probe


def test_the_probe_sees_what_must_not_be(tmp_path: Path) -> None:
    """The page below runs what the others only show."""
    path = tmp_path / "wrong.html"
    body = '<script>alert(1)</script><a href="javascript:alert(2)">x</a><img src=x onerror=alert(4)><b>loud</b>'
    path.write_text(f"<html><head></head><body>{body}</body></html>", encoding="utf-8")
    (tmp_path / "scratch").mkdir()
    seen = opened(path, tmp_path / "scratch")
    assert sorted(seen["dialogs"]) == ["alert1", "alert4"]
    assert (seen["links"], seen["handlers"], seen["images"], seen["loud"]) == (["javascript:alert(2)"], 1, 1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["00_data_health.html", "01_quarter.html", "index.html"])
def test_a_page_shows_hostile_names_and_runs_none(bundle: Path, tmp_path: Path, page: str) -> None:
    seen = opened(bundle / page, tmp_path)
    assert seen["dialogs"] == []
    assert [link for link in seen["links"] if "javascript:" in link or "evil" in link] == []
    assert (seen["handlers"], seen["svgs"], seen["images"], seen["loud"]) == (0, 0, 0, 0)
    assert "<script>alert(9)</script>" in seen["text"]
    assert "\u202e" not in seen["text"]
    if page == "01_quarter.html":
        assert seen["figures"]["errors"] == []
        for name in ("SMB", "Enterprise", "Mid-Market", "APAC", "Americas", "Outbound", "Partner", "005Demo00000009"):
            assert NAMES[name] in seen["text"], name
        assert "gnp</script><b>loud</b>" in seen["text"]
        assert "<img src=x onerror=alert(4)>longlong" in seen["text"]
        assert LONG not in seen["text"]
    if page == "00_data_health.html":
        assert NAMES["Price"] in seen["text"]


@pytest.mark.slow
def test_a_notebook_holds_hostile_names_as_text_only(bundle: Path) -> None:
    for path in sorted(bundle.glob("notebooks/*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", ()):
                shown = "".join(output.get("data", {}).get("text/html", ""))
                assert not re.search(r"<(script|img|svg|b>|a )", shown), shown[:500]
                assert "\u202e" not in shown
                figure = output.get("data", {}).get("application/vnd.plotly.v1+json")
                if figure:
                    drawn = json.dumps({"data": figure["data"], "annotations": figure["layout"].get("annotations")})
                    assert not re.search(r"<(script|img|svg|a )|javascript:alert\(2\)\"", drawn)


@pytest.mark.slow
def test_no_cell_of_a_csv_or_workbook_is_a_formula(bundle: Path) -> None:
    begins = set()
    for path in [*bundle.glob("results/*/*.csv"), bundle / "rejects.csv"]:
        with path.open(encoding="utf-8", newline="") as handle:
            for row in csv.reader(handle):
                for cell in row:
                    if re.match(r"\s*[=+\-@＝＋－＠]", cell):
                        assert re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell), cell
                    begins |= {name for name in NAMES.values() if cell == "'" + name}
    assert {NAMES[name] for name in ("Enterprise", "Americas", "Outbound", "Partner", "Referral")} <= begins
    texts = set()
    for path in sorted(bundle.glob("*.xlsx")):
        for sheet in openpyxl.load_workbook(path):
            for row in sheet.iter_rows():
                assert {cell.data_type for cell in row} <= {"s", "inlineStr", "n", "d", "b"}
                assert not any(cell.hyperlink for cell in row)
                texts |= {cell.value for cell in row if isinstance(cell.value, str)}
    # blanks around a value are not part of it, so that this one begins with its equals sign wherever it is shown
    shown = {NAMES[name].strip() for name in ("Enterprise", "Americas", "Outbound", "Partner", "RFP", "Referral")}
    assert shown <= texts
