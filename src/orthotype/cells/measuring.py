"""The moments of every feature over all cells: one pass, which an interrupted run goes on with."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.cache import Journal, key_of
from orthotype.cells.encode import Encoder
from orthotype.cells.handout import hand_out
from orthotype.cells.markers import ClassMoments
from orthotype.cells.pieces import is_edge
from orthotype.cells.rows import Rows
from orthotype.cells.select import GeneMoments
from orthotype.cells.survey import SurveyedRows, Surveyor


class Moments:
    """Moments of every feature over some cells, and in each of their classes where these are known.

    Parameters
    ----------
    n_features, n_classes
        Numbers of features and of classes, 0 where these are not known.

    Attributes
    ----------
    genes : GeneMoments
    classes : ClassMoments or None
    """

    def __init__(self, n_features: int, n_classes: int = 0) -> None:
        self.genes = GeneMoments(n_features)
        self.classes = ClassMoments(n_classes, n_features) if n_classes else None

    def merge(self, other: Self) -> Self:
        """Return the moments of both sets of cells together."""
        both = copy(self)
        both.genes = self.genes.merge(other.genes)
        if self.classes is not None and other.classes is not None:
            both.classes = self.classes.merge(other.classes)
        return both

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return all that there is to know, as arrays by name."""
        return {**self.genes.state(), **({} if self.classes is None else self.classes.state())}

    @classmethod
    def from_state(cls, state: dict[str, NDArray[np.generic]]) -> Self:
        """Return the moments that gave such a state."""
        genes = GeneMoments.from_state(state)
        found = cls(0)
        found.genes, found.classes = genes, ClassMoments.from_state(state)
        return found


@dataclass(frozen=True)
class Measuring:
    """What is measured of some cells.

    Attributes
    ----------
    projection
        Genes x features.
    encoder
        Turns aligned counts into model input.
    codes, n_classes
        The class of each cell, and how many classes there are; None and 0 to measure no class.
    """

    projection: sp.csr_array
    encoder: Encoder
    codes: NDArray[np.intp] | None = None
    n_classes: int = 0

    def part(self, cells: slice) -> "Measuring":
        """Return the same for consecutive cells."""
        return self if self.codes is None else replace(self, codes=self.codes[cells])

    def none(self) -> Moments:
        """Return the moments of no cells."""
        return Moments(self.projection.shape[1], self.n_classes)

    def __call__(self, blocks: Iterator[sp.csr_array]) -> Moments:
        """Return the moments over blocks of linear values."""
        moments = self.none()
        for block in blocks:
            self.add(moments, block)
        return moments

    def add(self, moments: Moments, block: sp.csr_array) -> None:
        """Add a block of linear values, of the cells that come next."""
        aligned = sp.csr_array(block @ self.projection)
        totals = np.asarray(aligned.sum(axis=1, dtype=np.float64)).ravel()
        first = moments.genes.n_cells
        moments.genes.update(aligned, totals=totals, encoded=self.encoder.encode(aligned, totals))
        if moments.classes is not None and self.codes is not None:
            moments.classes.update(aligned, totals, self.codes[first : first + len(totals)])

    @property
    def key(self) -> str:
        """A name that alike measurements share."""
        p = self.projection
        codes = [] if self.codes is None else self.codes.tolist()
        return key_of(p.data, p.indices, p.indptr, p.shape, self.encoder.to_dict(), codes)


def measure(
    rows: Rows,
    projection: sp.csr_array,
    *,
    encoder: Encoder,
    codes: NDArray[np.intp] | None = None,
    block_size: int,
    name: str = "moments",
) -> Moments:
    """Return the moments of every feature over all cells and in every class, in one pass over the blocks.

    Parameters
    ----------
    rows
        The cells. Where their memory names a folder, a later run goes on with what is noted there.
    projection
        Genes x features.
    encoder
        Turns aligned counts into model input.
    codes
        The class of each cell; None to measure no class.
    block_size
        Cells handled at once; the result does not depend on it.
    name
        Of the notes of this pass, in that folder.
    """
    measuring = Measuring(projection, encoder, codes, 0 if codes is None else int(codes.max()) + 1)
    if not isinstance(rows, SurveyedRows):
        return measuring(block for _, block in rows.blocks(block_size))
    noted = _Noted(rows, measuring, name)
    try:
        return noted.go_on(block_size)
    finally:
        noted.close()


class _Noted:
    """A pass with notes of how far it has come, where there is a place for them."""

    def __init__(self, rows: SurveyedRows, measuring: Measuring, name: str) -> None:
        self.rows, self.measuring = rows, measuring
        self.moments = measuring.none()
        self.surveyor = Surveyor(rows.shape) if rows.matrix is not None and rows.found is None else None
        self.start, self.journal = 0, None
        if rows.memory.parts is None:
            return
        key = key_of(measuring.key, dict(rows.memory.key), rows.shape, rows.origin)
        self.journal = Journal(rows.memory.parts / name, key, alone=True)
        cells, state = self.journal.cells, self.journal.state
        if cells and (rows.memory.workers is None or is_edge(cells) or cells == rows.shape[0]):
            self.start, self.moments = cells, Moments.from_state(state)
            if self.surveyor is not None:
                self.surveyor = Surveyor.from_state(rows.shape, state)

    def go_on(self, block_size: int) -> Moments:
        rows, progress = self.rows, self.rows.memory.progress
        for where in self._shared_out(block_size) if rows.memory.workers else self._here(block_size):
            if self.journal is not None and self.journal.due:
                self._note(where.stop)
            if progress is not None:
                progress("choosing genes", where.stop, rows.shape[0])
        if self.journal is not None:
            self._note(rows.shape[0])
        return self.moments

    def _here(self, block_size: int) -> Iterator[slice]:
        for where, block in self.rows.blocks(block_size, start=self.start, surveyor=self.surveyor):
            self.measuring.add(self.moments, block)
            yield where

    def _shared_out(self, block_size: int) -> Iterator[slice]:
        parts = hand_out(self.rows, self.measuring, size=block_size, start=self.start, surveyor=self.surveyor)
        for where, part in parts:
            self.moments = self.moments.merge(part)
            yield where

    def _note(self, cells: int) -> None:
        if self.journal is not None:
            looked: dict[str, NDArray[np.generic]] = {}
            if self.surveyor is not None:
                looked = self.surveyor.state()
            self.journal.note(cells, {**looked, **self.moments.state()})

    def close(self) -> None:
        if self.journal is not None:
            self.journal.close()
