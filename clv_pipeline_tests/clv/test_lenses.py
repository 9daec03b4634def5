"""Distributions, histograms, order classes and the best customers: by hand, and what no data may change."""

import re
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv_pipeline.clv.lenses.concentration import measure_concentration
from clv_pipeline.clv.lenses.distributions import describe_distributions
from clv_pipeline.clv.lenses.histograms import choose_edges, count_histograms
from clv_pipeline.clv.lenses.measures import MEASURES
from clv_pipeline.clv.lenses.orders import compare_by_orders
from clv_pipeline.clv.lenses.rfm import band_profit_per_order

SCHEMA = {"orders": pl.Int64, "spend": pl.Decimal(18, 2), "profit": pl.Decimal(18, 2)}
TABLES = (
    describe_distributions,
    lambda customers: count_histograms({1: customers, 2: customers}),
    compare_by_orders,
    measure_concentration,
    band_profit_per_order,
)


def make_customers(*rows: tuple[int, str, str]) -> pl.DataFrame:
    """Customers of (orders, spend, profit)."""
    return pl.DataFrame(
        [(orders, Decimal(spend), Decimal(profit)) for orders, spend, profit in rows], schema=SCHEMA, orient="row"
    )


def statistics(customers: pl.DataFrame) -> dict[tuple[str, str], float | None]:
    return {(measure, name): value for measure, name, value in describe_distributions(customers).rows()}


@st.composite
def customer_frames(draw: st.DrawFn, fewest: int = 0) -> pl.DataFrame:
    """Up to 40 customers; spend and profit of any sign, from cents to millions."""
    scale = draw(st.sampled_from([1, 100, 10**6]))
    cents = st.integers(-20, 300).map(lambda units: Decimal(units * scale) / 100)
    rows = draw(st.lists(st.tuples(st.integers(1, 14), cents, cents), min_size=fewest, max_size=40))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def test_percentiles_interpolate_as_percentile_inc() -> None:
    """Of 1, 2, 3, 4 the percentile p is 1 + 3 p."""
    value = statistics(make_customers(*((orders, "1", "1") for orders in (4, 1, 3, 2))))

    found = [value["orders", f"p{percent:02d}"] for percent in range(5, 100, 5)]
    assert found == pytest.approx([1 + 3 * percent / 100 for percent in range(5, 100, 5)])


def test_nobody_is_below_a_mean_that_all_share() -> None:
    """0.10 three times: the sum of the floats is 0.30000000000000004, and a third of it more than 0.1."""
    value = statistics(make_customers(*[(1, "0.10", "0.10")] * 3))

    assert (value["spend", "mean"], value["spend", "share_below_mean"]) == (0.1, 0)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(1, "10", "1"), (2, "40", "1"), (3, "90", "1")], 1.0),
        ([(1, "30", "1"), (2, "40", "1"), (3, "30", "1")], -1.0),
        ([(1, "30", "1"), (1, "40", "1")], None),
        ([(1, "10", "1"), (2, "20", "1")], None),
    ],
    ids=["more per order", "less per order", "equal orders", "equal spend per order"],
)
def test_correlation_of_orders_with_spend_per_order(rows: list[tuple[int, str, str]], expected: float | None) -> None:
    found = statistics(make_customers(*rows))["spend_per_order", "correlation_with_orders"]

    assert found is None if expected is None else found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "whole", "expected"),
    [
        ([0.0, 0.0], False, [0, 1]),
        ([-5.0], False, [0, 1]),
        ([1.0] * 99 + [7.0], True, [0, 1, 2, 3, 4, 5, 6, 7]),
        ([1.0] * 99 + [70.0], True, list(range(11))),
        (list(np.linspace(0, 100, 101)), False, list(range(0, 100, 5))),
        (list(np.linspace(0, 1, 101)), False, [step / 20 for step in range(20)]),
        ([0.0] * 99 + [40.0], False, [2 * step for step in range(21)]),
    ],
    ids=["nothing", "losses", "few orders", "many orders", "hundred", "one", "mostly zero"],
)
def test_edges_are_round_and_reach_the_95th_percentile(values: list[float], whole: bool, expected: list[float]) -> None:
    assert choose_edges(np.array(values), whole=whole) == expected


def test_a_value_on_an_edge_belongs_to_the_bin_below() -> None:
    """1.10 in 11 orders is 0.1 per order, though 1.1 / 11 is the float above it; 20 such bins end at 2."""
    customers = make_customers((11, "1.10", "0"), *((1, f"{cents / 100}", "0") for cents in (0, *range(10, 201, 10))))
    bins = count_histograms({2: customers}).filter(measure="spend_per_order")

    assert bins["upper"].to_list()[:3] == [0, 0.1, 0.2]
    assert bins["customers"].to_list()[:3] == [0, 3, 1]


def test_given_edges_are_kept() -> None:
    customers = make_customers((1, "4", "-1"), (1, "5", "5"), (1, "9", "9"))
    bins = count_histograms({2: customers}, {"spend": (0.0, 5.0, 8.0)}).filter(measure="spend")
    bands = band_profit_per_order(customers, (5.0,))

    assert bins.select("upper", "customers").rows() == [(0.0, 0), (5.0, 2), (8.0, 0), (None, 1)]
    assert bands.select("lower", "upper", "customers").rows() == [(None, 0.0, 1), (0.0, 5.0, 1), (5.0, None, 1)]


def test_ten_or_more_orders_are_one_class() -> None:
    """100.00 in 10 orders and in 20: 200 / 30 of the totals, (10 + 5) / 2 over the customers."""
    often = compare_by_orders(make_customers((10, "100", "30"), (20, "100", "10"), (9, "1", "1"))).row(-1, named=True)

    assert (often["number_of_orders"], often["customers"], often["orders"]) == ("10+", 2, 30)
    assert (often["spend"], often["profit"]) == (Decimal(200), Decimal(40))
    assert (often["aov"], often["mean_spend_per_order"]) == pytest.approx((200 / 30, 7.5))


def test_a_tenth_of_thirty_is_three() -> None:
    cuts = measure_concentration(make_customers(*[(1, "10", "3")] * 30)).filter(measure="profit")

    assert cuts.select("cut", "customers", "share_value").rows() == [
        ("top 1%", 1, pytest.approx(1 / 30)),
        ("top 5%", 2, pytest.approx(2 / 30)),
        ("top 10%", 3, 0.1),
        ("top 20%", 6, 0.2),
        ("top 50%", 15, 0.5),
        ("half of the total", 15, 0.5),
    ]


@settings(max_examples=50)
@given(before=customer_frames(), latest=customer_frames())
def test_histograms_count_every_customer_once_on_the_same_bins(before: pl.DataFrame, latest: pl.DataFrame) -> None:
    bins = count_histograms({1: before, 2: latest})
    if before.is_empty() and latest.is_empty():
        assert bins.is_empty()
        return
    edges = [bins.filter(window_number=number).select("measure", "bin", "lower", "upper") for number in (1, 2)]
    assert edges[0].equals(edges[1])
    for number, customers in ((1, before), (2, latest)):
        counted = dict(bins.filter(window_number=number).group_by("measure").agg(pl.col("customers").sum()).rows())
        with_margin = customers.filter(pl.col("spend") != 0).height
        assert counted == {name: with_margin if name == "margin" else customers.height for name in MEASURES}


@settings(max_examples=50)
@given(customers=customer_frames(), seed=st.integers(0, 5))
def test_the_order_of_customers_changes_nothing(customers: pl.DataFrame, seed: int) -> None:
    shuffled = customers.sample(fraction=1.0, shuffle=True, seed=seed)
    for table in TABLES:
        assert table(shuffled).equals(table(customers))


@settings(max_examples=50)
@given(customers=customer_frames(fewest=1))
def test_ten_times_the_money_scales_money_and_leaves_shares(customers: pl.DataFrame) -> None:
    scaled = customers.with_columns((pl.col("spend", "profit") * 10).cast(pl.Decimal(18, 2)))
    for table in TABLES:
        small, large = table(customers), table(scaled)
        assert small.height == large.height
        shares = [name for name in small.columns if name.startswith(("share", "customers", "orders", "number_of"))]
        assert small.select(shares).equals(large.select(shares))
    one, ten = statistics(customers), statistics(scaled)
    for (measure, name), value in one.items():
        is_money = measure in ("spend", "profit", "spend_per_order") and re.match(r"min|max|mean|median|p\d\d", name)
        expected = 10 * value if value is not None and is_money else value
        assert ten[measure, name] == (None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-9))
