"""Stage 5: forecasts from an earlier month, held against what customers did up to the as-of month.

Belongs here: which months are origins, and what is known at each. Does not belong here: forecasts and measures
(`clv/backtest/`), or the fit that scores are made from (`models.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from clv_pipeline.attributes import join_attributes
from clv_pipeline.clv.backtest import Fold, FoldResult, choose_model, run_fold, sample_fitted, track_weeks
from clv_pipeline.fitting import ask_fit, fit
from clv_pipeline.periods import last_day, shift_period
from clv_pipeline.pictures import draw_choice
from clv_pipeline.schemas.backtest import BacktestCalibration, BacktestMeasures, BacktestPit, BacktestWeeks, Choice
from clv_pipeline.settings import Settings
from clv_pipeline.sql import bind, load_sql
from clv_pipeline.stages.refit import REFIT_READS, REFITS, REFITS_TABLE, carry_over, find_refit, tabulate_refit
from clv_pipeline.steps import Reach, Read, Step, StepSpec, Table

_MEASURES, _CALIBRATION, _PIT, _WEEKS, _CHOICE = (
    "models.backtest",
    "models.backtest_calibration",
    "models.backtest_pit",
    "models.backtest_weeks",
    "models.choice",
)
_PERIODS = "marts.customer_periods"
# Fewer say more about chance than about a model.
_FEWEST_CUSTOMERS, _FEWEST_REPEATERS = 100, 10
_HISTORY_PER_HORIZON = 1.5
_YEAR = 12
# By what they are made from: the folds that fits were asked for and that are still to be judged.
_kept_folds: dict[str, list[Fold]] = {}


@dataclass(frozen=True)
class _Origin:
    """An origin, and the last month and day of what its forecasts are held against."""

    month: str
    until: str
    until_end: date
    horizon_months: int

    @property
    def end(self) -> date:
        """The last day that is known at the origin."""
        return last_day(self.month)

    @property
    def weeks(self) -> float:
        """The weeks that a forecast looks ahead."""
        return (self.until_end - self.end).days / 7


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
    results: list[tuple[_Origin, FoldResult]] = []
    weeks = pl.DataFrame()
    for origin, fold in zip(origins, take_folds(step, origins), strict=False):
        models = step.settings.models
        results.append((origin, run_fold(fold, models.candidates, priors=models.priors, fit=fit)))
        if len(results) == 1:
            weeks = track_weeks(fold.customers, _count_weeks(step, origin), results[0][1].fitted, origin.weeks)
    if not results:
        step.record(_CHOICE, {"notes": [_explain_nothing(step, origins)]})
        return {table.name: table.schema.empty() for table in BACKTEST.tables if table.name != REFITS}
    notes = [note for _, result in results for note in result.notes]
    choice = choose_model([result.measures for _, result in results])
    step.record(_CHOICE, {"notes": list(dict.fromkeys(notes))})
    return _name_tables(step, results, weeks, choice)


def ask_fits(step: Step) -> None:
    """Has the candidates fitted while other steps run; the folds are kept for `compute_backtest`."""
    made_from = BACKTEST.inputs(step.state, step.period)
    if made_from is None or not find_refit(step).due:
        return
    models = step.settings.models
    folds = take_folds(step, choose_origins(step))
    _kept_folds.clear()
    _kept_folds[made_from] = folds
    for fold in folds:
        for candidate in models.candidates:
            ask_fit(sample_fitted(fold.customers), transactions=candidate, estimation="map", priors=models.priors)


def take_folds(step: Step, origins: Sequence[_Origin]) -> list[Fold]:
    """The folds of the origins, up to the first with too few customers to judge a model by."""
    if kept := _kept_folds.pop(BACKTEST.inputs(step.state, step.period) or "", None):
        return kept
    folds: list[Fold] = []
    for origin in origins:
        fold = _take_fold(step, origin)
        repeaters = fold.customers.filter(pl.col("frequency") > 0).height
        if fold.customers.height < _FEWEST_CUSTOMERS or repeaters < _FEWEST_REPEATERS:
            break
        folds.append(fold)
    return folds


def choose_origins(step: Step) -> list[_Origin]:
    """The origins of the folds, the latest first: one horizon before the last month that has ended, two, and so on.

    Their holdouts do not overlap, so that no purchase judges a model twice. The horizon is the configured one, or
    value.horizon_months shortened so that the history before the latest origin is at least 1.5 times as long; either
    leaves [backtest] min_months of history, or there is no origin.
    """
    until = step.state.last_ended(step.period)
    until_end = last_day(until)
    months = [month for month in step.state.periods if month <= until]
    horizon = _choose_horizon(step.settings, len(months))
    origins: list[_Origin] = []
    for number in range(1, step.settings.backtest.folds + 1):
        history = len(months) - number * horizon
        if horizon < 1 or history < step.settings.backtest.min_months:
            break
        month = shift_period(until, -horizon)
        origins.append(_Origin(month, until, until_end, horizon))
        until, until_end = month, last_day(month)
    return origins


def _choose_horizon(settings: Settings, months: int) -> int:
    longest = months - settings.backtest.min_months
    if settings.backtest.horizon_months:
        return min(settings.backtest.horizon_months, longest)
    supported = max(int(months / (1 + _HISTORY_PER_HORIZON)), 1)
    return min(settings.value.horizon_months, supported, longest)


def _explain_nothing(step: Step, origins: list[_Origin]) -> str:
    if origins:
        return (
            f"No backtest: {origins[0].month} knows fewer than {_FEWEST_CUSTOMERS} customers or {_FEWEST_REPEATERS}"
            " with a repeat purchase, too few to judge a model by."
        )
    return f"No backtest: it takes more than {step.settings.backtest.min_months} months of data before the as-of month."


def _take_fold(step: Step, origin: _Origin) -> Fold:
    first = step.state.data_start
    before = shift_period(origin.month, -origin.horizon_months)
    last_from = max(shift_period(origin.month, -_YEAR), shift_period(first, -1))
    last_weeks = (origin.end - last_day(last_from)).days / 7
    known = _know(step, origin.month, origin.end)
    later = _know(step, origin.until, origin.until_end)
    earlier = _know(step, before, last_day(before)) if before >= first else known.clear()
    step.lake.expose(step.con, _PERIODS, _list_months(step, origin.until))
    actual = _sum_window(step, origin.month, origin.until)
    last = _sum_window(step, last_from, origin.month)
    return Fold(
        customers=_join_window(_join_window(known, last, "last"), actual, "actual"),
        newcomers=later.filter(pl.col("first_order").dt.date() > origin.end),
        earlier=_join_window(earlier, _sum_window(step, before, origin.month), "actual"),
        weeks=origin.weeks,
        last_weeks=last_weeks,
    )


def _know(step: Step, month: str, end: date) -> pl.DataFrame:
    """The customers as known at the end of `month`: the lake is exposed up to it, so that nothing later can leak."""
    step.lake.expose(step.con, _PERIODS, _list_months(step, month))
    step.materialize("marts.customers", step.select("2_marts/customers"))
    rfm = bind(load_sql("3_rfm/customers"), **(step.parameters | {"as_of": month, "as_of_end": end}))
    known = step.frame(
        f'SELECT k.customer_id, c.cohort, k.frequency, k.recency, k."T", k.monetary_value, k.spend, k.first_order'
        f" FROM ({rfm}) AS k INNER JOIN marts.customers AS c ON k.customer_id = c.customer_id ORDER BY k.customer_id"
    )
    return join_attributes(step, step.settings, known, step.settings.models.covariates)


def _list_months(step: Step, last: str) -> list[str]:
    return [month for month in step.state.periods if month <= last]


def _sum_window(step: Step, from_month: str, to_month: str) -> pl.DataFrame:
    return step.frame(step.select("5_models/backtest_window", from_month=from_month, to_month=to_month))


def _join_window(customers: pl.DataFrame, window: pl.DataFrame, name: str) -> pl.DataFrame:
    """`customers` with what they did in the window; returns that exceed what was bought leave nothing spent."""
    sums = {f"{name}_purchases": pl.col("purchases").fill_null(0)}
    sums[f"{name}_spend"] = pl.col("bought").cast(pl.Float64).fill_null(0.0).clip(lower_bound=0.0)
    joined = customers.join(window.rename({"spend": "bought"}), "customer_id", "left", maintain_order="left")
    return joined.with_columns(**sums).drop("purchases", "bought")


def _count_weeks(step: Step, origin: _Origin) -> dict[int, float]:
    parameters = {"origin_end": origin.end, "until_end": origin.until_end}
    return dict(step.frame(step.select("5_models/backtest_weeks", **parameters)).iter_rows())


def _name_tables(
    step: Step, results: list[tuple[_Origin, FoldResult]], weeks: pl.DataFrame, choice: pl.DataFrame
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


BACKTEST = StepSpec(
    name="backtest",
    stage="models",
    tables=(
        Table(_MEASURES, BacktestMeasures, "How well models and plain baselines forecast what customers then did."),
        Table(
            _CALIBRATION, BacktestCalibration, "Forecast against actual means, by frequency and by decile of forecast."
        ),
        Table(_PIT, BacktestPit, "Whether intervals hold what they promise: even shares say that they do."),
        Table(_WEEKS, BacktestWeeks, "Repeat purchases week by week, actual and expected, around the origin."),
        Table(_CHOICE, Choice, "Which purchase model did best in the backtest, and why.", picture=draw_choice),
        REFITS_TABLE,
    ),
    reads=(
        # A month that is still open says little more than the last: it is not worth a backtest every day.
        Read(_PERIODS, Reach.ENDED),
        Read("marts.orders", Reach.ENDED),
        Read("marts.first_orders", Reach.ENDED),
        Read("landing.customers", Reach.WHOLE),
        Read(_MEASURES, Reach.BEFORE),
        *REFIT_READS,
    ),
    compute=compute_backtest,
    sql=(
        *("2_marts/customers", "3_rfm/customers", "4_lenses/first_order_attributes"),
        *("5_models/backtest_window", "5_models/backtest_weeks"),
    ),
    knobs=(
        *(f"models.{name}" for name in ("candidates", "priors", "refit", "covariates")),
        *("backtest.", "value.horizon_months", "periods.cohort", "source.columns"),
    ),
    code=("clv/backtest", "clv/models", "clv/scores", "stages/refit", "attributes"),
    kinds=frozenset({"python", "pymc"}),
    one_at_a_time=True,
    sees="ended",
    ask_ahead=ask_fits,
)
