"""What a source made of an export, as plain rows and counts that a test can write down."""

import pandas as pd


def rows(history, *columns: str, deal: str | None = None) -> list[list[object]]:
    """The named columns of the recorded states, of one deal or all; days as month and day."""
    frame = history.table.to_pandas()
    frame = frame[frame["deal_id"] == deal] if deal else frame
    frame = frame[list(columns)]
    for name in columns:
        if pd.api.types.is_datetime64_any_dtype(frame[name]):
            frame[name] = frame[name].dt.strftime("%m-%d")
    return frame.astype(object).where(frame.notna(), None).values.tolist()


def seen(history, what: str) -> tuple[int, int, int]:
    """Trap, found and of of the one thing noticed whose words begin so."""
    found = [(each.trap, each.found, each.of) for each in history.noticed if each.what.startswith(what)]
    assert len(found) == 1, [each.what for each in history.noticed]
    return found[0]
