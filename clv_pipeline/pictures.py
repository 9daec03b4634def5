"""Small bar charts for the metadata of a materialisation, as an image inside Markdown.

Belongs here: the drawing, and which bars tell what is in a table. Does not belong here: the report's charts
(`report/charts/`): those take seconds to import and to render, these take a millisecond and so can go with every month.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from urllib.parse import quote

import polars as pl

# The web interface shows Markdown of less than a thousand characters without a click, so every character counts.
_LONGEST = 999
_SHOWN = 12
_PLOT, _ROW, _LETTER = 180, 16, 6
_WIDE, _HIGH, _POINTS = 240, 80, (60, 45, 30, 20, 12)
_CELL, _COLUMNS, _CELLS, _SHADES = 14, 5, 11, 4


@dataclass(frozen=True)
class Bar:
    """One bar: its value, the text beside it, and where another value (an expectation, a limit) puts a mark."""

    label: str
    value: float
    text: str
    mark: float | None = None


def draw_bars(title: str, bars: Sequence[Bar]) -> str:
    """Horizontal bars from a common zero as a Markdown image, the first 12 or as many as fit; empty without a bar."""
    return shorten(title, (_draw(bars[:shown]) for shown in range(min(len(bars), _SHOWN), 0, -1)))


def shorten(title: str, drawn: Iterable[str]) -> str:
    """The first of the images that is short enough, as Markdown; empty where none is."""
    pictures = (f"![{title}](data:image/svg+xml,{image})" for image in drawn)
    return next((picture for picture in pictures if len(picture) <= _LONGEST), "")


def _draw(bars: Sequence[Bar]) -> str:
    ends = [end for bar in bars for end in (bar.value, bar.mark or 0.0, 0.0)]
    scale = _PLOT / ((max(ends) - min(ends)) or 1.0)
    left = _LETTER * max(len(bar.label) + len(bar.text) + 3 for bar in bars)
    zero = round(left - min(ends) * scale)
    rows = [(bar, _ROW * row + 8) for row, bar in enumerate(bars)]
    lines = "".join(f"M{zero},{middle}h{round(bar.value * scale)}" for bar, middle in rows)
    marks = "".join(
        f"M{zero + round(bar.mark * scale)},{middle - 7}v14" for bar, middle in rows if bar.mark is not None
    )
    marked = f"<path d='{marks}' stroke='%23d50' stroke-width='3'/>" if marks else ""
    texts = "".join(
        f"<tspan x='0' dy='{_ROW}'>{quote_text(bar.label)}:%20{quote_text(bar.text)}</tspan>" for bar in bars
    )
    return (
        f"{open_svg(left + _PLOT + 2, _ROW * len(bars) + 4)}<path%20d='{lines}'%20stroke='%2307b'%20stroke-width='10'/>"
        f"{marked.replace(' ', '%20')}"
        f"<text%20y='-4'%20font-size='12'%20font-family='Arial'>{texts.replace(' ', '%20')}</text></svg>"
    )


def open_svg(width: int, height: int) -> str:
    """The tag that an image of that size begins with."""
    return f"<svg%20xmlns='http://www.w3.org/2000/svg'%20width='{width}'%20height='{height}'>"


def quote_text(text: str) -> str:
    """A text as it stands inside an image inside an address."""
    return quote(escape(text, quote=False), safe=",.;:+-/_&")


def draw_counts(title: str, frame: pl.DataFrame, label: str, value: str | pl.Expr) -> str:
    """One bar per value of the column `label`, in the order of the frame, as long as `value` summed."""
    summed = frame.group_by(label, maintain_order=True).agg(_sum(value))
    return draw_bars(title, [Bar(str(name), total, f"{total:,.0f}") for name, total in summed.iter_rows()])


def _sum(value: str | pl.Expr) -> pl.Expr:
    return (pl.col(value) if isinstance(value, str) else value).sum().cast(pl.Float64).fill_null(0)


def draw_segments(customers: pl.DataFrame) -> str:
    """Customers by segment, the largest first."""
    counted = customers.group_by("segment").len("customers").sort(["customers", "segment"], descending=[True, False])
    return draw_counts("customers by segment", counted, "segment", "customers")


def draw_profit_deciles(deciles: pl.DataFrame) -> str:
    """Profit by customer decile."""
    return draw_counts("profit by decile of customers", deciles.sort("decile"), "decile", "profit")


def draw_value_deciles(deciles: pl.DataFrame) -> str:
    """Customers by value decile."""
    return draw_counts("customers who bring each tenth of profit", deciles.sort("decile"), "decile", "customers")


def draw_profit_histogram(bins: pl.DataFrame) -> str:
    """Customers by profit, from the bin with the first of them."""
    profit = bins.filter(pl.col("measure") == "profit").sort("bin")
    from_first = profit.filter(pl.col("customers").cum_sum() > 0)
    name = pl.when(pl.col("upper").is_null()).then(pl.format("> {}", "lower")).otherwise(pl.format("to {}", "upper"))
    return draw_counts("customers by profit", from_first.with_columns(name.alias("range")), "range", "customers")


def draw_spend_by_orders(by_orders: pl.DataFrame) -> str:
    """Spend per order by number of orders."""
    rows = by_orders.filter(pl.col("aov").is_not_null()).iter_rows(named=True)
    bars = [Bar(f"{row['number_of_orders']} orders", row["aov"], f"{row['aov']:,.2f}") for row in rows]
    return draw_bars("spend per order by number of orders", bars)


def draw_concentration(cuts: pl.DataFrame) -> str:
    """The share of profit that the best customers bring."""
    known = cuts.filter(pl.col("measure") == "profit", pl.col("share_value").is_not_null())
    bars = [
        Bar(f"{row['cut']} ({row['customers']:,})", row["share_value"], f"{row['share_value']:.1%}")
        for row in known.iter_rows(named=True)
    ]
    return draw_bars("share of profit of the best customers", bars)


def draw_recency(cells: pl.DataFrame) -> str:
    """Customers by when they ordered last."""
    return draw_counts("customers by last order, from month", cells, "last_active_from", "customers")


def draw_changes(changes: pl.DataFrame) -> str:
    """Relative changes of the headline."""
    known = changes.filter(pl.col("relative_change").is_not_null()).select("measure", "relative_change")
    return draw_bars(
        "change from window 1 to 2", [Bar(name, share, f"{share:+.1%}") for name, share in known.iter_rows()]
    )


def draw_common_deciles(deciles: pl.DataFrame) -> str:
    """Customers by decile in window 2; marks for window 1."""
    before, latest = (deciles.filter(pl.col("window_number") == number).sort("decile") for number in (1, 2))
    bars = [
        Bar(str(decile), now, f"{now:,} ({then:,})", then)
        for decile, now, then in zip(latest["decile"], latest["customers"], before["customers"], strict=True)
    ]
    return draw_bars("customers by decile; mark: window before, in brackets", bars)


def draw_up_down(directions: pl.DataFrame) -> str:
    """How much profit each pattern of directions changed, the largest first."""
    moved = directions.group_by("pattern").agg(pl.col("customers", "profit_change").sum())
    bars = [
        Bar(row["pattern"], float(row["profit_change"]), f"{row['profit_change']:+,.0f} of {row['customers']:,}")
        for row in moved.sort(pl.col("profit_change").abs(), "pattern", descending=True).iter_rows(named=True)
    ]
    return draw_bars("change of profit; U: profit, orders, AOV, margin not lower", bars)


def draw_groups(groups: pl.DataFrame) -> str:
    """Customers by what they did in the two windows."""
    return draw_counts("customers", groups, "customer_group", "customers")


def draw_bridge(bridge: pl.DataFrame) -> str:
    """How profit moved from one window to the next."""
    return draw_counts("profit, and what changed it", bridge.sort("step"), "item", "profit")


def draw_cohort_activity(cohorts: pl.DataFrame) -> str:
    """The share of all acquired customers that was active, by age of their cohort."""
    known = cohorts.filter(pl.col("complete") & pl.col("cohort_size").is_not_null())
    by_age = (
        known.group_by("age").agg((pl.col("active").sum() / pl.col("cohort_size").sum()).alias("share")).sort("age")
    )
    bars = [Bar(f"age {age}", share, f"{share:.1%}") for age, share in by_age.iter_rows() if share is not None]
    return draw_bars("share active by age of cohort", bars)


def draw_calendar_profit(cohorts: pl.DataFrame) -> str:
    """Profit by calendar period, all cohorts together; the latest periods."""
    by_period = cohorts.group_by("calendar_period").agg(pl.col("profit").sum()).sort("calendar_period").tail(_SHOWN)
    return draw_counts("profit by calendar period", by_period, "calendar_period", "profit")


def draw_fit(repeat: pl.DataFrame) -> str:
    """Customers by number of repeat purchases: bars for what happened, marks for what the model expects."""
    bars = [
        Bar(row["purchases"], row["actual"], f"{row['actual']:,} (model {row['expected']:,.0f})", row["expected"])
        for row in repeat.filter(pl.col("model") == pl.col("model").first()).iter_rows(named=True)
    ]
    return draw_bars("customers by repeat purchases; mark: expected", bars)


def draw_choice(choice: pl.DataFrame) -> str:
    """The criterion of each candidate, the best first."""
    ranked = choice.sort(["value", "model"])
    bars = [Bar(row["model"], row["value"], f"{row['value']:.4f}") for row in ranked.iter_rows(named=True)]
    return draw_bars("error of the backtest by model", bars)


def draw_lines(title: str, lines: Sequence[Sequence[float]], rule: float) -> str:
    """Lines from a common zero, the first blue, the others orange, and a rule after that share of the points."""
    top = max((max(line) for line in lines if line), default=0.0) or 1.0
    for points in _POINTS:
        paths = [_trace(line, points, top) for line in lines]
        drawn = "".join(
            f"<path%20d='{path}'%20fill='none'%20stroke='{colour}'/>"
            for path, colour in zip(paths, ("%2307b", *["%23d50"] * len(paths)), strict=False)
        )
        mark = f"<path%20d='M{round(rule * _WIDE)},0v{_HIGH}'%20stroke='%23999'/>"
        picture = f"![{title}](data:image/svg+xml,{open_svg(_WIDE + 2, _HIGH + 2)}{mark}{drawn}</svg>)"
        if len(picture) <= _LONGEST:
            return picture
    return ""


def _trace(line: Sequence[float], points: int, top: float) -> str:
    """A path through at most so many of the points, by steps, which take fewer characters than places."""
    count = min(points, len(line))
    chosen = [round(place * (len(line) - 1) / max(count - 1, 1)) for place in range(count)]
    places = [(round(i * _WIDE / max(len(line) - 1, 1)), round(_HIGH * (1 - line[i] / top))) for i in chosen]
    steps = [f"{x - before_x},{y - before_y}" for (before_x, before_y), (x, y) in pairwise(places)]
    return f"M{places[0][0]},{places[0][1]}l{'%20'.join(steps)}"


def draw_tracking(weeks: pl.DataFrame) -> str:
    """Repeat purchases a week around the origin, actual and by the first model."""
    if weeks.is_empty():
        return ""
    own = weeks.filter(pl.col("model") == pl.col("model").first()).sort("week")
    before = own.filter(pl.col("week") <= 0).height / max(own.height, 1)
    title = f"repeat purchases a week, {own['week'].min()} to {own['week'].max()}; orange: {own['model'].first()}"
    return draw_lines(title, [own["weekly_actual"].to_list(), own["weekly_expected"].to_list()], before)


def draw_calibration(bins: pl.DataFrame) -> str:
    """Purchases after the origin by repeat purchases before it; marks for the forecast of the first model."""
    own = bins.filter(
        pl.col("fold") == 1,
        pl.col("target") == "purchases",
        pl.col("grouping") == "frequency",
        pl.col("model") == pl.col("model").first(),
    )
    bars = [
        Bar(
            row["bin"],
            row["mean_actual"],
            f"{row['mean_actual']:.2f} ({row['mean_forecast']:.2f})",
            row["mean_forecast"],
        )
        for row in own.iter_rows(named=True)
    ]
    return draw_bars("purchases a customer by purchases before; mark: forecast", bars)


def draw_alive(matrix: pl.DataFrame) -> str:
    """P(alive) by frequency, to the right, and weeks since the last purchase, downwards; the darker, the likelier."""
    if matrix.is_empty():
        return ""
    shades = []
    for shade in range(1, _SHADES + 1):
        cells = matrix.filter((pl.col("p_alive") * _SHADES).ceil() == shade, pl.col("frequency") <= _COLUMNS)
        silent = matrix["weeks_silent"].unique().sort().to_list()
        rows = {weeks: place for place, weeks in enumerate(silent)}
        path = "".join(
            f"M{_CELL * x},{_CELL * rows[weeks] + _CELL // 2}h{_CELL}"
            for x, weeks in cells.select("frequency", "weeks_silent").iter_rows()
            if rows[weeks] < _CELLS
        )
        shades.append(f"<path%20d='{path}'%20stroke='%2307b'%20stroke-width='{_CELL}'%20opacity='{shade / _SHADES}'/>")
    picture = f"{open_svg(_CELL * (_COLUMNS + 1), _CELL * _CELLS)}{''.join(shades)}</svg>"
    return f"![P(alive) by purchases (right) and weeks since the last (down)](data:image/svg+xml,{picture})"


def draw_spend(bins: pl.DataFrame) -> str:
    """Customers by mean spend per repeat purchase; marks for what the model expects."""
    bars = [
        Bar(f"from {row['lower']:,.0f}", row["actual"], f"{row['actual']:,} ({row['expected']:,.0f})", row["expected"])
        for row in bins.iter_rows(named=True)
    ]
    return draw_bars("customers by mean spend a purchase; mark: expected", bars)


def draw_score_deciles(scores: pl.DataFrame) -> str:
    """Expected profit by score decile."""
    return draw_counts("CLV by score decile", scores.sort("decile"), "decile", "clv")


def draw_drift(checks: pl.DataFrame) -> str:
    """Each statistic as a multiple of its threshold, the largest first; beyond the mark it has drifted."""
    ratios = checks.with_columns(ratio=pl.col("statistic") / pl.col("threshold")).filter(pl.col("ratio").is_finite())
    ratios = ratios.sort("ratio", descending=True)
    bars = [
        Bar(f"{row['feature']} {row['test']} {row['reference']}", row["ratio"], f"{row['ratio']:.2f}", 1.0)
        for row in ratios.iter_rows(named=True)
    ]
    return draw_bars("multiple of the threshold; mark: 1", bars)
