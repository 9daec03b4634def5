"""Stage 7: whether data, customers or scores moved, against earlier as-of months.

Belongs here: which months are compared, and the warning. Does not belong here: the tests (`clv/drift/`).
"""

import polars as pl

from clv_pipeline.clv.drift.checks import DATA, PERFORMANCE, PREVIOUS, TRAINING, Check, table_checks
from clv_pipeline.clv.drift.levels import OK, Limits
from clv_pipeline.clv.drift.profiles import Against, compare_profiles
from clv_pipeline.pictures import draw_drift
from clv_pipeline.schemas.drift import Checks
from clv_pipeline.steps import REFIT_FOR, Reach, Read, Step, StepSpec, Table, name_references

_STABLE = "distributions_are_stable"


def compute_drift(step: Step) -> pl.DataFrame:
    """Holds the as-of month against each of its references."""
    checks = table_checks(_compare_customers(step))
    checks = checks.select(pl.lit(step.period).alias("as_of"), *checks.columns)
    found = checks.filter(pl.col("level") != OK).sort(["drifted", "statistic"], descending=True)
    named = "; ".join(found["meaning"].unique(maintain_order=True).head(3))
    compared = "no drift" if checks.height else "no earlier as-of month to compare with"
    step.record("drift.checks", {REFIT_FOR: list_refit_reasons(checks)})
    step.advise("drift.checks", _STABLE, named or compared, passed=not checks["drifted"].any())
    return checks


def list_refit_reasons(checks: pl.DataFrame) -> list[str]:
    """The alerts that a new fit takes in: what moved since the last fit, or within a month.

    A delivery that went wrong is no reason to learn from it. Forecasts move with every fit, and what differs from a
    year ago still does after one.
    """
    matters = pl.col("drifted") & pl.col("kind").is_in([DATA, PERFORMANCE])
    fresh = pl.col("reference_kind").is_in([PREVIOUS, TRAINING])
    return checks.filter(matters & fresh)["meaning"].unique(maintain_order=True).to_list()


def _compare_customers(step: Step) -> list[Check]:
    profiles = step.frame("SELECT * FROM drift.profiles")
    limits = Limits(step.settings.drift.psi_warn, step.settings.drift.psi_alert)
    now = profiles.filter(pl.col("as_of") == step.period)
    present = set(profiles["as_of"].unique())
    return [
        check
        for kind, month in name_references(step.state, step.period).items()
        if month in present
        for check in compare_profiles(now, profiles.filter(pl.col("as_of") == month), Against(month, kind, limits))
    ]


DRIFT = StepSpec(
    name="checks",
    stage="drift",
    tables=(
        Table(
            "drift.checks",
            Checks,
            "Whether the customers or their scores look different from last month, last year, or the model's data.",
            advice=(_STABLE,),
            picture=draw_drift,
        ),
    ),
    reads=(Read("drift.profiles", Reach.COMPARED), Read("models.in_use", Reach.SAME)),
    compute=compute_drift,
    sql=(),
    knobs=("drift.",),
    code=("clv/drift", "stages/drift"),
    kinds=frozenset({"python", "parquet"}),
)
