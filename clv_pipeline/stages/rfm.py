"""Stage 3: what each customer's history looks like at the end of an as-of month.

Belongs here: which SQL makes the RFM table. Does not belong here: its arithmetic (`sql/3_rfm/`).
"""

from clv_pipeline.pictures import draw_segments
from clv_pipeline.schemas.rfm import RfmCustomers
from clv_pipeline.state import HIDDEN
from clv_pipeline.steps import Reach, Read, Step, StepSpec, Table


def compute_rfm(step: Step) -> str:
    """Summarises every customer's months up to the as-of month."""
    return step.select("3_rfm/customers")


RFM = StepSpec(
    name="customers",
    stage="rfm",
    tables=(
        Table(
            "rfm.customers",
            RfmCustomers,
            "Each customer's recency, frequency, monetary value and segment, as known at the end of the as-of month.",
            picture=draw_segments,
        ),
    ),
    reads=(Read("marts.customer_periods", Reach.HISTORY), Read(HIDDEN, Reach.KNOWN)),
    compute=compute_rfm,
    sql=("3_rfm/customers",),
    knobs=(),
    code=(),
    kinds=frozenset({"duckdb", "parquet"}),
)
