"""Cells as blocks of rows: the one way in which the rest of orthotype meets a matrix.

A block holds linear, non-negative values: counts, or values proportional to the counts within each cell.
Log-normalised input is turned back block by block, for example ``exp(x) - 1``. Since every later step divides
a cell by its own total, ``exp(log(1 + 10,000 c / s)) - 1`` gives the same answer as the counts ``c``,
whatever the cell's size ``s``: this is why orthotype asks for no particular normalisation.

Conventions
-----------
matrix : (n_cells, n_genes), CSR, CSC or dense, in memory or opened by anndata as a backed file.
block : csr_array of float32, (rows of the block, n_genes), read-only: it may share memory with the matrix.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal, Protocol, get_args

import numpy as np
import scipy.sparse as sp

from orthotype.cells.sparse import canonical, csr_of, widened
from orthotype.cells.store import StoredColumns, StoredMatrix
from orthotype.errors import InputError, listed

Scale = Literal["counts", "log1p", "linear"]
BACKED_BY: Final = ("anndata", "h5py", "zarr")


class Rows(Protocol):
    """Anything that hands over cells in blocks of rows, in order, each cell once."""

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of cells and genes."""

    def blocks(self, size: int) -> Iterator[tuple[slice, sp.csr_array]]:
        """Yield consecutive blocks of at most ``size`` cells with the slice of rows that each covers."""


class MatrixRows:
    """Hand over a matrix in blocks of linear, non-negative rows.

    Parameters
    ----------
    X
        Cells by genes: a scipy CSR or CSC matrix or array, a dense array, or the backed form of one of them
        as anndata opens it. CSC is converted to CSR once; dense values are converted block by block.
    scale
        What the values are: ``"counts"``; ``"linear"``, proportional to counts within a cell; or
        ``"log1p"``, logarithms of one plus such values.
    base
        Base of the logarithm for ``scale="log1p"``; None is the natural one.

    Raises
    ------
    InputError
        If ``X`` is none of these, or the scale or the base has no meaning.

    Examples
    --------
    >>> rows = MatrixRows(np.log1p([[0.0, 3.0], [1.0, 0.0]]), scale="log1p")
    >>> [block.toarray().tolist() for _, block in rows.blocks(1)]
    [[[0.0, 3.0]], [[1.0, 0.0]]]
    """

    def __init__(self, X: Any, *, scale: Scale = "counts", base: float | None = None) -> None:
        if scale not in get_args(Scale):
            raise InputError(f"scale {scale!r} is not known; expected one of {listed(get_args(Scale))}")
        if base is not None and not (np.isfinite(base) and base > 1):
            raise InputError(f"{base} cannot be the base of a logarithm of counts; expected a number above 1")
        self._matrix = row_readable(X)
        self._scale, self._base = scale, base
        self._log_base = 1.0 if base is None else float(np.log(base))

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of cells and genes."""
        n_cells, n_genes = self._matrix.shape
        return int(n_cells), int(n_genes)

    @property
    def how(self) -> tuple[Scale, float | None]:
        """What the stored values are: the scale, and the base of the logarithm."""
        return self._scale, self._base

    def blocks(self, size: int) -> Iterator[tuple[slice, sp.csr_array]]:
        """Yield consecutive blocks of at most ``size`` cells with the slice of rows that each covers.

        Raises
        ------
        InputError
            If ``size`` is not a positive number.
        """
        for rows, block in stored_blocks(self._matrix, size):
            yield rows, self.linear(block)

    def linear(self, block: sp.csr_array) -> sp.csr_array:
        """Return stored values as linear ones, float32."""
        values = block.data
        if self._scale == "log1p":
            values = np.expm1(values.astype(np.float64) * self._log_base)
        data = values.astype(np.float32, copy=False)
        return csr_of(data, block.indices, block.indptr, shape=block.shape)


def row_readable(X: Any) -> Any:
    """Return the matrix in a form that is quick to slice by rows: CSC becomes CSR, the rest stays as it is.

    Raises
    ------
    InputError
        If it is not a two-dimensional matrix that orthotype can slice.
    """
    if isinstance(X, StoredMatrix | StoredColumns):
        return X if isinstance(X, StoredMatrix) else X.rows()
    kind = type(X)
    is_sparse: bool = sp.issparse(X)
    if not (is_sparse or isinstance(X, np.ndarray) or kind.__module__.partition(".")[0] in BACKED_BY):
        raise InputError(f"found {kind.__name__}; expected a CSR, CSC or dense matrix of cells by genes")
    if len(X.shape) != 2 or X.dtype.kind not in "biuf":
        raise InputError(f"found {X.dtype} values of shape {X.shape}; expected numbers, cells by genes")
    if isinstance(X, sp.csr_array | sp.csr_matrix | np.ndarray):
        return X
    if is_sparse:
        return X.tocsr()
    return X.to_memory().tocsr() if getattr(X, "format", None) == "csc" else X


def stored_blocks(matrix: Any, size: int, *, start: int = 0) -> Iterator[tuple[slice, sp.csr_array]]:
    """Yield blocks of rows as canonical CSR with the values as they are stored, whatever their scale.

    Parameters
    ----------
    matrix
        Cells by genes, in any form that :class:`MatrixRows` takes.
    size
        Most rows of a block.
    start
        The first row that is wanted.

    Raises
    ------
    InputError
        If ``size`` is not a positive number.
    """
    if size < 1:
        raise InputError(f"a block of {size} cells was asked for; expected at least 1")
    matrix = row_readable(matrix)
    if isinstance(matrix, StoredMatrix):
        yield from matrix.blocks(size, start=start)
        return
    n_cells = int(matrix.shape[0])
    for first in range(start, n_cells, size):
        rows = slice(first, min(first + size, n_cells))
        yield rows, row_block(matrix, rows)


def row_block(matrix: Any, rows: slice) -> sp.csr_array:
    """Return consecutive rows of a row-readable matrix as canonical CSR: sorted, without duplicates.

    Parameters
    ----------
    matrix
        As :func:`row_readable` returns it.
    rows
        First and one past the last row, both within the matrix.
    """
    if isinstance(matrix, StoredMatrix):
        return matrix.block(rows)
    if not isinstance(matrix, sp.csr_array | sp.csr_matrix):
        return canonical(sp.csr_array(widened(matrix[rows])))
    first, last = matrix.indptr[rows.start], matrix.indptr[rows.stop]
    indptr = matrix.indptr[rows.start : rows.stop + 1] - first
    shape = (rows.stop - rows.start, matrix.shape[1])
    block = csr_of(matrix.data[first:last], matrix.indices[first:last], indptr, shape=shape)
    if matrix.has_canonical_format:
        block.has_canonical_format = True
    return canonical(block)
