"""How long do snapshots of a long history take, beside plain pandas? `python tests/benchmarks/bench_snapshot.py`.

Ten recorded rows per deal, eight as-of dates. Ours starts from the Parquet of a cached History and ends with the Deals
of each date in memory: reading and preparing count. Pandas starts from a frame in memory: reading does not count. Each
runs in a process of its own, whose largest resident memory is printed (Linux). Processor seconds stand beside seconds,
because other work on the machine changes only the latter. Options: `--deals 100000`, `--pandas-dates 1`, `--inferred`.
"""

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from analytics.records.contract import HISTORY_COLUMNS, SIDE_TABLES
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import deals_as_of
from analytics.records.sources.states import as_arrow
from analytics.studies.cache import CachedHistory

ROWS = 10
CHUNK = 50_000
DATES = [dt.date(year, month, day) for year in (2023, 2024) for month, day in ((3, 31), (6, 30), (9, 30), (12, 31))]
DECLARED = OutcomeRules(no_decision_reasons=("no decision",))
INFERRED = DECLARED.model_copy(update={"silent_days": 60, "pushed_times": 3, "older_than_days": 400})
DAYS = ["recorded_on", "opened_on", "closed_on", "expected_close_on"]


def company(first, deals):
    """Deals opened over three years, ten rows each, one in five still open."""
    rng = np.random.default_rng([1, first])
    number = np.repeat(np.arange(first, first + deals), ROWS)
    step = np.tile(np.arange(ROWS), deals)
    opened = np.repeat(np.datetime64("2022-01-01") + rng.integers(0, 1000, deals), ROWS)
    recorded = opened + 12 * step + rng.integers(0, 12, deals * ROWS)
    ends = (step == ROWS - 1) & np.repeat(rng.random(deals) < 0.8, ROWS)
    outcome = np.repeat(rng.choice(["closed_won", "closed_lost"], deals), ROWS)
    return pd.DataFrame({
        "deal_id": np.char.add("DEAL", np.char.zfill(number.astype(str), 14)),
        "account_id": (number % 50_000).astype(str), "pipeline": "all", "recorded_on": recorded, "sequence": step,
        "opened_on": opened, "stage": np.char.add("Stage ", (step % 6).astype(str)),
        "status": np.where(ends, outcome, "open"), "closed_on": np.where(ends, recorded - 1, np.datetime64("NaT")),
        "expected_close_on": opened + 60 + 15 * (step // 3), "reason": np.where(ends, "price", None),
        "amount": 1000.0 + number % 1000, "currency": "USD", "owner_id": (number % 300).astype(str), "source": "web",
        "segment": np.char.add("segment ", (number % 5).astype(str)),
    })  # fmt: skip


def write_company(folder, deals):
    """Write the company as a cached History, some deals at a time."""
    types = {"table": {**HISTORY_COLUMNS, "segment": "string"}, "side-activities": SIDE_TABLES["activities"]}
    files = {name: pq.ParquetWriter(folder / f"{name}.parquet", as_arrow(pd.DataFrame(), columns).schema)
             for name, columns in types.items()}  # fmt: skip
    for first in range(0, deals, CHUNK):
        table = company(first, min(CHUNK, deals - first))
        files["table"].write_table(as_arrow(table, types["table"]))
        heard = table.loc[table["sequence"] < ROWS - 2, ["deal_id", "recorded_on"]].assign(side="buyer")
        heard = heard.assign(occurred_on=heard["recorded_on"])
        files["side-activities"].write_table(as_arrow(heard, types["side-activities"]))
    for file in files.values():
        file.close()
    pd.DataFrame(columns=["file", "line", "reason", "values"]).to_parquet(folder / "rejects.parquet")


def ours(folder, rules, dates):
    """Deals of each date, counted by outcome; the first date pays for all that is prepared once."""
    facts = {"kind": "recorded", "attributes": ["segment"], "side": ["activities"], "files": [], "known_to": None}
    history = CachedHistory(folder, {**facts, "noticed": []}).as_tables()
    for date in dates:
        yield lambda date=date: _counts(deals_as_of(history, as_of=date, rules=rules).to_pyarrow()["outcome"])


def _counts(outcomes):
    return {row["values"]: row["counts"] for row in outcomes.value_counts().to_pylist()}


def with_pandas(folder, dates):
    """The way everybody writes it: cut, sort, group by deal."""
    began = time.perf_counter()
    history = pd.read_parquet(folder / "table.parquet")
    history[DAYS] = history[DAYS].apply(pd.to_datetime)
    print(f"pandas reads for {time.perf_counter() - began:.1f} s (not counted)", file=sys.stderr, flush=True)
    for date in dates:
        yield lambda date=date: pandas_deals(history, pd.Timestamp(date))["outcome"].value_counts().to_dict()


def pandas_deals(history, as_of):
    """One row per deal: its last state, first owner and segment, pushes, closing day, outcome and age."""
    known = history[history["recorded_on"] <= as_of].sort_values(["deal_id", "recorded_on", "sequence"])
    by_deal = known.groupby("deal_id", sort=False)
    deals = by_deal.tail(1).set_index("deal_id")
    first = by_deal.head(1).set_index("deal_id")
    closed = known[known["status"] != "open"].groupby("deal_id")["recorded_on"].min()
    pushed = known["expected_close_on"] > by_deal["expected_close_on"].shift()
    deals = deals.assign(
        **first[["owner_id", "pipeline", "source", "segment"]], n_pushes=pushed.groupby(known["deal_id"]).sum(),
        recorded_on=closed.reindex(deals.index), outcome=deals["status"].str.removeprefix("closed_"),
    )  # fmt: skip
    deals["closed_on"] = deals[["closed_on", "recorded_on"]].min(axis=1).where(deals["recorded_on"].notna())
    return deals.assign(exit=(deals["closed_on"].fillna(as_of) - deals["opened_on"]).dt.days)


def measure(name, folder, dates):
    """Run one way in this process and print what it took as JSON."""
    rules = DECLARED if name == "declared" else INFERRED
    steps = with_pandas(folder, dates) if name == "pandas" else ours(folder, rules, dates)
    taken = []
    for date, step in zip(dates, steps, strict=True):
        wall, processor = time.perf_counter(), time.process_time()
        found = {key: int(count) for key, count in sorted(step().items())}
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        print(f"{name} {date}: {wall:6.1f} s, {processor:6.1f} processor s  {found}", file=sys.stderr, flush=True)
        taken.append((wall, processor, found))
    # Not ru_maxrss: a child begins with its parent's.
    held = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(json.dumps({"taken": taken, "peak": int(held["VmHWM"].split()[0]) / 1e6}))


def in_child(name, folder, dates):
    """Measure one way in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--measure", name, "--folder", str(folder), "--dates", str(dates)],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def main(given):
    """Write the company, measure each way, and compare."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_company(folder, given.deals)
        print(f"{given.deals:,} deals, {given.deals * ROWS:,} rows, {len(DATES)} as-of dates")
        for name in ("declared", "inferred") if given.inferred else ("declared",):
            result = in_child(name, folder, len(DATES))
            wall, processor = (sum(one[i] for one in result["taken"]) for i in (0, 1))
            print(f"ours, {name}: {wall:.1f} s ({processor:.1f} processor s), peak {result['peak']:.2f} GB")
            if name == "declared":
                mine, total, busy = result, wall, processor
        rival = in_child("pandas", folder, given.pandas_dates)
        times = len(DATES) / given.pandas_dates
        wall, processor = (times * sum(one[i] for one in rival["taken"]) for i in (0, 1))
        said = "" if times == 1 else f" ({given.pandas_dates} measured, the last ones)"
        print(f"pandas{said}: {wall:.1f} s ({processor:.1f} processor s), peak {rival['peak']:.2f} GB")
        found, expected = (one["taken"][-given.pandas_dates :] for one in (mine, rival))
        assert [one[2] for one in found] == [one[2] for one in expected], "the two ways found different outcomes"
        print(f"ratio: {wall / total:.1f} in seconds, {processor / busy:.1f} in processor seconds")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--deals", type=int, default=1_000_000)
    options.add_argument("--pandas-dates", type=int, default=len(DATES), help="measure only so many dates of pandas")
    options.add_argument("--inferred", action="store_true", help="measure the inferred rules too")
    for name, kind in (("--measure", str), ("--folder", Path), ("--dates", int)):
        options.add_argument(name, type=kind, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.measure:
        measure(chosen.measure, chosen.folder, DATES[-chosen.dates :])
    else:
        main(chosen)
