"""Backtest: can this forecast be trusted, and why this model.

Belongs here: the wording, and which of models and baselines is shown where. Does not belong here: measuring a forecast
(`clv/backtest`), drawing it (`charts/backtest.py`).
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, FigureGrid, Note, Section, empty_section
from clv_pipeline.report.charts.backtest import draw_bins, draw_pit, draw_tracking
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.sections.models import MODEL_NAMES
from clv_pipeline.report.tables import Column, Table, amounts, build_table, counts, decimals, label, shares

_ID, _TITLE, _QUESTION = "models-backtest", "Backtest", "Can I trust this forecast?"
CANDIDATES = {name: MODEL_NAMES[name] for name in ("bg_nbd", "mbg_nbd", "pareto_nbd")}
BASELINES = {
    "last_year": "Last year again",
    "cohort_mean": "Average of the cohort",
    "nbd": "NBD: nobody goes inactive",
    "recency_frequency_bins": "Like similar customers before",
}
_NAMES = CANDIDATES | BASELINES
# Coverage of 90% intervals that chance explains on a few thousand customers.
_FAIR_COVERAGE = (0.88, 0.92)
_MONEY = ("much", "little")


def build_section(data: ReportData) -> Section | None:
    """What was forecast from an earlier month beside what happened, for every model and baseline."""
    if "models.backtest" not in data.tables:
        return None
    measures = data.table("models.backtest")
    if measures.is_empty():
        sentence = (
            "No forecast could be held against what happened: that takes some months of data after the first ones, "
            "and 100 customers known before them."
        )
        return empty_section(_ID, _TITLE, sentence)
    latest = measures.filter(fold=1)
    summary = summarise(latest)
    shown = choose_shown(data, summary)
    blocks: list[Block] = [Note(describe_backtest(data, latest, summary, shown)), _build_table(data, summary)]
    weeks = data.table("models.backtest_weeks")
    if not weeks.is_empty():
        blocks.append(_build_tracking(weeks))
    blocks.append(_build_bins(data, shown))
    blocks.append(_build_pits(data, latest, shown))
    blocks.append(_build_measures(data, measures))
    return Section(_ID, _TITLE, blocks, _QUESTION)


def summarise(latest: pl.DataFrame) -> pl.DataFrame:
    """One row per model and baseline, the best by error first, with a column '<target>_<metric>' for each metric."""
    wide = (
        latest.filter(segment="all")
        .with_columns(name=pl.col("target") + "_" + pl.col("metric"))
        .pivot("name", index="model", values="value")
    )
    return wide.sort("purchases_mae", "model")


def choose_shown(data: ReportData, summary: pl.DataFrame) -> str:
    """The model in use where it was judged, else the best candidate."""
    judged = [model for model in summary["model"] if model in CANDIDATES]
    in_use = data.facts.model_name
    return str(in_use if in_use in judged else (judged or summary["model"].to_list())[0])


def describe_backtest(data: ReportData, latest: pl.DataFrame, summary: pl.DataFrame, shown: str) -> list[str]:
    """What was done, how far off the model in use was, whether it beats doing without, which is best."""
    first = latest.row(0, named=True)
    row = summary.row(by_predicate=pl.col("model") == shown, named=True)
    months = n.plural(first["horizon_months"], "month")
    sentences = [
        f"Every model was fitted to what was known at the end of {n.month(first['origin'])} and asked what these "
        f"{n.count(row['purchases_customers'])} customers would do in the {months} after it; so was what one would do "
        "without a model.",
        f"{_NAMES[shown]}{_say_use(data, shown)} forecast {n.count(row['purchases_forecast'])} purchases; "
        f"{n.count(row['purchases_actual'])} were made ({_say_error(row['purchases_total_error'])}). "
        f"For spend it forecast {n.money(row['spend_forecast'], data.facts.currency)} against "
        f"{n.money(row['spend_actual'], data.facts.currency)} ({_say_error(row['spend_total_error'], _MONEY)}).",
        *_say_corrections(row),
        _compare_baselines(summary, shown),
    ]
    choice = data.table("models.choice")
    chosen = choice.filter("chosen") if not choice.is_empty() else choice
    if not chosen.is_empty():
        sentences.append(f"Of the models, {_NAMES[chosen['model'][0]]} did best. {chosen['sentence'][0]}")
    coverage = row.get("spend_coverage_90")
    if coverage is not None:
        sentences.append(_say_coverage(float(coverage), row.get("spend_uncorrected_coverage_90")))
    return sentences


def _say_corrections(row: Mapping[str, Any]) -> list[str]:
    texts: list[str] = []
    if (row.get("purchases_pace") or 1) != 1:
        texts.append(
            f"All rates of purchase were multiplied by {n.plain(row['purchases_pace'], 2)} (the pace), as forecasts of"
            " the same months in earlier years asked for."
        )
    if (row.get("spend_spend_level") or 1) != 1:
        texts.append(
            f"Spend per purchase was multiplied by {n.plain(row['spend_spend_level'], 2)} (the spend level), as the"
            " trend of single customers asked for."
        )
    if not texts:
        return []
    return [
        *texts,
        f"Uncorrected, purchases would have been {_say_error(row['purchases_uncorrected_total_error'])}, spend"
        f" {_say_error(row['spend_uncorrected_total_error'], _MONEY)}.",
    ]


def _say_use(data: ReportData, shown: str) -> str:
    return ", the model in use," if data.facts.model_name == shown else ""


def _say_error(error: float | None, words: tuple[str, str] = ("many", "few")) -> str:
    if error is None:
        return "there were none"
    return f"{n.share(abs(error))} too {words[0] if error > 0 else words[1]}" if abs(error) >= 0.0005 else "spot on"


def _compare_baselines(summary: pl.DataFrame, shown: str) -> str:
    own = summary.row(by_predicate=pl.col("model") == shown, named=True)["purchases_mae"]
    plain = summary.filter(pl.col("model").is_in(list(BASELINES)))
    if plain.is_empty():
        return "There is no baseline to compare it with."
    best = plain.row(0, named=True)
    name, lead = BASELINES[best["model"]], 1 - own / best["purchases_mae"]
    if lead > 0:
        return f"For a single customer it is off by {n.share(lead)} less than the best plain rule (“{name}”)."
    return (
        f"For a single customer the plain rule “{name}” is off by {n.share(-lead)} less: the model adds nothing here."
    )


def _say_coverage(coverage: float, uncorrected: float | None) -> str:
    low, high = _FAIR_COVERAGE
    verdict = "as they should" if low <= coverage <= high else "too few" if coverage < low else "more than they promise"
    held = f"Its 90% intervals held what {n.share(coverage)} of the customers then spent: {verdict}."
    if uncorrected is None:
        return held
    return f"{held} Without what an earlier fold taught about them they would have held {n.share(uncorrected)}."


def _build_table(data: ReportData, summary: pl.DataFrame) -> Table:
    choice = data.table("models.choice")
    best = [] if choice.is_empty() else choice.filter("chosen")["model"].to_list()
    mark = pl.when(pl.col("model").is_in(best)).then(pl.lit(" (best model)")).otherwise(pl.lit(""))
    named = summary.with_columns(model=pl.col("model").replace(_NAMES) + mark)
    made = n.count(summary["purchases_actual"][0])
    spent = n.money(summary["spend_actual"][0], data.facts.currency)
    return build_table(
        "backtest",
        f"Models and plain rules; what happened: {made} purchases, {spent}",
        named,
        [
            label("model", "Forecast by"),
            counts("purchases_forecast", "Purchases forecast"),
            shares("purchases_total_error", "Total off by"),
            decimals("purchases_mae", "MAE", 3),
            decimals("purchases_rmse", "RMSE", 3),
            shares("spend_total_error", "Spend off by"),
            amounts("spend_mae", "Spend MAE", data.facts.currency),
            decimals("purchases_gini", "Sorting (Gini)"),
            decimals("purchases_lift", "Best tenth"),
            shares("spend_coverage_90", "In 90% interval"),
        ],
        csv=summary,
        csv_name=f"backtest_{data.facts.as_of}.csv",
        note=(
            "The smallest error first. MAE: by how much the forecast for one customer is off on average. Sorting: 1 "
            "sorts customers as well as hindsight, 0 not at all. Best tenth: what the tenth with the highest "
            "forecasts bought, in multiples of the average customer. In 90% interval: customers whose spend lies in it."
        ),
    )


def _build_tracking(weeks: pl.DataFrame) -> FigureGrid:
    cumulative = draw_tracking(weeks, "cumulative", "Repeat purchases so far", CANDIDATES)
    weekly = draw_tracking(weeks, "weekly", "Repeat purchases a week", CANDIDATES)
    last = weeks.filter(pl.col("week") == pl.col("week").max())
    ends = n.join_words(
        [f"{CANDIDATES[row['model']]} {n.count(row['cumulative_expected'])}" for row in last.iter_rows(named=True)]
    )
    made = n.count(last["cumulative_actual"][0])
    sentence = f"By week {last['week'][0]}, {made} repeat purchases were made; expected: {ends}."
    note = "Up to week 0 the models were fitted, after it they forecast."
    return FigureGrid(
        [
            Figure("chart-backtest-cumulative", "Repeat purchases so far", sentence, cumulative, note),
            Figure(
                "chart-backtest-weekly",
                "Repeat purchases week by week",
                "A model knows no season: what stands out from its smooth curve is season, campaign or chance.",
                weekly,
            ),
        ]
    )


def _build_bins(data: ReportData, shown: str) -> FigureGrid:
    bins = data.table("models.backtest_calibration").filter(fold=1, target="purchases")
    frequency = bins.filter(pl.col("grouping") == "frequency", pl.col("model").is_in(list(CANDIDATES)))
    deciles = bins.filter(grouping="decile", model=shown)
    own = frequency.filter(model=shown)
    worst = own.with_columns(gap=(pl.col("mean_forecast") - pl.col("mean_actual")).abs() * pl.col("customers"))
    row = worst.sort("gap", descending=True).row(0, named=True)
    sentence = (
        f"{_NAMES[shown]} is off most for customers with {row['bin']} repeat purchases before: forecast "
        f"{n.plain(row['mean_forecast'], 2)} purchases a customer, {n.plain(row['mean_actual'], 2)} made."
    )
    top = deciles.row(0, named=True)
    calibrated = (
        f"The tenth with the highest forecasts made {n.plain(top['mean_actual'], 2)} purchases a customer, "
        f"{n.plain(top['mean_forecast'], 2)} were forecast."
    )
    return FigureGrid(
        [
            Figure(
                "chart-backtest-frequency",
                "Purchases after, by repeat purchases before",
                sentence,
                draw_bins(frequency, "Repeat purchases before the origin", CANDIDATES),
            ),
            Figure(
                "chart-backtest-deciles",
                "Purchases by decile of the forecast",
                calibrated,
                draw_bins(deciles, "Decile of the forecast, the highest first", {shown: _NAMES[shown]}),
            ),
        ]
    )


def _build_pits(data: ReportData, latest: pl.DataFrame, shown: str) -> FigureGrid:
    pit = data.table("models.backtest_pit").filter(fold=1, model=shown)
    return FigureGrid(
        [
            Figure(
                f"chart-backtest-pit-{target}",
                f"Where actual {target} lie in the forecast distribution"
                if target == "purchases"
                else "Where actual spend lies in the forecast distribution",
                _describe_pit(latest, shown, target),
                draw_pit(rows),
                "Even bars: the intervals hold what they promise. High at the right: customers do more than expected. "
                "High at both ends: the intervals are too narrow. Those who bought nothing are spread over the bars "
                "that this outcome covers.",
            )
            for target in ("purchases", "spend")
            if not (rows := pit.filter(target=target)).is_empty()
        ]
    )


def _describe_pit(latest: pl.DataFrame, shown: str, target: str) -> str:
    rows = latest.filter(model=shown, target=target, segment="all")
    value = dict(rows.select("metric", "value").iter_rows())
    held = n.join_words([f"{n.share(value[f'coverage_{level}'])} in the {level}%" for level in (50, 80, 90, 95)])
    return f"Of the customers' {target}, the intervals held {held} one."


def _build_measures(data: ReportData, measures: pl.DataFrame) -> Table:
    groups = measures.filter(
        pl.col("metric").is_in(["customers", "actual", "forecast", "mae", "total_error", "coverage_90"]),
        pl.col("segment") != "all",
    )
    wide = groups.pivot("metric", index=["fold", "origin", "model", "target", "segment"], values="value")
    return build_table(
        "backtest-groups",
        "By cohort, frequency and decile, every model",
        wide.with_columns(pl.col("model").replace(_NAMES), pl.col("segment").str.replace(":", " ")),
        [
            label("origin", "Origin"),
            label("model", "Forecast by"),
            label("target", "Of"),
            label("segment", "Customers"),
            counts("customers", "Number"),
            counts("actual", "Actual"),
            counts("forecast", "Forecast"),
            shares("total_error", "Total off by"),
            Column("mae", "MAE", n.as_significant),
            shares("coverage_90", "In 90% interval"),
        ],
        csv=wide,
        csv_name=f"backtest_groups_{data.facts.as_of}.csv",
        note="Newcomers were acquired after the origin: no model has seen them, only their first day is known.",
        folded=True,
    )
