"""Labelling: one sweep over the cells of any species, with the coverage that it rests on."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orthotype._keys import ASSIGNED, NO_AGREEMENT, UNKNOWN
from orthotype.cells.encode import LogNormalize
from orthotype.cells.space import Alignment
from orthotype.cells.table import CellTable
from orthotype.models.consensus import decide
from orthotype.models.linear.sweep import Sweep
from orthotype.models.profiles import similarity_directions, similarity_from
from orthotype.models.shift import SpeciesShift, estimate_shift, moved_intercept
from orthotype.models.unknown import SimilarityScale
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
    table
        The cells that were labelled.
    """

    predictions: Predictions
    coverage: dict[str, Any]
    shift: SpeciesShift | None
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
        ``"none"``, or ``"shift"`` to take off the species shift estimated on these cells.
    unknown
        ``"none"``, or ``"similarity"`` to call cells unknown that are too unlike the profile of their class;
        see :mod:`orthotype.models.unknown`.
    block_size
        Rows per block; no result depends on it.

    Raises
    ------
    GeneError
        If no ortholog table joins the species of the cells to the model, or they have none of its genes.
    """
    check_species(state, table.species)
    aligned = state.space.align(table.genes, species=table.species)
    used = without_missing(state, aligned.present[state.space.selected])
    shift = None
    if alignment == "shift":
        shift = estimate_shift(
            lambda: (rows for _, rows in aligned.blocks(table.rows, size=block_size)),
            coef=used.coef,
            intercept=used.intercept,
            temperature=used.temperature,
            source=used.profiles,
        )
    whole = _label_blocks(used, table, aligned, shift, block_size=block_size)
    return Labelling(
        predictions=Predictions(
            cells=table.names,
            classes=state.classes,
            ontology=state.ontology,
            winner=whole.winner,
            votes=whole.votes,
            status=_status(whole, scale=_scale(state) if unknown == "similarity" else None),
            proba=whole.proba,
            similarity=whole.similarity,
        ),
        coverage=target_coverage(state, table, aligned),
        shift=shift,
        table=table,
    )


class Block(NamedTuple):
    """What one block of cells was called."""

    winner: NDArray[np.intp]
    votes: NDArray[np.intp]
    agreed: NDArray[np.bool_]
    seen: NDArray[np.bool_]
    proba: NDArray[np.float32]
    similarity: NDArray[np.float32]


def _label_blocks(
    state: ModelState, table: CellTable, aligned: Alignment, shift: SpeciesShift | None, *, block_size: int
) -> Block:
    """Label all cells in one sweep from their counts."""
    delta = None if shift is None else shift.delta
    intercept = state.intercept if delta is None else moved_intercept(state.coef, state.intercept, delta)
    directions = similarity_directions(state.profiles, shift=delta)
    encoder = aligned.encoder
    sweep = Sweep(
        state.coef / np.float32(state.temperature),
        intercept / state.temperature,
        gene_to_column=aligned.gene_to_column,
        in_library=aligned.library > 0,
        target_sum=aligned.share * encoder.target_sum if isinstance(encoder, LogNormalize) else 1.0,
        encoding="log" if isinstance(encoder, LogNormalize) else "binary",
        extra=directions,
    )
    parts = []
    for _, counts in table.rows.blocks(block_size):
        said = sweep.label(counts)
        votes = decide(said.votes, proba=said.probability)
        near = similarity_from(said.extra, said.squares, votes.winner, directions)
        parts.append(Block(votes.winner, votes.count, votes.agreed, said.squares > 0, said.probability, near))
    return Block(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _scale(state: ModelState) -> SimilarityScale:
    return SimilarityScale(**state.card["similarity"])


def _status(block: Block, *, scale: SimilarityScale | None) -> NDArray[np.object_]:
    """Call a cell unknown if it shows no gene of the model or is unlike its class."""
    status = np.where(block.agreed, ASSIGNED, NO_AGREEMENT).astype(object)
    status[~block.seen] = UNKNOWN
    if scale is not None:
        status[scale.unlike(block.similarity, block.winner)] = UNKNOWN
    return status
