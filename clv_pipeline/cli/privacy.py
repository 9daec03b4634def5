"""`clv forget`, `clv export-person`, `clv retention`: the rights of a person, and the age of raw lines.

Belongs here: arguments and what is printed, which names nobody but whom an export is of. Does not belong here: any work
(`privacy/`).
"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from clv_pipeline.cli.options import Config, console, read_settings

_WHO = "customer_id, as the source calls it; - reads one a line. Without any, an erasure that was cut off is completed."


def register(app: typer.Typer) -> None:
    """Adds the commands of privacy to `app`."""
    app.command(epilog="Example: clv forget 12345 12346 --config clv.toml")(forget)
    app.command(epilog="Example: clv export-person 12345 --output person.json")(export_person)
    app.command(epilog="Example: clv retention --dry-run")(retention)


def forget(
    customers: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help=_WHO)] = None,
    config: Config = None,
) -> None:
    """Removes people for good: their rows go, their lines stay without them, redelivery does not bring them back."""
    from clv_pipeline.lake import Lake  # noqa: PLC0415
    from clv_pipeline.privacy.erasure import erase  # noqa: PLC0415
    from clv_pipeline.privacy.rebuilding import build_again  # noqa: PLC0415
    from clv_pipeline.privacy.traces import clear_traces  # noqa: PLC0415
    from clv_pipeline.runs import choose_dagster_home  # noqa: PLC0415

    settings = read_settings(config)
    lake = Lake(settings.home, settings.engine)
    read = sys.stdin.read().splitlines() if customers == ["-"] else customers or []
    given = [one.strip() for one in read if one.strip()]
    console.print("[cyan]waiting until no run works on the lake, then forgetting[/]")
    done = erase(lake, settings, given, lambda texts: clear_traces(choose_dagster_home(settings), texts))
    build_again(lake, settings, done.pages)
    if given:
        console.print(f"  {done.known:,} of {done.asked:,} had data; none of them can come back with a delivery")
    console.print(
        f"  {done.rows:,} rows in {done.files:,} files lost their customer; monitoring.privacy has the record"
    )


def export_person(
    customer: Annotated[str, typer.Argument(metavar="ID", help="customer_id, as the source calls it.")],
    output: Annotated[Path | None, typer.Option(help="File to write; default: standard output.")] = None,
    config: Config = None,
) -> None:
    """Gives all that home knows of one person, as JSON."""
    from clv_pipeline.lake import Lake  # noqa: PLC0415
    from clv_pipeline.privacy.export import collect_person, write_person  # noqa: PLC0415

    settings = read_settings(config)
    text = collect_person(Lake(settings.home, settings.engine), settings, customer.strip())
    if output is None:
        typer.echo(text)
        return
    write_person(output, text)
    console.print(escape(str(output)), soft_wrap=True)


def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be dropped; drop nothing.")] = False,
    config: Config = None,
) -> None:
    """Drops raw lines older than `[privacy] keep_raw_months`; marts, scores and the report stay."""
    from clv_pipeline.lake import Lake  # noqa: PLC0415
    from clv_pipeline.privacy.rebuilding import build_again  # noqa: PLC0415
    from clv_pipeline.privacy.retention import drop_raw_lines, plan_retention  # noqa: PLC0415
    from clv_pipeline.report.numbers import plural  # noqa: PLC0415
    from clv_pipeline.state import State  # noqa: PLC0415

    settings = read_settings(config)
    lake = Lake(settings.home, settings.engine)
    plan = plan_retention(State(lake, settings)) if dry_run else drop_raw_lines(lake, settings)
    if not dry_run:
        build_again(lake, settings)
    done = "would be dropped" if dry_run else "dropped"
    what = f"{plural(plan.rows, 'raw line')} of {plural(len(plan.months), 'month')}" if plan.months else "no raw lines"
    console.print(f"{what} {done}; raw lines are kept from {plan.kept_from} on")
