"""Exchange rates of the CRM become `fx_rates`."""

from __future__ import annotations

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.sources.conform import Reader, Rows
from analytics.records.sources.objects import column_of, is_true, read_object
from analytics.records.sources.salesforce.fields import CURRENCY_TYPE, DATED_CONVERSION_RATE
from analytics.records.sources.salesforce.mapping import SalesforceSource
from analytics.records.sources.values import FIRST_YEAR, parse_moments

ALWAYS = pd.Timestamp(year=FIRST_YEAR, month=1, day=1)
"""The beginning of a rate that has none."""


def fx_rates(source: SalesforceSource, reader: Reader) -> tuple[pd.DataFrame | None, list[Noticed]]:
    """Read DatedConversionRate and CurrencyType as the side table `fx_rates`.

    A ConversionRate says how many units of a currency one unit of the corporate currency buys, so `rate`, the worth of
    one unit in the corporate currency, is 1 / ConversionRate. Report in the corporate currency, whose rate is 1.

    Returns
    -------
    (pandas.DataFrame or None, list of Noticed)
        currency, valid_from, rate; None where neither object is exported. A currency that has no dated rate has the one
        of CurrencyType, which is today's, for all time.
    """
    dated = _positive(read_object(DATED_CONVERSION_RATE, source, reader))
    today = _positive(read_object(CURRENCY_TYPE, source, reader))
    what, rule = "exchange rate without a beginning, which is today's", "stands for all days"
    if dated is None and today is None:
        return None, [Noticed(13, what, 0, 0, "rows", rule)]
    parts, without = [], 0
    if dated is not None:
        dated = _begun(dated, source)
        parts.append(_as_contract(dated.frame, dated.frame["StartDate"]))
    if today is not None:
        known = set(parts[0]["currency"]) if parts else set()
        rest = today.frame[~today.frame["IsoCode"].isin(known)].drop_duplicates("IsoCode")
        parts.append(_as_contract(rest, pd.Series(ALWAYS, index=rest.index)))
        without = int((~is_true(column_of(rest, "IsCorporate"))).sum())
    table = pd.concat(parts, ignore_index=True)
    return table, [Noticed(13, what, without, len(table), "rows", rule)]


def several_currencies(deals: pd.DataFrame, field: str | None) -> Noticed:
    """Say how many opportunities are in another currency than most."""
    rule = "amounts stay in their own currency; currency: in the params says at which rate they are converted"
    what = "amount in another currency than most"
    if field is None or field not in deals or not deals[field].notna().any():
        return Noticed(13, what, 0, len(deals), "deals", rule)
    said = deals[field].dropna()
    return Noticed(13, what, int((said != said.value_counts().index[0]).sum()), len(said), "deals", rule)


def _positive(rows: Rows | None) -> Rows | None:
    return rows and rows.without(~(rows.frame["ConversionRate"] > 0), "ConversionRate is not above 0")


def _begun(rows: Rows, source: SalesforceSource) -> Rows:
    texts = rows.frame["StartDate"]
    first = pd.Series([str(text).startswith("000") for text in texts], index=texts.index, dtype=bool)
    start = parse_moments(texts, source.date_format("StartDate"), None).dt.normalize().where(~first, ALWAYS)
    dated = Rows(rows.frame.assign(StartDate=start), rows.raw, rows.ledger)
    return dated.without(start.isna(), "StartDate is not a date")


def _as_contract(rows: pd.DataFrame, start: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"currency": rows["IsoCode"], "valid_from": start, "rate": 1 / rows["ConversionRate"]})
