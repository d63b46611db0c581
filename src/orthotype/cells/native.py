"""The native kernels beside the modules that use them; where there are none, numpy does the same."""

import os
from functools import cache
from importlib import import_module
from typing import Any, Final

import numpy as np
import scipy.sparse as sp

ROWS: Final = "orthotype.cells._rows"
REALS: Final = (np.float32, np.float64)
WHOLES: Final = (np.int32, np.int64)


@cache
def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


def native(name: str) -> Any:
    """Return a native module; None where it was not built or is off (``ORTHOTYPE_KERNEL=scipy``)."""
    return None if os.environ.get("ORTHOTYPE_KERNEL") == "scipy" else _module(name)


def rows_kernel(block: sp.csr_array) -> Any:
    """Return the kernel for blocks of rows, or None if there is none, or none for a block of this kind."""
    if block.dtype not in (*REALS, *WHOLES) or block.indices.dtype != block.indptr.dtype:
        return None
    return native(ROWS)
