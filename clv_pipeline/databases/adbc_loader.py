"""Teaches dlt to read PostgreSQL through ADBC: COPY in binary form, decoded to Arrow in C.

Belongs here: that one loader. Does not belong here: anything else of a read (`reading.py`).
"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from adbc_driver_postgresql import dbapi
from dlt.sources.sql_database import BaseTableLoader


class AdbcTableLoader(BaseTableLoader):
    """Yields the rows of one query, as of one moment, as Arrow batches."""

    def load_rows(self, backend_kwargs: dict[str, Any] | None = None) -> Iterator[pa.RecordBatch]:  # noqa: ARG002
        """Runs the query; NUMERIC comes as text, exactly, as Arrow's decimals are too narrow for some."""
        url = self.get_connection_url()
        with dbapi.connect(url) as con, con.cursor() as cursor:
            cursor.execute(self.compile_query(self.make_query()))
            for batch in cursor.fetch_record_batch():
                yield pa.RecordBatch.from_arrays([_unwrap(column) for column in batch.columns], batch.schema.names)


def _unwrap(column: pa.Array) -> pa.Array:
    return column.storage if isinstance(column, pa.ExtensionArray) else column
