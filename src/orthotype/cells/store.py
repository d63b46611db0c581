"""Matrices that stay on disk: cells by genes in an HDF5 file or a zarr store, handed over in runs of rows.

Only where each row begins (``indptr``, 8 bytes a cell) is held in memory. Values are read in the order of the
rows, with one run ahead; the file is looked at before and after, so that one that grows or is replaced in the
meantime is noticed.
"""

import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.ahead import read_ahead
from orthotype.cells.native import ROWS, native
from orthotype.cells.sparse import canonical, csr_of, widened
from orthotype.cells.values import Chunked, Stream, chunked
from orthotype.errors import InputError

LATE: Final = (OSError, RuntimeError, ValueError, KeyError, TypeError, zlib.error, EOFError)
RESTORE: Final = "copy or download it again"


@dataclass(frozen=True)
class Place:
    """A file or store that is being read, and how it looked when it was opened.

    Attributes
    ----------
    path
        The file, or the folder of a zarr store.
    marks
        Size and time of change of the file, or of the metadata of a store.
    """

    path: Path
    marks: tuple[tuple[str, int, int], ...]

    @classmethod
    def of(cls, path: Path) -> Self:
        """Look at a file or a zarr store."""
        return cls(path, _marks(path))

    def check(self) -> None:
        """Refuse to go on with a file that has changed.

        Raises
        ------
        InputError
            If it has another size or time of change than when it was opened, or is gone.
        """
        try:
            now = _marks(self.path)
        except OSError as error:
            raise InputError(
                f"{self.path} has gone while it was read ({error.strerror}); {RESTORE}"
            ) from error
        if now != self.marks:
            before, after = (sum(size for _, size, _ in marks) for marks in (self.marks, now))
            sizes = f": {before:,} bytes when it was opened, {after:,} now" if before != after else ""
            raise InputError(
                f"{self.path} was changed while it was read{sizes}; expected a file that nothing writes to; "
                "wait until it is complete and start again"
            )

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Turn what the libraries raise while they read into one message.

        Raises
        ------
        InputError
            If the file changed, is damaged, or is compressed in a way that this installation cannot undo.
        """
        try:
            yield
        except InputError:
            raise
        except LATE as error:
            self.check()
            reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
            if "filter" in reason and ("not registered" in reason or "not available" in reason):
                raise InputError(
                    f"{self.path}: {what} is compressed with an HDF5 filter that is not installed "
                    f"({reason}); install it with: pip install hdf5plugin"
                ) from error
            raise InputError(
                f"{self.path} is damaged: {what} cannot be read ({reason}); {RESTORE}"
            ) from error


def _marks(path: Path) -> tuple[tuple[str, int, int], ...]:
    if path.is_dir():
        names = {".zarray", ".zgroup", ".zmetadata", "zarr.json"}
        files = [path / name for name in names if (path / name).is_file()]
        for inner in ("X", "raw/X", "layers"):
            files += [file for file in (path / inner).rglob("*") if file.name in names]
        if not files:
            raise FileNotFoundError(2, "No such file or directory", str(path))
    else:
        files = [path]
    found = [(str(file.relative_to(path)), file.stat()) for file in sorted(files)]
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in found)


@dataclass(frozen=True, eq=False)
class StoredMatrix:
    """Cells by genes on disk, as CSR or dense.

    Attributes
    ----------
    place
        Where it is.
    name
        What messages call it: ``"X"``, ``"raw/X"``, ``"layers/counts"``.
    parts
        ``data`` and ``indices`` of a CSR matrix, or the one array of a dense matrix.
    indptr
        Where each row begins, (n_cells + 1,); None for a dense matrix.
    size
        Numbers of cells and genes on disk.
    chosen
        Which of the cells are handed over, (n_cells on disk,); None for all.
    first
        Row on disk of the first cell, for a part of a matrix.
    """

    place: Place
    name: str
    parts: tuple[Chunked, ...]
    indptr: NDArray[np.int64] | None
    size: tuple[int, int]
    chosen: NDArray[np.bool_] | None = None
    first: int = 0
    format: str = field(default="rows", init=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of cells, of those that are chosen, and genes."""
        return (self.size[0] if self.chosen is None else int(self.chosen.sum())), self.size[1]

    @property
    def dtype(self) -> Any:
        """Type of the values."""
        return self.parts[0].array.dtype

    @property
    def n_stored(self) -> int:
        """Number of stored values of all cells on disk."""
        return self.size[0] * self.size[1] if self.indptr is None else int(self.indptr[-1])

    def __getitem__(self, chosen: NDArray[np.bool_]) -> "StoredMatrix":
        """Return the matrix of only some of its cells, by a mask."""
        mask = np.asarray(chosen, dtype=bool)
        if self.chosen is not None:
            places = np.flatnonzero(self.chosen)[mask]
            mask = np.zeros(self.size[0], dtype=bool)
            mask[places] = True
        return replace(self, chosen=mask)

    def block(self, rows: slice) -> sp.csr_array:
        """Return a run of consecutive rows as canonical CSR with the values as stored."""
        places = self._on_disk(rows.start, rows.stop)
        start, stop = (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
        with self._reading(start, stop):
            found = next(self._runs([start, stop]))
        return found if len(places) == stop - start else found[places - start]

    def blocks(self, size: int, *, start: int = 0) -> Iterator[tuple[slice, sp.csr_array]]:
        """Yield consecutive blocks of rows, the next ones read ahead.

        Parameters
        ----------
        size
            Most rows of a block.
        start
            The first row that is wanted.

        Raises
        ------
        InputError
            If the file is damaged, or changes while it is read.
        """
        n_cells = self.shape[0]
        edges = [*range(start, n_cells, size), n_cells]
        yield from zip(
            (slice(*pair) for pair in pairwise(edges)), read_ahead(self._checked(edges)), strict=True
        )

    def _checked(self, edges: list[int]) -> Iterator[sp.csr_array]:
        """Yield the rows between edges, and look at the file before and after."""
        self.place.check()
        on_disk = self._on_disk(0, self.shape[0])
        ends = [int(on_disk[edge]) if edge < len(on_disk) else self.size[0] for edge in edges]
        if self.chosen is not None and len(on_disk):
            ends[-1] = int(on_disk[-1]) + 1
        runs = self._runs(ends)
        for number, (first, stop) in enumerate(pairwise(ends)):
            with self._reading(first, stop):
                block = next(runs)
            if self.chosen is not None:
                places = on_disk[edges[number] : edges[number + 1]] - first
                block = block if len(places) == block.shape[0] else block[places]
            yield block
        self.place.check()

    def _reading(self, start: int, stop: int) -> AbstractContextManager[None]:
        cells = f"cells {start + self.first:,} to {stop + self.first:,}"
        return self.place.reading(f"{self.name}, {cells}")

    def _on_disk(self, start: int, stop: int) -> NDArray[np.intp]:
        if self.chosen is None:
            return np.arange(start, stop)
        return np.flatnonzero(self.chosen)[start:stop]

    def _runs(self, ends: list[int]) -> Iterator[sp.csr_array]:
        """Yield rows from each end to the next."""
        starts = self.indptr
        bounds = [self.first + end if starts is None else int(starts[end]) for end in ends]
        streams = [Stream(part, bounds[0], bounds[-1]) for part in self.parts]
        for (first, stop), until in zip(pairwise(ends), bounds[1:], strict=True):
            taken = [stream.take(until) for stream in streams]
            if self.indptr is None:
                yield canonical(sp.csr_array(widened(taken[0])))
                continue
            data, indices = taken
            indptr = self.indptr[first : stop + 1] - self.indptr[first]
            begins, shape = indptr.astype(indices.dtype), (stop - first, self.size[1])
            ordered = self._check_run(begins, indices, first, stop)
            genes = indices.astype(np.int32, copy=False)
            block = csr_of(data, genes, begins.astype(np.int32, copy=False), shape=shape)
            if ordered:
                block.has_canonical_format = True
            yield canonical(block)

    def _check_run(self, begins: NDArray[Any], indices: NDArray[Any], first: int, stop: int) -> bool:
        """Refuse gene numbers that lead outside of the matrix: scipy would read other memory.

        Returns whether they are known to be sorted, and each once in a cell.
        """
        kernel = native(ROWS) if indices.dtype in (np.int32, np.int64) else None
        found = -1 if kernel is None else int(kernel.check(begins, indices, self.size[1]))
        if found in (0, 1):
            return found == 0
        if len(indices) and (int(indices.min()) < 0 or int(indices.max()) >= self.size[1]):
            raise InputError(
                f"{self.place.path} is damaged: {self.name} names gene {int(indices.max()):,} of "
                f"{self.size[1]:,} between cells {first + self.first:,} and {stop + self.first:,}; {RESTORE}"
            )
        return False


@dataclass(frozen=True, eq=False)
class StoredColumns:
    """Genes by cells on disk (CSC): its rows cannot be read until it has been turned.

    Attributes
    ----------
    place, name, parts, indptr, size
        As in :class:`StoredMatrix`; ``indptr`` is where each gene begins, (n_genes + 1,).
    turn
        Makes the matrix of rows, once.
    """

    place: Place
    name: str
    parts: tuple[Chunked, ...]
    indptr: NDArray[np.int64]
    size: tuple[int, int]
    turn: Callable[["StoredColumns"], StoredMatrix | sp.csr_array]
    format: str = field(default="columns", init=False)
    _turned: list[Any] = field(default_factory=list, init=False, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of cells and genes."""
        return self.size

    @property
    def dtype(self) -> Any:
        """Type of the values."""
        return self.parts[0].array.dtype

    @property
    def n_stored(self) -> int:
        """Number of stored values."""
        return int(self.indptr[-1])

    def rows(self) -> StoredMatrix | sp.csr_array:
        """Return the same matrix by rows."""
        if not self._turned:
            self._turned.append(self.turn(self))
        found: StoredMatrix | sp.csr_array = self._turned[0]
        return found


def stored_matrix(
    group: Any,
    *,
    place: Place,
    name: str,
    turn: Callable[[StoredColumns], StoredMatrix | sp.csr_array],
) -> StoredMatrix | StoredColumns:
    """Return the matrix that an HDF5 or zarr group or array holds, without reading its values.

    Parameters
    ----------
    group
        As anndata writes a matrix: a group with ``data``, ``indices`` and ``indptr``, or an array.
    place, name
        Where it is, and what messages call it.
    turn
        What to do with a matrix that is stored by genes.

    Raises
    ------
    InputError
        If its parts do not fit each other.
    """
    if hasattr(group, "shape"):
        n_cells, n_genes = (int(n) for n in group.shape)
        return StoredMatrix(place, name, (chunked(group),), None, (n_cells, n_genes))
    attributes = dict(group.attrs)
    kind = str(attributes.get("encoding-type", attributes.get("h5sparse_format", "")))
    stored = attributes.get("shape", attributes.get("h5sparse_shape"))
    size = tuple(int(n) for n in np.ravel(() if stored is None else stored))
    with place.reading(f"{name}/indptr"):
        pointers = chunked(group["indptr"])
        indptr = pointers.read(0, pointers.length).astype(np.int64, copy=False)
    parts = (chunked(group["data"]), chunked(group["indices"]))
    by_genes = kind.startswith("csc")
    _check_parts(place, name, parts, indptr, size, by_genes=by_genes)
    n_cells, n_genes = size
    if by_genes:
        return StoredColumns(place, name, parts, indptr, (n_cells, n_genes), turn)
    return StoredMatrix(place, name, parts, indptr, (n_cells, n_genes))


def _check_parts(
    place: Place,
    name: str,
    parts: tuple[Chunked, ...],
    indptr: NDArray[np.int64],
    size: tuple[int, ...],
    *,
    by_genes: bool,
) -> None:
    data, indices = parts
    wrong = ""
    if len(size) != 2:
        wrong = "its shape is not stored"
    elif len(indptr) != size[int(by_genes)] + 1:
        of = "genes" if by_genes else "cells"
        wrong = f"indptr has {len(indptr):,} entries for {size[int(by_genes)]:,} {of}"
    elif indptr[0] != 0 or (np.diff(indptr) < 0).any():
        wrong = "indptr does not rise from 0"
    elif data.length != indices.length or indptr[-1] > data.length:
        wrong = (
            f"indptr tells of {int(indptr[-1]):,} values, there are {data.length:,} values and "
            f"{indices.length:,} gene numbers"
        )
    if wrong:
        raise InputError(f"{place.path} is damaged: {name} does not fit together ({wrong}); {RESTORE}")
