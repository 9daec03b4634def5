"""Annual activity patterns: which years since acquisition a customer was active in, as 'YNY'.

Belongs here: from bits to letters, and who was seen again. Does not belong here: finding the active years (SQL).
"""

import polars as pl


def spell_patterns(masks: pl.DataFrame) -> pl.DataFrame:
    """Adds two patterns, `seen_again` and `share_customers` to rows of mask, repeated, years, customers, cohort_size.

    Each has one letter for each of the `years`. Bit 0 of `mask` is the year of acquisition and the first letter of
    `pattern`: active or not. `repeat_pattern` (Fader, Hardie and Ross, The Customer-Base Audit, chapter 5) differs in
    the first letter only: Y for more than one order in that year (`repeated`). seen_again: any Y in it, for who bought
    again once acquired.
    """
    letters = [
        pl.when(pl.lit(year) >= pl.col("years"))
        .then(pl.lit(""))
        .when((pl.col("mask") // 2**year) % 2 == 1)
        .then(pl.lit("Y"))
        .otherwise(pl.lit("N"))
        for year in range(_longest(masks))
    ]
    first = pl.when("repeated").then(pl.lit("Y")).otherwise(pl.lit("N"))
    return masks.with_columns(
        pattern=pl.concat_str(letters) if letters else pl.lit(""),
        repeat_pattern=pl.concat_str([first, *letters[1:]]) if letters else pl.lit(""),
        seen_again=pl.col("repeated") | (pl.col("mask") > 1),
        share_customers=pl.col("customers") / pl.col("cohort_size"),
    )


def _longest(masks: pl.DataFrame) -> int:
    longest = masks["years"].max()
    return longest if isinstance(longest, int) else 0
