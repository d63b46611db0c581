"""A matrix of cells as the solvers see it: rows that can be scored, and summed over with weights.

Solvers never touch the matrix itself. Whatever is behind it (scipy, NumPy or the native kernel) answers the
same four questions, so a solver is written once.

Conventions
-----------
X : (n, p) rows, float32 or float64; sums over rows are kept in float64
W : (p, K) weights, one column a class
offset : (K,) what is added to every row's scores
"""

from typing import Any, Protocol

import numpy as np

from orthotype.models.linear.softmax import Float, Float64, Integer, RowSums, residuals

BLOCK = 4096


class Rows(Protocol):
    """What a solver may ask of a matrix of cells."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of genes."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Precision of the data and of the scores."""

    def scores(self, W: Float, offset: Float64, *, subset: Integer | None = None) -> Float:
        """Return ``X W + offset`` of all rows, or of the rows whose numbers are given."""

    def transposed(self, R: Float) -> Float64:
        """Return ``X.T @ R`` for an (n, K) matrix R, of shape (p, K)."""

    def moments(self, weights: Float64) -> tuple[Float64, Float64]:
        """Return weighted mean and variance of every gene, each (p,), for weights (n,) that sum to one."""

    def loss_gradient(self, y: Integer, weights: Float64, W: Float, offset: Float64) -> RowSums:
        """Return loss, residual sums and spread of the multinomial model at ``X W + offset``."""

    def gram(self) -> Float64:
        """Return ``X X.T``, for a few rows."""

    def finite(self) -> bool:
        """Tell whether every value is a finite number."""


class BlockRows:
    """Rows served by scipy (CSR) or NumPy (dense), a block at a time: the obvious twin of the kernel.

    Parameters
    ----------
    X
        A CSR matrix in canonical form, or a C-ordered array; float32 or float64. It is not copied.
    """

    def __init__(self, X: Any) -> None:
        self.shape: tuple[int, int] = X.shape
        self.dtype: np.dtype[Any] = X.dtype
        self._matrix = X
        self._sparse = not isinstance(X, np.ndarray)
        starts = range(0, self.shape[0], BLOCK)
        self._blocks = [(start, min(start + BLOCK, self.shape[0])) for start in starts]
        self._views = [self._view(start, stop) for start, stop in self._blocks]

    def _view(self, start: int, stop: int) -> Any:
        if not self._sparse:
            return self._matrix[start:stop]
        from scipy.sparse import csr_array

        X = self._matrix
        first, last = X.indptr[start], X.indptr[stop]
        parts = (X.data[first:last], X.indices[first:last], X.indptr[start : stop + 1] - first)
        return csr_array(parts, shape=(stop - start, self.shape[1]), copy=False)

    def scores(self, W: Float, offset: Float64, *, subset: Integer | None = None) -> Float:
        """Return ``X W + offset`` of all rows, or of the rows whose numbers are given."""
        W = np.ascontiguousarray(W, dtype=self.dtype)
        chosen = self._matrix if subset is None else self._matrix[subset]
        return np.asarray(chosen @ W + offset.astype(self.dtype))

    def transposed(self, R: Float) -> Float64:
        """Return ``X.T @ R`` for an (n, K) matrix R, of shape (p, K)."""
        total = np.zeros((self.shape[1], R.shape[1]))
        for (start, stop), block in zip(self._blocks, self._views, strict=True):
            total += block.T @ np.ascontiguousarray(R[start:stop], dtype=self.dtype)
        return total

    def moments(self, weights: Float64) -> tuple[Float64, Float64]:
        """Return weighted mean and variance of every gene, each (p,), for weights (n,) that sum to one."""
        mean, square = np.zeros(self.shape[1]), np.zeros(self.shape[1])
        for (start, stop), block in zip(self._blocks, self._views, strict=True):
            block = block.astype(np.float64)
            mean += block.T @ weights[start:stop]
            square += (block * block).T @ weights[start:stop]
        return mean, np.maximum(square - mean**2, 0.0)

    def loss_gradient(self, y: Integer, weights: Float64, W: Float, offset: Float64) -> RowSums:
        """Return loss, residual sums and spread of the multinomial model at ``X W + offset``."""
        W = np.ascontiguousarray(W, dtype=self.dtype)
        shift = offset.astype(self.dtype)
        loss, by_gene = 0.0, np.zeros(W.shape)
        by_class, spread = np.zeros(W.shape[1]), np.zeros(W.shape[1])
        for (start, stop), block in zip(self._blocks, self._views, strict=True):
            part, R, column_sums, curvature = residuals(block @ W + shift, y[start:stop], weights[start:stop])
            loss += part
            by_gene += block.T @ R
            by_class += column_sums
            spread += curvature
        return RowSums(loss, by_gene, by_class, spread)

    def gram(self) -> Float64:
        """Return ``X X.T``, for a few rows."""
        X = self._matrix.toarray() if self._sparse else self._matrix
        return np.asarray(X @ X.T, dtype=np.float64)

    def finite(self) -> bool:
        """Tell whether every value is a finite number."""
        return bool(np.isfinite(self._matrix.data if self._sparse else self._matrix).all())
