"""Judges forecasts out of sample on several logs and origins: coverage, totals, customers, the choice of a model.

    python benchmarks/forecasts.py                # everything, some minutes
    python benchmarks/forecasts.py cdnow grocer   # only these logs

Belongs here: doing as the pipeline would have done at each origin, where an earlier fold teaches the intervals and
decides `auto`; then the months that follow are held against it. Does not belong here: where the logs come from
(`purchase_logs.py`).

Rows of logs marked * were looked at when constants were chosen (the law by which rates wander, that levels are mended
afterwards); nothing was chosen on the others.
"""

import argparse
from collections.abc import Iterator
from datetime import date, timedelta
from statistics import NormalDist

import duckdb
import numpy as np
import polars as pl
from purchase_logs import HELD, LEARNT, REAL, simulate

from clv_pipeline.clv.backtest import BASELINES, Fold, choose_model, judge_folds
from clv_pipeline.clv.backtest.learning import learn_total_sd
from clv_pipeline.clv.backtest.spend_level import LEAST_MONTHS, find_spend_level, measure_trend
from clv_pipeline.clv.models import PURCHASE_MODELS
from clv_pipeline.sql import bind, load_sql

LEVELS = (50, 80, 90, 95)
ORIGINS = {
    "cdnow": ((1997, 6, 3), (1997, 9, 9), (1997, 12, 6), (1998, 2, 4)),
    "journey": ((2017, 6, 3), (2017, 8, 4), (2017, 9, 3)),
}
SIMULATED = ((2022, 6, 6), (2022, 12, 12), (2023, 9, 3), (2023, 12, 12))


def end_month(year: int, month: int, later: int = 0) -> date:
    """The last day of the month, or of one `later`."""
    number = year * 12 + month + later
    return date(number // 12, number % 12 + 1, 1) - timedelta(days=1)


def know(log: pl.DataFrame, end: date) -> pl.DataFrame:
    """The customers as `sql/3_rfm/customers.sql` knows them at `end`."""
    seen = log.filter(pl.col("day") <= end).sort("customer_id", "day").group_by("customer_id", maintain_order=True)
    repeats = pl.len() - 1
    return seen.agg(
        first_order=pl.col("day").first(),
        frequency=repeats.cast(pl.Int64),
        recency=(pl.col("day").last() - pl.col("day").first()).dt.total_days() / 7,
        T=(pl.lit(end) - pl.col("day").first()).dt.total_days() / 7,
        monetary_value=pl.when(repeats > 0).then(pl.col("spend").slice(1).sum().clip(lower_bound=0.0) / repeats),
        spend=pl.col("spend").sum(),
        cohort=pl.col("day").first().dt.strftime("%Y-%m"),
    )


def join_window(customers: pl.DataFrame, log: pl.DataFrame, after: date, until: date, name: str) -> pl.DataFrame:
    """`customers` with their purchases and spend in the window."""
    inside = log.filter(pl.col("day") > after, pl.col("day") <= until).group_by("customer_id")
    sums = inside.agg(
        pl.len().alias(f"{name}_purchases"), pl.col("spend").sum().clip(lower_bound=0.0).alias(f"{name}_spend")
    )
    joined = customers.join(sums, on="customer_id", how="left", maintain_order="left")
    return joined.with_columns(pl.col(f"{name}_purchases").fill_null(0), pl.col(f"{name}_spend").fill_null(0.0))


def take_fold(log: pl.DataFrame, origin: tuple[int, int], months: int) -> Fold:
    """What was known at the end of the month `origin`, and the `months` after it."""
    start, until, before = (end_month(*origin, later) for later in (0, months, -months))
    first: date = log["day"].min()  # pyright: ignore[reportAssignmentType]
    last = max(end_month(*origin, -12), first)
    customers = join_window(know(log, start), log, last, start, "last")
    earlier = know(log, before) if before >= first else customers.clear().select(know(log, start).columns)
    return Fold(
        customers=join_window(customers, log, start, until, "actual"),
        newcomers=know(log, until).filter(pl.col("first_order") > start),
        earlier=join_window(earlier, log, before, start, "actual"),
        weeks=(until - start).days / 7,
        last_weeks=(start - last).days / 7,
        spend_level=know_spend_level(log, start, (until - start).days / 7),
    )


def know_spend_level(log: pl.DataFrame, end: date, weeks: float) -> float:
    """The spend level of a forecast of `weeks` from `end`, as `stages/backtest_folds.py` knows it."""
    first: date = log["day"].min()  # pyright: ignore[reportAssignmentType]
    if (end.year - first.year) * 12 + end.month - first.month + 1 < LEAST_MONTHS:
        return 1.0
    seen = log.filter(pl.col("day") <= end).with_columns(period=pl.col("day").dt.strftime("%Y-%m"))
    grouped = seen.group_by("customer_id", "period")
    periods = grouped.agg(
        pl.len().alias("order_days"),
        pl.col("spend").sum(),
        pl.col("spend").sort_by("day").first().alias("first_day_spend"),
        returned=pl.lit(0.0),
    )
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA marts; CREATE SCHEMA landing")
        connection.register("periods", periods.to_arrow())
        connection.execute("CREATE VIEW marts.customer_periods AS SELECT * FROM periods")
        connection.execute("CREATE TABLE landing.hidden_customers (customer_id VARCHAR)")
        customers = connection.sql(bind(load_sql("5_models/spend_trend"), as_of=f"{end:%Y-%m}")).pl()
    return find_spend_level(measure_trend(customers), weeks)


def shorten_horizon(log: pl.DataFrame, origin: tuple[int, int]) -> int:
    """The horizon of the backtest at that origin, as `stages/backtest_folds.py` takes it."""
    first: date = log["day"].min()  # pyright: ignore[reportAssignmentType]
    months = (origin[0] - first.year) * 12 + origin[1] - first.month + 1
    return max(1, min(12, int(months / 2.5), months - 3))


def go_back(origin: tuple[int, int], months: int) -> tuple[int, int]:
    """The month `months` before `origin`."""
    number = origin[0] * 12 + origin[1] - 1 - months
    return number // 12, number % 12 + 1


def take_years(log: pl.DataFrame, origin: tuple[int, int], months: int) -> list[Fold]:
    """The forecasts of the same months one year before and two, as `stages/backtest_folds.py` takes them."""
    first: date = log["day"].min()  # pyright: ignore[reportAssignmentType]
    known = (origin[0] - first.year) * 12 + origin[1] - first.month + 1
    lags = [12 * number * -(-months // 12) for number in (1, 2)]
    return [take_fold(log, go_back(origin, lag), months) for lag in lags if known - lag >= max(months, 3)]


def judge(name: str, log: pl.DataFrame, origin: tuple[int, int], months: int) -> Iterator[dict[str, object]]:
    """One row per forecast and target."""
    horizon = shorten_horizon(log, origin)
    before = go_back(origin, horizon)
    folds = take_fold(log, origin, months), take_fold(log, before, horizon)
    years = take_years(log, origin, months), take_years(log, before, horizon)
    judgement = judge_folds(folds, (), ((), *years), PURCHASE_MODELS, priors="default", recalibrate=True)
    result, taught = judgement.results
    chosen = choose_model([taught.measures]).filter("chosen")["model"].item()
    wide = result.measures.filter(segment="all").pivot("metric", index=["model", "target"], values="value")
    errors = taught.measures.filter(segment="all", metric="total_error").select("model", "target", taught="value")
    for row in wide.join(errors, on=["model", "target"], how="left").iter_rows(named=True):
        sd = learn_total_sd([row.pop("taught")])
        origin_name = f"{origin[0]}-{origin[1]:02}"
        yield {"log": name, "origin": origin_name, "months": months, "auto": chosen, "total_sd": sd, **row}


def say_coverage(row: dict[str, object], prefix: str = "") -> str:
    """'50/80/90/95' of a row, in per cent."""
    return "/".join(f"{100 * float(str(row[f'{prefix}coverage_{level}'])):.1f}" for level in LEVELS)


def print_case(rows: list[dict[str, object]]) -> None:
    """The models with the coverage of their intervals, then what the baselines say."""
    first = rows[0]
    print(f"\n{first['log']}, {first['months']} months from {first['origin']}; auto takes {first['auto']}")
    for row in sorted(rows, key=lambda row: (str(row["target"]), str(row["model"]))):
        total = 100 * float(str(row["total_error"]))
        error = f"{row['target']:9} {row['model']:24} total {total:+7.2f}%  MAE {row['mae']:9.3f}"
        covered = ""
        if row["model"] in PURCHASE_MODELS and row.get("pace"):
            covered = f"  pace {row['pace']:.3f}, without {100 * float(str(row['uncorrected_total_error'])):+.2f}%"
            covered += f"  spend level {row['spend_level']:.3f}" if row["spend_level"] != 1 else ""
        if row["model"] in PURCHASE_MODELS:
            covered += f"  held {say_coverage(row)}, uncorrected {say_coverage(row, 'uncorrected_')}"
        print(error + covered)


def summarise(rows: list[dict[str, object]]) -> None:
    """Coverage within 88 to 92%, mean size of total errors, regret of `auto`, over all cases."""
    frame = pl.DataFrame(rows, infer_schema_length=None)
    models = frame.filter(pl.col("model").is_in(list(PURCHASE_MODELS)))
    print("\nShare of models and cases whose 90% intervals held 88 to 92%, corrected and not; the extremes:")
    for target, part in models.group_by("target", maintain_order=True):
        for column in ("coverage_90", "uncorrected_coverage_90"):
            held = part[column].to_numpy()
            inside = ((held >= 0.88) & (held <= 0.92)).mean()
            print(f"  {target[0]:9} {column:24} {inside:6.1%}  {held.min():.3f} to {held.max():.3f}")
    print("Mean size of the total error, and without corrections; the share of cases no worse than the best baseline:")
    auto = frame.filter(pl.col("model") == pl.col("auto")).with_columns(model=pl.lit("auto"))
    compared = pl.concat([frame.filter(pl.col("model").is_in([*PURCHASE_MODELS, *BASELINES])), auto])
    if "uncorrected_total_error" not in compared.columns:
        compared = compared.with_columns(uncorrected_total_error=pl.lit(None, pl.Float64))
    plain = pl.coalesce("uncorrected_total_error", "total_error").abs().mean().alias("plain")
    sizes = compared.group_by("model", "target").agg(pl.col("total_error").abs().mean(), plain, pl.len())
    for row in sizes.sort("target", "total_error").iter_rows(named=True):
        print(f"  {row['target']:9} {row['model']:24} {row['total_error']:6.2%}, {row['plain']:6.2%} over {row['len']}")
    print("Share of totals of auto within the ranges of totals, chance left aside; 50, 80, 90, 95% promised:")
    for target, part in auto.group_by("target", maintain_order=True):
        off = (part["total_error"].log1p() / part["total_sd"]).abs().to_numpy()
        shares = [f"{np.mean(off <= NormalDist().inv_cdf(0.5 + level / 200)):.0%}" for level in LEVELS]
        print(f"  {target[0]:9} {', '.join(shares)}")
    case = ["log", "origin", "months", "target"]
    least = (
        compared.filter(pl.col("model").is_in(list(BASELINES))).group_by(case).agg(pl.col("total_error").abs().min())
    )
    held = auto.join(least, on=case, suffix="_best")
    for target, part in held.group_by("target", maintain_order=True):
        better = (part["total_error"].abs() <= part["total_error_best"] + 1e-12).mean()
        print(
            f"  {target[0]:9} auto no worse in total than the best baseline in hindsight: {better:.0%} of {part.height}"
        )
    best = models.group_by("log", "origin", "months", "target").agg(pl.col("mae").min().alias("best"))
    regret = auto.join(best, on=["log", "origin", "months", "target"]).with_columns(pl.col("mae") / pl.col("best") - 1)
    print("Regret of auto in MAE: mean, largest, share within 2%:")
    for target, part in regret.group_by("target", maintain_order=True):
        over = part["mae"].to_numpy()
        print(f"  {target[0]:9} {over.mean():6.2%} {over.max():6.2%} {np.mean(over <= 0.02):6.1%} of {len(over)}")


def main() -> None:
    """Prints every case, then the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*", choices=[*REAL, *LEARNT, *HELD, []], help="default: all")
    parser.add_argument("--customers", type=int, default=6_000, help="of a simulated log")
    options = parser.parse_args()
    rows: dict[bool, list[dict[str, object]]] = {True: [], False: []}
    for name in options.logs or [*REAL, *LEARNT, *HELD]:
        stories = LEARNT | HELD
        log = REAL[name]() if name in REAL else simulate(stories[name], options.customers)
        looked_at = name not in HELD
        for year, month, months in ORIGINS.get(name, SIMULATED):
            found = list(judge(f"{name}{'*' if looked_at else ''}", log, (year, month), months))
            print_case(found)
            rows[looked_at] += found
    for looked_at, found in rows.items():
        if found:
            print(f"\n=== {'logs that were looked at (*)' if looked_at else 'logs that nothing was chosen on'} ===")
            summarise(found)


if __name__ == "__main__":
    main()
