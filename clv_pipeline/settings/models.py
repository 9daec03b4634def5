"""The settings of the models: how they are fitted, and how they are judged.

Belongs here: names, types and messages of the sections [models] and [backtest]. Does not belong here: the other
sections, or what a prior's table may say (`clv/models/priors.py`).
"""

from typing import Any, Literal

from pydantic import Field, field_validator

from clv_pipeline.settings.privacy import PASSWORD
from clv_pipeline.settings.section import Section

type PurchaseModel = Literal["bg_nbd", "mbg_nbd", "pareto_nbd"]


class Models(Section):
    """Which models are fitted, how, and when a new version takes the place of the one in use.

    `candidates` are compared by the backtest, from which transactions = 'auto' picks. `covariates` are attributes of
    customers that the purchase model uses. `draws` of the parameters are kept for intervals, made with `seed`;
    `chains` and `tune` are for estimation = 'mcmc', where `draws` are per chain. `refit` says after how long they are
    fitted again, where no drift asks for it earlier. `promote` says which new version is
    taken into use: never one that the backtest finds worse by more than `tolerance` under 'not_worse'.
    `mlflow_uri` is the tracking server that versions are copied to.
    """

    transactions: Literal["bg_nbd", "mbg_nbd", "pareto_nbd", "auto"] = "bg_nbd"
    estimation: Literal["map", "laplace", "mcmc"] = "laplace"
    priors: Literal["default", "flat"] | dict[str, dict[str, dict[str, Any]]] = "default"
    candidates: tuple[PurchaseModel, ...] = Field(default=("bg_nbd", "mbg_nbd", "pareto_nbd"), min_length=1)
    covariates: tuple[str, ...] = ()
    draws: int = Field(default=500, ge=100, le=100_000)
    chains: int = Field(default=4, ge=2, le=16)
    tune: int = Field(default=500, ge=100, le=100_000)
    seed: int = Field(default=1, ge=0, lt=2**32)
    refit: Literal["month", "quarter", "half_year", "year"] = "quarter"
    promote: Literal["not_worse", "always", "never"] = "not_worse"
    tolerance: float = Field(default=0.02, ge=0, lt=1)
    mlflow_uri: str | None = None

    @field_validator("mlflow_uri")
    @classmethod
    def _refuse_password(cls, uri: str | None) -> str | None:
        if uri and PASSWORD.search(uri):
            raise ValueError("holds a password; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead")
        return uri

    @field_validator("candidates", "covariates", mode="before")
    @classmethod
    def _read_names(cls, names: Any) -> Any:
        # A variable has no lists: CLV_MODELS_CANDIDATES=bg_nbd,pareto_nbd.
        return [name.strip() for name in names.split(",") if name.strip()] if isinstance(names, str) else names

    @field_validator("candidates", "covariates")
    @classmethod
    def _refuse_repetition(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"names '{twice[0]}' twice; write it once")
        return names


class Backtest(Section):
    """How far ahead a fit is judged, from how many earlier months, and how much history each of them needs.

    `horizon_months` defaults to value.horizon_months, shortened to what the history allows. `recalibrate` says whether
    what an earlier fold taught about the intervals corrects those of the scores, `correct_pace` whether
    the error in total of the same forecast in earlier years corrects the pace of purchases, `correct_spend` whether the
    trend of what single customers spend at a purchase corrects the spend expected.
    """

    horizon_months: int | None = Field(default=None, ge=1, le=120)
    folds: int = Field(default=1, ge=1, le=12)
    min_months: int = Field(default=3, ge=1, le=120)
    recalibrate: bool = True
    correct_pace: bool = True
    correct_spend: bool = True
