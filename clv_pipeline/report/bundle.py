"""The chart library as one script, bundled from the vl-convert wheel, so that the page needs no network.

Belongs here: making the script and keeping it. Does not belong here: charts.
"""

import sys
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile

# What the page's own script calls; vl-convert leaves everything else out of the global scope.
_SNIPPET = "window.vegaEmbed=vegaEmbed;"
# Made with the environment, so that no first report has to wait for it.
_SET_UP = Path(sys.prefix) / "share" / "clv_pipeline"


@cache
def make_bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script. Takes about 2 s, then it is remembered."""
    import vl_convert  # noqa: PLC0415 - loads a JavaScript engine

    return vl_convert.javascript_bundle(_SNIPPET).replace("</script", "<\\/script")


def set_up_bundle() -> None:
    """Makes the script where every report of this environment finds it; part of the set-up."""
    if not (_SET_UP / _file_name()).is_file():
        _keep_bundle(_SET_UP)


def load_bundle(cache_dir: Path | None) -> str:
    """The script for this version of vl-convert, from the set-up or from `cache_dir`, where it is kept otherwise."""
    for folder in (_SET_UP, cache_dir):
        if folder is not None and (folder / _file_name()).is_file():
            return (folder / _file_name()).read_text(encoding="utf-8")
    return make_bundle() if cache_dir is None else _keep_bundle(cache_dir)


def _keep_bundle(folder: Path) -> str:
    script = make_bundle()
    folder.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=folder, suffix=".part", delete=False, encoding="utf-8") as file:
        file.write(script)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(folder / _file_name())
    return script


@cache
def start_bundle(cache_dir: Path | None) -> Future[str]:
    """Loads the script in a thread of its own: bundling leaves Python free to do something else; once per process."""
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vega-bundle")
    future = executor.submit(load_bundle, cache_dir)
    executor.shutdown(wait=False)
    return future


def _file_name() -> str:
    return f"vega-{version('vl-convert-python')}.js"
