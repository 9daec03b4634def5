"""What `clv check` prints: whether the data suffice, a traffic light a line.

Belongs here: taking the lights of the latest month without publishing them, and laying them out. Does not belong here:
the questions (`clv/sufficiency.py`), or loading data first (`cli.py`).
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl
from rich.console import Console
from rich.markup import escape

from clv_pipeline.clv.sufficiency import TITLES, describe_lights, describe_threshold, judge_freshness, tabulate
from clv_pipeline.execution import compute_only
from clv_pipeline.stages.quality import SUFFICIENCY
from clv_pipeline.state import State

_STYLES = {"green": "green", "yellow": "yellow", "red": "bold red", "grey": "dim"}


def print_check(state: State, console: Console) -> bool:
    """Prints a light for each question, of all data up to the last month; returns whether none is red.

    Needs the marts of every month. Nothing is published: an as-of month exists once `clv run` has made it.
    """
    lights = take_lights(state)
    for row in lights.iter_rows(named=True):
        title = f"[{_STYLES[row['level']]}]● {row['level']:<6}[/] {TITLES[row['check']][0]}"
        console.print(f"{title} [dim](green: {describe_threshold(row['check'], row['threshold'])})[/]", soft_wrap=True)
        for text in (row["sentence"], row["fix"]):
            if text:
                console.print(f"{'':<9}{escape(text)}", soft_wrap=True)
    levels = lights["level"].to_list()
    console.print(f"{state.periods[-1]}: {describe_lights(levels)}")
    return "red" not in levels


def take_lights(state: State) -> pl.DataFrame:
    """The rows of quality.sufficiency of the last month as it is now, and how fresh the data are today."""
    content = compute_only(SUFFICIENCY, state, state.periods[-1])
    assert isinstance(content, pl.DataFrame)
    today = datetime.now(UTC).astimezone(ZoneInfo(state.settings.source.business_timezone)).date()
    fresh = [judge_freshness(state.last_loaded_day, today)] if state.last_loaded_day else []
    return pl.concat([content.drop("as_of"), tabulate(fresh)])
