"""The report: tables of one as-of month in, one self-contained HTML page out.

Belongs here: what the page says and how it looks. Does not belong here: computing a table, reading the lake or knowing
the orchestrator; `build_report` takes polars frames and returns text.
"""

from clv_pipeline.report.facts import ReportFacts
from clv_pipeline.report.page import build_report, prepare_building

__all__ = ["ReportFacts", "build_report", "prepare_building"]
