"""A fitted model held against what is true of a generated company: parameters, who is still there, what comes.

The company is Pareto/NBD without seasons, so that the fitted model is the right one, and every difference from the
truth has a known distribution. Bounds are those that 999 of 1,000 right models keep; the seed is fixed.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2, norm

from clv_pipeline.clv.synthetic import Scenario
from clv_pipeline.clv.synthetic.posterior import forecast_knowing, state_parameters
from clv_pipeline.generation import TRUTH, read_scenario, write_company, write_settings
from clv_pipeline.pipeline import AS_OF_STEPS
from clv_pipeline_tests.warehouse import Warehouse

type Floats = NDArray[np.float64]

PLAIN = """\
start = 2022-01-01
end = 2024-07-01
customers = 4000
seed = 1
[purchases]
per_year = 5
spread = 0.9
[churn]
yearly = 0.4
spread = 0.8
"""
KEPT = 0.999
FURTHEST = float(norm.ppf((1 + KEPT) / 2))
GROUPS = 8
STEPS = tuple(step for step in AS_OF_STEPS if step.name in {"customers", "backtest", "fit", "champion", "totals"})

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Company:
    """What was published of the last month, and what is true of the same customers."""

    house: Warehouse
    scenario: Scenario
    scores: pl.DataFrame

    def take(self, name: str) -> Floats:
        return self.scores[name].cast(pl.Float64).to_numpy()


@pytest.fixture
def company(tmp_path: Path) -> Company:
    (tmp_path / "plain.toml").write_text(PLAIN)
    scenario, text = read_scenario(str(tmp_path / "plain.toml"))
    house = Warehouse(tmp_path / "company")
    house.config.unlink()
    write_settings(scenario, text, house.root)
    write_company(scenario, house.root)
    chosen = '[models]\ntransactions = "pareto_nbd"\n'
    # Nothing is left to the backtest to decide: a history that is too short for it saves its fits.
    house.config.write_text(house.config.read_text().replace("[models]\n", chosen) + "\n[backtest]\nmin_months = 60\n")
    house._open()
    house.refresh("2024-06", STEPS)
    scores = house.query("FROM scores.customers")
    truth = pl.read_parquet(house.root / TRUTH)
    return Company(house, scenario, scores.join(truth, on="customer_id").sort("customer_id"))


def test_a_fitted_model_is_right_about_the_company_it_was_fitted_to(company: Company) -> None:
    # One test, so that the company is made once, however many processes share the tests.
    check_that_the_parameters_are_those_of_the_company_within_their_uncertainty(company)
    check_that_p_alive_is_the_share_of_those_who_are_still_there(company)
    check_that_what_comes_is_what_was_expected_in_total_and_of_many_and_few(company)
    check_that_the_bounds_of_the_total_value_hold_what_came_of_it(company)


def check_that_the_parameters_are_those_of_the_company_within_their_uncertainty(company: Company) -> None:
    true = state_parameters(company.scenario, company.scenario.cities[0], company.scenario.channels[0])
    draws = company.house.query("FROM models.draws WHERE model = 'pareto_nbd'")
    drawn = np.log(draws.pivot(on="parameter", index="draw", values="value").select(list(true)).to_numpy())
    spread = np.cov(drawn.T)
    off = np.log(list(true.values())) - drawn.mean(axis=0)
    assert off @ np.linalg.solve(spread, off) < chi2.ppf(KEPT, len(true))
    assert (np.sqrt(np.diag(spread)) < [0.06, 0.06, 0.25, 0.4]).all()  # else nothing would be off


def check_that_p_alive_is_the_share_of_those_who_are_still_there(company: Company) -> None:
    p_alive, is_alive = company.take("p_alive"), company.take("is_alive")
    for group in (slice(None), *split(p_alive)):
        expected = p_alive[group]
        spread = np.sqrt((expected * (1 - expected)).sum())
        assert abs(is_alive[group].sum() - expected.sum()) < FURTHEST * spread
    assert p_alive[is_alive == 1].mean() > p_alive[is_alive == 0].mean() + 0.3


def check_that_what_comes_is_what_was_expected_in_total_and_of_many_and_few(company: Company) -> None:
    expected, came = company.take("expected_purchases"), company.take("future_purchases")
    for group in (slice(None), *split(expected)):
        error = came[group] - expected[group]
        assert abs(error.sum()) < FURTHEST * np.sqrt((error**2).sum())
    history = company.house.query('SELECT customer_id, frequency, recency, "T" FROM rfm.customers ORDER BY customer_id')
    knowing = forecast_knowing(company.scenario, history.join(company.scores, on="customer_id", maintain_order="left"))
    # Who knows the true parameters, and the histories alone, is hardly any nearer.
    assert np.abs(came - expected).mean() < 1.01 * np.abs(came - knowing).mean()


def check_that_the_bounds_of_the_total_value_hold_what_came_of_it(company: Company) -> None:
    total = company.house.query("FROM scores.totals WHERE level = 'total'").row(0, named=True)
    value = float((company.take("future_profit") * company.take("discount")).sum())
    assert total["clv_lower_95"] < value < total["clv_upper_95"]
    assert total["clv_upper_95"] < 1.15 * total["clv_lower_95"]


def split(by: Floats) -> list[NDArray[np.int64]]:
    """Customers in equal groups, from the lowest to the highest."""
    return np.array_split(np.argsort(by, kind="stable"), GROUPS)
