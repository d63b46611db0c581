"""The one objective of orthotype: weighted multinomial cross-entropy, and a penalty that may have a centre.

::

    J(W, b) = sum_i s_i CE(softmax(x_i W + b), y_i) / sum_i s_i  +  alpha / 2 || W - gamma W0 ||^2

Class balance and folds are nothing but the row weights s. The intercept b is free, so the genes can be
centred without touching the data: with mu the weighted mean row and b' = b + mu W the scores are (x_i - mu) W
+ b'. The optimum is the same, the problem far better conditioned, and the matrix stays sparse (a rank-one
correction).

Conventions
-----------
theta : (p + 1, K); the first p rows are W, the last is the centred intercept b'
gradient : (p + 1, K), float64
scale : (p + 1, K), the diagonal curvature c_k var_j + alpha with c_k = sum_i s_i p_ik (1 - p_ik) / sum_i s_i
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from orthotype.models.linear.penalties import L2
from orthotype.models.linear.rows import Rows
from orthotype.models.linear.softmax import Float, Float64, Integer, softmax

SMALLEST_CURVATURE = 1e-6


@dataclass(frozen=True)
class Evaluation:
    """Objective, gradient and diagonal curvature at one point."""

    value: float
    gradient: Float64
    scale: Float


def class_weights(
    y: Integer, *, class_weight: Literal["balanced"] | None = "balanced", sample_weight: Float64 | None = None
) -> Float64:
    """Return row weights (n,) that sum to one, by default such that every class weighs the same.

    Parameters
    ----------
    y
        Class of each row, integers from 0.
    class_weight
        "balanced": all classes that have weight share it equally. None: rows count as ``sample_weight`` says.
    sample_weight
        Weights before class balance, (n,); rows of weight 0 are left out.

    Examples
    --------
    >>> class_weights(np.array([0, 0, 0, 1])).round(3)
    array([0.167, 0.167, 0.167, 0.5  ])
    """
    weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if class_weight is None:
        return np.asarray(weights / weights.sum())
    totals = np.bincount(y, weights=weights)
    factors = np.divide(1.0, totals, out=np.zeros_like(totals), where=totals > 0)
    return np.asarray(weights * factors[y] / (totals > 0).sum())


class MultinomialObjective:
    """The objective for one set of row weights, ready for a solver.

    Parameters
    ----------
    rows
        The cells.
    y
        Class of each row, (n,); ignored where the weight is zero.
    weights
        Row weights, (n,), float64; they sum to one.
    n_classes
        K.
    penalty
        The quadratic penalty on W.
    """

    def __init__(self, rows: Rows, y: Integer, weights: Float64, *, n_classes: int, penalty: L2) -> None:
        self.rows, self.y, self.weights = rows, y, weights
        self.n_classes, self.penalty = n_classes, penalty
        self.mean, self.variance = rows.moments(weights)
        self.passes = 0.0

    def with_penalty(self, penalty: L2) -> "MultinomialObjective":
        """Return the same objective under another penalty; what was summed over the rows is shared."""
        other = object.__new__(MultinomialObjective)
        other.__dict__.update(self.__dict__, penalty=penalty, passes=0.0)
        return other

    def offset(self, theta: Float) -> Float64:
        """Return the intercept of raw rows, b = b' - mu W, (K,)."""
        return np.asarray(theta[-1].astype(np.float64) - self.mean @ theta[:-1].astype(np.float64))

    def pack(self, coef: Float, intercept: Float) -> Float:
        """Return theta for coefficients (K, p) and an intercept of raw rows (K,)."""
        W = np.asarray(coef, dtype=np.float64).T
        centred = np.asarray(intercept, dtype=np.float64) + self.mean @ W
        return np.vstack([W, centred[None]]).astype(self.rows.dtype)

    def unpack(self, theta: Float) -> tuple[Float, Float64]:
        """Return coefficients (K, p) and the intercept of raw rows (K,).

        A constant added to all intercepts changes nothing; it is chosen so that the mean score is zero.
        """
        level = theta[-1].astype(np.float64).mean()
        return np.ascontiguousarray(theta[:-1].T), self.offset(theta) - level

    def __call__(self, theta: Float) -> Evaluation:
        """Evaluate objective, gradient and diagonal curvature: one pass over the rows."""
        self.passes += 1
        W = theta[:-1]
        sums = self.rows.loss_gradient(self.y, self.weights, W, self.offset(theta))
        gradient = np.empty(theta.shape)
        np.multiply(self.mean[:, None], -sums.by_class[None], out=gradient[:-1])
        gradient[:-1] += sums.by_gene
        penalty, pull = self.penalty.value_and_gradient(W)
        gradient[:-1] += pull
        gradient[-1] = sums.by_class
        return Evaluation(sums.loss + penalty, gradient, self.scale(sums.spread))

    def scale(self, spread: Float64) -> Float:
        """Return the diagonal curvature for the given spread of each class."""
        floor = SMALLEST_CURVATURE * max(float(spread.max(initial=0.0)), SMALLEST_CURVATURE)
        spread = np.maximum(spread, floor)
        diagonal = np.empty((len(self.variance) + 1, len(spread)), dtype=self.rows.dtype)
        np.multiply(self.variance[:, None], spread[None], out=diagonal[:-1], casting="same_kind")
        diagonal[:-1] += self.penalty.alpha
        diagonal[-1] = spread
        return diagonal

    def hessian_product(self, theta: Float, direction: Float) -> Float64:
        """Return the Hessian at theta times a direction, (p + 1, K): two passes over the rows."""
        self.passes += 2
        probabilities = softmax(self.rows.scores(theta[:-1], self.offset(theta)))
        moved = self.rows.scores(direction[:-1], self.offset(direction))
        weighted = probabilities * self.weights[:, None]
        change = weighted * (moved - (probabilities * moved).sum(axis=1, keepdims=True))
        by_class = change.sum(axis=0, dtype=np.float64)
        product = np.empty(theta.shape)
        product[:-1] = self.rows.transposed(change) - self.mean[:, None] * by_class[None]
        product[:-1] += self.penalty.alpha * direction[:-1]
        product[-1] = by_class
        return product

    def curvature(self, theta: Float, direction: Float) -> float:
        """Return direction . Hessian . direction: one pass over the rows."""
        self.passes += 1
        probabilities = softmax(self.rows.scores(theta[:-1], self.offset(theta)))
        moved = self.rows.scores(direction[:-1], self.offset(direction)).astype(np.float64)
        mean = (probabilities * moved).sum(axis=1)
        along = self.weights @ ((probabilities * moved**2).sum(axis=1) - mean**2)
        return float(along) + 2.0 * L2(self.penalty.alpha).value(direction[:-1])
