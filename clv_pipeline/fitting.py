"""A fit in a process of its own, which imports its libraries while this one still works on the data.

Belongs here: the process, and the way there and back. Does not belong here: the fit (`clv/models`). Importing the
libraries takes seconds of one core, and a thread that imports holds up every other thread of its process.
"""

import os
import pickle
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from typing import IO, Any

import polars as pl

from clv_pipeline.clv.models import ModelFit, fit_models
from clv_pipeline.clv.models.likelihoods import load_libraries

_ready: subprocess.Popen[bytes] | None = None
# One thread: the process answers in the order of the requests.
_messenger = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fits")
_asked: dict[bytes, Future[ModelFit | Exception]] = {}


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
    """Ends the process that `prepare_fit` started, and what it was asked for."""
    global _ready  # noqa: PLW0603
    if _ready is not None:
        _ready.kill()
        # After what it was asked for, which breaks off now.
        _messenger.submit(_ready.communicate).result()
        _ready = None
    _asked.clear()


def ask_fit(customers: pl.DataFrame, **settings: Any) -> None:
    """Has the prepared process fit ahead of the same `fit`, while this one does something else; else does nothing."""
    if _ready is not None:
        request = pickle.dumps((customers, settings))
        _asked[sha256(request).digest()] = _messenger.submit(_exchange, _ready, request)


def fit(customers: pl.DataFrame, **settings: Any) -> ModelFit:
    """`fit_models(customers, **settings)`, in the prepared process where there is one."""
    if _ready is None:
        return fit_models(customers, **settings)
    request = pickle.dumps((customers, settings))
    asked = _asked.pop(sha256(request).digest(), None) or _messenger.submit(_exchange, _ready, request)
    try:
        answer = asked.result()
    except (OSError, EOFError, ValueError, pickle.UnpicklingError):  # it was killed, for want of memory perhaps
        end_fits()
        return fit_models(customers, **settings)
    if isinstance(answer, Exception):
        raise answer
    return answer


def _exchange(process: "subprocess.Popen[bytes]", request: bytes) -> ModelFit | Exception:
    if process.stdin is None or process.stdout is None:
        raise OSError("no way to the process")
    process.stdin.write(request)
    process.stdin.flush()
    return pickle.load(process.stdout)


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
