"""A matrix stored by genes (CSC), turned into one stored by cells, without ever being in memory whole.

1. Count the values of each cell: where its row will begin is then known.
2. Divide the cells into stretches that fit into memory. Read gene after gene, and put each value into the
   file of its cell's stretch.
3. Sort stretch after stretch by cell, which leaves the genes of a cell in order, and write the rows.

It reads the matrix twice and writes it twice.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.scratch import Scratch
from orthotype.cells.store import StoredColumns, StoredMatrix
from orthotype.cells.values import Chunked, Stream

Progress = Callable[[str, int, int], None]
MOST_STRETCHES: Final = 512
LEAST_STRETCH: Final = 1 << 12  # values
VALUES_AT_ONCE: Final = 1 << 22


def turned(
    columns: StoredColumns,
    *,
    budget: int,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> StoredMatrix | sp.csr_array:
    """Return the matrix by rows, in memory if it fits a budget, else in a scratch file.

    Parameters
    ----------
    columns
        The matrix as it is stored.
    budget
        Bytes that may be used.
    folder
        Where scratch files go.
    progress
        Told the number of genes that are done, and of all.

    Raises
    ------
    InputError
        If the file is damaged or changes.
    OutputError
        If the disk is full.
    """
    n_values = int(columns.indptr[-1])
    each = columns.dtype.itemsize + 4
    if 3 * n_values * each <= budget:
        return _in_memory(columns)
    stretch = max(budget // (6 * (each + 4)), LEAST_STRETCH, -(-n_values // MOST_STRETCHES))
    indptr = _row_starts(columns)
    edges = _edges(indptr, stretch)
    records = np.dtype([("cell", np.int32), ("gene", np.int32), ("value", columns.dtype)])
    piles = [Scratch(records, folder=folder) for _ in edges[:-1]]
    _deal(columns, edges, piles, at_once=min(stretch, VALUES_AT_ONCE), progress=progress)
    data, genes = Scratch(columns.dtype, folder=folder), Scratch(np.int32, folder=folder)
    for pile in piles:
        found = pile.read(0, pile.length)
        pile.close()
        order = np.argsort(found["cell"], kind="stable")
        data.append(found["value"][order])
        genes.append(found["gene"][order])
    parts = (Chunked(data.mapped(), 1), Chunked(genes.mapped(), 1))
    return StoredMatrix(columns.place, columns.name, parts, indptr, columns.size)


def _in_memory(columns: StoredColumns) -> sp.csr_array:
    with columns.place.reading(columns.name):
        data, cells = (part.read(0, int(columns.indptr[-1])) for part in columns.parts)
    return sp.csc_array((data, cells, columns.indptr), shape=columns.size).tocsr()


def _row_starts(columns: StoredColumns) -> NDArray[np.int64]:
    """Return where the row of each cell begins."""
    counts = np.zeros(columns.size[0], dtype=np.int64)
    n_values, cells = int(columns.indptr[-1]), Stream(columns.parts[1], 0, int(columns.indptr[-1]))
    for stop in [*range(VALUES_AT_ONCE, n_values, VALUES_AT_ONCE), n_values]:
        with columns.place.reading(f"{columns.name}/indices"):
            found = cells.take(stop)
        if len(found) and not 0 <= int(found.min()) <= int(found.max()) < columns.size[0]:
            with columns.place.reading(f"{columns.name}/indices"):
                raise ValueError(f"it names cell {int(found.max()):,} of {columns.size[0]:,}")
        counts += np.bincount(found, minlength=columns.size[0])
    return np.concatenate([[0], np.cumsum(counts)])


def _edges(indptr: NDArray[np.int64], stretch: int) -> NDArray[np.int64]:
    """Return the cells at which the stretches begin, and the number of cells."""
    numbers = (np.maximum(indptr[1:] - 1, 0)) // stretch
    begins = np.flatnonzero(np.diff(numbers, prepend=-1))
    return np.append(begins, len(indptr) - 1)


def _deal(
    columns: StoredColumns,
    edges: NDArray[np.int64],
    piles: list[Scratch],
    *,
    at_once: int,
    progress: Progress | None,
) -> None:
    """Put every value onto the pile of its cell's stretch, gene after gene."""
    columns.place.check()
    n_genes = columns.size[1]
    streams = [Stream(part, 0, int(columns.indptr[-1])) for part in columns.parts]
    for first, stop in _gene_runs(columns.indptr, at_once):
        with columns.place.reading(f"{columns.name}, genes {first:,} to {stop:,}"):
            data, cells = (stream.take(int(columns.indptr[stop])) for stream in streams)
        records = np.empty(len(data), dtype=piles[0].dtype)
        records["cell"], records["value"] = cells, data
        records["gene"] = np.repeat(
            np.arange(first, stop, dtype=np.int32), np.diff(columns.indptr[first : stop + 1])
        )
        numbers = np.searchsorted(edges, cells, side="right") - 1
        order = np.argsort(numbers, kind="stable")
        ends = np.searchsorted(numbers[order], np.arange(len(piles) + 1))
        for number in np.flatnonzero(np.diff(ends)):
            piles[number].append(records[order[ends[number] : ends[number + 1]]])
        if progress is not None:
            progress("turning genes x cells into cells x genes", stop, n_genes)
    columns.place.check()


def _gene_runs(indptr: NDArray[np.int64], at_once: int) -> Iterator[tuple[int, int]]:
    """Yield runs of genes of about so many values, one gene at least."""
    first, n_genes = 0, len(indptr) - 1
    while first < n_genes:
        stop = int(np.searchsorted(indptr, indptr[first] + at_once, side="right")) - 1
        stop = min(max(stop, first + 1), n_genes)
        yield first, stop
        first = stop
