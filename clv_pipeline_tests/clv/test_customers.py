"""One customer from several systems: chains, cycles, contradictions, precedence, visibility and consent."""

from datetime import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clv_pipeline.clv.customers import CONFLICTS, find_hidden, merge_customers, resolve_identities
from clv_pipeline.clv.customers.visibility import settle_flag

DAYS = [None, datetime(2024, 1, 1), datetime(2024, 2, 1)]
statements = st.lists(
    st.tuples(st.sampled_from("abcdefg"), st.sampled_from("abcdefg"), st.sampled_from(DAYS)), max_size=9
)


def state(said: list[tuple[str, str, datetime | None]]) -> pl.DataFrame:
    rows = [(*one, "ids.csv", number) for number, one in enumerate(said, start=1)]
    schema = {"source_id": pl.String, "customer_id": pl.String, "updated_at": pl.Datetime("us")}
    return pl.DataFrame(rows, schema | {"source": pl.String, "row_number": pl.Int64}, orient="row")


def follow_by_hand(said: list[tuple[str, str, datetime | None]]) -> dict[str, str]:
    follows: dict[str, str] = {}
    for source_id in {one[0] for one in said}:
        others = {(one[2] or datetime.min, one[1]) for one in said if one[0] == source_id and one[1] != source_id}
        newest = [who for moment, who in others if moment == max(others)[0]]
        follows |= {source_id: min(newest)} if newest else {}
    found = {}
    for source_id in follows:
        path = [source_id]
        while path[-1] in follows and path[-1] not in path[:-1]:
            path.append(follows[path[-1]])
        found[source_id] = min(path[path.index(path[-1]) : -1] or path[-1:])
    return {source_id: customer for source_id, customer in found.items() if source_id != customer}


@given(statements, st.randoms())
def test_identities_are_those_that_a_walk_along_the_statements_finds(
    said: list[tuple[str, str, datetime | None]], order: object
) -> None:
    identities, conflicts = resolve_identities(state(said))
    assert dict(identities.rows()) == follow_by_hand(said)
    shuffled = list(said)
    order.shuffle(shuffled)  # pyright: ignore[reportAttributeAccessIssue]
    again, conflicts_again = resolve_identities(state(shuffled))
    assert again.equals(identities)
    facts = pl.exclude("row_number")
    assert conflicts_again.select(facts).equals(conflicts.select(facts))


def test_a_chain_of_a_million_ends_at_its_end() -> None:
    links = pl.DataFrame({"n": range(100_000)}).select(
        pl.format("c{}", pl.col("n")).alias("source_id"),
        pl.format("c{}", pl.col("n") + 1).alias("customer_id"),
        pl.lit(None, pl.Datetime("us")).alias("updated_at"),
        pl.lit("ids.csv").alias("source"),
        pl.col("n").alias("row_number"),
    )
    identities, conflicts = resolve_identities(links)
    assert identities["customer_id"].unique().to_list() == ["c100000"]
    assert (identities.height, conflicts.height) == (100_000, 0)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([("a", "b", None), ("a", "c", None)], ("identity", "b", "a", "b", "c", "smallest id", 2)),
        ([("a", "b", DAYS[1]), ("a", "c", DAYS[2])], ("identity", "c", "a", "c", "b", "newest", 1)),
        ([("a", "b", None), ("a", "c", DAYS[1]), ("c", "d", None)], ("identity", "d", "a", "c", "b", "newest", 1)),
        ([("b", "a", None), ("a", "b", None)], ("cycle", "a", "a", "a", "b", "smallest id of the cycle", 2)),
    ],
)
def test_a_contradiction_is_recorded_with_the_rule_that_settled_it(
    said: list[tuple[str, str, datetime | None]], expected: tuple[object, ...]
) -> None:
    columns = ["kind", "customer_id", "source_id", "kept", "other", "rule", "row_number"]
    assert resolve_identities(state(said))[1].select(columns).rows() == [expected]


def describe(rows: list[dict[str, object]]) -> pl.DataFrame:
    blank = {"customer_id": "p", "acquisition_ts": None, "updated_at": None, "tier": None, "source_system": None}
    numbered = [blank | {"source": "a.csv", "row_number": number} | row for number, row in enumerate(rows, start=1)]
    schema = dict.fromkeys(("acquisition_ts", "updated_at"), pl.Datetime("us")) | {"tier": pl.String}
    return pl.DataFrame([{"source_id": "x"} | row for row in numbered], schema_overrides=schema)


@pytest.mark.parametrize(
    ("rows", "kept", "rule"),
    [
        ([{"tier": "gold"}, {"tier": "iron"}], "iron", "later row"),
        ([{"tier": "gold"}, {"tier": None}], "gold", None),
        ([{"tier": "gold", "updated_at": DAYS[2]}, {"tier": "iron", "updated_at": DAYS[1]}], "gold", "newest"),
        ([{"tier": "gold", "updated_at": DAYS[1]}, {"tier": "iron"}], "gold", "newest"),
        ([{"tier": "gold", "source_system": "crm"}, {"tier": "iron", "updated_at": DAYS[2]}], "gold", "precedence"),
        ([{"tier": "gold", "source": "in/crm.csv"}, {"tier": "iron", "source": "in/web.csv"}], "gold", "precedence"),
        (
            [{"tier": "iron", "source_system": "web"}, {"tier": "gold", "source_system": "crm"}, {"tier": "tin"}],
            "gold",
            "precedence",
        ),
    ],
)
def test_attributes_merge_by_precedence_then_by_time_then_by_place(
    rows: list[dict[str, object]], kept: str, rule: str | None
) -> None:
    customers, conflicts = merge_customers(describe(rows), ["tier"], ["crm", "web"])
    assert customers["tier"].to_list() == [kept]
    assert conflicts["rule"].unique().to_list() == ([rule] if rule else [])
    assert set(conflicts["kept"]) <= {kept}
    assert kept not in set(conflicts["other"])


def test_the_earliest_acquisition_wins_and_the_others_are_recorded() -> None:
    rows = describe([{"acquisition_ts": DAYS[2]}, {"acquisition_ts": DAYS[1], "source_id": "y"}, {}])
    customers, conflicts = merge_customers(rows, ["tier"])
    assert customers.rows() == [("p", DAYS[1], None)]
    assert conflicts.select("source_id", "field", "kept", "other", "rule").rows() == [
        ("x", "acquisition_ts", "2024-01-01 00:00:00.000000", "2024-02-01 00:00:00.000000", "earliest")
    ]
    assert conflicts.schema == CONFLICTS


@pytest.mark.parametrize(
    ("rows", "settled"),
    [
        ([("x", None, True, False), ("x", None, False, False)], False),
        ([("x", DAYS[1], False, False), ("x", DAYS[2], True, False)], True),  # given back
        ([("x", DAYS[1], True, False), ("x", DAYS[2], False, False)], False),  # withdrawn
        ([("x", DAYS[1], False, False), ("y", DAYS[2], True, False)], False),  # refused to one system
        ([("x", DAYS[2], True, False), ("x", None, False, True)], False),  # a bad row that refuses
        ([("x", None, True, True)], None),  # a bad row that consents
        ([("x", None, None, False)], None),
    ],
)
def test_the_newest_word_of_an_identifier_counts_and_a_no_of_any_of_them(
    rows: list[tuple[str, datetime | None, bool | None, bool]], settled: bool | None
) -> None:
    schema = {"source_id": pl.String, "updated_at": pl.Datetime("us"), "ok": pl.Boolean, "is_bad": pl.Boolean}
    frame = pl.DataFrame(rows, schema, orient="row").with_columns(customer_id=pl.lit("p"))
    assert settle_flag(frame, "ok").rows() == ([] if settled is None else [("p", settled)])


def test_who_is_hidden_and_why() -> None:
    visible = pl.DataFrame({"customer_id": ["a", "b"], "is_visible": [False, True]})
    consent = pl.DataFrame({"customer_id": ["a", "b", "c"], "consent": [False, True, False]})
    known = pl.Series(["d", "c", "b", "a"])
    hidden = [("a", "not visible"), ("c", "consent refused"), ("d", "consent missing")]
    assert find_hidden(known, visible, consent).rows() == hidden
    assert find_hidden(known, visible, None).rows() == hidden[:1]
    assert find_hidden(known, None, None).rows() == []
