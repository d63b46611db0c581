"""From what people hold (sparse, dense, any precision) to rows that solvers can sum over."""

from typing import Any

import numpy as np

from orthotype.errors import Problems
from orthotype.models.linear.kernel import KernelRows, kernel
from orthotype.models.linear.rows import BlockRows, Rows


def as_rows(X: Any) -> Rows:
    """Return the rows of a sparse matrix or an array, ready for many passes.

    Float64 data keeps its precision; everything else is computed in float32. Nothing is copied when the input
    is a CSR matrix in canonical form, or a C-ordered array, of that precision.

    Raises
    ------
    InputError
        If the index arrays of a sparse matrix are damaged.
    """
    if isinstance(X, BlockRows):
        return X
    from scipy.sparse import csr_array, issparse

    dtype: Any = np.float64 if X.dtype == np.float64 else np.float32
    if not issparse(X):
        return BlockRows(np.ascontiguousarray(X, dtype=dtype))
    matrix: Any = X
    if matrix.format == "csr":
        check_csr(matrix)
    native = kernel()
    shared = matrix.format == "csr" and matrix.indptr.dtype == matrix.indices.dtype
    matrix = _shared(matrix, dtype) if shared else csr_array(matrix).astype(dtype, copy=False)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return BlockRows(matrix) if native is None else KernelRows(matrix, native)


def _shared(X: Any, dtype: Any) -> Any:
    """Return a CSR matrix with the same arrays; scipy's constructor may copy them."""
    from scipy.sparse import csr_array

    stored = int(X.indptr[-1])
    matrix = csr_array(X.shape, dtype=dtype)
    matrix.data = X.data[:stored].astype(dtype, copy=False)
    matrix.indices, matrix.indptr = X.indices[:stored], X.indptr
    return matrix


def check_csr(X: Any) -> None:
    """Refuse a CSR matrix whose index arrays would lead outside of its data.

    Raises
    ------
    InputError
        If indptr is not monotone or does not fit the data, or a column index is out of range.
    """
    indptr, indices, (n, p) = X.indptr, X.indices, X.shape
    problems = Problems("the sparse matrix")
    stored = min(len(indices), len(X.data))
    if len(indptr) != n + 1 or indptr[0] != 0 or indptr[-1] > stored or (np.diff(indptr) < 0).any():
        problems.add(
            "indptr does not rise from 0 to the number of stored values", remedy="write the matrix again"
        )
    elif indptr[-1] > 0:
        low, high = indices[: indptr[-1]].min(), indices[: indptr[-1]].max()
        if low < 0 or high >= p:
            found = f"column indices from {low} to {high}"
            problems.add(found, expected=f"0 to {p - 1}", remedy="write the matrix again")
    problems.raise_if_any()
