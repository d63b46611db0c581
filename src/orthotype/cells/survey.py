"""One look at all cells, made along with the first pass that is needed anyway.

Whether every value of a matrix can be used, which cells are empty and how much of each gene there is can only
be told by reading everything. A matrix in memory is looked at first; one on disk, where a pass costs minutes,
while it is first worked on. What is wrong with it is then told at the end of that pass.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.cache import key_of
from orthotype.cells.memory import Memory
from orthotype.cells.native import rows_kernel
from orthotype.cells.pieces import cut, is_edge
from orthotype.cells.rows import MatrixRows, stored_blocks
from orthotype.cells.sample import KeptRows
from orthotype.cells.scan import SCAN_SIZE, Look, Scan
from orthotype.cells.sparse import csr_of
from orthotype.errors import InputError

if TYPE_CHECKING:
    from orthotype.cells.cache import EncodedCells


T = TypeVar("T")
SPARSE: Final = ("data", "indices", "indptr")


class MatrixError(InputError):
    """The matrix that a sample of the cells spoke for cannot be used after all."""


def looked_again(work: Callable[[bool | None], T]) -> T:
    """Return what comes of a piece of work on cells; where a matrix on disk fails late, look at it first.

    Parameters
    ----------
    work
        Opens cells, with its argument as ``look_first``, and makes something of them.

    Raises
    ------
    InputError
        If no matrix of the cells can be used.
    """
    try:
        return work(None)
    except MatrixError:
        return work(True)


def shared_genes(block: sp.csr_array, to_shared: sp.csr_array | None) -> sp.csr_array:
    """Return a block in terms of the genes that several data sets share; None where it is so already."""
    if to_shared is None:
        return block
    shared = sp.csr_array(block @ to_shared)
    shared.sum_duplicates()
    return shared


@dataclass(frozen=True)
class Survey:
    """What a look at all cells found.

    Attributes
    ----------
    scan
        What would make the matrix unusable, and in which cells.
    totals
        Sum of the linear values of each gene, (n_genes,).
    """

    scan: Scan
    totals: NDArray[np.float64]


class Surveyor:
    """Look at cells, block after block in order; what is found does not depend on the size of the blocks.

    Sums of whole numbers are exact in any order; from the first fraction on, values are added one by one
    within pieces (:mod:`orthotype.cells.pieces`).

    Parameters
    ----------
    shape
        Numbers of cells and genes.
    first
        Number of the first cell that is looked at.
    offset
        Cells before these, where pieces are counted over several data sets.
    """

    def __init__(self, shape: tuple[int, int], *, first: int = 0, offset: int = 0) -> None:
        self.look, self._offset = Look(shape[0], first=first), offset
        self._complete, self._open = np.zeros((2, shape[1]))
        self._whole = True

    @property
    def totals(self) -> NDArray[np.float64]:
        """Sum of the linear values of each gene so far, (n_genes,)."""
        return np.asarray(self._complete + self._open)

    def at(self, rows: slice, stored: sp.csr_array, linear: sp.csr_array) -> None:
        """Look at some more cells: values as they are stored, and the same on the linear scale."""
        self.look.at(rows, stored)
        start = rows.start + self._offset
        for within, part in cut(start, linear):
            self._add(part)
            if is_edge(start + within.stop):
                self._close()

    def _add(self, part: sp.csr_array) -> None:
        """Add the values of cells that are in one piece."""
        kernel = rows_kernel(part)
        if kernel is not None:
            self._whole = False  # added one by one, whatever they are
            kernel.add(part.indptr, part.indices, part.data, self._open)
            return
        self._whole = self._whole and bool((part.data == np.rint(part.data)).all())
        if self._whole:
            self._open += np.bincount(part.indices, weights=part.data, minlength=len(self._open))
        else:
            np.add.at(self._open, part.indices, part.data.astype(np.float64))

    def _close(self) -> None:
        self._complete = self.totals
        self._open = np.zeros_like(self._complete)

    def join(self, other: "Surveyor") -> None:
        """Take over what another one found in the piece of cells that follows."""
        self.look.join(other.look)
        self._whole = self._whole and other._whole
        self._open += other.totals
        self._close()

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what was found so far as arrays, for a run that goes on from here."""
        arrays: dict[str, NDArray[Any]] = {
            "whole": np.array(self._whole),
            "flags": self.look.flags,
            "complete": self._complete,
            "open": self._open,
            "lowest": np.array(self.look.lowest),
        }
        for stretch, parts in self.look.samples.items():
            sample = sp.vstack(parts, format="csr")
            arrays |= {f"{stretch}-{name}": getattr(sample, name) for name in SPARSE}
        return arrays

    @classmethod
    def from_state(cls, shape: tuple[int, int], state: dict[str, NDArray[Any]]) -> Self:
        """Return a surveyor that goes on where another was."""
        found = cls(shape)
        found._whole = bool(state["whole"])
        found._complete, found._open = state["complete"], state["open"]
        found.look.flags = state["flags"]
        found.look.lowest = float(state["lowest"])
        for stretch in sorted({int(name.partition("-")[0]) for name in state if "-" in name}):
            data, indices, indptr = (state[f"{stretch}-{name}"] for name in SPARSE)
            sample = csr_of(data, indices, indptr, shape=(len(indptr) - 1, shape[1]))
            found.look.samples[stretch] = [sample]
        return found

    def survey(self) -> Survey:
        """Return what all cells hold."""
        return Survey(self.look.scan(), self.totals)


@dataclass(eq=False)
class SurveyedRows:
    """Rows that are looked at while they are first handed over from beginning to end.

    Attributes
    ----------
    matrix
        Cells by genes, readable by rows.
    linear
        How stored values become linear ones.
    judge
        Raises :class:`MatrixError` for what cannot be used.
    found
        What the look found; None until a pass has been made.
    memory
        How much of what is made of the cells may be held in memory.
    encoded
        The cells as they were last encoded, with the key of their alignment.
    kept
        Some cells that are kept with all their genes as they go by; None for none.
    offset
        Cells before these, where several data sets are one.
    """

    matrix: Any
    linear: MatrixRows
    judge: Callable[[Survey], None]
    found: Survey | None = None
    memory: Memory = field(default_factory=Memory)
    encoded: "tuple[str, EncodedCells] | None" = field(default=None, repr=False)
    kept: KeptRows | None = field(default=None, repr=False)
    offset: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of cells and genes."""
        return self.linear.shape

    @property
    def origin(self) -> list[Any]:
        """Which matrix the rows are of, and what its values are: plain values, alike for the same rows."""
        chosen = getattr(self.matrix, "chosen", None)
        return [
            getattr(self.matrix, "name", ""),
            *self.linear.how,
            None if chosen is None else key_of(chosen),
        ]

    def blocks(
        self, size: int, *, start: int = 0, surveyor: Surveyor | None = None
    ) -> Iterator[tuple[slice, sp.csr_array]]:
        """Yield consecutive blocks of at most ``size`` cells with the slice of rows that each covers.

        Parameters
        ----------
        size
            Most cells of a block.
        start
            The first cell that is wanted.
        surveyor
            For a pass that goes on in the middle: who has looked at the cells before it.

        Raises
        ------
        MatrixError
            At the end of the first pass, if some values cannot be used.
        """
        if surveyor is None and start == 0 and self.found is None:
            surveyor = Surveyor(self.shape, offset=self.offset)
        for rows, stored in stored_blocks(self.matrix, size, start=start):
            linear = self.linear.linear(stored)
            if surveyor is not None:
                surveyor.at(rows, stored, linear)
            if self.kept is not None:
                self.kept.at(rows, linear)
            yield rows, linear
        if surveyor is not None:
            self.conclude(surveyor)

    def members(self) -> "list[tuple[SurveyedRows, sp.csr_array | None]]":
        """Return the rows of each data set, and which of its genes count for which of these; None for all."""
        return [(self, None)]

    def settle(self) -> None:
        """Put together what was found in each data set, when all have been judged."""

    def conclude(self, surveyor: Surveyor) -> None:
        """Judge all cells by what was found in them, once.

        Raises
        ------
        MatrixError
            If some values cannot be used.
        """
        if self.found is None:
            survey = surveyor.survey()
            self.judge(survey)
            self.found = survey

    def survey(self) -> Survey:
        """Return what a look at all cells found; makes the pass if none has been made."""
        if self.found is None:
            for _ in self.blocks(SCAN_SIZE):
                pass
        if self.found is None:
            raise InputError("the cells were not looked at to the end")
        return self.found
