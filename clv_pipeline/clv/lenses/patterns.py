"""Annual activity patterns: which years since acquisition a customer was active in, as 'YNY'.

Belongs here: from bits to letters, and who was seen again. Does not belong here: finding the active years (SQL).
"""

import polars as pl


def spell_patterns(masks: pl.DataFrame) -> pl.DataFrame:
    """Adds `pattern`, `seen_again` and `share_customers` to rows of mask, years, customers and cohort_size.

    Bit 0 of `mask` is the year of acquisition and the first letter of the pattern, which has one letter for each of
    the `years` (Fader, Hardie and Ross, The Customer-Base Audit, chapter 5). seen_again: active in a later year.
    """
    letters = [
        pl.when(pl.lit(year) >= pl.col("years"))
        .then(pl.lit(""))
        .when((pl.col("mask") // 2**year) % 2 == 1)
        .then(pl.lit("Y"))
        .otherwise(pl.lit("N"))
        for year in range(_longest(masks))
    ]
    return masks.with_columns(
        pattern=pl.concat_str(letters) if letters else pl.lit(""),
        seen_again=pl.col("mask") > 1,
        share_customers=pl.col("customers") / pl.col("cohort_size"),
    )


def _longest(masks: pl.DataFrame) -> int:
    longest = masks["years"].max()
    return longest if isinstance(longest, int) else 0
