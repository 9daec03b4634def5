"""Columns that describe customers (channel, region, first product): which are wanted, and where each comes from.

Belongs here: that choice, and the relation of a customer's values. Does not belong here: cohorts and filters made of
them (`sql/4_lenses/base_customers.sql`, `behaviours.sql`), or the settings that name them (`settings/periods.py`).
"""

from collections.abc import Sequence

import polars as pl

from clv_pipeline.clv.models.covariates import list_covariates, name_column
from clv_pipeline.settings import Settings
from clv_pipeline.sql import load_sql, quote_literal, quote_name
from clv_pipeline.stages.queries import Queries

_NO_VALUE = "SELECT CAST(NULL AS VARCHAR) AS attribute, CAST(NULL AS VARCHAR) AS value WHERE FALSE"
_NO_ROW = f"SELECT CAST(NULL AS VARCHAR) AS customer_id, * FROM ({_NO_VALUE}) AS n"


def list_line_attributes(settings: Settings) -> tuple[str, ...]:
    """The wanted columns that the transactions have; where a customer file has one of the same name, theirs count."""
    return tuple(name for name in settings.attributes if name in settings.known_attributes)


def prepare_attributes(queries: Queries, settings: Settings) -> None:
    """Keeps the wanted columns of every customer, and which customers lenses 3 to 5 see (`lenses.base_customers`).

    Needs marts.customers, marts.customer_periods, landing.customers and marts.first_orders of the months in reach.
    """
    _collect(queries, settings, settings.periods.attributes)
    wanted = (
        f"SELECT {quote_literal(name)} AS attribute, {quote_literal(value)} AS value"
        for name, value in sorted(settings.periods.only.items())
    )
    queries.materialize("lenses.wanted_values", " UNION ALL ".join(wanted) or _NO_VALUE)
    queries.materialize("lenses.base_customers", queries.select("4_lenses/base_customers"))


def join_attributes(
    queries: Queries, settings: Settings, customers: pl.DataFrame, names: Sequence[str]
) -> pl.DataFrame:
    """`customers` (with customer_id) and a column for each attribute of `names`, as the models read it.

    Needs marts.customers, landing.customers and marts.first_orders of the months in reach.
    """
    if not names:
        return customers
    _collect(queries, settings, names)
    found = queries.frame("SELECT customer_id, attribute, value FROM lenses.customer_attributes")
    for name in sorted(names):
        values = found.filter(pl.col("attribute") == name).select(
            "customer_id", pl.col("value").alias(name_column(name))
        )
        customers = customers.join(values, on="customer_id", how="left", maintain_order="left")
    return customers


def explain_lacking(settings: Settings, parameters: pl.DataFrame) -> str:
    """Why a version of these parameters (version, parameter) cannot score: attributes nobody asks for; else empty."""
    missing = sorted(set(list_covariates(parameters)) - set(settings.attributes))
    return f"{parameters['version'][0]} needs '{missing[0]}', which models.covariates does not name" if missing else ""


def _collect(queries: Queries, settings: Settings, names: Sequence[str]) -> None:
    of_lines = [name for name in names if name in settings.known_attributes]
    of_file = [name for name in names if name not in of_lines]
    landed = "landing.customers"
    if of_file and "valid_to" in queries.frame("SELECT * FROM landing.customers LIMIT 0").columns:
        landed = f"({queries.select('4_lenses/valid_customers')}) AS c"
    parts = [
        f"SELECT customer_id, {quote_literal(name)} AS attribute,"
        f" NULLIF(TRIM(CAST({quote_name(name)} AS VARCHAR)), '') AS value FROM {landed}"
        for name in of_file
    ]
    parts += [load_sql("4_lenses/first_order_attributes")] if of_lines else []
    queries.materialize("lenses.customer_attributes", " UNION ALL ".join(parts) or _NO_ROW)
