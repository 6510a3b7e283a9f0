"""The twenty traps of CRM exports as found in these records, and what deals that were never open do to a rate."""

from __future__ import annotations

import pandas as pd

from analytics.estimators.rates import account_codes, known_accounts
from analytics.estimators.result import Estimate, Finding, Listing, Meta
from analytics.questions.data_health.fields import proportion_row

_ENDED = ("won", "lost", "no_decision")


def traps(counts: pd.DataFrame) -> Listing | Finding:
    """Which of the twenty traps are in these records, how often, and what is done about each?

    Parameters
    ----------
    counts : pandas.DataFrame
        trap, name, what, found, of, unit, rule (`study.trap_counts`).

    Returns
    -------
    Listing or Finding
        number, trap, looked_for, found (in words), rule, then n_found, n_of and unit as numbers. A trap without a
        deal stays in the table, for that is news as well; one that nothing could look for says what it would take.

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
        "not looked for" if pd.isna(found) else f"{found:,} of {of:,} {unit}" if found else f"none of {of:,} {unit}"
        for found, of, unit in zip(counts["found"], counts["of"], counts["unit"], strict=True)
    ]
    frame = pd.DataFrame({
        "number": counts["trap"], "trap": counts["name"], "looked_for": counts["what"], "found": words,
        "rule": counts["rule"], "n_found": counts["found"], "n_of": counts["of"], "unit": counts["unit"],
    })  # fmt: skip
    return Listing(frame.reset_index(drop=True), "The twenty traps")


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
    born, one_day = closed["born_closed"].astype(bool), closed["exit"] == 0
    groups = {
        "all": ("all closed deals", born | ~born),
        "not_born_closed": ("without those already closed when first recorded", ~born),
        "open_for_a_day": ("nor those opened and closed on one day", ~born & ~one_day),
    }
    accounts = closed["account_id"] if known_accounts(closed["account_id"]) else None
    rows = [
        {"item": item, "label": label, **_won(closed[inside], None if accounts is None else accounts[inside])}
        for item, (label, inside) in groups.items()
        if inside.any()
    ]
    meta = Meta(
        kind="probability", estimand="won among closed deals with a known outcome", keys=("item",),
        n_deals=len(closed), n_accounts=None if accounts is None else account_codes(accounts)[1], interval="Wilson",
        variance="binomial" if accounts is None else "between accounts",
        cluster=None if accounts is None else "account_id",
    )  # fmt: skip
    return Estimate(pd.DataFrame(rows), meta)


def _won(closed: pd.DataFrame, accounts: pd.Series | None) -> dict[str, object]:
    return proportion_row(closed["outcome"] == "won", accounts)
