"""The cells among which suggestions are chosen: some thousands, however many there are, and where they lie.

Up to 4,000 cells are compared with each other; of more, a sample that keeps what is rare. Cells are drawn
evenly from *strata* (what they were called, and whether they fit): the smallest strata are taken whole, and
the others share what is left, so that one type with most of the cells does not crowd out the rest. A cell
that was drawn stands for mass = size of its stratum / cells drawn from it.

The place of a cell has two parts of equal spread, both centred: the leading directions of the encoded cells,
in which types show that the model does not know, and the square roots of its class probabilities, in which
classes show that it does.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.rows import Rows
from orthotype.models.neighbours import leading_directions

Floats = NDArray[np.float64]

MOST_CELLS = 4000
N_COMPONENTS = 20


class Drawn(NamedTuple):
    """Cells that were drawn: their positions, ascending, and how many cells each stands for, shape (m,)."""

    cells: NDArray[np.intp]
    mass: Floats


def draw(strata: NDArray[np.intp], *, most: int, rng: np.random.Generator) -> Drawn:
    """Draw cells evenly from strata.

    Parameters
    ----------
    strata
        Code of the stratum of each cell, shape (n,); -1 leaves a cell out.
    most
        Cells to be drawn, or all if there are fewer.
    rng
        One order of all cells decides in every stratum: the codes play no part.
    """
    order = rng.permutation(len(strata))
    order = order[strata[order] >= 0]
    sizes = np.bincount(strata[order])
    quotas = even_shares(sizes, most)
    by_stratum = order[np.argsort(strata[order], kind="stable")]
    rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    cells = np.sort(by_stratum[rank < np.repeat(quotas, sizes)])
    mass = np.divide(sizes, quotas, out=np.zeros(len(sizes)), where=quotas > 0)
    return Drawn(cells, mass[strata[cells]])


def even_shares(sizes: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Return how many to take of each so that no share is larger than it need be, at least one of each.

    >>> even_shares(np.array([3, 50, 100]), 43).tolist()
    [3, 20, 20]
    """
    if sizes.sum() <= most:
        return sizes
    level = 1
    for size in np.sort(sizes[sizes > 0]):
        if np.minimum(sizes, size).sum() > most:
            break
        level = int(size)
    larger = int((sizes > level).sum())
    spare = most - int(np.minimum(sizes, level).sum())
    return np.minimum(sizes, level + max(spare // max(larger, 1), 0))


def gather(rows: Rows, cells: NDArray[np.intp], *, block_size: int) -> sp.csr_array:
    """Return the rows of some cells, in their order, read block by block.

    Parameters
    ----------
    rows
        All cells.
    cells
        Positions of the wanted ones, ascending, at least one.
    block_size
        Rows per block; the result does not depend on it.
    """
    parts = []
    for where, block in rows.blocks(block_size):
        first, last = np.searchsorted(cells, [where.start, where.stop])
        if last > first:
            parts.append(sp.csr_array(block[cells[first:last] - where.start]))
    return sp.csr_array(sp.vstack(parts, format="csr"))


class Places(NamedTuple):
    """Where cells lie by their genes, shape (m, at most 20), and by their calls, shape (m, n_classes)."""

    genes: Floats
    calls: Floats

    @property
    def joined(self) -> Floats:
        """Both."""
        return np.hstack([self.genes, self.calls])


def places(encoded: sp.csr_array, proba: NDArray[np.floating], *, random_state: int = 0) -> Places:
    """Return where cells lie.

    Parameters
    ----------
    encoded
        Encoded cells, shape (m, n_features).
    proba
        Their class probabilities, shape (m, n_classes).
    random_state
        Starts the search for the leading directions.
    """
    directions = leading_directions(encoded, n_components=N_COMPONENTS, random_state=random_state)
    inner = np.asarray(encoded @ directions.T.astype(np.float64))
    return Places(_even(inner), _even(np.sqrt(proba.astype(np.float64))))


def _even(values: Floats) -> Floats:
    """Centre values and give them, all together, a mean square of one."""
    centred = values - values.mean(axis=0)
    spread = float(np.sqrt((centred**2).sum(axis=1).mean())) if centred.size else 0.0
    return np.asarray(centred / spread if spread > 0 else centred)
