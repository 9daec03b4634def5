"""Fixtures for every test."""

from pathlib import Path

import pytest

from clv_pipeline_tests.warehouse import Warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "company")
