"""The settings of a synthetic company, as a TOML text says them.

Belongs here: names, types, defaults and messages. Does not belong here: drawing anything from them, or finding files.
"""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Annotated, Any, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from clv_pipeline.settings.section import Section
from clv_pipeline.wording import explain_setting

Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Name = Annotated[str, Field(min_length=1)]
WEEKS_PER_YEAR = 365.25 / 7


class ScenarioError(ValueError):
    """A scenario is not usable; the message is one line and says the fix."""


class Purchases(Section):
    """How often customers order: a rate each from a gamma distribution with mean `per_year` and shape `spread`.

    The first order follows the acquisition after `first_order_days` on average.
    """

    per_year: Positive = 6.0
    spread: Positive = 0.9
    first_order_days: Weight = 0.0


class Churn(Section):
    """When customers leave for good: a hazard each from a gamma distribution with shape `spread`.

    `yearly` is the share that has left a year after the first order. Rates and hazards together are Pareto/NBD.
    """

    yearly: Share = 0.35
    spread: Positive = 0.8


class Basket(Section):
    """What is in an order: mean `lines`, mean `items` of each, and customers that differ in items by shape `spread`.

    Prices of the `products` are lognormal with mean `price` and `price_spread` (sd of the logarithm), few of them
    bought often; margins are a beta distribution with mean `margin` and sd `margin_spread`.
    """

    products: int = Field(default=300, ge=1, le=1_000_000)
    lines: float = Field(default=1.8, ge=1)
    items: float = Field(default=1.4, ge=1)
    spread: Positive = 1.5
    price: Positive = 18.0
    price_spread: Weight = 0.6
    margin: float = Field(default=0.4, gt=0, lt=1)
    margin_spread: Weight = 0.08

    @model_validator(mode="after")
    def _check_spread(self) -> Self:
        if self.margin_spread**2 >= self.margin * (1 - self.margin):
            raise ValueError(f"margin_spread is too large for a margin of {self.margin}; make it smaller")
        return self


class Returns(Section):
    """Lines whose goods come back: the `share` of lines, after `days` on average, a day at least."""

    share: Share = 0.0
    days: float = Field(default=10.0, ge=1)


class Refunds(Section):
    """Lines of which money is paid back weeks later, the goods staying: the `share` of lines, and the `part` paid."""

    share: Share = 0.0
    weeks: tuple[int, int] = (3, 9)
    part: float = Field(default=0.5, gt=0, le=1)

    @field_validator("weeks")
    @classmethod
    def _check_weeks(cls, weeks: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= weeks[0] <= weeks[1]:
            raise ValueError("needs the fewest and the most weeks, such as [3, 9]")
        return weeks


class Seasonality(Section):
    """How orders spread over the year, the week and the day: weights, of which only the proportions count."""

    months: tuple[Positive, ...] = Field(default=(1.0,) * 12, min_length=12, max_length=12)
    weekdays: tuple[Positive, ...] = Field(default=(1.0,) * 7, min_length=7, max_length=7)
    hours: tuple[Weight, ...] = Field(default=(0.0,) * 8 + (1.0,) * 14 + (0.0,) * 2, min_length=24, max_length=24)

    @field_validator("hours")
    @classmethod
    def _check_hours(cls, hours: tuple[float, ...]) -> tuple[float, ...]:
        if not sum(hours):
            raise ValueError("is zero all day; give one hour at least a weight")
        return hours


class City(Section):
    """A city: the `share` of all customers acquired there, from `launch` on, growing for `ramp_weeks`.

    `rate` multiplies how often its customers order.
    """

    name: Name
    share: Positive = 1.0
    launch: date | None = None
    ramp_weeks: Weight = 0.0
    rate: Positive = 1.0


class Channel(Section):
    """A channel of acquisition, with what it multiplies the rate of orders and the hazard of leaving by."""

    name: Name
    share: Positive = 1.0
    rate: Positive = 1.0
    churn: Positive = 1.0


class Promotion(Section):
    """Days on which orders, and acquisitions, are `lift` times as many, at a `discount`; `cities` empty: everywhere."""

    name: Name
    start: date
    days: int = Field(default=7, ge=1)
    lift: float = Field(default=1.5, ge=1)
    discount: Share = 0.0
    every_year: bool = False
    cities: tuple[str, ...] = ()


class Scenario(Section):
    """A synthetic company. `end` is the first day after the data; what is true later is known for `horizon_months`.

    `missing_customers` is the share of orders that name no customer.
    """

    title: str = "A synthetic company."
    customers: int = Field(default=1000, ge=1, le=100_000_000)
    start: date
    end: date
    horizon_months: int = Field(default=12, ge=1, le=60)
    seed: int = Field(default=1, ge=0, lt=2**32)
    timezone: str = "UTC"
    currency: str = "USD"
    missing_customers: Share = 0.0
    purchases: Purchases = Field(default_factory=Purchases)
    churn: Churn = Field(default_factory=Churn)
    basket: Basket = Field(default_factory=Basket)
    returns: Returns = Field(default_factory=Returns)
    refunds: Refunds = Field(default_factory=Refunds)
    seasonality: Seasonality = Field(default_factory=Seasonality)
    cities: tuple[City, ...] = Field(default=(City(name="everywhere"),), min_length=1)
    channels: tuple[Channel, ...] = Field(default=(Channel(name="web"),), min_length=1)
    promotions: tuple[Promotion, ...] = ()

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"'{name}' is not a time zone; use a name such as 'America/Chicago'") from error
        return name

    @field_validator("cities", "channels", "promotions")
    @classmethod
    def _refuse_repetition(cls, items: tuple[Any, ...]) -> tuple[Any, ...]:
        names = sorted(item.name for item in items)
        if twice := [name for name, after in pairwise(names) if name == after]:
            raise ValueError(f"names '{twice[0]}' twice; give each a name of its own")
        return items

    @model_validator(mode="after")
    def _check_dates(self) -> Self:
        if self.end - self.start < timedelta(days=31):
            raise ValueError(f"end {self.end} must be a month or more after start {self.start}")
        if late := [city for city in self.cities if city.launch and city.launch >= self.end]:
            raise ValueError(f"city '{late[0].name}' is launched on {late[0].launch}, after the end; launch it earlier")
        known = [city.name for city in self.cities]
        for promotion in self.promotions:
            if unknown := [name for name in promotion.cities if name not in known]:
                raise ValueError(f"promotion '{promotion.name}' is in unknown '{unknown[0]}'; use {', '.join(known)}")
        if self.returns.share + self.refunds.share >= 1:
            raise ValueError("returns.share and refunds.share must be less than 1 together")
        return self

    @property
    def horizon_days(self) -> int:
        """Days of the horizon after the end."""
        return round(self.horizon_months * 365.25 / 12)

    @property
    def churn_scale(self) -> float:
        """Pareto's beta in weeks: with it, `churn.yearly` of the customers have left after a year; inf without churn.

        P(left by t) = 1 - (beta / (beta + t))^s (Fader and Hardie 2005, note 009).
        """
        stay = 1 - self.churn.yearly
        return float("inf") if stay == 1 else WEEKS_PER_YEAR / (stay ** (-1 / self.churn.spread) - 1)


def parse_scenario(text: str, file: str, changes: Mapping[str, Any] | None = None) -> Scenario:
    """The scenario in the TOML `text`, with top-level `changes` on top; `file` names it in messages.

    Raises ScenarioError, in one line, for a key that is unknown, missing or wrong.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{file}: not valid TOML: {error}; quote text, bracket [sections]") from None
    _reject_unknown(Scenario, values, file, "")
    try:
        return Scenario.model_validate({**values, **(changes or {})})
    except ValidationError as error:
        keys, message = explain_setting(error.errors())
        raise ScenarioError(f"{file}: {'.'.join(keys)}: {message}" if keys else f"{file}: {message}") from None


def _reject_unknown(model: type[BaseModel], values: Mapping[str, Any], file: str, place: str) -> None:
    for name, value in values.items():
        if name not in model.model_fields:
            close = difflib.get_close_matches(name, model.model_fields, n=1)
            hint = f"did you mean '{place}{close[0]}'?" if close else f"known here: {', '.join(model.model_fields)}"
            raise ScenarioError(f"{file}: unknown setting '{place}{name}'; {hint}")
        for section in _find_sections(model.model_fields[name].annotation):
            inner = value if isinstance(value, Sequence) else [value]
            for item in inner:
                if not isinstance(item, Mapping):
                    raise ScenarioError(f"{file}: '{place}{name}' is a table; write it under a header in brackets")
                _reject_unknown(section, item, file, f"{place}{name}.")


def _find_sections(annotation: Any) -> list[type[BaseModel]]:
    types = [annotation, *get_args(annotation)]
    return [found for found in types if isinstance(found, type) and issubclass(found, BaseModel)]
