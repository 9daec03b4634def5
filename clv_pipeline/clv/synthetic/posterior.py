"""What the best of models would forecast: Pareto/NBD with the scenario's own parameters, given a history.

Belongs here: those parameters and that forecast. Does not belong here: the oracle, which also knows everybody's rate
and dropout (`truth.py`). Seasons, weekdays and promotions are in it on average only, so a model that knows the calendar
could be better still.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.models import expected_purchases
from clv_pipeline.clv.synthetic.scenario import WEEKS_PER_YEAR, Channel, City, Scenario
from clv_pipeline.clv.synthetic.world import build_world

type Floats = NDArray[np.float64]


def state_parameters(scenario: Scenario, city: City, channel: Channel) -> dict[str, float]:
    """r, alpha, s, beta (weeks) of the customers of a city and channel, of the orders that name them.

    A rate multiplied by c has alpha / c; churn at 0 is a beta beyond any horizon.
    """
    purchases, churn = scenario.purchases, scenario.churn
    rate = purchases.per_year / WEEKS_PER_YEAR * city.rate * channel.rate * (1 - scenario.missing_customers)
    return {
        "r": purchases.spread,
        "alpha": purchases.spread / rate,
        "s": churn.spread,
        "beta": min(scenario.churn_scale / channel.churn, 1e9),
    }


def forecast_knowing(scenario: Scenario, customers: pl.DataFrame) -> Floats:
    """Expected purchases of each customer over the horizon, in the order of the rows.

    `customers`: city, channel, frequency, recency and T (weeks, at the end of the data).
    """
    world = build_world(scenario)
    purchases = np.zeros(customers.height)
    names = customers.select("city", "channel")
    for city, clock in zip(scenario.cities, world.clocks, strict=True):
        weeks = float(clock.pass_weeks(np.array([world.last_hour]))[0] - clock.pass_weeks(np.array([world.end]))[0])
        for channel in scenario.channels:
            chosen = names.select((pl.col("city") == city.name) & (pl.col("channel") == channel.name)).to_series()
            history = [customers[name].filter(chosen).cast(pl.Float64) for name in ("frequency", "recency", "T")]
            purchases[chosen.to_numpy()] = expected_purchases(
                "pareto_nbd", state_parameters(scenario, city, channel), *history, horizon=weeks
            )
    return purchases
