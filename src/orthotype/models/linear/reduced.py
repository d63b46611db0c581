"""A few rows turned to their own axes, as alike as the cells of a target are.

Single cells are noisy: of two thousand genes, most of what sets two of them apart is chance. What varies
together among many cells is not, so that how alike two rows are is measured along the leading principal axes
v_j of the target's unlabelled cells, with s_j the standard deviation along each::

    k(x, y) = (x - c)' M^2 (y - c)
    M       = sum_j a_j v_j v_j' + r (I - sum_j v_j v_j'),    a_j = sqrt(s_j / s_1)

Weights on genes are then cheap in directions in which cells vary and dear in all others, which have r = 0.3.
Without unlabelled cells M is the identity.

The optimum of an L2 problem lies in the span of the centred rows, so that the rows become Z, as many columns
as rows at most, with Z Z' = k: found from products of the sparse rows, never from dense ones. Beyond 1,500
rows their span is that of 1,500 of them, evenly spaced.

Conventions
-----------
X : (n, p) rows, c : (p,) their weighted mean, V : (d, p) axes, Z : (n, r)
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import scipy.sparse as sp

from orthotype.models.linear.softmax import Float64
from orthotype.models.linear.threads import one_blas_thread

N_AXES: Final = 40
REST: Final = 0.3
MOST_SPANNING: Final = 1500
SMALLEST: Final = 1e-10
FILLED: Final = 0.05
AT_ONCE: Final = 512


@dataclass(frozen=True, eq=False)
class Metric:
    """How much a difference between two rows counts, direction by direction.

    Attributes
    ----------
    axes : (d, p)
        Orthonormal directions V.
    scale : (d,)
        What a difference along each counts, a_j.
    rest : float
        What any other difference counts, r.
    """

    axes: Float64
    scale: Float64
    rest: float

    @classmethod
    def plain(cls, n_features: int) -> Self:
        """Return the metric in which all genes count alike."""
        return cls(np.empty((0, n_features)), np.empty(0), 1.0)

    @classmethod
    def of(cls, cells: sp.csr_array) -> Self:
        """Return the metric of unlabelled encoded cells (n, p); the plain one for fewer than three."""
        from sklearn.decomposition import PCA

        n = min(N_AXES, min(cells.shape) - 1)
        if n < 2:
            return cls.plain(cells.shape[1])
        with one_blas_thread():
            found = PCA(n, svd_solver="arpack", random_state=0).fit(sp.csr_array(cells).astype(np.float64))
        spread = found.singular_values_ / max(float(found.singular_values_[0]), np.finfo(np.float64).tiny)
        return cls(np.asarray(found.components_, dtype=np.float64), np.sqrt(spread), REST)

    def places(self, cells: sp.csr_array) -> Float64:
        """Return where cells (n, p) lie on the axes, each scaled by what it counts, (n, d)."""
        return np.asarray(cells @ self.axes.T) * self.scale

    def applied(self, values: Float64) -> Float64:
        """Return M^2 times columns (p, k)."""
        more = (self.scale**2 - self.rest**2)[:, None]
        return np.asarray(self.rest**2 * values + self.axes.T @ (more * (self.axes @ values)))


def inner(X: sp.csr_array, Y: sp.csr_array) -> Float64:
    """Return the inner products of rows (n, p) and rows (m, p), block by block, as (n, m).

    Rows of which more than a twentieth is filled are faster when a block of them is dense.
    """
    if X.nnz < FILLED * X.shape[0] * X.shape[1]:
        return np.asarray((X @ Y.T).toarray())
    found = np.empty((X.shape[0], Y.shape[0]))
    for first in range(0, Y.shape[0], AT_ONCE):
        part = slice(first, first + AT_ONCE)
        columns = Y[part].toarray().T
        for start in range(0, X.shape[0], AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            found[rows, part] = X[rows].toarray() @ columns
    return found


class FewRows:
    """A few rows, centred and turned to their own axes.

    Parameters
    ----------
    X : (n, p)
        Encoded cells.
    weights : (n,)
        Weights of the rows that sum to one; the centre is their mean.
    metric
        How alike two rows are; None for all genes alike.

    Attributes
    ----------
    rows : (n, r)
        The rows Z.
    total : float
        Mean squared length of the rows.
    """

    def __init__(self, X: sp.csr_array, weights: Float64, metric: Metric | None = None) -> None:
        wide = sp.csr_array(X).astype(np.float64)
        n = wide.shape[0]
        self._metric = Metric.plain(wide.shape[1]) if metric is None else metric
        self._centre = np.asarray(wide.T @ weights)
        spanning = (
            np.arange(n) if n <= MOST_SPANNING else np.linspace(0, n - 1, MOST_SPANNING).astype(np.intp)
        )
        self._spanning = sp.csr_array(wide[spanning])
        cross, lengths = self._products(wide, spanning)
        self.total = float(lengths.mean())
        values, axes = np.linalg.eigh(cross[spanning])
        kept = values > SMALLEST * max(float(values[-1]), np.finfo(np.float64).tiny)
        self._back = axes[:, kept] / np.sqrt(values[kept])
        self.rows = np.ascontiguousarray(cross @ self._back, dtype=np.float32)

    def _products(self, X: sp.csr_array, spanning: np.ndarray) -> tuple[Float64, Float64]:
        """Return k of every row with those that span, and with itself."""
        metric, c = self._metric, self._centre
        along = X @ metric.axes.T - metric.axes @ c
        more = metric.scale**2 - metric.rest**2
        level = X @ c
        squares = np.asarray(X.power(2).sum(axis=1)).ravel()
        cross = inner(X, self._spanning) - level[:, None] - level[spanning] + c @ c
        found = metric.rest**2 * cross + (along * more) @ along[spanning].T
        return found, metric.rest**2 * (squares - 2 * level + c @ c) + along**2 @ more

    def expand(self, theta: Float64) -> tuple[Float64, Float64]:
        """Return a change theta (r + 1, K) as weights on genes (K, p) and intercepts of raw rows (K,)."""
        dual = self._back @ theta[:-1]
        span = np.asarray(self._spanning.T @ dual) - np.outer(self._centre, dual.sum(axis=0))
        coef = np.ascontiguousarray(self._metric.applied(span).T)
        return coef, theta[-1] - coef @ self._centre
