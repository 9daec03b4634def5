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
from clv_pipeline.clv.scores.pair import WEEKS_PER_MONTH
from clv_pipeline.fitting import Asked, ask, is_prepared
from clv_pipeline.pictures import draw_calibration, draw_choice, draw_tracking
from clv_pipeline.schemas import backtest as schemas
from clv_pipeline.stages.backtest_folds import (
    PERIODS,
    Origin,
    choose_lesson,
    choose_origins,
    choose_years,
    know_spend_level,
    take_fold,
)
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
class _Folds:
    """Those that are judged, the latest first; the one that only teaches; and for the scores and each that is judged,
    the forecasts of the same months in earlier years; and the spend level of the scores.
    """

    judged: list[Fold]
    lessons: list[Fold]
    years: list[list[Fold]]
    spend_level: float = 1.0


@dataclass(frozen=True)
class _Ahead:
    """The folds of an as-of month, and what was asked of them before the step runs."""

    folds: "_Folds"
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
    if not folds.judged:
        step.record(_CHOICE, {"notes": [_explain_nothing(step, origins)]})
        return {table.name: table.schema.empty() for table in BACKTEST.tables if table.name != REFITS}
    judgement = (ahead.judgement if ahead else _ask_judgement(step, folds)).result()
    results = list(zip(origins, judgement.results, strict=False))
    first, latest = origins[0], results[0][1]
    actual = _count_weeks(step, first)
    weeks = track_weeks(folds.judged[0].customers, actual, latest.fitted, first.weeks, judgement.paces)
    notes = [note for _, result in results for note in result.notes]
    choice = choose_model([result.measures for _, result in results])
    step.record(_CHOICE, {"notes": list(dict.fromkeys(notes))})
    recalibrations = _name_recalibrations(step, first, judgement.recalibrations)
    return _name_tables(step, results, weeks, choice) | recalibrations


def _ask_judgement(step: Step, folds: _Folds) -> Asked[Judgement]:
    """Has the folds judged, taught by those before them where there are such."""
    models = step.settings.models
    recalibrate = step.settings.backtest.recalibrate
    given = folds.judged, folds.lessons, folds.years, models.candidates
    scores = {"spend_level": folds.spend_level, "ahead": _look_ahead(step)}
    return ask(judge_folds, *given, priors=models.priors, recalibrate=recalibrate, **scores)


def ask_backtest_ahead(step: Step) -> None:
    """Has the folds judged while other steps run, for `compute_backtest`."""
    made_from = BACKTEST.inputs(step.state, step.period)
    if made_from is None or not is_prepared() or not find_refit(step).due:
        return
    origins = choose_origins(step)
    _ahead.clear()
    folds = take_folds(step, origins)
    if folds.judged:
        _ahead[made_from] = _Ahead(folds, _ask_judgement(step, folds))


def take_folds(step: Step, origins: Sequence[Origin]) -> _Folds:
    """The folds of the origins, of the lesson and of the years before, each up to the first that has too few customers
    to judge a model by.
    """
    known: dict[Origin, Fold | None] = {}

    def take_while_enough(wanted: Sequence[Origin]) -> list[Fold]:
        folds: list[Fold] = []
        for origin in wanted:
            if origin not in known:
                known[origin] = _take_enough(step, origin)
            if (fold := known[origin]) is None:
                break
            folds.append(fold)
        return folds

    judged = take_while_enough(origins)
    lessons = take_while_enough(choose_lesson(step, origins)) if len(judged) == len(origins) else []
    if not judged:
        return _Folds([], [], [])
    forecasts = [(origins[0].until, step.settings.value.horizon_months)]
    forecasts += [(origin.month, origin.horizon_months) for origin in origins[: len(judged)]]
    years = [take_while_enough(choose_years(step, *forecast)) for forecast in forecasts]
    return _Folds(judged, lessons, years, know_spend_level(step, origins[0].until, _look_ahead(step)))


def _look_ahead(step: Step) -> float:
    """The weeks that the scores look ahead."""
    return step.settings.value.horizon_months * WEEKS_PER_MONTH


def _take_enough(step: Step, origin: Origin) -> Fold | None:
    fold = take_fold(step, origin)
    repeaters = fold.customers.filter(pl.col("frequency") > 0).height
    return fold if fold.customers.height >= _FEWEST_CUSTOMERS and repeaters >= _FEWEST_REPEATERS else None


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
        *("5_models/backtest_window", "5_models/backtest_weeks", "5_models/spend_trend"),
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
