"""The coefficients of covariates in words: who buys more often, and who leaves sooner, than whom.

Belongs here: sentences about covariates. Does not belong here: those about the other parameters (`words.py`).
"""

from collections.abc import Mapping
from math import exp
from typing import NamedTuple

import polars as pl

from clv_pipeline.clv.models.covariates import DROPOUT, EFFECTS, NO_VALUE, OTHER, PURCHASE, Covariate, read_design


class _Bounded(NamedTuple):
    """A coefficient with its 95% bounds; null where there are none."""

    estimate: float
    lower: float | None
    upper: float | None


def describe_coefficients(parameters: pl.DataFrame) -> list[str]:
    """Two sentences for each column of a covariate, of rate and of dropout, in `parameters` of one model.

    `parameters`: model, parameter, estimate, lower, upper (95%). Rates are multiplied by exp(coefficient): -0.2 reads
    as 18% less often. Where the bounds hold 0, the sentence says that it may be chance.
    """
    design = read_design(dict(parameters.select("parameter", "estimate").iter_rows()))
    if not design:
        return []
    model = parameters["model"][0]
    rows = parameters.select("parameter", "estimate", "lower", "upper").iter_rows()
    found = {name: _Bounded(estimate, lower, upper) for name, estimate, lower, upper in rows}
    sentences: list[str] = []
    for covariate in design:
        for column in covariate.columns:
            who, whom = _name_groups(covariate, column)
            changed = _compare(found[f"{PURCHASE}[{column}]"], ("less often", "more often"))
            sentences.append(f"{who} buy {changed} than {whom}{_bound(found[f'{PURCHASE}[{column}]'])}.")
            sentences.append(f"{who} {_describe_dropout(model, column, found, whom)}.")
    return sentences


def _name_groups(covariate: Covariate, column: str) -> tuple[str, str]:
    """Whom a column is about, and whom they are compared with."""
    name = covariate.name
    if column == name:
        place = f"{covariate.sd:,.3g} (a standard deviation) above the mean of {covariate.mean:,.3g}"
        return f"Customers whose {name} is {place}", "those at the mean"
    groups = {NO_VALUE: f"without a known {name}", OTHER: f"of any other {name}"}
    level = column.removeprefix(f"{name} = ")
    who = f"Customers {groups.get(level, f'of {name} {level}')}"
    if covariate.sd:
        return who, f"those at the mean of {covariate.mean:,.3g}"
    base = covariate.levels[0]
    return who, f"those {groups.get(base, f'of {name} {base}')}"


def _describe_dropout(model: str, column: str, found: Mapping[str, _Bounded], whom: str) -> str:
    if model == "pareto_nbd":
        coefficient = found[f"{DROPOUT}[{column}]"]
        return f"leave at a {_compare(coefficient, ('lower', 'higher'))} rate than {whom}{_bound(coefficient)}"
    own = {name: it.estimate for name, it in found.items()}
    base = own["a"] / (own["a"] + own["b"])
    for effect in EFFECTS[model]:
        own[effect.parameter] *= exp(effect.sign * own[f"{effect.coefficient}[{column}]"])
    share = own["a"] / (own["a"] + own["b"])
    counted = "repeat purchase" if model == "bg_nbd" else "purchase"
    return f"leave for good after a {counted} with {share:.1%} probability while they are new, {whom} with {base:.1%}"


def _compare(coefficient: _Bounded, words: tuple[str, str]) -> str:
    """'18% less often' of -0.2."""
    change = exp(coefficient.estimate) - 1
    return f"{abs(change):.0%} {words[change > 0]}"


def _bound(coefficient: _Bounded) -> str:
    """' (95% between -25% and -10%)'; empty where nothing bounds it."""
    if coefficient.lower is None or coefficient.upper is None:
        return ""
    lower, upper = (f"{exp(bound) - 1:+.0%}" for bound in (coefficient.lower, coefficient.upper))
    chance = ", which may be chance" if coefficient.lower < 0 < coefficient.upper else ""
    return f" (95% between {lower} and {upper}{chance})"
