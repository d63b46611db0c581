"""The native kernel, where it was built: the same sums as scipy's, several times faster.

``ORTHOTYPE_KERNEL=scipy`` in the environment turns it off; :func:`orthotype.show_versions` says which is
active.
"""

import os
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from orthotype.errors import InputError
from orthotype.models.linear.rows import BlockRows
from orthotype.models.linear.softmax import Float, Float64, Integer, RowSums
from orthotype.models.linear.threads import available_threads

PADDING_BYTES, ALIGNED_BYTES = 32, 64
WORTH_A_THREAD = 1 << 20


@cache
def _module() -> Any:
    try:
        return import_module("orthotype.models.linear._kernel")
    except ImportError:
        return None


def kernel() -> Any:
    """Return the native module, or None where it was not built or is turned off."""
    return None if os.environ.get("ORTHOTYPE_KERNEL") == "scipy" else _module()


def describe() -> str:
    """Return one line on what computes the sums over rows."""
    native = kernel()
    if native is not None:
        return f"native ({native.level()}, {available_threads()} threads)"
    return (
        "scipy (turned off by ORTHOTYPE_KERNEL)"
        if _module() is not None
        else "scipy (native kernel not built)"
    )


def held(native: Any, X: Any, *, check: bool = True) -> Any:
    """Return the kernel's handle on a CSR matrix, once every index has been checked.

    Without ``check`` only indptr is: good for labelling, which looks at every index as it goes.

    Raises
    ------
    InputError
        If indptr is not monotone, or an index is out of range.
    """
    data = None if _all_ones(X.data) else X.data
    try:
        return native.matrix(X.indptr, X.indices, data, X.shape[1], check)
    except ValueError as error:
        raise damaged(error) from error


def damaged(error: Exception) -> InputError:
    """Return the error that says what is wrong with a sparse matrix."""
    return InputError(f"the sparse matrix is damaged: {error}; write it again from its source")


def _all_ones(data: Float) -> bool:
    return data.dtype == np.float32 and bool((data[:1000] == 1).all()) and bool((data == 1).all())


def padded(W: Float, dtype: Any) -> Any:
    """Return a copy of W (p, K) whose rows are whole vectors, aligned to them."""
    dtype = np.dtype(dtype)
    lanes = PADDING_BYTES // dtype.itemsize
    p, K = W.shape
    width = -(-K // lanes) * lanes
    raw = np.zeros(p * width + ALIGNED_BYTES // dtype.itemsize, dtype=dtype)
    first = -raw.ctypes.data % ALIGNED_BYTES // dtype.itemsize
    placed = raw[first : first + p * width].reshape(p, width)
    placed[:, :K] = W
    return placed


class KernelRows(BlockRows):
    """Rows of a CSR matrix served by the native kernel.

    Parameters
    ----------
    X
        A CSR matrix of float32 or float64. It is not copied and must not be changed.
    native
        The kernel.
    """

    def __init__(self, X: Any, native: Any) -> None:
        super().__init__(X)
        self._native = native
        self._held = held(native, X)

    def _threads(self, columns: int) -> int:
        return available_threads() if self._matrix.nnz * columns > WORTH_A_THREAD else 1

    def scores(self, W: Float, offset: Float64, *, subset: Integer | None = None) -> Float:
        """Return ``X W + offset`` of all rows, or of the rows whose numbers are given."""
        rows = None if subset is None else np.ascontiguousarray(subset, dtype=np.int64)
        out = np.empty((self.shape[0] if rows is None else len(rows), W.shape[1]), dtype=self.dtype)
        shift = padded(offset[None], self.dtype)
        threads = self._threads(W.shape[1])
        self._native.scores(self._held, rows, padded(W, self.dtype), shift, W.shape[1], threads, out)
        return out

    def transposed(self, R: Float) -> Float64:
        """Return ``X.T @ R`` for an (n, K) matrix R, of shape (p, K)."""
        out = np.empty((self.shape[1], R.shape[1]))
        R = np.ascontiguousarray(R, dtype=self.dtype)
        self._native.transposed(self._held, R, R.shape[1], self._threads(R.shape[1]), out)
        return out

    def moments(self, weights: Float64) -> tuple[Float64, Float64]:
        """Return weighted mean and variance of every gene, each (p,), for weights (n,) that sum to one."""
        mean, square = np.empty(self.shape[1]), np.empty(self.shape[1])
        self._native.moments(self._held, np.ascontiguousarray(weights), self._threads(16), mean, square)
        return mean, np.maximum(square - mean**2, 0.0)

    def loss_gradient(self, y: Integer, weights: Float64, W: Float, offset: Float64) -> RowSums:
        """Return loss, residual sums and spread of the multinomial model at ``X W + offset``."""
        K = W.shape[1]
        by_gene, by_class, spread = np.empty(W.shape), np.empty(K), np.empty(K)
        loss = self._native.loss_gradient(
            self._held,
            np.ascontiguousarray(y, dtype=np.int32),
            weights,
            padded(W, self.dtype),
            padded(offset[None], self.dtype),
            K,
            self._threads(K),
            by_gene,
            by_class,
            spread,
        )
        return RowSums(loss, by_gene, by_class, spread)
