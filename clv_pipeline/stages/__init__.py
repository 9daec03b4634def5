"""Orchestration: one file per stage, in pipeline order; thin functions over `sql/` and `clv/`."""
