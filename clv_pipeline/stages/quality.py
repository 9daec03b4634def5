"""Whether the data suffice, asked of the marts before any lens or model of an as-of month.

Belongs here: which SQL counts what, and the warning. Does not belong here: thresholds and words (`clv/sufficiency.py`).
"""

import polars as pl

from clv_pipeline.clv.sufficiency import Evidence, describe_lights, judge_sufficiency, tabulate
from clv_pipeline.periods import list_periods
from clv_pipeline.schemas.quality import Sufficiency
from clv_pipeline.steps import Reach, Read, Step, StepSpec, Table

_SUFFICE = "data_suffice"
_QUERIES = ("lines", "days", "sizes", "repeated_orders", "frequencies")


def compute_sufficiency(step: Step) -> pl.DataFrame:
    """A traffic light for each question, and a check that warns of the red ones."""
    frames = {name: step.frame(step.select(f"0_quality/{name}")) for name in _QUERIES}
    lights = judge_sufficiency(
        Evidence(
            lines=frames["lines"].row(0, named=True),
            days=frames["days"],
            sizes=frames["sizes"],
            repeated=frames["repeated_orders"].row(0, named=True),
            customers=frames["frequencies"],
            end=step.state.as_of_end(step.period),
            history_months=len(list_periods(step.state.data_start, step.period)),
            horizon_months=step.settings.value.horizon_months,
        )
    )
    red = [light.sentence for light in lights if light.level == "red"]
    summary = " ".join([f"{describe_lights([light.level for light in lights])}.", *red])
    step.advise("quality.sufficiency", _SUFFICE, summary, passed=not red)
    return tabulate(lights).select(pl.lit(step.period).alias("as_of"), pl.all())


SUFFICIENCY = StepSpec(
    name="sufficiency",
    stage="quality",
    tables=(
        Table(
            "quality.sufficiency",
            Sufficiency,
            "Whether the data suffice for the audit and the models: a traffic light, the figure and the fix.",
            advice=(_SUFFICE,),
        ),
    ),
    reads=(
        Read("transactions.lines", Reach.HISTORY),
        Read("marts.orders", Reach.HISTORY),
        Read("marts.customer_periods", Reach.HISTORY),
    ),
    compute=compute_sufficiency,
    sql=tuple(f"0_quality/{name}" for name in _QUERIES),
    knobs=("value.horizon_months",),
    code=("clv/sufficiency", "clv/models/gate"),
    kinds=frozenset({"duckdb", "python"}),
)
