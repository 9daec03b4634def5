"""The chart of a posterior that was sampled: traces and ranks of the draws, parameter by parameter.

Belongs here: what shows whether chains agree. Does not belong here: the figures that decide it
(`clv/models/sampling.py`).
"""

import altair as alt
import polars as pl
from altair.utils import schemapi

from clv_pipeline.report.blocks import Spec
from clv_pipeline.report.charts.theme import to_data

_RANK_BINS = 20
# Every k-th draw is enough to see a trend.
_MOST_STEPS = 250
_WIDTH, _HEIGHT = 220, 70


def draw_sampling(draws: pl.DataFrame) -> Spec:
    """A row a parameter: left where each chain was at each draw, right how the ranks of its draws are spread.

    `draws`: parameter, chain, step, value. Even steps at the right say that the chains agree.
    """
    rows = [
        alt.hconcat(_draw_trace(str(parameter), own), _draw_ranks(own))
        for (parameter,), own in draws.group_by("parameter", maintain_order=True)
    ]
    return alt.vconcat(*rows).to_dict(validate=schemapi.DEBUG_MODE)


def _draw_trace(parameter: str, draws: pl.DataFrame) -> alt.Chart:
    every = -(-draws["step"].n_unique() // _MOST_STEPS)
    few = draws.filter(pl.col("step") % every == 0)
    return (
        alt.Chart(to_data(few, ["chain", "step", "value"]), title=parameter)
        .mark_line(strokeWidth=0.6, opacity=0.75)
        .encode(
            x=alt.X("step:Q", axis=alt.Axis(title=None, tickCount=3)),
            y=alt.Y("value:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title=None, tickCount=3)),
            color=alt.Color("chain:N", title="Chain"),
        )
        .properties(width=_WIDTH, height=_HEIGHT)
    )


def _draw_ranks(draws: pl.DataFrame) -> alt.Chart:
    part = (pl.col("value").rank("ordinal").cast(pl.Int64) - 1) * _RANK_BINS // pl.len() + 1
    counted = draws.with_columns(bin=part).group_by("chain", "bin", maintain_order=True).agg(draws=pl.len())
    return (
        alt.Chart(to_data(counted.sort("chain", "bin"), ["chain", "bin", "draws"]), title="ranks among all chains")
        .mark_line(interpolate="step", strokeWidth=1.2)
        .encode(
            x=alt.X("bin:Q", axis=alt.Axis(title=None, tickCount=3)),
            y=alt.Y("draws:Q", scale=alt.Scale(zero=True), axis=alt.Axis(title=None, tickCount=3)),
            color=alt.Color("chain:N", title="Chain"),
        )
        .properties(width=_WIDTH, height=_HEIGHT)
    )
