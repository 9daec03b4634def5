"""How long the drift stage takes on a home that is there: seconds on the wall and of CPU, step by step.

    clv generate ... && clv backfill 2024-11 2024-12 --config clv.toml    # a month to compare with, and the month
    python benchmarks/drift_stage.py clv.toml 2024-12

Belongs here: computing the steps of the stage without publishing anything. Does not belong here: whether they find what
happens (`drift.py`), publishing and Dagster, which take a second more.
"""

import argparse
import os
import time
from pathlib import Path

import polars as pl

from clv_pipeline.execution import compute_only
from clv_pipeline.lake import Lake
from clv_pipeline.settings import load_settings
from clv_pipeline.stages.drift import DRIFT
from clv_pipeline.stages.profiles import PROFILES
from clv_pipeline.state import State


def main() -> None:
    """Prints a row for each step, and what it was measured on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("as_of")
    parser.add_argument("--repeat", type=int, default=3)
    chosen = parser.parse_args()
    settings = load_settings(chosen.config, {})
    lake = Lake(settings.home, settings.engine)
    lake.prepare()
    state = State(lake, settings)
    customers = lake.read("rfm.customers", chosen.as_of).height
    print(f"{customers:,} customers at {chosen.as_of}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print("| step | seconds | CPU seconds | references |\n|---|---|---|---|")
    for _ in range(chosen.repeat):
        for spec in (PROFILES, DRIFT):
            began, worked = time.monotonic(), time.process_time()
            tables = compute_only(spec, state, chosen.as_of)
            seconds, cpu = time.monotonic() - began, time.process_time() - worked
            checks = tables.get("drift.checks") if isinstance(tables, dict) else None
            of_base = checks.filter(pl.col("test") == "psi") if isinstance(checks, pl.DataFrame) else pl.DataFrame()
            found = of_base["reference_kind"].n_unique() if of_base.height else "-"
            print(f"| drift__{spec.name} | {seconds:.1f} | {cpu:.1f} | {found} |")


if __name__ == "__main__":
    main()
