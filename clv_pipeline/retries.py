"""Tries a step again after what passes by itself: a file system or a network that hiccups.

Belongs here: what counts as such. Does not belong here: runs whose process died (`dead_runs.py`, `dagster.yaml`). A
contract that failed, a wrong setting or a full disk would be the same a minute later, and wake a human at once.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import duckdb

_PASSING = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.ECONNABORTED,
        errno.ECONNRESET,
        errno.EHOSTUNREACH,
        errno.EIO,
        errno.ENETUNREACH,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
_TIMES, _WAIT_SECONDS = 2, 10


@contextmanager
def retry_what_passes() -> Iterator[None]:
    """Asks Dagster to run the step again, twice at most, when the block fails of something that passes."""
    try:
        yield
    except (OSError, duckdb.IOException) as error:
        if not passes(error):
            raise
        raise dg.RetryRequested(max_retries=_TIMES, seconds_to_wait=_WAIT_SECONDS) from error


def passes(error: BaseException) -> bool:
    """Whether the same may succeed a little later; DuckDB tells the system's error in words only."""
    if isinstance(error, OSError):
        return error.errno in _PASSING
    return isinstance(error, duckdb.IOException) and any(os.strerror(code) in str(error) for code in _PASSING)
