"""Stage 7: whether customers or scores moved, against the as-of month before and a fixed reference month.

Belongs here: which months are compared, and the warning. Does not belong here: the tests (`clv/drift.py`).
"""

import polars as pl

from clv_pipeline.clv.drift import compare_distributions
from clv_pipeline.pictures import draw_drift
from clv_pipeline.schemas.drift import Checks
from clv_pipeline.steps import Reach, Read, Step, StepSpec, Table, compared_months

_FEATURES = ("frequency", "recency", "monetary_value", "clv")
_STABLE = "distributions_are_stable"


def compute_drift(step: Step) -> pl.DataFrame:
    """Compares the distributions of the as-of month with those of the months it is held against."""
    features = step.frame(step.select("7_drift/features"))
    present = set(features["as_of"].unique())
    references = [month for month in compared_months(step.state, step.period) if month in present]
    checks = pl.concat([_empty(), *(_compare(step, features, reference) for reference in references)])
    drifted = checks.filter(pl.col("drifted"))
    named = ", ".join(f"{row['feature']} against {row['reference']}" for row in drifted.iter_rows(named=True))
    compared = f"no drift against {', '.join(references)}" if references else "no earlier as-of month to compare with"
    step.advise("drift.checks", _STABLE, f"drift of {named}" if named else compared, passed=drifted.is_empty())
    return checks


def _compare(step: Step, features: pl.DataFrame, reference: str) -> pl.DataFrame:
    result = compare_distributions(
        features.filter(pl.col("as_of") == step.period),
        features.filter(pl.col("as_of") == reference),
        features=_FEATURES,
        psi_threshold=step.settings.drift.psi,
        ks_threshold=step.settings.drift.ks,
    )
    keys = [pl.lit(step.period).alias("as_of"), pl.lit(reference).alias("reference")]
    return result.select(*keys, *(name for name in _empty().columns if name not in {"as_of", "reference"}))


def _empty() -> pl.DataFrame:
    return pl.DataFrame(
        schema={
            "as_of": pl.String,
            "reference": pl.String,
            "feature": pl.String,
            "test": pl.String,
            "statistic": pl.Float64,
            "threshold": pl.Float64,
            "drifted": pl.Boolean,
        }
    )


DRIFT = StepSpec(
    name="checks",
    stage="drift",
    tables=(
        Table(
            "drift.checks",
            Checks,
            "Whether the customers or their scores look different from last month, or from the reference month.",
            advice=(_STABLE,),
            picture=draw_drift,
        ),
    ),
    reads=(Read("rfm.customers", Reach.COMPARED), Read("scores.customers", Reach.COMPARED)),
    compute=compute_drift,
    sql=("7_drift/features",),
    knobs=("drift.",),
    code=("clv/drift",),
    kinds=frozenset({"python", "parquet"}),
)
