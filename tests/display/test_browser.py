"""A page opened from disk in a real browser: every figure drawn, no word cut off, nothing asked of any network.

Where `CI=true` a missing Chromium fails the tests; on a developer's machine without one they are skipped, and say so.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from display_samples import attrition, findings, win_rates
from test_figures import ALL, drawn

from analytics.display import page, tables
from analytics.display.findings import finding_cards
from analytics.display.front import Front, Said, StudyLink, front_page
from analytics.estimators.result import Listing

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions",
    "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND",
    "--virtual-time-budget=10000", "--enable-logging=stderr", "--allow-file-access-from-files",
]  # fmt: skip
DARK = "--blink-settings=preferredColorScheme=0"

# Measures what a person would see: words that leave their drawing, and words that lie on each other.
PROBE = """
<script>
(function () {
  function boxes(plot) {
    return Array.from(plot.querySelectorAll("svg text")).filter(function (t) { return t.textContent.trim(); })
      .map(function (t) { return [t.getBoundingClientRect(), t.textContent]; })
      .filter(function (b) { return b[0].width > 0; });
  }
  function measure() {
    var cut = [], over = [];
    document.querySelectorAll(".wl-plot").forEach(function (plot) {
      var edge = plot.getBoundingClientRect(), found = boxes(plot);
      found.forEach(function (b, i) {
        if (b[0].left < edge.left - 1 || b[0].right > edge.right + 1 || b[0].top < edge.top - 1 ||
            b[0].bottom > edge.bottom + 1) cut.push(plot.id + ": " + b[1]);
        found.slice(i + 1).forEach(function (c) {
          var wide = Math.min(b[0].right, c[0].right) - Math.max(b[0].left, c[0].left);
          var tall = Math.min(b[0].bottom, c[0].bottom) - Math.max(b[0].top, c[0].top);
          if (wide > 3 && tall > 4) over.push(plot.id + ": " + b[1] + " | " + c[1]);
        });
      });
    });
    var all = document.documentElement;
    all.dataset.probe = JSON.stringify({
      figures: window.winlossFigures, cut: cut, over: over, wide: all.scrollWidth, window: window.innerWidth,
      ground: getComputedStyle(document.body).backgroundColor,
      paper: Array.from(document.querySelectorAll(".wl-plot .main-svg")).map(function (s) {
        return s.style.background; }),
    });
    if (window.parent !== window) window.parent.document.documentElement.dataset.probe = all.dataset.probe;
  }
  setTimeout(measure, 4000);
})();
</script>
"""


def browser() -> str:
    """Path of the browser, or a plain failure where tests must not be skipped."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None and os.environ.get("CI", "").lower() == "true":
        pytest.fail("CI=true, but there is no Chromium: install the package chromium, these tests must run here")
    if found is None:
        pytest.skip("there is no Chromium on this machine, so no page is opened in a real browser")
    return found


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser."""
    return browser()


def test_a_missing_browser_fails_in_ci_and_is_named_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="there is no Chromium"):
        browser()
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="there is no Chromium"):
        browser()


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with every figure, tables and cards, as a study writes it."""
    outputs = [finding_cards(findings())._repr_mimebundle_()]
    outputs += [{page.PLOTLY: drawn(name)} for name in ALL]
    for table in (tables.estimate_table(win_rates(hostile=True), title="Rates"), tables.listing_table(attrition())):
        outputs.append(table._repr_mimebundle_())
    cells = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "outputs": [{"output_type": "display_data", "data": data}]}
        for i, data in enumerate(outputs)
    ]
    text = page.notebook_page({"cells": cells}, title="Every figure", markdown=str, facts=[("As of", "2026-01-31")])
    folder = tmp_path_factory.mktemp("pages")
    path = folder / "study.html"
    path.write_text(text.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    frame = (
        '<body style="margin:0"><iframe src="study.html" style="width:390px;height:9000px;border:0"></iframe></body>'
    )
    (folder / "phone.html").write_text(frame, encoding="utf-8")
    return path


def opened(chromium: str, path: Path, scratch: Path, *flags: str) -> tuple[dict[str, Any], str, list[str]]:
    """Open a page; return what the probe measured, what the console said, and every address that it asked for."""
    log = scratch / "net.json"
    command = [chromium, *FLAGS, "--window-size=1180,2000", *flags, f"--user-data-dir={scratch / 'profile'}",
               f"--log-net-log={log}", "--dump-dom", path.as_uri()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    probe = re.search(r'<html[^>]*data-probe="([^"]*)"', done.stdout)
    assert probe is not None, f"the page did not come to its end: {done.stderr[-2000:]}"
    measured: dict[str, Any] = json.loads(html.unescape(probe[1]))
    return measured, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line), _asked(log)


def _asked(log: Path) -> list[str]:
    """Addresses that a page asked for; what the browser asks for itself has no origin."""
    events = json.loads(log.read_text(encoding="utf-8", errors="replace"))["events"]
    found = [event.get("params", {}) for event in events]
    own = "not an origin"
    asked = [item["url"] for item in found if "url" in item and item.get("initiator", own) != own]
    return [url for url in asked if url.startswith(("http:", "https:", "ws:", "wss:"))]


@pytest.mark.parametrize(
    ("file", "flags"), [("study.html", []), ("study.html", [DARK]), ("phone.html", [])], ids=["desk", "dark", "phone"]
)
def test_a_page_opens_from_disk_and_draws_every_figure(
    chromium: str, study: Path, tmp_path: Path, file: str, flags: list[str]
) -> None:
    measured, console, asked = opened(chromium, study.with_name(file), tmp_path, *flags)
    assert measured["figures"] == {"drawn": len(ALL), "wanted": len(ALL), "errors": []}
    assert console == ""
    assert asked == []
    assert measured["cut"] == []
    assert measured["over"] == []
    assert measured["wide"] <= measured["window"]
    dark = DARK in flags
    assert (measured["ground"] == "rgb(20, 24, 28)") is dark
    assert {paper == "rgb(20, 24, 28)" for paper in measured["paper"] if paper} == {dark}


def test_the_probe_sees_cut_words_and_console_errors(chromium: str, tmp_path: Path) -> None:
    """The measurements above can fail: here they must."""
    body = '<div class="wl-plot" id="x" style="width:60px;height:30px"><svg width="60" height="30">'
    body += '<text x="20" y="20">far too long</text><text x="22" y="20">on top</text></svg></div>'
    image = '<img src="http://127.0.0.1:9/outside.png">'
    path = tmp_path / "wrong.html"
    path.write_text(f"<html><body>{body}{image}<script>nothing.here()</script>{PROBE}</body></html>", encoding="utf-8")
    measured, console, asked = opened(chromium, path, tmp_path)
    assert measured["cut"]
    assert measured["over"]
    assert "nothing is not defined" in console
    assert asked


def test_on_paper_figures_are_light_whatever_the_screen_is(chromium: str, study: Path, tmp_path: Path) -> None:
    import zlib

    sheet = tmp_path / "study.pdf"
    command = [chromium, *FLAGS, DARK, f"--user-data-dir={tmp_path / 'profile'}", "--no-pdf-header-footer",
               f"--print-to-pdf={sheet}", study.as_uri()]  # fmt: skip
    subprocess.run(command, capture_output=True, timeout=240, check=True)
    pdf = sheet.read_bytes()
    drawn_in = []
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.S):
        try:
            drawn_in.append(zlib.decompress(stream))
        except zlib.error:
            continue
    colours = b"\n".join(drawn_in)
    assert b"0 .4471 .698 rg" in colours  # won, as on white paper
    assert b".0784 .0941 .1098 rg" not in colours  # the dark ground
    assert re.search(rb"/MediaBox\s*\[0 0 59[45](\.\d+)? 84[12]", pdf), "the paper is not A4"


def test_a_front_page_without_figures_opens_without_any_script(chromium: str, tmp_path: Path) -> None:
    cards = tuple(Said(finding, "The quarter", "a.html") for finding in findings())
    text = front_page(Front("Demo", "Now", cards=cards, studies=(StudyLink("The quarter", "a.html"),)))
    path = tmp_path / "index.html"
    path.write_text(text.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    measured, console, asked = opened(chromium, path, tmp_path)
    assert (console, asked) == ("", [])
    assert measured["wide"] <= measured["window"]
    assert "<script" not in text


EDGES = """
<script>
setTimeout(function () {
  var at = function (cell) { return cell.getBoundingClientRect(); };
  var cells = Array.from(document.querySelectorAll("#traps tbody td")).filter(function (c) { return at(c).width > 0; });
  var last = Array.from(document.querySelectorAll("#traps tr:last-child td"));
  var wide = document.querySelector("#wide");
  window.parent.document.documentElement.dataset.probe = JSON.stringify({
    right: Math.max.apply(null, cells.map(function (c) { return at(c).right; })), window: window.innerWidth,
    cut: cells.filter(function (c) { return c.scrollWidth > c.clientWidth + 1; }).length, shown: cells.length,
    found: at(last[3]).bottom, rule: at(last[4]).top,
    scrolls: wide.scrollWidth > wide.clientWidth, shade: getComputedStyle(wide).backgroundAttachment,
    cover: getComputedStyle(wide.querySelector("td")).backgroundColor,
  });
}, 500);
</script>
"""


def test_on_a_phone_the_traps_are_read_without_scrolling_and_a_wide_table_shows_that_it_goes_on(
    chromium: str, tmp_path: Path
) -> None:
    columns = ["number", "trap", "looked_for", "found", "rule"]
    rows = [
        ["10", "amount missing, 0, negative or zeroed at loss", "no amount", "12,345 of 67,890 deals", "kept"],
        ["", "", "below 0; amount 0", "none of 2,793 deals of the export", "today's status is recorded on that day"],
    ]
    wide = pd.DataFrame([["a_word_that_does_not_break" * 2] * 4], columns=list("abcd"))
    made = [
        tables.listing_table(Listing(pd.DataFrame(rows, columns=columns), "The twenty traps"), name="traps"),
        tables.listing_table(Listing(wide, "Wide")),
    ]
    cells = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "outputs": [
            {"output_type": "display_data", "data": table._repr_mimebundle_()}]}
        for i, table in enumerate(made)
    ]  # fmt: skip
    text = page.notebook_page({"cells": cells}, title="Traps", markdown=str, facts=[])
    (tmp_path / "page.html").write_text(text.replace("</body>", f"{EDGES}</body>"), encoding="utf-8")
    phone = tmp_path / "phone.html"
    phone.write_text('<body style="margin:0"><iframe src="page.html" style="width:390px;height:900px;border:0">')
    measured, console, _ = opened(chromium, phone, tmp_path)
    assert console == ""
    assert measured["right"] <= measured["window"] == 390
    assert (measured["cut"], measured["shown"]) == (0, 8)  # a cell without a word takes no room
    assert measured["rule"] >= measured["found"] - 1
    assert measured["scrolls"]
    assert measured["shade"] == "local, local, scroll, scroll"
    assert measured["cover"] == "rgba(0, 0, 0, 0)"  # or the cells would hide the shade
