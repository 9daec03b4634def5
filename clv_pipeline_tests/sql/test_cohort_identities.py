"""Lenses 3 to 5 on random customers: whatever they do, totals agree, and the order of rows says nothing."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from math import isclose

import polars as pl
import polars.selectors as cs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv_pipeline.stages.lenses import LENSES
from clv_pipeline_tests.scenario import scenario_customer_file, scenario_lines
from clv_pipeline_tests.sql.engine import AsOf, Marts, Order, build_marts, build_orders, random_lines

LAST_DAY = date(2022, 8, 31)


def _take(now: AsOf) -> Mapping[str, pl.DataFrame]:
    """Every lens table, in its order of rows, held to its contract and its rules."""
    return {f"lenses.{name}": frame for name, frame in now.take_lenses().items()}


@st.composite
def _random_orders(draw: st.DrawFn) -> list[Order]:
    days = st.integers(0, 973).map(lambda day: (date(2020, 1, 1) + timedelta(days=day)).isoformat())
    cents = st.integers(-500, 5000).map(lambda amount: f"{amount / 100:.2f}")
    amounts = st.integers(0, 9000).map(lambda amount: f"{amount / 100:.2f}")
    order = st.tuples(st.sampled_from("abcdefghij"), days, amounts, cents)
    return draw(st.lists(order, min_size=1, max_size=40))


@settings(max_examples=5)
@given(orders=_random_orders(), cohort_months=st.sampled_from([1, 3, 12]))
def test_every_contract_and_rule_holds_over_years(orders: list[Order], cohort_months: int) -> None:
    now = build_orders(orders, "2022-08", LAST_DAY, data_start="2020-01", cohort_months=cohort_months)
    with now.con:
        tables = _take(now)
        _assert_grains_agree(tables)
        _assert_distributions_hold_the_cohorts(tables)


def _assert_grains_agree(tables: Mapping[str, pl.DataFrame]) -> None:
    """Quarters sum to years, and all customers to their cohorts, whatever the grain."""
    for name in ("lenses.lens4_cohort_grid", "lenses.lens5_periods"):
        year = pl.col("calendar_period").str.slice(0, 4).alias("year")
        sums = tables[name].group_by("grain", year).agg(pl.col("orders", "spend", "profit").sum()).drop("grain")
        assert sums.unique().height == sums["year"].n_unique()
    rates = tables["lenses.lens3_repeat_buying"]
    summed = rates.group_by("grain", "calendar_period", pl.col("cohort") == "all").agg(
        pl.col("active", "active_again").sum()
    )
    assert summed.drop("cohort").unique().height * 2 == summed.height


def _assert_distributions_hold_the_cohorts(tables: Mapping[str, pl.DataFrame]) -> None:
    """Every distribution over a cohort's customers adds up to the cohort."""
    grid = tables["lenses.lens4_cohort_grid"].filter(pl.col("cohort_size").is_not_null())
    sizes = {row[:2]: row[2] for row in grid.select("grain", "cohort", "cohort_size").unique().rows()}
    histogram = tables["lenses.lens3_value_histogram"].group_by("grain", "cohort", "measure")
    for grain, cohort, _, customers in histogram.agg(pl.col("customers").sum()).rows():
        assert customers == sizes[grain, cohort]
    counted = tables["lenses.lens3_value_statistics"].filter(statistic="customers", measure="profit")
    assert {(row["grain"], row["cohort"]): row["value"] for row in counted.iter_rows(named=True)} == sizes
    waits = tables["lenses.lens3_interpurchase_bands"].group_by("grain", "cohort", "from_order")
    banded = waits.agg(pl.col("intervals").sum()).sort(pl.all())
    described = tables["lenses.lens3_interpurchase"].select(banded.columns).sort(pl.all())
    assert banded.equals(described)


@settings(max_examples=5)
@given(orders=_random_orders(), data=st.data())
def test_the_order_of_rows_says_nothing(orders: list[Order], data: st.DataObject) -> None:
    # Two orders at one moment have no order but that of their ids, which shuffling gives to other orders.
    orders = list({order[:2]: order for order in orders}.values())
    taken = []
    for rows in (orders, data.draw(st.permutations(orders))):
        now = build_orders(rows, "2022-08", LAST_DAY, data_start="2020-01")
        with now.con:
            taken.append(_take(now))
    assert [name for name in taken[0] if not taken[0][name].equals(taken[1][name])] == []


def _take_on(orders: list[Order], as_of: str, last_day: date, start: str) -> Mapping[str, pl.DataFrame]:
    now = build_orders(orders, as_of, last_day, data_start=start)
    with now.con:
        return _take(now)


@settings(max_examples=2)
@given(orders=_random_orders())
def test_a_hundred_times_the_money_is_a_hundred_times_the_money(orders: list[Order]) -> None:
    richer = [(who, day, _multiply(spend), _multiply(profit)) for who, day, spend, profit in orders]
    tables, hundredfold = (_take_on(given_orders, "2022-08", LAST_DAY, "2020-01") for given_orders in (orders, richer))
    for name, table in tables.items():
        others = cs.exclude(cs.decimal() | cs.float())
        assert table.select(others).equals(hundredfold[name].select(others)), name
        for column in table.select(~others):
            before, after = (taken.cast(pl.Float64).to_list() for taken in (column, hundredfold[name][column.name]))
            pairs = [pair for pair in zip(before, after, strict=True) if pair[0] is not None]
            assert before.count(None) == after.count(None)
            kept = column.name.startswith(("share", "pct", "aof", "margin", "profit_index", "carry", "repeat_buying"))
            wrong = [pair for pair in pairs if not _is_scaled(*pair, by=(1,) if kept else (1, 100))]
            assert wrong == [], (name, column.name)


def _multiply(money: str) -> str:
    return f"{100 * float(money):.2f}"


def _is_scaled(before: float, after: float, by: tuple[int, ...]) -> bool:
    return any(isclose(factor * before, after, rel_tol=1e-9, abs_tol=1e-9) for factor in by)


@settings(max_examples=2)
@given(orders=_random_orders())
def test_twenty_eight_years_later_only_the_years_differ(orders: list[Order]) -> None:
    """28 years on, the calendar is the same to the weekday. The draws of a bootstrap belong to their month."""
    later = [(who, f"{int(day[:4]) + 28}{day[4:]}", spend, profit) for who, day, spend, profit in orders]
    tables = _take_on(orders, "2022-08", LAST_DAY, "2020-01")
    moved = _take_on(later, "2050-08", LAST_DAY.replace(year=2050), "2048-01")
    drawn = ("difference_lower", "difference_upper", "direction")
    for name, table in tables.items():
        columns = table.select(cs.exclude(*drawn)).columns
        shifted = [tuple(_add_years(value) for value in row) for row in table.select(columns).rows()]
        assert shifted == moved[name].select(columns).rows(), name


def _add_years(value: object) -> object:
    if isinstance(value, date):
        return value.replace(year=value.year + 28)
    if isinstance(value, str):
        return re.sub(r"20[12]\d", lambda year: str(int(year.group()) + 28), value)
    return value


@settings(max_examples=5)
@given(lines=random_lines(), cohort_months=st.sampled_from([1, 3, 12]))
def test_every_contract_and_rule_holds_with_returns_and_costs(lines: pl.DataFrame, cohort_months: int) -> None:
    with build_marts(lines, scenario_customer_file()) as marts:
        now = marts.as_of("1997-06", date(1997, 6, 30), cohort_months=cohort_months)
        _take(now)


@pytest.mark.parametrize("as_of", ["1997-01", "1997-05"])
def test_every_contract_and_rule_holds_early_and_without_orders(as_of: str) -> None:
    with build_marts(scenario_lines(), scenario_customer_file()) as marts:
        now = marts.as_of(as_of, date(1997, int(as_of[-1]), 31))
        _take(now)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("lens3_second_purchase", "customers"),
        ("lens3_weekly_sales", "repeat_orders"),
        ("lens3_activity_patterns", "customers"),
        ("lens3_value_deciles", "profit"),
        ("lens3_rfm", "customers"),
        ("lens4_cohort_grid", "spend"),
        ("lens5_periods", "acquired"),
        ("lens5_windows", "profit"),
    ],
)
def test_a_rule_finds_what_does_not_add_up(marts: Marts, table: str, column: str) -> None:
    now = marts.as_of("1997-06", date(1997, 6, 30), cohort_months=3)
    _take(now)
    [spec] = [spec for spec in LENSES.tables if spec.name == f"lenses.{table}"]
    now.con.execute(f"UPDATE staged_lenses_{table} SET {column} = {column} + 1")
    assert [rule for rule in spec.rules.values() if now.run(rule).height] == list(spec.rules.values())
