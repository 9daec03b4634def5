"""A fit in a process of its own, which imports its libraries while this one still works on the data.

Belongs here: the process, and the way there and back. Does not belong here: the fit (`clv/models`). Importing the
libraries takes seconds of one core, and a thread that imports holds up every other thread of its process.
"""

import os
import pickle
import subprocess
import sys
from typing import IO, Any

import polars as pl

from clv_pipeline.clv.models import ModelFit, fit_models
from clv_pipeline.clv.models.likelihoods import load_libraries

_ready: subprocess.Popen[bytes] | None = None


def prepare_fit() -> int:
    """Starts a process that is ready for `fit` some seconds later; it ends with this process, however that ends.

    Returns its id.
    """
    global _ready  # noqa: PLW0603  (one per process, as the import of a library is)
    if _ready is None or _ready.poll() is not None:
        command = [sys.executable, "-P", "-m", "clv_pipeline.fitting"]
        _ready = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return _ready.pid


def end_fits() -> None:
    """Ends the process that `prepare_fit` started."""
    global _ready  # noqa: PLW0603
    if _ready is not None:
        _ready.kill()
        _ready.communicate()
        _ready = None


def fit(customers: pl.DataFrame, **settings: Any) -> ModelFit:
    """`fit_models(customers, **settings)`, in the prepared process where there is one."""
    if _ready is None or _ready.stdin is None or _ready.stdout is None:
        return fit_models(customers, **settings)
    try:
        pickle.dump((customers, settings), _ready.stdin)
        _ready.stdin.flush()
        answer = pickle.load(_ready.stdout)
    except (OSError, EOFError, pickle.UnpicklingError):  # it was killed, for want of memory perhaps
        end_fits()
        return fit_models(customers, **settings)
    if isinstance(answer, Exception):
        raise answer
    return answer


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    load_libraries()
    while True:
        try:
            customers, settings = pickle.load(requests)
        except EOFError:
            return
        try:
            answer: ModelFit | Exception = fit_models(customers, **settings)
        except Exception as error:
            answer = error
        pickle.dump(answer, answers)
        answers.flush()


def main() -> None:
    """Answers fits from standard input on standard output, until the other side closes."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What a library prints must not get into the answers.
    _serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
