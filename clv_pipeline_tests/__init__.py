"""Tests, in the same tree as the pipeline; `scenario.py` holds the hand-checkable customers."""
