"""Sparse rows put together from arrays that are there already, without copies."""

from typing import Any

import numpy as np
import scipy.sparse as sp


def csr_of(data: Any, indices: Any, indptr: Any, *, shape: tuple[int, int]) -> sp.csr_array:
    """Return a matrix that shares the arrays; scipy's constructor would copy parts of large ones."""
    block = sp.csr_array(shape, dtype=data.dtype)
    block.data, block.indices, block.indptr = data, indices, indptr
    return block


def widened(values: Any) -> Any:
    """Return values of half precision as float32, for scipy knows none; others as they are."""
    return values.astype(np.float32) if values.dtype == np.float16 else values


def canonical(block: sp.csr_array) -> sp.csr_array:
    """Return the block with sorted genes, each once; a copy if it was not so."""
    if not block.has_canonical_format:
        block = block.copy()
        block.sum_duplicates()
    return block
