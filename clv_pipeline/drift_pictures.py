"""Pictures of the drift stage for the metadata of a materialisation: series over time, forecasts against what happened.

Belongs here: which series and forecasts, and how they are drawn small. Does not belong here: bars (`pictures.py`), the
report's charts (`report/charts/monitoring.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from clv_pipeline.pictures import Bar, draw_bars, open_svg, quote_text, shorten

_WIDE, _HIGH, _TEXT = 150, 24, 12
_POINTS = (24, 18, 12)
_MOST, _FEWEST = 6, 2


@dataclass(frozen=True)
class Spark:
    """A small line with its name; `expected` is drawn beside it from the month on that it is known in."""

    name: str
    values: Sequence[float]
    expected: Sequence[float | None]


def draw_measures(measures: pl.DataFrame) -> str:
    """Watched series by month above each other, those that are furthest from what was expected first."""
    latest = measures.filter(pl.col("period") == pl.col("period").max())
    beyond = (pl.col("value") - pl.col("expected")).abs() / (pl.col("upper") - pl.col("expected"))
    ranked = latest.sort(beyond.fill_nan(None), "feature", descending=[True, False], nulls_last=True)["feature"]
    series = [measures.filter(pl.col("feature") == feature).sort("period") for feature in ranked]
    return _draw([_read_spark(one) for one in series if one["value"].n_unique() > 1][:_MOST])


def draw_performance(performance: pl.DataFrame) -> str:
    """What happened relative to the forecast of the whole base, by horizon; the mark is where it was right."""
    whole = performance.filter((pl.col("cohort") == "all") & pl.col("ratio").is_not_null())
    bars = [
        Bar(f"{row['target']} {row['horizon_months']} m", row["ratio"], f"{row['ratio']:.2f}", 1.0)
        for row in whole.sort("target", "horizon_months").iter_rows(named=True)
    ]
    return draw_bars("happened / forecast; mark: 1", bars)


def _read_spark(series: pl.DataFrame) -> Spark:
    feature, value, expected, level = series.select("feature", "value", "expected", "level").row(-1)
    change = f" {value / expected - 1:+.0%}" if expected else ""
    moved = f" {level}" if level in ("warn", "alert") else ""
    return Spark(f"{feature}{change}{moved}", series["value"].to_list(), series["expected"].to_list())


def _draw(sparks: Sequence[Spark]) -> str:
    """As many of the lines, and as many of their points, as the web interface shows without a click."""
    attempts = ((shown, points) for shown in range(len(sparks), 0, -1) for points in _POINTS)
    drawn = (_draw_below(sparks[:shown], points) for shown, points in attempts)
    return shorten("by month; orange: expected", drawn)


def _draw_below(sparks: Sequence[Spark], points: int) -> str:
    pitch = _HIGH + _TEXT
    happened, expected, texts = "", "", ""
    for row, spark in enumerate(sparks):
        lines = [spark.values[-points:], spark.expected[-points:]]
        known = [value for line in lines for value in line if value is not None]
        scale = (_HIGH - 2) / ((max(known) - min(known)) or 1.0)
        top = row * pitch + 1 + max(known) * scale
        step = _WIDE // max(len(lines[0]) - 1, 1)
        happened, expected = (
            drawn + _trace([None if value is None else round(top - value * scale) for value in line], step)
            for drawn, line in zip((happened, expected), lines, strict=True)
        )
        texts += f"<tspan%20x='0'%20y='{(row + 1) * pitch - 2}'>{quote_text(spark.name)}</tspan>"
    paths = "".join(
        f"<path%20d='{path}'%20fill='none'%20stroke='%23{colour}'/>"
        for path, colour in ((expected, "d50"), (happened, "07b"))
    )
    text = f"<text%20font-size='10'%20font-family='Arial'>{texts}</text>"
    return f"{open_svg(_WIDE, pitch * len(sparks))}{paths}{text}</svg>"


def _trace(heights: Sequence[int | None], step: int) -> str:
    """A path from the first known height on; its parts are written as differences, which take fewer characters."""
    known = [(at, height) for at, height in enumerate(heights) if height is not None]
    if len(known) < _FEWEST:
        return ""
    parts = [f"{(b - a) * step},{high_b - high_a}" for (a, high_a), (b, high_b) in pairwise(known)]
    return f"M{known[0][0] * step},{known[0][1]}l{','.join(parts)}"
