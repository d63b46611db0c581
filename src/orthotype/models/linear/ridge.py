"""Least squares on a few rows, in their span: what sets classes apart, with nothing known before.

Every class is told from all others by one and zero::

    min over W, b of   sum_i s_i |W x_i + b - t_i|^2 / 2  +  alpha / 2 |W|^2        (b has no price)

with t_i the target of row i, and weights s that sum to one. One linear system of as many unknowns as rows
span, no iteration.

Conventions
-----------
X : (n, p) rows, T : (n, K) targets, dual : (r, K), one for each row that spans
"""

from dataclasses import dataclass

import numpy as np

from orthotype.models.linear.reduced import SMALLEST, Metric, Products
from orthotype.models.linear.softmax import Float64
from orthotype.models.linear.threads import one_blas_thread


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """A fit of least squares.

    Attributes
    ----------
    scores : (n, K)
        What it says of the rows.
    """

    scores: Float64
    _products: Products
    _centre: Float64
    _dual: Float64
    _level: Float64

    def expand(self) -> tuple[Float64, Float64]:
        """Return weights on genes (K, p) and intercepts (K,)."""
        span = np.asarray(self._products.basis.T @ self._dual)
        coef = np.ascontiguousarray((span - np.outer(self._centre, self._dual.sum(axis=0))).T)
        return coef, self._level - coef @ self._centre


def least_squares(products: Products, targets: Float64, weights: Float64, *, alpha: float) -> LeastSquares:
    """Fit targets on rows.

    Parameters
    ----------
    products
        The rows.
    targets
        T (n, K).
    weights
        Row weights (n,) that sum to one; folds and class balance are nothing else.
    alpha
        Strength of the penalty.
    """
    from scipy.linalg import solve

    centre, level = np.asarray(products.X.T @ weights), weights @ targets
    rows, _, _ = products.centred(centre, Metric.plain(len(centre)))
    weighed = weights[:, None] * rows
    system = rows.T @ weighed + alpha * rows[products.spanning]
    largest = max(float(system.diagonal().max()), SMALLEST)
    system[np.diag_indices_from(system)] += SMALLEST * largest
    with one_blas_thread():
        dual = solve(system, weighed.T @ (targets - level), assume_a="pos")
    return LeastSquares(rows @ dual + level, products, centre, dual, level)
