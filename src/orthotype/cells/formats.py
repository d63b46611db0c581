"""HDF5 files and zarr stores: AnnData as anndata writes it, and the one door to 10x HDF5 files."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orthotype.cells.quiet import quiet
from orthotype.errors import InputError, listed

if TYPE_CHECKING:
    from anndata import AnnData


def is_zarr(path: Path) -> bool:
    """Return whether a folder is a zarr store of version 2 or 3."""
    return any((path / name).is_file() for name in (".zgroup", ".zattrs", "zarr.json"))


def read_hdf5(path: Path) -> "AnnData":
    """Return the cells of an HDF5 file, written by anndata or by Cell Ranger.

    Raises
    ------
    InputError
        If the file is truncated, damaged, or holds something else.
    """
    import h5py

    from orthotype.cells import tenx

    with clear_errors(path, "an .h5ad or a 10x .h5 file"), h5py.File(path, "r") as file:
        if tenx.is_hdf5(file):
            return tenx.read_hdf5(file, path)
        if "obs" not in file or "var" not in file:
            raise InputError(
                f"{path} is an HDF5 file, but neither AnnData nor 10x: it holds {listed(file)}; "
                "expected obs, var and X (AnnData) or matrix (10x)"
            )
        thin = [name for name in ("X", "raw/X") if is_thin(file.get(name))]
    return read_h5ad(path, as_sparse=thin)


def is_thin(values: Any) -> bool:
    """Return whether a dense matrix is mostly zeros, judged by its first rows."""
    if len(getattr(values, "shape", ())) != 2 or 0 in values.shape:
        return False
    first = np.asarray(values[:64])
    return bool(np.count_nonzero(first) < first.size / 2)


def read_h5ad(path: Path, *, as_sparse: list[str]) -> "AnnData":
    """Return the AnnData of an .h5ad file; the dense matrices named are made sparse while reading."""
    import anndata

    with clear_errors(path, "a file written by anndata"), quiet():
        adata = anndata.read_h5ad(path, as_sparse=as_sparse)
    return with_rows(adata)


def read_zarr(path: Path) -> "AnnData":
    """Return the AnnData of a zarr store.

    Raises
    ------
    InputError
        If it is damaged or holds something else.
    """
    import anndata

    with clear_errors(path, "a zarr store written by anndata"), quiet():
        adata = anndata.read_zarr(path)
    return with_rows(adata)


def with_rows(adata: "AnnData") -> "AnnData":
    """Return the same AnnData with X and layers as CSR, but for dense matrices that are mostly not zero."""
    import scipy.sparse as sp

    def rows(matrix: Any) -> Any:
        if isinstance(matrix, sp.csc_matrix | sp.csc_array):
            return matrix.tocsr()
        return sp.csr_matrix(matrix) if isinstance(matrix, np.ndarray) and is_thin(matrix) else matrix

    if adata.X is not None:
        adata.X = rows(adata.X)
    for name in [name for name in adata.layers if name is not None]:
        adata.layers[name] = rows(adata.layers[name])
    return adata


@contextmanager
def clear_errors(path: Path, expected: str) -> Iterator[None]:
    """Turn what the libraries raise on damaged files into one message."""
    try:
        yield
    except InputError:
        raise
    except (OSError, KeyError, ValueError, TypeError, AttributeError, EOFError, RuntimeError) as error:
        sizes = re.search(r"truncated file: eof = (\d+).*stored_eof = (\d+)", str(error))
        if sizes:
            found = f"is truncated: {int(sizes[1]):,} of {int(sizes[2]):,} bytes are there"
        else:
            found = f"is damaged or of another kind ({str(error).strip().splitlines()[0][:200]})"
        raise InputError(f"{path} {found}; expected {expected}; copy or download it again") from error
