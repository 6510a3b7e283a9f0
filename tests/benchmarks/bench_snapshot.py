"""How long the snapshot takes as the history grows: run `python tests/benchmarks/bench_snapshot.py [deals ...]`.

Ten recorded rows per deal. The ratio of seconds to rows should stay the same from one size to the next (nothing
quadratic); it is printed, not asserted, because machines differ.
"""

import datetime as dt
import sys
import time

import numpy as np
import pandas as pd

from analytics.records.contract import History
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import snapshot_frame

ROWS = 10
AS_OF = dt.date(2024, 12, 31)
DECLARED = OutcomeRules(no_decision_reasons=("no decision",))
INFERRED = DECLARED.model_copy(update={"silent_days": 60, "pushed_times": 2, "older_than_days": 400})


def company(deals, seed=1):
    """Deals opened over three years, ten rows each, one in five still open, an activity after each row but two."""
    rng = np.random.default_rng(seed)
    number = np.repeat(np.arange(deals), ROWS)
    step = np.tile(np.arange(ROWS), deals)
    day = np.datetime64("2022-01-01")
    opened = np.repeat(day + rng.integers(0, 1000, deals), ROWS)
    recorded = opened + 12 * step + rng.integers(0, 12, deals * ROWS)
    ends = (step == ROWS - 1) & np.repeat(rng.random(deals) < 0.8, ROWS)
    outcome = np.repeat(rng.choice(["closed_won", "closed_lost"], deals), ROWS)
    ids = pd.Series(np.char.add("DEAL", np.char.zfill(np.arange(deals).astype(str), 14)))
    table = pd.DataFrame({
        "deal_id": ids.take(number).to_numpy(), "account_id": (number % 50_000).astype(str), "pipeline": "all",
        "recorded_on": recorded, "sequence": step, "opened_on": opened,
        "stage": np.char.add("Stage ", (step % 6).astype(str)),
        "status": np.where(ends, outcome, "open"), "closed_on": np.where(ends, recorded - 1, np.datetime64("NaT")),
        "expected_close_on": opened + 60 + 15 * (step // 3), "reason": np.where(ends, "price", None),
        "amount": 1000.0 + number % 1000, "currency": "USD", "owner_id": (number % 300).astype(str), "source": "web",
        "segment": np.char.add("segment ", (number % 5).astype(str)),
    })  # fmt: skip
    seen = table.loc[step < ROWS - 2, ["deal_id", "recorded_on"]].rename(columns={"recorded_on": "occurred_on"})
    return History(table=table, side={"activities": seen.assign(side="buyer")}, attributes=("segment",))


def main(sizes):
    """Print seconds, and microseconds per recorded row, for each size and set of rules."""
    for deals in sizes:
        records = company(deals)
        for name, rules in (("declared", DECLARED), ("declared and inferred", INFERRED)):
            began = time.perf_counter()
            frame = snapshot_frame(records, as_of=AS_OF, rules=rules)
            seconds = time.perf_counter() - began
            per_row = 1e6 * seconds / (deals * ROWS)
            print(
                f"{deals:>9,} deals, {name:<22} {seconds:7.2f} s  {per_row:6.2f} µs a row  ({len(frame):,} deals)",
                flush=True,
            )


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [10_000, 100_000, 1_000_000])
