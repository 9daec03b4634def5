"""`clv explain`: why one customer has the score he has.

Belongs here: arguments, finding the customer, laying out. Does not belong here: the factors (`clv/scores/`), the words
(`report/explanations.py`).
"""

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table as Grid

from clv_pipeline.cli.options import Config, check_month, console, read_settings
from clv_pipeline.settings import Settings


def explain(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="customer_id, as the source calls it.")],
    as_of: Annotated[str | None, typer.Option("--as-of", help="As-of month YYYY-MM; default: the latest.")] = None,
    config: Config = None,
) -> None:
    """Takes one customer's score apart: chance to be active, purchases, spend, margin and discount."""
    settings = read_settings(config)
    month, found = _find(settings, customer, check_month(as_of))
    _print(settings, month, found)


def _find(settings: Settings, customer: str, as_of: str | None) -> tuple[str, dict[str, Any]]:
    from clv_pipeline.door import open_views  # noqa: PLC0415
    from clv_pipeline.lake import Lake, LakeError  # noqa: PLC0415
    from clv_pipeline.privacy.guard import LOCK, Guard, open_guard  # noqa: PLC0415
    from clv_pipeline.sql import bind, load_sql, quote_literal  # noqa: PLC0415

    lake = Lake(settings.home, settings.engine)
    months = sorted(lake.published("scores.customers"))
    if not months:
        raise LakeError("there are no scores yet; run `clv run` first")
    month = as_of or months[-1]
    if month not in months:
        raise LakeError(f"as-of {month} has no scores; choose from {months[0]} to {months[-1]}, or run it first")
    lake.prepare()
    guard = open_guard(lake, settings, has_data=True) if settings.privacy.pseudonyms else Guard()
    with lake.hold(LOCK, shared=True), open_views(lake, settings) as con:
        compared = bind(load_sql("6_scores/compared"), as_of=month)
        names = ", ".join(quote_literal(name) for name in {customer, guard.name_stored(customer)})
        chosen = f"SELECT * FROM ({compared}) AS compared WHERE customer_id IN ({names})"
        rows = con.sql(chosen).pl().to_dicts()
    if not rows:
        raise LakeError(f"no customer of that id has a score as of {month}; rfm.customers lists who has")
    return month, rows[0]


def _print(settings: Settings, month: str, customer: dict[str, Any]) -> None:
    from clv_pipeline.clv.scores.explanation import decompose_score  # noqa: PLC0415
    from clv_pipeline.report import explanations as words  # noqa: PLC0415
    from clv_pipeline.report import numbers as n  # noqa: PLC0415

    currency = settings.source.currency
    factors = decompose_score(customer)
    _say(f"[bold]Customer {escape(customer['customer_id'])}[/], as of the end of {n.month(month)}")
    _say(words.describe_history(customer))
    console.print()
    grid = Grid(box=None, header_style="bold", pad_edge=False)
    grid.add_column("")
    for name in ("customer", "average"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("meaning")
    for sign, factor in zip(" ××××", factors, strict=True):
        cells = [words.write_factor(value, factor.unit, currency) for value in (factor.value, factor.base)]
        grid.add_row(f"{sign} {factor.name}", *cells, factor.meaning)
    clv, average = (n.money(customer[name], currency) for name in ("clv", "base_clv"))
    horizon = n.plural(settings.value.horizon_months, "month")
    grid.add_row("= CLV", clv, average, f"discounted profit expected over a horizon of {horizon}")
    console.print(grid)
    console.print()
    if sentence := words.describe_corrections(customer, customer["clv_uncorrected"], currency):
        _say(sentence)
    _say(words.describe_ranges(customer, currency))
    if customer["residual_clv"] is not None:
        _say(f"Without a horizon, the rest of the lifetime is worth {n.money(customer['residual_clv'], currency)}.")
    _say(words.describe_place(customer, currency))
    if words.is_certain_by_construction(customer):
        _say(f"[yellow]{words.ONCE_ALIVE}[/]")


def _say(text: str) -> None:
    console.print(text, soft_wrap=True)
