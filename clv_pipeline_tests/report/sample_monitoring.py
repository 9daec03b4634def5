"""Tables of the monitoring page, as the drift stage would leave them: one price rise, a forecast that came due.

Belongs here: rows with a known story. Does not belong here: expectations.
"""

import polars as pl

from clv_pipeline.clv.drift.checks import Check, Topic, table_checks
from clv_pipeline.clv.drift.diagnosis import Diagnosis, table_diagnoses
from clv_pipeline.clv.drift.examination import MEASURES_SCHEMA
from clv_pipeline.clv.drift.levels import Limits, convert_limits
from clv_pipeline.clv.drift.performance import PERFORMANCE_SCHEMA

MONTHS = ("1998-03", "1998-04", "1998-05", "1998-06")


def monitoring_tables() -> dict[str, pl.DataFrame]:
    """By name; those of drift lack as_of."""
    rise = Diagnosis("price_change", "", "1998-06", "alert", 0.1, "the same 40 products cost +10.0%", ("price", "aov"))
    causes, forecasts = table_diagnoses([rise]), _forecasts()
    return {
        "drift.checks": _checks(),
        "drift.diagnoses": causes,
        "drift.measures": _measures(),
        "drift.performance": forecasts.filter(pl.col("until") == MONTHS[-1]),
        "monitoring.causes": causes,
        "monitoring.forecasts": forecasts.filter(pl.col("cohort") == "all"),
        "monitoring.versions": pl.DataFrame(
            {
                "challenger": ["1998-03-bg_nbd-aa", "1998-06-bg_nbd-bb"],
                "champion_before": [None, "1998-03-bg_nbd-aa"],
                "version": ["1998-03-bg_nbd-aa", "1998-06-bg_nbd-bb"],
                "decision": ["first", "promoted"],
                "reason": ["It is the first.", "Its error in the backtest is lower."],
            }
        ),
    }


def publication_tables() -> dict[str, pl.DataFrame]:
    """By name: the scores of the last month are held back."""
    first, last = "1998-03-bg_nbd-aa", "1998-06-bg_nbd-bb"
    columns = {"as_of": pl.String, "model_version": pl.String, "published": pl.Boolean, "published_as_of": pl.String}
    columns |= {"published_version": pl.String, "move": pl.Float64, "reason": pl.String}
    rows = [
        ("1998-05", first, True, "1998-05", first, None, "The first scores."),
        ("1998-06", last, False, "1998-05", first, 0.7, "They differ by 70.0%, and the data have not moved alike."),
    ]
    published = pl.DataFrame(rows, schema=columns, orient="row")
    return {"scores.publication": published.tail(1), "monitoring.published": published}


def _checks() -> pl.DataFrame:
    """Three months of reference; CLV of the last has nothing to compare with."""
    limits, rows = convert_limits(Limits(0.1, 0.25)), []
    for reference, kind, feature, test, statistic in (
        ("1998-05", "previous", "frequency", "psi", 0.021),
        ("1998-05", "previous", "frequency", "ks", 0.012),
        ("1998-01", "training", "frequency", "psi", 0.31),
        ("1998-01", "training", "frequency", "ks", 0.08),
        ("1998-01", "training", "clv", "psi", None),
        ("1998-01", "training", "clv", "ks", 0.06),
    ):
        topic = Topic("prediction" if feature == "clv" else "data", feature, feature)
        meaning = f"{feature}: mean 1.2 against 1 (+20.0%) for customers of the same age"
        rows.append(
            Check(
                topic=topic,
                reference=reference,
                reference_kind=kind,
                test=test,
                statistic=statistic,
                limits=limits[test],
                chance=0.01,
                effect=0.2,
                sizes=(500.0, 480.0),
                meaning=meaning,
            )
        )
    return table_checks(rows)


def _measures() -> pl.DataFrame:
    """The price moves in the last month; repeated lines have nothing to expect in the first; one never varies."""
    rows: list[tuple[object, ...]] = []
    for at, month in enumerate(MONTHS):
        price = 1.1 if at == len(MONTHS) - 1 else 1.0 + at / 1000
        rows.append(
            (month, "price", "price of the same products", price, 1.0, 0.92, 1.08, "alert" if at == 3 else "ok")
        )
        known = (0.01, 0.0, 0.06, "ok") if at else (None, None, None, None)
        rows.append((month, "repeated_lines", "lines that repeat another", 0.01 + at / 1000, *known))
        rows.append((month, "missing_product_id", "lines without product_id", 0.0, 0.0, 0.0, 0.05, "ok"))
    return pl.DataFrame(rows, schema=MEASURES_SCHEMA, orient="row")


def _forecasts() -> pl.DataFrame:
    """Over one month, twice, of two cohorts: the last of all lies outside its interval."""
    rows: list[tuple[object, ...]] = []
    for until, actual in ((MONTHS[-2], 95.0), (MONTHS[-1], 130.0)):
        for cohort, share in (("1997Q1", 0.6), ("1997Q2", 0.4), ("all", 1.0)):
            expected, happened = 100.0 * share, actual * share
            bounds = (expected - 20 * share, expected + 20 * share)
            residual = (happened - expected) / (10.2 * share)
            key = ("purchases", 1, MONTHS[0] if until == MONTHS[1] else MONTHS[-2], until, cohort, "1998-03-bg_nbd-aa")
            rows.append((*key, 500, expected, *bounds, happened, residual, happened / expected))
    return pl.DataFrame(rows, schema=PERFORMANCE_SCHEMA, orient="row")
