"""Report tables for any set of orders, written down plainly: the pipeline's SQL is not used, so that the report is
tested without it."""

from dataclasses import replace
from datetime import datetime

import polars as pl

from clv_pipeline.report import ReportFacts
from clv_pipeline.report.facts import last_day, shift_month
from clv_pipeline_tests.report.sample_models import MODEL_TABLES, score_tables
from clv_pipeline_tests.report.sample_monitoring import monitoring_tables, publication_tables

Tables = dict[str, pl.DataFrame]
MONEY = pl.Decimal(18, 2)
MONTHS = {"month": 1, "quarter": 3, "year": 12}


def make_facts(as_of: str, **changes: object) -> ReportFacts:
    facts = ReportFacts(
        as_of=as_of,
        as_of_end=last_day(as_of),
        currency="USD",
        window="year",
        cohort="quarter",
        value_basis="profit = spend x 30% margin (no costs known)",
        model_name="bg_nbd",
        model_version="3f9c1a",
        generated_at=datetime(2026, 1, 5, 6, 30),
    )
    return replace(facts, **changes)  # pyright: ignore[reportArgumentType]


def make_tables(orders: pl.DataFrame, facts: ReportFacts) -> Tables:
    """All tables of the report for `orders` up to the as-of month."""
    orders = _label(orders, facts)
    customers = orders.group_by("customer_id").agg(
        first=pl.col("day").min(), last=pl.col("day").max(), days=pl.col("day").n_unique(), spend=pl.col("spend").sum()
    )
    rfm = customers.select(
        "customer_id",
        "spend",
        frequency=pl.col("days") - 1,
        recency=(pl.col("last") - pl.col("first")).dt.total_days() / 7,
        T=(facts.as_of_end - pl.col("first")).dt.total_days() / 7,
    )
    return {
        **_windows(orders, facts),
        **_cohorts(orders, facts),
        **{name: _stamp(frame, facts) for name, frame in MODEL_TABLES.items()},
        **score_tables(rfm),
        "marts.periods": _months(orders),
        "rfm.segments": _segments(rfm),
        **{name: _stamp(frame, facts) for name, frame in monitoring_tables().items()},
        **publication_tables(),
        "transactions.quarantine": pl.DataFrame({"reason": ["missing order id", "negative price"], "lines": [3, 12]}),
        "transactions.reconciliation": _reconciliation(orders),
    }


def _label(orders: pl.DataFrame, facts: ReportFacts) -> pl.DataFrame:
    orders = orders.filter(pl.col("day") <= facts.as_of_end).with_columns(
        period=pl.col("day").dt.strftime("%Y-%m"),
        profit=(pl.col("spend") * 0.3).round(2),
        calendar_period=_grain(pl.col("day"), facts.cohort),
    )
    acquired = pl.col("day").min().over("customer_id")
    return orders.with_columns(acquired=acquired.dt.strftime("%Y-%m"), cohort=_grain(acquired, facts.cohort))


def _grain(day: pl.Expr, grain: str) -> pl.Expr:
    quarter = pl.format("{}Q{}", day.dt.year(), day.dt.quarter())
    return {"month": day.dt.strftime("%Y-%m"), "quarter": quarter, "year": day.dt.strftime("%Y")}[grain]


def _sums(suffix: str = "") -> list[pl.Expr]:
    return [
        pl.len().cast(pl.Int64).alias(f"orders{suffix}"),
        pl.col("spend").sum().alias(f"spend{suffix}"),
        pl.col("profit").sum().alias(f"profit{suffix}"),
    ]


def _ratios(customers: str = "customers", suffix: str = "") -> list[pl.Expr]:
    def divide(top: str, bottom: str) -> pl.Expr:
        exists = (pl.col(bottom) != 0) & (pl.col(f"orders{suffix}") > 0)
        return pl.when(exists).then(pl.col(top) / pl.col(bottom))

    return [
        divide(f"orders{suffix}", customers).alias(f"aof{suffix}"),
        divide(f"spend{suffix}", f"orders{suffix}").alias(f"aov{suffix}"),
        divide(f"profit{suffix}", f"spend{suffix}").alias(f"margin{suffix}"),
        divide(f"profit{suffix}", customers).alias(f"profit_per_customer{suffix}"),
    ]


def _stamp(frame: pl.DataFrame, facts: ReportFacts) -> pl.DataFrame:
    money = [name for name in frame.columns if name.removesuffix("_1").removesuffix("_2") in ("spend", "profit")]
    return frame.select(pl.lit(facts.as_of).alias("as_of"), pl.all()).with_columns(pl.col(money).cast(MONEY))


def _windows(orders: pl.DataFrame, facts: ReportFacts) -> Tables:
    months = MONTHS[facts.window]
    start_1, start_2 = shift_month(facts.as_of, 1 - 2 * months), shift_month(facts.as_of, 1 - months)
    now = orders.filter(pl.col("period") >= start_2)
    before = orders.filter(pl.col("period").is_between(pl.lit(start_1), pl.lit(start_2), closed="left"))
    per = now.group_by("customer_id").agg(_sums()).sort(["profit", "customer_id"], descending=[True, False])
    total = per.select(pl.len().cast(pl.Int64).alias("customers"), pl.col("orders", "spend", "profit").sum())
    headline = total.select(
        window_start=pl.lit(start_2),
        window_end=pl.lit(facts.as_of),
        window_complete=pl.lit(orders["period"].min() <= start_2),  # pyright: ignore[reportOperatorIssue]
        customers="customers",
        orders="orders",
        spend="spend",
        profit="profit",
    ).with_columns(
        *_ratios(), spend_per_customer=pl.col("spend") / pl.col("customers"), returned_by_inactive=pl.lit(0).cast(MONEY)
    )
    ranked = per.with_row_index().with_columns(decile=(10 * pl.col("index") // per.height + 1).cast(pl.Int64))
    deciles = (
        ranked.group_by("decile", maintain_order=True)
        .agg(customers=pl.len().cast(pl.Int64), **{name: pl.col(name).sum() for name in ("orders", "spend", "profit")})
        .with_columns(
            **{f"share_{name}": pl.col(name) / total[name][0] for name in ("customers", "orders", "spend", "profit")}
        )
        .with_columns(*_ratios())
    )
    groups = _groups(before, now, orders.filter(pl.col("period") < start_1), facts)
    return {
        "lenses.lens1_headline": _stamp(headline, facts),
        "lenses.lens1_customer_deciles": _stamp(deciles, facts),
        "lenses.lens2_groups": _stamp(groups, facts),
        "lenses.lens2_bridge": _stamp(_bridge(groups), facts),
    }


def _groups(before: pl.DataFrame, now: pl.DataFrame, earlier: pl.DataFrame, facts: ReportFacts) -> pl.DataFrame:
    one, two = before.group_by("customer_id").agg(_sums("_1")), now.group_by("customer_id").agg(_sums("_2"))
    seen = pl.col("customer_id").is_in(earlier["customer_id"].unique().implode())
    both = one.join(two, on="customer_id", how="full", coalesce=True).with_columns(
        customer_group=pl.when(pl.col("orders_2").is_null())
        .then(pl.lit("first_only"))
        .when(pl.col("orders_1").is_not_null())
        .then(pl.lit("both"))
        .when(seen)
        .then(pl.lit("returning"))
        .otherwise(pl.lit("new"))
    )
    sums = both.group_by("customer_group").agg(
        pl.len().cast(pl.Int64).alias("customers"), pl.exclude("customer_id", "customers").sum()
    )
    names = pl.DataFrame({"customer_group": ["first_only", "both", "new", "returning"]})
    groups = names.join(sums, on="customer_group", how="left", maintain_order="left").with_columns(
        pl.exclude("customer_group").fill_null(0)
    )
    return groups.with_columns(
        *_ratios(suffix="_1"),
        *_ratios(suffix="_2"),
        share_customers=pl.col("customers") / groups["customers"].sum() if both.height else None,
    )


def _bridge(groups: pl.DataFrame) -> pl.DataFrame:
    one = dict(zip(groups["customer_group"], groups["profit_1"], strict=True))
    two = dict(zip(groups["customer_group"], groups["profit_2"], strict=True))
    steps = {
        "window_1": sum(one.values()),
        "did_not_return": -one["first_only"],
        "change_in_both": two["both"] - one["both"],
        "new": two["new"],
        "returning": two["returning"],
        "window_2": sum(two.values()),
    }
    return pl.DataFrame({"step": range(1, 7), "item": list(steps), "profit": [float(v) for v in steps.values()]})


def _cohorts(orders: pl.DataFrame, facts: ReportFacts) -> Tables:
    first, grain = str(orders["period"].min()), MONTHS[facts.cohort]
    index = (int(first[:4]) * 12 + int(first[5:]) - 1) // grain * grain
    end = int(facts.as_of[:4]) * 12 + int(facts.as_of[5:]) - 1
    starts = [f"{m // 12:04d}-{m % 12 + 1:02d}" for m in range(index, end + 1, grain)]
    calendar = pl.DataFrame({"start": starts}).with_row_index("n")
    day = pl.col("start").add("-01").str.to_date()
    calendar = calendar.with_columns(
        calendar_period=_grain(day, facts.cohort),
        complete=day.dt.offset_by(f"{grain}mo").dt.offset_by("-1d") <= facts.as_of_end,
    )
    sizes = orders.group_by("cohort").agg(cohort_size=pl.col("customer_id").n_unique().cast(pl.Int64))
    cohorts = calendar.select(cohort="calendar_period", cohort_start="start", n0="n").join(sizes, on="cohort")
    active = orders.group_by("cohort", "calendar_period").agg(
        pl.col("customer_id").n_unique().cast(pl.Int64).alias("active"), *_sums()
    )
    grid = (
        cohorts.join(calendar, how="cross")
        .filter(pl.col("n") >= pl.col("n0"))
        .join(active, on=["cohort", "calendar_period"], how="left")
        .with_columns(pl.col("active", "orders", "spend", "profit").fill_null(0))
        .sort("cohort_start", "n")
        .with_columns(*_ratios("active"), age=(pl.col("n") - pl.col("n0")).cast(pl.Int64))
        .with_columns(
            pct_active=pl.col("active") / pl.col("cohort_size"),
            profit_per_acquired=pl.col("profit") / pl.col("cohort_size"),
        )
        .with_columns(cumulative_profit_per_acquired=pl.col("profit_per_acquired").cum_sum().over("cohort"))
    )
    share = [
        (pl.col(name) / pl.col(name).sum().over("calendar_period")).alias(f"share_{name}")
        for name in ("active", "profit")
    ]
    measures = ["active", "orders", "spend", "profit"]
    lens3 = grid.select(
        *("cohort", "cohort_start", "age", "calendar_period", "cohort_size", "complete", "active", "pct_active"),
        *("orders", "spend", "profit", "aof", "aov", "margin", "profit_per_acquired", "cumulative_profit_per_acquired"),
    )
    lens5 = grid.select("cohort", "calendar_period", "complete", *measures, *share)
    return {"lenses.lens3_cohort_age": _stamp(lens3, facts), "lenses.lens5_cohort_calendar": _stamp(lens5, facts)}


def _months(orders: pl.DataFrame) -> pl.DataFrame:
    return (
        orders.group_by("period")
        .agg(
            lines=pl.len().cast(pl.Int64),
            orders=pl.len().cast(pl.Int64),
            customers=pl.col("customer_id").n_unique().cast(pl.Int64),
            spend=pl.col("spend").sum().cast(MONEY),
            profit=pl.col("profit").sum().cast(MONEY),
            quantity=pl.col("quantity").sum().cast(pl.Decimal(18, 3)),
            lines_without_customer=pl.lit(0, pl.Int64),
            spend_without_customer=pl.lit(0).cast(MONEY),
            returned=pl.lit(0).cast(MONEY),
        )
        .sort("period")
    )


def _segments(rfm: pl.DataFrame) -> pl.DataFrame:
    recent = pl.col("T") - pl.col("recency") < 13
    often = pl.col("frequency")
    name = (
        pl.when(recent & (often >= 4)).then(pl.lit("champions")).when(recent & (often >= 1)).then(pl.lit("loyal"))
        .when(recent).then(pl.lit("new")).when(often >= 3).then(pl.lit("cannot lose")).when(often >= 1)
        .then(pl.lit("hibernating")).otherwise(pl.lit("lost"))
    )  # fmt: skip
    grouped = rfm.group_by(segment=name).agg(customers=pl.len().cast(pl.Int64), spend=pl.col("spend").sum().cast(MONEY))
    return grouped.sort("segment")


def _reconciliation(orders: pl.DataFrame) -> pl.DataFrame:
    total = orders["spend"].sum()
    rows = [
        ("delivered", orders.height + 15 + 4, total + 90),
        ("duplicate", 4, 90.0),
        ("kept", orders.height, total),
        ("quarantined", 15, None),
        ("known and delivered again", 0, 0.0),
        ("replaced by a later delivery", 0, 0.0),
        ("kept, without a customer", 0, 0.0),
        ("kept, returns", 0, 0.0),
    ]
    frame = pl.DataFrame(rows, schema={"item": pl.String, "lines": pl.Int64, "amount": pl.Float64}, orient="row")
    return frame.with_columns(pl.col("amount").cast(MONEY))
