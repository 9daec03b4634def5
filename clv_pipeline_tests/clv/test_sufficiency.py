"""Traffic lights on the data: each question green, yellow, red and grey, on numbers by hand."""

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest

from clv_pipeline.clv.sufficiency import (
    CHECKS,
    TITLES,
    Evidence,
    Light,
    describe_lights,
    describe_threshold,
    judge_freshness,
    judge_sufficiency,
    tabulate,
)
from clv_pipeline.schemas.quality import Sufficiency

START = date(2023, 1, 1)


def list_days(numbers: list[int], *, orders: int = 10, at_midnight: int = 0, by_day: int = 9) -> pl.DataFrame:
    """Days of orders, by their distance from the start."""
    return pl.DataFrame(
        {
            "order_day": [START + timedelta(days=number) for number in numbers],
            "orders": orders,
            "at_midnight": at_midnight,
            "by_day": by_day,
        }
    )


# Size class 47 begins at 1.05^47 = 9.91, class 108 (62 above, more than 20 times) at 194.29.
GOOD = Evidence(
    lines={"lines": 1000, "without_customer": 50, "bought": 500.0, "returned": 50.0},
    days=list_days(list(range(730))),
    sizes=pl.DataFrame({"size_class": [47, 109], "orders": [990, 2], "spend": [9900.0, 500.0]}),
    repeated={"orders": 1000, "repeated": 10},
    customers=pl.DataFrame({"frequency": [0] * 50 + [3] * 100}),
    end=START + timedelta(days=729),
    history_months=24,
    horizon_months=12,
)
NO_ORDER = Evidence(
    lines={"lines": 0, "without_customer": 0, "bought": 0.0, "returned": 0.0},
    days=list_days([]),
    sizes=GOOD.sizes.clear(),
    repeated={"orders": 0, "repeated": 0},
    customers=GOOD.customers.clear(),
    end=START,
    history_months=1,
    horizon_months=12,
)
HOLES = {hole: [*range(100), *range(100 + hole, 300)] for hole in (7, 8, 40)}
CHANGES = [
    ("history_covers_horizon", {"history_months": 18}, "yellow", "horizon_months = 9"),
    ("history_covers_horizon", {"history_months": 17}, "red", "horizon_months = 8"),
    ("history_covers_a_year", {"days": list_days([366]), "end": START + timedelta(days=729)}, "yellow", "364 days"),
    ("history_covers_a_year", {"days": list_days([600])}, "red", "not every season"),
    ("customers_come_back", {"customers": pl.DataFrame({"frequency": [1] * 99})}, "yellow", "99 of 99"),
    ("customers_come_back", {"customers": pl.DataFrame({"frequency": [1] * 29})}, "red", "29 of 29"),
    ("days_have_orders", {"days": list_days(HOLES[7])}, "green", "is 7 days, after 2023-04-10"),
    ("days_have_orders", {"days": list_days(HOLES[8])}, "yellow", "is 8 days, after 2023-04-10"),
    ("days_have_orders", {"days": list_days(HOLES[40])}, "red", "is 40 days, after 2023-04-10"),
    ("days_have_orders", {"days": list_days(list(range(0, 300, 20)), orders=1)}, "green", "No day lacks"),
    ("days_have_orders", {"days": list_days([0])}, "grey", "fewer than two days"),
    ("lines_name_customers", {"lines": {**GOOD.lines, "without_customer": 51}}, "yellow", "5.1% of 1,000 lines"),
    ("lines_name_customers", {"lines": {**GOOD.lines, "without_customer": 201}}, "red", "20.1%"),
    ("no_order_dominates", {"sizes": GOOD.sizes.with_columns(spend=pl.Series([9400.0, 600.0]))}, "yellow", "6.0%"),
    ("no_order_dominates", {"sizes": GOOD.sizes.with_columns(spend=pl.Series([7000.0, 3000.0]))}, "red", "2 orders"),
    ("no_order_dominates", {"sizes": GOOD.sizes.with_columns(size_class=pl.Series([47, 108]))}, "green", "0.0%"),
    ("no_order_dominates", {"sizes": GOOD.sizes.tail(1)}, "grey", "Only 2 orders"),
    ("returns_are_few", {"lines": {**GOOD.lines, "returned": 51.0}}, "yellow", "10.2%"),
    ("returns_are_few", {"lines": {**GOOD.lines, "returned": 151.0}}, "red", "30.2%"),
    ("orders_are_not_repeated", {"repeated": {"orders": 1000, "repeated": 11}}, "yellow", "11 of 1,000"),
    ("orders_are_not_repeated", {"repeated": {"orders": 1000, "repeated": 51}}, "red", "line_id"),
    ("orders_come_by_day", {"days": list_days([*range(730)], by_day=4)}, "yellow", "40% of the orders"),
    ("orders_come_by_day", {"days": list_days([*range(730)], by_day=0)}, "red", "business_timezone"),
    ("orders_come_by_day", {"days": list_days([*range(730)], at_midnight=9, by_day=1)}, "grey", "without a time"),
]


def test_good_data_are_green_at_every_limit() -> None:
    lights = judge_sufficiency(GOOD)

    assert [light.check for light in lights] == list(CHECKS)
    assert {light.check: light.level for light in lights if light.level != "green"} == {}
    assert [light.fix for light in lights] == [None] * len(CHECKS)


@pytest.mark.parametrize(("check", "changes", "level", "words"), CHANGES)
def test_a_light_changes_just_beyond_its_limit(check: str, changes: dict, level: str, words: str) -> None:
    light = find(judge_sufficiency(replace(GOOD, **changes)), check)

    assert light.level == level
    assert words in f"{light.sentence} {light.fix}"


def find(lights: list[Light], check: str) -> Light:
    return next(light for light in lights if light.check == check)


@pytest.mark.parametrize("found", [GOOD, NO_ORDER, *(replace(GOOD, **changes) for _, changes, _, _ in CHANGES)])
def test_whatever_is_found_fits_its_contract(found: Evidence) -> None:
    frame = tabulate(judge_sufficiency(found)).select(pl.lit("2024-12").alias("as_of"), pl.all())

    Sufficiency.validate(frame)


def test_freshness_is_counted_from_the_day_that_somebody_looks() -> None:
    days = {7: "green", 8: "yellow", 35: "yellow", 36: "red"}

    found = {n: judge_freshness(START, START + timedelta(days=n)) for n in days}
    assert {n: light.level for n, light in found.items()} == days
    assert found[8].sentence == "The last day with data is 2023-01-01, 8 days ago."


def test_lights_are_counted_worst_first_and_limits_are_said_in_words() -> None:
    assert describe_lights(["green", "red", "green", "grey"]) == "1 red, 2 green, 1 grey"
    assert describe_threshold("lines_name_customers", 0.05) == "at most 5%"
    assert set(TITLES) == {*CHECKS, "data_are_fresh"}
