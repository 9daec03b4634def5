"""Writes a synthetic company as the files a company would export, with what is true of its customers beside them.

Belongs here: finding scenarios, streaming blocks to Parquet, the `clv.toml` that reads them. Does not belong here: what
is drawn and how it is checked (`clv/synthetic/`).
"""

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from clv_pipeline.clv.synthetic import (
    Scenario,
    ScenarioError,
    Validation,
    count_blocks,
    generate_blocks,
    parse_scenario,
)
from clv_pipeline.export_config import Export, render_config, replace_file

LINES, CUSTOMERS, TRUTH = "incoming/lines.parquet", "customers.parquet", "truth.parquet"
_TITLE = "# clv generate\n"
_COLUMNS = {
    "line_id": "line_id",
    "order_id": "order_id",
    "customer_id": "customer_id",
    "order_ts": "ordered_at",
    "product_id": "product_id",
    "quantity": "quantity",
    "unit_price": "unit_price",
    "line_total": "line_total",
    "line_cost": "line_cost",
    "is_return": "is_return",
}


@dataclass(frozen=True)
class Company:
    """What was written: how much, and the figures that were checked (see `clv/synthetic/validation.py`)."""

    lines: int
    customers: int
    figures: pl.DataFrame


def list_scenarios() -> list[str]:
    """The names of the bundled scenarios."""
    bundled = files("clv_pipeline.clv.synthetic") / "scenarios"
    return sorted(file.name.removesuffix(".toml") for file in bundled.iterdir() if file.name.endswith(".toml"))


def read_scenario(name: str, changes: Mapping[str, Any] | None = None) -> tuple[Scenario, str]:
    """A bundled scenario by its name, or one in a file, with top-level `changes`; and the TOML text that says so.

    Raises ScenarioError for one that is not there, or not usable.
    """
    bundled, changes = list_scenarios(), changes or {}
    path = files("clv_pipeline.clv.synthetic") / "scenarios" / f"{name}.toml" if name in bundled else Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        known = f"use {', '.join(bundled)}, or the path of a TOML file"
        raise ScenarioError(f"no scenario '{name}' can be read; {known}") from None
    for key, value in changes.items():
        said = f"{key} = {value}"
        text, found = re.subn(rf"^{key}\s*=[^\n#]*", said, text, count=1, flags=re.MULTILINE)
        text = text if found else f"{said}\n{text}"
    return parse_scenario(text, path.name), text


def write_company(
    scenario: Scenario, folder: Path, *, announce: Callable[[int, int], object] = lambda _done, _of: None
) -> Company:
    """Writes lines, customers and truth under `folder`, block by block, checking each; memory does not grow.

    `announce` hears of blocks done, of how many. Raises ValidationError for what is not as the scenario says: then no
    file is replaced.
    """
    (folder / LINES).parent.mkdir(parents=True, exist_ok=True)
    validation, lines = Validation(scenario), 0
    with ExitStack() as writers, ThreadPoolExecutor(1) as ahead:
        writers_by_name = {name: _Writer(writers.enter_context(replace_file(folder / name))) for name in _FILES}
        blocks = generate_blocks(scenario)
        coming = ahead.submit(next, blocks, None)
        for done in range(count_blocks(scenario)):
            block = coming.result()
            assert block is not None
            coming = ahead.submit(next, blocks, None)  # drawn while this one is checked and written
            validation.check_block(block)
            for name, writer in writers_by_name.items():
                writer.write(getattr(block, _FILES[name]))
            lines += block.lines.height
            announce(done + 1, count_blocks(scenario))
        figures = validation.check_figures()
        for writer in writers_by_name.values():
            writer.close()
    return Company(lines, scenario.customers, figures)


def describe_export(scenario: Scenario, folder: Path) -> Export:
    """What a `clv.toml` has to know about the files of a scenario."""
    return Export(
        folder / LINES,
        columns=_COLUMNS,
        about=scenario.title,
        timezone=scenario.timezone,
        business_timezone=scenario.timezone,
        currency=scenario.currency,
        margin=f"{scenario.basket.margin:g}",
        margin_note="where no cost is known",
        horizon_months=scenario.horizon_months,
        cohort="quarter",
        customers=CUSTOMERS,
        cohort_by="city",
        notes={"unit_price": "none for a refund of money"},
    )


def write_settings(scenario: Scenario, text: str, folder: Path) -> Path:
    """Writes `scenario.toml` and, where there is none yet, `clv.toml`; returns the latter.

    Raises ScenarioError where `clv.toml` belongs to something else.
    """
    config = folder / "clv.toml"
    if config.exists() and not config.read_text(encoding="utf-8").startswith(_TITLE):
        raise ScenarioError(f"{config} belongs to something else; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    with replace_file(folder / "scenario.toml") as staged:
        staged.write_text(text, encoding="utf-8")
    if not config.exists():
        with replace_file(config) as staged:
            staged.write_text(_TITLE + render_config(describe_export(scenario, folder)), encoding="utf-8")
    return config


_FILES = {LINES: "lines", CUSTOMERS: "customers", TRUTH: "truth"}


class _Writer:
    """A Parquet file that grows by a row group a frame."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._writer: pq.ParquetWriter | None = None

    def write(self, frame: pl.DataFrame) -> None:
        table = frame.to_arrow()
        self._writer = self._writer or pq.ParquetWriter(self._file, table.schema, compression="zstd")
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
