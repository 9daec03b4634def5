"""The `clv` command: run, backfill, look, report, demo, user interface.

Belongs here: arguments, progress and exit codes. Does not belong here: any work. Imports are inside the commands, so
that `clv --help` answers at once.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from clv_pipeline.settings import PERIOD_PATTERN, Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from clv_pipeline.runs import Runner

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Customer-base audit and customer lifetime value from raw transactions.",
    rich_markup_mode="rich",
)
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; default: $CLV_CONFIG, else clv.toml here.", show_default=False),
]


def main() -> None:
    """Entry point: every expected failure is one line on stderr and exit code 1."""
    sys.exit(run_app(sys.argv[1:]))


def run_app(arguments: list[str]) -> int:
    """Runs the command line and returns its exit code."""
    try:
        result = app(arguments, standalone_mode=False)
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        errors.print("stopped")
        return 130
    except Exception as error:
        if not _is_expected(error):
            if os.environ.get("CLV_DEBUG"):
                raise
            errors.print(f"[red]unexpected:[/] {escape(_one_line(error))} (set CLV_DEBUG=1 for the traceback)")
            return 1
        errors.print(f"[red]error:[/] {escape(_one_line(error))}")
        return 2 if type(error).__module__.startswith(("click", "typer")) else 1
    return result if isinstance(result, int) else 0


def _is_expected(error: Exception) -> bool:
    module = type(error).__module__
    return module.startswith(("clv_pipeline", "click", "typer")) or isinstance(error, OSError | SettingsError)


def _one_line(error: Exception) -> str:
    text = getattr(error, "format_message", lambda: str(error))()
    return " ".join(text.split()) or type(error).__name__


@app.command(epilog="Example: clv run --as-of 1998-06 --config clv.toml")
def run(
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="As-of month YYYY-MM; default: the last month with data.")
    ] = None,
    config: Config = None,
) -> int:
    """Loads what is new and brings everything stale up to date."""
    settings = load_settings(config)
    return _run(settings, _check_month(as_of))


def _run(settings: Settings, as_of: str | None) -> int:
    from clv_pipeline.runs import RunError  # noqa: PLC0415
    from clv_pipeline.sources import list_files  # noqa: PLC0415

    with _open_runner(settings) as runner:
        landed = runner.land()
        console.print(f"  {landed.rows:,} new rows in {landed.batches} files, {landed.unchanged_files} files unchanged")
        state, bad = runner.state, landed.bad_files
        if not state.periods:
            where = settings.source.path
            problem = (
                bad[0] if bad else f"no usable line in {where}" if list_files(settings) else f"no file matches {where}"
            )
            raise RunError(f"{problem}; see [source] in {settings.config_file.name}, and `clv status`")
        if as_of and as_of not in state.known_periods:
            raise RunError(f"as-of {as_of} is outside the data ({state.periods[0]} to {state.periods[-1]})")
        runs = runner.refresh(as_of)
        if runs or not runner.is_report_current():
            runner.report()
        else:
            console.print("  everything is up to date")
        _print_places(settings)
        for problem in bad:
            errors.print(f"[red]error:[/] {escape(problem)}")
        return 1 if bad else 0


def _print_places(settings: Settings) -> None:
    option = f" --config {settings.config_file}" if settings.config_file != Path("clv.toml").resolve() else ""
    console.print(f"report    {settings.home / 'report' / 'index.html'}")
    console.print(f"database  {settings.home / 'clv.duckdb'}")
    console.print(f"UI        clv ui{option}")


@contextmanager
def _open_runner(settings: Settings) -> Iterator["Runner"]:
    from clv_pipeline.lake import Lake  # noqa: PLC0415
    from clv_pipeline.runs import Runner, open_instance  # noqa: PLC0415

    if not settings.source.columns:
        raise SettingsError(
            f"{settings.config_file.name}: [source.columns] is missing; map order_id, customer_id, ... first"
        )
    lake = Lake(settings.home, settings.engine)
    with open_instance(settings, lake) as instance, console.status("starting") as status:

        def announce(text: str) -> None:
            status.update(text)
            console.print(f"[cyan]{escape(text)}[/]")

        yield Runner(settings, lake, instance, announce)


@app.command(epilog="Example: clv backfill 1997-01 1997-06 --select transactions,marts")
def backfill(
    first: Annotated[str, typer.Argument(metavar="FROM", help="First month, YYYY-MM.")],
    last: Annotated[str, typer.Argument(metavar="TO", help="Last month, YYYY-MM.")],
    select: Annotated[str | None, typer.Option("--select", help="Stages, comma-separated; default: all.")] = None,
    config: Config = None,
) -> None:
    """Runs a range of months again, whether stale or not."""
    from clv_pipeline.pipeline import STAGES, select_steps  # noqa: PLC0415

    settings = load_settings(config)
    stages = tuple(part.strip() for part in select.split(",")) if select else STAGES
    if unknown := [stage for stage in stages if stage not in STAGES]:
        raise SettingsError(f"--select: unknown stage '{unknown[0]}'; choose from {', '.join(STAGES)}")
    if str(_check_month(first)) > str(_check_month(last)):
        raise SettingsError(f"FROM {first} is after TO {last}; swap them")
    with _open_runner(settings) as runner:
        if not runner.state.periods:
            runner.land()
        runner.backfill(select_steps(stages), first, last)
        if set(stages) & set(STAGES[2:]):
            runner.report()


def _check_month(text: str | None) -> str | None:
    import re  # noqa: PLC0415

    if text is not None and not re.match(PERIOD_PATTERN, text):
        raise SettingsError(f"'{text}' is no month; write YYYY-MM, for example 1998-06")
    return text


@app.command(epilog="Example: clv status --config clv.toml")
def status(config: Config = None) -> None:
    """Shows freshness, row counts, checks, the model in use, drift and quarantine."""
    from clv_pipeline.status import print_status  # noqa: PLC0415

    print_status(load_settings(config), console)


@app.command(epilog="Example: clv report --open")
def report(
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_of: Annotated[str | None, typer.Option("--as-of", help="As-of month YYYY-MM; default: the latest.")] = None,
    config: Config = None,
) -> None:
    """Rebuilds the report."""
    from clv_pipeline.lake import Lake  # noqa: PLC0415
    from clv_pipeline.publication import publish_report  # noqa: PLC0415

    settings = load_settings(config)
    lake = Lake(settings.home, settings.engine)
    lake.prepare()
    page = publish_report(lake, settings, _check_month(as_of))
    console.print(str(page))
    if open_page:
        typer.launch(page.as_uri())


@app.command(epilog="Example: clv ui --config clv.toml --port 3000")
def ui(
    port: Annotated[int, typer.Option(help="Port of the web server, on this machine only.")] = 3000,
    config: Config = None,
) -> int:
    """Starts Dagster's web server and daemon on this project."""
    from clv_pipeline.ui import serve  # noqa: PLC0415

    return serve(load_settings(config), port, console)


@app.command(epilog="Example: clv demo cdnow --home data/cdnow")
def demo(
    name: Annotated[str, typer.Argument(help="cdnow, journey or texas.")] = "cdnow",
    home: Annotated[Path | None, typer.Option(help="Where to put it; default: data/NAME.")] = None,
) -> int:
    """Runs the whole chain on a bundled data set."""
    from clv_pipeline.demo import default_home, write_demo_config  # noqa: PLC0415

    console.print(f"[cyan]writing the {name} export[/]")
    settings = load_settings(write_demo_config(name, (home or default_home(name)).resolve()), {})
    return _run(settings, None)
