"""Stage 5, last: which fitted version the scores of an as-of month are made from, and the card of the month's own fit.

Belongs here: where versions come from and what is published of the decision. Does not belong here: the rule
(`clv/models/promotion.py`), the files of a version (`model_store.py`).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from clv_pipeline.clv.models.card import CardFacts, build_card, render_card
from clv_pipeline.clv.models.promotion import PINNED, Decision, Rule, Version, decide
from clv_pipeline.clv.models.purchases import PURCHASE_MODELS
from clv_pipeline.clv.models.result import ModelError
from clv_pipeline.customers.attributes import explain_lacking
from clv_pipeline.mlflow_log import find_server, log_version
from clv_pipeline.model_store import find_version, keep_version
from clv_pipeline.pins import PINS, Pin, find_pin
from clv_pipeline.schemas.champion import Cards, InUse, InUseDraws, Promotions
from clv_pipeline.settings import Settings
from clv_pipeline.steps import Reach, Read, Step, StepSpec, Table, reached_months

IN_USE, _DRAWS, _PROMOTIONS, _CARDS = "models.in_use", "models.in_use_draws", "models.promotions", "models.cards"
_PARAMETERS = "models.parameters"
_LOGGED, _TAKEN = "logged_to_mlflow", "challenger_is_taken"
# Settings that make another version of the same data.
_ASKED = {"transactions", "estimation", "priors", "covariates"}
_BEFORE, _FITTED_BEFORE = Read(IN_USE, Reach.BEFORE), Read(_PARAMETERS, Reach.BEFORE)
_OF_THE_BACKTEST = """
    SELECT model, target, metric, value FROM models.backtest WHERE fold = 1 AND segment = 'all'
    ORDER BY target, model, metric"""


def compute_champion(step: Step) -> dict[str, pl.DataFrame]:
    """Decides what is in use, keeps a fit of this month as a version, and writes its card."""
    fitted = step.state.stamp(_PARAMETERS, step.period)
    parameters = step.frame("SELECT * FROM models.parameters")
    if fitted is None or parameters.is_empty():
        step.record(IN_USE, {"version": None})
        step.advise(IN_USE, _LOGGED, "there is no version", passed=True)
        step.advise(_PROMOTIONS, _TAKEN, "there is no version", passed=True)
        return {table.name: table.schema.empty() for table in CHAMPION.tables}
    challenger = Version(
        version=parameters["version"][0],
        fitted_as_of=fitted.facts["fitted_as_of"],
        model=_find_purchase_model(parameters),
        asked=describe_asked(step.settings),
        doubt=_find_doubt(fitted.facts),
    )
    earlier = reached_months(_BEFORE, step.state, step.period)
    before = _read_version(step, earlier[0]) if earlier else None
    used = _read_version(step, step.period)
    pin = find_pin(step.lake, step.period)
    lacks = {
        month: explain_lacking(step.settings, step.lake.read(IN_USE, month))
        for month in earlier + ([step.period] if used else [])
    }
    is_new = not _was_fitted_before(step, challenger)
    needs_no_turn = not is_new and not _is_left_to_the_rule(step, pin, earlier) and not any(lacks.values())
    decision = decide(
        challenger,
        before=None if earlier and lacks[earlier[0]] else before,
        # Somebody who lifted a pin wants the rule, not what was used.
        used=None if (pin and pin.version is None) or lacks.get(step.period) else used,
        pinned=pin.version if pin else None,
        criteria=dict(step.frame("SELECT model, value FROM models.choice").iter_rows()),
        rule=Rule(step.settings.models.promote, step.settings.models.tolerance),
        has_later=max(step.state.stamps("rfm.customers")) > step.period,
        no_fit=_explain_no_fit(step, challenger, before) if needs_no_turn else None,
    )
    if pin and decision.decision == PINNED:
        decision = replace(decision, reason=f"{decision.reason} It was {pin.reason} from {pin.as_of_from} on.")
    if lacking := "; ".join(sorted({reason for reason in lacks.values() if reason})):
        decision = replace(decision, reason=f"{decision.reason} {lacking}.")
    card = Cards.empty()
    if is_new:
        card = build_card(_gather_facts(step, parameters, decision, before, earlier))
        text = render_card(challenger.version, card)
        keep_version(step.lake, _describe_version(step, challenger), step.frame("SELECT * FROM models.draws"), text)
    _log(step, step.lake.home / "models" / challenger.version)
    step.advise(_PROMOTIONS, _TAKEN, decision.reason, passed=not decision.refused)
    chosen, estimates, draws = _load(step, decision.version, challenger, earlier)
    decided = {"decision": decision.decision, "reason": decision.reason, "refused": decision.refused}
    step.record(IN_USE, {**asdict(chosen), **decided})
    as_of, version = pl.lit(step.period).alias("as_of"), pl.lit(chosen.version).alias("version")
    fitted_as_of = pl.lit(chosen.fitted_as_of).alias("fitted_as_of")
    promotion = {
        "as_of": step.period,
        "challenger": challenger.version,
        "champion_before": before.version if before else None,
        "version": decision.version,
        "decision": decision.decision,
        "reason": decision.reason,
    }
    return {
        IN_USE: estimates.select(as_of, version, fitted_as_of, "model", "parameter", "estimate"),
        _DRAWS: draws.select(as_of, version, "model", "draw", "parameter", "value"),
        _PROMOTIONS: pl.DataFrame([promotion], schema=dict.fromkeys(promotion, pl.String)),
        _CARDS: card if card.is_empty() else _identify(card, step.period, challenger.version),
    }


def _identify(card: pl.DataFrame, as_of: str, version: str) -> pl.DataFrame:
    keys = (pl.lit(as_of).alias("as_of"), pl.lit(version).alias("version"))
    return card.select(*keys, "chapter", "line", "text")


def _was_fitted_before(step: Step, challenger: Version) -> bool:
    months = reached_months(_FITTED_BEFORE, step.state, step.period)
    stamp = step.state.stamp(_PARAMETERS, months[0]) if months else None
    return stamp is not None and stamp.facts.get("version") == challenger.version


def _is_left_to_the_rule(step: Step, pin: Pin | None, earlier: list[str]) -> bool:
    """Whether somebody's choice held until the month before, and does no more."""
    stamp = step.state.stamp(IN_USE, earlier[0]) if earlier else None
    is_pinned = pin is not None and pin.version is not None
    return stamp is not None and stamp.facts.get("decision") == PINNED and not is_pinned


def _explain_no_fit(step: Step, challenger: Version, before: Version | None) -> str:
    reason = step.frame("SELECT reason FROM models.refits").item()
    return reason if before == challenger else f"{challenger.version} has had its turn. {reason}"


def _log(step: Step, folder: Path) -> None:
    server = find_server(step.settings) if folder.exists() else None
    problem = log_version(folder, server) if server else None
    said = f"MLflow did not take it and is asked again next time: {problem}" if problem else f"logged to {server}"
    step.advise(IN_USE, _LOGGED, said if server else "no MLflow server is configured", passed=problem is None)


def describe_asked(settings: Settings) -> str:
    """A hash of the settings that a version is asked for with."""
    asked = settings.models.model_dump(mode="json", include=_ASKED)
    return sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]


def _find_purchase_model(parameters: pl.DataFrame) -> str:
    return next(model for model in parameters["model"] if model in PURCHASE_MODELS)


def _find_doubt(facts: Mapping[str, Any]) -> str:
    return "it did not converge" if not facts["converged"] else "; ".join(facts["refused"]).rstrip(".")


def _read_version(step: Step, month: str) -> Version | None:
    """The version in use as published for `month`; None where there is none."""
    stamp = step.state.stamp(IN_USE, month)
    if stamp is None or not stamp.facts.get("version"):
        return None
    return Version(**{name: stamp.facts[name] for name in Version.__dataclass_fields__ if name in stamp.facts})


def _load(
    step: Step, version: str, challenger: Version, earlier: list[str]
) -> tuple[Version, pl.DataFrame, pl.DataFrame]:
    """A version with its parameters and draws: from this month's fit, from what is in use, else from its files."""
    if version == challenger.version:
        draws = step.frame("SELECT * FROM models.draws")
        return challenger, step.frame("SELECT * FROM models.parameters"), draws
    for month in (*earlier, step.period):
        found = _read_version(step, month)
        if found and found.version == version:
            return found, step.lake.read(IN_USE, month), step.lake.read(_DRAWS, month)
    stored = find_version(step.lake, version)
    if lacking := explain_lacking(step.settings, stored.parameters.with_columns(pl.lit(version).alias("version"))):
        raise ModelError(f"{lacking}: add it, or take another version with `clv promote`")
    return Version(**stored.facts["identity"]), stored.parameters, stored.read_draws()


def _describe_version(step: Step, challenger: Version) -> dict[str, Any]:
    """What `version.json` says."""
    stamp = step.state.stamp(_PARAMETERS, step.period)
    assert stamp
    settings = step.settings.models.model_dump(mode="json", exclude={"mlflow_uri"})
    without_keys = "* EXCLUDE (as_of, version)"
    return {
        "version": challenger.version,
        "as_of": challenger.fitted_as_of,
        "as_of_end": str(step.state.as_of_end(challenger.fitted_as_of)),
        "model": challenger.model,
        "estimation": settings["estimation"],
        "converged": stamp.facts["converged"],
        "fitted_at": stamp.published_at,
        "code_version": stamp.code,
        "data_version": stamp.inputs,
        "settings": settings,
        "identity": asdict(challenger),
        "notes": stamp.facts.get("notes", []),
        "parameters": step.frame(f"SELECT {without_keys} FROM models.parameters").to_dicts(),
        "metrics": step.frame(f"SELECT {without_keys} FROM models.evaluation").to_dicts(),
        "backtest": step.frame("SELECT model, criterion, value FROM models.choice").to_dicts(),
    }


def _gather_facts(
    step: Step, parameters: pl.DataFrame, decision: Decision, before: Version | None, earlier: list[str]
) -> CardFacts:
    stamp = step.state.stamp(_PARAMETERS, step.period)
    assert stamp
    month = stamp.facts["fitted_as_of"]
    return CardFacts(
        **{name: stamp.facts[name] for name in ("customers", "repeaters", "orders", "spend")},
        version=parameters["version"][0],
        as_of=month,
        as_of_end=step.state.as_of_end(month),
        data_start=step.state.data_start,
        estimation=step.settings.models.estimation,
        currency=step.settings.source.currency,
        parameters=parameters,
        decision=f"In use for {step.period}: {decision.version} ({decision.decision}). {decision.reason}",
        previous_version=before.version if before else None,
        gate=step.frame('SELECT "check", passed, sentence FROM models.gate ORDER BY "check"'),
        previous=step.lake.read(IN_USE, earlier[0]) if before else pl.DataFrame(),
        backtest=step.frame(_OF_THE_BACKTEST),
        choice=step.frame("SELECT model, sentence FROM models.choice ORDER BY NOT chosen, model"),
        corrections=step.frame("SELECT DISTINCT model, pace, spend_level FROM models.recalibration ORDER BY model"),
        notes=tuple(stamp.facts.get("notes", ())),
    )


_FIT = (
    "models.refits",
    _PARAMETERS,
    "models.evaluation",
    "models.draws",
    "models.gate",
    "models.choice",
    "models.backtest",
    "models.recalibration",
)
CHAMPION = StepSpec(
    name="champion",
    stage="models",
    tables=(
        Table(IN_USE, InUse, "The version that the scores are made from, with its parameters.", advice=(_LOGGED,)),
        Table(_DRAWS, InUseDraws, "Joint draws of the parameters in use: how uncertain they are."),
        Table(_PROMOTIONS, Promotions, "Which version was in use before, which is now, and why.", advice=(_TAKEN,)),
        Table(_CARDS, Cards, "The card of the version fitted for this month: data, assumptions, performance, limits."),
    ),
    reads=(*(Read(name, Reach.SAME) for name in _FIT), _BEFORE, _FITTED_BEFORE, Read(PINS, Reach.UP_TO)),
    compute=compute_champion,
    sql=(),
    knobs=(
        "models.promote",
        "models.tolerance",
        "models.covariates",
        "periods.cohort_by",
        "periods.only",
        "source.currency",
    ),
    code=("stages/champion", "clv/models/promotion", "clv/models/card", "clv/models/words"),
    kinds=frozenset({"python", "parquet"}),
    sees="fitted",
)
