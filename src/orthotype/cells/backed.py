"""Cells of a file whose matrix stays on disk: obs and var in memory, X, raw and layers in blocks of rows.

What :func:`open_stored` returns answers the same questions as an AnnData does, as far as training and
annotation ask them.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype.cells.formats import clear_errors, is_zarr
from orthotype.cells.memory import Memory
from orthotype.cells.quiet import quiet
from orthotype.cells.store import Place, StoredColumns, StoredMatrix, stored_matrix
from orthotype.errors import InputError, Problems

if TYPE_CHECKING:
    from anndata import AnnData

NUMBERS: Final = frozenset("biuf")
RECORDED: Final = "model_hash"  # every record of an annotation has it
HDF5: Final = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class StoredRaw:
    """The raw of a file: another matrix of the same cells, with genes of its own."""

    X: Any
    var: pd.DataFrame

    @property
    def var_names(self) -> pd.Index:
        """Names of its genes."""
        return self.var.index


@dataclass(frozen=True, eq=False)
class StoredCells:
    """Cells of an .h5ad file or a zarr store, or some of them, with matrices on disk.

    Attributes
    ----------
    path
        The file or store.
    obs, var
        Tables of cells and genes.
    X, raw, layers
        Matrices on disk; None and empty where there are none.
    obsm
        Names of what the file holds for each cell; not read.
    uns
        What it says of a logarithm, and nothing else.
    annotations
        Keys under which uns has the record of an annotation.
    place
        Where it is, and how it looked when it was opened.
    memory
        How much may be held in memory, and where the rest goes.
    """

    path: Path
    obs: pd.DataFrame
    var: pd.DataFrame
    X: Any
    raw: StoredRaw | None
    layers: Mapping[str, Any]
    obsm: tuple[str, ...]
    uns: Mapping[str, Any]
    place: Place
    memory: Memory = field(default_factory=Memory)
    annotations: tuple[str, ...] = ()
    file: Any = field(default=None, repr=False)

    @property
    def n_obs(self) -> int:
        """Number of cells."""
        return len(self.obs)

    @property
    def n_vars(self) -> int:
        """Number of genes."""
        return len(self.var)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of cells and genes."""
        return self.n_obs, self.n_vars

    @property
    def obs_names(self) -> pd.Index:
        """Names of the cells."""
        return self.obs.index

    @property
    def var_names(self) -> pd.Index:
        """Names of the genes."""
        return self.var.index

    def __getitem__(self, chosen: NDArray[np.bool_]) -> "StoredCells":
        """Return only some of the cells, by a mask."""
        chosen = np.asarray(chosen, dtype=bool)
        return replace(
            self,
            obs=self.obs[chosen],
            X=_some(self.X, chosen),
            raw=None if self.raw is None else replace(self.raw, X=_some(self.raw.X, chosen)),
            layers={name: _some(matrix, chosen) for name, matrix in self.layers.items()},
        )

    def matrices(self) -> list[StoredMatrix | StoredColumns]:
        """Return X, raw and the layers that are on disk."""
        found = [self.X, None if self.raw is None else self.raw.X, *self.layers.values()]
        return [matrix for matrix in found if isinstance(matrix, StoredMatrix | StoredColumns)]

    def without_matrix(self) -> "AnnData":
        """Return the tables of cells and genes as an AnnData whose X is None."""
        import anndata

        with quiet():
            return anndata.AnnData(obs=self.obs.copy(), var=self.var.copy())

    def close(self) -> None:
        """Close the file; the matrices cannot be read any more."""
        if self.file is not None:
            self.file.close()


def _some(matrix: Any, chosen: NDArray[np.bool_]) -> Any:
    if isinstance(matrix, StoredColumns):
        matrix = matrix.rows()
    return None if matrix is None else matrix[chosen]


def is_stored(path: str | Path) -> bool:
    """Return whether a file's matrix can stay on disk: .h5ad and zarr as anndata 0.7 and later write them."""
    path = Path(path)
    if path.is_dir():
        return is_zarr(path)
    try:
        with path.open("rb") as opened:
            if opened.read(8) != HDF5:
                return False
        import h5py

        with h5py.File(path, "r") as file:
            return "encoding-type" in file.get("obs", file).attrs and "var" in file
    except OSError:
        return False


def open_stored(path: str | Path, *, memory: Memory | None = None) -> StoredCells:
    """Open the cells of an .h5ad file or a zarr store without reading their matrix.

    Parameters
    ----------
    path
        The file or store.
    memory
        How much may be held in memory.

    Raises
    ------
    InputError
        If it is truncated, damaged, or its parts do not fit each other.
    """
    path = Path(path)
    memory = Memory() if memory is None else memory
    with clear_errors(path, "cells written by anndata"), quiet():
        file = open_root(path)
        missing = [name for name in ("obs", "var") if name not in file]
        if missing:
            raise InputError(f"{path} holds no {' and no '.join(missing)}; expected cells written by anndata")
        cells = _stored(path, file, memory)
    _check_sizes(cells)
    return cells


def read_tables(path: str | Path) -> "AnnData":
    """Return what a file says of its cells and genes, without any matrix: obs, var, obsm and uns.

    Raises
    ------
    InputError
        If it is truncated or damaged.
    """
    import anndata
    from anndata.io import read_elem

    path = Path(path)
    with clear_errors(path, "cells written by anndata"), quiet():
        file = open_root(path)
        found = {name: read_elem(file[name]) for name in ("obs", "var", "obsm", "uns") if name in file}
        return anndata.AnnData(**found)


def open_root(path: Path) -> Any:
    """Return the open HDF5 file or zarr group."""
    if not path.is_dir():
        import h5py

        with suppress(ImportError):
            import_module("hdf5plugin")
        return h5py.File(path, "r")
    import zarr

    return zarr.open_group(str(path), mode="r")


def _stored(path: Path, file: Any, memory: Memory) -> StoredCells:
    from anndata.io import read_elem

    place = Place.of(path)

    def matrix(name: str) -> Any:
        return stored_matrix(file[name], place=place, name=name, turn=memory.turn)

    raw = None
    if "raw" in file and "X" in file["raw"]:
        raw = StoredRaw(matrix("raw/X"), read_elem(file["raw"]["var"]))
    uns = file.get("uns", {})
    return StoredCells(
        path=path,
        obs=read_elem(file["obs"]),
        var=read_elem(file["var"]),
        X=matrix("X") if _holds_numbers(file, "X") else None,
        raw=raw,
        layers={
            str(name): matrix(f"layers/{name}")
            for name in (sorted(file["layers"]) if "layers" in file else ())
            if _holds_numbers(file, f"layers/{name}")
        },
        obsm=tuple(sorted(file["obsm"])) if "obsm" in file else (),
        uns={"log1p": read_elem(uns["log1p"])} if "log1p" in uns else {},
        place=place,
        memory=memory,
        annotations=_annotations_in(uns),
        file=file if hasattr(file, "close") else None,
    )


def annotations_of(cells: "AnnData | StoredCells") -> tuple[str, ...]:
    """Return the keys under which uns has the record of an annotation, whatever columns there are."""
    return cells.annotations if isinstance(cells, StoredCells) else _annotations_in(cells.uns)


def _annotations_in(uns: Any) -> tuple[str, ...]:
    return tuple(str(key) for key in uns if hasattr(uns[key], "keys") and RECORDED in uns[key])


def _holds_numbers(file: Any, name: str) -> bool:
    """Return whether there is such a matrix and it holds numbers."""
    if name not in file:
        return False
    found = file[name]
    values = found if hasattr(found, "dtype") else found.get("data")
    return values is not None and values.dtype.kind in NUMBERS


def _check_sizes(cells: StoredCells) -> None:
    """Refuse matrices that do not have the cells of obs and the genes of var."""
    problems = Problems(str(cells.path))
    named = [("X", cells.X, cells.n_vars)]
    named += [] if cells.raw is None else [("raw/X", cells.raw.X, len(cells.raw.var))]
    named += [(f"layers/{name}", matrix, cells.n_vars) for name, matrix in cells.layers.items()]
    for name, matrix, n_genes in named:
        if matrix is not None and matrix.shape != (cells.n_obs, n_genes):
            problems.add(
                f"{name} holds {matrix.shape[0]:,} cells x {matrix.shape[1]:,} genes",
                expected=f"{cells.n_obs:,} x {n_genes:,}, as obs and var tell",
                remedy="the file was not written to its end: copy it or write it again",
            )
    problems.raise_if_any()


def as_cells(
    data: "AnnData | StoredCells | str | Path", *, memory: Memory | None = None
) -> "AnnData | StoredCells":
    """Return cells to work on: those of a file with the matrix on disk, if it can be read in blocks.

    Parameters
    ----------
    data
        Cells, or a file of any kind that :func:`orthotype.cells.read.read` knows.
    memory
        How much may be held in memory, for a file.

    Raises
    ------
    InputError
        If the file cannot be read, or the data are neither cells nor a file.
    """
    if not isinstance(data, str | Path):
        _check_kind(data)
        cells = on_disk(data, memory=memory)
    elif is_stored(data):
        return open_stored(data, memory=memory)
    else:
        from orthotype.cells.read import read

        cells = read(data)
    if memory is not None and memory.workers is not None and not isinstance(cells, StoredCells):
        what = f"{data} is read whole" if isinstance(data, str | Path) else "these cells are in memory"
        raise InputError(
            f"a cluster was named, but {what}; expected the path of an .h5ad file or a zarr store, which "
            "each worker opens by itself; write the cells as one of these, or leave the cluster out"
        )
    return cells


def _check_kind(data: Any) -> None:
    import anndata

    if not isinstance(data, anndata.AnnData | StoredCells):
        raise InputError(
            f"found a {type(data).__name__} in place of cells; expected an AnnData, or the path of a file of "
            "cells; make one with anndata.AnnData(X=counts, obs=..., var=...), genes as var_names"
        )


def on_disk(adata: "AnnData | StoredCells", *, memory: Memory | None = None) -> "AnnData | StoredCells":
    """Return cells whose matrix is on disk, if these are a whole AnnData opened with ``backed="r"``.

    Some cells of one are read into memory: they may be in any order.
    """
    if isinstance(adata, StoredCells) or not adata.isbacked:
        return adata
    if adata.is_view:
        return adata.to_memory()
    stored = open_stored(adata.filename, memory=memory)
    return replace(
        stored,
        obs=adata.obs,
        var=adata.var,
        layers={str(name): adata.layers[name] for name in adata.layers if name is not None},
        uns=adata.uns,
        annotations=_annotations_in(adata.uns),
    )
