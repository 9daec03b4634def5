"""Times the landing of a PostgreSQL table beside what the server needs to send it, and beside a plain COPY to Parquet.

    python benchmarks/databases.py                      5 million lines
    python benchmarks/databases.py --lines 250_000      fewer; ratios are then mostly fixed costs

Belongs here: a server of its own on loopback, the table, the three timings and their limits. Does not belong here:
whether what is landed is right (`clv_pipeline_tests/test_databases.py`). Everything runs on one machine, so that server
and pipeline share its cores.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Buffer, Callable, Iterator
from pathlib import Path

import duckdb
from rich.console import Console

from clv_pipeline.lake import Lake
from clv_pipeline.landing import Load, land_transactions
from clv_pipeline.settings import Settings, load_settings
from clv_pipeline_tests.postgres import PASSWORD, PostgresServer, find_programs

LINES_PER_SECOND = 300_000
INCREMENT_SECONDS = 5.0
CHANGED = 5_000
COLUMNS = "line_id, order_id, customer_id, order_ts, product_id, quantity, unit_price, is_deleted, updated_at"
# Lines of two years, each stamped when it was ordered, as an application would.
TABLE = """
    CREATE TABLE lines AS
    SELECT g AS line_id, CAST(g / 3 AS text) AS order_id, 'c' || (g % 400000) AS customer_id, t AS order_ts,
        'p' || (g % 3000) AS product_id, 1 + g % 4 AS quantity,
        CAST(1 + (g % 977) / 100.0 AS numeric(10, 2)) AS unit_price, false AS is_deleted, t AS updated_at
    FROM generate_series(1, {lines}) AS g
    CROSS JOIN LATERAL (SELECT timestamptz '2023-01-01' + g * (interval '730 days' / {lines}) AS t) AS at;
    ALTER TABLE lines ADD PRIMARY KEY (line_id); CREATE INDEX ON lines (updated_at); ANALYZE lines; CHECKPOINT"""
CONFIG = """
home = "home"
[source]
kind = "sql"
connection = "{url}"
table = "lines"
cursor = "updated_at"
[source.columns]
{columns}
"""


def main() -> int:
    """Measures, prints, and returns 1 when a limit does not hold."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lines", type=int, default=5_000_000)
    lines = options.parse_args().lines
    programs = find_programs()
    if programs is None:
        sys.exit("needs PostgreSQL's server programs: apt-get install postgresql")
    os.environ["SHOP_PASSWORD"] = PASSWORD
    server = PostgresServer(programs)
    try:
        with tempfile.TemporaryDirectory() as work:
            return measure(server, Path(work), lines, Console())
    finally:
        server.remove()


def measure(server: PostgresServer, work: Path, lines: int, console: Console) -> int:
    """The timings, each printed as it is known."""
    for statement in TABLE.format(lines=lines).split(";"):
        server.execute(statement)
    settings = configure(server, work)
    server.execute("CREATE TABLE warm_up AS SELECT * FROM lines LIMIT 1")
    warm_up = settings.model_copy(update={"source": settings.source.model_copy(update={"table": "warm_up"})})
    land_transactions(Lake(work / "warm-up", settings.engine), warm_up)  # what it imports is not to be timed
    sends = [clock(lambda: drop_rows(server))]
    copy = clock(lambda: copy_to_parquet(server, work))
    worked = time.process_time()
    first = clock(lambda: expect(land(settings), lines))
    worked = time.process_time() - worked
    sends.append(clock(lambda: drop_rows(server)))
    send = min(sends)
    net = lines / (first - send)
    console.print(f"the server alone sends {lines:,} lines in {send:.1f} s; plain COPY to Parquet takes {copy:.1f} s")
    console.print(f"the first load works for {worked:.1f} s of one core, the server not counted")
    console.print(
        f"first load: {first:.1f} s = {first / copy:.2f} x the plain COPY; {net:,.0f} lines/s less the sending"
    )
    server.execute(f"""
        UPDATE lines SET quantity = quantity + 1, updated_at = now()
        WHERE line_id IN (SELECT line_id FROM lines ORDER BY hashint8(line_id) LIMIT {CHANGED})""")
    increment = clock(lambda: expect(land(settings), min(CHANGED, lines)))
    console.print(f"{CHANGED:,} changed lines all over the two years: {increment:.2f} s")
    console.print(f"nothing new: {clock(lambda: expect(land(settings), 0)):.2f} s")
    return 0 if net >= LINES_PER_SECOND and increment < INCREMENT_SECONDS else 1


def configure(server: PostgresServer, work: Path) -> Settings:
    """Settings with every column of the table mapped under its own name."""
    columns = "\n".join(f'{name} = "{name}"' for name in COLUMNS.split(", "))
    config = work / "clv.toml"
    config.write_text(CONFIG.format(url=server.url, columns=columns))
    return load_settings(config, {})


def land(settings: Settings) -> Load:
    """One load."""
    return land_transactions(Lake(settings.home, settings.engine), settings)


def expect(load: Load, rows: int) -> None:
    """Stops the measurement when a load brought other rows than it should."""
    if load.rows != rows:
        sys.exit(f"landed {load.rows:,} rows instead of {rows:,}")


def drop_rows(server: PostgresServer) -> None:
    """Has the server send every row, and does nothing with them."""
    for _ in stream(server, "binary"):
        pass


def copy_to_parquet(server: PostgresServer, work: Path) -> None:
    """What one would write by hand: COPY to a CSV file, and that to Parquet."""
    file = work / "lines.csv"
    with file.open("wb") as target:
        for block in stream(server, "csv, HEADER"):
            target.write(block)
    duckdb.sql(f"COPY (FROM read_csv('{file}')) TO '{work / 'lines.parquet'}' (FORMAT parquet, COMPRESSION zstd)")


def stream(server: PostgresServer, form: str) -> Iterator[Buffer]:
    """What the server sends for the query of a load."""
    query = f"COPY (SELECT {COLUMNS} FROM lines) TO STDOUT (FORMAT {form})"
    with server.connect() as con, con.cursor() as cursor, cursor.copy(query.encode()) as blocks:
        yield from blocks


def clock(work: Callable[[], object]) -> float:
    """How many seconds `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
