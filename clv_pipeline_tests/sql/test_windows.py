"""Lenses 1 and 2 of random bases: identities between their tables, and what does not change them."""

from datetime import date
from decimal import Decimal
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from polars.testing import assert_frame_equal

from clv_pipeline.contracts import audit_query
from clv_pipeline.stages.lenses import LENSES
from clv_pipeline.steps import Table
from clv_pipeline_tests.scenario import PERIODS, Line, frame_of, make_line
from clv_pipeline_tests.sql.engine import Marts, build_marts, random_lines

LAST_DAY = date(1997, 6, 30)


@pytest.fixture(scope="module")
def base() -> pl.DataFrame:
    """250 customers with a cost on every line, so that ten times the money is ten times the profit."""
    random = Random(7)
    lines: list[Line] = []
    for customer in range(250):
        for order in range(random.choice([1, 1, 1, 2, 3, 5, 8, 13])):
            cents = random.choice([0, random.randint(1, 999), random.randint(1000, 99999)])
            lines.append(
                make_line(
                    f"customer {customer}",
                    f"{customer}-{order}",
                    f"{random.choice(PERIODS)}-{random.randint(1, 28):02d}T12:00",
                    str(Decimal(cents) / 100),
                    cost=str(Decimal(int(cents * random.uniform(0.3, 1.2))) / 100),
                )
            )
    return frame_of(lines)


def take_windows(lines: pl.DataFrame, window_months: int = 3) -> dict[str, pl.DataFrame]:
    with build_marts(lines) as marts:
        lenses = marts.as_of("1997-06", LAST_DAY, window_months=window_months).take_lenses()
    return {name: table for name, table in lenses.items() if name.startswith(("lens1_", "lens2_"))}


@pytest.mark.parametrize("window_months", [1, 3, 12])
def test_the_windows_add_up_and_the_best_are_the_best(base: pl.DataFrame, window_months: int) -> None:
    lenses = take_windows(base, window_months)  # which applies every rule of every table
    headline = lenses["lens1_headline"].row(0, named=True)
    customer, value = lenses["lens1_customer_deciles"], lenses["lens1_value_deciles"]
    assert customer["decile"].to_list() == list(range(1, 11))
    assert customer["customers"].n_unique() <= 2
    assert value["customers"][0] < customer["customers"][0] < value["customers"][-1]
    # What a value decile and those above it bring ends within its tenth, at most one customer short of the end.
    threshold = value["threshold"].cast(pl.Float64) / float(headline["profit"])
    short = value["decile"] / 10 - value["share_profit"].cum_sum()
    assert all(-1e-9 <= gap <= most + 0.1 for gap, most in zip(short[:-1], threshold[:-1], strict=True))
    concentration = {row[2]: row for row in lenses["lens1_concentration"].filter(measure="profit").rows()}
    assert concentration["top 10%"][3:6:2] == (customer["customers"][0], customer["profit"][0])
    assert concentration["top 20%"][5] == customer["profit"][:2].sum()


@pytest.mark.parametrize("window_months", [1, 3])
def test_neither_the_order_of_lines_nor_the_unit_of_money_matters(base: pl.DataFrame, window_months: int) -> None:
    lenses = take_windows(base, window_months)
    shuffled = take_windows(base.sample(fraction=1.0, shuffle=True, seed=3), window_months)
    assert [name for name, table in lenses.items() if not table.equals(shuffled[name])] == []

    tenfold = take_windows(
        base.with_columns(
            (pl.col("line_total", "line_cost") * 10).cast(pl.Decimal(18, 2)),
            (pl.col("unit_price") * 10).cast(pl.Decimal(18, 4)),
        ),
        window_months,
    )
    for name, table in lenses.items():
        counted = [column for column in table.columns if column.startswith(("customers", "share", "orders", "decile"))]
        assert_frame_equal(table.select(counted), tenfold[name].select(counted), rel_tol=1e-12)
        money = [column for column in table.columns if table[column].dtype == pl.Decimal]
        assert_frame_equal(table.select((pl.col(money) * 10).cast(pl.Decimal(18, 2))), tenfold[name].select(money))


@settings(max_examples=6)
@given(lines=random_lines())
def test_every_rule_holds_on_random_lines(lines: pl.DataFrame) -> None:
    with build_marts(lines) as marts:
        for as_of, window_months in (("1997-06", 3), ("1997-04", 1)):
            lenses = marts.as_of(as_of, date.fromisoformat(f"{as_of}-28"), window_months=window_months).take_lenses()
            active = lenses["lens2_headline"]["customers"].to_list()
            assert lenses["lens2_up_down"]["customers"].sum() <= min(active)


@pytest.mark.parametrize(
    ("table", "check"),
    [
        (table, check)
        for table in LENSES.tables
        if table.name.startswith(("lenses.lens1_", "lenses.lens2_"))
        for check in table.rules
    ],
    ids=lambda given: given if isinstance(given, str) else given.name.removeprefix("lenses."),
)
def test_a_rule_sees_one_wrong_row(marts: Marts, table: Table, check: str) -> None:
    now = marts.as_of("1997-06", LAST_DAY)
    now.take_lenses()
    column = {"lens1_statistics": "value", "lens2_bridge": "profit"}.get(
        table.name.removeprefix("lenses."), "customers"
    )
    staged = f"staged_{table.name.replace('.', '_')}"
    # The last row that is not zero: every row of a table counts, and of the statistics one that a sum is made of.
    condition = "measure = 'orders' AND statistic = 'mean'" if column == "value" else f"{column} <> 0"
    now.con.execute(
        f"UPDATE {staged} SET {column} = {column} + 1 WHERE rowid = (SELECT max(rowid) FROM {staged} WHERE {condition})"
    )
    assert not audit_query(now.con, check, now.select(table.rules[check])).passed
