"""The CDNOW sample as the models see it, its fits (each made once), the published numbers, and customers by hand."""

from datetime import date
from functools import cache
from importlib import metadata

import polars as pl

from clv_pipeline.clv.models import ModelFit, fit_models

CALIBRATION_END = date(1997, 9, 30)
WEEKS, DOLLARS = 1.0, 1.0
DAYS, CENTS = 7.0, 100.0

# Fader, Hardie, Lee (2005), table 2; MBG/NBD with the authors' likelihood; Fader and Hardie (2013), note 025.
PUBLISHED = {
    "bg_nbd": ({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, -9582.4),
    "mbg_nbd": ({"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}, -9582.1),
    "pareto_nbd": ({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, -9595.0),
    "gamma_gamma": ({"p": 6.25, "q": 3.74, "gamma": 15.44}, -4055.9),
}


@cache
def read_sample() -> pl.DataFrame:
    """The 2,357 customers of the CDNOW sample at the end of the calibration, and their holdout purchases and spend."""
    (file,) = [file for file in metadata.files("lifetimes") or [] if file.name == "CDNOW_sample.txt"]
    cells = [line.split() for line in file.read_text().splitlines() if line.strip()]
    lines = pl.DataFrame(cells, schema=["master_id", "customer_id", "day", "units", "dollars"], orient="row").select(
        "customer_id", pl.col("day").str.to_date("%Y%m%d"), pl.col("dollars").cast(pl.Float64)
    )
    days = lines.group_by("customer_id", "day").agg(spend=pl.col("dollars").sum()).sort("day")
    seen = days.filter(pl.col("day") <= CALIBRATION_END).group_by("customer_id", maintain_order=True)
    customers = seen.agg(
        frequency=pl.len().cast(pl.Int64) - 1,
        recency=(pl.col("day").last() - pl.col("day").first()).dt.total_days() / 7,
        T=(CALIBRATION_END - pl.col("day").first()).dt.total_days() / 7,
        monetary_value=pl.col("spend").slice(1).mean(),
        spend=pl.col("spend").sum(),
    )
    later = (
        days.filter(pl.col("day") > CALIBRATION_END)
        .group_by("customer_id")
        .agg(holdout=pl.len(), holdout_spend=pl.col("spend").sum())
    )
    return customers.join(later, on="customer_id", how="left").with_columns(
        pl.col("holdout", "holdout_spend").fill_null(0)
    )


@cache
def fit_sample(transactions: str, priors: str, time: float, money: float) -> ModelFit:
    customers = read_sample().with_columns(pl.col("recency", "T") * time, pl.col("monetary_value", "spend") * money)
    return fit_models(customers, transactions=transactions, estimation="map", priors=priors)


def read_parameters(fit: ModelFit, model: str) -> dict[str, float]:
    rows = fit.parameters.filter(pl.col("model") == model)
    return dict(rows.select("parameter", "estimate").iter_rows())


def read_metric(fit: ModelFit, model: str, metric: str) -> float:
    return fit.evaluation.row(by_predicate=(pl.col("model") == model) & (pl.col("metric") == metric))[-1]


def make_customers(
    frequency: list[int], recency: list[float], T: list[float], mean: list[float | None]
) -> pl.DataFrame:
    paid = [0.0 if m is None else m * (x + 1) for x, m in zip(frequency, mean, strict=True)]
    return pl.DataFrame(
        {
            "customer_id": [str(i) for i in range(len(frequency))],
            "frequency": frequency,
            "recency": recency,
            "T": T,
            "monetary_value": mean,
            "spend": paid,
        },
        schema_overrides={"recency": pl.Float64, "T": pl.Float64, "monetary_value": pl.Float64},
    )
