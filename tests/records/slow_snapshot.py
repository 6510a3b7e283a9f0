"""The snapshot again: obvious, slow, in plain Python, one day after the other. Its only job is to disagree loudly."""

import datetime as dt

DAY = dt.timedelta(days=1)


def slow_deals(rows, activities, *, as_of, rules, definitions, attributes=(), owners=()):
    """Every episode of every deal as a dict, with the rule that leaves it out in `excluded` (None: studied)."""
    rows = [row for row in rows if row["recorded_on"] <= as_of]
    activities = None if activities is None else [a for a in map(_with_known_day, activities) if a["known"] <= as_of]
    deals = []
    for deal_id in sorted({row["deal_id"] for row in rows}):
        own = sorted((r for r in rows if r["deal_id"] == deal_id), key=lambda r: (r["recorded_on"], r["sequence"]))
        mine = None if activities is None else [a for a in activities if a["deal_id"] == deal_id]
        buyer_days = [a["known"] for a in activities or [] if (a["side"] or "").strip().lower() == "buyer"]
        facts = {"owners": [o for o in owners if o["recorded_on"] is None or o["recorded_on"] <= as_of]}
        deals += _episodes(own, mine, buyer_days, as_of, rules, definitions, attributes, facts)
    return deals


def _team(owner, on, owners):
    """The team of the owner's row that is valid on the day; the latest start wins."""
    latest, team = dt.date.min, None
    for row in owners:
        start = row["start_on"] or dt.date.min
        if (
            row["owner_id"] == owner
            and start <= on
            and (row["end_on"] is None or on < row["end_on"])
            and start >= latest
        ):
            latest, team = start, row["team"]
    return team


def _with_known_day(activity):
    recorded = activity["recorded_on"] or activity["occurred_on"]
    return {**activity, "known": max(recorded, activity["occurred_on"])}


def _counted(activities, buyer_days, day):
    """The activities that count on a day: known by then, and the buyer's only once any buyer's was known."""
    buyers_recorded = any(known <= day for known in buyer_days)
    return [
        a for a in activities
        if a["known"] <= day and (not buyers_recorded or (a["side"] or "").strip().lower() == "buyer")
    ]  # fmt: skip


def _state_on(rows, day):
    return [row for row in rows if row["recorded_on"] <= day][-1]


def _is_open(row):
    return row["status"] == "open"


def _spells(own):
    """Rows grouped into spells, a day at a time; the last row of the day is the state of the day."""
    spells = []
    for day in sorted({row["recorded_on"] for row in own}):
        today = [row for row in own if row["recorded_on"] == day]
        if not spells or (not _is_open(spells[-1][-1]) and _is_open(today[-1])):
            spells.append([])
        spells[-1] += today
    return spells


def _pushes(spell):
    """For each row of a spell whether its expected close date was later than the one before."""
    pushed, before = [], None
    for row in spell:
        promise = row["expected_close_on"] if _is_open(row) else None
        pushed.append(promise is not None and before is not None and promise > before)
        before = promise if promise is not None else before
    return pushed


def _firing(spell, until, number, mine, buyer_days, rules):
    """The first day, walking day by day, on which a rule holds by what was known on that day."""
    pushed = _pushes(spell)
    day = spell[0]["recorded_on"]
    while day <= until:
        state = _state_on(spell, day)
        if not _is_open(state):
            return None
        named = [row["opened_on"] for row in spell if row["recorded_on"] <= day and row["opened_on"] is not None]
        opened = (named[0] if named else None) if number == 1 else spell[0]["recorded_on"]
        if opened is not None:
            pushes = sum(p for p, row in zip(pushed, spell, strict=True) if row["recorded_on"] <= day)
            expected = state["expected_close_on"]
            if rules.silent_days is not None and mine is not None:
                heard = [a["occurred_on"] for a in _counted(mine, buyer_days, day)]
                if (day - max([opened, *heard])).days >= rules.silent_days:
                    return day, "silent"
            often = rules.pushed_times is not None and pushes >= rules.pushed_times
            if often and expected is not None and expected < day and opened <= day:
                return day, "pushed"
            if rules.older_than_days is not None and (day - opened).days > rules.older_than_days:
                return day, "aged"
        day += DAY
    return None


def _episodes(own, mine, buyer_days, as_of, rules, definitions, attributes, facts):
    episodes = []
    spells = _spells(own)
    for number, spell in enumerate(spells, start=1):
        pushed = dict(zip(map(id, spell), _pushes(spell), strict=True))
        fired = _firing(spell, as_of, number, mine, buyer_days, rules)
        before = [row for row in spell if fired is None or row["recorded_on"] <= fired[0]]
        after = [row for row in spell if fired is not None and row["recorded_on"] > fired[0]]
        episodes.append({"rows": before, "begun": before[0]["recorded_on"], "fired": fired, "state": before[-1]})
        if fired is not None:
            following = spells[number][0]["recorded_on"] if number < len(spells) else as_of + DAY
            revivals = [row["recorded_on"] for row in after]
            for activity in mine or []:
                counts = activity in _counted(mine, buyer_days, activity["known"])
                if counts and fired[0] < activity["known"] < following:
                    revivals.append(activity["known"])
            if revivals:
                state = after[-1] if after else before[-1]
                worth = _last_worth(before)
                episodes.append({"rows": after, "begun": min(revivals), "fired": None, "state": state, "worth": worth})
        for episode in episodes:
            episode.setdefault("pushes", sum(pushed.get(id(row), False) for row in episode["rows"]))
    first_day = [row for row in own if row["recorded_on"] == own[0]["recorded_on"]]
    open_first = [row for row in first_day if _is_open(row)]
    facts |= {
        "opening": open_first[-1] if open_first else first_day[0], "born_closed": not open_first, "newest": own[-1],
        "count": len(episodes),
    }  # fmt: skip
    return [
        _deal(episode, number, facts, as_of, rules, definitions, attributes)
        for number, episode in enumerate(episodes, start=1)
    ]


def _last_worth(rows):
    worth = [row for row in rows if _is_open(row) and row["amount"] not in (None, 0)]
    return worth[-1] if worth else None


def _closed_rows(rows):
    """The states of days that ended closed."""
    return [r for r in rows if not _is_open(r) and r is [x for x in rows if x["recorded_on"] == r["recorded_on"]][-1]]


def _outcome(episode, state, rules):
    if episode["fired"] is not None:
        return "no_decision", episode["fired"][1]
    if state["status"] == "closed_lost":
        reasons = {reason.strip().lower() for reason in rules.no_decision_reasons}
        if state["reason"] is not None and state["reason"].strip().lower() in reasons:
            return "no_decision", "declared"
    return {"open": "open", "closed_won": "won", "closed_lost": "lost", "closed_unknown": "unknown"}[
        state["status"]
    ], None


def _deal(episode, number, facts, as_of, rules, definitions, attributes):
    state, rows, closed = episode["state"], episode["rows"], _closed_rows(episode["rows"])
    outcome, kind = _outcome(episode, state, rules)
    opened = state["opened_on"] if number == 1 else episode["begun"]
    closed_on = recorded = after = typed = None
    if episode["fired"] is not None:
        closed_on = recorded = episode["fired"][0]
    elif closed:
        recorded = closed[0]["recorded_on"]
        closed_on, typed = recorded, state["closed_on"]
        if definitions.close_date == "typed" and state["closed_on"] is not None:
            closed_on = min(state["closed_on"], recorded)
        exact = definitions.close_date == "typed" and state["closed_on"] is not None and state["closed_on"] <= recorded
        after = None if exact else closed[0].get("closed_after")
        if number > 1:
            closed_on = max(closed_on, opened)
        after = after if after is not None and after < closed_on else None
    else:
        recorded = max([episode["begun"], *(row["recorded_on"] for row in rows)])
        recorded = max(recorded, state["recorded_on"])
    amounts = state
    worth = _last_worth(rows) or episode.get("worth")
    if closed and state["amount"] in (None, 0) and worth is not None:
        amounts = worth
    amount, currency = _converted(amounts, definitions.currency)
    qualified = _qualified(rows, definitions)
    if closed_on is not None and qualified is not None and qualified >= closed_on:
        qualified = None
    deal = {
        "deal_id": state["deal_id"], "episode": number, "account_id": state["account_id"], "opened_on": opened,
        "outcome": outcome, "closed_on": closed_on, "recorded_on": recorded, "no_decision_kind": kind,
        "status": state["status"], "stage": state["stage"], "reason": state["reason"],
        "expected_close_on": state["expected_close_on"], "n_pushes": episode["pushes"], "qualified_on": qualified,
        "born_closed": facts["born_closed"] and number == 1, "reopened": number < facts["count"],
        "amount": amount, "currency": currency, "amount_original": amounts["amount"],
        "currency_original": amounts["currency"], "typed_close_on": typed, "closed_after": after,
        "probability": state.get("probability"), "forecast_category": state.get("forecast_category"),
    }  # fmt: skip
    if opened is not None:
        deal["exit"] = ((closed_on or as_of) - opened).days
        watched = definitions.observed_from
        deal["entry"] = (watched - opened).days - 1 if watched is not None and opened < watched else -1
    at = {"opening": facts["opening"], "as_of": facts["newest"], "close": closed[0] if closed else state}
    for name in ("pipeline", "owner_id", "source", *attributes):
        deal[name] = at[definitions.attributes_at.get(name, "opening")][name]
    ended = closed[0]["recorded_on"] if closed else episode["fired"][0] if episode["fired"] else as_of
    days = {"opening": facts["opening"]["recorded_on"], "as_of": as_of, "close": ended}
    moment = definitions.attributes_at.get("team", "opening")
    deal["team"] = _team(at[moment]["owner_id"], days[moment], facts["owners"])
    deal["excluded"] = _left_out(deal, as_of, definitions)
    return deal


def _converted(state, policy):
    if policy.policy == "own" or state["amount"] is None:
        return state["amount"], state["currency"] if policy.policy == "own" else policy.report_in
    rate = {**policy.rates, policy.report_in: 1.0}[state["currency"]] if state["amount"] else 0
    return state["amount"] * rate, policy.report_in


def _qualified(rows, definitions):
    if definitions.qualification_stage is None:
        return None
    beyond = definitions.stages[definitions.stages.index(definitions.qualification_stage) :]
    days = [row["recorded_on"] for row in rows if _is_open(row) and row["stage"] in beyond]
    return min(days, default=None)


def _left_out(deal, as_of, definitions):
    scope = definitions.scope
    if deal["opened_on"] is None:
        return "no opening date"
    if deal["opened_on"] > as_of:
        return "opened after the as-of date"
    if deal["closed_on"] is not None and deal["closed_on"] < deal["opened_on"]:
        return "closed before it was opened"
    if deal["exit"] <= deal["entry"]:
        return "ended before observation began"
    for column, values in scope.keep.items() if scope else ():
        if deal[column] not in values:
            return f"scope: {column} is not [{', '.join('(empty)' if v is None else v for v in values)}]"
    for column, values in scope.drop.items() if scope else ():
        if deal[column] in values:
            return f"scope: {column} is [{', '.join('(empty)' if v is None else v for v in values)}]"
    floor = scope.amount_at_least if scope else None
    if floor is not None and (deal["amount"] is None or deal["amount"] < floor):
        return f"scope: amount is missing or below {floor:,.15g}"
    return None


def studied(deals, episodes="all"):
    """The deals that are not left out (a deal is in or out as a whole, by its first episode), without `excluded`."""
    out = {deal["deal_id"] for deal in deals if deal["episode"] == 1 and deal["excluded"] is not None}
    kept = [deal for deal in deals if deal["deal_id"] not in out]
    if episodes == "first":
        kept = [deal for deal in kept if deal["episode"] == 1]
    if episodes == "last":
        kept = [deal for deal in kept if not deal["reopened"]]
    return [{name: value for name, value in deal.items() if name != "excluded"} for deal in kept]
