"""What a `clv.toml` says about an export that this project writes itself: a demo's, or a synthetic company's.

Belongs here: those facts, their text, and putting a whole file into place. Does not belong here: the data.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Export:
    """What a `clv.toml` needs to know about an export file; `columns` are ours = theirs.

    `customers` is the path of a customer file beside the configuration, `cohort_by` an attribute in it.
    """

    file: Path
    columns: Mapping[str, str]
    about: str
    timezone: str = "UTC"
    business_timezone: str = "UTC"
    currency: str = "USD"
    margin: str = "0.30"
    margin_note: str = "assumed: the source knows no costs"
    horizon_months: int = 12
    window: str = "quarter"
    cohort: str = "month"
    customers: str | None = None
    cohort_by: str | None = None
    notes: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def replace_file(file: Path) -> Iterator[Path]:
    """A path beside `file` that becomes `file` when the block ends well, and is removed when it does not."""
    # Hidden and with a suffix of its own, so that no glob over the folder picks up half a file.
    staged = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        yield staged
        staged.replace(file)
    finally:
        staged.unlink(missing_ok=True)


def render_config(export: Export) -> str:
    """The text of the `clv.toml` beside the folder `incoming` that the export is in."""
    columns = "\n".join(
        f'{ours} = "{theirs}"' + (f"  # {export.notes[ours]}" if ours in export.notes else "")
        for ours, theirs in export.columns.items()
    )
    customers = f'\n[customers]\npath = "{export.customers}"\n' if export.customers else ""
    cohort_by = f'cohort_by = "{export.cohort_by}"  # groups compared beside the cohorts\n' if export.cohort_by else ""
    return f"""\
# {export.about}
# Paths are relative to this file. Every setting is also a variable, for example CLV_VALUE_MARGIN=0.4.
home = "."  # lake, clv.duckdb, models and report are written here

[source]
path = "incoming/{export.file.name}"
timezone = "{export.timezone}"  # of the source's timestamps
business_timezone = "{export.business_timezone}"  # days and months are those of this zone
currency = "{export.currency}"

[source.columns]  # ours = theirs
{columns}
{customers}
[returns]
policy = "net"  # net | drop | reject

[value]
margin = {export.margin}  # {export.margin_note}
annual_discount_rate = 0.10
horizon_months = {export.horizon_months}

[periods]
window = "{export.window}"  # lens window: month | quarter | year
cohort = "{export.cohort}"  # cohort grain: month | quarter | year
{cohort_by}
[models]
refit = "month"  # month | quarter | half_year | year: here every month shows a fit of its own
"""
