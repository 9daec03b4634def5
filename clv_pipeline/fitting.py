"""Fits, and the backtest that they are made for, in a process beside this one: it has a core of its own.

Belongs here: the process, and the way there and back. Does not belong here: what it computes (`clv/models`,
`clv/backtest`). Importing the libraries of a fit takes seconds, and a thread that imports holds up every other thread
of its process. This module imports next to nothing, so that the process can be started before anything else.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import polars as pl

    from clv_pipeline.clv.models import ModelFit

_ready: subprocess.Popen[bytes] | None = None
# One thread: the process answers in the order of the requests.
_messenger = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fits")
_asked: dict[bytes, "Asked[ModelFit]"] = {}


@dataclass(frozen=True)
class Asked[T]:
    """What a call will give: in the process beside this one, or here where there is none."""

    call: Callable[[], T]
    answer: Future[Any] | None

    def result(self) -> T:
        """The result, or the exception of the call raised here; waits for it."""
        if self.answer is None:
            return self.call()
        try:
            found = self.answer.result()
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):  # it was killed, for want of memory perhaps
            end_fits()
            return self.call()
        if isinstance(found, Exception):
            raise found
        return cast(T, found)


def prepare_fit() -> int:
    """Starts a process that is ready for `ask` some seconds later; it ends with this process, however that ends.

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


def is_prepared() -> bool:
    """Whether `ask` computes beside this process."""
    return _ready is not None


def ask[**P, T](function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Asked[T]:
    """Has `function`, one of a module, called with these arguments, while this process does something else."""
    call = partial(function, *args, **kwargs)
    return Asked(call, _submit(pickle.dumps(call)) if _ready is not None else None)


def ask_fit(customers: "pl.DataFrame", **settings: Any) -> None:
    """Has the prepared process fit ahead of the same `fit`, while this one does something else; else does nothing."""
    if is_prepared():
        call, request = _describe_fit(customers, settings)
        _asked[sha256(request).digest()] = Asked(call, _submit(request))


def fit(customers: "pl.DataFrame", **settings: Any) -> "ModelFit":
    """`fit_models(customers, **settings)`, in the prepared process where there is one."""
    call, request = _describe_fit(customers, settings)
    asked = _asked.pop(sha256(request).digest(), None)
    return (asked or Asked(call, _submit(request) if is_prepared() else None)).result()


def _describe_fit(customers: "pl.DataFrame", settings: dict[str, Any]) -> tuple[Callable[[], "ModelFit"], bytes]:
    from clv_pipeline.clv.models import fit_models  # noqa: PLC0415 - see the module

    call = partial(fit_models, customers, **settings)
    return call, pickle.dumps(call)


def _submit(request: bytes) -> Future[Any]:
    return _messenger.submit(_exchange, _ready, request)


def _exchange(process: "subprocess.Popen[bytes] | None", request: bytes) -> Any:
    if process is None or process.stdin is None or process.stdout is None:
        raise OSError("no way to the process")
    process.stdin.write(request)
    process.stdin.flush()
    return pickle.load(process.stdout)


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    from clv_pipeline.clv.models import load_libraries  # noqa: PLC0415 - see the module

    load_libraries()
    while True:
        try:
            call = pickle.load(requests)
        except EOFError:
            return
        try:
            answer: Any = call()
        except Exception as error:
            answer = error
        pickle.dump(answer, answers)
        answers.flush()


def main() -> None:
    """Answers calls from standard input on standard output, until the other side closes."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What a library prints must not get into the answers.
    _serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
