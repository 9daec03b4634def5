"""Versions that a source keeps itself: at each moment a customer is what the rows of that moment say together."""

from datetime import datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from clv_pipeline.clv.customers import merge_customers, merge_versions

START = datetime(2024, 1, 1)
SCHEMA = {
    **dict.fromkeys(("customer_id", "source_id", "source"), pl.String),
    "row_number": pl.Int64,
    **dict.fromkeys(("acquisition_ts", "updated_at", "valid_from", "valid_to"), pl.Datetime("us")),
    "tier": pl.String,
}
Row = tuple[str, str, int | None, int | None, str | None]


def day(number: int | None) -> datetime | None:
    return None if number is None else START + timedelta(days=3 * number)


def make_rows(said: list[Row]) -> pl.DataFrame:
    """Rows of (identifier, source, first day, last day, tier); identifiers are a customer by their first letter."""
    rows = [
        (who[0], who, source, number, None, None, day(begin), day(end), tier)
        for number, (who, source, begin, end, tier) in enumerate(said, start=1)
    ]
    return pl.DataFrame(rows, SCHEMA, orient="row")


def list_versions(said: list[Row]) -> list[tuple[object, ...]]:
    versions, _ = merge_versions(make_rows(said), ["tier"], ["crm"])
    return versions.select("customer_id", "tier", "valid_from", "valid_to").rows()


def test_versions_follow_each_other_and_those_alike_are_one() -> None:
    said: list[Row] = [
        ("a", "s", None, 1, "tin"),
        ("a", "s", 1, 2, "tin"),
        ("a", "s", 2, 4, "gold"),
        ("b", "s", 3, None, None),
    ]
    assert list_versions(said) == [
        ("a", "tin", None, day(2)),
        ("a", "gold", day(2), day(4)),
        ("b", None, day(3), None),
    ]


def test_a_version_ends_when_the_next_begins_and_inclusive_ends_leave_no_gap() -> None:
    assert list_versions([("a", "s", 1, None, "tin"), ("a", "s", 2, None, "gold")]) == [
        ("a", "tin", day(1), day(2)),
        ("a", "gold", day(2), None),
    ]
    inclusive = make_rows([("a", "s", 1, 2, "tin"), ("a", "s", 2, 3, "gold")])
    inclusive = inclusive.with_columns(pl.col("valid_to") - timedelta(days=1))
    versions, _ = merge_versions(inclusive, ["tier"])
    assert versions["valid_to"].to_list() == [day(2), START + timedelta(days=8)]


def test_of_two_systems_the_preferred_counts_while_it_says_something_and_the_other_is_a_conflict() -> None:
    said: list[Row] = [("a1", "shop", None, None, "tin"), ("a2", "crm", 1, 2, "gold")]
    assert list_versions(said) == [
        ("a", "tin", None, day(1)),
        ("a", "gold", day(1), day(2)),
        ("a", "tin", day(2), None),
    ]
    _, conflicts = merge_versions(make_rows(said), ["tier"], ["crm"])
    assert conflicts.select("customer_id", "kept", "other", "rule", "source").rows() == [
        ("a", "gold", "tin", "precedence", "shop")
    ]


days = st.none() | st.integers(0, 5)
rows_said = st.lists(
    st.tuples(
        st.sampled_from(["a1", "a2", "b1"]),
        st.sampled_from(["crm", "shop"]),
        days,
        days,
        st.sampled_from(["x", "y", None]),
    ),
    max_size=7,
)


@settings(max_examples=60)
@given(rows_said)
def test_at_each_moment_the_version_is_what_the_rows_of_that_moment_say(said: list[Row]) -> None:
    rows = make_rows(said)
    versions, _ = merge_versions(rows, ["tier"], ["crm"])
    for number in range(-1, 7):
        now = START + timedelta(days=3 * number)
        held = [
            row
            for row in rows.iter_rows(named=True)
            if (row["valid_from"] or datetime.min) <= now < (row["valid_to"] or datetime.max)
            and not any(
                (row["valid_from"] or datetime.min) < other["valid_from"] <= now
                for other in rows.drop_nulls("valid_from").iter_rows(named=True)
                if (other["source_id"], other["source"]) == (row["source_id"], row["source"])
            )
        ]
        frame = pl.DataFrame(held, SCHEMA).with_columns(updated_at=pl.col("valid_from"))
        expected, _ = merge_customers(frame, ["tier"], ["crm"])
        starts = pl.col("valid_from").is_null() | (pl.col("valid_from") <= now)
        ends = pl.col("valid_to").is_null() | (pl.col("valid_to") > now)
        found = versions.filter(starts & ends).select("customer_id", "tier")
        assert found.rows() == expected.select("customer_id", "tier").rows()
