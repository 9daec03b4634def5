"""The command `clv generate`: a synthetic company, its files and what is true of its customers.

Belongs here: arguments and what is printed. Does not belong here: any work.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from clv_pipeline.cli.options import console


def generate(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write the files.")],
    scenario: Annotated[str, typer.Option(help="A bundled scenario (texas), or the path of a TOML file.")] = "texas",
    customers: Annotated[int | None, typer.Option(min=1, help="Customers; default: the scenario's.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed; default: the scenario's.")] = None,
) -> None:
    """Writes the orders of a company that does not exist, and what is true of its customers."""
    from clv_pipeline.generation import LINES, TRUTH, read_scenario, write_company, write_settings  # noqa: PLC0415

    given = {"customers": customers, "seed": seed}
    chosen, text = read_scenario(scenario, {key: value for key, value in given.items() if value is not None})
    config = write_settings(chosen, text, folder)
    with console.status("drawing customers") as status:
        company = write_company(
            chosen, folder, announce=lambda done, of: status.update(f"block {done} of {of} is written")
        )
    console.print(f"{company.lines:,} lines of {company.customers:,} customers, checked against the scenario:")
    for row in company.figures.iter_rows(named=True):
        name = row["check"] if row["subject"] in {"share", "repeat orders"} else f"{row['check']} {row['subject']}"
        console.print(f"  {name:<26} {row['observed']:>12,.0f}   expected {row['expected']:,.0f}", soft_wrap=True)
    for what, where in (("lines", folder / LINES), ("truth", folder / TRUTH), ("scenario", folder / "scenario.toml")):
        console.print(f"{what:<9} {escape(str(where))}", soft_wrap=True)
    console.print(f"{'next':<9} clv run --config {escape(str(config))}", soft_wrap=True)
