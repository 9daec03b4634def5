"""Fixtures for every test."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from clv_pipeline_tests.orchestra import Orchestra
from clv_pipeline_tests.postgres import PASSWORD, TABLE, PostgresServer, find_programs
from clv_pipeline_tests.warehouse import TableShop, Warehouse

# A busy machine is no reason to fail.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

MONTHS = ("2024-01", "2024-02", "2024-03", "2024-04")


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "company")


@pytest.fixture
def conduct(tmp_path: Path) -> Iterator[Callable[..., Orchestra]]:
    opened: list[Orchestra] = []

    def conduct(months: Iterable[str] = (), *, extra: str = "") -> Orchestra:
        opened.append(Orchestra(Warehouse(tmp_path / f"orchestra{len(opened)}", extra=extra)))
        opened[-1].deliver(months)
        return opened[-1]

    yield conduct
    for orchestra in opened:
        orchestra.close()


@pytest.fixture(scope="session")
def loaded_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orchestra]:
    """Four months, landed and up to date to the last as-of month; to be copied, not touched."""
    orchestra = Orchestra(Warehouse(tmp_path_factory.mktemp("loaded") / "company"))
    orchestra.deliver(MONTHS)
    orchestra.load()
    yield orchestra
    orchestra.close()


@pytest.fixture
def loaded(tmp_path: Path, loaded_once: Orchestra) -> Iterator[Orchestra]:
    orchestra = loaded_once.copy_to(tmp_path / "loaded")
    yield orchestra
    orchestra.close()


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    programs = find_programs()
    if programs is None:
        pytest.skip("needs PostgreSQL's server programs")
    running = PostgresServer(programs)
    yield running
    running.remove()


@pytest.fixture
def table_shop(server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TableShop:
    """A company whose lines are in the table shop.lines, which is empty."""
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    server.execute(TABLE)
    return TableShop(tmp_path / "shop", server.url)
