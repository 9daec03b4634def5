"""`clv status` and `clv report`: what there is, printed, or built again as a page.

Belongs here: arguments. Does not belong here: what is printed (`status.py`), the page (`publication.py`, `report/`).
"""

from typing import Annotated

import typer
from rich.markup import escape

from clv_pipeline.cli.options import Config, check_month, console, read_settings


def status(config: Config = None) -> None:
    """Shows freshness, row counts, checks, the model in use, drift and quarantine."""
    from clv_pipeline.status import print_status  # noqa: PLC0415

    print_status(read_settings(config), console)


def report(
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_of: Annotated[str | None, typer.Option("--as-of", help="As-of month YYYY-MM; default: the latest.")] = None,
    config: Config = None,
) -> None:
    """Rebuilds the report."""
    from clv_pipeline.lake import Lake, LakeError  # noqa: PLC0415
    from clv_pipeline.publication import publish_report  # noqa: PLC0415

    settings = read_settings(config)
    lake = Lake(settings.home, settings.engine)
    if not lake.published("lenses.lens1_headline"):
        raise LakeError("there is nothing to report yet; run `clv run` first")
    lake.prepare()
    page = publish_report(lake, settings, check_month(as_of))
    console.print(escape(str(page)), soft_wrap=True)
    if open_page:
        typer.launch(page.as_uri())
