"""Every lens of a base in the shape of the book's example, to the cent and to the customer, as a second reader has it.

The base is known by quarter only; the pipeline sees a CSV of orders and a customer file, as it would from outside. What
takes days or weeks (interpurchase times, weekly sales) is worked by hand in the tests of `sql/`.
"""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from math import isclose
from pathlib import Path

import polars as pl
import pytest

from clv_pipeline.pipeline import AS_OF_STEPS
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
    split_periods,
)
from clv_pipeline_tests.warehouse import Warehouse

type Tables = dict[str, pl.DataFrame]

MONEY = [0, 10, 25, 50, 100, 250]
EDGES = {"spend": MONEY, "profit": MONEY, "orders": [0, 1, 2, 5], "margin": [0, 0.25, 0.5]}
STEP = 25  # cents
BANDS = [0, 8, 20, 50]
SETTINGS = f"""
[customers]
path = "customers.csv"
[value]
cutoff_step = {STEP / 100}
[periods]
start = "2016-01"
[lenses]
profit_bands = {BANDS[1:]}
histogram_edges = {{ {", ".join(f"{measure} = {edges}" for measure, edges in EDGES.items())} }}
"""


@pytest.fixture(scope="module")
def base() -> list[Customer]:
    return make_customers(1200, seed=1)


@pytest.fixture(scope="module")
def company(base: list[Customer], tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    company = Warehouse(tmp_path_factory.mktemp("book") / "company", more_columns=ORDER_COLUMNS[-1:], extra=SETTINGS)
    (company.root / "customers.csv").write_text("\n".join(list_acquisitions(base)) + "\n")
    company.deliver("orders.csv", list(expand_orders(base, seed=2)), ORDER_COLUMNS)
    return company


@pytest.fixture(scope="module", params=["year", "quarter"])
def grain(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def lenses(grain: str, company: Warehouse) -> Tables:
    """The tables of the last as-of month, with windows and cohorts of that grain."""
    periods = company.settings.periods.model_copy(update={"window": grain, "cohort": grain})
    company.settings = company.settings.model_copy(update={"periods": periods})
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
    active = list_active(base, range(12, 16))
    deciles = cut_customers(active)

    assert sum(c.quarter < 0 for c in base) == len(base) // 3
    assert sum(total.profit < 0 for total in active.values()) > 20
    assert sum(total.spend == 0 for total in active.values()) > 4
    assert any(len({deciles[n] for n in active if active[n].profit == total.profit}) > 1 for total in active.values())


def test_lens_1(grain: str, base: list[Customer], lenses: Tables) -> None:
    window = split_periods(grain)[-1]
    active = list_active(base, window)
    compare(lenses["lens1_headline"], (), [windows.headline(active)])
    statistics = lenses["lens1_statistics"].filter(pl.col("statistic") != "customers")
    compare(statistics, ("measure", "statistic"), windows.statistics_of(active))
    compare(lenses["lens1_spend_by_orders"], ["number_of_orders"], windows.spend_by_orders(active))
    compare(lenses["lens1_customer_deciles"], ["decile"], describe_deciles(active, cut_customers(active)))
    compare(lenses["lens1_value_deciles"], ["decile"], describe_deciles(active, cut_value(active)))
    compare(lenses["lens1_concentration"], ("measure", "cut"), windows.concentration(active))
    compare(lenses["lens1_rfm_monetary"], ["band"], windows.rfm_monetary(active, BANDS))
    if grain == "year":  # the parts of a quarter are months, which the aggregates do not tell apart
        compare(lenses["lens1_rfm"], ("last_active_to", "number_of_orders"), windows.rfm(base, window))


@pytest.mark.parametrize(("measure", "edges"), EDGES.items())
def test_histograms(measure: str, edges: Sequence[float], grain: str, base: list[Customer], lenses: Tables) -> None:
    before, after = (windows.distributions(list_active(base, window)) for window in split_periods(grain)[-2:])
    of_both = lenses["lens2_histograms"].filter(measure=measure)
    compare(lenses["lens1_histograms"].filter(measure=measure), ["bin"], count_bins(after[measure].values(), edges))
    for number, values in ((1, before), (2, after)):
        compare(of_both.filter(window_number=number), ["bin"], count_bins(values[measure].values(), edges))


def test_lens_2(grain: str, base: list[Customer], lenses: Tables) -> None:
    first, second = split_periods(grain)[-2:]
    before, after = list_active(base, first), list_active(base, second)
    headlines = [{"window_number": n, **windows.headline(b)} for n, b in ((1, before), (2, after))]
    compare(lenses["lens2_headline"], ["window_number"], headlines)
    compare(lenses["lens2_changes"], ["measure"], windows.changes(before, after))
    compare(lenses["lens2_groups"], ["customer_group"], windows.groups(base, first, second))
    compare(lenses["lens2_bridge"], ["step"], windows.bridge(base, first, second))
    compare(lenses["lens2_common_deciles"], ("window_number", "decile"), windows.common_deciles(before, after, STEP))
    compare(lenses["lens2_migration"], ("decile_1", "decile_2"), windows.migration(base, first, second, STEP))
    directions = [f"{name}_direction" for name in windows.DIRECTED]
    compare(lenses["lens2_up_down"], directions, windows.up_down(before, after))


def test_lens_3(grain: str, base: list[Customer], lenses: Tables) -> None:
    of = of_grain(lenses, grain)
    compare(
        lenses["lens3_cohort_age"],
        ("cohort", "age"),
        [keep(row, lenses["lens3_cohort_age"]) for row in cohorts.cohort_grid(base, grain)],
    )
    by_period = of["lens3_second_purchase"].filter(unit="period")
    compare(by_period, ("cohort", "age"), cohorts.second_purchase(base, grain))
    compare(of["lens3_repeat_buying"], ("cohort", "calendar_period"), cohorts.repeat_buying(base, grain))
    for alignment in ("age", "calendar"):
        patterns = of["lens3_activity_patterns"].filter(alignment=alignment)
        compare(patterns, ("cohort", "pattern", "repeat_pattern"), cohorts.activity_patterns(base, grain, alignment))
    compare(of["lens3_rfm"], ("cohort", "last_active", "frequency", "profit_band"), cohorts.rfm(base, grain, BANDS))


def test_value_to_date(grain: str, base: list[Customer], lenses: Tables) -> None:
    of = of_grain(lenses, grain)
    compare(of["lens3_value_deciles"], ("cohort", "decile"), cohorts.value_deciles(base, grain))
    activity = of["lens3_value_decile_activity"]
    compare(activity, ("cohort", "decile", "year"), cohorts.value_decile_activity(base, grain))
    statistics = of["lens3_value_statistics"].filter(pl.col("statistic") != "customers")
    compare(statistics, ("cohort", "measure", "statistic"), cohorts.value_statistics(base, grain))
    histogram = of["lens3_value_histogram"]
    ends = histogram.filter(pl.col("bin") > 0).sort("bin").group_by("cohort", "measure").agg("lower")
    edges = {(cohort, measure): lower for cohort, measure, lower in ends.rows()}
    compare(histogram, ("cohort", "measure", "bin"), cohorts.value_histogram(base, grain, edges))


def test_lens_4(grain: str, base: list[Customer], lenses: Tables) -> None:
    of = of_grain(lenses, grain)
    compare(of["lens4_cohort_grid"], ("cohort", "age"), cohorts.cohort_grid(base, grain))
    compare(of["lens4_comparison"], ("alignment", "cohort", "age", "measure"), cohorts.comparison(base, grain))
    compare(of["lens4_trend"], ("age", "measure"), cohorts.trend(base, grain))


def test_lens_5(grain: str, base: list[Customer], lenses: Tables) -> None:
    of = of_grain(lenses, grain)
    compare(of["lens5_cohort_shares"], ("cohort", "calendar_period"), cohorts.cohort_shares(base, grain))
    shares = [keep(row, lenses["lens5_cohort_calendar"]) for row in cohorts.cohort_shares(base, grain)]
    compare(lenses["lens5_cohort_calendar"], ("cohort", "calendar_period"), shares)
    periods = list(cohorts.periods(base, grain))
    compare(of["lens5_periods"], ["calendar_period"], periods)
    by_window = [{"windows_back": n} | keep(row, lenses["lens5_windows"]) for n, row in enumerate(reversed(periods))]
    compare(lenses["lens5_windows"], ["windows_back"], by_window)


def of_grain(lenses: Tables, grain: str) -> Tables:
    return {name: table.filter(grain=grain) for name, table in lenses.items() if "grain" in table.columns}


def keep(row: Row, table: pl.DataFrame) -> Row:
    """The columns of `row` that the table has."""
    return {name: value for name, value in row.items() if name in table.columns}


def test_the_database_says_what_its_tables_and_columns_are(company: Warehouse, lenses: Tables) -> None:
    columns = company.query("SELECT table_name, comment FROM duckdb_columns() WHERE schema_name = 'lenses'")
    views = company.query("SELECT view_name, comment FROM duckdb_views() WHERE NOT internal")

    assert columns["table_name"].n_unique() == len(lenses)
    assert columns["comment"].null_count() == views["comment"].null_count() == 0


def test_the_index_of_figures_names_what_is_there(lenses: Tables) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "lenses.md").read_text(encoding="utf-8")
    index = text.partition("## Where to find a figure")[2]
    named = [
        (table, re.findall(r"\b[a-z]+_\w+", words)) for table, words in re.findall(r"`(lens\w+)`:? ?([^;`|]*)", index)
    ]
    published = {table.name: table.schema for step in AS_OF_STEPS for table in step.tables}
    known = {name.removeprefix("lenses."): {*schema.to_schema().columns} for name, schema in published.items()}
    known["lens1_statistics"] |= {*lenses["lens1_statistics"]["statistic"]}

    assert {f"lenses.{table}" for table, _ in named} == {
        name for name in published if name.startswith("lenses.") and "behaviour" not in name
    }
    assert [(table, word) for table, words in named for word in words if word not in known[table]] == []
