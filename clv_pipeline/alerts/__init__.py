"""Says where people are what the pipeline cannot put right by itself: once per cause, until the cause is gone.

Belongs here: what is a cause (`causes.py`, `run_causes.py`), what was said of it (`log.py`), sending (`send.py`). Does
not belong here: the findings themselves (checks, drift, promotion), or when anybody looks (`watching.py`, `cli.py`).
"""

from clv_pipeline.alerts.causes import Cause
from clv_pipeline.alerts.log import ALERTS
from clv_pipeline.alerts.watchman import find_all_causes, watch

__all__ = ["ALERTS", "Cause", "find_all_causes", "watch"]
