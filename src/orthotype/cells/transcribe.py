"""A zarr store copied into an HDF5 file, its matrices a piece at a time."""

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from orthotype.cells.quiet import quiet
from orthotype.cells.store import StoredColumns, StoredMatrix
from orthotype.cells.values import Chunked

if TYPE_CHECKING:
    from orthotype.cells.backed import StoredCells

PIECE: Final = 1 << 22  # values
MATRICES: Final = ("X", "layers", "raw")


def transcribe(cells: "StoredCells", file: Any) -> None:
    """Copy everything that a store holds into an open, empty HDF5 file; see anndata's on-disk format.

    Parameters
    ----------
    cells
        An open zarr store.
    file
        The HDF5 file, open for writing.
    """
    import zarr
    from anndata.io import read_elem, write_elem

    root: Any = zarr.open_group(str(cells.path), mode="r")
    with quiet():
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        for name in sorted(set(root) - set(MATRICES)):
            write_elem(file, name, read_elem(root[name]))
        if cells.raw is not None:
            raw = file.create_group("raw")
            raw.attrs.update({"encoding-type": "raw", "encoding-version": "0.1.0"})
            for name in sorted(set(root["raw"]) - {"X"}):
                write_elem(raw, name, read_elem(root["raw"][name]))
        if cells.layers:
            write_elem(file, "layers", {})
    for matrix in cells.matrices():
        _copy(matrix, file, root[matrix.name])


def _copy(matrix: StoredMatrix | StoredColumns, file: Any, stored: Any) -> None:
    """Copy a matrix with its attributes."""
    with matrix.place.reading(matrix.name):
        if matrix.indptr is None:
            _copy_array(matrix.parts[0], file, matrix.name)
            file[matrix.name].attrs.update(dict(stored.attrs))
            return
        group = file.create_group(matrix.name)
        group.attrs.update(dict(stored.attrs))
        group.create_dataset("indptr", data=matrix.indptr)
        for part, name in zip(matrix.parts, ("data", "indices"), strict=True):
            _copy_array(part, group, name)


def _copy_array(part: Chunked, group: Any, name: str) -> None:
    width = part.array.shape[1] if len(part.array.shape) == 2 else 1
    rows = max(PIECE // max(width, 1) // part.chunk, 1) * part.chunk
    made = group.create_dataset(
        name, shape=part.array.shape, dtype=part.array.dtype, chunks=True, compression="gzip"
    )
    for start, stop in zip(
        range(0, part.length, rows), chain(range(rows, part.length, rows), [part.length]), strict=True
    ):
        made[start:stop] = part.read(start, stop)
