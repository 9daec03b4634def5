"""Tables as a reader sees them: chosen columns, formatted cells, and the whole frame as a CSV to take along.

Belongs here: the step from a frame to cells and to CSV. Does not belong here: which columns a section shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote

import polars as pl

from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.numbers import Formatter, as_counts, as_decimals, as_money, as_shares, as_text, is_number

MAX_ROWS = 60
# All CSVs of a base with a hundred cohorts would take most of a report that has to open at once.
MAX_CSV_CHARACTERS = 100_000
FOLD_ABOVE = 15


@dataclass(frozen=True)
class Column:
    """A column of a frame, its heading, how its values are written, and whether they are labels."""

    name: str
    label: str
    cells: Formatter
    is_label: bool = False


@dataclass(frozen=True)
class Header:
    """A heading and whether its column holds labels (aligned left) or numbers."""

    label: str
    is_label: bool


@dataclass(frozen=True)
class Table:
    """Formatted rows, the numbers they sort by, and a link that carries the unformatted frame as CSV."""

    id: str
    title: str
    headers: Sequence[Header]
    rows: Sequence[Sequence[str]]
    sort_keys: Sequence[Sequence[str]]
    note: str
    folded: bool
    sortable: bool
    csv_name: str
    csv_href: str
    kind: ClassVar[str] = "table"


def build_table(
    id: str,
    title: str,
    frame: pl.DataFrame,
    columns: Sequence[Column],
    *,
    csv: pl.DataFrame,
    csv_name: str,
    note: str = "",
    folded: bool = False,
    sortable: bool = True,
) -> Table:
    """A table of `frame`'s `columns` (those it has); `csv` is what the link holds, in full.

    `sortable` is off where one row has nothing to do with the next. More than MAX_ROWS rows are cut to the first ones,
    and a CSV of more than MAX_CSV_CHARACTERS to its latest cohorts, and the note says so; more than FOLD_ABOVE rows are
    folded away.
    """
    shown = frame.head(MAX_ROWS)
    present = [column for column in columns if column.name in frame.columns]
    cells = [column.cells(shown[column.name].to_list()) for column in present]
    kept = cut_csv(csv)
    if frame.height > MAX_ROWS:
        note = f"{note} The first {MAX_ROWS} of {frame.height:,} rows."
    note = f"{note} {_describe_csv(kept, csv, shown)}".strip()
    return Table(
        id=id,
        title=title,
        headers=[Header(column.label, column.is_label) for column in present],
        rows=list(zip(*cells, strict=True)),
        sort_keys=list(zip(*(_sort_keys(shown[column.name].to_list()) for column in present), strict=True)),
        note=note,
        folded=folded or frame.height > FOLD_ABOVE,
        sortable=sortable and frame.height > 1,
        csv_name=csv_name,
        csv_href=to_csv_href(kept),
    )


def build_lens_table(
    data: ReportData,
    name: str,
    title: str,
    columns: Sequence[Column],
    *,
    frame: pl.DataFrame | None = None,
    csv: pl.DataFrame | None = None,
    note: str = "",
    folded: bool = False,
    sortable: bool = True,
) -> Table:
    """The table `lenses.<name>`, or the part or form of it in `frame`; the CSV is the whole of it, or `csv`."""
    shown = data.table(f"lenses.{name}") if frame is None else frame
    exact = data.exact(f"lenses.{name}")
    if "grain" in exact.columns:
        exact = exact.filter(pl.col("grain") == data.facts.cohort)
    return build_table(
        f"table-{name.replace('_', '-')}",
        title,
        shown,
        columns,
        csv=exact if csv is None else csv,
        csv_name=f"{name}_{data.facts.as_of}.csv",
        note=note,
        folded=folded,
        sortable=sortable,
    )


def _sort_keys(values: Sequence[object]) -> list[str]:
    """What a column sorts by: its numbers before formatting; labels have no key and sort by their text."""
    return [f"{float(value):.9g}" if is_number(value) else "" for value in values]


def cut_csv(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame`, or so much of it that its CSV stays below MAX_CSV_CHARACTERS: the rows of its latest cohorts, or its
    first rows where it has no cohorts."""
    size = len(to_csv_href(frame))
    if size <= MAX_CSV_CHARACTERS:
        return frame
    rows = int(frame.height * MAX_CSV_CHARACTERS / size)
    if "cohort" not in frame.columns:
        return frame.head(rows)
    newest = frame["cohort"].value_counts().sort("cohort", descending=True)
    fitting = newest.filter((pl.col("count").cum_sum() <= rows) | (pl.int_range(pl.len()) == 0))["cohort"]
    return frame.filter(pl.col("cohort").is_in(fitting.to_list()))


def _describe_csv(kept: pl.DataFrame, csv: pl.DataFrame, shown: pl.DataFrame) -> str:
    """What the CSV has more than the table, or less than the database; empty where it is as the table."""
    if kept.height < csv.height and "cohort" in csv.columns:
        cohorts, total = kept["cohort"].n_unique(), csv["cohort"].n_unique()
        return f"The CSV has the latest {cohorts} of {total} cohorts; the database has all."
    if kept.height < csv.height:
        return f"The CSV has the first {kept.height:,} of {csv.height:,} rows; the database has all."
    if "cohort" in csv.columns and (
        "cohort" not in shown.columns or shown["cohort"].n_unique() < csv["cohort"].n_unique()
    ):
        return "The CSV has every cohort."
    return "The CSV has all." if csv.height > shown.height else ""


def to_csv_href(frame: pl.DataFrame) -> str:
    """`frame` as a data: address that a browser saves as a CSV file without network or script."""
    text = frame.write_csv(float_precision=6) if frame.width else ""
    return "data:text/csv;charset=utf-8," + quote(text, safe=",:;-_.()/+*")


def capitalize(name: str) -> pl.Expr:
    """The column with its first letter large, for names that begin a cell."""
    return pl.col(name).str.slice(0, 1).str.to_uppercase() + pl.col(name).str.slice(1)


def label(name: str, heading: str) -> Column:
    """A column of labels."""
    return Column(name, heading, as_text, is_label=True)


def written(name: str, heading: str) -> Column:
    """A column of numbers that are text already, each row in its own unit."""
    return Column(name, heading, as_text)


def counts(name: str, heading: str) -> Column:
    """A column of whole numbers."""
    return Column(name, heading, as_counts)


def shares(name: str, heading: str) -> Column:
    """A column of ratios, shown in percent."""
    return Column(name, heading, as_shares)


def decimals(name: str, heading: str, digits: int = 2) -> Column:
    """A column of numbers with a fixed number of decimals."""
    return Column(name, heading, as_decimals(digits))


def amounts(name: str, heading: str, currency: str) -> Column:
    """A column of money."""
    return Column(name, heading, as_money(currency))
