"""Reads delivered files (CSV, gzipped CSV, Parquet) as text, row by row, exactly as they were delivered.

Belongs here: finding files, digests, the CSV dialect, naming a file that cannot be read. Does not belong here: what
the columns mean (`sql/1_transactions/parsed.sql`) or which rows are new (`landing.py`).
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from clv_pipeline.formats import PARQUET_SUFFIXES, explain_unreadable, find_mismatch
from clv_pipeline.settings import Settings
from clv_pipeline.sql import quote_literal, quote_name, quote_paths

_FILES_PER_READ = 500
_LISTED_COLUMNS = 20
# What a wide glob would find of the pipeline's own, below home.
_OWN_FOLDERS = ("lake", "report", "dagster_home")
# Makes of delivered rows, a SELECT with these columns of the source, what may be written.
Protect = Callable[[str, Sequence[str]], str]
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
        return self.path.suffix.lower() in PARQUET_SUFFIXES

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


def list_files(settings: Settings, path: str | None = None) -> list[SourceFile]:
    """The files that match `path` (default: `[source] path`), in order of arrival (modification time, then name).

    Hidden files, and what the pipeline itself keeps beside or below its home, are never deliveries.
    """
    pattern = Path(path or settings.source.path).expanduser()
    pattern = pattern if pattern.is_absolute() else settings.base / pattern
    parts = pattern.parts
    fixed = next((i for i, part in enumerate(parts) if re.search(r"[*?\[]", part)), len(parts) - 1)
    root = Path(*parts[:fixed])
    found = root.glob(str(Path(*parts[fixed:]))) if root.is_dir() else iter(())
    own = (*(settings.home / name for name in _OWN_FOLDERS), settings.home / "clv.duckdb", settings.config_file)
    files = (_describe(path, root) for path in found if not any(path.is_relative_to(place) for place in own))
    return sorted((file for file in files if file), key=lambda file: (file.mtime_ns, file.name))


def describe_source(settings: Settings) -> str:
    """What deliveries have to match, for messages that none does."""
    source = settings.source
    return f"table {source.table}" if source.kind == "sql" else f"{source.path} in {settings.base}"


def _describe(path: Path, root: Path) -> SourceFile | None:
    name = path.relative_to(root)
    if any(part.startswith(".") for part in name.parts) or not path.is_file():
        return None
    try:
        stat = path.stat()
    except FileNotFoundError:  # moved away since it was listed
        return None
    return SourceFile(path, name.as_posix(), stat.st_size, stat.st_mtime_ns)


def stored_name(column: str) -> str:
    """The name of a source column in the landing log, whose own column names are taken."""
    return f"{column}_" if column.lower().rstrip("_") in RESERVED_COLUMNS else column


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
    *,
    protect: Protect,
) -> list[BadFile]:
    """Writes the rows of `files` to Parquet under `folder`: source, row_number, malformed and their columns as text.

    `needed` are the columns that every file must have; nothing is written that has not gone through `protect`. Returns
    the files that could not be read; none of their rows is written.
    """
    bad: list[BadFile] = []
    number = 0
    readable: list[SourceFile] = []
    for file in files:
        if problem := _find_problem(file, encoding):
            bad.append(BadFile(file.name, problem))
        elif file.size > 0:
            readable.append(file)
    for group in _group_alike(readable):
        queue = [group]
        while queue:
            batch = queue.pop()
            target = folder / f"raw_{number}.parquet"
            try:
                _stage_batch(con, batch, target, encoding, needed, protect=protect)
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


def _find_problem(file: SourceFile, encoding: str) -> str | None:
    try:
        return find_mismatch(file.path, encoding)
    except OSError as error:
        return explain_os_error(error)


def explain_os_error(error: OSError) -> str:
    """Why a delivered file cannot be opened, and the fix."""
    if isinstance(error, FileNotFoundError):
        return "vanished while it was read; deliver it again if it is still wanted"
    return f"cannot be opened ({error.strerror or error}); mend its permissions or deliver it again"


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
    *,
    protect: Protect,
) -> None:
    paths = quote_paths(file.path for file in batch)
    con.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    if batch[0].is_parquet:
        reader = f"read_parquet({paths}, filename = 'clv_file', union_by_name = true, hive_partitioning = false)"
    else:
        reader = (
            f"read_csv({paths}, all_varchar = true, header = true, filename = 'clv_file', store_rejects = true,"
            f" hive_partitioning = false, encoding = {quote_literal(encoding)})"
        )
    columns = [name for name, *_ in con.execute(f"DESCRIBE SELECT * FROM {reader}").fetchall() if name != "clv_file"]
    _require(columns, needed)
    if not batch[0].is_parquet:
        _require_unique(con, batch[0], encoding, columns, needed)
    con.execute("CREATE OR REPLACE TEMP TABLE delivered_file(path VARCHAR, source VARCHAR)")
    con.executemany("INSERT INTO delivered_file VALUES (?, ?)", [(str(f.path), f.name) for f in batch])
    con.execute("CREATE OR REPLACE TEMP TABLE numbered AS SELECT *, row_number() OVER () AS clv_n FROM " + reader)
    rejects = _collect_rejects(con) if not batch[0].is_parquet else 0
    theirs = ", ".join(
        f"CAST(numbered.{quote_name(name)} AS VARCHAR) AS {quote_name(stored_name(name))}" for name in columns
    )
    accepted = f"""
        SELECT f.source, {"place.row_number" if rejects else "clv_n - clv_first_n + 1"} AS row_number,
               CAST(NULL AS VARCHAR) AS malformed, {theirs}
        FROM numbered
        JOIN delivered_file f ON f.path = numbered.clv_file
        JOIN (SELECT clv_file, min(clv_n) AS clv_first_n FROM numbered GROUP BY clv_file) USING (clv_file)
        {"JOIN place USING (clv_n)" if rejects else ""}"""
    rejected = """
        UNION ALL BY NAME SELECT f.source, r.row_number, r.problem AS malformed
        FROM rejected r JOIN delivered_file f USING (path)"""
    rows = protect(accepted + (rejected if rejects else ""), [stored_name(name) for name in columns])
    con.execute(f"COPY ({rows}) TO {quote_literal(str(target))} (FORMAT parquet)")
    con.execute("DROP TABLE numbered")


def _require(columns: Sequence[str], needed: Sequence[str]) -> None:
    if missing := [name for name in needed if name not in columns]:
        raise _UnreadableError(
            f"has no column {', '.join(repr(name) for name in missing)}; it has {_list(columns)};"
            " mend the file, or [source.columns] in clv.toml"
        )


def _list(columns: Sequence[str]) -> str:
    more = len(columns) - _LISTED_COLUMNS
    return ", ".join(columns[:_LISTED_COLUMNS]) + (f" and {more} more" if more > 0 else "")


def _require_unique(
    con: duckdb.DuckDBPyConnection, file: SourceFile, encoding: str, columns: Sequence[str], needed: Sequence[str]
) -> None:
    """Raises when a needed column stands twice in the header: DuckDB numbers repeats, so the wrong one may be read."""
    if not {f"{name}_1".lower() for name in needed} & {name.lower() for name in columns}:
        return
    query = (
        f"SELECT * FROM read_csv({quote_literal(str(file.path))}, all_varchar = true, header = false,"
        f" encoding = {quote_literal(encoding)}) LIMIT 1"
    )
    header = [str(cell).strip().lower() for cell in con.execute(query).fetchall()[0]]
    if repeated := [name for name in needed if header.count(name.lower()) > 1]:
        raise _UnreadableError(f"has column {repeated[0]!r} twice; rename one of them")


def _collect_rejects(con: duckdb.DuckDBPyConnection) -> int:
    """Tables `rejected` (path, row_number, problem) and `place` (clv_n -> row number that counts rejected rows too)."""
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
            SELECT clv_file AS path, clv_n, row_number() OVER (PARTITION BY clv_file ORDER BY clv_n) AS k FROM numbered
        ), step AS (
            SELECT path, row_number - row_number() OVER (PARTITION BY path ORDER BY row_number) + 1 AS k FROM rejected
        )
        SELECT a.clv_n, a.k + count(s.k) AS row_number
        FROM accepted a LEFT JOIN step s ON s.path = a.path AND s.k <= a.k GROUP BY a.clv_n, a.k""")
    return int(count)


def _explain(error: Exception, file: SourceFile, encoding: str) -> str:
    text = str(error).splitlines()[0]
    try:
        found = "" if file.is_parquet else explain_unreadable(file.path, encoding)
        file.path.stat()
    except OSError as gone:
        return explain_os_error(gone)
    if found or isinstance(error, _UnreadableError):
        return found or text
    if file.is_parquet:
        return f"not a Parquet file, or cut off ({text[:120].partition(': ')[2] or text[:120]}); deliver it again"
    if "encoding" in str(error).lower() or "unicode" in str(error).lower():
        return f"not in encoding {encoding}; set [source] encoding, e.g. 'latin-1'"
    return "not a CSV file that can be read; check delimiter, quotes and header, or deliver it again"
