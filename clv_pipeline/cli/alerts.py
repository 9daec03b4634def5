"""`clv alerts`: what wakes a human now, what did before, and sending it.

Belongs here: arguments and layout. Does not belong here: causes, log and sending (`alerts/`).
"""

from typing import Annotated

import typer
from rich.markup import escape

from clv_pipeline.cli.options import Config, console, read_settings

_DRY = "Print what would be sent, and to whom; send and keep nothing."


def alerts(dry_run: Annotated[bool, typer.Option("--dry-run", help=_DRY)] = False, config: Config = None) -> int:
    """Looks for what needs a human, and sends what was not sent yet."""
    from clv_pipeline.alerts import watchman  # noqa: PLC0415
    from clv_pipeline.alerts.log import AlertLog  # noqa: PLC0415
    from clv_pipeline.alerts.send import read_addresses, write_message  # noqa: PLC0415
    from clv_pipeline.lake import Lake  # noqa: PLC0415
    from clv_pipeline.moments import tell_time  # noqa: PLC0415
    from clv_pipeline.runs import open_instance  # noqa: PLC0415
    from clv_pipeline.state import State  # noqa: PLC0415

    settings = read_settings(config)
    receivers = read_addresses(settings.alerts, settings.base)
    lake = Lake(settings.home, settings.engine)
    with open_instance(settings, lake) as instance:
        if not dry_run:
            problems = watchman.watch(lake, settings, instance)
            for row in AlertLog.read(lake).active.iter_rows(named=True):
                console.print(escape(f"{row['level']:<5} since {row['since']}  {row['what']}"), soft_wrap=True)
            for problem in problems:
                console.print(f"[yellow]note:[/] {escape(problem)}", soft_wrap=True)
            return 1 if problems else 0
        now = tell_time()
        log = AlertLog.read(lake).update(
            watchman.find_all_causes(State(lake, settings), instance, now), now, settings.alerts.link
        )
    for name in receivers or {"(nobody: alerts.urls is empty)": ""}:
        unsent = log.list_unsent(name)
        title, body = write_message(unsent, str(lake.home)) if unsent.height else ("nothing to send", "")
        console.print(escape(f"to {name}: {title}\n{body}".rstrip()), soft_wrap=True)
    return 0
