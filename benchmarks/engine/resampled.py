"""A file of as many cells as wanted: real cells drawn with replacement, written in blocks.

Many cells come more than once, so nothing can be learned from accuracy here; time, memory and the pattern of
zeros are those of real cells. Only a block is ever in memory.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

BLOCK = 8192


def cells() -> Any:
    """Return the 8,569 human pancreas cells of Baron et al. 2016, or as many of them as are bundled."""
    import orthotype as ot

    return ot.datasets.get("baron2016-human")


def write(path: Path, n_cells: int) -> Path:
    """Write an ``.h5ad`` (gzip, as AnnData writes it) or a ``.zarr`` (version 3, as AnnData writes it)."""
    from anndata.io import write_elem

    source = cells()
    X = sp.csr_array(source.X)
    drawn = np.random.default_rng(0).integers(0, source.n_obs, n_cells)
    indptr = np.concatenate([[0], np.cumsum(np.diff(X.indptr)[drawn], dtype=np.int64)])
    obs = source.obs[["cell_ontology_class"]].iloc[drawn]
    obs.index = pd.Index([f"cell{i}" for i in range(n_cells)])
    root, created = _created(path)
    root.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    write_elem(root, "obs", obs.astype("category"))
    write_elem(root, "var", source.var[[]])
    group = root.create_group("X")
    group.attrs.update(
        {"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": [n_cells, X.shape[1]]}
    )
    arrays = {name: created(group, name, int(indptr[-1]), np.int32) for name in ("data", "indices")}
    created(group, "indptr", n_cells + 1, np.int64)[:] = indptr
    held = dict.fromkeys(arrays, np.empty(0, dtype=np.int32))
    place = 0
    piece = _piece(arrays["data"])
    for first in range(0, n_cells, BLOCK):
        block = X[drawn[first : first + BLOCK]]
        held = {name: np.concatenate([held[name], getattr(block, name).astype(np.int32)]) for name in held}
        whole = len(held["data"]) if first + BLOCK >= n_cells else len(held["data"]) // piece * piece
        for name, array in arrays.items():
            array[place : place + whole] = held[name][:whole]
        place += whole
        held = {name: values[whole:] for name, values in held.items()}
    if hasattr(root, "close"):
        root.close()
    return path


def _piece(array: Any) -> int:
    """Return how many values are written at once: whole chunks."""
    return max((1 << 22) // array.chunks[0], 1) * int(array.chunks[0])


def _created(path: Path) -> tuple[Any, Any]:
    """Open a new file or store, and return it with a function that creates an array in it."""
    if path.suffix == ".zarr":
        import zarr

        root = zarr.open_group(str(path), mode="w", zarr_format=3)
        return root, lambda group, name, n, dtype: group.create_array(name, shape=(n,), dtype=dtype)
    import h5py

    return h5py.File(path, "w"), lambda group, name, n, dtype: group.create_dataset(
        name, shape=(n,), dtype=dtype, chunks=True, compression="gzip"
    )
