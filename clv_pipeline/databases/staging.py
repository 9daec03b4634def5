"""Writes Arrow batches as text, in the shape of the landing log.

Belongs here: numbering rows, turning values into text, passing on what went wrong with the stream. Does not belong
here: where batches come from (`reading.py`, `replication.py`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from clv_pipeline.sources import Protect, stored_name
from clv_pipeline.sql import quote_literal, quote_name


@dataclass(frozen=True)
class Stage:
    """Where the rows of one table (`name`) are written, and what makes of them what may be."""

    con: duckdb.DuckDBPyConnection
    name: str
    file: Path
    protect: Protect
    is_guarded: bool

    def write(self, batches: Iterator[pa.RecordBatch]) -> None:
        """Writes the rows of at least one batch: source, row_number, malformed, and the columns as text."""
        first = next(batches)
        schema = first.schema.append(pa.field("clv_n", pa.int64()))
        stream = _Stream(chain([first], batches), schema)
        self.con.register("extracted", pa.RecordBatchReader.from_batches(schema, stream.number()))
        names = {stored_name(column): quote_name(column) for column in first.schema.names}
        texts = ", ".join(f"CAST({column} AS VARCHAR) AS {quote_name(stored)}" for stored, column in names.items())
        rows = f"""
            SELECT {quote_literal(self.name)} AS source, clv_n AS row_number,
                   CAST(NULL AS VARCHAR) AS malformed, {texts}
            FROM extracted"""
        try:
            self._copy(rows, list(names))
        except duckdb.Error:
            # DuckDB passes an error of the stream on as text; the error itself is the one to tell.
            if stream.error:
                raise stream.error from None
            raise
        finally:
            self.con.unregister("extracted")

    def _copy(self, rows: str, columns: list[str]) -> None:
        target = f"{quote_literal(str(self.file))} (FORMAT parquet)"
        if not self.is_guarded:
            self.con.execute(f"COPY ({rows}) TO {target}")
            return
        # Who is protected is found in a first look at the rows, and a stream can be read once.
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE unprotected AS {rows}")
        self.con.execute(f"COPY ({self.protect('FROM unprotected', columns)}) TO {target}")
        self.con.execute("DROP TABLE unprotected")


class _Stream:
    """Batches with a running number, the count of their rows, and the error that ended them, if one did."""

    def __init__(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        self.batches = batches
        self.schema = schema
        self.rows = 0
        self.error: Exception | None = None

    def number(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self.batches:
                numbers = pa.array(np.arange(self.rows + 1, self.rows + batch.num_rows + 1))
                self.rows += batch.num_rows
                yield pa.RecordBatch.from_arrays([*batch.columns, numbers], schema=self.schema)
        except Exception as error:
            self.error = error
            raise
