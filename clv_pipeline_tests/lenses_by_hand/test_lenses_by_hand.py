"""Every lens of a base in the shape of the book's example, to the cent and to the customer, as a second reader has it.

The base is known by quarter only; the pipeline sees a CSV of orders and a customer file, as it would from outside. What
takes days or weeks (interpurchase times, weekly sales) is worked by hand in the tests of `sql/`.
"""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from math import isclose
from pathlib import Path

import polars as pl
import pytest

from clv_pipeline_tests.lenses_by_hand import cohorts, windows
from clv_pipeline_tests.lenses_by_hand.example import (
    ORDER_COLUMNS,
    Customer,
    expand_orders,
    list_acquisitions,
    make_customers,
)
from clv_pipeline_tests.lenses_by_hand.reading import (
    Row,
    count_bins,
    cut_customers,
    cut_value,
    describe_deciles,
    list_active,
)
from clv_pipeline_tests.warehouse import Warehouse

YEAR_1, YEAR_2 = range(8, 12), range(12, 16)
EDGES = [0, 10, 25, 50, 100, 250]
BANDS = [0, 8, 20, 50]
SETTINGS = f"""
[customers]
path = "customers.csv"
[value]
cutoff_step = 0.25
[periods]
cohort = "year"
[lenses]
profit_bands = {BANDS[1:]}
histogram_edges = {{ spend = {EDGES}, profit = {EDGES}, orders = [0, 1, 2, 5], margin = [0, 0.25, 0.5] }}
"""


@pytest.fixture(scope="module")
def base() -> list[Customer]:
    return make_customers(1200, seed=1)


@pytest.fixture(scope="module")
def lenses(base: list[Customer], tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    company = Warehouse(tmp_path_factory.mktemp("book") / "company", more_columns=ORDER_COLUMNS[-1:], extra=SETTINGS)
    (company.root / "customers.csv").write_text("\n".join(list_acquisitions(base)) + "\n")
    company.deliver("orders.csv", list(expand_orders(base, seed=2)), ORDER_COLUMNS)
    company.refresh("2019-12")
    names = company.query("SELECT table_name FROM information_schema.tables WHERE table_schema = 'lenses'")
    tables = company.tables([f"lenses.{name}" for name in names["table_name"]])
    return {name.removeprefix("lenses."): table for name, table in tables.items()}


def compare(table: pl.DataFrame, keys: Iterable[str], expected: Iterable[Row]) -> None:
    """The rows of the table by key are those expected, and so is each expected column: ratios to a billionth."""
    names = list(keys)
    wanted = {tuple(row[name] for name in names): row for row in expected}
    found = {tuple(row[name] for name in names): row for row in table.iter_rows(named=True)}
    assert wanted
    assert found.keys() == wanted.keys()
    assert len(found) == table.height
    wrong = [
        (*key, name, found[key][name], value)
        for key, row in wanted.items()
        for name, value in row.items()
        if not agree(found[key][name], value)
    ]
    assert wrong == []


def agree(found: object, wanted: object) -> bool:
    """Money and numbers of customers exactly, ratios as floats."""
    if isinstance(found, float) and isinstance(wanted, Fraction | float | int):
        return isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-12)
    return Fraction(found) == wanted if isinstance(found, Decimal) else found == wanted


def test_the_example_is_hard_enough(base: list[Customer]) -> None:
    before, after = list_active(base, YEAR_1), list_active(base, YEAR_2)
    assert {name for name, group in windows.group_customers(base, YEAR_1, YEAR_2).items()} == before.keys() | after.keys()
    assert sum(total.profit < 0 for total in after.values()) > 20
    assert sum(total.spend == 0 for total in after.values()) > 2
    assert sum(c.quarter < 0 for c in base) == len(base) // 3
    deciles = cut_customers(after)
    assert any(len({deciles[n] for n in after if after[n].profit == total.profit}) > 1 for total in after.values())


def test_lens_1(base: list[Customer], lenses: dict[str, pl.DataFrame]) -> None:
    active = list_active(base, YEAR_2)
    compare(lenses["lens1_headline"], (), [windows.headline(active)])
    statistics = lenses["lens1_statistics"].filter(pl.col("statistic") != "customers")
    compare(statistics, ("measure", "statistic"), windows.statistics_of(active))
    compare(lenses["lens1_spend_by_orders"], ["number_of_orders"], windows.spend_by_orders(active))
    compare(lenses["lens1_customer_deciles"], ["decile"], describe_deciles(active, cut_customers(active)))
    compare(lenses["lens1_value_deciles"], ["decile"], describe_deciles(active, cut_value(active)))
    compare(lenses["lens1_concentration"], ("measure", "cut"), windows.concentration(active))
    compare(lenses["lens1_rfm"], ("last_active_to", "number_of_orders"), windows.rfm(base, YEAR_2))
    compare(lenses["lens1_rfm_monetary"], ["band"], windows.rfm_monetary(active, BANDS))


@pytest.mark.parametrize(
    ("measure", "edges"),
    [("spend", EDGES), ("profit", EDGES), ("orders", [0, 1, 2, 5]), ("margin", [0, 0.25, 0.5])],
)
def test_histograms(measure: str, edges: list[float], base: list[Customer], lenses: dict[str, pl.DataFrame]) -> None:
    for table in (lenses["lens1_histograms"], lenses["lens2_histograms"]):
        table = table.filter(measure=measure)
        for number, window in ((1, YEAR_1), (2, YEAR_2)):
            values = windows.distributions(list_active(base, window))[measure].values()
            in_window = table.filter(window_number=number) if "window_number" in table.columns else table
            if "window_number" in table.columns or number == 2:
                compare(in_window, ["bin"], count_bins(values, edges))


def test_lens_2(base: list[Customer], lenses: dict[str, pl.DataFrame]) -> None:
    before, after = list_active(base, YEAR_1), list_active(base, YEAR_2)
    headlines = [{"window_number": n, **windows.headline(b)} for n, b in ((1, before), (2, after))]
    compare(lenses["lens2_headline"], ["window_number"], headlines)
    compare(lenses["lens2_groups"], ["customer_group"], windows.groups(base, YEAR_1, YEAR_2))
    compare(lenses["lens2_bridge"], ["step"], windows.bridge(base, YEAR_1, YEAR_2))
    compare(lenses["lens2_migration"], ("decile_1", "decile_2"), windows.migration(base, YEAR_1, YEAR_2, 25))
    directions = ("profit_up", "orders_up", "spend_per_order_up", "margin_up")
    compare(lenses["lens2_up_down"], directions, windows.up_down(before, after))


@pytest.mark.parametrize("grain", ["quarter", "year"])
def test_lenses_3_to_5_by_grain(grain: str, base: list[Customer], lenses: dict[str, pl.DataFrame]) -> None:
    of = {name: table.filter(grain=grain) for name, table in lenses.items() if "grain" in table.columns}
    compare(of["lens4_cohort_grid"], ("cohort", "age"), cohorts.cohort_grid(base, grain))
    by_period = of["lens3_second_purchase"].filter(unit="period")
    compare(by_period, ("cohort", "age"), cohorts.second_purchase(base, grain))
    compare(of["lens3_repeat_buying"], ("cohort", "calendar_period"), cohorts.repeat_buying(base, grain))
    for alignment in ("age", "calendar"):
        patterns = of["lens3_activity_patterns"].filter(alignment=alignment)
        compare(patterns, ("cohort", "pattern"), cohorts.activity_patterns(base, grain, alignment))
    compare(of["lens3_value_deciles"], ("cohort", "decile"), cohorts.value_deciles(base, grain))
    activity = of["lens3_value_decile_activity"]
    compare(activity, ("cohort", "decile", "year"), cohorts.value_decile_activity(base, grain))
    statistics = of["lens3_value_statistics"].filter(pl.col("statistic") != "customers")
    compare(statistics, ("cohort", "measure", "statistic"), cohorts.value_statistics(base, grain))
    compare(of["lens3_rfm"], ("cohort", "last_active", "frequency", "profit_band"), cohorts.rfm(base, grain, BANDS))
    compare(of["lens4_comparison"], ("alignment", "cohort", "age", "measure"), cohorts.comparison(base, grain))
    compare(of["lens5_cohort_shares"], ("cohort", "calendar_period"), cohorts.cohort_shares(base, grain))
    compare(of["lens5_periods"], ["calendar_period"], cohorts.periods(base, grain))
