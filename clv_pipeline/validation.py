"""pandera as this project uses it: for polars frames.

Belongs here: its import. Does not belong here: contracts (`schemas/`), or running them (`contracts.py`).

Where pandas and hypothesis are installed pandera imports both, for frames and for test data that nothing here has;
without them it goes without, which takes a second less of every command.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import override


class _Absent(MetaPathFinder):
    """Says of packages that they are not installed."""

    def __init__(self, *packages: str) -> None:
        self.packages = packages

    @override
    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] in self.packages:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


@contextmanager
def _without(*packages: str) -> Iterator[None]:
    absent = _Absent(*packages)
    sys.meta_path.insert(0, absent)
    try:
        yield
    finally:
        sys.meta_path.remove(absent)


with _without("pandas", "hypothesis"):
    import pandera.backends.polars.builtin_checks  # noqa: F401 - registers them
    import pandera.polars as pa
    from pandera.api.polars.model_config import BaseConfig
    from pandera.errors import SchemaErrors

__all__ = ["BaseConfig", "SchemaErrors", "pa"]
