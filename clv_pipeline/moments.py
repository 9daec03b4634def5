"""Now, on the two clocks that there are.

Belongs here: reading them. Does not belong here: months (`periods.py`).
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from clv_pipeline.settings import Settings


def tell_time() -> datetime:
    """Now, in UTC, without a zone, as all moments in the lake are."""
    return datetime.now(UTC).replace(tzinfo=None)


def tell_business_time(settings: Settings) -> datetime:
    """Now, on the wall clock of the business, without a zone, as what customers are said to do there."""
    return datetime.now(ZoneInfo(settings.source.business_timezone)).replace(tzinfo=None)
