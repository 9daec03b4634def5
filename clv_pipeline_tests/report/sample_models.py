"""Model and score tables of the report: the published parameters of CDNOW, and scores by their closed forms."""

import numpy as np
import polars as pl
from scipy.special import hyp2f1

R, ALPHA, A, B = 0.243, 4.414, 0.793, 2.426
P, Q, GAMMA = 6.25, 3.74, 15.44
WEEKS, WORTH = 52.18, 0.3 * 0.95
VERSION = "3f9c1a"

MODEL_TABLES = {
    "models.parameters": pl.DataFrame(
        [
            ("bg_nbd", "r", R, 0.0126, 0.2189, 0.2682),
            ("bg_nbd", "alpha", ALPHA, 0.3782, 3.732, 5.221),
            ("bg_nbd", "a", A, 0.1857, 0.5012, 1.2549),
            ("bg_nbd", "b", B, 0.7054, 1.3723, 4.2889),
            ("gamma_gamma", "p", P, 1.1887, 4.3052, 9.0731),
            ("gamma_gamma", "q", Q, 0.2901, 3.2125, 4.3541),
            ("gamma_gamma", "gamma", GAMMA, 4.3101, 8.9342, 26.6821),
        ],
        schema=["model", "parameter", "estimate", "sd", "lower", "upper"],
        orient="row",
    ).insert_column(1, pl.Series("version", [VERSION] * 7)),
    "models.evaluation": pl.DataFrame(
        [
            ("bg_nbd", "in_sample", "log_likelihood", -9582.4292),
            ("bg_nbd", "in_sample", "mae", 0.9712),
            ("bg_nbd", "holdout", "mae", 0.755),
            ("bg_nbd", "holdout", "rmse", 1.608),
            ("gamma_gamma", "in_sample", "log_likelihood", -4055.9113),
        ],
        schema=["model", "split", "metric", "value"],
        orient="row",
    ).insert_column(1, pl.Series("version", [VERSION] * 5)),
    "models.repeat_purchases": pl.DataFrame(
        {
            "model": ["bg_nbd"] * 8,
            "version": [VERSION] * 8,
            "purchases": ["0", "1", "2", "3", "4", "5", "6", "7+"],
            "actual": [1411, 439, 214, 100, 62, 38, 29, 64],
            "expected": [1429.8, 405.3, 207.5, 122.6, 73.6, 43.4, 25.4, 49.4],
            "lower": [1380.0, 370.0, 180.0, 103.0, 57.0, 31.0, 16.0, 36.0],
            "upper": [1477.0, 441.0, 236.0, 144.0, 90.0, 56.0, 35.0, 63.0],
        }
    ),
}


def score_tables(rfm: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """scores.top, scores.bottom and scores.deciles of customers with frequency, recency, T and spend."""
    x, t, T = (rfm[name].to_numpy().astype(float) for name in ("frequency", "recency", "T"))
    odds = np.where(x > 0, A / (B + np.maximum(x, 1) - 1) * ((ALPHA + T) / (ALPHA + t)) ** (R + x), 0.0)
    alive = 1 / (1 + odds)
    z = WEEKS / (ALPHA + T + WEEKS)
    growth = ((ALPHA + T) / (ALPHA + T + WEEKS)) ** (R + x) * hyp2f1(R + x, B + x, A + B + x - 1, z)
    purchases = (A + B + x - 1) / (A - 1) * (1 - growth) * alive
    mean = rfm["spend"].to_numpy() / (x + 1)
    spend = P * (GAMMA + x * mean) / (P * x + Q - 1)
    scores = rfm.with_columns(
        as_of=pl.lit("1998-06"),
        p_alive=alive,
        expected_purchases=purchases,
        expected_spend=spend,
        clv=purchases * spend * WORTH,
        clv_lower=np.zeros(len(x)),
        clv_upper=2.5 * purchases * spend * WORTH,
        model_version=pl.lit(VERSION),
    ).sort(["clv", "customer_id"], descending=[True, False])
    rank = pl.int_range(pl.len())
    scores = scores.with_columns(decile=10 * rank // pl.len() + 1)
    return {
        "scores.top": scores.head(10),
        "scores.bottom": scores.tail(10),
        "scores.deciles": scores.group_by("decile", maintain_order=True).agg(
            customers=pl.len().cast(pl.Int64),
            clv=pl.col("clv").sum(),
            expected_purchases=pl.col("expected_purchases").sum(),
        ),
    }
