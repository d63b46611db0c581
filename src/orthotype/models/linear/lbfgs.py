"""L-BFGS with a diagonal that follows the problem, for smooth convex objectives with millions of unknowns.

1. The direction is ``d = -H g``. H starts from the inverse of the diagonal curvature, which every evaluation
   of the objective brings along for free, and takes in the last steps S and gradient changes Y.
2. The first step has the exact length of a Newton step along d; later steps try length one.
3. A step is taken when the objective falls enough (Armijo); otherwise it is shortened by interpolation.
4. ``-g . d / 2`` is the decrease that the quadratic model still promises; on cell types the true gap is up to
   ten times as large. When the promise has stayed below ``tol * J / 10`` for two steps, the fit has
   converged.

Nocedal & Wright 2006, *Numerical Optimization*, chapter 7; the direction is written with matrix products
(Byrd, Nocedal & Schnabel 1994, doi 10.1007/BF01582063), so a step reads S and Y twice each.

Conventions
-----------
theta : (p + 1, K), flattened to N unknowns inside
S, Y : (memory, N), in the precision of theta; their products are kept in float64
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from orthotype.models.linear.loss import Evaluation
from orthotype.models.linear.softmax import Float, Float64, Integer

ENOUGH = 1e-4
SHORTEST = 1e-10
PATIENCE = 2
CAUTION = 0.1
NOTHING = 1e-6  # an objective below this is as good as zero


class Objective(Protocol):
    """What can be minimised here."""

    passes: float

    def __call__(self, theta: Float) -> Evaluation:
        """Evaluate objective, gradient and diagonal curvature."""

    def curvature(self, theta: Float, direction: Float) -> float:
        """Return direction . Hessian . direction."""


class Iteration(NamedTuple):
    """One row of the table of diagnostics.

    Attributes
    ----------
    iteration
        Number of steps taken.
    objective
        J.
    gap
        Decrease that the quadratic model still promises.
    gradient
        Euclidean norm of the gradient.
    step
        Length of the step that led here, 1 being the full one.
    passes
        Passes over the rows so far.
    """

    iteration: int
    objective: float
    gap: float
    gradient: float
    step: float
    passes: float


@dataclass(frozen=True)
class Minimum:
    """Where a solver stopped, and how it got there."""

    theta: Float
    value: float
    converged: bool
    diagnostics: tuple[Iteration, ...]


class Memory:
    """The last steps and what they did to the gradient.

    Parameters
    ----------
    length
        How many steps are remembered.
    """

    def __init__(self, length: int = 20) -> None:
        self.length, self.count = length, 0
        self.S: Float
        self.Y: Float
        self.products: Float64

    def add(self, s: Float, y: Float) -> None:
        """Remember one step, forgetting the oldest when full; a step without curvature is ignored."""
        curvature = float(s @ y)
        if not curvature > np.finfo(s.dtype).eps * float(np.linalg.norm(s)) * float(np.linalg.norm(y)):
            return
        if self.count == 0:
            self.S = np.empty((self.length, len(s)), dtype=s.dtype)
            self.Y = np.empty_like(self.S)
            self.products = np.zeros((self.length, self.length))
        slot = self.count % self.length
        self.S[slot], self.Y[slot] = s, y
        self.count += 1
        filled = min(self.count, self.length)
        self.products[:filled, slot] = self.S[:filled] @ y  # an older y with this s is never asked for

    def bend(self, change: float, shape: tuple[int, int]) -> None:
        """Turn what is remembered into that of the same problem with another alpha."""
        filled = min(self.count, self.length)
        if filled == 0:
            return
        weights = (shape[0] - 1) * shape[1]
        S, Y = self.S[:filled, :weights], self.Y[:filled, :weights]
        Y += S.dtype.type(change) * S
        self.products[:filled, :filled] += change * (S @ S.T)

    def _order(self) -> Integer:
        filled = min(self.count, self.length)
        return (np.arange(filled) + (self.count - filled)) % self.length

    def direction(self, gradient: Float, scale: Float) -> Float:
        """Return ``-H g`` for the inverse Hessian that starts from ``1 / scale``."""
        if self.count == 0:
            return -gradient / scale
        from scipy.linalg import solve_triangular

        order = self._order()
        S, Y = self.S[: len(order)], self.Y[: len(order)]
        R = np.triu(self.products[np.ix_(order, order)])
        first = solve_triangular(R, (S @ gradient)[order].astype(np.float64))
        r = gradient - self._combine(Y, order, first)
        r /= scale
        r *= self._stretch(order[-1], scale)
        second = solve_triangular(R, R.diagonal() * first - (Y @ r)[order], trans="T")
        r += self._combine(S, order, second)
        return -r

    @staticmethod
    def _combine(vectors: Float, order: Integer, factors: Float64) -> Float:
        placed = np.empty(len(order), dtype=vectors.dtype)
        placed[order] = factors
        return np.asarray(placed @ vectors)

    def _stretch(self, newest: int, scale: Float) -> float:
        y = self.Y[newest]
        return float(self.products[newest, newest] / float(y @ (y / scale)))


def minimise(
    objective: Objective,
    theta: Float,
    *,
    tol: float = 1e-4,
    max_iter: int = 500,
    memory: Memory | None = None,
    stop: Callable[[int, Float], bool] | None = None,
) -> Minimum:
    """Return the minimum of a smooth convex objective.

    Parameters
    ----------
    objective
        What is minimised.
    theta
        Where to start, (p + 1, K); left as it is.
    tol
        Relative gap to the minimum at which the fit has converged.
    max_iter
        Most steps.
    memory
        Steps remembered from a problem much like this one.
    stop
        Called with the number of the step and theta after every step; true ends the fit as converged, as when
        the loss on held-out rows has stopped falling.
    """
    memory = Memory() if memory is None else memory
    theta = theta.copy()
    here = objective(theta)
    table: list[Iteration] = []
    good, step = 0, 0.0
    for iteration in range(max_iter + 1):
        gradient = here.gradient.ravel().astype(theta.dtype)
        direction = memory.direction(gradient, here.scale.ravel())
        slope = float(here.gradient.ravel() @ direction)
        if not slope < 0.0:
            memory.count = 0
            direction = memory.direction(gradient, here.scale.ravel())
            slope = float(here.gradient.ravel() @ direction)
        norm = float(np.linalg.norm(here.gradient))
        table.append(Iteration(iteration, here.value, -slope / 2, norm, step, objective.passes))
        good = good + 1 if -slope / 2 <= CAUTION * tol * max(abs(here.value), NOTHING) else 0
        ended = iteration > 0 and stop is not None and stop(iteration, theta)
        if norm == 0.0 or good >= PATIENCE or ended:
            return Minimum(theta, here.value, True, tuple(table))
        if iteration == max_iter:
            break
        towards = direction.reshape(theta.shape)
        step = 1.0
        if memory.count == 0:
            step = min(1.0, -slope / max(objective.curvature(theta, towards), np.finfo(np.float64).tiny))
        step, moved, there = _search(objective, theta, towards, here, slope, step)
        if there is None:
            return Minimum(theta, here.value, _at_precision(slope, here, theta.dtype), tuple(table))
        memory.add((moved - theta).ravel(), (there.gradient - here.gradient).ravel().astype(theta.dtype))
        theta, here = moved, there
    return Minimum(theta, here.value, False, tuple(table))


def _search(
    objective: Objective, theta: Float, direction: Float, here: Evaluation, slope: float, step: float
) -> tuple[float, Float, Evaluation | None]:
    """Shorten the step until the objective falls enough; None at the limit of precision.

    The loss of a row is a difference of numbers of about one, so J is never known better than to their
    rounding, however small it is; within that, a flatter slope is progress enough.
    """
    noise = 4 * float(np.finfo(theta.dtype).eps) * max(abs(here.value), 1.0)
    while step > SHORTEST:
        moved = theta + direction * theta.dtype.type(step)
        there = objective(moved)
        fall = there.value - here.value
        if fall <= ENOUGH * step * slope:
            return step, moved, there
        new_slope = float(there.gradient.ravel() @ direction.ravel())
        if fall <= noise and abs(new_slope) <= 0.9 * abs(slope):
            return step, moved, there
        best = -slope * step**2 / (2 * (fall - slope * step)) if np.isfinite(fall) else 0.0
        step = min(max(best, 0.1 * step), 0.5 * step)
    return 0.0, theta, None


def _at_precision(slope: float, here: Evaluation, dtype: np.dtype[Any]) -> bool:
    """Tell whether a fit that can go no further is as good as its precision allows."""
    return -slope / 2 <= 1e3 * float(np.finfo(dtype).eps) * max(abs(here.value), 1e-3)
