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
from orthotype.cells.survey import SurveyedRows, Surveyor, shared_genes
from orthotype.cells.values import chunked
from orthotype.errors import InputError, listed

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Work(Protocol[T_co]):
    """What is done with the cells of a piece; sent to the workers as it is."""

    def part(self, cells: slice) -> "Work[T_co]":
        """Return what is done with some consecutive cells."""

    def __call__(self, blocks: Iterator[sp.csr_array]) -> T_co:
        """Return what comes of blocks of linear values."""


@dataclass(frozen=True)
class Stretch:
    """Consecutive cells of one matrix on disk.

    Attributes
    ----------
    place, name
        Where the matrix is, and how the file looked when the work began.
    cells
        Their numbers among the cells of the matrix that take part.
    offset
        Cells of other data sets before those of this one.
    rows
        The rows on disk among which they are.
    chosen
        Which of these rows take part; None for all.
    scale, base
        How stored values become linear ones.
    survey
        Whether every value is looked at.
    to_shared
        Which genes count for which of those that several data sets share; None for a data set by itself.
    """

    place: Place
    name: str
    cells: slice
    offset: int
    rows: slice
    chosen: NDArray[np.bool_] | None
    scale: Scale
    base: float | None
    survey: bool
    to_shared: sp.csr_array | None


@dataclass(frozen=True)
class Piece(Generic[T]):
    """Consecutive cells, and what is to be done with them.

    Attributes
    ----------
    cells
        Their numbers among all cells.
    stretches
        Where they are: one stretch, or the end of one data set and the beginning of others.
    sample
        Numbers of the cells that are sent back with all their genes.
    size
        Most cells of a block.
    work
        What is done.
    """

    cells: slice
    stretches: tuple[Stretch, ...]
    sample: NDArray[np.intp]
    size: int
    work: Work[T]


@dataclass(frozen=True)
class Returned(Generic[T]):
    """What a worker sends back: the result, what a look at each stretch found, the cells of the sample."""

    result: T
    surveyors: tuple[Surveyor | None, ...]
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
        If a matrix is in no file that the workers could open, or a file is damaged or changes.
    ClusterError
        If the cluster goes away.
    MatrixError
        At the end of the first pass, if some values cannot be used.
    """
    workers, members = rows.memory.workers, [member for member, _ in rows.members()]
    if workers is None or not all(isinstance(member.matrix, StoredMatrix) for member in members):
        raise InputError("a cluster reads .h5ad files and zarr stores; these cells are in memory")
    looks = _looks(rows, start, surveyor)
    pieces = list(_pieces(rows, work, size=size, start=start, looked=[look is not None for look in looks]))
    for piece, returned in zip(pieces, workers.run(work_on, pieces), strict=True):
        for stretch, found in zip(piece.stretches, returned.surveyors, strict=True):
            look = looks[_member(rows, stretch)]
            if look is not None and found is not None:
                look.join(found)
        if rows.kept is not None:
            rows.kept.join(piece.cells, returned.sample)
        yield piece.cells, returned.result
    for member, look in zip(members, looks, strict=True):
        if look is not None:
            member.conclude(look)
    if start == 0:
        rows.settle()


def _looks(rows: SurveyedRows, start: int, surveyor: Surveyor | None) -> list[Surveyor | None]:
    """Return who takes over what is found in each data set; None where nothing has to be found."""
    if rows.matrix is not None and surveyor is not None:
        return [surveyor]
    return [
        Surveyor(member.shape, offset=member.offset) if start == 0 and member.found is None else None
        for member, _ in rows.members()
    ]


def _member(rows: SurveyedRows, stretch: Stretch) -> int:
    """Return the number of the data set that a stretch is of: an empty one has no stretch."""
    offsets = [member.offset for member, _ in rows.members() if member.shape[0]]
    filled = [number for number, (member, _) in enumerate(rows.members()) if member.shape[0]]
    return filled[offsets.index(stretch.offset)]


def _pieces(
    rows: SurveyedRows, work: Work[T], *, size: int, start: int, looked: list[bool]
) -> Iterator[Piece[T]]:
    wanted = np.empty(0, dtype=np.intp) if rows.kept is None or rows.kept.whole else rows.kept.places
    chosen = [member.matrix.chosen for member, _ in rows.members()]
    places = [None if mask is None else np.flatnonzero(mask) for mask in chosen]
    for first, stop in pairwise(edges(start, rows.shape[0])):
        low, high = np.searchsorted(wanted, (first, stop))
        yield Piece(
            cells=slice(first, stop),
            stretches=tuple(_stretches(rows, first, stop, looked, places)),
            sample=wanted[low:high],
            size=size,
            work=work.part(slice(first, stop)),
        )


def _stretches(
    rows: SurveyedRows,
    first: int,
    stop: int,
    looked: list[bool],
    chosen: list[NDArray[np.intp] | None],
) -> Iterator[Stretch]:
    """Yield where some cells are, data set after data set; ``chosen`` are those on disk that take part."""
    for (member, to_shared), survey, places in zip(rows.members(), looked, chosen, strict=True):
        begin, end = max(first - member.offset, 0), min(stop - member.offset, member.shape[0])
        if begin >= end:
            continue
        matrix: StoredMatrix = member.matrix
        on_disk = slice(begin, end)
        if places is not None:
            on_disk = slice(int(places[begin]), int(places[end - 1]) + 1)
        scale, base = member.linear.how
        yield Stretch(
            place=Place(matrix.place.path.resolve(), matrix.place.marks),
            name=matrix.name,
            cells=slice(begin, end),
            offset=member.offset,
            rows=on_disk,
            chosen=None if matrix.chosen is None else matrix.chosen[on_disk],
            scale=scale,
            base=base,
            survey=survey,
            to_shared=to_shared,
        )


def work_on(piece: Piece[T]) -> Returned[T]:
    """Work on a piece, wherever this is.

    Raises
    ------
    InputError
        If a file cannot be seen from here, is damaged, or is not what it was.
    """
    unseen = [str(stretch.place.path) for stretch in piece.stretches if not stretch.place.path.exists()]
    if unseen:
        raise InputError(
            f"a worker of the cluster cannot see {listed(unseen)}; expected a file that all workers can "
            "open under the same path; put it on a disk that they share"
        )
    surveyors: list[Surveyor | None] = []
    sample: list[sp.csr_array] = []

    def blocks() -> Iterator[sp.csr_array]:
        for stretch in piece.stretches:
            for cells, block in _read(stretch, piece.size, surveyors):
                low, high = np.searchsorted(piece.sample, (cells.start, cells.stop))
                if high > low:
                    sample.append(sp.csr_array(block[piece.sample[low:high] - cells.start]))
                yield block

    result = piece.work(blocks())
    kept = sp.csr_array(sp.vstack(sample, format="csr")) if sample else None
    return Returned(result, tuple(surveyors), kept)


def _read(
    stretch: Stretch, size: int, surveyors: list[Surveyor | None]
) -> Iterator[tuple[slice, sp.csr_array]]:
    """Yield blocks of linear values with the numbers of their cells; who looks at them is added to a list."""
    with _part(stretch.place, stretch.name, stretch.rows) as whole:
        matrix = whole if stretch.chosen is None else whole[stretch.chosen]
        first, surveyor = stretch.cells.start, None
        if stretch.survey:
            surveyor = Surveyor(matrix.shape, first=first, offset=stretch.offset)
        surveyors.append(surveyor)
        linear = MatrixRows(matrix, scale=stretch.scale, base=stretch.base)
        for where, stored in matrix.blocks(size):
            block = linear.linear(stored)
            cells = slice(where.start + first, where.stop + first)
            if surveyor is not None:
                surveyor.at(cells, stored, block)
            yield cells, shared_genes(block, stretch.to_shared)


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
            indptr = chunked(group["indptr"]).read(rows.start, rows.stop + 1).astype(np.int64, copy=False)
            size = (n, int(group.attrs["shape"][1]))
            parts = (chunked(group["data"]), chunked(group["indices"]))
            matrix = StoredMatrix(place, name, parts, indptr, size, first=rows.start)
    try:
        yield matrix
    finally:
        if hasattr(file, "close"):
            file.close()
