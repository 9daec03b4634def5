"""Stage 5: forecasts from an earlier month, held against what customers did up to the as-of month.

Belongs here: the folds of a month, and the tables. Does not belong here: which months are origins
(`backtest_folds.py`), forecasts and measures (`clv/backtest/`), the fit that scores are made from (`models.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from clv_pipeline.clv.backtest import (
    Fold,
    FoldResult,
    Judgement,
    choose_model,
    judge_folds,
    track_weeks,
)
from clv_pipeline.fitting import Asked, ask, is_prepared
from clv_pipeline.pictures import draw_calibration, draw_choice, draw_tracking
from clv_pipeline.schemas import backtest as schemas
from clv_pipeline.stages.backtest_folds import PERIODS, Origin, choose_lesson, choose_origins, take_fold
from clv_pipeline.stages.refit import REFIT_READS, REFITS, REFITS_TABLE, carry_over, find_refit, tabulate_refit
from clv_pipeline.state import HIDDEN
from clv_pipeline.steps import Reach, Read, Step, StepSpec, Table

_MEASURES, _CALIBRATION, _PIT, _WEEKS, _CHOICE, _RECALIBRATION = (
    "models.backtest",
    "models.backtest_calibration",
    "models.backtest_pit",
    "models.backtest_weeks",
    "models.choice",
    "models.recalibration",
)
# Fewer say more about chance than about a model.
_FEWEST_CUSTOMERS, _FEWEST_REPEATERS = 100, 10


@dataclass(frozen=True)
class _Ahead:
    """The folds of an as-of month, and what was asked of them before the step runs."""

    folds: list[Fold]
    judgement: Asked[Judgement]


# By what they are made from.
_ahead: dict[str, _Ahead] = {}


def compute_backtest(step: Step) -> dict[str, pl.DataFrame]:
    """Judges every candidate from the latest origin back, and says which model did best, when a fit is due."""
    refit = find_refit(step)
    decided = {REFITS: tabulate_refit(step, refit)}
    judged = [table for table in BACKTEST.tables if table.name != REFITS]
    if not refit.due and (carried := carry_over(step, judged)):
        return decided | carried
    return decided | _judge(step)


def _judge(step: Step) -> dict[str, pl.DataFrame]:
    origins = choose_origins(step)
    ahead = _ahead.pop(BACKTEST.inputs(step.state, step.period) or "", None)
    folds = ahead.folds if ahead else take_folds(step, origins)
    if not folds:
        step.record(_CHOICE, {"notes": [_explain_nothing(step, origins)]})
        return {table.name: table.schema.empty() for table in BACKTEST.tables if table.name != REFITS}
    judgement = (ahead.judgement if ahead else _ask_judgement(step, origins, folds)).result()
    results = list(zip(origins, judgement.results, strict=False))
    first, latest = origins[0], results[0][1]
    weeks = track_weeks(folds[0].customers, _count_weeks(step, first), latest.fitted, first.weeks)
    notes = [note for _, result in results for note in result.notes]
    choice = choose_model([result.measures for _, result in results])
    step.record(_CHOICE, {"notes": list(dict.fromkeys(notes))})
    recalibrations = _name_recalibrations(step, first, judgement.recalibrations)
    return _name_tables(step, results, weeks, choice) | recalibrations


def _ask_judgement(step: Step, origins: Sequence[Origin], folds: Sequence[Fold]) -> Asked[Judgement]:
    """Has the folds judged: those that have an origin, taught by one before them where there is one."""
    models = step.settings.models
    judged, lessons = folds[: len(origins)], folds[len(origins) :]
    recalibrate = step.settings.backtest.recalibrate
    return ask(judge_folds, judged, lessons, models.candidates, priors=models.priors, recalibrate=recalibrate)


def ask_backtest_ahead(step: Step) -> None:
    """Has the folds judged while other steps run, for `compute_backtest`."""
    made_from = BACKTEST.inputs(step.state, step.period)
    if made_from is None or not is_prepared() or not find_refit(step).due:
        return
    origins = choose_origins(step)
    _ahead.clear()
    if folds := take_folds(step, origins):
        _ahead[made_from] = _Ahead(folds, _ask_judgement(step, origins, folds))


def take_folds(step: Step, origins: Sequence[Origin]) -> list[Fold]:
    """The folds of the origins and of the lesson, up to the first with too few customers to judge a model by."""
    folds: list[Fold] = []
    for origin in (*origins, *choose_lesson(step, origins)):
        fold = take_fold(step, origin)
        repeaters = fold.customers.filter(pl.col("frequency") > 0).height
        if fold.customers.height < _FEWEST_CUSTOMERS or repeaters < _FEWEST_REPEATERS:
            break
        folds.append(fold)
    return folds


def _explain_nothing(step: Step, origins: list[Origin]) -> str:
    if origins:
        return (
            f"No backtest: {origins[0].month} knows fewer than {_FEWEST_CUSTOMERS} customers or {_FEWEST_REPEATERS}"
            " with a repeat purchase, too few to judge a model by."
        )
    return f"No backtest: it takes more than {step.settings.backtest.min_months} months of data before the as-of month."


def _count_weeks(step: Step, origin: Origin) -> dict[int, float]:
    parameters = {"origin_end": origin.end, "until_end": origin.until_end}
    return dict(step.frame(step.select("5_models/backtest_weeks", **parameters)).iter_rows())


def _name_tables(
    step: Step, results: list[tuple[Origin, FoldResult]], weeks: pl.DataFrame, choice: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    as_of = pl.lit(step.period).alias("as_of")
    latest = results[0][0]

    def gather(name: str) -> pl.DataFrame:
        return pl.concat(
            getattr(result, name).select(
                as_of, pl.lit(fold, pl.Int64).alias("fold"), pl.lit(origin.month).alias("origin"), pl.all()
            )
            for fold, (origin, result) in enumerate(results, start=1)
        )

    horizon = pl.lit(latest.horizon_months, pl.Int64).alias("horizon_months")
    measures = gather("measures").select("as_of", "fold", "origin", horizon, pl.exclude("as_of", "fold", "origin"))
    return {
        _MEASURES: measures,
        _CALIBRATION: gather("calibration"),
        _PIT: gather("pit"),
        _WEEKS: weeks.select(as_of, pl.lit(latest.month).alias("origin"), pl.all()),
        _CHOICE: choice.select(as_of, pl.all()),
    }


def _name_recalibrations(step: Step, origin: Origin, recalibrations: pl.DataFrame) -> dict[str, pl.DataFrame]:
    identity = pl.lit(step.period).alias("as_of"), pl.lit(origin.month).alias("origin")
    return {_RECALIBRATION: recalibrations.select(*identity, pl.all())}


BACKTEST = StepSpec(
    name="backtest",
    stage="models",
    tables=(
        Table(
            _MEASURES, schemas.BacktestMeasures, "How well models and plain baselines forecast what customers then did."
        ),
        Table(
            _CALIBRATION,
            schemas.BacktestCalibration,
            "Forecast against actual means, by frequency and by decile of forecast.",
            picture=draw_calibration,
        ),
        Table(_PIT, schemas.BacktestPit, "Whether intervals hold what they promise: even shares say that they do."),
        Table(
            _WEEKS,
            schemas.BacktestWeeks,
            "Repeat purchases week by week, actual and expected, around the origin.",
            picture=draw_tracking,
        ),
        Table(_CHOICE, schemas.Choice, "Which purchase model did best in the backtest, and why.", picture=draw_choice),
        Table(_RECALIBRATION, schemas.Recalibration, "What the latest fold teaches about the intervals of the scores."),
        REFITS_TABLE,
    ),
    reads=(
        # A month that is still open says little more than the last: it is not worth a backtest every day.
        Read(PERIODS, Reach.ENDED),
        Read("marts.orders", Reach.ENDED),
        Read("marts.first_orders", Reach.ENDED),
        Read("landing.customers", Reach.KNOWN),
        Read(HIDDEN, Reach.KNOWN),
        Read(_MEASURES, Reach.BEFORE),
        *REFIT_READS,
    ),
    compute=compute_backtest,
    sql=(
        *("2_marts/customers", "3_rfm/customers", "4_lenses/first_order_attributes", "4_lenses/valid_customers"),
        *("5_models/backtest_window", "5_models/backtest_weeks"),
    ),
    knobs=(
        *(f"models.{name}" for name in ("candidates", "priors", "refit", "covariates")),
        *("backtest.", "value.horizon_months", "periods.cohort", "source.columns"),
    ),
    code=("clv/backtest", "clv/models", "clv/scores", "stages/refit", "stages/backtest_folds", "customers/attributes"),
    kinds=frozenset({"python", "pymc"}),
    one_at_a_time=True,
    sees="ended",
    ask_ahead=ask_backtest_ahead,
)
