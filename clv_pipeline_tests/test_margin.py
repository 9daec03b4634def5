"""The margin of the scores of a company of small amounts: the setting, until a cost is known."""

from pathlib import Path

import pytest

from clv_pipeline.pipeline import AS_OF_STEPS
from clv_pipeline_tests.warehouse import COLUMNS, Warehouse

LAST = "2024-06"
HEADER = (*COLUMNS, "line_cost")
STEPS = tuple(step for step in AS_OF_STEPS if step.stage in ("rfm", "models", "scores") and step.name != "projection")
EXTRA = '[value]\nmargin = 0.30\n[models]\nestimation = "map"\ncandidates = ["bg_nbd"]\n'


def open_shop(root: Path, cents: int, cost: str = "") -> Warehouse:
    shop = Warehouse(root, more_columns=["line_cost"], extra=EXTRA)
    deliver(shop, cents, cost)
    return shop


def deliver(shop: Warehouse, cents: int, cost: str) -> None:
    """Lines of five cents, in units of `cents` to the cent, and one of ten dollars that may have a cost."""
    rows = [
        [f"o{who}-{month}", f"c{who}", f"2024-0{month}-{1 + who} 10:00:00", "tea", 1, 0.05 * cents, ""]
        for who in range(12)
        for month in range(1 + who % 3, 7, 1 + who % 4)
    ]
    rows += [["dear", "c1", "2024-05-30 10:00:00", "pot", 1, 10 * cents, cost]]
    shop.deliver("lines.csv", [*rows, ["last", "c2", f"{LAST}-30 10:00:00", "tea", 1, 0.05 * cents, ""]], HEADER)
    shop.refresh(LAST, STEPS)


def read_margin(shop: Warehouse) -> float:
    return shop.query("SELECT DISTINCT margin FROM scores.current").item()


def test_without_a_cost_it_is_the_setting_in_whatever_unit(tmp_path: Path) -> None:
    dollars, cents = open_shop(tmp_path / "dollars", 1), open_shop(tmp_path / "cents", 100)
    assert read_margin(dollars) == read_margin(cents) == 0.30
    worth = [shop.query("SELECT clv FROM scores.current ORDER BY customer_id")["clv"] for shop in (dollars, cents)]
    assert (worth[0] * 100).to_list() == pytest.approx(worth[1].to_list(), rel=1e-6)


def test_the_first_cost_is_seen_even_where_it_moves_no_profit(tmp_path: Path) -> None:
    shop = open_shop(tmp_path / "shop", 1)
    before = shop.table("marts.customer_periods")
    deliver(shop, 1, "7.00")
    assert shop.table("marts.customer_periods").equals(before)
    profit, spend = shop.query("SELECT sum(profit), sum(spend) FROM rfm.customers").row(0)
    assert read_margin(shop) == pytest.approx(float(profit / spend))
    assert read_margin(shop) > 0.303
