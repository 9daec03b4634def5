"""Holds the scores of a synthetic company against what is true of it, beside what an oracle and simple rules say.

    python benchmarks/truth.py                                  the bundled company at 5,000 customers
    python benchmarks/truth.py --scenario mine.toml --work data/mine

Belongs here: running the pipeline on generated files by its command, and the comparison. Does not belong here: what is
generated and what the oracle knows (`clv_pipeline/clv/synthetic/`), or the measures (`clv_pipeline/clv/backtest/`).
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from clv_pipeline.clv.backtest.baselines import forecast_baselines
from clv_pipeline.clv.backtest.holdout import Fold
from clv_pipeline.clv.backtest.metrics import measure_all
from clv_pipeline.clv.models import fit_nbd
from clv_pipeline.clv.scores import Models, read_models
from clv_pipeline.clv.synthetic import Scenario
from clv_pipeline.clv.synthetic.posterior import forecast_knowing
from clv_pipeline.generation import TRUTH, read_scenario, write_company, write_settings
from clv_pipeline.periods import shift_period

type Floats = NDArray[np.float64]

HERE = Path(__file__).resolve().parent
SHOWN = ("total_error", "mae", "rmse", "spearman", "gini", "lift")
KNOWN = """
    SELECT k.customer_id, c.cohort, k.frequency, k.recency, k."T", k.monetary_value, k.spend,
        coalesce(w.purchases, 0) AS {name}_purchases,
        greatest(coalesce(w.spend, 0), 0)::DOUBLE AS {name}_spend
    FROM rfm.customers k JOIN marts.customers c USING (customer_id) LEFT JOIN (
        SELECT customer_id, sum(order_days)::BIGINT AS purchases, sum(spend) AS spend FROM marts.customer_periods
        WHERE period > '{after}' AND period <= '{until}' GROUP BY customer_id
    ) w USING (customer_id) WHERE k.as_of = '{as_of}' ORDER BY customer_id"""


@dataclass(frozen=True)
class Found:
    """What the pipeline published of the last month, and what `run_fold` would know at its end."""

    scores: pl.DataFrame
    fold: Fold
    models: Models
    version: str


def prepare(folder: Path, scenario: Scenario, text: str) -> Found:
    """Generates the company, runs the pipeline on it, and reads what it published."""
    shutil.rmtree(folder, ignore_errors=True)
    config = write_settings(scenario, text, folder)
    write_company(scenario, folder)
    last = f"{scenario.end.year}-{scenario.end.month:02d}"
    last = shift_period(last, -1)
    before = shift_period(last, -scenario.horizon_months)
    run_clv("run", "--config", config)
    run_clv("backfill", before, before, "--select", "rfm", "--config", config)
    with duckdb.connect(str(folder / "clv.duckdb"), read_only=True) as con:
        scores = con.sql(f"FROM scores.customers WHERE as_of = '{last}' ORDER BY customer_id").pl()
        version = scores["model_version"][0]
        parameters = con.sql(f"FROM models.parameters WHERE version = '{version}'").pl()
        year = shift_period(last, -12)
        customers = con.sql(KNOWN.format(name="last", after=year, until=last, as_of=last)).pl()
        earlier = con.sql(KNOWN.format(name="actual", after=before, until=last, as_of=before)).pl()
    fold = Fold(customers, pl.DataFrame(), earlier, scenario.horizon_days / 7, 365.25 / 7)
    return Found(scores, fold, read_models(parameters), version)


def run_clv(*arguments: str | Path) -> None:
    """Runs the `clv` of this environment, without settings from outside."""
    command = [str(Path(sys.executable).parent / "clv"), *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CLV_", "DAGSTER_"))}
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}")


def forecast_all(found: Found, truth: pl.DataFrame, scenario: Scenario) -> dict[str, dict[str, Floats]]:
    """Purchases and spend of every customer by who forecasts them; `truth` has the rows of `found.scores`."""
    scores, customers = found.scores, found.fold.customers
    nbd, _ = fit_nbd(customers)
    ways = {
        name: {"purchases": forecast.purchases, "spend": forecast.spend}
        for name, forecast in forecast_baselines(found.fold, (nbd["r"], nbd["alpha"]), found.models).items()
    }
    mean_spend = scores["expected_spend"].to_numpy()
    expected = scores["expected_purchases"].to_numpy()
    ways[found.version] = {"purchases": expected, "spend": expected * mean_spend}
    history = customers.with_columns(truth["city"], truth["channel"])
    knowing = forecast_knowing(scenario, history)
    ways["true parameters"] = {"purchases": knowing, "spend": knowing * mean_spend}
    ways["oracle"] = {name: truth[f"expected_{name}"].to_numpy() for name in ("purchases", "spend")}
    return ways


def show_measures(target: str, actual: Floats, ways: Mapping[str, Mapping[str, Floats]], console: Console) -> None:
    """Prints the measures of one target, a line for each who forecasts."""
    table = Table(title=f"{target} of the horizon: {actual.sum():,.0f}", title_justify="left")
    table.add_column("forecast by")
    for name in SHOWN:
        table.add_column(name, justify="right")
    for who, forecasts in ways.items():
        measures = measure_all(actual, forecasts[target])
        table.add_row(
            who, *(f"{measures[name]:+.1%}" if name == "total_error" else f"{measures[name]:.3f}" for name in SHOWN)
        )
    console.print(table)


def show_coverage(scores: pl.DataFrame, truth: pl.DataFrame, console: Console) -> None:
    """Prints how often the bounds of a customer's value hold what came of it, discounted as the scores are."""
    value = (truth["future_profit"] * scores["discount"]).to_numpy()
    for share, suffix in ((0.5, "_50"), (0.8, ""), (0.95, "_95")):
        lower, upper = (scores[f"clv_{side}{suffix}"].to_numpy() for side in ("lower", "upper"))
        console.print(
            f"bounds of {share:.0%} hold the true value of {((value >= lower) & (value <= upper)).mean():.1%}"
        )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="texas", help="a bundled scenario, or the path of a TOML file")
    parser.add_argument("--customers", type=int, help="default: 5000 for the bundled one, else the scenario's")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--work", type=Path, default=HERE / "data" / "truth", help="folder, emptied at the start")
    given = parser.parse_args()
    customers = given.customers or (5_000 if given.scenario == "texas" else None)
    changes = {"customers": customers, "seed": given.seed}
    scenario, text = read_scenario(given.scenario, {key: value for key, value in changes.items() if value is not None})
    found = prepare(given.work, scenario, text)
    everybody = pl.read_parquet(given.work / TRUTH)
    truth = found.scores.select("customer_id").join(everybody, on="customer_id", how="left", maintain_order="left")
    console = Console(width=110)
    console.print(f"{truth.height:,} of {everybody.height:,} customers are known at the end of the data")
    ways = forecast_all(found, truth, scenario)
    for target in ("purchases", "spend"):
        show_measures(target, truth[f"future_{target}"].to_numpy(), ways, console)
    show_coverage(found.scores, truth, console)


if __name__ == "__main__":
    main()
