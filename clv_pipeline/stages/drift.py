"""Stage 7: whether data, deliveries, customers or scores moved, and what is behind it.

Belongs here: which months are compared, and the warning. Does not belong here: the tests and the causes (`clv/drift/`).
"""

from collections.abc import Sequence

import polars as pl

from clv_pipeline.clv.drift.causes import LEARNED
from clv_pipeline.clv.drift.checks import PERFORMANCE, Check, table_checks
from clv_pipeline.clv.drift.diagnosis import Diagnosis, diagnose, table_diagnoses
from clv_pipeline.clv.drift.examination import MEASURES_SCHEMA, check_categories, check_month, examine, table_measures
from clv_pipeline.clv.drift.levels import ALERT, Limits, Thresholds
from clv_pipeline.clv.drift.observations import Observations
from clv_pipeline.clv.drift.performance import PERFORMANCE_SCHEMA, check_forecasts, track_forecasts
from clv_pipeline.clv.drift.profiles import Against, compare_profiles
from clv_pipeline.drift_pictures import draw_measures, draw_performance
from clv_pipeline.pictures import draw_drift
from clv_pipeline.schemas.drift import Checks, Diagnoses, Measures, Performance
from clv_pipeline.settings import Settings
from clv_pipeline.stages.observations import MONTHLY_QUERIES, REPEATS, count_late_rows, observe
from clv_pipeline.state import HIDDEN
from clv_pipeline.steps import REFIT_FOR, Reach, Read, Step, StepSpec, Table, name_references, reached_months

_CHECKS, _DIAGNOSES, _MEASURES, _PERFORMANCE = (
    "drift.checks",
    "drift.diagnoses",
    "drift.measures",
    "drift.performance",
)
_FORECASTS = Read("drift.forecasts", Reach.UP_TO)
_STABLE = "distributions_are_stable"


def compute_drift(step: Step) -> dict[str, pl.DataFrame]:
    """Holds the as-of month against its references, and each month against what its past lets expect."""
    compared = _compare_customers(step)
    last = step.state.last_ended(step.period)
    if last < step.state.data_start:
        diagnoses, tracked = [], pl.DataFrame(schema=PERFORMANCE_SCHEMA)
        tables = {_CHECKS: table_checks(compared), _MEASURES: pl.DataFrame(schema=MEASURES_SCHEMA)}
    else:
        seen = observe(
            step,
            step.settings,
            data_start=step.state.data_start,
            kept_from=step.state.closed.kept_from,
            last=last,
            until=step.state.as_of_end(step.period),
            late=count_late_rows(step.state.ledger, last),
        )
        examined = examine(seen, read_thresholds(step.settings))
        references = {kind: min(month, last) for kind, month in name_references(step.state, step.period).items()}
        compared += check_categories(seen, references, examined.thresholds.psi)
        tracked = _track_forecasts(step, seen, last)
        compared += check_forecasts(tracked, last, examined.thresholds.change)
        diagnoses = diagnose(examined, compared)
        tables = {_CHECKS: table_checks([*compared, *check_month(examined)]), _MEASURES: table_measures(examined)}
    _advise(step, diagnoses, _misses_now(step, tracked, compared))
    tables[_DIAGNOSES] = table_diagnoses(diagnoses)
    tables[_PERFORMANCE] = tracked.filter(pl.col("until") == last)
    return {name: frame.select(pl.lit(step.period).alias("as_of"), pl.all()) for name, frame in tables.items()}


def read_thresholds(settings: Settings) -> Thresholds:
    """The thresholds of [drift]."""
    drift = settings.drift
    return Thresholds(
        psi=Limits(drift.psi_warn, drift.psi_alert),
        change=Limits(drift.change_warn, drift.change_alert),
        share=Limits(drift.share_warn, drift.share_alert),
        empty_days=drift.empty_days,
    )


def _misses_now(step: Step, tracked: pl.DataFrame, checks: Sequence[Check]) -> bool:
    """Whether a forecast that missed was made by the version in use: those before it have been replaced."""
    stamp = step.state.stamp("models.in_use", step.period)
    missed = [one.reference for one in checks if one.topic.kind == PERFORMANCE and one.level == ALERT]
    versions = tracked.filter(pl.col("origin").is_in(missed))["version"]
    return stamp is not None and stamp.facts.get("version") in versions


def _advise(step: Step, diagnoses: list[Diagnosis], misses: bool) -> None:
    said = "; ".join(f"{one.cause} since {one.since}: {one.meaning}" for one in diagnoses)
    passed = all(one.level != ALERT for one in diagnoses)
    step.advise(_CHECKS, _STABLE, said or "nothing moved beyond its limits", passed=passed)
    step.record(_CHECKS, {REFIT_FOR: list_refit_reasons(diagnoses, misses=misses)})


def list_refit_reasons(diagnoses: Sequence[Diagnosis], *, misses: bool) -> list[str]:
    """The alerts that a new fit takes in: customers or prices moved, or the model in use `misses`.

    A delivery that went wrong is no reason to learn from it, nor is a forecast of a version that was replaced since:
    forecasts for a year would have the models fitted every month until then.
    """
    learned = LEARNED if misses else LEARNED - {"forecast_off"}
    return [one.meaning for one in diagnoses if one.level == ALERT and one.cause in learned]


def _track_forecasts(step: Step, seen: Observations, last: str) -> pl.DataFrame:
    """Every forecast that was made in an as-of month up to this one and whose months have ended."""
    step.lake.expose(step.con, _FORECASTS.table, reached_months(_FORECASTS, step.state, step.period))
    forecasts = step.frame("SELECT * FROM drift.forecasts ORDER BY as_of, horizon_months, cohort_month")
    return track_forecasts(forecasts, seen.cells, last, step.settings.periods.cohort_months)


def _compare_customers(step: Step) -> list[Check]:
    profiles = step.frame("SELECT * FROM drift.profiles")
    now = profiles.filter(pl.col("as_of") == step.period)
    present = set(profiles["as_of"].unique())
    limits = read_thresholds(step.settings).psi
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
            _CHECKS,
            Checks,
            "Whether data, deliveries, customers or scores differ from last month, last year, or the model's data.",
            advice=(_STABLE,),
            picture=draw_drift,
        ),
        Table(_DIAGNOSES, Diagnoses, "What happened: one cause for the many checks that one change sets off."),
        Table(
            _PERFORMANCE,
            Performance,
            "Forecasts of earlier as-of months whose months have ended now, by cohort, against what happened.",
            picture=draw_performance,
        ),
        Table(
            _MEASURES,
            Measures,
            "Every watched quantity by month, with what its past let expect.",
            picture=draw_measures,
        ),
    ),
    reads=(
        Read("drift.profiles", Reach.COMPARED),
        _FORECASTS,
        Read("models.in_use", Reach.SAME),
        Read("rfm.customers", Reach.SAME),
        Read("marts.customer_periods", Reach.HISTORY),
        Read(HIDDEN, Reach.KNOWN),
        Read("transactions.lines", Reach.HISTORY),
        Read("transactions.quarantine", Reach.HISTORY),
        Read("landing.lines", Reach.LANDED),
    ),
    compute=compute_drift,
    sql=(*MONTHLY_QUERIES, REPEATS, "7_drift/newcomers"),
    knobs=("drift.", "source.columns", "periods.cohort"),
    code=("clv/drift", "stages/drift", "stages/observations"),
    kinds=frozenset({"duckdb", "python", "parquet"}),
)
