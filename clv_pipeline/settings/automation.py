"""The settings of what runs without being asked: automation, alerts, and what keeps scores from being published.

Belongs here: names, types and messages of the sections [automation], [alerts] and [publication]. Does not belong here:
the other sections, what an alert says (`alerts/`).
"""

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator

from clv_pipeline.settings.section import Section


class Automation(Section):
    """Whether schedule and sensors start by themselves with `clv ui`; each can be switched in the UI at any time.

    Of the schedule that drops raw lines beyond their age, only where `retention` says so too.
    """

    enabled: bool = False
    retention: bool = False


class Publication(Section):
    """How far a new version may move the scores of the same customers, as a share of their value, and be published."""

    move: float = Field(default=0.5, gt=0, le=10)


class Alerts(Section):
    """Where alerts go: Apprise addresses, in which ${NAME} is taken from the environment or the file of `secrets`.

    `link` is where people reach the web interface. A source is stale after `stale_after_days` without a delivery; by
    default after twice the usual time between deliveries.
    """

    urls: tuple[SecretStr, ...] = ()
    secrets: Path | None = Field(default=None, exclude=True)
    link: str = "http://127.0.0.1:3000"
    stale_after_days: float | None = Field(default=None, gt=0)

    @field_validator("urls", mode="before")
    @classmethod
    def _read_list(cls, urls: Any) -> Any:
        # A variable has no lists: CLV_ALERTS_URLS="slack://..., mailto://...".
        return [url.strip() for url in urls.split(",") if url.strip()] if isinstance(urls, str) else urls
