"""Labelling: one sweep over the cells of any species, with the coverage that it rests on.

What has to be learned about the target first (the species shift, the spread of its logits, the directions in
which its cells differ) is learned from a sample of its cells without any label.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype._keys import ASSIGNED, NO_AGREEMENT, UNKNOWN
from orthotype.cells.table import CellTable
from orthotype.errors import warn
from orthotype.models.consensus import Votes, decide
from orthotype.models.kinship import Kinship, kinship
from orthotype.models.linear.sweep import Sweep
from orthotype.models.margins import MarginScale, margins
from orthotype.models.neighbours import N_NEIGHBORS, Neighbours, find_neighbours, leading_directions
from orthotype.models.shift import OF_FEW_TYPES, TAU, SpeciesShift, estimate_shift, moved_intercept
from orthotype.models.unknown_first import unknown_rule
from orthotype.models.views import Views, view_directions, view_products
from orthotype.transfer.coverage import check_species, target_coverage, without_missing
from orthotype.transfer.effect import Effect, measure_effect
from orthotype.transfer.predictions import Predictions
from orthotype.transfer.state import ModelState
from orthotype.transfer.target import Encoded, Target

AT_ONCE = 1 << 15
# Cells, evenly spaced, that tell whether they are of one type.
ENOUGH = 4000

ONE_TYPE_TOLD = "the cells are of one type, whose difference from the others would be taken for it"
FOREIGN_TOLD = (
    "the cells as a whole are too unlike the source for its labels to be trusted: another tissue, or a "
    "source that lacks most of their types; most cells come back unknown"
)


@dataclass(frozen=True)
class Options:
    """What is done for cells of another species; each can be turned off.

    Attributes
    ----------
    alignment
        ``"shift"`` to take off the species shift estimated on these cells, and to fit the temperature to
        their margins (:mod:`orthotype.models.shift`, :mod:`orthotype.models.margins`), or ``"none"``.
    unknown
        ``"similarity"`` to call cells unknown that are too unlike their class in any of three views
        (:mod:`orthotype.models.unknown`), or ``"none"``.
    n_neighbors
        Cells most like a cell that it leans on (:mod:`orthotype.models.neighbours`); 0 for none: every cell
        is then judged by itself.
    """

    alignment: str = "shift"
    unknown: str = "similarity"
    n_neighbors: int = N_NEIGHBORS


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
    fit
        How well each cell fits what it is called, a log tail probability, 0 for perfectly, shape (n,).
    kinship
        How far calls by half of the genes foretell the other half (:mod:`orthotype.models.kinship`).
    ratios
        How alike to their classes the cells are, against the source's, for each view that is scaled.
    effect
        What was changed against labels without shift and neighbours, on the sample of cells.
    table
        The cells that were labelled.
    """

    predictions: Predictions
    coverage: dict[str, Any]
    shift: SpeciesShift | None
    sharpness: float
    fit: NDArray[np.float64]
    kinship: Kinship
    ratios: dict[str, float]
    effect: Effect
    table: CellTable


def label_cells(
    state: ModelState,
    table: CellTable,
    *,
    options: Options | None = None,
    block_size: int,
) -> Labelling:
    """Label cells of any species.

    Parameters
    ----------
    state
        The model.
    table
        The cells.
    options
        What is done for another species; by default all of it.
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
    options = Options() if options is None else options
    check_species(state, table.species)
    aligned = state.space.align(table.genes, species=table.species)
    used = without_missing(state, aligned.present[state.space.selected])
    target = Target(table, aligned, block_size)
    found = judge(used, target, options, shifted=not adapted_to(state, table.species))
    if found.foreign:
        warn(FOREIGN_TOLD)
    return Labelling(
        predictions=Predictions(
            cells=table.names,
            classes=state.classes,
            ontology=state.ontology,
            winner=found.votes.winner,
            votes=found.votes.count,
            status=found.status,
            proba=found.proba,
            similarity=found.views.likeness,
        ),
        coverage=target_coverage(state, table, aligned),
        shift=found.moved.shift,
        sharpness=found.moved.sharpness,
        fit=found.fit,
        kinship=found.kinship,
        ratios=found.ratios,
        effect=measure_effect(used, target.sample(), found.votes.winner[target.sampled()]),
        table=table,
    )


class Judged(NamedTuple):
    """What a model says of all cells of a target, one entry a cell where not said otherwise.

    ``proba`` (n, n_classes), ``kinship``, ``ratios`` and ``foreign`` of the target as a whole, ``moved`` the
    model as it met them.
    """

    proba: NDArray[np.float32]
    votes: Votes
    status: NDArray[np.object_]
    fit: NDArray[np.float64]
    views: Views
    kinship: Kinship
    ratios: dict[str, float]
    foreign: bool
    moved: "Moved"


def judge(state: ModelState, target: Target | Encoded, options: Options, *, shifted: bool = True) -> Judged:
    """Say of every cell what it is called, how surely, and whether it fits.

    Parameters
    ----------
    state
        The model, for genes that the cells have.
    target
        The cells.
    options
        What is done for another species.
    shifted
        False for a model that has the species shift in it already.
    """
    sample = target.sample()
    called = _mean_scores(state, sample).argmax(axis=1)
    some = slice(None, None, max(1, -(-len(called) // ENOUGH)))
    before = _kinship(state, sample[some], called[some], None)
    wanted = shifted and options.alignment == "shift"
    moved = _moved(state, sample, before, shifted=wanted)
    told = _sweep(state, target, moved, leading_directions(sample) if options.n_neighbors else None)
    neighbours = (
        find_neighbours(told.places, n_neighbors=options.n_neighbors) if options.n_neighbors else None
    )
    told = told._replace(places=told.places[:0])
    proba, votes = _decided(told, neighbours)
    told = told._replace(proba=told.proba[:0], votes=told.votes[:0])
    views = _views(told, votes, moved, state)
    rule = unknown_rule(state.card["unknown"])
    status = np.where(votes.agreed, ASSIGNED, NO_AGREEMENT).astype(object)
    status[told.squares == 0] = UNKNOWN
    kin = _kinship(state, sample, votes.winner[target.sampled()], moved.shift)
    if before.one_type or (kin.lone and before.told):
        kin = before
    fit = rule.fit(views, votes.winner, neighbours=neighbours, kin=kin)
    foreign = False
    if options.unknown == "similarity":
        status[rule.unknown(fit, alone=neighbours is None)] = UNKNOWN
        foreign = rule.foreign(views, votes.winner, kin=kin)
    ratios = rule.ratios(views, votes.winner, kin=kin)
    return Judged(proba, votes, status, fit, views, kin, ratios, foreign, moved)


def _kinship(
    state: ModelState, sample: sp.csr_array, winner: NDArray[np.intp], shift: SpeciesShift | None
) -> Kinship:
    """Return the kinship of the cells with the source.

    1 for a model that has learned new classes from people: what is left of the source says little of them.
    Genes that the cells lack have no weight in the model.
    """
    if not _known(state).all():
        return Kinship(1.0)
    seen = state.profiles.n_cells > 0
    found = kinship(
        sample,
        state.profiles.mean[seen],
        shift=np.zeros(sample.shape[1]) if shift is None else shift.delta,
        present=(state.coef != 0).any(axis=(0, 1)),
        n_called=np.bincount(winner, minlength=len(seen))[seen],
    )
    if found.classes is None:
        return found
    classes = np.full(len(seen), np.nan)
    classes[seen] = found.classes
    return replace(found, classes=classes)


class Moved(NamedTuple):
    """The model as it meets these cells: intercepts after the shift, temperature, directions of the views."""

    shift: SpeciesShift | None
    intercept: NDArray[np.floating]
    sharpness: float
    temperature: float
    directions: NDArray[np.float64]


class Told(NamedTuple):
    """What one sweep says of every cell: the cell by itself."""

    proba: NDArray[np.float32]
    votes: NDArray[np.int32]
    products: NDArray[np.float32]
    squares: NDArray[np.float32]
    places: NDArray[np.float32]
    ahead: NDArray[np.float32]


def adapted_to(state: ModelState, species: str) -> bool:
    """Return whether the model has learned from labelled cells of this species, the shift included."""
    adapted = state.card.get("adapted") or {}
    return bool(adapted.get("aligned")) and adapted.get("species") == species


def _known(state: ModelState) -> NDArray[np.bool_]:
    """Return which classes are not new: of those, what is usual in the source is known."""
    return np.array([median != 0 for median in state.card["unknown"]["medians"]["likeness"]], dtype=bool)


def _mean_scores(state: ModelState, sample: sp.csr_array) -> NDArray[np.float64]:
    """Return the logits of the mean model before any shift, shape (n, n_classes)."""
    scores = sample @ state.coef.mean(axis=0, dtype=np.float64).T
    return np.asarray(scores + state.intercept.mean(axis=0))


def _moved(state: ModelState, sample: sp.csr_array, before: Kinship, *, shifted: bool) -> Moved:
    if not shifted:
        directions = view_directions(state.profiles, known=_known(state))
        return Moved(None, state.intercept, 1.0, state.temperature, directions)
    shift = estimate_shift(
        lambda: iter([sample]),
        coef=state.coef,
        intercept=state.intercept,
        temperature=state.temperature,
        source=state.profiles,
        called=state.called,
        tau=OF_FEW_TYPES * sample.shape[0] if before.few_types else TAU,
        refused=ONE_TYPE_TOLD if before.one_type else "",
    )
    intercept = moved_intercept(state.coef, state.intercept, shift.delta)
    mean = sample @ state.coef.mean(axis=0, dtype=np.float64).T + intercept.mean(axis=0)
    sharpness = MarginScale(**state.card["margins"]).ratio(margins(mean), mean.argmax(axis=1))
    return Moved(
        shift,
        intercept,
        sharpness,
        state.temperature * sharpness,
        view_directions(state.profiles, shift=shift.delta, known=_known(state)),
    )


def _sweep(
    state: ModelState, target: Target | Encoded, moved: Moved, leading: NDArray[np.float32] | None
) -> Told:
    """Return what the models say of all cells, in one sweep over their encoded rows."""
    heat, mean = moved.temperature, state.coef.mean(axis=0, dtype=np.float64)
    extra = np.vstack([moved.directions, mean, *([] if leading is None else [leading])])
    sweep = Sweep(
        state.coef / np.float32(heat),
        moved.intercept / heat,
        gene_to_column=np.arange(state.coef.shape[2]),
        encoding="none",
        extra=extra,
    )
    n, n_cells, n_classes = len(moved.directions), target.n_cells, len(state.classes)
    logits = slice(n, n + n_classes)
    told = Told(
        proba=np.empty((n_cells, n_classes), dtype=np.float32),
        votes=np.empty((n_cells, n_classes), dtype=np.int32),
        products=np.empty((n_cells, n), dtype=np.float32),
        squares=np.empty(n_cells, dtype=np.float32),
        places=np.empty((n_cells, len(extra) - logits.stop), dtype=np.float32),
        ahead=np.empty(n_cells, dtype=np.float32),
    )
    level = moved.intercept.mean(axis=0)
    first = 0
    for rows in target.rows():
        part, said = slice(first, first + rows.shape[0]), sweep.label(rows)
        told.proba[part], told.votes[part], told.squares[part] = said.probability, said.votes, said.squares
        told.products[part], told.places[part] = said.extra[:, :n], said.extra[:, logits.stop :]
        told.ahead[part] = margins(said.extra[:, logits] + level)
        first = part.stop
    return told


def _views(told: Told, votes: Votes, moved: Moved, state: ModelState) -> Views:
    """Return how well all cells fit the classes they were called, so many of them at once."""
    parts = [slice(first, first + AT_ONCE) for first in range(0, len(votes.winner), AT_ONCE)]
    return Views.joined(
        [
            view_products(
                told.products[part],
                told.squares[part],
                votes.winner[part],
                moved.directions,
                profiles=state.profiles,
                known=_known(state),
                ahead=told.ahead[part],
            )
            for part in parts
        ]
    )


def _decided(told: Told, neighbours: Neighbours | None) -> tuple[NDArray[np.float32], Votes]:
    """Return probabilities and the votes for what each cell is called, among its like or alone.

    Whether the models agree is a matter of the cell by itself, whatever its neighbours are.
    """
    alone = decide(told.votes, proba=told.proba)
    if neighbours is None:
        return told.proba, alone
    proba = neighbours.leaned(told.proba)
    winner = proba.argmax(axis=1)
    count = np.take_along_axis(told.votes, winner[:, None], axis=1)[:, 0]
    return proba.astype(np.float32), Votes(winner, count.astype(np.intp), alone.agreed)
