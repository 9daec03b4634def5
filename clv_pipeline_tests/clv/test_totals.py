"""Sums of values: their intervals against simulated futures, with the parameters known and not known."""

from functools import cache

import numpy as np
import polars as pl
import pytest

from clv_pipeline.clv.models import PURCHASE_MODELS, ModelError
from clv_pipeline.clv.scores import score_customers, total_scores
from clv_pipeline_tests.clv.test_predictive import simulate_base
from clv_pipeline_tests.clv.test_scores import make_parameters

SIZE = 12_000
PLAIN = {"horizon_months": 12, "annual_discount_rate": 0.0, "margin": 1.0}
DRAWS = pl.DataFrame(
    schema={"model": pl.String, "draw": pl.Int64, "parameter": pl.String, "value": pl.Float64}, orient="row"
)
COVERAGES = {"_50": 0.5, "": 0.8, "_95": 0.95}


@cache
def make_scores(model: str) -> pl.DataFrame:
    """Scores of simulated customers of 400 shops in 100 towns, with what they really spend."""
    number = np.arange(SIZE)
    people = pl.DataFrame(simulate_base(model, SIZE, seed=1)).with_columns(
        pl.col("monetary_value").fill_nan(None),
        pl.Series("customer_id", [f"{i:05}" for i in number]),
        pl.Series("shop", number % 400),
        pl.Series("town", number % 100),
    )
    scores = score_customers(people, make_parameters(model), **PLAIN)  # pyright: ignore[reportArgumentType]
    return scores.join(people, on="customer_id", maintain_order="left")


def draw_money(spread: float, model: str = "gamma_gamma", draws: int = 500) -> pl.DataFrame:
    """Draws that know everything but the unit of money, which is off by a log-normal factor."""
    random = np.random.default_rng(5)
    values = [{"p": 6.25, "q": 3.74, "gamma": 15.44 * factor} for factor in np.exp(random.normal(0, spread, draws))]
    rows = [(model, i, name, value) for i, named in enumerate(values) for name, value in named.items()]
    return pl.DataFrame(rows, schema=DRAWS.schema, orient="row")


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_intervals_of_sums_hold_what_groups_of_customers_really_spend(model: str) -> None:
    scores = make_scores(model)

    totals = total_scores(scores, make_parameters(model), DRAWS, levels=["shop", "town"], horizon_months=12)

    for level, groups in (("shop", 400), ("town", 100)):
        spent = scores.group_by(pl.col(level).cast(pl.String).alias("key")).agg(pl.col("spend").sum())
        summed = totals.filter(level=level).join(spent, on="key")
        for name, coverage in COVERAGES.items():
            held = summed.filter(pl.col("spend").is_between(f"clv_lower{name}", f"clv_upper{name}")).height / groups
            assert held == pytest.approx(coverage, abs=3.5 * (coverage * (1 - coverage) / groups) ** 0.5)
        assert summed["customers"].to_list() == [SIZE // groups] * groups


def test_the_whole_is_known_better_than_its_parts() -> None:
    """Adding up the bounds of the parts would leave room that the sum does not need; the parts themselves add up."""
    scores = make_scores("bg_nbd")

    totals = total_scores(scores, make_parameters("bg_nbd"), DRAWS, levels=["shop", "decile"], horizon_months=12)

    whole, shops, deciles = (totals.filter(level=level) for level in ("total", "shop", "decile"))
    for name in ("customers", "clv", "expected_purchases", "expected_spend_total"):
        assert whole[name].item() == pytest.approx(shops[name].sum()) == pytest.approx(deciles[name].sum())
    width = (whole["clv_upper"] - whole["clv_lower"]).item()
    for parts in (shops, scores):
        assert width < 0.2 * parts.select(pl.col("clv_upper").sum() - pl.col("clv_lower").sum()).item()
    assert deciles["key"].to_list() == [str(number) for number in range(1, 11)]


def test_uncertain_parameters_do_not_average_out() -> None:
    """With money off by 20%, the 95% interval is at least 1.96 x 20% on either side, however many customers."""
    scores = make_scores("bg_nbd")
    parameters = make_parameters("bg_nbd")

    known, unknown = (
        total_scores(scores, parameters, draws, levels=[], horizon_months=12).row(0, named=True)
        for draws in (DRAWS, draw_money(0.2))
    )

    chance = (known["clv_upper_95"] - known["clv_lower_95"]) / 2 / known["clv"]
    # Repeat buyers' own means do not depend on the unit: part of the sum moves.
    both = (unknown["clv_upper_95"] - unknown["clv_lower_95"]) / 2 / known["clv"]
    assert 1.5 * chance < both < 1.96 * 0.2
    assert unknown["clv"] == known["clv"]


def test_what_totals_were_off_before_widens_every_sum_by_the_same_share() -> None:
    scores, parameters = make_scores("bg_nbd"), make_parameters("bg_nbd")
    known, unsure = (
        total_scores(scores, parameters, DRAWS, levels=["town"], horizon_months=12, total_sd=sd) for sd in (0.0, 0.1)
    )
    whole = unsure.filter(level="total").row(0, named=True)

    assert known["clv"].to_list() == unsure["clv"].to_list()
    # So many customers leave no chance to speak of: a gamma distribution with a tenth of its mean as its deviation.
    half = (whole["clv_upper_95"] - whole["clv_lower_95"]) / 2 / whole["clv"]
    assert half == pytest.approx(1.96 * 0.1, rel=0.05)
    assert (unsure["clv_upper"] - unsure["clv_lower"] > known["clv_upper"] - known["clv_lower"]).all()


def test_totals_do_not_depend_on_the_order_of_the_rows() -> None:
    scores = make_scores("pareto_nbd")
    parameters, draws = make_parameters("pareto_nbd"), draw_money(0.1)

    one, other = (
        total_scores(rows, parameters, order, levels=["shop"], horizon_months=12)
        for rows, order in ((scores, draws), (scores.sample(fraction=1, shuffle=True, seed=3), draws.reverse()))
    )

    assert one.equals(other)


def test_draws_of_another_model_are_refused() -> None:
    with pytest.raises(ModelError, match="mbg_nbd, which is not scored"):
        total_scores(
            make_scores("bg_nbd"),
            make_parameters("bg_nbd"),
            draw_money(0.1, "mbg_nbd"),
            levels=[],
            horizon_months=12,
        )
