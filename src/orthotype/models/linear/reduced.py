"""A few rows turned to their own axes, as alike as the cells of a target are.

Single cells are noisy: of two thousand genes, most of what sets two of them apart is chance. What varies
together among many cells is not, so that how alike two rows are is measured along the leading principal axes
v_j of the target's unlabelled cells, with s_j the standard deviation along each::

    k(x, y) = (x - c)' M^2 (y - c)
    M       = sum_j a_j v_j v_j' + r (I - sum_j v_j v_j'),    a_j = sqrt(s_j / s_1)

Weights on genes are then cheap in directions in which cells vary and dear in all others, which have r = 0.3.
Without unlabelled cells M is the identity. Rows may be moved along the axes, to where cells alike lie.

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

Rows = sp.csr_array | Float64

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

    def along(self, cells: Rows) -> Float64:
        """Return where cells (n, p) lie on the axes, (n, d)."""
        return np.asarray(cells @ self.axes.T)

    def places(self, cells: sp.csr_array) -> Float64:
        """Return the same, each axis scaled by what it counts."""
        return self.along(cells) * self.scale

    def applied(self, values: Float64) -> Float64:
        """Return M^2 times columns (p, k)."""
        more = (self.scale**2 - self.rest**2)[:, None]
        return np.asarray(self.rest**2 * values + self.axes.T @ (more * (self.axes @ values)))


def inner(X: Rows, Y: Rows) -> Float64:
    """Return the inner products of rows (n, p) and rows (m, p), block by block, as (n, m).

    Rows of which more than a twentieth is filled are faster when a block of them is dense.
    """
    if isinstance(X, np.ndarray) or isinstance(Y, np.ndarray):
        return np.asarray(X @ Y.T)
    if not _filled(X):
        return np.asarray((X @ Y.T).toarray())
    found = np.empty((X.shape[0], Y.shape[0]))
    for first in range(0, Y.shape[0], AT_ONCE):
        part = slice(first, first + AT_ONCE)
        columns = Y[part].toarray().T
        for start in range(0, X.shape[0], AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            found[rows, part] = X[rows].toarray() @ columns
    return found


def one_block(X: sp.csr_array) -> Rows:
    """Return rows as float64, dense if they are one block and more than a twentieth of it is filled."""
    wide = sp.csr_array(X).astype(np.float64)
    return wide.toarray() if X.shape[0] <= AT_ONCE and _filled(X) else wide


def _filled(X: sp.csr_array) -> bool:
    return bool(X.nnz >= FILLED * X.shape[0] * X.shape[1])


@dataclass(frozen=True, eq=False)
class Products:
    """Rows, those that span them, and their inner products.

    Attributes
    ----------
    X : (n, p)
        Encoded cells, dense if they are few (:func:`one_block`).
    spanning : (r,)
        Which of them span.
    basis : (r, p)
        Those.
    cross : (n, r)
        Inner products of all with those.
    squares : (n,)
        Inner products of each with itself.
    """

    X: Rows
    spanning: np.ndarray
    basis: Rows
    cross: Float64
    squares: Float64

    @classmethod
    def of(cls, X: sp.csr_array) -> Self:
        """Find them."""
        rows = one_block(X)
        n = rows.shape[0]
        basis, spanning = rows, np.arange(n)
        if n > MOST_SPANNING:
            spanning = np.linspace(0, n - 1, MOST_SPANNING).astype(np.intp)
            basis = rows[spanning]
        squares: Float64 = np.asarray(sp.csr_array(X).astype(np.float64).power(2).sum(axis=1), np.float64)
        return cls(rows, spanning, basis, inner(rows, basis), squares)

    def centred(self, centre: Float64, metric: Metric) -> tuple[Float64, Float64, Float64]:
        """Return k off the axes, with those that span and with each itself; and rows along the axes."""
        along = metric.along(self.X) - metric.axes @ centre
        level, c = self.X @ centre, float(centre @ centre)
        off = self.cross - level[:, None] - (level[self.spanning] - c) - along @ along[self.spanning].T
        lengths = self.squares - 2 * level + c - (along**2).sum(axis=1)
        return metric.rest**2 * off, metric.rest**2 * lengths, along


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
    moved : (n, d)
        How far each row is moved along the axes; None for not at all.

    Attributes
    ----------
    rows : (n, r)
        The rows Z.
    unmoved : (n, r)
        The same rows where they were, in the span of the moved ones.
    total : float
        Mean squared length of the rows.
    products
        Their inner products.
    """

    def __init__(
        self,
        X: sp.csr_array,
        weights: Float64,
        metric: Metric | None = None,
        moved: Float64 | None = None,
    ) -> None:
        self._metric = Metric.plain(X.shape[1]) if metric is None else metric
        self.products = found = Products.of(X)
        scale = self._metric.scale**2
        shifts = np.zeros((X.shape[0], len(scale))) if moved is None else moved
        drift, centre = weights @ shifts, np.asarray(found.X.T @ weights)
        self._shifts = shifts[found.spanning]
        self._centre = centre + self._metric.axes.T @ drift
        rest, lengths, along = found.centred(centre, self._metric)
        places = along + shifts - drift
        cross = rest + (places * scale) @ places[found.spanning].T
        self.total = float((lengths + places**2 @ scale).mean())
        values, axes = np.linalg.eigh(cross[found.spanning])
        kept = values > SMALLEST * max(float(values[-1]), np.finfo(np.float64).tiny)
        self._back = axes[:, kept] / np.sqrt(values[kept])
        self.rows = self.unmoved = np.ascontiguousarray(cross @ self._back, dtype=np.float32)
        if moved is not None:
            back = (scale * places[found.spanning]).T @ self._back
            self.unmoved = np.ascontiguousarray(self.rows - shifts @ back, dtype=np.float32)

    def expand(self, theta: Float64) -> tuple[Float64, Float64]:
        """Return a change theta (r + 1, K) as weights on genes (K, p) and intercepts of raw rows (K,)."""
        dual = self._back @ theta[:-1]
        span = np.asarray(self.products.basis.T @ dual) - np.outer(self._centre, dual.sum(axis=0))
        span += self._metric.axes.T @ (self._shifts.T @ dual)
        coef = np.ascontiguousarray(self._metric.applied(span).T)
        return coef, theta[-1] - coef @ self._centre
