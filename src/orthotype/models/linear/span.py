"""The same objective in the span of its rows: a few labelled cells, thousands of genes, milliseconds.

At the optimum the change ``W - W0`` from the prior (already times gamma) lies in the span of the centred
rows, so n numbers a class are enough, whatever the number of genes. With the Gram matrix ``Xc Xc.T = U
diag(l) U.T`` the rows become ``Z = U sqrt(l)``, n by rank, with the same scores, the same penalty and hence
the same optimum; and because the columns of Z are uncorrelated, the diagonal that guides the solver is all
but exact.

The reduced rows serve every alpha and every set of row weights.

Conventions
-----------
V : (rank, K), the weights on Z; ``W = W0 + Xc.T U diag(1 / sqrt(l)) (V - V0)``
V0 : (rank, K), what W0 does within the span
"""

import numpy as np

from orthotype.models.linear.rows import BlockRows, Rows
from orthotype.models.linear.softmax import Float, Float64


class Span:
    """A few rows, turned to their own axes, and what a prior means there.

    Parameters
    ----------
    rows
        The rows (n, p), n small.
    prior
        Prior weights W0 (K, p); None stands for none.

    Attributes
    ----------
    rows
        The reduced rows Z (n, rank).
    prior
        V0 as (K, rank), or None.
    """

    def __init__(self, rows: Rows, prior: Float | None = None) -> None:
        n = rows.shape[0]
        self._full, self._full_prior = rows, prior
        gram = rows.gram()
        level = gram.mean(axis=0)
        gram += level.mean() - level[:, None] - level[None]
        values, axes = np.linalg.eigh(gram.astype(rows.dtype))
        values = values.astype(np.float64)
        kept = values > 10 * n * float(np.finfo(rows.dtype).eps) * max(
            float(values[-1]), np.finfo(np.float64).tiny
        )
        roots = np.sqrt(values[kept])
        self._dual = axes[:, kept] / roots
        self._mean = rows.transposed(np.full((n, 1), 1.0 / n))[:, 0]
        self.rows = BlockRows(np.ascontiguousarray(axes[:, kept] * roots, dtype=rows.dtype))
        self.prior: Float | None = None
        if prior is not None:
            scores = rows.scores(prior.T, -(prior @ self._mean)).astype(np.float64)
            self.prior = np.ascontiguousarray((self._dual.T @ scores).T)

    def expand(self, V: Float, intercept: Float64) -> tuple[Float, Float64]:
        """Return weights on the genes (K, p) and intercepts of raw rows (K,).

        Parameters
        ----------
        V
            Weights on the reduced rows, (K, rank).
        intercept
            Their intercepts (K,).
        """
        change = V if self.prior is None else V - self.prior
        duals = self._dual @ change.T
        coef = (self._full.transposed(duals) - self._mean[:, None] * duals.sum(axis=0)).T
        if self._full_prior is not None:
            coef += self._full_prior
        return coef.astype(self._full.dtype), np.asarray(intercept - coef @ self._mean)
