"""The sections of the page, in the order a reader meets them.

Each module turns the tables it names into blocks and computes the sentences that go with them.
"""

from collections.abc import Callable, Sequence

from clv_pipeline.report.blocks import Section
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.sections import (
    drift,
    lens1,
    lens2,
    lens3,
    lens5,
    models,
    quality,
    scores,
    segments,
    summary,
)

SECTIONS: Sequence[Callable[[ReportData], Section]] = (
    summary.build_section,
    lens1.build_section,
    lens2.build_section,
    lens3.build_section,
    lens5.build_section,
    segments.build_section,
    models.build_section,
    scores.build_section,
    drift.build_section,
    quality.build_section,
)
