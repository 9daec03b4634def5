"""Behavioural cohorts and filters of lenses 3 to 5, by hand on two channels and on random customers."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import polars as pl
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from clv_pipeline.settings import Customers, Settings
from clv_pipeline.settings.periods import Periods
from clv_pipeline.stages.lenses import LENSES
from clv_pipeline_tests.sql.engine import AsOf, Order, build_orders

# ann came to the web in the first quarter and bob in the third; cyd came to the shop; nobody knows about dee.
ORDERS: list[Order] = [
    ("ann", "2022-01-10", "10.00", "4.00"),
    ("ann", "2022-05-10", "20.00", "8.00"),
    ("bob", "2022-07-01", "30.00", "12.00"),
    ("cyd", "2022-02-01", "50.00", "20.00"),
    ("cyd", "2022-02-20", "50.00", "20.00"),
    ("dee", "2022-11-05", "5.00", "2.00"),
]
CHANNELS = {"ann": "web", "bob": "web", "cyd": "shop"}
YEAR_END = date(2022, 12, 31)


def take(
    orders: list[Order], channels: Mapping[str, str], periods: Periods, as_of: str = "2022-12", end: date = YEAR_END
) -> tuple[AsOf, dict[str, pl.DataFrame]]:
    """Every lens table with a customer file of `channels`, held to its contract and its rules."""
    now = build_orders(orders, as_of, end, data_start="2022-01")
    now.con.register("channels", pl.DataFrame({"id": [*channels], "channel": [*channels.values()]}, strict=False))
    now.con.execute(
        "CREATE OR REPLACE TABLE landing.customers AS SELECT CAST(id AS VARCHAR) AS customer_id,"
        " CAST(NULL AS TIMESTAMP) AS acquisition_ts, CAST(channel AS VARCHAR) AS channel FROM channels"
    )
    chosen = Settings(source=now.settings.source, customers=Customers(path="who.csv"), periods=periods)
    now = replace(now, settings=chosen)
    return now, now.take_lenses()


def by_age(tables: Mapping[str, pl.DataFrame], cohort: str) -> list[tuple[object, ...]]:
    of_cohort = tables["lens3_behaviour_age"].filter(grain="quarter", cohort=cohort)
    columns = ("age", "complete", "cohort_size", "active", "orders", "cumulative_profit_per_acquired")
    return of_cohort.select(*columns, "customers_with_second").rows()


def test_an_age_counts_those_who_could_be_active_at_it() -> None:
    _, tables = take(ORDERS, CHANNELS, Periods(cohort_by="channel"))

    assert by_age(tables, "web") == [
        (0, True, 2, 2, 2, 8.0, 0),
        (1, True, 2, 1, 1, 12.0, 1),
        (2, True, 1, 0, 0, 12.0, 1),
        (3, True, 1, 0, 0, 12.0, 1),
    ]
    assert by_age(tables, "shop")[:2] == [(0, True, 1, 1, 2, 40.0, 1), (1, True, 1, 0, 0, 40.0, 1)]
    assert by_age(tables, "unknown") == [(0, True, 1, 1, 1, 2.0, 0)]


def test_a_period_that_has_not_ended_counts_only_where_there_is_no_other() -> None:
    _, tables = take(ORDERS, CHANNELS, Periods(cohort_by="channel"), "2022-11", date(2022, 11, 30))

    assert by_age(tables, "web")[1:] == [
        (1, True, 1, 1, 1, 12.0, 1),
        (2, True, 1, 0, 0, 12.0, 1),
        (3, False, 1, 0, 0, 12.0, 1),
    ]
    assert by_age(tables, "unknown") == [(0, False, 1, 1, 1, 2.0, 0)]


def test_the_calendar_shows_shares_acquisitions_and_repeat_buying() -> None:
    now, tables = take(ORDERS, CHANNELS, Periods(cohort_by="channel"))
    calendar = tables["lens5_behaviour_calendar"].filter(grain="quarter", cohort="web")

    rows = calendar.select("calendar_period", "acquired", "active", "share_profit", "repeat_buying_rate").rows()
    assert rows == [
        ("2022Q1", 1, 1, 4 / 44, None),
        ("2022Q2", 0, 1, 1.0, 1.0),
        ("2022Q3", 1, 1, 1.0, 0.0),
        ("2022Q4", 0, 0, 0.0, 0.0),
    ]
    now.con.execute("UPDATE staged_lenses_lens5_behaviour_calendar SET orders = orders + 1 WHERE cohort = 'web'")
    assert now.run("4_lenses/check_lens5_periods").height > 0


def test_values_to_date_are_of_the_customers_of_the_cohort() -> None:
    _, tables = take(ORDERS, CHANNELS, Periods(cohort_by="channel"))
    profit = tables["lens3_behaviour_statistics"].filter(measure="profit", statistic="mean")

    assert profit.select("cohort", "value").rows() == [("shop", 40.0), ("unknown", 2.0), ("web", 12.0)]


def test_the_rarest_of_many_values_are_one_cohort() -> None:
    names = [f"c{number:02d}" for number in range(14)]
    orders: list[Order] = [(name, "2022-01-10", "10.00", "4.00") for name in names]
    _, tables = take(orders, {name: f"value {name}" for name in names}, Periods(cohort_by="channel"))
    sizes = tables["lens3_behaviour_age"].filter(grain="year", age=0)

    assert sizes.height == 13
    assert sizes.filter(cohort="other")["cohort_size"].to_list() == [2]


def test_without_a_column_there_are_no_behavioural_cohorts() -> None:
    _, tables = take(ORDERS, CHANNELS, Periods())

    assert {name: frame.height for name, frame in tables.items() if "behaviour" in name} == {
        "lens3_behaviour_age": 0,
        "lens3_behaviour_statistics": 0,
        "lens5_behaviour_calendar": 0,
    }


@st.composite
def _channelled_orders(draw: st.DrawFn) -> tuple[list[Order], dict[str, str]]:
    days = st.dates(date(2022, 1, 1), YEAR_END).map(date.isoformat)
    amounts = st.integers(0, 9000).map(lambda cents: f"{cents / 100:.2f}")
    orders = draw(st.lists(st.tuples(st.sampled_from("abcdef"), days, amounts, amounts), min_size=1, max_size=25))
    orders = list({order[:2]: order for order in orders}.values())
    return orders, draw(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["web", "shop"])))


@settings(max_examples=3)
@given(drawn=_channelled_orders())
def test_a_filter_is_a_run_on_the_orders_of_those_customers(
    drawn: tuple[list[Order], dict[str, str]],
) -> None:
    orders, channels = drawn
    kept = [order for order in orders if channels.get(order[0]) == "web"]
    assume(kept)
    both = Periods(cohort_by="channel", only={"channel": "web"})
    filtered, tables = take(orders, channels, both)
    alone, expected = take(kept, channels, Periods(cohort_by="channel"))
    _, whole = take(orders, channels, Periods())
    with filtered.con, alone.con:
        later = [table.name.removeprefix("lenses.") for table in LENSES.tables if table.name[11] in "345"]
        assert [name for name in later if not tables[name].equals(expected[name])] == []
        assert [name for name in whole if name[4] in "12" and not tables[name].equals(whole[name])] == []
