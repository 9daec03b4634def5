"""The steps of the pipeline, in order.

Belongs here: the order, the groups that run together, who answers for a stage. Does not belong here: any step itself.
"""

from clv_pipeline.stages.backtest import BACKTEST
from clv_pipeline.stages.champion import CHAMPION
from clv_pipeline.stages.drift import DRIFT
from clv_pipeline.stages.first_orders import FIRST_ORDERS
from clv_pipeline.stages.lenses import LENSES
from clv_pipeline.stages.marts import CUSTOMER_PERIODS, ORDERS, PERIODS
from clv_pipeline.stages.models import MODELS
from clv_pipeline.stages.profiles import PROFILES
from clv_pipeline.stages.projection import PROJECTION
from clv_pipeline.stages.quality import SUFFICIENCY
from clv_pipeline.stages.rfm import RFM
from clv_pipeline.stages.scores import SCORES
from clv_pipeline.stages.totals import TOTALS
from clv_pipeline.stages.transactions import TRANSACTIONS
from clv_pipeline.steps import StepSpec

MONTH_STEPS: tuple[StepSpec, ...] = (TRANSACTIONS, ORDERS, CUSTOMER_PERIODS, FIRST_ORDERS, PERIODS)
AS_OF_STEPS: tuple[StepSpec, ...] = (
    RFM,
    SUFFICIENCY,
    LENSES,
    BACKTEST,
    MODELS,
    CHAMPION,
    SCORES,
    TOTALS,
    PROJECTION,
    PROFILES,
    DRIFT,
)
STAGES = ("transactions", "marts", "rfm", "quality", "lenses", "models", "scores", "drift")

_OWNERS: dict[str, str] = dict.fromkeys(("transactions", "marts", "quality"), "team:data-engineering")


def owner_of(step: StepSpec) -> str:
    """The team that answers for a step."""
    return _OWNERS.get(step.stage, "team:customer-analytics")


def select_steps(stages: tuple[str, ...]) -> tuple[StepSpec, ...]:
    """The steps of `stages`, in pipeline order."""
    return tuple(step for step in (*MONTH_STEPS, *AS_OF_STEPS) if step.stage in stages)
