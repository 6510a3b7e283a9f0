"""Names, texts and ids stay at home, and no small cell can be read or subtracted from what is shared."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from analytics.estimators.result import Estimate, Finding, Listing, Meta
from analytics.records.errors import InputError
from analytics.records.private import is_free_text, original_values
from analytics.studies.cli import main
from analytics.studies.codes import Codes, share_key
from analytics.studies.sharing import Sharing
from analytics.studies.small_cells import protected
from analytics.studies.small_curves import coarsened
from analytics.studies.small_sentences import scrubbed, without_small_counts

ROOT = Path(__file__).resolve().parents[2]
NAN = float("nan")


def test_a_code_is_stable_and_nobody_makes_it_without_the_key() -> None:
    import hashlib
    import hmac

    codes = Codes(b"a key of the company")
    expected = hmac.new(b"a key of the company", b"deal\x00006A1", hashlib.sha256).hexdigest()[:12]
    assert codes.of("deal", ["006A1"]) == {"006A1": f"deal-{expected}"}
    many = codes.of("deal", [f"006A{number}" for number in range(2000)])
    assert many["006A1"] == f"deal-{expected}"  # whatever else there is
    assert len(set(many.values())) == 2000
    assert codes.of("account", ["006A1"])["006A1"] != many["006A1"].replace("deal", "account")
    assert Codes(b"another key of it").of("deal", ["006A1"]) != codes.of("deal", ["006A1"])
    assert hashlib.sha256(b"006A1").hexdigest()[:12] not in many["006A1"]


def test_two_ids_with_one_short_code_get_longer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = {"a": "1" * 12 + "2" * 20, "b": "1" * 12 + "3" * 20, "c": "4" * 32}
    monkeypatch.setattr(Codes, "_digest", lambda self, kind, value: digests[value])
    assert Codes(b"").of("deal", "abc") == {
        "a": "deal-" + "1" * 12 + "2" * 12, "b": "deal-" + "1" * 12 + "3" * 12, "c": "deal-" + "4" * 12,
    }  # fmt: skip


def test_the_key_is_made_once_for_its_owner_only_and_git_ignores_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WINLOSS_SHARE_KEY", raising=False)
    key = share_key(tmp_path)
    assert re.fullmatch(rb"[0-9a-f]{64}", key)
    assert share_key(tmp_path) == key
    path = tmp_path / ".winloss-key" / "key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (tmp_path / ".winloss-key" / ".gitignore").read_text() == "*\n"
    assert sorted(one.name for one in path.parent.iterdir()) == [".gitignore", "key"]
    monkeypatch.setenv("WINLOSS_SHARE_KEY", "a long enough text")
    assert share_key(tmp_path) == b"a long enough text"
    monkeypatch.setenv("WINLOSS_SHARE_KEY", "short")
    with pytest.raises(InputError, match="fewer than 16 characters, so ids could be guessed"):
        share_key(tmp_path)


def test_a_rejected_row_keeps_what_says_why_and_loses_names_and_texts() -> None:
    row = {
        "Id": "006A1", "Name": "Acme renewal", "OwnerId": "005B2", "Owner_Email": "ana@example.org", "Amount": "-12.50",
        "CloseDate": "31.12.2025", "IsWon": "true", "Phone": "+49171555123", "NextStep": "Call3",
        "CurrencyIsoCode": "EUR", "StageName": "Won by Ana", "Empty": "", "Missing": None,
    }  # fmt: skip
    hidden = "(not shown)"
    assert json.loads(original_values(json.dumps(row))) == {
        "Id": "006A1", "Name": hidden, "OwnerId": "005B2", "Owner_Email": hidden, "Amount": "-12.50",
        "CloseDate": "31.12.2025", "IsWon": "true", "Phone": hidden, "NextStep": hidden, "CurrencyIsoCode": "EUR",
        "StageName": hidden, "Empty": "", "Missing": None,
    }  # fmt: skip
    assert original_values("not json, Ana Berg") == hidden
    rejects = pd.DataFrame({"file": ["a"], "line": [1], "reason": ["r"], "values": [json.dumps(row)]})
    assert Sharing("private", show=["text"]).rejects(rejects)["values"][0] == json.dumps(row)
    assert "Ana" not in Sharing("private").rejects(rejects)["values"][0]


def test_free_text_is_told_from_a_picklist() -> None:
    assert not is_free_text(["Price", "Timing", "Competitor"], 300)
    assert is_free_text([f"reason {number}" for number in range(101)], 5000)
    assert is_free_text([f"reason {number}" for number in range(6)], 12)
    assert is_free_text(["They told Ana that the budget is gone until the new head arrives in May"])


def meta(kind: str, *keys: str, n: int = 100) -> Meta:
    return Meta(kind=kind, estimand="share of deals", keys=keys, n_deals=n)  # type: ignore[arg-type]


def levels(*sizes: tuple[str, int, int]) -> Estimate:
    frame = pd.DataFrame(sizes, columns=["level", "n_deals", "n_event"])
    frame = frame.assign(segment="region", estimate=0.3, conf_low=0.2, conf_high=0.4, no_interval_reason="", note="x")
    return Estimate(frame, meta("probability", "segment", "level"))


def test_a_small_level_is_hidden_with_the_one_that_would_give_it_away() -> None:
    shown = protected(levels(("N", 40, 9), ("S", 3, 0), ("E", 20, 8), ("W", 37, 11)), "segments", 5)
    assert isinstance(shown, Estimate)
    frame = shown.frame.set_index("level")
    assert frame["withheld"].to_dict() == {"N": "", "S": "<5", "E": "not shown", "W": ""}
    assert frame["n_deals"].fillna(-1).to_dict() == {"N": 40, "S": -1, "E": -1, "W": 37}
    assert frame.loc[["S", "E"], ["estimate", "conf_low", "conf_high", "n_event"]].isna().all(axis=None)
    assert frame.loc["S", "no_interval_reason"] == "fewer than 5 deals, or it would tell of so few"
    assert frame.loc[["N", "W"], "estimate"].tolist() == [0.3, 0.3]


def test_few_events_are_a_small_cell_too_and_none_are_not() -> None:
    shown = protected(levels(("N", 40, 2), ("S", 30, 0), ("E", 20, 4), ("W", 10, 5)), "segments", 5)
    assert isinstance(shown, Estimate)
    assert shown.frame["withheld"].tolist() == ["<5", "", "<5", ""]


def test_what_a_plain_share_leaves_over_is_a_cell() -> None:
    frame = pd.DataFrame({"field": ["a", "b", "c"], "n_event": [97, 100, 60], "n_risk": 100, "label": list("abc")})
    frame = frame.assign(estimate=frame["n_event"] / 100, conf_low=0.5, conf_high=1.0)
    shown = protected(Estimate(frame, meta("probability", "field")), "completeness", 5)
    assert isinstance(shown, Estimate)
    assert shown.frame["withheld"].tolist() == ["not shown", "", ""]
    assert shown.frame["n_event"].fillna(-1).tolist() == [-1, 100, 60]


def test_two_definitions_do_not_show_a_small_cell_by_their_difference() -> None:
    frame = pd.DataFrame({"definition": ["closed_narrow", "closed_broad", "opened"], "n_risk": [60, 63, 61]})
    frame = frame.assign(n_event=20, estimate=0.3, conf_low=0.2, conf_high=0.4)
    shown = protected(Estimate(frame, meta("probability", "definition")), "win_rates", 5)
    assert isinstance(shown, Estimate)
    assert shown.frame["n_risk"].fillna(-1).tolist() == [-1, 63, 61]


def test_a_headline_without_one_of_its_outcomes_is_withheld_whole() -> None:
    frame = pd.DataFrame({"outcome": ["won", "lost", "open"], "n_event": [9, 2, 40], "n_deals": 51})
    frame = frame.assign(estimate=0.1, conf_low=0.0, conf_high=0.2)
    shown = protected(Estimate(frame, meta("probability", "outcome", n=51)), "period", 5)
    assert isinstance(shown, Finding)
    assert (shown.headline, shown.verdict) == ("Too few deals to show: share of deals.", "not studied")


@pytest.mark.parametrize("seed", range(30))
def test_no_hidden_level_follows_from_the_total(seed: int) -> None:
    """The slow way: every number of deals that a hidden level could have, given what is shown and the total."""
    rng = np.random.default_rng(seed)
    sizes = [int(n) for n in rng.choice([1, 2, 3, 4, 5, 6, 9, 30, 70], size=int(rng.integers(2, 7)))]
    made = levels(*[(f"L{place}", size, 0) for place, size in enumerate(sizes)])
    shown = protected(Estimate(made.frame, meta("probability", "segment", "level", n=max(sum(sizes), 5))), "s", 5)
    if isinstance(shown, Finding):
        return
    frame = shown.frame.assign(true=sizes)
    assert not frame["n_deals"].between(1, 4).any()
    if "withheld" not in frame:
        assert min(sizes) >= 5
        return
    hidden = frame[frame["n_deals"].isna()]
    left = sum(sizes) - int(frame["n_deals"].sum())
    assert len(hidden) >= 2
    assert left >= 5
    for mark, true in zip(hidden["withheld"], hidden["true"], strict=True):
        others = hidden["withheld"].tolist()
        others.remove(mark)
        lowest, highest = len(others), sum(4 if other == "<5" else left for other in others)
        possible = [n for n in range(1, 5 if mark == "<5" else left) if lowest <= left - n <= highest]
        assert true in possible
        assert len(possible) > 1 or set(hidden["withheld"]) == {"<5"}


def test_curves_are_merged_by_hand() -> None:
    curve = pd.DataFrame({
        "outcome": ["won"] * 6 + ["lost"] * 6, "time": [0, 1, 2, 3, 4, 5] * 2,
        "n_event": [2, 3, 0, 4, 1, 0, 0, 1, 4, 0, 5, 2], "n_risk": [60, 58, 54, 50, 46, 40] * 2,
    })  # fmt: skip
    # won, from day 0 on: 2 5 5 9 10 10; lost: 0 1 5 5 10 12. Day 2 has 5 and 5 since the start; days 3 and 4 give
    # won 4 (no), then 5, and lost 5: kept; after it day 5 has lost 2, so day 4 is given up for the last day.
    merged = coarsened(curve, ["outcome", "time"], 5)
    assert merged[["outcome", "time", "n_event"]].to_numpy().tolist() == [
        ["won", 2, 5], ["won", 5, 5], ["lost", 2, 5], ["lost", 5, 7],
    ]  # fmt: skip
    assert len(coarsened(curve.assign(n_event=[0] * 11 + [3]), ["outcome", "time"], 5)) == 0


@pytest.mark.parametrize("seed", range(20))
def test_every_step_of_a_shared_curve_has_enough_deals(seed: int) -> None:
    rng = np.random.default_rng(seed)
    days, parts = 40, []
    for outcome in ("won", "lost"):
        parts.append(pd.DataFrame({"outcome": outcome, "time": range(days), "n_event": rng.integers(0, 3, days)}))
    curve = pd.concat(parts, ignore_index=True)
    ended = curve.groupby("time")["n_event"].sum()
    risk = 200 - ended.cumsum().shift(fill_value=0) - np.cumsum(rng.integers(0, 2, days))
    curve["n_risk"] = curve["time"].map(risk)
    merged = coarsened(curve, ["outcome", "time"], 5)
    assert set(merged["n_event"]) & {1, 2, 3, 4} == set()
    for outcome, rows in merged.groupby("outcome"):
        assert int(rows["n_event"].sum()) == int(curve.loc[curve["outcome"] == outcome, "n_event"].sum())
        assert rows["time"].max() == days - 1
        shown = rows["n_risk"].dropna()
        assert not shown.diff().abs().between(1, 4).any()
        assert (shown >= 5).all()


def test_lines_that_take_few_deals_off_are_merged_and_still_add_up() -> None:
    lines = [
        ("in the history", "deals in the history", 100, 100), ("left out", "no date", 2, 98),
        ("left out", "later", 0, 98),
        ("left out", "scope", 20, 78), ("studied", "deals studied", 78, 78), ("ended as", "won", 30, 48),
        ("ended as", "lost", 45, 3), ("ended as", "open", 3, 0),
    ]  # fmt: skip
    table = pd.DataFrame(lines, columns=["step", "rule", "deals", "remaining"]).assign(unit="deals")
    shown = protected(Listing(table, "What went in"), "left_out", 5)
    assert isinstance(shown, Listing)
    assert shown.frame[["rule", "deals", "remaining"]].to_numpy().tolist() == [
        ["deals in the history", 100, 100], ["no date; scope", 22, 78], ["later", 0, 78], ["deals studied", 78, 78],
        ["lost", 45, 33], ["open; won", 33, 0],
    ]  # fmt: skip
    alone = table[table["rule"] != "scope"]
    assert isinstance(protected(Listing(alone, "What went in"), "left_out", 5), Finding)


def test_a_sentence_says_no_small_count_and_none_without_its_number() -> None:
    said = without_small_counts("3 of 40 deals; won 12 (4–9), 2 days later, n 4, against 4 and 1,002 deals.", 5)
    assert said == (
        "fewer than 5 of 40 deals; won 12 (4–9), 2 days later, n fewer than 5, against fewer than 5 and 1,002 deals."
    )
    finding = Finding("x", "nan % of deals would be won.", "", "described")
    assert scrubbed(finding, 5).headline == "Too few deals stand behind this to be shown in a shared report."


def test_a_finding_about_a_hidden_row_is_withheld() -> None:
    sharing = Sharing("safe")
    sharing.result("segments", levels(("N", 40, 9), ("S", 3, 0), ("E", 20, 8)))
    about = {level: Finding("x", f"{level} wins.", "", "described", "segments", (("level", level),)) for level in "NS"}
    assert sharing.result("x", about["N"]).headline == "N wins."
    assert "wins" not in sharing.result("x", about["S"]).headline


PEOPLE = ["Ana Berg", "Bo Chen", "Cy Díaz"]
SECRETS = ["ana.berg@acme.example", "Deal for the Kraken launch", "call Ms. Rhode about the reorg", "Kraken", "Rhode"]


@pytest.fixture
def people(acme: Path) -> Path:
    """The company with owners' names, e-mails, deal names and reasons that people typed; one row is rejected."""
    from conftest import deals

    path = deals(acme / "export" / "deals.csv", 900)
    with path.open(newline="") as handle:
        head, *rows = list(csv.reader(handle))
    made = [[*head, "owner", "owner_name", "email", "name", "why"]]
    for number, row in enumerate(rows):
        row[0], row[1] = f"006SECRET{number:03d}", f"001SECRET{number % 40:02d}"
        row[7] = "West" if number % 150 == 0 else row[7]
        why = f"call Ms. Rhode about the reorg {number}" if row[5] == "Price" else ""
        made.append([*row, f"005SECRET{number % 3}", PEOPLE[number % 3], SECRETS[0], SECRETS[1], why])
    made.append(["006SECRET998", "001SECRET98", "yesterday", "", "Open", "", "5", "North", "005SECRET1", *PEOPLE[:1],
                 *SECRETS[:3]])  # fmt: skip
    with path.open("w", newline="") as handle:
        csv.writer(handle).writerows(made)
    params = acme / "params" / "acme.yaml"
    text = params.read_text().replace("amount: amount}", "amount: amount, owner_id: owner}")
    text = text.replace("{region: region}", "{region: region, owner_name: owner_name, why: why}")
    params.write_text(text.replace("horizon_days: 180", "horizon_days: 90"))
    return acme


def run(home: Path, *more: str) -> tuple[int, str, dict[str, bytes]]:
    """Run the project's own notebooks; return exit code, what was said, and every file of the newest bundle."""
    asked = [str(home / "params" / "acme-2025Q2.yaml"), "--notebooks", str(ROOT / "notebooks"), *more]
    done = CliRunner().invoke(main, ["run", *asked])
    bundle = home / "reports" / "acme" / "2025Q2"
    newest = max((bundle / "runs").iterdir()) if (bundle / "runs").is_dir() else bundle
    files = {path.name: path.read_bytes() for path in newest.rglob("*") if path.is_file()}
    if (bundle / "index.html").is_file():
        files["index.html"] = (bundle / "index.html").read_bytes()
    return done.exit_code, done.output, files


def unzipped(files: dict[str, bytes]) -> dict[str, str]:
    """The files as text: Parquet and workbooks read, so that nothing hides in a compressed block."""
    import io
    import zipfile

    texts = {}
    for name, content in files.items():
        if name.endswith(".parquet"):
            texts[name] = pd.read_parquet(io.BytesIO(content)).to_csv()
        elif name.endswith(".xlsx"):
            book = zipfile.ZipFile(io.BytesIO(content))
            texts[name] = "".join(book.read(part).decode() for part in book.namelist())
        else:
            texts[name] = content.decode("utf-8")
    return texts


def add(home: Path, *lines: str) -> None:
    with (home / "params" / "acme.yaml").open("a") as handle:
        handle.write("".join(f"{line}\n" for line in lines))


def test_a_private_report_has_ids_in_its_lists_and_no_name_or_text(people: Path) -> None:
    code, said, files = run(people)
    assert code == 0, said
    texts = unzipped(files)
    for name, text in texts.items():
        for secret in (*PEOPLE, *SECRETS):
            assert secret not in text, f"{name} holds {secret}"
    assert "006SECRET998" in texts["rejects.csv"]
    assert "005SECRET" not in texts["field_counts.csv"]
    add(people, "show: [text]")
    code, said, files = run(people)
    assert code == 0, said
    assert SECRETS[1] in files["rejects.csv"].decode()


def test_a_safe_report_holds_no_id_no_list_and_no_small_cell(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINLOSS_SHARE_KEY", "the key of this test")
    quarter = people / "params" / "acme-2025Q2.yaml"
    quarter.write_text(quarter.read_text().replace("[region]", "[region, owner_id, owner_name]"))
    add(people, "share: safe", "thresholds: {smallest_cell: 8}")
    code, said, files = run(people)
    assert code == 0, said
    texts = unzipped(files)
    for name, text in texts.items():
        for secret in (*PEOPLE, *SECRETS, "SECRET", "the key of this test", "export/deals.csv"):
            assert secret not in text, f"{name} holds {secret}"
    assert not {"rejects.csv", "rejected_rows.csv", "rejected.csv", "rejected_rows.json"} & set(files)
    assert "rejects.csv" not in texts["index.html"]
    owners = Codes(b"the key of this test").of("owner", [f"005SECRET{number}" for number in range(3)])
    for code_of in owners.values():
        assert code_of in texts["segments.csv"]
        assert code_of in texts["01_quarter.html"]
    counted = re.compile(r"n_(deals|event|risk|unknown)(_\w+)?|cum_event|opened_\w+|deals|filled|missing|\w+_deals")
    checked = 0
    for name in [name for name in texts if name.endswith(".csv")]:
        for row in csv.DictReader(texts[name].splitlines()):
            for column, cell in row.items():
                if counted.fullmatch(column) and re.fullmatch(r"[\d.]+", cell or ""):
                    assert not 0 < float(cell) < 8, f"{name}: {column} is {cell} in {row}"
                    checked += 1
    assert checked > 300
    assert "<8" in "".join(texts[name] for name in texts if name.endswith(".csv"))
    assert not re.search(r"\bnan\b", re.sub(r"<script.*?</script>", "", texts["01_quarter.html"], flags=re.S))


def test_the_same_owner_has_the_same_code_in_another_quarter(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from analytics.studies.opening import open_params
    from analytics.studies.params import load_company, quarter_params

    monkeypatch.delenv("WINLOSS_SHARE_KEY", raising=False)
    add(people, "share: safe", "ids: [region]")
    company, found = load_company(people / "params" / "acme.yaml"), []
    for quarter, as_of in (("2025Q1", "2025-03-31"), ("2025Q2", "2025-06-30")):
        asked = {"company": "acme", "quarter": quarter, "as_of": as_of, "compare_to": None, "segments": ["owner_id"]}
        study = open_params(company, quarter_params(asked))
        found.append(study.deals[["deal_id", "owner_id", "owner_name", "region", "opened_on"]])
        assert study.history.table["account_id"].str.startswith("account-").all()
    both = found[0].merge(found[1], on="deal_id", suffixes=("", "_later"))
    assert len(both) == len(found[0]) > 50
    assert (both["owner_id"] == both["owner_id_later"]).all()
    assert both["owner_id"].str.fullmatch("owner-[0-9a-f]{12}").all()
    assert both["owner_id"].nunique() == both["owner_name"].nunique() == 3
    assert both["region"].str.fullmatch("region-[0-9a-f]{12}").all()
    assert both["owner_name"].str.startswith("owner_name-").all()


def test_an_error_names_a_value_on_the_terminal_and_not_in_a_shared_bundle(
    people: Path, rewritten: Callable[..., Path]
) -> None:
    from conftest import OPEN

    fails = "from analytics.records.errors import InputError\nprint(secret := 'Kra' + 'ken')\n"
    rewritten(OPEN, fails + "raise InputError('cannot be used', value=secret)")
    command = ["run", str(people / "params" / "acme-2025Q2.yaml")]
    assert "Kraken" in CliRunner().invoke(main, command).output
    bundle = people / "reports" / "acme" / "2025Q2" / "runs"
    private = max(bundle.iterdir())
    assert "Kraken" in (private / "run.json").read_text()
    add(people, "share: safe")
    assert "Kraken" in CliRunner().invoke(main, command).output
    shared = max(path for path in bundle.iterdir() if path != private)
    assert (shared / "02_size.failed.ipynb").is_file()
    for path in shared.rglob("*"):
        if path.is_file():
            assert b"Kraken" not in path.read_bytes(), path.name
    facts = json.loads((shared / "run.json").read_text())
    assert (facts["exit_code"], facts["message"]) == (2, "input cannot be used")
    assert facts["company_params"]["source"] == {"kind": "flat"}


def test_scope_lines_name_codes(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINLOSS_SHARE_KEY", "the key of this test")
    sharing = Sharing("safe", values={"owner_name": PEOPLE})
    code = sharing.code("owner_name", ["Ana Berg"])["Ana Berg"]
    said = sharing.sentence("scope: owner_name is [Ana Berg, (empty)]", {"owner_name": ["Ana Berg", None]})
    assert said == f"scope: owner_name is [{code}, (empty)]"
    assert sharing.sentence("scope: region is [North]", {"region": ["North"]}) == "scope: region is [North]"
    assert dt.date(2025, 1, 1).isoformat() in sharing.sentence("first recorded after 2025-01-01", {})
