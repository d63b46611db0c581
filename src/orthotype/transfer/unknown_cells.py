"""The cells looked at when unknown cells are grouped: those, company for them, others to compare with.

In a large target not every cell is looked at: at most 10,000 unknown cells, 10,000 others, and among the
others 50 cells of each class where there are so many. Cells are drawn and kept in the order of their names,
so that nothing depends on the order in which they are stored.

Of more than 30,000 cells, those are the first 30,000 drawn: a file is then read once, because the sample is
kept with all its genes while the cells are labelled. Where the sample holds fewer than 1,000 unknown cells,
so many are looked at all the same, if there are so many.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype._keys import ASSIGNED, UNKNOWN
from orthotype.cells.cache import EncodedCells
from orthotype.cells.encode import LogNormalize, normalised
from orthotype.cells.rows import row_block
from orthotype.cells.sample import KeptRows
from orthotype.cells.select import GeneMoments, select_genes
from orthotype.cells.store import StoredMatrix
from orthotype.cells.table import BLOCK_SIZE, CellTable
from orthotype.models.groups import FEWEST_CELLS, Places

Codes = NDArray[np.intp]

MOST_UNKNOWN: Final = 10_000
LEAST_UNKNOWN: Final = 1_000
MOST_OTHERS: Final = 10_000
SAMPLE: Final = 30_000
ONE_BY_ONE: Final = 5_000
AT_ONCE: Final = 1 << 15
COMPANY: Final = 50


class Seen(NamedTuple):
    """The cells looked at, in the order of their names.

    Attributes
    ----------
    cells
        Positions in the target, shape (n,).
    unknown
        Which of them are unknown.
    placed
        Which of them are placed: the unknown ones and their company.
    winner
        Most probable class of each.
    assigned
        Which of them were assigned to it.
    n_assigned
        Cells of the whole target that were assigned to each class.
    rows
        All genes of these cells, encoded.
    varying
        The genes that vary among the unknown cells or among all.
    """

    cells: Codes
    unknown: NDArray[np.bool_]
    placed: NDArray[np.bool_]
    winner: Codes
    assigned: NDArray[np.bool_]
    n_assigned: Codes
    rows: sp.csr_array
    varying: Codes


def _varying(counts: sp.csr_array, unknown: NDArray[np.bool_]) -> Codes:
    """Return the genes that vary among the unknown cells or among all."""
    chosen = np.zeros(counts.shape[1], dtype=bool)
    for cells in (np.flatnonzero(unknown), np.arange(len(unknown))):
        moments = GeneMoments(counts.shape[1])
        for first in range(0, len(cells), BLOCK_SIZE):
            some = sp.csr_array(counts[cells[first : first + BLOCK_SIZE]])
            totals = _totals(some)
            moments.update(some, totals, LogNormalize().encode(some, totals))
        chosen |= select_genes(moments)
    return np.flatnonzero(chosen)


def keep_sample(table: CellTable, *, random_state: int = 0) -> None:
    """Let the cells that may be looked at be kept with all their genes while a file is first read."""
    if isinstance(table.rows.matrix, StoredMatrix):
        places = np.sort(_drawn(table, random_state)[:SAMPLE])
        table.rows.kept = KeptRows(places, table.rows.shape[1], folder=table.rows.memory.folder)


def _drawn(table: CellTable, random_state: int) -> Codes:
    order = np.random.default_rng(random_state).permutation(table.n_cells)
    return np.asarray(table.by_name[order], dtype=np.intp)


def look(
    table: CellTable,
    status: NDArray[np.object_],
    proba: NDArray[np.floating],
    *,
    random_state: int,
    block_size: int,
) -> Seen | None:
    """Choose the cells to look at and read them; None where there are too few unknown cells."""
    n = table.n_cells
    unknown, winner, assigned = status == UNKNOWN, proba.argmax(axis=1), status == ASSIGNED
    if np.count_nonzero(unknown) < FEWEST_CELLS:
        return None
    drawn = _drawn(table, random_state)
    company = np.zeros(n, dtype=bool)
    for code in range(proba.shape[1]):
        company[drawn[(assigned & (winner == code))[drawn]][:COMPANY]] = True
    placed = company.copy()
    n_unknown = min(MOST_UNKNOWN, max(int(np.count_nonzero(unknown[drawn[:SAMPLE]])), LEAST_UNKNOWN))
    placed[drawn[unknown[drawn]][:n_unknown]] = True
    looked = placed.copy()
    sample = drawn[:SAMPLE]
    looked[sample[~unknown[sample]][:MOST_OTHERS]] = True
    cells = table.by_name[looked[table.by_name]]
    counts = _gather(table, cells, block_size)
    varying = _varying(counts, unknown[cells])
    _encode(counts)
    return Seen(
        cells,
        unknown[cells],
        placed[cells],
        winner[cells],
        assigned[cells],
        np.bincount(winner[assigned], minlength=proba.shape[1]),
        counts,
        varying,
    )


def _gather(table: CellTable, cells: Codes, block_size: int) -> sp.csr_array:
    """Return the counts of some cells, in the order given."""
    order = np.argsort(cells)
    ascending = cells[order]
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    kept = table.rows.kept
    if kept is not None and kept.whole:
        missing = np.setdiff1d(ascending, kept.places)
        if len(missing) <= ONE_BY_ONE:
            return kept.rows(cells, others=(missing, [_row(table, int(cell)) for cell in missing]))
    parts = []
    for where, block in table.rows.blocks(block_size):
        inside = ascending[(ascending >= where.start) & (ascending < where.stop)]
        if len(inside):
            parts.append(block[inside - where.start])
    return sp.csr_array(sp.vstack(parts, format="csr")[back])


def _row(table: CellTable, cell: int) -> sp.csr_array:
    return table.rows.linear.linear(row_block(table.rows.matrix, slice(cell, cell + 1)))


def _totals(counts: sp.csr_array) -> NDArray[np.float64]:
    return np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()


def _encode(counts: sp.csr_array) -> None:
    """Put encoded values in the place of counts, so many cells at a time: there is room for one of them."""
    for first in range(0, counts.shape[0], BLOCK_SIZE):
        part = slice(first, min(first + BLOCK_SIZE, counts.shape[0]))
        rows = row_block(counts, part)
        values = np.log1p(normalised(rows, _totals(rows)))
        counts.data[counts.indptr[part.start] : counts.indptr[part.stop]] = values


def encoded_blocks(
    table: CellTable, cells: Codes, *, block_size: int
) -> Iterator[tuple[Codes, sp.csr_array]]:
    """Yield blocks of some cells, ascending, with all their genes encoded."""
    for where, block in table.rows.blocks(block_size):
        inside = cells[(cells >= where.start) & (cells < where.stop)]
        if len(inside):
            rows = sp.csr_array(block[inside - where.start])
            yield inside, LogNormalize().encode(rows, np.asarray(rows.sum(axis=1, dtype=np.float64)).ravel())


def place_encoded(
    encoded: EncodedCells, known: Codes, rest: Codes, *, random_state: int
) -> tuple[NDArray[np.float64], Iterator[tuple[Codes, NDArray[np.float64]]]]:
    """Place cells by the genes of the model, in which all of them were encoded while they were labelled.

    Parameters
    ----------
    encoded
        All cells of the target.
    known
        Cells whose groups are known, in any order.
    rest
        The others, ascending.

    Returns
    -------
    Where the known ones lie, and block after block of the others with where they lie.
    """
    order = np.argsort(known)
    rows = sp.vstack([rows for _, rows in _picked(encoded, known[order])], format="csr")
    places = Places.learn(sp.csr_array(rows), random_state=random_state)
    spots = np.empty((len(known), len(places.centre)))
    spots[order] = places.place(sp.csr_array(rows))
    return spots, ((at, places.place(picked)) for at, picked in _picked(encoded, rest))


def _picked(encoded: EncodedCells, cells: Codes) -> Iterator[tuple[Codes, sp.csr_array]]:
    """Yield blocks of some cells, ascending."""
    for where, block in encoded.blocks(AT_ONCE):
        first, last = np.searchsorted(cells, (where.start, where.stop))
        if last > first:
            yield cells[first:last], sp.csr_array(block[cells[first:last] - where.start])
