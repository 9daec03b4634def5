"""The mode of a posterior and its curvature there.

Belongs here: the search, the polish, and the checks that it ended at a maximum. Does not belong here: anything that
knows which model it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

type Vector = NDArray[np.float64]

# Log-parameters beyond these are no estimate any more: the likelihood has its supremum at zero or infinity.
_LARGEST_LOG = 12.0
# A factor of about seven either way in every parameter; twelve boxes reach from one end to the other.
_BOX = 2.0
_BOXES = 12
_STEP = 1e-3
_NEWTON_STEPS = 30
# Half the squared length of a Newton step in standard errors, which is what the log posterior could still gain.
_CONVERGED = 1e-8
_POLISHED = 1e-16
_CURVATURE_SETTLED = 1e-6


@dataclass(frozen=True)
class Objective:
    """Minus the log posterior over log-parameters: its value and its gradient."""

    value: Callable[[Vector], float]
    gradient: Callable[[Vector], Vector]


@dataclass(frozen=True)
class Mode:
    """Log-parameters at the mode and their covariance from the curvature there."""

    theta: Vector
    covariance: NDArray[np.float64]


@dataclass(frozen=True)
class Near:
    """Log-parameters close to a mode and, where it is known, about the curvature there."""

    theta: Vector
    curvature: NDArray[np.float64] | None = None


def find_mode(objective: Objective, starts: Sequence[Vector], *, near: Near | None = None) -> Mode | None:
    """The mode reached from the first of `starts` that leads to one, or None.

    Quasi-Newton, then Newton until the step is below rounding, so that the result does not depend on the units of the
    data or on the path. From `near`, a place close to the mode, Newton alone is tried first.
    """
    with np.errstate(all="ignore"):  # What overflows on the way is either left again or refused at the end.
        if near is not None and (mode := _polish(objective, near.theta, near.curvature)) is not None:
            return mode
        for start in starts:
            if (mode := _polish(objective, _descend(objective, start))) is not None:
                return mode
    return None


def _descend(objective: Objective, start: Vector) -> Vector:
    """Where quasi-Newton steps lead: in boxes around the point reached, since far away the value may overflow."""
    from scipy.optimize import minimize  # noqa: PLC0415 - only a fit needs it

    theta = start
    for _ in range(_BOXES):
        low, high = np.maximum(theta - _BOX, -_LARGEST_LOG), np.minimum(theta + _BOX, _LARGEST_LOG)
        found = minimize(
            lambda theta: (objective.value(theta), objective.gradient(theta)),
            theta,
            jac=True,
            method="L-BFGS-B",
            bounds=np.stack([low, high], axis=1),
            options={"ftol": 1e-12, "gtol": 1e-6, "maxiter": 500},
        )
        is_inside = np.abs(found.x - theta).max() < _BOX
        theta = found.x
        if is_inside:
            break
    return theta


def compute_hessian(objective: Objective, theta: Vector) -> NDArray[np.float64]:
    """The matrix of second derivatives at `theta`, by central differences of the gradient."""
    steps = np.eye(len(theta)) * _STEP
    rows = [objective.gradient(theta + step) - objective.gradient(theta - step) for step in steps]
    hessian = np.array(rows) / (2 * _STEP)
    return (hessian + hessian.T) / 2


def _polish(objective: Objective, theta: Vector, curvature: NDArray[np.float64] | None = None) -> Mode | None:
    """Newton's steps from `theta`; with a `curvature` about right they cost a gradient each until they are small."""
    factor = None if curvature is None else _factorise(curvature)
    is_own = factor is None
    gain = np.inf
    for _ in range(_NEWTON_STEPS):
        if np.abs(theta).max() >= _LARGEST_LOG:
            return None
        if is_own and (factor is None or gain > _CURVATURE_SETTLED):
            factor = _factorise(compute_hessian(objective, theta))
        if factor is None:
            return None
        gradient = objective.gradient(theta)
        step = cho_solve(factor, gradient)
        previous, gain = gain, float(gradient @ step) / 2
        if not np.isfinite(gain) or not np.isfinite(objective.value(theta)):
            return None
        if not is_own and (gain < _CONVERGED or gain > previous / 4):
            is_own, factor = True, None
            continue
        if is_own and (gain < _POLISHED or (gain < _CONVERGED and gain >= previous)):
            return Mode(theta, cho_solve(factor, np.eye(len(theta))))
        theta = theta - step / max(1.0, float(np.abs(step).max()))
    return Mode(theta, cho_solve(factor, np.eye(len(theta)))) if factor and is_own and gain < _CONVERGED else None


def _factorise(hessian: NDArray[np.float64]) -> Any:
    """The Cholesky factor for `cho_solve`; None where there is no maximum."""
    if not np.isfinite(hessian).all():
        return None
    try:
        return cho_factor(hessian)
    except LinAlgError:
        return None
