"""Labelling: one sweep over the cells of any species, with the coverage that it rests on."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype._keys import ASSIGNED, NO_AGREEMENT, UNKNOWN
from orthotype.cells.space import Alignment
from orthotype.cells.table import CellTable
from orthotype.errors import GeneError, OrthotypeWarning, listed
from orthotype.genes.orthologs import OrthologMap
from orthotype.models.consensus import count_votes, mean_proba
from orthotype.models.profiles import ClassProfiles, class_profiles, one_hot, similarity
from orthotype.models.shift import SpeciesShift, estimate_shift, moved_intercept
from orthotype.models.unknown import SimilarityScale
from orthotype.transfer.predictions import Predictions
from orthotype.transfer.state import ModelState

# A target that lacks genes with more than this share of the model's weight is labelled with a warning.
MUCH_LOST = 0.3
MISSING_SHOWN = 10


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
        ``"none"``, or ``"similarity"`` to call cells unknown whose similarity to the profile of their class
        is below the threshold of the model, which 5 % of the source's own cells miss.
    block_size
        Rows per block; no result depends on it.

    Raises
    ------
    GeneError
        If the cells have none of the model's genes.
    """
    aligned = state.space.align(table.genes, species=table.species)
    shift = None
    if alignment == "shift":
        shift = estimate_shift(
            lambda: (rows for _, rows in aligned.blocks(table.rows, size=block_size)),
            coef=state.coef,
            intercept=state.intercept,
            temperature=state.temperature,
            source=state.profiles,
        )
    parts: list[Block] = []

    def sweep() -> Iterator[tuple[sp.csr_array, NDArray[np.float64]]]:
        for _, rows in aligned.blocks(table.rows, size=block_size):
            parts.append(_label_block(state, rows, shift))
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
        coverage=_coverage(state, table, aligned),
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


def _coverage(state: ModelState, table: CellTable, aligned: Alignment) -> dict[str, Any]:
    """Count what became of the target's genes, and which of the model's genes it lacks."""
    space = state.space
    found = _whole_map(space.orthologs, table.species).coverage(
        table.genes, species=table.species, totals=table.totals
    )
    missing = ~aligned.present[space.selected]
    strength = np.abs(state.mean_coef).max(axis=0) * np.sqrt(state.profiles.mean.var(axis=0))
    order = [j for j in np.argsort(-strength, kind="stable") if missing[j]]
    lost = float(strength[missing].sum() / strength.sum()) if strength.sum() > 0 else 0.0
    if lost > MUCH_LOST:
        warnings.warn(
            f"the target lacks {missing.sum():,} of the model's {len(missing):,} genes, with {lost:.0%} of "
            f"its weight (most: {listed(space.names[order])}); expected under {MUCH_LOST:.0%}; read the "
            "labels with care, or train with the target given (fit(..., target=...), train --target)",
            OrthotypeWarning,
            stacklevel=4,
        )
    return {
        **found.to_dict(),
        "model_genes": {
            "n": len(missing),
            "n_missing": int(missing.sum()),
            "share_of_weight_missing": lost,
            "share_of_counts_present": aligned.share,
            "missing_top": [str(space.names[j]) for j in order[:MISSING_SHOWN]],
        },
    }


def _whole_map(orthologs: OrthologMap, species: str) -> OrthologMap:
    """Return the map between the model's species and the target's, with the genes that are no feature.

    A model keeps its features but not the rest of the table, so the installed table tells which other genes
    have orthologs; where there is none for the pair, the model's own features have to do.
    """
    partner = orthologs.target if species == orthologs.source else species
    try:
        return OrthologMap(orthologs.source, partner, policy=orthologs.policy)
    except GeneError:
        return orthologs
