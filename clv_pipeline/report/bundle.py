"""The chart library as one script, bundled from the vl-convert wheel, so that the page needs no network.

Belongs here: making the script and keeping it. Does not belong here: charts.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile

# What the page's own script calls; vl-convert leaves everything else out of the global scope.
_SNIPPET = "window.vegaEmbed=vegaEmbed;"


@cache
def make_bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script. Takes about 2 s, then it is remembered."""
    import vl_convert  # noqa: PLC0415 - loads a JavaScript engine

    return vl_convert.javascript_bundle(_SNIPPET).replace("</script", "<\\/script")


def load_bundle(cache_dir: Path | None) -> str:
    """The script, from `cache_dir` where an earlier report left it for this version of vl-convert."""
    if cache_dir is None:
        return make_bundle()
    path = cache_dir / _file_name()
    if path.is_file():
        return path.read_text(encoding="utf-8")
    script = make_bundle()
    cache_dir.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=cache_dir, suffix=".part", delete=False, encoding="utf-8") as file:
        file.write(script)
    Path(file.name).replace(path)
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
