"""Some cells kept with all their genes while a file is read, so that it is not read again for them."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.scratch import Scratch
from orthotype.cells.sparse import csr_of

AT_ONCE = 1024


class KeptRows:
    """Rows of some cells, put into scratch files as they go by.

    Parameters
    ----------
    places
        Which cells, ascending.
    n_genes
        Number of genes.
    folder
        Where the scratch files are; None for the system's place for temporary files.
    """

    def __init__(self, places: NDArray[np.intp], n_genes: int, *, folder: Path | None = None) -> None:
        self.places, self._n_genes = places, n_genes
        self._ends = np.zeros(len(places) + 1, dtype=np.int64)
        self._data = Scratch(np.float32, folder=folder)
        self._indices = Scratch(np.int32, folder=folder)
        self._passed = 0

    @property
    def whole(self) -> bool:
        """Whether all of the cells have gone by."""
        return not len(self.places) or self._passed > self.places[-1]

    def at(self, rows: slice, block: sp.csr_array) -> None:
        """Keep the chosen cells of some rows; rows that do not follow the last ones are passed over."""
        if rows.start != self._passed:
            return
        self._passed = rows.stop
        first, last = np.searchsorted(self.places, (rows.start, rows.stop))
        if last > first:
            self.add(int(first), sp.csr_array(block[self.places[first:last] - rows.start]))

    def add(self, first: int, block: sp.csr_array) -> None:
        """Keep rows from the chosen cell number ``first`` on."""
        self._ends[first + 1 : first + block.shape[0] + 1] = self._ends[first] + block.indptr[1:]
        self._data.append(block.data)
        self._indices.append(block.indices)

    def join(self, rows: slice, block: sp.csr_array | None) -> None:
        """Keep the chosen cells of some rows that were picked already; None for none of them."""
        if rows.start != self._passed:
            return
        self._passed = rows.stop
        if block is not None:
            self.add(int(np.searchsorted(self.places, rows.start)), block)

    def rows(
        self, cells: NDArray[np.intp], *, others: tuple[NDArray[np.intp], Sequence[sp.csr_array]]
    ) -> sp.csr_array:
        """Return cells in the order given.

        Parameters
        ----------
        cells
            Positions.
        others
            Those of them that were not kept, ascending, with the one row of each.
        """
        numbers = np.searchsorted(self.places, cells)
        kept = np.isin(cells, self.places)
        where = dict(zip(others[0].tolist(), others[1], strict=True))
        lengths = np.array(
            [
                self._ends[number + 1] - self._ends[number] if own else len(where[cell].data)
                for number, own, cell in zip(numbers.tolist(), kept.tolist(), cells.tolist(), strict=True)
            ],
            dtype=np.int64,
        )
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        data, indices = np.empty(indptr[-1], dtype=np.float32), np.empty(indptr[-1], dtype=np.int32)
        for place in np.flatnonzero(~kept).tolist():
            row, to = where[int(cells[place])], slice(indptr[place], indptr[place + 1])
            data[to], indices[to] = row.data, row.indices
        self._fill(numbers, np.flatnonzero(kept), indptr, data, indices)
        dtype = np.int32 if indptr[-1] < np.iinfo(np.int32).max else np.int64
        shape = (len(cells), self._n_genes)
        found = csr_of(data, indices.astype(dtype, copy=False), indptr.astype(dtype), shape=shape)
        found.has_canonical_format = True
        return found

    def _fill(
        self,
        numbers: NDArray[np.intp],
        wanted: NDArray[np.intp],
        indptr: NDArray[np.int64],
        data: NDArray[np.float32],
        indices: NDArray[np.int32],
    ) -> None:
        """Copy the kept rows that are wanted to their places, reading some of them at a time."""
        order = wanted[np.argsort(numbers[wanted], kind="stable")]
        edges = np.searchsorted(numbers[order], np.arange(0, len(self.places) + AT_ONCE, AT_ONCE))
        for first, (begin, end) in enumerate(pairwise(edges.tolist())):
            if begin == end:
                continue
            stretch = slice(first * AT_ONCE, min((first + 1) * AT_ONCE, len(self.places)))
            start, stop = int(self._ends[stretch.start]), int(self._ends[stretch.stop])
            values, genes = self._data.read(start, stop), self._indices.read(start, stop)
            for place in order[begin:end].tolist():
                row = slice(self._ends[numbers[place]] - start, self._ends[numbers[place] + 1] - start)
                to = slice(indptr[place], indptr[place + 1])
                data[to], indices[to] = values[row], genes[row]
