"""Labelling: one sweep over the cells of any species, with the coverage that it rests on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype._keys import ASSIGNED, NO_AGREEMENT, UNKNOWN
from orthotype.cells.table import CellTable
from orthotype.models.consensus import count_votes, mean_proba
from orthotype.models.profiles import ClassProfiles, class_profiles, one_hot, similarity
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
    profiles
        Mean and variance of the target cells of each called class.
    shift
        The species shift that was taken off, or None.
    table
        The cells that were labelled.
    """

    predictions: Predictions
    coverage: dict[str, Any]
    profiles: ClassProfiles
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
    parts: list[Block] = []

    def sweep() -> Iterator[tuple[sp.csr_array, NDArray[np.float64]]]:
        for _, rows in aligned.blocks(table.rows, size=block_size):
            parts.append(_label_block(used, rows, shift))
            yield rows, one_hot(parts[-1].winner, len(state.classes))

    profiles = class_profiles(sweep())
    whole = Block(*(np.concatenate(values) for values in zip(*parts, strict=True)))
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
        profiles=profiles,
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


def _label_block(state: ModelState, rows: sp.csr_array, shift: SpeciesShift | None) -> Block:
    delta = None if shift is None else shift.delta
    scores = state.scores(
        rows, intercept=None if delta is None else moved_intercept(state.coef, state.intercept, delta)
    )
    proba = mean_proba(scores, temperature=state.temperature)
    votes = count_votes(scores.argmax(axis=2), proba=proba)
    return Block(
        winner=votes.winner,
        votes=votes.count,
        agreed=votes.agreed,
        seen=np.diff(rows.indptr) > 0,
        proba=proba.astype(np.float32),
        similarity=similarity(rows, votes.winner, profiles=state.profiles, shift=delta),
    )


def _scale(state: ModelState) -> SimilarityScale:
    return SimilarityScale(**state.card["similarity"])


def _status(block: Block, *, scale: SimilarityScale | None) -> NDArray[np.object_]:
    """Call a cell unknown if it shows no gene of the model or is unlike its class."""
    status = np.where(block.agreed, ASSIGNED, NO_AGREEMENT).astype(object)
    status[~block.seen] = UNKNOWN
    if scale is not None:
        status[scale.unlike(block.similarity, block.winner)] = UNKNOWN
    return status
