"""The snapshot compiled once per set of definitions and run on many small tables.

Compiling the expression takes ibis half a second and running it a few milliseconds, so tests that differ only in
their rows share the compiled query. What is compiled is `deals_as_of` itself.
"""

import ibis
from text_history import arrow_table

from analytics.records.contract import HISTORY_COLUMNS, SIDE_TABLES, History
from analytics.records.engine import connect
from analytics.records.snapshot import deals_as_of

_ENGINE = connect()
_QUERIES = {}


def compiled_deals(rows, activities, *, attributes=(), kind="recorded", **how):
    """Deals of these rows as dicts, sorted by deal and episode; `activities` None is a source without that table."""
    keys = (attributes, kind, activities is None, how["as_of"], how["episodes"])
    sql, states, acts = _compiled(
        (*keys, how["rules"].hash, how["definitions"].hash), attributes, kind, activities, how
    )
    _ENGINE.con.register(states, arrow_table(rows, HISTORY_COLUMNS, attributes))
    if activities is not None:
        _ENGINE.con.register(acts, arrow_table(activities, SIDE_TABLES["activities"]))
    result = _ENGINE.con.execute(sql)
    names = [column[0] for column in result.description]
    deals = [dict(zip(names, deal, strict=True)) for deal in result.fetchall()]
    return sorted(deals, key=lambda deal: (deal["deal_id"], deal["episode"]))


def _compiled(key, attributes, kind, activities, how):
    if key not in _QUERIES:
        states = ibis.memtable(arrow_table([], HISTORY_COLUMNS, attributes))
        acts = ibis.memtable(arrow_table([], SIDE_TABLES["activities"]))
        side = {} if activities is None else {"activities": acts}
        deals = deals_as_of(History(table=states, side=side, kind=kind, attributes=attributes), **how)
        _QUERIES[key] = (ibis.to_sql(deals, dialect="duckdb"), states.get_name(), acts.get_name())
    return _QUERIES[key]
