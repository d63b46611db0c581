"""A refit on a few labelled cells, in the span of their rows: many strengths and folds, milliseconds each.

The model that is there says something of every cell, its *offsets*; what is learned is a change of it::

    S_i  = offset_i + Z_i V + v                                  scores of row i, one for each class
    J    = sum_i s_i CE(softmax(S_i), y_i) / sum_i s_i + alpha / 2 ( || V ||^2 + || v ||^2 / kappa )

Z are the rows turned to their own axes (:mod:`orthotype.models.linear.reduced`), the same for every strength,
every fold and every model to start from, since these are nothing but other offsets and weights.

Classes without a weighted row are *still*: their columns of V and v stay zero, and they stay in the softmax,
so that what is learned of a class is learned against all others. The change v of the levels has a price,
too: kappa is a quarter of the mean squared length of the rows, so that levels move as readily as in a
direction with a quarter of all variance.

Conventions
-----------
Z : (n, r), V : (r, K) and v : (K,), kept as theta (r + 1, K_moving), v in the last row
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from orthotype.models.linear.lbfgs import Memory, minimise
from orthotype.models.linear.loss import SMALLEST_CURVATURE, Evaluation
from orthotype.models.linear.reduced import FewRows
from orthotype.models.linear.softmax import Float, Float64, Integer, softmax

LEVEL_SHARE = 0.25


class RefitObjective:
    """The objective of a refit, ready for :func:`orthotype.models.linear.lbfgs.minimise`.

    Parameters
    ----------
    rows
        Z (n, r).
    offsets
        Scores of the model to start from (n, K).
    y
        Classes (n,).
    weights
        Row weights (n,) that sum to one.
    moving
        Which classes are learned (K,).
    """

    def __init__(
        self, rows: Float, offsets: Float64, y: Integer, weights: Float64, moving: NDArray[np.bool_]
    ) -> None:
        used = np.flatnonzero(weights)
        self.rows, self.offsets = rows[used], offsets[used].astype(rows.dtype)
        self.y = y[used]
        self.weights, self.moving = weights[used], np.flatnonzero(moving)
        self.index = np.arange(len(used))
        self._light = self.weights.astype(rows.dtype)[:, None]
        mean = self.weights @ self.rows
        self.variance = np.maximum(self.weights @ (self.rows**2) - mean**2, 0.0)
        self.alpha, self.level, self.passes = 1.0, 1.0, 0.0

    def at(self, alpha: float, *, kappa: float) -> "RefitObjective":
        """Set the strength and the price of the levels."""
        self.alpha, self.level = alpha, alpha / kappa
        return self

    def scores(self, theta: Float) -> Float:
        """Return the scores (n, K) after a change theta (r + 1, K_moving)."""
        found = self.offsets.copy()
        found[:, self.moving] += self.rows @ theta[:-1] + theta[-1]
        return found

    def __call__(self, theta: Float) -> Evaluation:
        """Evaluate objective, gradient and diagonal curvature."""
        self.passes += 1
        shifted = self.scores(theta)
        shifted -= shifted.max(axis=1, keepdims=True)
        own = shifted[self.index, self.y]
        P = np.exp(shifted, out=shifted)
        totals = P.sum(axis=1)
        loss = float(self.weights @ (np.log(totals.astype(np.float64)) - own))
        P /= totals[:, None]
        R = P * self._light
        by_class = R.sum(axis=0, dtype=np.float64)
        spread = (by_class - np.einsum("ik,ik->k", R, P, dtype=np.float64))[self.moving]
        R[self.index, self.y] -= self._light[:, 0]
        R = np.ascontiguousarray(R[:, self.moving])
        gradient = np.empty(theta.shape)
        gradient[:-1] = self.rows.T @ R + self.alpha * theta[:-1]
        gradient[-1] = R.sum(axis=0, dtype=np.float64) + self.level * theta[-1]
        penalty = self.alpha * _square(theta[:-1]) + self.level * _square(theta[-1])
        spread = np.maximum(spread, SMALLEST_CURVATURE * max(float(spread.max()), SMALLEST_CURVATURE))
        scale = np.empty(theta.shape, dtype=theta.dtype)
        scale[:-1] = self.variance[:, None] * spread + self.alpha
        scale[-1] = spread + self.level
        return Evaluation(loss + penalty / 2, gradient, scale)

    def curvature(self, theta: Float, direction: Float) -> float:
        """Return direction . Hessian . direction."""
        P = softmax(self.scores(theta))[:, self.moving]
        moved = self.rows @ direction[:-1] + direction[-1]
        mean = (P * moved).sum(axis=1)
        along = float(self.weights @ ((P * moved**2).sum(axis=1) - mean**2))
        return along + self.alpha * _square(direction[:-1]) + self.level * _square(direction[-1])


def _square(values: Float) -> float:
    return float(np.vdot(values, values))


def refit_path(
    few: FewRows,
    offsets: Float64,
    y: Integer,
    weights: Float64,
    *,
    moving: NDArray[np.bool_],
    alphas: Iterable[float],
    tol: float = 1e-3,
    max_iter: int = 100,
) -> Iterator[Float64]:
    """Yield the change theta (r + 1, K) at each strength, from strong to weak, each from the one before.

    Parameters
    ----------
    few
        The rows.
    offsets
        Scores of the model to start from (n, K).
    y
        Classes (n,).
    weights
        Row weights (n,), not negative; folds and class balance are nothing else.
    moving
        Which classes are learned (K,); the others stay as they are.
    alphas
        Strengths.
    tol
        Relative gap to the minimum at which a fit has converged.
    max_iter
        Most steps of a fit.
    """
    whole = np.zeros((few.rows.shape[1] + 1, offsets.shape[1]))
    if not moving.any():
        for _ in alphas:
            yield whole.copy()
        return
    objective = RefitObjective(few.rows, offsets, y, weights / weights.sum(), moving)
    theta = np.zeros((len(whole), int(moving.sum())), dtype=few.rows.dtype)
    kappa = max(LEVEL_SHARE * few.total, np.finfo(np.float64).tiny)
    for alpha in alphas:
        found = minimise(
            objective.at(float(alpha), kappa=kappa), theta, tol=tol, max_iter=max_iter, memory=Memory()
        )
        theta = found.theta
        whole = whole.copy()
        whole[:, moving] = theta
        yield whole
