"""Reads delivered files (CSV, gzipped CSV, Parquet) as text, row by row, exactly as they were delivered.

Belongs here: finding files, digests, the CSV dialect, naming a file that cannot be read. Does not belong here: what
the columns mean (`sql/1_transactions/parsed.sql`) or which rows are new (`landing.py`).
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from clv_pipeline.settings import Settings
from clv_pipeline.sql import quote_literal, quote_name, quote_paths

_FILES_PER_READ = 500
_PARQUET = (".parquet", ".pq")
RESERVED_COLUMNS = ("batch_id", "source", "row_number", "loaded_at", "seq", "malformed", "period")


@dataclass(frozen=True)
class SourceFile:
    """One delivered file; `name` is its identity: the path below the fixed part of the glob."""

    path: Path
    name: str
    size: int
    mtime_ns: int

    @property
    def is_parquet(self) -> bool:
        """Whether the file is read as Parquet rather than as CSV."""
        return self.path.suffix.lower() in _PARQUET

    @property
    def can_grow(self) -> bool:
        """Whether new rows can be appended to the bytes of the file."""
        return not self.is_parquet and self.path.suffix.lower() != ".gz"


@dataclass(frozen=True)
class BadFile:
    """A file that cannot be read, and what to do about it."""

    name: str
    problem: str

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}"


def list_files(settings: Settings) -> list[SourceFile]:
    """The files that match `[source] path`, in order of arrival (modification time, then name)."""
    pattern = Path(settings.source.path).expanduser()
    pattern = pattern if pattern.is_absolute() else settings.base / pattern
    parts = pattern.parts
    fixed = next((i for i, part in enumerate(parts) if re.search(r"[*?\[]", part)), len(parts) - 1)
    root = Path(*parts[:fixed])
    found = root.glob(str(Path(*parts[fixed:]))) if root.is_dir() else iter(())
    return sorted((_describe(path, root) for path in found if path.is_file()), key=lambda f: (f.mtime_ns, f.name))


def _describe(path: Path, root: Path) -> SourceFile:
    stat = path.stat()
    return SourceFile(path, path.relative_to(root).as_posix(), stat.st_size, stat.st_mtime_ns)


def stored_name(column: str) -> str:
    """The name of a source column in the landing log, whose own column names are taken."""
    return f"{column}_" if column.lower() in RESERVED_COLUMNS else column


def digest(path: Path, length: int | None = None) -> str:
    """SHA-256 of the first `length` bytes of a file (default: all of it)."""
    hasher = hashlib.sha256()
    remaining = path.stat().st_size if length is None else length
    with path.open("rb") as file:
        while remaining > 0 and (block := file.read(min(remaining, 1 << 20))):
            hasher.update(block)
            remaining -= len(block)
    return hasher.hexdigest()


def ends_with_newline(path: Path, length: int) -> bool:
    """Whether byte `length - 1` ends a line, so that rows appended later start on a line of their own."""
    with path.open("rb") as file:
        file.seek(max(length - 1, 0))
        return file.read(1) == b"\n"


def stage_files(
    con: duckdb.DuckDBPyConnection,
    files: Sequence[SourceFile],
    folder: Path,
    encoding: str,
    needed: Sequence[str],
) -> list[BadFile]:
    """Writes the rows of `files` to Parquet under `folder`: source, row_number, malformed and their columns as text.

    `needed` are the columns that every file must have. Returns the files that could not be read; none of their rows
    is written.
    """
    bad: list[BadFile] = []
    number = 0
    for group in _group_alike(files):
        readable = [file for file in group if file.size > 0]
        queue = [readable] if readable else []
        while queue:
            batch = queue.pop()
            target = folder / f"raw_{number}.parquet"
            try:
                _stage_batch(con, batch, target, encoding, needed)
                number += 1
            except (duckdb.Error, _UnreadableError) as error:
                target.unlink(missing_ok=True)
                if len(batch) > 1:
                    queue.extend([file] for file in reversed(batch))
                else:
                    bad.append(BadFile(batch[0].name, _explain(error, batch[0], encoding)))
    return bad


class _UnreadableError(ValueError):
    pass


def _group_alike(files: Sequence[SourceFile]) -> Iterator[list[SourceFile]]:
    groups: dict[tuple[bool, bytes], list[SourceFile]] = {}
    for file in files:
        groups.setdefault((file.is_parquet, b"" if file.is_parquet else _read_header(file)), []).append(file)
    for group in groups.values():
        for start in range(0, len(group), _FILES_PER_READ):
            yield group[start : start + _FILES_PER_READ]


def _read_header(file: SourceFile) -> bytes:
    if not file.can_grow:
        return file.name.encode()
    with file.path.open("rb") as handle:
        return handle.readline(1 << 16)


def _stage_batch(
    con: duckdb.DuckDBPyConnection,
    batch: list[SourceFile],
    target: Path,
    encoding: str,
    needed: Sequence[str],
) -> None:
    paths = quote_paths(file.path for file in batch)
    con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    if batch[0].is_parquet:
        reader = f"read_parquet({paths}, filename = true, union_by_name = true, hive_partitioning = false)"
    else:
        reader = (
            f"read_csv({paths}, all_varchar = true, header = true, filename = true, store_rejects = true,"
            f" hive_partitioning = false, encoding = {quote_literal(encoding)})"
        )
    columns = [name for name, *_ in con.execute(f"DESCRIBE SELECT * FROM {reader}").fetchall() if name != "filename"]
    _require(columns, needed)
    con.execute("CREATE OR REPLACE TEMP TABLE delivered_file(path VARCHAR, source VARCHAR)")
    con.executemany("INSERT INTO delivered_file VALUES (?, ?)", [(str(f.path), f.name) for f in batch])
    con.execute("CREATE OR REPLACE TEMP TABLE numbered AS SELECT *, row_number() OVER () AS n FROM " + reader)
    rejects = _collect_rejects(con) if not batch[0].is_parquet else 0
    theirs = ", ".join(
        f"CAST(numbered.{quote_name(name)} AS VARCHAR) AS {quote_name(stored_name(name))}" for name in columns
    )
    accepted = f"""
        SELECT f.source, {"place.row_number" if rejects else "n - first_n + 1"} AS row_number,
               CAST(NULL AS VARCHAR) AS malformed, {theirs}
        FROM numbered
        JOIN delivered_file f ON f.path = numbered.filename
        JOIN (SELECT filename, min(n) AS first_n FROM numbered GROUP BY filename) USING (filename)
        {"JOIN place USING (n)" if rejects else ""}"""
    rejected = """
        UNION ALL BY NAME SELECT f.source, r.row_number, r.problem AS malformed
        FROM rejected r JOIN delivered_file f USING (path)"""
    con.execute(f"COPY ({accepted}{rejected if rejects else ''}) TO {quote_literal(str(target))} (FORMAT parquet)")
    con.execute("DROP TABLE numbered")


def _require(columns: Sequence[str], needed: Sequence[str]) -> None:
    if missing := [name for name in needed if name not in columns]:
        raise _UnreadableError(
            f"has no column {', '.join(repr(name) for name in missing)}; it has {', '.join(columns[:20])};"
            " mend the file, or [source.columns] in clv.toml"
        )


def _collect_rejects(con: duckdb.DuckDBPyConnection) -> int:
    """Tables `rejected` (path, row_number, problem) and `place` (n -> row number that counts rejected rows too)."""
    wrongly_encoded = "SELECT min(line) FROM reject_errors WHERE error_type = 'INVALID ENCODING'"
    line = con.execute(wrongly_encoded).fetchall()[0][0]
    if line:
        raise _UnreadableError(f"row {line - 1} is not in the expected encoding; set [source] encoding, e.g. 'latin-1'")
    con.execute("""
        CREATE OR REPLACE TEMP TABLE rejected AS
        SELECT s.file_path AS path, CAST(e.line - 1 AS BIGINT) AS row_number,
               'malformed line: ' || any_value(e.error_message) || ': ' || any_value(e.csv_line) AS problem
        FROM reject_errors e JOIN reject_scans s USING (scan_id, file_id) GROUP BY ALL""")
    count = con.execute("SELECT count(*) FROM rejected").fetchall()[0][0]
    if not count:
        return 0
    # The k-th accepted row stands after every rejected row whose own place, less the rejects before it, is at most k.
    con.execute("""
        CREATE OR REPLACE TEMP TABLE place AS
        WITH accepted AS (
            SELECT filename AS path, n, row_number() OVER (PARTITION BY filename ORDER BY n) AS k FROM numbered
        ), step AS (
            SELECT path, row_number - row_number() OVER (PARTITION BY path ORDER BY row_number) + 1 AS k FROM rejected
        )
        SELECT a.n, a.k + count(s.k) AS row_number
        FROM accepted a LEFT JOIN step s ON s.path = a.path AND s.k <= a.k GROUP BY a.n, a.k""")
    return int(count)


def _explain(error: Exception, file: SourceFile, encoding: str) -> str:
    text = str(error).splitlines()[0]
    if isinstance(error, _UnreadableError):
        return text
    if file.is_parquet:
        return f"not a Parquet file ({text[:120]}); deliver it again"
    if "encoding" in str(error).lower() or "unicode" in str(error).lower():
        return f"not in encoding {encoding}; set [source] encoding, e.g. 'latin-1'"
    return "not a CSV file that can be read; check delimiter, quotes and header, or deliver it again"
