"""Labelling: one sweep over the cells of any species, with the coverage that it rests on."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype._keys import ASSIGNED, NO_AGREEMENT, UNKNOWN
from orthotype.cells.encode import LogNormalize
from orthotype.cells.space import Alignment
from orthotype.cells.table import CellTable
from orthotype.errors import OrthotypeWarning
from orthotype.models.consensus import decide
from orthotype.models.linear.sweep import Sweep
from orthotype.models.margins import MarginScale, margins
from orthotype.models.shift import SpeciesShift, estimate_shift, moved_intercept
from orthotype.models.unknown import UnknownRule
from orthotype.models.views import Views, view_directions, view_products
from orthotype.transfer.coverage import check_species, target_coverage, without_missing
from orthotype.transfer.predictions import Predictions
from orthotype.transfer.state import ModelState


@dataclass(frozen=True)
class Labelling:
    """Predictions together with what they rest on.

    Attributes
    ----------
    predictions
        One entry per cell.
    coverage
        Plain JSON: genes of the target by what became of them, and the model's genes that the target lacks.
    shift
        The species shift that was taken off, or None.
    sharpness
        By how much the temperature was multiplied, because these cells are called by another margin than the
        source's; 1 without alignment.
    ratios
        How alike to their classes the cells are, against the source's, for each view that is scaled.
    table
        The cells that were labelled.
    """

    predictions: Predictions
    coverage: dict[str, Any]
    shift: SpeciesShift | None
    sharpness: float
    ratios: dict[str, float]
    table: CellTable


def label_cells(
    state: ModelState,
    table: CellTable,
    *,
    alignment: str = "none",
    unknown: str = "none",
    block_size: int,
) -> Labelling:
    """Label cells of any species.

    Parameters
    ----------
    state
        The model.
    table
        The cells.
    alignment
        ``"none"``, or ``"shift"`` to take off the species shift estimated on these cells, and to fit the
        temperature to their margins; see :mod:`orthotype.models.shift` and :mod:`orthotype.models.margins`.
    unknown
        ``"none"``, or ``"similarity"`` to call cells unknown that are too unlike their class in any of three
        views; see :mod:`orthotype.models.unknown`.
    block_size
        Rows per block; no result depends on it.

    Raises
    ------
    GeneError
        If no ortholog table joins the species of the cells to the model, or they have none of its genes.

    Warns
    -----
    OrthotypeWarning
        With ``unknown="similarity"``, if the cells as a whole are too unlike the source.
    """
    check_species(state, table.species)
    aligned = state.space.align(table.genes, species=table.species)
    used = without_missing(state, aligned.present[state.space.selected])
    target = Target(table, aligned, block_size)
    shift = _shift(used, target) if alignment == "shift" else None
    intercept = used.intercept if shift is None else moved_intercept(used.coef, used.intercept, shift.delta)
    sharpness = 1.0 if shift is None else _sharpness(used, target, intercept)
    temperature = used.temperature * sharpness
    delta = None if shift is None else shift.delta
    whole, views = _label(used, target, intercept, temperature=temperature, delta=delta)
    rule = UnknownRule(**state.card["unknown"])
    status = np.where(whole.agreed, ASSIGNED, NO_AGREEMENT).astype(object)
    status[~whole.seen] = UNKNOWN
    if unknown == "similarity":
        status[rule.unknown(rule.fit(views, whole.winner))] = UNKNOWN
        if rule.foreign(views, whole.winner):
            warnings.warn(
                "the cells as a whole are too unlike the source for its labels to be trusted: another "
                "tissue, or a source that lacks most of their types; most cells come back unknown",
                OrthotypeWarning,
                stacklevel=4,
            )
    return Labelling(
        predictions=Predictions(
            cells=table.names,
            classes=state.classes,
            ontology=state.ontology,
            winner=whole.winner,
            votes=whole.votes,
            status=status,
            proba=whole.proba,
            similarity=views.likeness,
        ),
        coverage=target_coverage(state, table, aligned),
        shift=shift,
        sharpness=sharpness,
        ratios=rule.ratios(views, whole.winner),
        table=table,
    )


class Target(NamedTuple):
    """The cells to be labelled: where they come from, how their genes meet the model, rows per block."""

    table: CellTable
    aligned: Alignment
    block_size: int

    def sweep(
        self, coef: NDArray[np.floating], intercept: NDArray[np.floating], **more: NDArray[np.float64]
    ) -> Sweep:
        """Return models (n_models, n_classes, n_selected), ready for the counts of these cells."""
        encoder = self.aligned.encoder
        target_sum = encoder.target_sum if isinstance(encoder, LogNormalize) else None
        return Sweep(
            coef,
            intercept,
            gene_to_column=self.aligned.gene_to_column,
            in_library=self.aligned.library > 0,
            target_sum=self.aligned.share * (target_sum or 1.0),
            encoding="log" if target_sum else "binary",
            **more,
        )

    def counts(self) -> Iterator[sp.csr_array]:
        """Yield blocks of counts."""
        return (counts for _, counts in self.table.rows.blocks(self.block_size))


class Block(NamedTuple):
    """What one block of cells was called."""

    winner: NDArray[np.intp]
    votes: NDArray[np.intp]
    agreed: NDArray[np.bool_]
    seen: NDArray[np.bool_]
    proba: NDArray[np.float32]


def _shift(state: ModelState, target: Target) -> SpeciesShift:
    return estimate_shift(
        lambda: (rows for _, rows in target.aligned.blocks(target.table.rows, size=target.block_size)),
        coef=state.coef,
        intercept=state.intercept,
        temperature=state.temperature,
        source=state.profiles,
        called=state.called,
    )


def _sharpness(state: ModelState, target: Target, intercept: NDArray[np.floating]) -> float:
    """Return what the temperature is multiplied by on these cells, from the margins of the mean model."""
    coef = state.coef.mean(axis=0, dtype=np.float64, keepdims=True)
    sweep = target.sweep(coef, intercept.mean(axis=0, dtype=np.float64, keepdims=True))
    parts = [sweep.scores(counts)[:, 0] for counts in target.counts()]
    ahead = np.concatenate([margins(scores) for scores in parts])
    called = np.concatenate([scores.argmax(axis=1) for scores in parts])
    return MarginScale(**state.card["margins"]).ratio(ahead, called)


def _label(
    state: ModelState,
    target: Target,
    intercept: NDArray[np.floating],
    *,
    temperature: float,
    delta: NDArray[np.float32] | None,
) -> tuple[Block, Views]:
    """Label all cells in one sweep from their counts."""
    directions = view_directions(state.profiles, shift=delta)
    sweep = target.sweep(state.coef / np.float32(temperature), intercept / temperature, extra=directions)
    parts, views = [], []
    for counts in target.counts():
        said = sweep.label(counts)
        votes = decide(said.votes, proba=said.probability)
        views.append(
            view_products(said.extra, said.squares, votes.winner, directions, n_cells=state.profiles.n_cells)
        )
        parts.append(Block(votes.winner, votes.count, votes.agreed, said.squares > 0, said.probability))
    return Block(*(np.concatenate(values) for values in zip(*parts, strict=True))), Views.joined(views)
