"""Stage 7, first: what the customers of an as-of month look like, in the few rows that later months are held against.

Belongs here: which SQL makes the profile. Does not belong here: comparing two of them (`drift.py`).
"""

from clv_pipeline.periods import shift_period
from clv_pipeline.schemas.drift import Profiles
from clv_pipeline.steps import Reach, Read, Step, StepSpec, Table

# Who is first seen in these months of the data may have been a customer long before.
_EARLY_MONTHS = 3


def compute_profiles(step: Step) -> str:
    """Counts customers by age and value of everything that is watched."""
    settled = shift_period(step.state.data_start, _EARLY_MONTHS)
    step.materialize("drift.customers", step.select("7_drift/customers", settled=settled))
    return step.select("7_drift/profiles")


PROFILES = StepSpec(
    name="profiles",
    stage="drift",
    tables=(
        Table(
            "drift.profiles",
            Profiles,
            "How many customers of each age have which frequency, recency, monetary value, CLV and segment.",
        ),
    ),
    reads=(Read("rfm.customers", Reach.SAME), Read("scores.customers", Reach.SAME)),
    compute=compute_profiles,
    sql=("7_drift/customers", "7_drift/profiles"),
    knobs=(),
    code=("stages/profiles",),
    kinds=frozenset({"duckdb", "parquet"}),
)
