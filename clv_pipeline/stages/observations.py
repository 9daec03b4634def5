"""Stage 7: gathers what is known of each month for the checks of `clv/drift`.

Belongs here: which SELECTs make the observations, and how far back they look. Does not belong here: what is concluded
from them.
"""

from datetime import date

import polars as pl

from clv_pipeline.clv.drift.observations import Observations
from clv_pipeline.ledger import UNDATED, Ledger
from clv_pipeline.periods import list_periods, month_index, shift_period
from clv_pipeline.settings import Settings
from clv_pipeline.sql import quote_literal, quote_name
from clv_pipeline.stages.queries import Queries

# Two years and a half: a year to compare with, one to tell growth from season, half a one to settle.
_MONTHS = 30
# Who is first seen in these months of the data may have been a customer long before.
EARLY_MONTHS = 6
# New customers are compared while they are so many months old at most.
_RECENT_MONTHS = 3
# A delivery that spans more months brings history, of which nothing is late.
_LONGEST_DELIVERY = 3
# Half a year tells how many lines repeat another as a rule, and a quarter before it how much that varies: to find them
# takes longer than all else together.
REPEATS = "7_drift/repeats"
_REPEAT_MONTHS = 9
MONTHLY_QUERIES = tuple(f"7_drift/{name}" for name in ("cells", "days", "hours", "gaps", "prices", "rejected"))
_NO_VALUES = "SELECT '' AS attribute, '' AS period, '' AS value, CAST(0 AS BIGINT) AS lines WHERE FALSE"
_NO_NEWCOMERS = {
    "attribute": pl.String,
    "value": pl.String,
    "cohort_month": pl.String,
    "customers": pl.Int64,
    "spend": pl.Float64,
    "spend_squared": pl.Float64,
}


def observe(
    queries: Queries,
    settings: Settings,
    *,
    data_start: str,
    kept_from: str,
    last: str,
    until: date,
    late: pl.DataFrame,
) -> Observations:
    """The observations of the months up to `last`, which has ended, and of the days up to `until`.

    Of closed months, those before `kept_from`, nothing is known. Needs transactions.lines and transactions.quarantine,
    marts.customer_periods and rfm.customers; `late` as `count_late_rows` gives it.
    """
    since = max(shift_period(last, 1 - _MONTHS), data_start, kept_from)
    frames = {query.partition("/")[2]: queries.frame(queries.select(query, since=since)) for query in MONTHLY_QUERIES}
    columns = settings.source.extra_columns
    lately = max(shift_period(last, 1 - _REPEAT_MONTHS), since)
    return Observations(
        months=tuple(list_periods(since, last)),
        until=until,
        settled=shift_period(data_start, EARLY_MONTHS),
        categories=queries.frame(_count_values(columns, since)),
        newcomers=_find_newcomers(queries, columns, shift_period(last, 1 - _RECENT_MONTHS)),
        late=late,
        repeats=queries.frame(queries.select(REPEATS, since=lately)),
        **frames,
    )


def count_late_rows(ledger: Ledger, last: str) -> pl.DataFrame:
    """Per month, the rows of files whose latest month (up to `last`) it is, and those of them of earlier months.

    Of each file the latest delivery counts, as if it had been the only one; a file of many months brings history.
    """
    files = ledger.touched_months().filter(pl.col("period").is_between(pl.lit("0000"), pl.lit(last)))
    files = files.filter((pl.col("period") != UNDATED) & (pl.col("seq") == pl.col("seq").max().over("source")))
    months = [
        (
            max(rows["period"]),
            int(rows["rows"].sum()),
            int(rows.filter(pl.col("period") < max(rows["period"]))["rows"].sum()),
        )
        for (_,), rows in files.partition_by("source", as_dict=True).items()
        if month_index(max(rows["period"])) - month_index(min(rows["period"])) < _LONGEST_DELIVERY
    ]
    schema = {"period": pl.String, "delivered_rows": pl.Int64, "late_rows": pl.Int64}
    return pl.DataFrame(months, schema=schema, orient="row").group_by("period").sum().sort("period")


def _count_values(columns: tuple[str, ...], since: str) -> str:
    counted = (
        f"SELECT {quote_literal(name)} AS attribute, period, {_read(name)} AS value, COUNT(*) AS lines"
        f" FROM transactions.lines WHERE period >= {quote_literal(since)} GROUP BY period, {_read(name)}"
        for name in columns
    )
    return " UNION ALL ".join(counted) or _NO_VALUES


def _find_newcomers(queries: Queries, columns: tuple[str, ...], recent: str) -> pl.DataFrame:
    if not columns:
        return pl.DataFrame(schema=_NO_NEWCOMERS)
    of_lines = (
        f"SELECT {quote_literal(name)} AS attribute, customer_id, order_ts, {_read(name)} AS value"
        f" FROM transactions.lines WHERE period >= {quote_literal(recent)} AND NOT is_return"
        for name in columns
    )
    queries.materialize("drift.attributes", " UNION ALL ".join(of_lines))
    return queries.frame(queries.select("7_drift/newcomers", recent=recent))


def _read(name: str) -> str:
    # Text without blanks around it; an empty cell says nothing.
    return f"NULLIF(TRIM(CAST({quote_name(name)} AS VARCHAR)), '')"
