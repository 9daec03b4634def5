"""Stage 7, first: what later months are held against: how customers look, and what is forecast, in an as-of month.

Belongs here: which SQL makes the profile, and which horizons are forecast. Does not belong here: comparing two
profiles, or a forecast with what happened (`drift.py`).
"""

import polars as pl

from clv_pipeline.clv.drift.forecasts import HORIZONS, forecast_cohorts
from clv_pipeline.clv.scores import read_models
from clv_pipeline.periods import last_day, shift_period
from clv_pipeline.schemas.drift import Forecasts, Profiles
from clv_pipeline.stages.observations import EARLY_MONTHS
from clv_pipeline.stages.scores import know_recalibration
from clv_pipeline.steps import Content, Reach, Read, Step, StepSpec, Table

_PARAMETERS = "SELECT model, parameter, estimate FROM models.in_use"
_DRAWS = "SELECT model, draw, parameter, value FROM models.in_use_draws"


def compute_profiles(step: Step) -> dict[str, Content]:
    """Counts customers by age and value of everything that is watched, and forecasts each cohort."""
    settled = shift_period(step.state.data_start, EARLY_MONTHS)
    step.materialize("drift.customers", step.select("7_drift/customers", settled=settled))
    return {"drift.profiles": step.select("7_drift/profiles"), "drift.forecasts": _forecast(step)}


def _forecast(step: Step) -> pl.DataFrame:
    parameters = step.frame(_PARAMETERS)
    if parameters.is_empty():
        return Forecasts.empty()
    models = know_recalibration(step, parameters).expect(read_models(parameters))
    draws = step.frame(_DRAWS).filter(pl.col("model") == models.purchase_model)
    end = step.state.as_of_end(step.period)
    forecasts = forecast_cohorts(
        step.frame(step.select("7_drift/forecast_rows")),
        step.frame(step.select("7_drift/forecast_sample")),
        models,
        draws,
        {months: (last_day(shift_period(step.period, months)) - end).days / 7 for months in HORIZONS},
    )
    version = step.frame("SELECT min(version) AS version FROM models.in_use").item()
    return forecasts.select(
        pl.lit(step.period).alias("as_of"), pl.lit(version, pl.String).alias("version"), *forecasts.columns
    )


PROFILES = StepSpec(
    name="profiles",
    stage="drift",
    tables=(
        Table(
            "drift.profiles",
            Profiles,
            "How many customers of each age have which frequency, recency, monetary value, CLV and segment.",
        ),
        Table(
            "drift.forecasts",
            Forecasts,
            "What each cohort is forecast to buy in the coming months, kept to be held against what happens.",
        ),
    ),
    reads=(
        Read("rfm.customers", Reach.SAME),
        Read("scores.customers", Reach.SAME),
        Read("models.in_use", Reach.SAME),
        Read("models.in_use_draws", Reach.SAME),
        Read("models.recalibration", Reach.SAME),
    ),
    compute=compute_profiles,
    sql=tuple(f"7_drift/{name}" for name in ("customers", "profiles", "forecast_rows", "forecast_sample")),
    knobs=(),
    code=("stages/profiles", "clv/drift/forecasts", "clv/models", "clv/scores"),
    kinds=frozenset({"duckdb", "python", "parquet"}),
)
