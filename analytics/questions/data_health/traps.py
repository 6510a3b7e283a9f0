"""The twenty traps of CRM exports as found in these records, and what deals that were never open do to a rate."""

from __future__ import annotations

import pandas as pd

from analytics.estimators.cell_deals import ids_of, members_apart, with_deals
from analytics.estimators.rates import account_codes, known_accounts
from analytics.estimators.result import WITHHELD, Estimate, Finding, Listing, Meta
from analytics.questions.data_health.fields import proportion_row

_ENDED = ("won", "lost", "no_decision")
_NONE, _UNSEEN = "none of", "not looked for"
_ORDER = ("found", _NONE, _UNSEEN)


def traps(counts: pd.DataFrame) -> Listing | Finding:
    """Which of the twenty traps are in these records, how often, and what is done about each?

    Parameters
    ----------
    counts : pandas.DataFrame
        trap, name, what, found, of, unit, rule (`study.trap_counts`).

    Returns
    -------
    Listing or Finding
        number, trap, looked_for, found (in words), rule, then n_found, n_of and unit as numbers; every line, in the
        order of the traps, those with a count before those with none. A trap without a deal stays in the table, for
        that is news as well; one that nothing could look for says what it would take. See `traps_in_short`.

    Examples
    --------
    >>> counts = pd.DataFrame({"trap": [3, 13], "name": ["past due", "currencies"], "what": ["open, past due", ""],
    ...     "found": pd.array([2, None], "Int64"), "of": pd.array([10, None], "Int64"), "unit": ["deals", ""],
    ...     "rule": ["stays open", "not in this export: needs a currency"]})
    >>> traps(counts).frame["found"].tolist()
    ['2 of 10 deals', 'not looked for']
    """
    if not len(counts):
        return Finding("traps", "There are no records to check for traps.", "", "not studied")
    words = [
        _UNSEEN if pd.isna(found) else f"{found:,} of {of:,} {unit}" if found else f"{_NONE} {of:,} {unit}"
        for found, of, unit in zip(counts["found"], counts["of"], counts["unit"], strict=True)
    ]
    frame = pd.DataFrame({
        "number": counts["trap"], "trap": counts["name"], "looked_for": counts["what"], "found": words,
        "rule": counts["rule"], "n_found": counts["found"], "n_of": counts["of"], "unit": counts["unit"],
    })  # fmt: skip
    frame["_none"] = ~(frame["n_found"].fillna(0) > 0)
    frame = frame.sort_values(["number", "_none"], kind="stable", ignore_index=True).drop(columns="_none")
    return Listing(frame, "The twenty traps")


def traps_in_short(listed: Listing | Finding) -> Listing | Finding:
    """Which traps are here, which are not, and which could not be looked for: the table that a reader reads?

    Parameters
    ----------
    listed : Listing or Finding
        From `traps`, as it may be shown.

    Returns
    -------
    Listing or Finding
        number, trap, looked_for, found, rule. Traps with a count come first, one line for each count and one for all
        that was looked for and not found; then those with none; then those that nothing could look for. Number and
        name stand in a trap's first line only.

    Examples
    --------
    >>> counts = pd.DataFrame({"trap": 10, "name": "amounts", "what": ["no amount", "amount 0", "below 0"],
    ...     "found": pd.array([2, 0, 0], "Int64"), "of": pd.array([9, 9, 7], "Int64"), "unit": "deals", "rule": "kept"})
    >>> traps_in_short(traps(counts)).frame[["number", "looked_for", "found"]].values.tolist()
    [['10', 'no amount', '2 of 9 deals'], ['', 'amount 0; below 0', 'none']]
    """
    if isinstance(listed, Finding):
        return listed
    lines = [_in_short(rows) for _, rows in listed.frame.groupby("number")]
    lines.sort(key=lambda some: min(_ORDER.index(_kind(str(line[3]))) for line in some))
    columns = ["number", "trap", "looked_for", "found", "rule"]
    return Listing(pd.DataFrame([line for some in lines for line in some], columns=columns), listed.title)


def traps_found(listed: Listing | Finding, leaky: Listing | Finding) -> Finding:
    """How many of the twenty traps are in these records, and which fields does only closing fill? For the front page.

    Parameters
    ----------
    listed, leaky : Listing or Finding
        From `traps` and `leaky_fields`, as they may be shown.

    Returns
    -------
    Finding
        Described; not studied where there are no records.

    Examples
    --------
    >>> counts = pd.DataFrame({"trap": [3, 13], "name": ["past due", "currencies"], "what": ["open, past due", ""],
    ...     "found": pd.array([2, None], "Int64"), "of": pd.array([10, None], "Int64"), "unit": ["deals", ""],
    ...     "rule": ["stays open", "not in this export: needs a currency"]})
    >>> traps_found(traps(counts), Finding("leaky_fields", "No field is leaky.", "", "described")).headline
    'Traps found: 1, not found: 0, not looked for: 1.'
    """
    if isinstance(listed, Finding):
        return Finding("traps_found", listed.headline, listed.detail, listed.verdict)
    kinds = listed.frame["found"].astype(str).map(_kind).groupby(listed.frame["number"]).agg(set)
    here = {kind: sum(min(some, key=_ORDER.index) == kind for some in kinds) for kind in _ORDER}
    fields = f"Only closing fills: {', '.join(leaky.frame['field'])}." if isinstance(leaky, Listing) else leaky.headline
    headline = f"Traps found: {here['found']}, not found: {here[_NONE]}, not looked for: {here[_UNSEEN]}."
    return Finding("traps_found", headline, f"{fields} The table of traps says what is done about each.", "described")


def _kind(found: str) -> str:
    """Say what a cell of `found` says; a count that is withheld was found."""
    return _NONE if found.split(" ")[0] == "none" else _UNSEEN if found == _UNSEEN else "found"


def _in_short(rows: pd.DataFrame) -> list[tuple[object, ...]]:
    """One trap: a line for each count, and one for everything that was looked for and not found."""
    marks = rows[WITHHELD] if WITHHELD in rows else pd.Series("", index=rows.index)
    found = rows["found"].astype(str).where(rows["found"].astype(str) != "", marks)
    none = found.map(_kind) == _NONE
    lines = [list(line) for line in zip(rows["looked_for"], found, rows["rule"], strict=True)]
    shown = [line for line, empty in zip(lines, none, strict=True) if not empty]
    if none.any():
        of = found[none].unique()
        rule = rows.loc[none, "rule"].unique()
        looked = "; ".join(rows.loc[none, "looked_for"].astype(str))
        shown.append([looked, of[0] if len(of) == 1 else "none", rule[0] if len(rule) == 1 else ""])
    first = [(str(rows["number"].iloc[0]), rows["trap"].iloc[0])] + [("", "")] * len(shown)
    return [(*name, *line) for name, line in zip(first, shown, strict=False)]


def leaky_fields(fields: pd.DataFrame) -> Listing | Finding:
    """Which fields are filled or changed only at the close, so that they say how a deal ended?

    Parameters
    ----------
    fields : pandas.DataFrame
        One row per field with its shares and `leaky` (`study.leaky_fields`).

    Returns
    -------
    Listing or Finding
        field, why, then the shares and sizes behind it, of the leaky fields alone. A Finding where there is none, or
        too few deals have closed to tell.

    Examples
    --------
    >>> fields = pd.DataFrame({"field": ["source"], "leaky": [False], "kind": [""], "why": [""]})
    >>> leaky_fields(fields).headline
    'No field is filled or changed only at the close.'
    """
    if not len(fields):
        said = "Fewer than 20 deals have closed."
        return Finding("leaky_fields", "Which fields only closing fills is not known.", said, "not studied")
    leaky = fields[fields["leaky"].astype(bool)]
    if not len(leaky):
        headline = "No field is filled or changed only at the close."
        return Finding("leaky_fields", headline, f"Looked at: {', '.join(fields['field'])}.", "described")
    shares = {"filled_closed": "share_closed", "filled_before": "share_before", "filled_open": "share_open"}
    frame = leaky.drop(columns=["leaky", "kind"]).rename(columns={**shares, "changed": "share_changed"})
    return Listing(frame.reset_index(drop=True), "Fields that only closing fills")


def never_open(deals: pd.DataFrame) -> Estimate | Finding:
    """What share of closed deals was won, with and without those that were never open for a day?

    Parameters
    ----------
    deals : pandas.DataFrame
        Deals frame, first episodes.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (item,): "all", "not_born_closed" (without deals that were closed when first recorded)
        and "open_for_a_day" (nor those opened and closed on one day). `label`, `n_event` (won), `n_risk` (won, lost or
        no decision), `n_accounts`. A Finding where no deal has closed with a known outcome.

    Notes
    -----
    Deals that were entered after the fact are mostly wins, and they were never at risk: a win rate that holds them
    says how deals are entered. Wilson limits, clustered by account where accounts are known. Unknown outcomes
    are in neither number.

    Examples
    --------
    >>> deals = pd.DataFrame({"outcome": ["won", "won", "lost"], "born_closed": [True, False, False],
    ...                       "exit": [0, 0, 40], "account_id": ["x", "y", "z"]})
    >>> never_open(deals).frame[["item", "n_event", "n_risk"]].values.tolist()
    [['all', 2, 3], ['not_born_closed', 1, 2], ['open_for_a_day', 0, 1]]
    """
    closed = deals[deals["outcome"].isin(_ENDED)]
    if not len(closed):
        headline = "No deal has closed with a known outcome."
        return Finding("never_open", headline, "Shares with and without born-closed deals need some.", "not studied")
    won = closed["outcome"] == "won"
    born, one_day = closed["born_closed"].astype(bool), closed["exit"] == 0
    groups = {
        "all": ("all closed deals", born | ~born),
        "not_born_closed": ("without those already closed when first recorded", ~born),
        "open_for_a_day": ("nor those opened and closed on one day", ~born & ~one_day),
    }
    accounts = closed["account_id"] if known_accounts(closed["account_id"]) else None
    rows = [
        {
            "item": item,
            "label": label,
            **_won(closed[inside], None if accounts is None else accounts[inside]),
            "members": {"n_risk": ids_of(closed[inside]), "n_event": ids_of(closed[inside & won])},
        }
        for item, (label, inside) in groups.items()
        if inside.any()
    ]
    meta = Meta(
        kind="probability", estimand="won among closed deals with a known outcome", keys=("item",),
        n_deals=len(closed), n_accounts=None if accounts is None else account_codes(accounts)[1], interval="Wilson",
        variance="binomial" if accounts is None else "between accounts",
        cluster=None if accounts is None else "account_id",
    )  # fmt: skip
    plain, lists = members_apart(rows)
    return with_deals(Estimate(pd.DataFrame(plain), meta), **lists)


def _won(closed: pd.DataFrame, accounts: pd.Series | None) -> dict[str, object]:
    return proportion_row(closed["outcome"] == "won", accounts)
