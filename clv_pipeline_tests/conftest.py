"""Fixtures for every test."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from clv_pipeline_tests.orchestra import Orchestra
from clv_pipeline_tests.warehouse import Warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "company")


@pytest.fixture
def conduct(tmp_path: Path) -> Iterator[Callable[..., Orchestra]]:
    opened: list[Orchestra] = []

    def conduct(months: Iterable[str] = (), *, extra: str = "") -> Orchestra:
        opened.append(Orchestra(tmp_path / f"orchestra{len(opened)}", months, extra=extra))
        return opened[-1]

    yield conduct
    for orchestra in opened:
        orchestra.close()
