"""The scenario's marts, built once."""

from collections.abc import Iterator

import pytest

from clv_pipeline_tests.scenario import scenario_customer_file, scenario_lines
from clv_pipeline_tests.sql.engine import Marts, build_marts


@pytest.fixture(scope="package")
def marts() -> Iterator[Marts]:
    with build_marts(scenario_lines(), scenario_customer_file()) as built:
        yield built
