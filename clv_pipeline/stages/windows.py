"""Stage 4, lenses 1 and 2: the relations that both share, and the lenses that need more than a SELECT.

Belongs here: in which order they are made, and their parameters. Does not belong here: their arithmetic
(`sql/4_lenses/`, `clv/lenses/windows.py`), or the list of tables (`window_tables.py`).
"""

from collections.abc import Sequence

import polars as pl

from clv_pipeline.clv.lenses import windows
from clv_pipeline.settings import Settings
from clv_pipeline.sql import Literal
from clv_pipeline.stages.queries import Queries, name_tables

# Per customer and window, or sums of them: made once, in this order; no table is published from them.
RELATIONS = (
    "windows",
    "window_customers",
    "window_headlines",
    "ranked_customers",
    "decile_cutoffs",
    "decile_moves",
)
WINDOW_INPUTS = ("active_customers", "recency_frequency")
WINDOW_TABLES = tuple(f"lenses.{name}" for name in windows.WINDOW_TABLES)


def prepare_windows(queries: Queries, settings: Settings) -> None:
    """Keeps what customers did in the latest window and in the one before it."""
    queries.materialize("lenses.given_cutoffs", _list_cutoffs(settings.lenses.profit_cutoffs))
    for name in RELATIONS:
        queries.materialize(f"lenses.{name}", queries.select(f"4_lenses/{name}", **choose_parameters(settings)))


def compute_windows(queries: Queries, settings: Settings, as_of: str) -> dict[str, pl.DataFrame]:
    """The tables of lenses 1 and 2 that are percentiles, histograms or shares of the best, by name."""
    active = {n: queries.frame(queries.select("4_lenses/active_customers", window_number=n)) for n in (1, 2)}
    headlines = queries.frame("SELECT * FROM lenses.window_headlines")
    cells = queries.frame(queries.select("4_lenses/recency_frequency"))
    edges = {str(measure): edges for measure, edges in settings.lenses.histogram_edges.items()}
    bands = settings.lenses.profit_bands
    return name_tables(windows.take_windows(active, headlines, cells, histogram_edges=edges, profit_bands=bands), as_of)


def choose_parameters(settings: Settings) -> dict[str, Literal]:
    """The parameters of the lens queries besides those of every step."""
    return {
        "cutoff_cents": int(settings.value.cutoff_step * 100),
        "has_costs": bool({"unit_cost", "line_cost"} & settings.source.columns.keys()),
    }


def _list_cutoffs(cutoffs: Sequence[float]) -> str:
    """A SELECT of the ten deciles and their lower ends, of which the last has none; of no row without cut-offs."""
    ends = [f"CAST({cutoff:.2f} AS DECIMAL(18, 2))" for cutoff in cutoffs] + ["CAST(NULL AS DECIMAL(18, 2))"]
    rows = [f"SELECT CAST({n} AS BIGINT) AS decile, {end} AS threshold" for n, end in enumerate(ends, start=1)]
    return " UNION ALL ".join(rows) if cutoffs else f"{rows[0]} WHERE FALSE"
