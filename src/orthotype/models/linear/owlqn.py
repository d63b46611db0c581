"""L-BFGS that can leave weights at exactly zero: the lasso and the elastic net.

1. Where a weight is zero, the pseudo-gradient is what is left of the gradient after the pull of
   ``threshold |W|``; elsewhere it is the gradient of the whole objective.
2. The direction is that of L-BFGS for the pseudo-gradient, without the components that would climb.
3. A step stays in the orthant of its start: a weight that would change its sign stops at zero.
4. The remembered gradient changes are those of the smooth part. When no step along the direction helps,
   memory is cleared and the next direction is the scaled pseudo-gradient itself.
5. The fit has converged when the quadratic model promises too little, or ten steps together have brought
   less.

Andrew & Gao 2007, *Scalable training of L1-regularized log-linear models* (doi 10.1145/1273496.1273501). The
intercept, the last row of theta, carries no penalty.
"""

from dataclasses import dataclass

import numpy as np

from orthotype.models.linear.lbfgs import CAUTION, ENOUGH, PATIENCE, Iteration, Memory, Minimum, Objective
from orthotype.models.linear.loss import Evaluation
from orthotype.models.linear.softmax import Float, Float64

SHORTEST = 1e-4
STALLED = 10


@dataclass(frozen=True)
class _Point:
    theta: Float
    smooth: Evaluation
    value: float


def pseudo_gradient(theta: Float, gradient: Float64, pull: Float64) -> Float64:
    """Return the steepest one-sided slope of the smooth part plus ``pull * |theta|``, or zero."""
    right, left = gradient + pull, gradient - pull
    at_zero = np.where(right < 0, right, np.where(left > 0, left, 0.0))
    return np.asarray(np.where(theta > 0, right, np.where(theta < 0, left, at_zero)))


def minimise_sparse(
    objective: Objective,
    theta: Float,
    *,
    threshold: float,
    tol: float = 1e-4,
    max_iter: int = 500,
    memory: Memory | None = None,
) -> Minimum:
    """Return the minimum of a smooth convex objective plus ``threshold * |W|_1``.

    Parameters
    ----------
    objective
        The smooth part.
    theta
        Where to start, (p + 1, K); left as it is.
    threshold
        Strength of the absolute penalty on all rows of theta but the last.
    tol, max_iter, memory
        As in :func:`orthotype.models.linear.lbfgs.minimise`.
    """
    memory = Memory() if memory is None else memory
    pull = np.full(theta.shape, threshold)
    pull[-1] = 0.0
    here = _at(objective, theta, pull)
    table: list[Iteration] = []
    good, step = 0, 0.0
    for iteration in range(max_iter + 1):
        slopes = pseudo_gradient(here.theta, here.smooth.gradient, pull)
        flat = memory.direction(slopes.ravel().astype(theta.dtype), here.smooth.scale.ravel())
        direction = np.where(flat.reshape(theta.shape) * slopes < 0, flat.reshape(theta.shape), 0)
        promise = -float(np.vdot(direction, slopes)) / 2
        norm = float(np.linalg.norm(slopes))
        table.append(Iteration(iteration, here.value, promise, norm, step, objective.passes))
        little = CAUTION * tol * abs(here.value)
        good = good + 1 if promise <= little else 0
        if norm == 0.0 or good >= PATIENCE or _stalled(table, little):
            return Minimum(here.theta, here.value, True, tuple(table))
        if iteration == max_iter:
            break
        there, step = _search(objective, here, direction, slopes, pull, first=memory.count == 0)
        if there is None and memory.count == 0:
            precise = promise <= 1e3 * float(np.finfo(theta.dtype).eps) * max(abs(here.value), 1e-3)
            return Minimum(here.theta, here.value, precise, tuple(table))
        if there is None:
            memory.count = 0
            continue
        change = there.smooth.gradient - here.smooth.gradient
        memory.add((there.theta - here.theta).ravel(), change.ravel().astype(theta.dtype))
        here = there
    return Minimum(here.theta, here.value, False, tuple(table))


def _at(objective: Objective, theta: Float, pull: Float64) -> _Point:
    smooth = objective(theta)
    return _Point(theta, smooth, smooth.value + float(np.vdot(pull, np.abs(theta))))


def _stalled(table: list[Iteration], little: float) -> bool:
    return len(table) > STALLED and table[-1 - STALLED].objective - table[-1].objective <= little


def _search(
    objective: Objective, here: _Point, direction: Float, slopes: Float64, pull: Float64, *, first: bool
) -> tuple[_Point | None, float]:
    """Shorten the step, within the orthant of its start, until the objective falls enough."""
    step = 1.0
    if first:
        along = max(objective.curvature(here.theta, direction), float(np.finfo(np.float64).tiny))
        step = min(1.0, -float(np.vdot(direction, slopes)) / along)
    orthant = np.where(here.theta != 0, np.sign(here.theta), -np.sign(slopes))
    shortest = SHORTEST * step
    while step > shortest:
        moved = here.theta + direction * here.theta.dtype.type(step)
        moved[:-1][moved[:-1] * orthant[:-1] <= 0] = 0
        there = _at(objective, moved, pull)
        if there.value - here.value <= ENOUGH * float(np.vdot(slopes, moved - here.theta)):
            return there, step
        step *= 0.5
    return None, 0.0
