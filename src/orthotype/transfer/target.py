"""The cells to be labelled, as a model meets them: encoded rows for the sweep, and a sample to learn from."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.space import Alignment
from orthotype.cells.table import CellTable

# What is learned from the target without labels is learned from at most so many of its cells.
SAMPLE = 20_000


class Encoded:
    """Cells that are encoded already.

    Parameters
    ----------
    X
        Their rows, shape (n_cells, n_selected).
    """

    def __init__(self, X: sp.csr_array) -> None:
        self._X = X

    @property
    def n_cells(self) -> int:
        """How many cells there are."""
        return int(self._X.shape[0])

    def rows(self) -> Iterator[sp.csr_array]:
        """Yield the encoded rows."""
        yield self._X

    def sampled(self) -> NDArray[np.intp]:
        """Return which cells are in the sample: all."""
        return np.arange(self.n_cells)

    def sample(self) -> sp.csr_array:
        """Return all of them."""
        return self._X


@dataclass(frozen=True)
class Target:
    """Cells, how their genes meet the model, and rows per block; no result depends on the last."""

    table: CellTable
    aligned: Alignment
    block_size: int

    @property
    def n_cells(self) -> int:
        """How many cells there are."""
        return self.table.n_cells

    def rows(self) -> Iterator[sp.csr_array]:
        """Yield blocks of encoded rows; the cells themselves are read once, however often this is called."""
        return (rows for _, rows in self.aligned.blocks(self.table.rows, size=self.block_size))

    def sampled(self) -> NDArray[np.intp]:
        """Return which cells are in the sample: all, or evenly spaced ones."""
        n = self.table.n_cells
        return np.arange(n) if n <= SAMPLE else np.linspace(0, n - 1, SAMPLE).astype(np.intp)

    def sample(self) -> sp.csr_array:
        """Return the encoded cells of the sample, shape (n_sampled, n_selected)."""
        chosen = self.sampled()
        parts = []
        for where, rows in self.aligned.blocks(self.table.rows, size=self.block_size):
            first, last = np.searchsorted(chosen, (where.start, where.stop))
            if last - first == rows.shape[0]:
                parts.append(rows)
            elif last > first:
                parts.append(sp.csr_array(rows[chosen[first:last] - where.start]))
        return sp.csr_array(sp.vstack(parts, format="csr"))
