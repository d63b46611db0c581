"""A pass over cells on disk, shared out: each worker opens the file and works on whole pieces of it.

What a worker does with a piece is what a single process does with it on its way through the file: it checks
every value, makes the values linear and hands block after block to the work. The pieces come back in their
order, so that nothing depends on how many workers there are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.backed import open_root
from orthotype.cells.pieces import edges
from orthotype.cells.quiet import quiet
from orthotype.cells.rows import MatrixRows, Scale
from orthotype.cells.store import Place, StoredMatrix
from orthotype.cells.survey import SurveyedRows, Surveyor
from orthotype.cells.values import chunked
from orthotype.errors import InputError

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Work(Protocol[T_co]):
    """What is done with the cells of a piece; sent to the workers as it is."""

    def part(self, cells: slice) -> "Work[T_co]":
        """Return what is done with some consecutive cells."""

    def __call__(self, blocks: Iterator[sp.csr_array]) -> T_co:
        """Return what comes of blocks of linear values."""


@dataclass(frozen=True)
class Piece(Generic[T]):
    """Consecutive cells of a matrix on disk, and what is to be done with them.

    Attributes
    ----------
    place, name
        Where the matrix is, and how the file looked when the work began.
    cells
        Their numbers among the cells that take part.
    rows
        The rows on disk among which they are.
    chosen
        Which of these rows take part; None for all.
    scale, base
        How stored values become linear ones.
    survey
        Whether every value is looked at.
    sample
        Numbers of the cells that are sent back with all their genes.
    size
        Most cells of a block.
    work
        What is done.
    """

    place: Place
    name: str
    cells: slice
    rows: slice
    chosen: NDArray[np.bool_] | None
    scale: Scale
    base: float | None
    survey: bool
    sample: NDArray[np.intp]
    size: int
    work: Work[T]


@dataclass(frozen=True)
class Returned(Generic[T]):
    """What a worker sends back: the result, what a look at the values found, and the cells of the sample."""

    result: T
    surveyor: Surveyor | None
    sample: sp.csr_array | None


def hand_out(
    rows: SurveyedRows,
    work: Work[T],
    *,
    size: int,
    start: int = 0,
    surveyor: Surveyor | None = None,
) -> Iterator[tuple[slice, T]]:
    """Yield what the workers of a cluster make of the cells, piece after piece.

    Parameters
    ----------
    rows
        Cells whose memory names workers.
    work
        What is done with each piece.
    size
        Most cells of a block.
    start, surveyor
        As for :meth:`orthotype.cells.survey.SurveyedRows.blocks`.

    Raises
    ------
    InputError
        If the matrix is in no file that the workers could open, or the file is damaged or changes.
    ClusterError
        If the cluster goes away.
    MatrixError
        At the end of the first pass, if some values cannot be used.
    """
    workers = rows.memory.workers
    if workers is None or not isinstance(rows.matrix, StoredMatrix):
        raise InputError("a cluster reads .h5ad files and zarr stores; these cells are in memory")
    if surveyor is None and start == 0 and rows.found is None:
        surveyor = Surveyor(rows.shape)
    pieces = list(_pieces(rows, work, size=size, start=start, survey=surveyor is not None))
    for piece, returned in zip(pieces, workers.run(work_on, pieces), strict=True):
        if surveyor is not None:
            surveyor.join(returned.surveyor)
        if rows.kept is not None:
            rows.kept.join(piece.cells, returned.sample)
        yield piece.cells, returned.result
    if surveyor is not None:
        rows.conclude(surveyor)


def _pieces(rows: SurveyedRows, work: Work[T], *, size: int, start: int, survey: bool) -> Iterator[Piece[T]]:
    matrix: StoredMatrix = rows.matrix
    places = None if matrix.chosen is None else np.flatnonzero(matrix.chosen)
    wanted = np.empty(0, dtype=np.intp) if rows.kept is None or rows.kept.whole else rows.kept.places
    scale, base = rows.linear.how
    for first, stop in pairwise(edges(start, rows.shape[0])):
        on_disk = slice(first, stop)
        if places is not None:
            on_disk = slice(int(places[first]), int(places[stop - 1]) + 1)
        low, high = np.searchsorted(wanted, (first, stop))
        yield Piece(
            place=Place(matrix.place.path.resolve(), matrix.place.marks),
            name=matrix.name,
            cells=slice(first, stop),
            rows=on_disk,
            chosen=None if matrix.chosen is None else matrix.chosen[on_disk],
            scale=scale,
            base=base,
            survey=survey,
            sample=wanted[low:high],
            size=size,
            work=work.part(slice(first, stop)),
        )


def work_on(piece: Piece[T]) -> Returned[T]:
    """Work on a piece, wherever this is.

    Raises
    ------
    InputError
        If the file cannot be seen from here, is damaged, or is not what it was.
    """
    if not piece.place.path.exists():
        raise InputError(
            f"a worker of the cluster cannot see {piece.place.path}; expected a file that all workers can "
            "open under the same path; put it on a disk that they share"
        )
    with _part(piece.place, piece.name, piece.rows) as whole:
        matrix = whole if piece.chosen is None else whole[piece.chosen]
        surveyor = Surveyor(matrix.shape, first=piece.cells.start) if piece.survey else None
        linear = MatrixRows(matrix, scale=piece.scale, base=piece.base)
        sample: list[sp.csr_array] = []

        def blocks() -> Iterator[sp.csr_array]:
            for where, stored in matrix.blocks(piece.size):
                block = linear.linear(stored)
                cells = slice(where.start + piece.cells.start, where.stop + piece.cells.start)
                if surveyor is not None:
                    surveyor.at(cells, stored, block)
                low, high = np.searchsorted(piece.sample, (cells.start, cells.stop))
                if high > low:
                    sample.append(sp.csr_array(block[piece.sample[low:high] - cells.start]))
                yield block

        result = piece.work(blocks())
    return Returned(result, surveyor, sp.csr_array(sp.vstack(sample, format="csr")) if sample else None)


@contextmanager
def _part(place: Place, name: str, rows: slice) -> Iterator[StoredMatrix]:
    """Open some rows of a matrix on disk; of where its rows begin, no more than these is read."""
    place.check()
    with place.reading(name), quiet():
        file = open_root(place.path)
        group = file[name]
        n = rows.stop - rows.start
        if hasattr(group, "shape"):
            size = (n, int(group.shape[1]))
            matrix = StoredMatrix(place, name, (chunked(group),), None, size, first=rows.start)
        else:
            indptr = np.asarray(group["indptr"][rows.start : rows.stop + 1], dtype=np.int64)
            size = (n, int(group.attrs["shape"][1]))
            parts = (chunked(group["data"]), chunked(group["indices"]))
            matrix = StoredMatrix(place, name, parts, indptr, size, first=rows.start)
    try:
        yield matrix
    finally:
        if hasattr(file, "close"):
            file.close()
