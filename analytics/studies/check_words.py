"""A check in words, for an analyst at a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import Any

WIDTH = 100
_STAGES_SHOWN = 40
_COLUMNS_SHOWN = 30
_STATUS = {"open": "open", "closed_won": "won", "closed_lost": "lost", "closed_unknown": "closed, outcome unknown"}

Facts = dict[str, Any]


def words_of(facts: Facts) -> str:
    """Say the facts of a check in words, section by section.

    Control characters of the CRM's texts are replaced, so that no name of a stage can steer a terminal.

    Examples
    --------
    >>> printable("Won\\x1b[2J!")
    'Won�[2J!'
    """
    sections = [
        _head, _verdict, _settings, _files, _objects, _not_used, _history, _stages, _reasons, _scope, _tables,
        _abilities, _observed, _traps,
    ]  # fmt: skip
    blocks = ["\n".join(section(facts)) for section in sections]
    return printable("\n\n".join(block for block in blocks if block))


def printable(text: str) -> str:
    """Replace what a terminal would obey rather than show."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)


def _head(facts: Facts) -> Iterator[str]:
    quarter = f", {facts['quarter']}" if facts["quarter"] else ""
    yield f"{facts['title']}{quarter}: as known at the end of {facts['as_of']} ({facts['as_of_is']})"


def _files(facts: Facts) -> Iterator[str]:
    yield "What was read"
    width = max((len(file["name"]) for file in facts["files"]), default=0)
    for file in facts["files"]:
        yield (
            f"  {file['name']:<{width}}  {file['rows_read']:>9,} rows, {file['rows_kept']:,} kept, "
            f"{file['rows_rejected']:,} rejected"
        )
        for reason in file["reasons"]:
            yield from _wrapped(f"{reason['rows']:,} rejected: {reason['reason']}", 6)
        if file["more_reasons"]:
            yield f"      and {file['more_reasons']} more reasons"


def _objects(facts: Facts) -> Iterator[str]:
    if not facts["objects"]:
        return
    missing = [one["object"] for one in facts["objects"] if not one["found"]]
    empty = {file["name"].partition(" (")[0] for file in facts["files"] if not file["rows_read"]}
    found = [
        one["object"] + (" (no rows)" if empty & set(one["found"]) else "") for one in facts["objects"] if one["found"]
    ]
    yield f"Objects of {facts['source']} that were looked for"
    yield from _wrapped(f"found: {', '.join(found) or 'none'}", 2)
    yield from _wrapped(f"missing: {', '.join(missing) or 'none'}", 2)


def _not_used(facts: Facts) -> Iterator[str]:
    names = facts["columns_not_used"]
    if names:
        yield "Columns of the deals that are not used"
        more = f", and {len(names) - _COLUMNS_SHOWN} more" if len(names) > _COLUMNS_SHOWN else ""
        yield from _wrapped(", ".join(names[:_COLUMNS_SHOWN]) + more, 2, 2)


def _history(facts: Facts) -> Iterator[str]:
    history = facts["history"]
    yield "What the records say"
    kept = "every recorded change" if history["kind"] == "recorded" else "today's state only, earlier dates are rebuilt"
    yield f"  {history['deals']:,} deals in {history['states']:,} states ({kept})"
    yield (
        f"  first opening {history['first_opened']}, first record {history['first_record']}, "
        f"last record {history['last_record']}, known to {history['known_to']}"
    )
    now = ", ".join(f"{n:,} {_STATUS[name]}" for name, n in history["statuses"].items() if n)
    yield f"  now: {now}"
    if history["attributes"]:
        filled = ", ".join(f"{name} ({n:,})" for name, n in history["attributes"].items())
        yield from _wrapped(f"attributes, with the deals that have one: {filled}", 2)


def _stages(facts: Facts) -> Iterator[str]:
    stages = facts["history"]["stages"]
    if not stages:
        return
    yield "Stages, what they mean, and how many deals stand there"
    for one in stages[:_STAGES_SHOWN]:
        means = " or ".join(_STATUS.get(name, name) for name in one["means"])
        yield f"  {one['stage']}: {means} ({one['deals_now']:,})"
    if len(stages) > _STAGES_SHOWN:
        yield f"  and {len(stages) - _STAGES_SHOWN} more"


def _reasons(facts: Facts) -> Iterator[str]:
    """Lines for the params: the analyst takes out what is a decision."""
    if facts["reasons"]:
        import yaml

        yield "Reasons of lost deals. Paste this into the params, and keep those that mean no decision:"
        yield ""
        yield "rules:"
        yield "  no_decision_reasons:"
        for one in facts["reasons"]:
            text = yaml.safe_dump([one["reason"]], default_flow_style=True, width=10**9, allow_unicode=True)
            yield f"    - {text.strip()[1:-1]}  # {one['deals']:,} deals"


def _scope(facts: Facts) -> Iterator[str]:
    scope = facts["scope"]
    if not scope["set"]:
        yield "Scope is not set. Paste this into the params, and remove what does not belong to the study:"
        yield ""
        yield scope["lines"]
        return
    if scope["deals"] is None:
        return
    yield f"In scope: {scope['deals']:,} deals"
    for line in scope["lines"]:
        if line["deals"]:
            yield f"  {line['deals']:>9,}  {line['rule']}"


def _tables(facts: Facts) -> Iterator[str]:
    there = [f"{one['table']} ({one['rows']:,} rows)" for one in facts["tables"] if one["rows"] is not None]
    missing = [one["table"] for one in facts["tables"] if one["rows"] is None]
    yield "Side tables"
    yield from _wrapped(f"there: {', '.join(there) or 'none'}", 2)
    yield from _wrapped(f"not there: {', '.join(missing) or 'none'}", 2)


def _abilities(facts: Facts) -> Iterator[str]:
    yield "What can be studied"
    for study, parts in groupby(facts["abilities"], key=lambda one: one["study"]):
        lines = [one for one in parts if one["notebook"]]
        lacking = [one for one in lines if one["possible"] != "yes"]
        if lines:
            yield f"  {study.replace('_', ' ')}: {'all of it' if not lacking else 'all of it but'}"
        for one in lacking:
            yield from _wrapped(f"{one['possible']:<7} {one['question']}. {one['words']}".rstrip(), 4, 12)
    later = {one["study"] for one in facts["abilities"] if not one["notebook"]}
    lacking = [one["study"] for one in facts["abilities"] if one["study"] in later and one["possible"] != "yes"]
    if later:
        names = ", ".join(dict.fromkeys(name.replace("_", " ") for name in lacking))
        said = f"something is missing for {names} (--json says what)" if names else "nothing is missing for them"
        yield from _wrapped(f"{len(later)} studies have no notebook yet; {said}", 2)


def _observed(facts: Facts) -> Iterator[str]:
    observed = facts["observed"]
    yield "From when on what can be trusted"
    yield from _wrapped(f"{observed['words']} {observed['how_known']}", 2)
    said: dict[str, list[str]] = {}
    whole: dict[str, list[str]] = {}
    for one in facts["trusted"]:
        if one["what"] == "outcomes":
            continue
        if one["trusted_from"] and not one["late"]:
            whole.setdefault(one["trusted_from"], []).append(one["what"])
            continue
        since = f"from {one['trusted_from']}" if one["trusted_from"] else "from no day"
        rests = f" What rests on it: {one['affects']}." if one["late"] else ""
        said.setdefault(f"{since}. {one['how_known']}{rests}", []).append(one["what"])
    if whole:
        days = "; ".join(f"{', '.join(names)} from {day}" for day, names in sorted(whole.items()))
        yield from _wrapped(f"nothing seems to be missing: {days}", 2, 6)
    for words, names in said.items():
        yield from _wrapped(f"{', '.join(names)}: {words}", 2, 6)


def _settings(facts: Facts) -> Iterator[str]:
    if facts["settings"]:
        yield "Settings to look at"
        for sentence in facts["settings"]:
            yield from _wrapped(f"- {sentence}", 2, 4)


def _traps(facts: Facts) -> Iterator[str]:
    if facts["traps"]:
        yield "Traps noticed while reading"
        for one in facts["traps"]:
            yield from _wrapped(
                f"- {one['what']}: {one['found']:,} of {one['of']:,} {one['unit']}; {one['rule']} (trap {one['trap']})",
                2,
                4,
            )


def _verdict(facts: Facts) -> Iterator[str]:
    if facts["problems"]:
        yield "A study cannot run yet."
        for sentence in facts["problems"]:
            yield from _wrapped(f"- {sentence}", 2, 4)
        return
    yield "A study can run."
    runs = [facts["params"]] if facts["quarter"] else facts["quarters_beside"][-1:]
    for name in runs:
        yield f"  winloss run {facts['folder']}/{name}"
    if not runs:
        yield "  It takes a quarter's file:"
        asked = f"--company {facts['company']} --quarter {facts['latest_quarter']} --folder {facts['folder']}"
        yield f"  winloss init quarter {asked}"


def _wrapped(text: str, indent: int, hanging: int | None = None) -> list[str]:
    following = " " * (indent + 2 if hanging is None else hanging)
    return textwrap.wrap(
        text, WIDTH, initial_indent=" " * indent, subsequent_indent=following, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
