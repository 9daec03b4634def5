"""Builds again what was made to be read of the lake, after rows went from it.

Belongs here: that alone. Does not belong here: what goes (`erasure.py`, `retention.py`), or building it (`door.py`,
`publication.py`).
"""

from collections.abc import Sequence

from clv_pipeline.door import rebuild_door
from clv_pipeline.lake import Lake
from clv_pipeline.ledger import Ledger
from clv_pipeline.publication import publish_report
from clv_pipeline.settings import Settings


def build_again(lake: Lake, settings: Settings, pages: Sequence[str] = ()) -> None:
    """Writes the pages of the months `pages` (default: the last with lenses) and `clv.duckdb`, where there are data."""
    months = tuple(pages) or tuple(lake.published("lenses.lens1_headline"))[-1:]
    for month in months:
        publish_report(lake, settings, month)
    if not months and Ledger.identify(lake):
        rebuild_door(lake, settings)
