"""The `clv` command: run, backfill, look, report, demo, user interface.

Belongs here: arguments, progress and exit codes. Does not belong here: any work. Imports are inside the commands, so
that `clv --help` answers at once.
"""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from clv_pipeline.cli.alerts import alerts
from clv_pipeline.cli.explain import explain
from clv_pipeline.cli.generate import generate
from clv_pipeline.cli.look import report, status
from clv_pipeline.cli.models import models, promote, rollback
from clv_pipeline.cli.options import Config, check_month, console, read_settings
from clv_pipeline.cli.privacy import register
from clv_pipeline.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from clv_pipeline.runs import Runner
    from clv_pipeline.state import State

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Customer-base audit and customer lifetime value from raw transactions.",
    epilog="Example: clv demo cdnow, then clv status --config data/cdnow/clv.toml",
    rich_markup_mode="rich",
)
errors = Console(stderr=True, highlight=False, soft_wrap=True)
_SHOWN_BAD_FILES = 10
_INTERRUPTED = 130


def main() -> None:
    """Entry point: every expected failure is one line on stderr and exit code 1."""
    # Little of what a command makes goes in circles; looking for it again and again costs a second.
    gc.set_threshold(100_000, 20, 100)
    code = run_app(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # All is closed by now; taking the libraries apart would cost another second.


def run_app(arguments: list[str]) -> int:
    """Runs the command line and returns its exit code."""
    try:
        result = app(arguments, standalone_mode=False)
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        errors.print("stopped")
        return _INTERRUPTED
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # the help is the answer, and is printed by then
            return 2
        if not _is_expected(error):
            if os.environ.get("CLV_DEBUG"):
                raise
            errors.print(f"[red]unexpected:[/] {escape(_one_line(error))} (set CLV_DEBUG=1 for the traceback)")
            return 1
        errors.print(f"[red]error:[/] {escape(_one_line(error))}")
        return 2 if type(error).__module__.startswith(("click", "typer")) else 1
    if result == _INTERRUPTED:
        errors.print("stopped; the same command goes on from here")
    return result if isinstance(result, int) else 0


def _is_expected(error: Exception) -> bool:
    module = type(error).__module__
    return module.startswith(("clv_pipeline", "click", "typer")) or isinstance(error, OSError | SettingsError)


def _one_line(error: Exception) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if format_message := getattr(error, "format_message", None):
        command = getattr(getattr(error, "ctx", None), "command", None)
        text = f"{format_message()} {getattr(command, 'epilog', None) or ''}"
    return " ".join(text.split()) or type(error).__name__


@app.command(epilog="Example: clv run --as-of 1998-06 --config clv.toml")
def run(
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="As-of month YYYY-MM; default: the last month with data.")
    ] = None,
    config: Config = None,
) -> int:
    """Loads what is new and brings everything stale up to date."""
    settings = read_settings(config)
    return _run(settings, check_month(as_of))


def _run(settings: Settings, as_of: str | None, *, months: int = 1) -> int:
    from clv_pipeline.fitting import end_fits, prepare_fit  # noqa: PLC0415

    if not (settings.home / "lake").exists():
        prepare_fit()  # A first load will fit for sure, and importing for it takes as long as importing for the rest.
    try:
        return _run_all(settings, as_of, months=months)
    finally:
        end_fits()


def _run_all(settings: Settings, as_of: str | None, *, months: int) -> int:
    from clv_pipeline.runs import RunError  # noqa: PLC0415
    from clv_pipeline.status import describe_closed, describe_gap, describe_people, describe_quarantine  # noqa: PLC0415

    with _open_runner(settings) as runner:
        bad = _land(runner)
        state = runner.state
        if not state.periods:
            if not bad:
                raise RunError(_explain_nothing(state))
            return 1
        if as_of and as_of not in state.known_periods:
            raise RunError(f"as-of {as_of} is outside the data; choose from {state.periods[0]} to {state.periods[-1]}")
        _refresh(runner, as_of, months=months)
        _print_places(settings)
        for describe in (describe_quarantine, describe_people, describe_gap, describe_closed):
            if note := describe(runner.state):
                _note(note)
        if runner.state.last_loaded_day is None:
            raise RunError("no delivered row can be used; mend the files, or [source] in " + settings.config_file.name)
        return 1 if bad else 0


def _note(text: str) -> None:
    errors.print(f"[yellow]note:[/] {escape(text)}")


def _land(runner: "Runner") -> bool:
    """Lands what is new; returns whether a file could not be read, having said which and why."""
    landed = runner.land()
    bad = landed.bad_files
    what = "file" if runner.settings.source.kind == "files" else "table"
    new = f"{_count(landed.rows, 'new row')} from {_count(landed.batches, what)}" if landed.batches else "nothing new"
    console.print(f"  {new}, {_count(landed.unchanged_files, what)} known" + (f", {len(bad)} bad" if bad else ""))
    for problem in bad[:_SHOWN_BAD_FILES]:
        errors.print(f"[red]error:[/] {escape(problem)}")
    if len(bad) > _SHOWN_BAD_FILES:
        errors.print(f"[red]error:[/] {len(bad) - _SHOWN_BAD_FILES} more files cannot be read")
    return bool(bad)


def _refresh(runner: "Runner", as_of: str | None, *, months: int) -> None:
    from clv_pipeline.runs import RunError  # noqa: PLC0415

    try:
        runs = runner.refresh(as_of, months=months)
    except RunError:
        # What was published before the failure is worth seeing; the failure is what has to be told.
        with suppress(RunError):
            runner.report()
        raise
    if runs or not runner.is_report_current():
        runner.report()
    else:
        console.print("  everything is up to date")


def _explain_nothing(state: "State") -> str:
    from clv_pipeline.sources import describe_source, list_files  # noqa: PLC0415
    from clv_pipeline.status import describe_quarantine  # noqa: PLC0415

    settings, file = state.settings, state.settings.config_file.name
    if quarantine := describe_quarantine(state):
        return f"no delivered row can be used: {quarantine}; mend the files, or [source] in {file}"
    if settings.source.kind == "sql":
        return f"table {settings.source.table} has no rows; fill it, or mend [source] in {file}"
    if not (files := list_files(settings)):
        return f"no file matches {describe_source(settings)}; mend [source] path in {file}"
    return f"{files[0].name} has no rows, nor has any other file that matches {settings.source.path}; deliver some"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _print_places(settings: Settings) -> None:
    option = f" --config {settings.config_file}" if settings.config_file != Path("clv.toml").resolve() else ""
    for what, where in (
        ("report", settings.home / "report" / "index.html"),
        ("database", settings.home / "clv.duckdb"),
        ("UI", f"clv ui{option}"),
    ):
        console.print(f"{what:<9} {escape(str(where))}", soft_wrap=True)


@contextmanager
def _open_runner(settings: Settings) -> Iterator["Runner"]:
    from clv_pipeline.lake import Lake  # noqa: PLC0415
    from clv_pipeline.runs import Runner, open_instance, watch_after  # noqa: PLC0415

    if not settings.source.columns:
        raise SettingsError(
            f"{settings.config_file.name}: [source.columns] is missing; write which column of the source is order_id,"
            " customer_id, order_ts, product_id and unit_price or line_total"
        )
    lake = Lake(settings.home, settings.engine)
    with open_instance(settings, lake) as instance, console.status("starting") as status:

        def announce(text: str) -> None:
            status.update(escape(text))
            console.print(f"[cyan]{escape(text)}[/]")

        with watch_after(settings, lake, instance, _note):
            yield Runner(settings, lake, instance, announce)


@app.command(epilog="Example: clv backfill 1997-01 1997-06 --select transactions,marts")
def backfill(
    first: Annotated[str, typer.Argument(metavar="FROM", help="First month, YYYY-MM.")],
    last: Annotated[str, typer.Argument(metavar="TO", help="Last month, YYYY-MM.")],
    select: Annotated[str | None, typer.Option("--select", help="Stages, comma-separated; default: all.")] = None,
    config: Config = None,
) -> int:
    """Runs a range of months again, whether stale or not."""
    from clv_pipeline.pipeline import STAGES, select_steps  # noqa: PLC0415
    from clv_pipeline.runs import RunError  # noqa: PLC0415

    settings = read_settings(config)
    stages = STAGES if select is None else tuple(part.strip() for part in select.split(","))
    if unknown := [stage for stage in stages if stage not in STAGES]:
        raise SettingsError(f"--select: unknown stage '{unknown[0]}'; choose from {', '.join(STAGES)}")
    if str(check_month(first)) > str(check_month(last)):
        raise SettingsError(f"FROM {first} is after TO {last}; swap them")
    with _open_runner(settings) as runner:
        bad = not runner.state.periods and _land(runner)
        state = runner.state
        if not state.periods and not bad:
            raise RunError(_explain_nothing(state))
        if state.periods:
            runner.backfill(select_steps(stages), first, last)
            if set(stages) & set(STAGES[2:]):
                runner.report()
        return 1 if bad else 0


@app.command(epilog="Example: clv check --config clv.toml")
def check(config: Config = None) -> int:
    """Loads what is new and says whether the data suffice; exit code 1 when a light is red."""
    from clv_pipeline.check import print_check  # noqa: PLC0415
    from clv_pipeline.runs import RunError  # noqa: PLC0415

    with _open_runner(read_settings(config)) as runner:
        bad = _land(runner)
        runner.refresh_months()
        state = runner.state
        if not state.last_loaded_day:
            raise RunError(_explain_nothing(state))
        return 0 if print_check(state, console) and not bad else 1


app.command(epilog="Example: clv status --config clv.toml")(status)
app.command(epilog="Example: clv report --open")(report)
app.command(epilog="Example: clv explain 12345 --as-of 1998-06")(explain)
app.command(epilog="Example: clv models --card 1998-06-bg_nbd-1a2b3c4d")(models)
app.command(epilog="Example: clv promote 1998-05-bg_nbd-1a2b3c4d --from 1998-06")(promote)
app.command(epilog="Example: clv rollback --config clv.toml")(rollback)
app.command(epilog="Example: clv alerts --dry-run")(alerts)
register(app)
app.command(epilog="Example: clv generate data/shop --scenario texas --customers 20000")(generate)


@app.command(epilog="Example: clv ui --config clv.toml --port 3000")
def ui(
    port: Annotated[int, typer.Option(help="Port of the web server, on this machine only.")] = 3000,
    config: Config = None,
) -> int:
    """Starts Dagster's web server and daemon on this project."""
    from clv_pipeline.ui import serve  # noqa: PLC0415

    return serve(read_settings(config), port, console)


@app.command(epilog="Example: clv demo cdnow --home data/cdnow")
def demo(
    name: Annotated[str, typer.Argument(help="cdnow, journey or texas.")] = "cdnow",
    home: Annotated[Path | None, typer.Option(help="Where to put it; default: data/NAME.")] = None,
) -> int:
    """Runs the whole chain on a bundled or generated data set."""
    from clv_pipeline.demo import default_home, write_demo_config  # noqa: PLC0415

    console.print(f"[cyan]writing the {name} export[/]")
    settings = load_settings(write_demo_config(name, (home or default_home(name)).resolve()), {})
    # Two as-of months, so that drift and the report have one to compare the last with.
    return _run(settings, None, months=2)
