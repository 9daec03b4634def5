"""Writes Arrow batches as text, in the shape of the landing log.

Belongs here: numbering rows, turning values into text, passing on what went wrong with the stream. Does not belong
here: where batches come from (`reading.py`, `replication.py`).
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import duckdb
import pyarrow as pa

from clv_pipeline.sources import stored_name
from clv_pipeline.sql import quote_literal, quote_name


def stage_rows(con: duckdb.DuckDBPyConnection, batches: Iterator[pa.RecordBatch], name: str, file: Path) -> None:
    """Writes the rows of at least one batch to Parquet: source (`name`), row_number, malformed, and columns as text."""
    first = next(batches)
    schema = first.schema.append(pa.field("clv_n", pa.int64()))
    stream = _Stream(chain([first], batches), schema)
    con.register("extracted", pa.RecordBatchReader.from_batches(schema, stream.number()))
    names = [(quote_name(column), quote_name(stored_name(column))) for column in first.schema.names]
    theirs = ", ".join(f"CAST({column} AS VARCHAR) AS {stored}" for column, stored in names)
    try:
        con.execute(f"""
            COPY (
                SELECT {quote_literal(name)} AS source, clv_n AS row_number,
                       CAST(NULL AS VARCHAR) AS malformed, {theirs}
                FROM extracted
            ) TO {quote_literal(str(file))} (FORMAT parquet)""")
    except duckdb.Error:
        # DuckDB passes an error of the stream on as text; the error itself is the one to tell.
        if stream.error:
            raise stream.error from None
        raise
    finally:
        con.unregister("extracted")


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
                numbers = pa.array(range(self.rows + 1, self.rows + batch.num_rows + 1), pa.int64())
                self.rows += batch.num_rows
                yield pa.RecordBatch.from_arrays([*batch.columns, numbers], schema=self.schema)
        except Exception as error:
            self.error = error
            raise
