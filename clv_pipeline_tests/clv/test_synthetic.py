"""Synthetic companies: what is drawn is what the scenario says, its truth is true, and its validation can fail."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from functools import cache

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from clv_pipeline.clv.models import expected_purchases, fit_nbd
from clv_pipeline.clv.synthetic import (
    Block,
    Scenario,
    ScenarioError,
    Validation,
    ValidationError,
    blocks,
    generate_blocks,
    parse_scenario,
)
from clv_pipeline.clv.synthetic.posterior import forecast_knowing, state_parameters
from clv_pipeline.clv.synthetic.world import build_world

PLAIN = "start = 2023-01-01\nend = 2024-01-01\ncustomers = 4000\n"
BUSY = f"""{PLAIN}
missing_customers = 0.1
[returns]
share = 0.08
[refunds]
share = 0.05
[[cities]]
name = "Austin"
launch = 2023-03-01
[[cities]]
name = "Dallas"
[[promotions]]
name = "July"
start = 2023-07-01
days = 14
lift = 3.0
discount = 0.25
cities = ["Austin"]
"""
MISTAKES = [
    ("custmers = 1\n", "unknown setting 'custmers'; did you mean 'customers'?"),
    ("[churn]\nyear = 0.2\n", "unknown setting 'churn.year'; did you mean 'churn.yearly'?"),
    ('[[cities]]\nname = "A"\nlanch = 2023-01-01\n', "unknown setting 'cities.lanch'; did you mean 'cities.launch'?"),
    ("churn = 0.3\n", "'churn' is a table; write it under a header in brackets"),
    ("[churn]\nyearly = 1.0\n", "churn.yearly: 1.0 is too large; it must be less than 1"),
    ('[[cities]]\nname = "A"\nlaunch = 2024-02-01\n', "city 'A' is launched on 2024-02-01, after the end"),
    ('[[promotions]]\nname = "A"\nstart = 2023-02-01\ncities = ["B"]\n', "promotion 'A' is in unknown 'B'; use everyw"),
    ("[seasonality]\nhours = [1, 2]\n", "seasonality.hours: "),
    ("customers = \n", "not valid TOML"),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_wrong_scenario_is_one_line_that_names_the_key(text: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=r"^mine\.toml: [^\n]+$") as raised:
        parse_scenario(f"start = 2023-01-01\nend = 2024-01-01\n{text}", "mine.toml")

    assert message in str(raised.value)


@cache
def draw(text: str) -> Block:
    """The only block of a scenario."""
    (block,) = generate_blocks(read(text))
    return block


def read(text: str) -> Scenario:
    return parse_scenario(text, "test.toml")


def summarise(block: Block, scenario: Scenario) -> pl.DataFrame:
    """Frequency, recency and T of every customer with an order, beside its truth; written apart from the pipeline's."""
    days = block.lines.filter(~pl.col("is_return"), pl.col("customer_id").is_not_null()).select(
        "customer_id", day=pl.col("ordered_at").dt.date()
    )
    last = scenario.end.toordinal() - 1
    return (
        days.unique()
        .group_by("customer_id")
        .agg(
            frequency=pl.len().cast(pl.Int64) - 1,
            recency=(pl.col("day").max() - pl.col("day").min()).dt.total_days() / 7,
            T=(date.fromordinal(last) - pl.col("day").min()).dt.total_days() / 7,
        )
        .join(block.truth, on="customer_id")
        .sort("customer_id")
    )


def test_a_year_of_churn_is_what_is_asked_for() -> None:
    scenario = read(f"{PLAIN}[churn]\nyearly = 0.4\nspread = 0.5\n")

    # 1 - (beta / (beta + 52.18))^0.5 = 0.4 where beta = 52.18 / (0.6^-2 - 1)
    assert scenario.churn_scale == pytest.approx(365.25 / 7 / (1 / 0.36 - 1))
    truth = draw(f"{PLAIN}[churn]\nyearly = 0.4\nspread = 0.5\n").truth
    within = (truth["dropout_ts"] - truth["first_order"]).dt.total_days() < 365.25
    early = truth["first_order"] < datetime(2023, 12, 31)
    assert within.filter(early).fill_null(value=False).mean() == pytest.approx(0.4, abs=0.025)


def test_orders_are_as_many_as_the_paretos_closed_form_says() -> None:
    scenario, block = read(PLAIN), draw(PLAIN)
    truth = block.truth.filter(pl.col("first_order") < datetime(2023, 12, 31))
    ages = (datetime(2024, 1, 1) - truth["first_order"]).dt.total_seconds().to_numpy() / (7 * 86_400)

    parameters = state_parameters(scenario, scenario.cities[0], scenario.channels[0])
    # A repeat order is a purchase of the model; a year and a month do not have whole weeks alone: hence 3%.
    forecast = expected_purchases("pareto_nbd", parameters, 0, 0, 0, horizon=ages).sum()
    assert (truth["past_orders"] - 1).sum() == pytest.approx(forecast, rel=0.03)


def test_the_oracle_is_right_on_average_and_nobody_is_better() -> None:
    scenario, block = read(BUSY), draw(BUSY)
    truth = block.truth.filter(pl.col("expected_orders").is_not_null())

    for name in ("orders", "purchases", "spend", "profit"):
        error = (truth[f"future_{name}"] - truth[f"expected_{name}"]).to_numpy()
        assert abs(error.sum()) < 4 * np.sqrt((error**2).sum()), name
    customers = summarise(block, scenario)
    actual = customers["future_purchases"].to_numpy()
    parameters, _ = fit_nbd(customers)
    history = customers["frequency"], customers["recency"], customers["T"]
    nbd = expected_purchases("nbd", parameters, *history, horizon=scenario.horizon_days / 7)
    errors = [
        float(((forecast - actual) ** 2).mean())
        for forecast in (customers["expected_purchases"].to_numpy(), forecast_knowing(scenario, customers), nbd)
    ]
    assert errors == sorted(errors)


def test_without_seasons_the_true_parameters_forecast_the_total() -> None:
    scenario, customers = read(PLAIN), summarise(draw(PLAIN), read(PLAIN))
    forecast = forecast_knowing(scenario, customers)
    actual = customers["future_purchases"].to_numpy()

    # Days with two orders count once among the actual ones, and a history of whole days rounds T: hence 2% besides.
    error = actual - forecast
    assert abs(error.sum()) < 4 * np.sqrt((error**2).sum()) + 0.02 * actual.sum()


def test_a_promotion_lifts_orders_where_it_is_on_and_lowers_prices() -> None:
    block = draw(BUSY)
    bought = block.lines.filter(~pl.col("is_return")).join(block.customers, on="customer_id")
    july = pl.col("ordered_at").is_between(datetime(2023, 7, 1), datetime(2023, 7, 14, 23, 59))
    prices = (
        bought.filter(pl.col("city") == "Austin")
        .group_by("product_id", promoted=july)
        .agg(pl.col("unit_price").unique())
    )

    assert prices["unit_price"].list.len().unique().to_list() == [1]
    pairs = prices.explode("unit_price").pivot("promoted", index="product_id", values="unit_price").drop_nulls()
    promoted, full = (pairs[name].cast(pl.Float64).to_numpy() for name in ("true", "false"))
    assert promoted == pytest.approx(full * 0.75, abs=0.005001)
    elsewhere = bought.filter(july, pl.col("city") == "Dallas").join(pairs, "product_id")
    assert (elsewhere["unit_price"] == elsewhere["false"]).all()


def test_business_time_passes_only_when_open_and_runs_both_ways() -> None:
    world = build_world(read(PLAIN))
    clock = world.clocks[0]
    hours = np.random.default_rng(1).uniform(0, clock.last_hour, 1000)
    opened = (hours % 24 >= 8) & (hours % 24 < 22)

    assert clock.find_hours(clock.pass_weeks(hours[opened])) == pytest.approx(hours[opened])
    assert clock.pass_weeks(np.array([8.0, 22.0, 32.0])) == pytest.approx([0, 1 / 7, 1 / 7])
    assert clock.weeks[-1] == pytest.approx(731 / 7 - 1 / 7, rel=1e-9)


def test_a_seed_decides_everything_and_blocks_go_on_from_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    small = f"{PLAIN.replace('4000', '300')}seed = 7\n"
    first, again = draw(small), next(generate_blocks(read(small)))
    assert_frame_equal(first.lines, again.lines)
    assert_frame_equal(first.truth, again.truth)
    assert not first.truth["orders_per_week"].equals(draw(small.replace("7", "8")).truth["orders_per_week"])

    monkeypatch.setattr(blocks, "CUSTOMERS_PER_BLOCK", 120)
    parts = list(generate_blocks(read(small)))
    lines = pl.concat([part.lines for part in parts])
    assert [part.truth.height for part in parts] == [120, 120, 60]
    assert lines["line_id"].to_list() == list(range(1, lines.height + 1))
    assert lines.group_by("order_id").agg(pl.col("customer_id").n_unique())["customer_id"].unique().to_list() == [1]
    assert pl.concat([part.truth for part in parts])["customer_id"].n_unique() == 300


def test_what_the_bundled_validation_accepts() -> None:
    validation = Validation(read(BUSY))
    validation.check_block(draw(BUSY))
    figures = validation.check_figures()

    assert figures["check"].to_list() == ["order density", "promotion", "missing customers", "returns", "refunds"]


def spoil(**columns: pl.Expr) -> Callable[[Block], Block]:
    return lambda block: replace(block, lines=block.lines.with_columns(**columns))


@pytest.mark.parametrize(
    ("spoiled", "message"),
    [
        (spoil(line_total=-pl.col("line_total")), "lines: a line bought has a negative amount"),
        (spoil(line_cost=pl.col("line_cost").abs()), "lines: a line taken back adds an amount"),
        (spoil(ordered_at=pl.col("ordered_at").dt.offset_by("-300d")), "lines: ordered before acquired"),
        (spoil(line_id=pl.lit(1, pl.Int64)), "lines: field_uniqueness"),
        (
            lambda block: replace(block, truth=block.truth.with_columns(future_purchases=99.0)),
            "truth: more days than orders",
        ),
        (
            lambda block: replace(block, customers=block.customers.with_columns(city=pl.lit("Austin"))),
            "customers: acquired before the launch",
        ),
    ],
)
def test_a_block_that_breaks_a_rule_is_refused(spoiled: Callable[[Block], Block], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Validation(read(BUSY)).check_block(spoiled(draw(BUSY)))


@pytest.mark.parametrize(
    ("check", "observed", "message"),
    [
        ("order density", 0.9 * pl.col("observed"), "observed is not as expected"),
        ("promotion", pl.col("without"), "observed is not as expected"),
        ("promotion", 0.9 * pl.col("without"), "a promotion of this size should show"),
        ("returns", pl.col("observed") * 0, "observed is not as expected"),
    ],
)
def test_figures_beside_expectation_are_refused(check: str, observed: pl.Expr, message: str) -> None:
    block = draw(BUSY)
    changed = pl.when(pl.col("check") == check).then(observed).otherwise("observed").alias("observed")
    validation = Validation(read(BUSY))
    validation.check_block(replace(block, tally=block.tally.with_columns(changed)))

    with pytest.raises(ValidationError, match=message):
        validation.check_figures()
