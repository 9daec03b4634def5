"""Times the scoring of many customers: scores with all intervals, then totals over posterior draws.

    python benchmarks/scores.py --customers 1_000_000 --model bg_nbd

Belongs here: simulated customers as RFM sees them, and the clock. Does not belong here: fitting them.
"""

import argparse
import resource
import sys
import time

import numpy as np
import polars as pl

from clv_pipeline.clv.scores import score_customers, total_scores

ESTIMATES = {
    "bg_nbd": {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.4},
    "mbg_nbd": {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 1.6},
    "pareto_nbd": {"r": 0.6, "alpha": 6.0, "s": 0.5, "beta": 12.0},
}
SPEND = {"p": 6.25, "q": 3.74, "gamma": 15.44}
YEARS, DRAWS, LIMIT = 3, 500, 60.0


def simulate_customers(customers: int, random: np.random.Generator) -> pl.DataFrame:
    """Customers acquired evenly over three years, who buy and stop as BG/NBD says; times are whole days, in weeks."""
    T = random.integers(1, YEARS * 365, customers) / 7
    rate, stop = random.gamma(0.6, 1 / 6.0, customers), random.beta(0.8, 2.4, customers)
    frequency, recency = np.zeros(customers, np.int64), np.zeros(customers)
    now, alive = np.zeros(customers), np.arange(customers)
    while alive.size:
        now[alive] += random.standard_exponential(alive.size) / rate[alive]
        alive = alive[now[alive] <= T[alive]]
        frequency[alive] += 1
        recency[alive] = np.minimum(np.ceil(now[alive] * 7) / 7, T[alive])
        alive = alive[random.random(alive.size) >= stop[alive]]
    return pl.DataFrame(
        {
            "customer_id": [f"{number:09}" for number in range(customers)],
            "frequency": frequency,
            "recency": recency,
            "T": T,
            "segment": (frequency % 10).astype(str),
            "cohort": (T // 13).astype(np.int64).astype(str),
            "monetary_value": random.gamma(4.0, 9.0, customers).round(2),
        }
    ).with_columns(pl.when(pl.col("frequency") > 0).then(pl.col("monetary_value")))


def draw_parameters(model: str, random: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The parameters, and draws that vary each of them by 3%."""
    estimates = [(model, *item) for item in ESTIMATES[model].items()]
    estimates += [("gamma_gamma", *item) for item in SPEND.items()]
    parameters = pl.DataFrame(estimates, schema=["model", "parameter", "estimate"], orient="row")
    drawn = [
        (name, number, parameter, estimate * np.exp(random.normal(0, 0.03)))
        for number in range(DRAWS)
        for name, parameter, estimate in estimates
    ]
    return parameters, pl.DataFrame(drawn, schema=["model", "draw", "parameter", "value"], orient="row")


def main() -> int:
    """Prints the seconds and the peak of memory; 1 when scores and totals together take longer than the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--model", choices=ESTIMATES, default="bg_nbd")
    options = parser.parse_args()
    random = np.random.default_rng(1)
    customers = simulate_customers(options.customers, random)
    parameters, draws = draw_parameters(options.model, random)
    start = time.perf_counter()
    scores = score_customers(customers, parameters, horizon_months=12, annual_discount_rate=0.1, margin=0.3)
    scored = time.perf_counter()
    joined = scores.join(customers, on="customer_id", maintain_order="left")
    total_scores(joined, parameters, draws, levels=["segment", "decile", "cohort"], horizon_months=12)
    end = time.perf_counter()
    distinct = customers.select("frequency", "recency", "T").n_unique()
    print(f"{options.model}: {customers.height:,} customers, {distinct:,} of them distinct")
    print(f"scores {scored - start:.1f} s, totals {end - scored:.1f} s, limit {LIMIT:.0f} s together")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak {peak:.2f} GB, pymc imported: {'pymc' in sys.modules}")
    return int(end - start > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
