"""The fit in a process of its own gives what the fit here gives, whatever happens to the process.

Belongs here: the way there and back. Does not belong here: what a fit finds (`clv/test_models.py`).
"""

import io
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from unittest.mock import MagicMock

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from clv_pipeline import fitting
from clv_pipeline.clv.models import ModelError, fit_models

CUSTOMERS = pl.DataFrame(
    {
        "frequency": [0, 1, 2, 4, 0, 3],
        "recency": [0.0, 5.0, 20.0, 30.0, 0.0, 12.0],
        "T": [38.0, 30.0, 25.0, 38.0, 10.0, 36.0],
        "monetary_value": [None, 20.0, 35.5, 18.0, None, 40.0],
        "spend": [10.0, 45.0, 100.0, 90.0, 8.0, 130.0],
    }
)
SETTINGS: dict[str, Any] = {"transactions": "bg_nbd", "estimation": "laplace", "priors": "default"}


@pytest.fixture
def prepared() -> Iterator[int]:
    """The id of a prepared process."""
    yield fitting.prepare_fit()
    fitting.end_fits()


def test_what_was_asked_ahead_is_not_fitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = pickle.dumps("first") + pickle.dumps("second")
    process = MagicMock(stdin=io.BytesIO(), stdout=io.BytesIO(answers))
    monkeypatch.setattr(fitting, "_ready", process)
    fitting.ask_fit(CUSTOMERS, transactions="bg_nbd")
    assert fitting.fit(CUSTOMERS, transactions="mbg_nbd") == "second"
    # Another frame with the same rows is the same request.
    assert fitting.fit(CUSTOMERS.clone(), transactions="bg_nbd") == "first"
    assert process.stdin.getvalue().count(b"mbg_nbd") == 1


@pytest.mark.slow
def test_another_process_fits_the_same_and_refuses_the_same(prepared: int) -> None:
    here, there = fit_models(CUSTOMERS, **SETTINGS), fitting.fit(CUSTOMERS, **SETTINGS)
    for table in ("parameters", "evaluation", "repeat_purchases", "draws"):
        assert_frame_equal(getattr(there, table), getattr(here, table), check_exact=True)
    assert there.notes == here.notes
    with pytest.raises(ModelError, match="nuts"):
        fitting.fit(CUSTOMERS, **SETTINGS | {"estimation": "nuts"})
    os.kill(prepared, signal.SIGKILL)
    assert_frame_equal(fitting.fit(CUSTOMERS, **SETTINGS).parameters, here.parameters, check_exact=True)


def test_an_answer_that_breaks_off_is_made_here(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = fit_models(CUSTOMERS, **SETTINGS)
    dying = MagicMock(stdin=io.BytesIO(), stdout=io.BytesIO(pickle.dumps(expected)[:-40]))
    monkeypatch.setattr(fitting, "_ready", dying)
    assert_frame_equal(fitting.fit(CUSTOMERS, **SETTINGS).parameters, expected.parameters, check_exact=True)
    dying.kill.assert_called_once()


def test_the_process_ends_with_the_one_that_started_it() -> None:
    code = "import os; from clv_pipeline.fitting import prepare_fit; prepare_fit(); os.abort()"
    # The prepared process holds the same standard error, so that this waits for its end too.
    ended = subprocess.run([sys.executable, "-c", code], check=False, stderr=subprocess.PIPE, timeout=60)
    assert ended.returncode == -signal.SIGABRT
