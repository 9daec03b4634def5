"""A small company whose models use what is known of customers, from its orders and from its customer file."""

from pathlib import Path

import numpy as np
import pytest

from clv_pipeline.pipeline import AS_OF_STEPS
from clv_pipeline.settings import SettingsError, load_settings
from clv_pipeline_tests.warehouse import COLUMNS, Warehouse

AS_OF = "2024-05"
STEPS = tuple(step for step in AS_OF_STEPS if step.stage in ("rfm", "models", "scores") and step.name != "projection")
MODELS = '[models]\ncovariates = ["channel", "tier"]\ncandidates = ["bg_nbd"]\ndraws = 100\n'
EFFECT = "purchase_coefficient[channel = web]"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    extra = f'[customers]\npath = "customers.csv"\n{MODELS}'
    shop = Warehouse(tmp_path_factory.mktemp("company"), more_columns=["channel"], extra=extra)
    draw = np.random.default_rng(5)
    rows: list[list[object]] = []
    for number in range(160):
        channel = "web" if number % 2 else "store"
        days = np.unique(draw.integers(0, 150, 1 + draw.poisson(4.0 if number % 2 else 1.5)))
        # The last month has to end, or its fit is made of the one before.
        days = np.append(days, 151) if number == 0 else days
        for day in days:
            stamp = np.datetime64("2024-01-01T10:00:00") + np.timedelta64(int(day), "D")
            # Later orders by another channel must not change what the customer came by.
            by = channel if day == days[0] else "phone"
            rows.append([f"o{number}-{day}", f"c{number:03}", str(stamp).replace("T", " "), "tea", 1, "9.99", by])
    shop.deliver("orders.csv", rows, [*COLUMNS, "channel"])
    write_tiers(shop, "gold")
    shop.refresh(AS_OF, STEPS)
    return shop


def write_tiers(shop: Warehouse, tier: str) -> None:
    known = "".join(f"c{number:03},{tier if number < 40 else 'basic'}\n" for number in range(130))
    (shop.root / "customers.csv").write_text(f"customer_id,tier\n{known}")


def test_attributes_of_orders_and_of_the_file_reach_parameters_draws_and_scores(company: Warehouse) -> None:
    found = dict(company.query("SELECT parameter, estimate FROM models.in_use WHERE model = 'bg_nbd'").iter_rows())
    by_channel = company.query("""
        SELECT right(customer_id, 3)::INT % 2 = 1 AS web, count(*) AS customers, avg(expected_purchases) AS expected
        FROM scores.customers WHERE customer_id IN (SELECT customer_id FROM rfm.customers WHERE frequency = 0)
        GROUP BY web ORDER BY web""")

    assert {"base_level[channel = store]", "base_level[tier = basic]"} < set(found)
    assert found[EFFECT] > 0.3
    assert {"purchase_coefficient[tier = (none)]", "dropout_coefficient_a[tier = gold]"} < set(found)
    drawn = company.query(f"SELECT count(*) AS n FROM models.in_use_draws WHERE parameter = '{EFFECT}'")
    assert drawn["n"].item() == 100
    # Who came by the web and has not bought again yet is still expected to buy more often.
    assert by_channel["expected"][1] > by_channel["expected"][0]
    judged = company.query("SELECT count(*) AS n FROM models.backtest WHERE model = 'bg_nbd' AND segment = 'newcomers'")
    assert judged["n"].item() > 0
    total = company.query("SELECT clv FROM scores.totals WHERE level = 'total'").item()
    assert company.query("SELECT sum(clv) AS clv FROM scores.customers").item() == pytest.approx(total)


def test_a_later_customer_file_and_an_attribute_given_up_propagate(company: Warehouse, tmp_path: Path) -> None:
    other = company.copy_to(tmp_path / "other")
    other.settings = load_settings(other.config, {})
    write_tiers(other, "silver")
    other.refresh(AS_OF, STEPS)
    named = other.query("SELECT DISTINCT parameter FROM models.in_use")["parameter"].to_list()
    assert "purchase_coefficient[tier = silver]" in named
    assert "purchase_coefficient[tier = gold]" not in named

    other.config.write_text(other.config.read_text().replace('covariates = ["channel", "tier"]', "covariates = []"))
    other.settings = load_settings(other.config, {})
    other.refresh(AS_OF, STEPS)
    assert not [name for name in other.query("SELECT parameter FROM models.in_use")["parameter"] if "[" in name]
    reason = other.query("SELECT reason FROM models.promotions").item()
    assert "needs 'channel', which models.covariates does not name" in reason


def test_an_attribute_that_nobody_has_is_refused_with_the_nearest_name(company: Warehouse) -> None:
    text = company.config.read_text().replace('"channel", "tier"', '"chanel"')
    wrong = company.root / "wrong.toml"
    wrong.write_text(text.replace('[customers]\npath = "customers.csv"\n', ""))
    with pytest.raises(SettingsError, match=r"\[models\] covariates names 'chanel', .* did you mean 'channel'\?"):
        load_settings(wrong, {})
