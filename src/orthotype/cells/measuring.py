"""The moments of every feature over all cells: one pass, which an interrupted run goes on with."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.cache import Journal, key_of
from orthotype.cells.encode import Encoder
from orthotype.cells.handout import hand_out
from orthotype.cells.pieces import is_edge
from orthotype.cells.rows import Rows
from orthotype.cells.select import GeneMoments
from orthotype.cells.survey import SurveyedRows, Surveyor


@dataclass(frozen=True)
class Measuring:
    """The moments of the features of some cells.

    Attributes
    ----------
    projection
        Genes x features.
    encoder
        Turns aligned counts into model input.
    """

    projection: sp.csr_array
    encoder: Encoder

    def __call__(self, blocks: Iterator[sp.csr_array]) -> GeneMoments:
        """Return the moments over blocks of linear values."""
        moments = GeneMoments(self.projection.shape[1])
        for block in blocks:
            self.add(moments, block)
        return moments

    def add(self, moments: GeneMoments, block: sp.csr_array) -> None:
        """Add a block of linear values."""
        aligned = sp.csr_array(block @ self.projection)
        totals = np.asarray(aligned.sum(axis=1, dtype=np.float64)).ravel()
        moments.update(aligned, totals=totals, encoded=self.encoder.encode(aligned, totals))

    @property
    def key(self) -> str:
        """A name that alike measurements share."""
        p = self.projection
        return key_of(p.data, p.indices, p.indptr, p.shape, self.encoder.to_dict())


def measure(
    rows: Rows, projection: sp.csr_array, *, encoder: Encoder, block_size: int, name: str = "moments"
) -> GeneMoments:
    """Return the moments of every feature over all cells, in one pass over the blocks.

    Parameters
    ----------
    rows
        The cells. Where their memory names a folder, a later run goes on with what is noted there.
    projection
        Genes x features.
    encoder
        Turns aligned counts into model input.
    block_size
        Cells handled at once; the result does not depend on it.
    name
        Of the notes of this pass, in that folder.
    """
    measuring = Measuring(projection, encoder)
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
        self.moments = GeneMoments(measuring.projection.shape[1])
        self.surveyor = Surveyor(rows.shape) if rows.matrix is not None and rows.found is None else None
        self.start, self.journal = 0, None
        if rows.memory.parts is None:
            return
        key = key_of(measuring.key, dict(rows.memory.key), rows.shape, rows.origin)
        self.journal = Journal(rows.memory.parts / name, key, alone=True)
        cells, state = self.journal.cells, self.journal.state
        if cells and (rows.memory.workers is None or is_edge(cells) or cells == rows.shape[0]):
            self.start, self.moments = cells, GeneMoments.from_state(state)
            if self.surveyor is not None:
                self.surveyor = Surveyor.from_state(rows.shape, state)

    def go_on(self, block_size: int) -> GeneMoments:
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
