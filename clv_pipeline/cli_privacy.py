"""`clv forget`: a customer's right to be forgotten.

Belongs here: arguments and what is printed, which never names anybody. Does not belong here: any work (`erasure.py`).
"""

from typing import Annotated

import typer

from clv_pipeline.cli_options import Config, console, read_settings
from clv_pipeline.settings import Settings

_WHO = "customer_id, as the source calls it; without any, an erasure that was cut off is completed."


def register(app: typer.Typer) -> None:
    """Adds the commands of privacy to `app`."""
    app.command(epilog="Example: clv forget 12345 12346 --config clv.toml")(forget)


def forget(
    customers: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help=_WHO)] = None,
    config: Config = None,
) -> None:
    """Removes people for good: their rows go, their lines stay without them, redelivery does not bring them back."""
    from clv_pipeline.dagster_traces import clear_traces  # noqa: PLC0415
    from clv_pipeline.erasure import erase  # noqa: PLC0415
    from clv_pipeline.lake import Lake  # noqa: PLC0415
    from clv_pipeline.runs import choose_dagster_home  # noqa: PLC0415

    settings = read_settings(config)
    lake = Lake(settings.home, settings.engine)
    given = [one.strip() for one in customers or [] if one.strip()]
    console.print("[cyan]waiting until no run works on the lake, then forgetting[/]")
    done = erase(lake, settings, given, lambda texts: clear_traces(choose_dagster_home(settings), texts))
    _build_again(settings, done.pages)
    if given:
        console.print(f"  {done.known:,} of {done.asked:,} had data; none of them can come back with a delivery")
    console.print(
        f"  {done.rows:,} rows in {done.files:,} files lost their customer; monitoring.privacy has the record"
    )


def _build_again(settings: Settings, pages: tuple[str, ...]) -> None:
    from clv_pipeline.door import rebuild_door  # noqa: PLC0415
    from clv_pipeline.lake import Lake  # noqa: PLC0415
    from clv_pipeline.ledger import Ledger  # noqa: PLC0415
    from clv_pipeline.publication import publish_report  # noqa: PLC0415

    lake = Lake(settings.home, settings.engine)
    months = pages or tuple(lake.published("lenses.lens1_headline"))[-1:]
    for month in months:
        publish_report(lake, settings, month)
    if not months and Ledger.identify(lake):
        rebuild_door(lake, settings)
