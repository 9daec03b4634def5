"""Sentences of the monitoring page, on rows with a known story."""

import polars as pl

from clv_pipeline.report.sections import monitoring, monitoring_forecasts, monitoring_series, published
from clv_pipeline_tests.report.sample_monitoring import monitoring_tables, publication_tables


def test_causes_series_forecasts_and_versions_in_words() -> None:
    tables = monitoring_tables()
    causes = monitoring.name_causes(tables["drift.diagnoses"])
    assert monitoring.describe_causes(causes) == [
        "Prices moved (since June 1998, alert): the same 40 products cost +10.0%."
    ]
    assert monitoring.describe_causes(causes.clear())[0].startswith("Nothing moved beyond its limits")
    price = tables["drift.measures"].filter(pl.col("feature") == "price")
    assert monitoring_series.describe_series(price) == (
        "1.10 in June 1998, where 1.00 was to be expected; last beyond its limits in June 1998."
    )
    assert monitoring_forecasts.describe_forecasts(tables["monitoring.forecasts"]) == (
        "Of the 100 purchases that were forecast at the end of May 1998 up to June 1998, 130 were made; 1 of 2 "
        "forecasts held what happened in the 95% interval."
    )
    assert (
        monitoring_forecasts.describe_versions(
            tables["monitoring.versions"].with_columns(as_of=pl.Series(["1998-03", "1998-06"]))
        )
        == "2 versions in use over 2 as-of months; 1998-06-bg_nbd-bb since June 1998."
    )


def test_scores_that_are_held_back_say_what_is_shown_instead_and_why() -> None:
    before, held = publication_tables()["monitoring.published"].iter_rows(named=True)
    assert published.describe_published(before) == (
        "The scores of May 1998 are published (scores.current). The first scores."
    )
    assert published.describe_published(held) == (
        "The scores of June 1998 are held back; scores.current shows those of May 1998, of version 1998-03-bg_nbd-aa. "
        "Why: They differ by 70.0%, and the data have not moved alike."
    )
