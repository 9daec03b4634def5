"""Data quality: where the delivered lines went, what is in quarantine, and how many lines each month holds."""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, Note, Section, empty_section
from clv_pipeline.report.charts.windows import draw_months
from clv_pipeline.report.facts import ReportData, add_up
from clv_pipeline.report.sections.months import mark_complete
from clv_pipeline.report.tables import Table, amounts, build_table, counts, label

_PART_OF_KEPT = "kept, "


def build_reconciliation(data: ReportData) -> Section:
    """Where the delivered lines went, and what is in quarantine."""
    blocks = [*_build_reconciliation(data), *_build_quarantine(data)]
    if not blocks:
        return empty_section("lines-accounted", "Where the delivered lines went", "No line has been delivered.")
    return Section("lines-accounted", "Where the delivered lines went", blocks)


def build_lines(data: ReportData) -> Section | None:
    """Lines by month."""
    blocks = _build_lines(data)
    return Section("lines-months", "How many lines each month brought", blocks) if blocks else None


def find_gap(reconciliation: pl.DataFrame) -> int | None:
    """Delivered lines that are in no other item; None if that cannot be said. Parts of `kept` are in it already."""
    lines = {str(item): abs(value or 0) for item, value in reconciliation.select("item", "lines").iter_rows()}
    if "delivered" not in lines or "kept" not in lines:
        return None
    return lines.pop("delivered") - sum(value for item, value in lines.items() if not item.startswith(_PART_OF_KEPT))


def describe_reconciliation(reconciliation: pl.DataFrame) -> str:
    """How many delivered lines are kept, and whether the rest is accounted for."""
    gap = find_gap(reconciliation)
    if gap is None:
        return "The delivered lines cannot be compared with those kept."
    lines = dict(zip(reconciliation["item"].to_list(), reconciliation["lines"].to_list(), strict=True))
    delivered, kept = lines["delivered"], lines["kept"]
    part = f" ({n.share(kept / delivered)})" if delivered else ""
    text = f"Of {n.plural(delivered, 'delivered line')}, {n.count(kept)}{part} are kept"
    if gap:
        return f"{text}; {n.plural(abs(gap), 'line')} {'is' if abs(gap) == 1 else 'are'} not accounted for."
    return f"{text}, and every other line is accounted for."


def describe_lines(months: pl.DataFrame) -> str:
    """Lines a month, months without any, and lines without a customer."""
    total, unknown = add_up(months, "lines"), add_up(months, "lines_without_customer")
    empty = months.filter(pl.col("lines") == 0).height
    text = f"{n.plural(total, 'line')} in {n.plural(months.height, 'month')}"
    text += f", {n.plural(empty, 'month')} without any" if empty else ", none of them empty"
    if not unknown:
        return f"{text}; every line has a customer."
    verb = "has" if unknown == 1 else "have"
    part = f"{n.plural(unknown, 'line')} ({n.share(unknown / total)})"
    return f"{text}; {part} {verb} no customer and count for the company only."


def _build_reconciliation(data: ReportData) -> list[Block]:
    reconciliation = data.table("transactions.reconciliation")
    if reconciliation.is_empty():
        return []
    gap = find_gap(reconciliation)
    table = build_table(
        "reconciliation",
        "Reconciliation",
        reconciliation.with_columns(pl.col("item").str.replace_all("_", " ", literal=True)),
        [label("item", "Item"), counts("lines", "Lines"), amounts("amount", "Amount", data.facts.currency)],
        csv=data.exact("transactions.reconciliation"),
        csv_name=f"reconciliation_{data.facts.as_of}.csv",
        note="Delivered = the sum of the items below it, but for those named “kept, ...”, which are parts of “kept”. "
        "Duplicates and lines delivered again count once; of several versions of a line the latest counts.",
        sortable=False,
    )
    return [Note([describe_reconciliation(reconciliation)], caution=bool(gap)), table]


def _build_quarantine(data: ReportData) -> list[Block]:
    quarantine = data.table("transactions.quarantine")
    if quarantine.is_empty() or not quarantine["lines"].sum():
        return [Note(["No line is in quarantine."])] if "transactions.quarantine" in data.tables else []
    quarantine = quarantine.sort("lines", descending=True)
    first = quarantine.row(0, named=True)
    total = n.plural(add_up(quarantine, "lines"), "line")
    sentence = f"{total} in quarantine, most often because of: {first['reason']} ({n.count(first['lines'])})."
    table = build_table(
        "quarantine",
        "Quarantine by reason",
        quarantine,
        [label("reason", "Reason"), counts("lines", "Lines")],
        csv=data.exact("transactions.quarantine"),
        csv_name=f"quarantine_{data.facts.as_of}.csv",
    )
    return [Note([sentence]), table]


def _build_lines(data: ReportData) -> list[Block]:
    months = mark_complete(data)
    if months.is_empty():
        return []
    if months.height < 2:
        return [Note([describe_lines(months)]), _build_months(data, months)]
    spec = draw_months(months, "lines", "Lines", None)
    return [Figure("chart-lines", "Lines by month", describe_lines(months), spec), _build_months(data, months)]


def _build_months(data: ReportData, months: pl.DataFrame) -> Table:
    money = data.facts.currency
    return build_table(
        "lines-by-month",
        "Lines by month, in figures",
        months.reverse(),
        [
            label("period", "Month"),
            counts("lines", "Lines"),
            counts("lines_without_customer", "Without customer"),
            amounts("spend_without_customer", "Spend without customer", money),
            amounts("returned", "Returned, no order", money),
            label("complete", "Complete"),
        ],
        csv=data.exact("marts.periods"),
        csv_name=f"periods_{data.facts.as_of}.csv",
        folded=True,
    )
