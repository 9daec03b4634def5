"""Takes people's ids out of what Dagster keeps of past runs: event logs in SQLite, output of steps.

Belongs here: finding and replacing text there. Does not belong here: what may be written there (`contracts.py`).

Since metadata and messages go without ids of customers, there is something to find only in homes that are older, and
ids of orders and lines.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from clv_pipeline.privacy.guard import PrivacyError

_GONE = "(forgotten)"
_MAGIC = b"SQLite format 3\0"
_BUSY_SECONDS = 30
_AT_ONCE = 500


def clear_traces(folder: Path, texts: Sequence[str]) -> None:
    """Replaces `texts`, where they stand for themselves, in every file below `folder`.

    A number stands for itself in a cell of a table or between quotes, any other text between whatever is no part of a
    name. Raises PrivacyError when a database is in use for too long.
    """
    needles = [text.encode() for text in texts if text]
    clear = compile_clearing(texts)
    for file in sorted(folder.rglob("*")) if needles else []:
        if not file.is_file() or file.name.endswith(("-wal", "-shm")):
            continue
        content = file.read_bytes()
        log = file.with_name(file.name + "-wal")
        seen = content + (log.read_bytes() if log.exists() else b"")
        if not any(needle in seen for needle in needles):
            continue
        if content.startswith(_MAGIC):
            _clear_database(file, clear)
        elif (cleared := clear(text := content.decode(errors="surrogateescape"))) != text:
            file.write_bytes(cleared.encode(errors="surrogateescape"))


def compile_clearing(texts: Sequence[str]) -> Callable[[str], str]:
    """What replaces `texts` in a text, where they stand for themselves."""
    wanted = sorted({text for text in texts if text}, key=len, reverse=True)
    patterns = [_compile(wanted[start : start + _AT_ONCE]) for start in range(0, len(wanted), _AT_ONCE)]

    def clear(text: str) -> str:
        for pattern in patterns:
            text = pattern.sub(_GONE, text)
        return text

    return clear


def _compile(texts: Sequence[str]) -> re.Pattern[str]:
    numbers = "|".join(re.escape(text) for text in texts if _is_number(text))
    others = "|".join(re.escape(text) for text in texts if not _is_number(text))
    found = [rf"(?<=\| )(?:{numbers})(?= \|)|(?<=['\"])(?:{numbers})(?=\\?['\"])"] if numbers else []
    # What a colon follows is the name of a field.
    found += [rf"(?<![\w.@+-])(?:{others})(?![\w@+-]|\.\w|\\?\":)"] if others else []
    return re.compile("|".join(found))


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def _clear_database(file: Path, clear: Callable[[str], str]) -> None:
    try:
        with closing(sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None)) as con:
            con.create_function("clear", 1, clear, deterministic=True)
            con.execute("PRAGMA secure_delete = ON")
            changed = sum(_clear_column(con, table, column) for table, column in _list_columns(con))
            if changed:
                # What was overwritten may lie in free pages and in the write-ahead log.
                con.execute("VACUUM")
            con.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        raise PrivacyError(f"{file} is in use ({error}); stop `clv ui`, and run `clv forget` again") from None


def _list_columns(con: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    tables = [name for (name,) in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        yield from ((table, column[1]) for column in con.execute(f'PRAGMA table_info("{table}")').fetchall())


def _clear_column(con: sqlite3.Connection, table: str, column: str) -> int:
    is_changed = f'typeof("{column}") = \'text\' AND clear("{column}") <> "{column}"'
    return con.execute(f'UPDATE "{table}" SET "{column}" = clear("{column}") WHERE {is_changed}').rowcount
