"""Whether the table of [source] has news, asked as cheaply as can be: a sensor asks every half minute.

Belongs here: asking, and what is said when a table cannot be read. Does not belong here: what a load reads
(`extracts.py`).

Since each load goes back by the lag, a table without news would be read again and again. So the server is first asked
how many rows there are since then, with which cursors. As every insert and update sets the cursor, they are the rows in
which no news was found as long as that is the same.
"""

from contextlib import nullcontext
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from clv_pipeline.databases.connection import DatabaseAwayError, DatabaseError, open_database
from clv_pipeline.databases.extracts import Checkpoint, extract_news, select_since
from clv_pipeline.databases.reading import open_table
from clv_pipeline.lake import Lake
from clv_pipeline.ledger import Ledger
from clv_pipeline.privacy.guard import LOCK, PrivacyError, open_guard
from clv_pipeline.settings import Settings, SettingsError

# By home: what was known of the table when all of its rows were found to be landed.
_QUIET: dict[Path, str] = {}


def describe_news(lake: Lake, settings: Settings, ledger: Ledger) -> str | None:
    """What a load would find, in a word that changes with it; None where nothing changed.

    A table that cannot be read counts as news once an hour: the load that it asks for says what is wrong.
    """
    try:
        return find_news(lake, settings, ledger)
    except (DatabaseError, DatabaseAwayError, PrivacyError, SettingsError) as error:
        return f"{settings.source.table}:{datetime.now(UTC):%Y-%m-%d %H}:{error}"


def find_news(lake: Lake, settings: Settings, ledger: Ledger, *, is_alone: bool = False) -> str | None:
    """The same; `is_alone` says that the caller has the lock of privacy.

    Raises DatabaseError, DatabaseAwayError, PrivacyError or SettingsError, in one line, where it cannot be told.
    """
    lake.prepare()
    checkpoint = ledger.last_checkpoint(settings.source.table)
    with nullcontext() if is_alone else lake.hold(LOCK, shared=True):
        guard = open_guard(lake, settings, has_data=not ledger.batches.is_empty())
        seen = _look(settings, checkpoint)
        if seen is not None and _QUIET.get(lake.root) == seen:
            return None
        with TemporaryDirectory(dir=lake.root / ".staging") as folder, lake.connect() as con:
            guard.encrypt_spill(con)
            extract = extract_news(con, settings, guard, checkpoint, Path(folder))
    if extract is not None:
        return f"{extract.name}:{extract.checkpoint}"
    if seen is not None:
        _QUIET[lake.root] = seen
    return None


def _look(settings: Settings, checkpoint: str | None) -> str | None:
    """What the server says of the rows since the lag before `checkpoint`; None where that would not show all news."""
    import sqlalchemy as sa  # noqa: PLC0415

    source, since = settings.source, Checkpoint.load(checkpoint) if settings.source.cursor else None
    if since is None or source.cursor is None:
        return None
    with open_database(source, settings.base) as database:
        reader = open_table(database, source.table or "", [source.cursor])
        cursor, condition = reader.column(source.cursor), select_since(reader, settings, since)
        if condition is None:
            return None
        total, known = sa.func.count(), sa.func.count(cursor)
        if database.kind == "postgresql":
            # An update moves a cursor on and so their sum; others have no common word for a moment as a number.
            query = sa.select(total, known, sa.func.sum(sa.extract("epoch", cursor))).where(condition)
        else:
            query = sa.select(total, known, cursor).where(condition).group_by(cursor)
        with database.explain_errors(f"table {source.table}"), database.engine.connect() as con:
            rows = con.execute(query).fetchall()
    if any(total != known for total, known, _ in rows):
        return None  # a row without a cursor may change without a trace
    told = [settings.source.model_dump_json(), checkpoint, *sorted(map(str, rows))]
    return sha256("\n".join(map(str, told)).encode()).hexdigest()
