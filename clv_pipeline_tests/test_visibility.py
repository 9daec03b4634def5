"""Who is not visible or has not consented is in no list and no score, and in every total of the company."""

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from clv_pipeline.execution import run_months
from clv_pipeline.lake import LakeError
from clv_pipeline.landing import land_transactions
from clv_pipeline.pipeline import AS_OF_STEPS
from clv_pipeline.privacy.retention import drop_raw_lines
from clv_pipeline.publication import publish_report
from clv_pipeline.settings import SettingsError, load_settings
from clv_pipeline.stages.rfm import RFM
from clv_pipeline.status import describe_people
from clv_pipeline_tests.test_covariates_step import AS_OF, company  # noqa: F401  (a company with scores)
from clv_pipeline_tests.test_late_data import assert_same
from clv_pipeline_tests.warehouse import AUDIT_STEPS, RFM_STEPS, Warehouse

EXTRA = '[customers]\npath = "customers*"\n'
WHOLE = ("transactions.lines", "marts.orders", "marts.customer_periods", "marts.periods")
LENSES = tuple(table.name for step in AUDIT_STEPS if step.stage == "lenses" for table in step.tables)
SCORED = tuple(
    step
    for step in AS_OF_STEPS
    if (step.stage in ("rfm", "models", "scores") and step.name != "projection") or step.name == "lenses"
)


def say(shop: Warehouse, *rows: str) -> None:
    (shop.root / "customers.csv").write_text("\n".join(["customer_id,is_visible,consent,tier", *rows]) + "\n")


ALL_YES = ("ann,true,yes,gold", "bob,,yes,gold", "cyd,1,Y,iron")


@pytest.fixture(scope="module")
def shop_once(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    shop = Warehouse(tmp_path_factory.mktemp("shop") / "shop", extra=EXTRA)
    orders = [("ann", "2024-01-05"), ("bob", "2024-02-05"), ("cyd", "2024-02-06"), ("ann", "2024-03-05")]
    shop.deliver("a.csv", [[n, who, day, "tea", 1, "2.50"] for n, (who, day) in enumerate(orders)])
    say(shop, *ALL_YES)
    for month in ("2024-01", "2024-02", "2024-03"):
        shop.refresh(month)
    return shop


@pytest.fixture
def shop(shop_once: Warehouse, tmp_path: Path) -> Warehouse:
    return shop_once.copy_to(tmp_path / "shop")


def list_seen(shop: Warehouse, as_of: str = "2024-03") -> list[str]:
    query = f"SELECT customer_id FROM rfm.customers WHERE as_of = '{as_of}' ORDER BY ALL"
    return shop.query(query)["customer_id"].to_list()


def test_hidden_customers_leave_lists_and_no_total(shop: Warehouse) -> None:
    before = shop.tables((*WHOLE, *LENSES))
    say(shop, "ann,true,yes,gold", "bob,false,yes,gold", "cyd,1,,iron")
    shop.refresh()
    assert list_seen(shop) == ["ann"]
    hidden = [("bob", "not visible"), ("cyd", "consent missing")]
    assert shop.query("FROM landing.hidden_customers").rows() == hidden
    after = shop.tables((*WHOLE, *LENSES))
    assert [name for name in before if not before[name].equals(after[name])] == []
    totals = shop.query("""
        SELECT (SELECT sum(spend) FROM marts.periods) AS company,
            (SELECT spend FROM lenses.lens1_headline WHERE as_of = '2024-03') AS lens1,
            (SELECT spend FROM lenses.lens2_headline WHERE as_of = '2024-03' AND window_number = 2) AS lens2,
            (SELECT sum(spend) FROM lenses.lens5_cohort_calendar WHERE as_of = '2024-03') AS c3""")
    assert totals.row(0) == (Decimal("10.00"),) * 4


def test_a_withdrawal_restates_from_the_first_month_of_who_withdrew_and_giving_back_undoes_it(shop: Warehouse) -> None:
    before = shop.tables(("rfm.customers", *LENSES))
    say(shop, *ALL_YES[:2], "cyd,1,no,iron")
    plans = shop.refresh(steps=RFM_STEPS)
    assert [(plan.steps[0].name, plan.first, plan.last) for plan in plans] == [("customers", "2024-02", "2024-03")]
    assert [list_seen(shop, month) for month in ("2024-01", "2024-02", "2024-03")] == [
        ["ann"],
        ["ann", "bob"],
        ["ann", "bob"],
    ]
    say(shop, *ALL_YES)
    shop.refresh()
    after = shop.tables(tuple(before))
    assert all(after[name].equals(before[name]) for name in before)
    say(shop, *ALL_YES, "dee,0,no,")  # who never ordered concerns no month
    assert shop.refresh(steps=RFM_STEPS) == []


def test_who_is_not_in_the_file_has_not_consented_and_a_bad_row_is_no_consent(shop: Warehouse) -> None:
    say(shop, "ann,true,yes,gold", "bob,maybe,yes,iron")
    shop.refresh(steps=RFM_STEPS)
    assert list_seen(shop) == ["ann"]
    columns = "source, row_number, field, value, reason, fix"
    assert shop.query(f"SELECT {columns} FROM landing.customer_quarantine").rows() == [
        ("customers.csv", 2, "is_visible", "maybe", "no yes or no", "write true or false")
    ]
    assert describe_people(shop.state) == (
        "1 cell in landing.customer_quarantine, first customers.csv: row 2: is_visible 'maybe' is no yes or no; write"
        " true or false; 2 customers who may not be shown, in landing.hidden_customers"
    )


def test_nobody_is_shown_before_it_is_known_whether_he_may_be(shop: Warehouse) -> None:
    shop.deliver("b.csv", [["9", "eve", "2024-03-09", "tea", 1, "2.50"]])
    land_transactions(shop.lake, shop.settings)
    with shop.lake.connect() as con, pytest.raises(LakeError, match=r"lines were landed without who may be shown"):
        run_months(RFM, shop.state, con, ["2024-03"])
    shop.refresh(steps=RFM_STEPS)
    assert "eve" not in list_seen(shop)


def test_a_column_asked_for_in_vain_is_one_line_and_none_is_needed(tmp_path: Path) -> None:
    shop = Warehouse(tmp_path / "shop", extra=EXTRA + 'consent = "opted_in"\n')
    say(shop, *ALL_YES)
    with pytest.raises(
        SettingsError, match=r"^\[customers\] consent names 'opted_in', which no customer file has; name"
    ):
        shop.land()
    shop.config.write_text(shop.config.read_text().replace('"opted_in"', '""'))
    shop.settings = load_settings(shop.config, {})
    shop.deliver("a.csv", [["1", "zoe", "2024-01-05", "tea", 1, "2.50"]])
    shop.refresh(steps=RFM_STEPS)
    assert list_seen(shop, "2024-01") == ["zoe"]


@pytest.mark.slow
def test_scores_models_and_report_leave_hidden_customers_out_and_count_them(
    company: Warehouse,  # noqa: F811
    tmp_path: Path,
) -> None:
    shop, without = company.copy_to(tmp_path / "shop"), company.copy_to(tmp_path / "without")
    rows = (shop.root / "customers.csv").read_text().splitlines()
    hidden = {f"c{number:03}" for number in range(20, 40)}
    flags = ["is_visible", *("no" if row[:4] in hidden else "yes" for row in rows[1:])]
    (shop.root / "customers.csv").write_text("".join(f"{row},{flag}\n" for row, flag in zip(rows, flags, strict=True)))
    shop.refresh(AS_OF, SCORED)
    lines = pl.read_csv(without.incoming / "orders.csv", infer_schema=False)
    lines.filter(~pl.col("customer_id").is_in(list(hidden))).write_csv(without.incoming / "orders.csv")
    without.refresh(AS_OF, SCORED)
    # Nothing of what is said of one customer knows of those hidden.
    assert_same(shop, without, ("rfm.customers", "scores.customers", "models.parameters"), AS_OF)
    named = shop.query("SELECT DISTINCT customer_id FROM scores.customers")["customer_id"]
    assert not hidden & set(named)
    page = publish_report(shop.lake, shop.settings, AS_OF).read_text()
    assert "20 customers of 160 (12%) are in no list, segment, model or score" in page
    assert "20 not visible" in page


def test_who_withdraws_is_hidden_in_months_whose_lines_were_dropped_too(tmp_path: Path) -> None:
    keep = "[privacy]\nkeep_raw_months = 13\n"
    shop = Warehouse(tmp_path / "shop", extra=f'{EXTRA}id_map = "ids*"\n{keep}')
    (shop.root / "ids.csv").write_text("source_id,customer_id\n")
    shop.deliver("a.csv", [[n, who, "2023-01-05", "tea", 1, "2.50"] for n, who in enumerate(["ann", "bob", "cyd"])])
    shop.deliver("b.csv", [["9", "ann", "2024-06-05", "tea", 1, "2.50"]])
    say(shop, *ALL_YES)
    shop.refresh(steps=RFM_STEPS)
    drop_raw_lines(shop.lake, shop.settings)
    # Merged when her lines are gone, she is still bob there, and does not consent.
    (shop.root / "ids.csv").write_text("source_id,customer_id\nbob,eva\n")
    say(shop, "ann,,yes,", "eva,,no,", "bob,,yes,")
    shop.refresh(steps=RFM_STEPS)
    assert shop.query("SELECT customer_id FROM rfm.customers")["customer_id"].to_list() == ["ann"]
    assert shop.query("SELECT sum(customers) AS n FROM marts.periods").item() == 4
