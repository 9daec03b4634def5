"""Attributes of customers that a purchase model uses: as columns of numbers, and as parameters of each customer.

Belongs here: levels and amounts, and what their coefficients make of a parameter. Does not belong here: fitting the
coefficients (`estimates.py`), or where attributes come from (`customers/attributes.py`).

The parameterisation is that of pymc-marketing, after Fader and Hardie (2007), note 019: with the attributes z of a
customer, alpha exp(-c'z) for how often he buys; a exp(d'z) and b exp(e'z) for when he leaves under BG/NBD and MBG/NBD,
beta exp(-d'z) under Pareto/NBD. r and s are those of everybody.

A **level** is one column of 0 and 1 for each value but the base, which most customers have. The ten values with most
customers, and at least 20 each, have columns of their own, the rest is '(other)'; no value is '(none)'. An **amount**
(numbers only, of more than ten different values) is one column: less its mean, by its standard deviation, and within
four of them, so that its unit makes no difference; who has none is at the mean, with a column '(none)' of his own. A
value that the fit has not seen counts as '(other)', else as the base.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.models.result import ModelError

type Vector = NDArray[np.float64]

NO_VALUE, OTHER = "(none)", "(other)"
_PREFIX = "covariate "
_IS = " = "
_MOST_LEVELS, _FEWEST_CUSTOMERS, _MOST_DISTINCT = 10, 20, 10
_FARTHEST = 4.0
_NAMED = re.compile(r"(\w+)\[(.*)\]", re.DOTALL)


@dataclass(frozen=True)
class Effect:
    """Which parameter a coefficient acts on, by which sign on its logarithm, and the prior of its kind."""

    parameter: str
    coefficient: str
    sign: float
    prior: str


PURCHASE, DROPOUT = "purchase_coefficient", "dropout_coefficient"
_BETA_GEOMETRIC = (
    Effect("alpha", PURCHASE, -1.0, PURCHASE),
    Effect("a", f"{DROPOUT}_a", 1.0, DROPOUT),
    Effect("b", f"{DROPOUT}_b", 1.0, DROPOUT),
)
EFFECTS: dict[str, tuple[Effect, ...]] = {
    "bg_nbd": _BETA_GEOMETRIC,
    "mbg_nbd": _BETA_GEOMETRIC,
    "pareto_nbd": (Effect("alpha", PURCHASE, -1.0, PURCHASE), Effect("beta", DROPOUT, -1.0, DROPOUT)),
}


@dataclass(frozen=True)
class Covariate:
    """An attribute as a fit saw it: its levels, the base first, or the mean and sd of an amount."""

    name: str
    levels: tuple[str, ...] = ()
    mean: float = 0.0
    sd: float = 0.0
    some_unknown: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """What its coefficients are called; none where all customers are alike."""
        if self.sd:
            return (self.name, *([f"{self.name}{_IS}{NO_VALUE}"] if self.some_unknown else []))
        return tuple(f"{self.name}{_IS}{level}" for level in self.levels[1:])


type Design = tuple[Covariate, ...]


def name_column(attribute: str) -> str:
    """The column of customers that holds an attribute; it cannot be taken for one of their history."""
    return _PREFIX + attribute


def list_columns(customers: pl.DataFrame) -> list[str]:
    """The columns of `customers` that hold attributes."""
    return sorted(name for name in customers.columns if name.startswith(_PREFIX))


def require_support(model: str) -> None:
    """Raises ModelError for a model that takes no covariates."""
    if model not in EFFECTS:
        raise ModelError(f"models.covariates: {model} takes none; models that do: {', '.join(EFFECTS)}")


def learn_design(customers: pl.DataFrame) -> Design:
    """The covariates of the columns of `customers` (text, null where unknown; see `name_column`)."""
    return tuple(_learn(name.removeprefix(_PREFIX), customers[name]) for name in list_columns(customers))


def encode(customers: pl.DataFrame, design: Design) -> pl.DataFrame:
    """`customers` with each attribute as its level, or as the standardised amount, nan where it is unknown.

    Raises ModelError when an attribute is missing.
    """
    if missing := [it.name for it in design if name_column(it.name) not in customers.columns]:
        raise ModelError(f"the version in use was fitted with '{missing[0]}': add it to models.covariates")
    return customers.with_columns(_encode(covariate) for covariate in design)


def build_matrix(encoded: pl.DataFrame, design: Design) -> Vector:
    """One row per row of `encoded`, one column per coefficient of each kind."""
    columns: list[Vector] = []
    for covariate in design:
        values = encoded[name_column(covariate.name)]
        if covariate.sd:
            known = values.is_not_nan()
            columns.append(values.fill_nan(0.0).to_numpy())
            columns += [(~known).cast(pl.Float64).to_numpy()] if covariate.some_unknown else []
        else:
            columns += [(values == level).cast(pl.Float64).to_numpy() for level in covariate.levels[1:]]
    return np.stack(columns, axis=1) if columns else np.empty((encoded.height, 0))


def list_column_names(design: Design) -> tuple[str, ...]:
    """What the columns of `build_matrix` are called."""
    return tuple(column for covariate in design for column in covariate.columns)


def name_coefficients(model: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The coefficients of all columns, kind after kind, as 'purchase_coefficient[channel = web]'."""
    effects = EFFECTS[model] if columns else ()
    return tuple(f"{effect.coefficient}[{column}]" for effect in effects for column in columns)


def describe_design(design: Design) -> dict[str, float]:
    """What else a score needs to know of the fitted customers, as parameters: base levels, means and deviations."""
    found: dict[str, float] = {}
    for covariate in design:
        if covariate.sd:
            found |= {f"mean[{covariate.name}]": covariate.mean, f"sd[{covariate.name}]": covariate.sd}
        elif covariate.columns:
            found[f"base_level[{covariate.name}{_IS}{covariate.levels[0]}]"] = 0.0
    return found


def read_design(parameters: Mapping[str, object]) -> Design:
    """The covariates that the names of fitted parameters speak of."""
    amounts: dict[str, dict[str, float]] = {}
    levels: dict[str, list[str]] = {}
    unknown: set[str] = set()
    for parameter, value in sorted(parameters.items()):
        if (named := _NAMED.fullmatch(parameter)) is None:
            continue
        kind, inside = named[1], named[2]
        name, _, level = inside.partition(_IS)
        if kind in ("mean", "sd"):
            amounts.setdefault(inside, {})[kind] = float(str(value))
        elif kind == "base_level":
            levels.setdefault(name, []).insert(0, level)
        elif kind == PURCHASE and level == NO_VALUE and f"mean[{name}]" in parameters:
            unknown.add(name)
        elif kind == PURCHASE and level:
            levels.setdefault(name, []).append(level)
    found = [
        Covariate(name, mean=amount["mean"], sd=amount["sd"], some_unknown=name in unknown)
        for name, amount in amounts.items()
    ]
    found += [Covariate(name, tuple(values)) for name, values in levels.items()]
    return tuple(sorted(found, key=lambda covariate: covariate.name))


def list_covariates(parameters: pl.DataFrame) -> list[str]:
    """The attributes that a version with these parameters (column parameter) needs of a customer."""
    return [covariate.name for covariate in read_design(dict.fromkeys(parameters["parameter"], 0.0))]


def personalise(
    model: str, parameters: Mapping[str, float | Vector], encoded: pl.DataFrame, design: Design
) -> dict[str, float | Vector]:
    """The parameters of `model`, those with a coefficient as one number for each row of `encoded`."""
    own: dict[str, float | Vector] = {name: value for name, value in parameters.items() if "[" not in name}
    matrix, columns = build_matrix(encoded, design), list_column_names(design)
    for effect in EFFECTS[model] if columns else ():
        weights = np.array([parameters[f"{effect.coefficient}[{column}]"] for column in columns])
        own[effect.parameter] = parameters[effect.parameter] * np.exp(effect.sign * (matrix @ weights))
    return own


def _learn(name: str, values: pl.Series) -> Covariate:
    if _IS in name:
        raise ModelError(f"models.covariates: '{name}' holds '{_IS}', which separates name and level: rename it")
    numbers = _read_numbers(values)
    known = numbers.drop_nulls()
    if known.len() == values.len() - values.null_count() and known.n_unique() > _MOST_DISTINCT:
        # Sorted, because the last bits of a sum depend on the order.
        amounts = known.sort().to_numpy()
        return Covariate(
            name, mean=float(amounts.mean()), sd=float(amounts.std()), some_unknown=known.len() < numbers.len()
        )
    counted = values.fill_null(NO_VALUE).value_counts().sort(["count", values.name], descending=[True, False])
    named = counted.filter(pl.col("count") >= _FEWEST_CUSTOMERS).head(_MOST_LEVELS)[values.name].to_list()
    if not named:
        return Covariate(name)
    rest = [OTHER] if len(named) < counted.height else []
    return Covariate(name, (named[0], *sorted({*named[1:], *rest})))


def _read_numbers(values: pl.Series) -> pl.Series:
    numbers = values.cast(pl.Float64, strict=False)
    return pl.select(pl.when(numbers.is_finite()).then(numbers)).to_series()


def _encode(covariate: Covariate) -> pl.Expr:
    column = pl.col(name_column(covariate.name))
    if covariate.sd:
        numbers = column.map_batches(_read_numbers, return_dtype=pl.Float64)
        place = ((numbers - covariate.mean) / covariate.sd).clip(-_FARTHEST, _FARTHEST)
        return place.fill_null(float("nan")).alias(column.meta.output_name())
    if not covariate.columns:
        return pl.lit(NO_VALUE).alias(column.meta.output_name())
    otherwise = OTHER if OTHER in covariate.levels else covariate.levels[0]
    level = column.fill_null(NO_VALUE)
    return pl.when(level.is_in(covariate.levels)).then(level).otherwise(pl.lit(otherwise))
