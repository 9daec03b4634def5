"""What all charts share: colours, fonts, axes, and the step from Altair to a specification.

Belongs here: looks and small helpers. Does not belong here: any particular chart. Colours are Okabe and Ito's, told
apart by every kind of colour vision and at least 3:1 against white.
"""

import json
from collections.abc import Sequence
from typing import Any, cast

import altair as alt
import polars as pl
from altair.utils import schemapi

from clv_pipeline.report.blocks import Spec
from clv_pipeline.report.numbers import symbol

BLUE, ORANGE, GREEN, GREY, LIGHT = "#0072b2", "#d55e00", "#00805c", "#6b7280", "#b9c0c9"
_HUES = [BLUE, ORANGE, GREEN, "#8e4585", GREY]
INK, MUTED, RULE = "#1f2933", "#4b5563", "#e3e7eb"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
# Counts and money on axes: SI's m (milli) and G would puzzle a reader of money.
_SIZE = "abs(datum.value)"
_SHORT = f"({_SIZE} < 1 ? format({_SIZE}, '~g') : replace(format({_SIZE}, '~s'), 'G', 'B'))"
# Cents have two digits: $0.50, not $0.5.
_SHORT_MONEY = f"({_SIZE} % 1 && {_SIZE} < 100 ? format({_SIZE}, {_SIZE} < 0.01 ? '~g' : '.2f') : {_SHORT})"
# A chart's width on a phone, which a legend must fit into.
_PHONE = 310
# Whether the datum is of a cohort other than the chosen one; false while none is chosen.
IS_OTHER = "cohort != '' && datum.cohort != cohort"
_MINUS = "(datum.value < 0 ? '−' : '')"

THEME: Spec = {
    "font": FONT,
    "background": None,
    "view": {"stroke": None},
    "autosize": {"type": "fit-x", "contains": "padding"},
    "padding": {"left": 2, "right": 8, "top": 4, "bottom": 4},
    "axis": {
        "labelColor": MUTED, "titleColor": MUTED, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 500,
        "gridColor": RULE, "domain": False, "ticks": False, "labelPadding": 6, "titlePadding": 8, "labelOverlap": True,
        "labelSeparation": 6,
    },
    "axisY": {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "start", "titleX": 0, "titleY": -12},
    "axisX": {"grid": False, "labelAngle": 0},
    "axisXQuantitative": {"grid": True},
    "legend": {
        "labelColor": INK, "titleColor": MUTED, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 500,
        "orient": "bottom", "symbolType": "square", "offset": 10, "columnPadding": 14, "labelLimit": 240,
    },
    "text": {"fontSize": 12, "color": INK},
    "bar": {"color": BLUE},
    "line": {"strokeWidth": 2},
    "point": {"size": 50, "filled": True},
    "range": {"category": [BLUE, ORANGE, GREEN, GREY]},
}  # fmt: skip


def to_spec(chart: alt.TopLevelMixin, height: int) -> Spec:
    """The chart as wide as its container; a schema error surfaces where validation is on (`build_unchecked`)."""
    sized = cast("Any", chart).properties(width="container", height=height)
    spec = sized.to_dict(validate=schemapi.DEBUG_MODE)
    spec.pop("$schema", None)
    spec.pop("config", None)
    return spec


def build_unchecked() -> Any:
    """A context in which Altair trusts its input: validating every property takes most of a report's time."""
    return schemapi.debug_mode(False)


def to_data(frame: pl.DataFrame, columns: Sequence[str]) -> alt.InlineData:
    """Rows for a chart: the named columns only, floats cut to six significant digits, or to two decimals from 10,000
    on, as the chart's CSV has them too."""
    value = pl.selectors.float()
    rounded = frame.select(columns).with_columns(
        pl.when(value.abs() < 1e4).then(value.round_sig_figs(6)).otherwise(value.round(2))
    )
    return alt.InlineData(values=rounded.to_dicts())


def with_text(frame: pl.DataFrame, name: str, cells: Sequence[str]) -> pl.DataFrame:
    """`frame` with a column of written-out values, for tooltips and labels."""
    return frame.with_columns(pl.Series(name, cells, dtype=pl.String))


def tooltips(**labels: str) -> list[alt.Tooltip]:
    """Tooltips of text columns: column = label."""
    return [alt.Tooltip(field=name, type="nominal", title=label) for name, label in labels.items()]


def count_axis(title: str, **options: Any) -> alt.Axis:
    """An axis of counts, in short."""
    return alt.Axis(title=title, labelExpr=f"{_MINUS} + {_SHORT}", **{"tickCount": 5, **options})


def money_axis(title: str, currency: str, **options: Any) -> alt.Axis:
    """An axis of money, in short, with the currency and the minus sign in front."""
    text = f"{_MINUS} + '{symbol(currency)}' + {_SHORT_MONEY}"
    return alt.Axis(title=title, labelExpr=text, **{"tickCount": 5, **options})


def share_axis(title: str, *, is_part: bool = True) -> alt.Axis:
    """An axis of ratios in percent; of parts of a whole nothing above 100% is written."""
    text = "format(datum.value, '~%')"
    return alt.Axis(title=title, labelExpr=f"datum.value > 1 ? '' : {text}" if is_part else text, tickCount=5)


def measure_axis(title: str, unit: str | None, *, is_count: bool = False) -> alt.Axis:
    """An axis in `unit`: a currency, '%', or None for plain numbers, which are whole ones with `is_count`."""
    if unit == "%":
        return share_axis(title, is_part=False)
    if unit:
        return money_axis(title, unit)
    return _whole_axis(title) if is_count else count_axis(title)


def _whole_axis(title: str) -> alt.Axis:
    """Counts of a few: an axis from 0 to 1 would have a tick at one half."""
    text = f"datum.value % 1 ? '' : {_MINUS} + {_SHORT}"
    return alt.Axis(title=title, labelExpr=text, tickCount=5, tickMinStep=1)


def cohort_choice() -> tuple[alt.Parameter, alt.Parameter]:
    """The chosen cohort ('' for all), which the page sets, and a selection that makes legends answer to clicks."""
    return alt.param(name="cohort", value=""), alt.selection_point(name="legend", fields=["cohort"], bind="legend")


def dim_others(strength: float = 0.12) -> alt.OpacityValue:
    """Full opacity, but for the cohorts that are not the chosen one."""
    return alt.OpacityValue(1, condition={"test": IS_OTHER, "value": strength})


def on_shade(is_dark: str) -> alt.ColorValue:
    """Text that is white where the expression holds, black elsewhere."""
    return alt.ColorValue("black", condition={"test": is_dark, "value": "white"})


def only_chosen(default: str) -> str:
    """A filter that leaves the rows of the chosen cohort, or those of `default` while none is chosen."""
    return f"datum.cohort == (cohort == '' ? {json.dumps(default)} : cohort)"


def cohort_color(cohorts: Sequence[str], title: str, *, are_dated: bool = True) -> alt.Color:
    """One colour a cohort, dark for old to light for new, or of different hue where they are not dated (up to five); no
    legend for a single cohort."""
    if len(cohorts) == 1:
        return alt.Color("cohort:N", legend=None, scale=alt.Scale(domain=list(cohorts), range=[BLUE]))
    entry = 6.5 * max(map(len, cohorts), default=0) + 30
    legend = alt.Legend(title=title, columns=max(1, min(4, int(_PHONE / entry))))
    if not are_dated and len(cohorts) <= len(_HUES):
        return alt.Color("cohort:N", legend=legend, scale=alt.Scale(domain=list(cohorts), range=_HUES[: len(cohorts)]))
    scheme = alt.SchemeParams(name="viridis", extent=[0, 0.82])
    return alt.Color("cohort:O", legend=legend, scale=alt.Scale(domain=list(cohorts), scheme=scheme))
