"""Class profiles of two species side by side: how far each class lies from the others, and how surely."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orthotype._keys import ASSIGNED
from orthotype.cells.table import BLOCK_SIZE
from orthotype.models.profiles import ClassProfiles, class_profiles, members
from orthotype.transfer.labelling import Labelling
from orthotype.transfer.state import ModelState

KEPT = 0.5
FEWEST_CELLS = 5

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Pair:
    """Class profiles of a source and of the target cells that were assigned to its classes.

    Attributes
    ----------
    genes
        Names of the model's genes, shape (n_genes,).
    classes
        Names of the classes, shape (n_classes,).
    source, target
        Profiles of the source's classes, and of the target cells assigned to them.
    called
        What the model calls each class on source cells, shape (n_classes, n_genes).
    taken
        Species shift that was taken off, zero where none was, shape (n_genes,).
    present
        Which genes the target has, shape (n_genes,).
    markers
        Positions of the source's marker genes of each class, best first.
    """

    genes: NDArray[np.object_]
    classes: NDArray[np.object_]
    source: ClassProfiles
    target: ClassProfiles
    called: NDArray[np.float32]
    taken: NDArray[np.float32]
    present: Mask
    markers: list[NDArray[np.intp]]

    @classmethod
    def of(cls, state: ModelState, found: Labelling, *, block_size: int = BLOCK_SIZE) -> "Pair":
        """Gather the profiles of the assigned cells, in one pass over all cells."""
        table, n_classes = found.table, len(state.classes)
        aligned = state.space.align(table.genes, species=table.species)
        codes = np.where(found.predictions.status == ASSIGNED, found.predictions.winner, -1)
        target = class_profiles(
            (rows, members(codes[where], n_classes))
            for where, rows in aligned.blocks(table.rows, size=block_size)
        )
        nothing = np.zeros(len(state.space.selected), dtype=np.float32)
        return cls(
            genes=state.space.names,
            classes=state.classes,
            source=state.profiles,
            target=target,
            called=state.called,
            taken=nothing if found.shift is None else found.shift.delta,
            present=aligned.present[state.space.selected],
            markers=[state.top_features(k) for k in range(n_classes)],
        )

    @property
    def shared(self) -> Mask:
        """Classes with at least five cells on both sides, shape (n_classes,)."""
        return np.asarray(np.minimum(self.source.n_cells, self.target.n_cells) >= FEWEST_CELLS)


class Offsets(NamedTuple):
    """How far class means lie above the mean over the shared classes, each (n_classes, n_genes).

    Attributes
    ----------
    source, target
        Means minus the mean over the classes with at least five cells on both sides; zero for others.
    lacking
        How far the target falls short of half of the source's offset, in standard errors; negative where it
        has more than half. Zero for the other classes, and for genes that the target lacks.
    exceeding
        The same of the source against half of the target's offset.
    """

    source: Floats
    target: Floats
    lacking: Floats
    exceeding: Floats


def offsets(pair: Pair) -> Offsets:
    """Hold the classes against each other that both species have.

    The error of a class mean comes from the cells behind it and the larger of the variances in source and
    target, so that a gene which a few cells miss by chance is not held to be lost.
    """
    shared, sides = pair.shared, (pair.source, pair.target)
    nothing = np.zeros(pair.source.mean.shape)
    if np.count_nonzero(shared) < 2:
        return Offsets(nothing, nothing, nothing, nothing)
    source, target = (
        np.where(shared[:, None], side.mean - side.mean[shared].mean(axis=0, dtype=np.float64), 0.0)
        for side in sides
    )
    variance = np.maximum(pair.source.variance, pair.target.variance).astype(np.float64)
    source_error, target_error = (_squared_error(variance, side.n_cells, shared) for side in sides)
    judged = shared[:, None] & pair.present
    lacking, exceeding = (
        _divided(KEPT * one - other, np.sqrt(KEPT**2 * error_one + error_other), where=judged)
        for one, other, error_one, error_other in (
            (source, target, source_error, target_error),
            (target, source, target_error, source_error),
        )
    )
    return Offsets(source, target, lacking, exceeding)


def _squared_error(variance: Floats, n_cells: Floats, shared: Mask) -> Floats:
    """Return the squared standard error of every class mean minus the mean over the shared classes."""
    n_shared = np.count_nonzero(shared)
    own = np.where(shared[:, None], variance / np.maximum(n_cells, 1)[:, None], 0.0)
    return np.asarray(own * (1 - 2 / n_shared) + own.sum(axis=0) / n_shared**2)


def _divided(values: Floats, errors: Floats, *, where: Mask) -> Floats:
    return np.divide(values, np.maximum(errors, 1e-9), out=np.zeros_like(values), where=where)
