"""Columns that describe customers (channel, region, first product): which are wanted, and where each comes from.

Belongs here: that choice, and the relation of a customer's values. Does not belong here: cohorts and filters made of
them (`sql/4_lenses/base_customers.sql`, `behaviours.sql`), or the settings that name them (`period_settings.py`).
"""

from clv_pipeline.settings import Settings
from clv_pipeline.sql import load_sql, quote_literal, quote_name
from clv_pipeline.stages.queries import Queries

_NO_VALUE = "SELECT CAST(NULL AS VARCHAR) AS attribute, CAST(NULL AS VARCHAR) AS value WHERE FALSE"
_NO_ROW = f"SELECT CAST(NULL AS VARCHAR) AS customer_id, * FROM ({_NO_VALUE}) AS n"


def list_line_attributes(settings: Settings) -> tuple[str, ...]:
    """The wanted columns that the transactions have; where a customer file has one of the same name, theirs count."""
    return tuple(name for name in settings.periods.attributes if name in settings.known_attributes)


def prepare_attributes(queries: Queries, settings: Settings) -> None:
    """Keeps the wanted columns of every customer, and which customers lenses 3 to 5 see (`lenses.base_customers`).

    Needs marts.customers, marts.customer_periods, landing.customers and marts.first_orders of the months in reach.
    """
    of_lines = list_line_attributes(settings)
    of_file = [name for name in settings.periods.attributes if name not in of_lines]
    parts = [
        f"SELECT customer_id, {quote_literal(name)} AS attribute,"
        f" NULLIF(TRIM(CAST({quote_name(name)} AS VARCHAR)), '') AS value FROM landing.customers"
        for name in of_file
    ]
    parts += [load_sql("4_lenses/first_order_attributes")] if of_lines else []
    queries.materialize("lenses.customer_attributes", " UNION ALL ".join(parts) or _NO_ROW)
    wanted = (
        f"SELECT {quote_literal(name)} AS attribute, {quote_literal(value)} AS value"
        for name, value in sorted(settings.periods.only.items())
    )
    queries.materialize("lenses.wanted_values", " UNION ALL ".join(wanted) or _NO_VALUE)
    queries.materialize("lenses.base_customers", queries.select("4_lenses/base_customers"))
