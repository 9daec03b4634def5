"""Months: arithmetic, the partition set, what an as-of month sees."""

from datetime import date

import pytest

from clv_pipeline.periods import as_of_end, build_partitions, group_ranges, list_periods, map_history, shift_period


@pytest.mark.parametrize(("period", "months", "expected"), [("1997-12", 1, "1998-01"), ("2000-01", -13, "1998-12")])
def test_months_carry_over_years(period: str, months: int, expected: str) -> None:
    assert shift_period(period, months) == expected


def test_ranges_break_at_gaps_and_ignore_repeats() -> None:
    assert group_ranges(["1998-01", "1997-11", "1997-12", "1998-03", "1998-03"]) == [
        ("1997-11", "1998-01"),
        ("1998-03", "1998-03"),
    ]
    assert list_periods("1998-02", "1998-01") == []


def test_an_open_month_sees_up_to_the_last_loaded_day() -> None:
    assert as_of_end("2024-02", date(2024, 2, 11)) == date(2024, 2, 11)
    assert as_of_end("2024-02", date(2024, 3, 1)) == date(2024, 2, 29)


def test_the_set_ends_with_old_data_and_follows_current_data() -> None:
    old = build_partitions("1997-01", "1998-06", date(2026, 11, 23)).get_partition_keys()
    assert (len(old), old[0], old[-1]) == (18, "1997-01", "1998-06")
    current = build_partitions("2026-08", "2026-10", date(2026, 11, 23))
    assert current.end is None
    assert current.get_partition_keys()[0] == "2026-08"
    assert build_partitions(None, None, date(2026, 11, 23)).get_partition_keys()[0] == "2026-11"


def test_an_as_of_month_depends_on_every_month_before_it_and_none_after() -> None:
    partitions = build_partitions("1988-01", "1998-06", date(2026, 11, 23))
    subset = partitions.empty_subset().with_partition_keys(["1998-05"])
    mapping = map_history(partitions)
    upstream = mapping.get_upstream_mapped_partitions_result_for_partitions(subset, partitions, partitions)
    keys = upstream.partitions_subset.get_partition_keys()
    assert sorted(keys) == list_periods("1988-01", "1998-05")
