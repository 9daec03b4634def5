"""The scenario's marts, and three years of customers, built once."""

from collections.abc import Iterator
from datetime import date

import polars as pl
import pytest

from clv_pipeline.stages.cohorts import compute_cohorts
from clv_pipeline_tests.scenario import scenario_customer_file, scenario_lines
from clv_pipeline_tests.sql.engine import AsOf, Marts, build_marts, build_orders
from clv_pipeline_tests.sql.three_years import ORDERS


@pytest.fixture(scope="package")
def marts() -> Iterator[Marts]:
    with build_marts(scenario_lines(), scenario_customer_file()) as built:
        yield built


@pytest.fixture(scope="package")
def three_years() -> Iterator[AsOf]:
    built = build_orders(ORDERS, "2022-12", date(2022, 12, 31), data_start="2020-01")
    yield built
    built.con.close()


@pytest.fixture(scope="package")
def frames(three_years: AsOf) -> dict[str, pl.DataFrame]:
    """The lens tables that are no SELECT, by name without the schema."""
    return {
        name.removeprefix("lenses."): frame
        for name, frame in compute_cohorts(three_years, three_years.settings, "2022-12").items()
    }
