"""What a source noticed, made ready to stand among the traps."""

from __future__ import annotations

from collections.abc import Iterable

from analytics.records.contract import Noticed

UNCHANGED = ": no change is on record"
"""What a source says of a field whose history the export lacks, after the field's name."""

_RECORDED = " is on record from "


def without_history(noticed: Iterable[Noticed]) -> list[Noticed]:
    """Say once which fields have no history, where a source says it field by field of every deal.

    Examples
    --------
    >>> rule = "today's value stands for all earlier days"
    >>> seen = [Noticed(20, f"{name}: no change is on record", 9, 9, "deals", rule) for name in ("source", "region")]
    >>> [(line.what, line.found, line.of, line.unit) for line in without_history(seen)]
    [('fields of which no change is on record (source, region)', 2, 2, 'fields')]
    """
    seen = list(noticed)
    kept = [line for line in seen if not line.what.endswith(UNCHANGED)]
    silent = [line for line in seen if line.what.endswith(UNCHANGED)]
    fields = len(silent) + sum(_RECORDED in line.what for line in kept)
    by_rule: dict[tuple[int, str], list[str]] = {}
    for line in silent:
        by_rule.setdefault((line.trap, line.rule), []).append(line.what.removesuffix(UNCHANGED))
    return kept + [
        Noticed(
            trap, f"fields of which no change is on record ({', '.join(names)})", len(names), fields, "fields", rule
        )
        for (trap, rule), names in by_rule.items()
    ]
