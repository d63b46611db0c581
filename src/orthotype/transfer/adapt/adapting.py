"""Adapting: the source model as a prior, a few labelled target cells as the evidence (MAP transfer).

The mean model, moved by the species shift (:mod:`orthotype.transfer.adapt.starts`), is refitted around itself
on the few cells (:mod:`orthotype.transfer.adapt.refit`), and every fold model takes on the same change, so
that they differ as they did. The source cells are not needed.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from orthotype.errors import OrthotypeWarning
from orthotype.transfer.adapt.cells import Few
from orthotype.transfer.adapt.choice import Cost, chosen, trust
from orthotype.transfer.adapt.classes import labelled_ones, only_classes, with_new_classes
from orthotype.transfer.adapt.lesson import Lesson, lesson, seen
from orthotype.transfer.adapt.names import Names, beginnings, tell
from orthotype.transfer.adapt.refit import Refit
from orthotype.transfer.adapt.report import (
    AdaptReport,
    as_pairs,
    changes,
    doubtful_labels,
    held_out_scores,
    more_labels,
    moves,
)
from orthotype.transfer.adapt.starts import (
    SOURCE,
)
from orthotype.transfer.coverage import without_missing
from orthotype.transfer.fitting import top_genes
from orthotype.transfer.labelling import adapted_to, label_cells
from orthotype.transfer.state import ModelState

Floats = NDArray[np.float64]

DROPPED: Final = ("prediction_sets",)
MOST_JUDGED: Final = 600
MOST_LEARNED: Final = 10_000


def adapt_state(
    state: ModelState,
    few: Few,
    names: Names,
    *,
    complete: bool = False,
    strength: float | str = "auto",
    random_state: int = 0,
    block_size: int,
) -> tuple[ModelState, AdaptReport]:
    """Return a model that has learned from a few labelled target cells, and what that changed.

    Parameters
    ----------
    state
        The model.
    few
        The cells.
    names
        What their labels are to the model.
    complete
        Whether every class of the target has a label: classes without one are then left out.
    strength
        alpha of the penalty, or ``"auto"``.
    random_state
        Decides folds and anchors.
    block_size
        Cells handled at once; no result depends on it.
    """
    source, classes = state, np.array([names.known.get(label, label) for label in few.labels], dtype=object)
    if complete:
        state = labelled_ones(state, classes)
    relatives = beginnings(names, without_missing(state, few.present), few.X, classes)
    tell(names, relatives)
    judged = seen(state, few)
    roomy = with_new_classes(state, names, few.X, classes, relatives=relatives)
    task = lesson(roomy, few, names, classes, judged, places_of=state.classes, random_state=random_state)
    found = _fitted(task, strength=strength, random_state=random_state)
    adapted = _taken_on(roomy, found, task)
    if complete:
        adapted = only_classes(adapted, np.isin(adapted.classes, classes))
    settled = adapted_to(state, few.species) or task.start.name != SOURCE
    report = _report(task, few, names, relatives, found, aligned=settled, random_state=random_state)
    report = _with_moves(report, source, _with_card(source, adapted, report, random_state), few, block_size)
    return _with_card(source, adapted, report, random_state), report


@dataclass(frozen=True, eq=False)
class Found:
    """A refit: its strength, its change on genes, and the fits of the cells that are held out to judge it."""

    strength: float
    coef: Floats
    intercept: Floats
    worth: float
    judging: Refit
    held_out: Floats
    rows: NDArray[np.intp]


def _fitted(task: Lesson, *, strength: float | str, random_state: int) -> Found:
    """Fit the labelled cells, at most 10,000; at most 600 of them are held out.

    The others are judged by the fit of those, which has not seen them.
    """

    def fits(rows: NDArray[np.intp]) -> Refit:
        evidence = task.evidence(rows, random_state=random_state)
        return Refit(evidence, task.start, metric=task.metric, walk=task.walk, strength=strength)

    rows = _some(task.codes, MOST_JUDGED, random_state)
    judging, held_out = chosen(fits(rows))
    whole, sure = judging, Cost(task.codes[rows]).sureness(held_out)
    counts = trust(sure * held_out, task.codes[rows])
    if len(rows) < len(task.codes):
        learned = _some(task.codes, MOST_LEARNED, random_state)
        said = judging.scores(task.X, counts)
        said[rows] = held_out
        whole = fits(learned).stronger(*judging.factors)
        counts = trust(sure * said[learned], task.codes[learned])
    return Found(whole.strength, *whole.change(counts), whole.worth, judging, held_out, rows)


def _some(codes: NDArray[np.intp], most: int, random_state: int) -> NDArray[np.intp]:
    """Return at most so many of the labelled cells: of every class all of them, or an even share."""
    if len(codes) <= most:
        return np.arange(len(codes))
    order = np.random.default_rng(random_state).permutation(len(codes))
    by_class = order[np.argsort(codes[order], kind="stable")]
    sizes = np.bincount(codes)
    rank = np.arange(len(codes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(by_class[np.argsort(rank, kind="stable")][:most])


def _taken_on(state: ModelState, found: Found, task: Lesson) -> ModelState:
    """Return the model with the change taken on by every fold model, and the shift by its profiles.

    The temperature is in the weights from now on. Genes that the cells lack keep their weights, and what is
    made up for them where they are missing. Margins are larger where there are more labels: what is usual in
    the source says nothing of them, and cells that fit no class are known by the other views.
    """
    start = task.start
    heat = start.heat / found.worth
    coef = state.coef.astype(np.float64)
    intercept = (state.intercept.astype(np.float64) - coef @ start.delta) / heat + found.intercept
    coef = coef / heat + found.coef
    moved = (task.known[:, None] * start.delta).astype(np.float32)
    medians = [median / heat for median in state.card["margins"]["medians"]]
    usual = {**state.card["unknown"]["medians"], "margin": [0.0] * len(state.classes)}
    fitted = replace(
        state,
        coef=coef.astype(np.float32),
        intercept=intercept.astype(np.float32),
        temperature=1.0,
    )
    return replace(
        fitted,
        profiles=replace(state.profiles, mean=state.profiles.mean + moved),
        called=state.called + moved,
        card={
            **{name: entry for name, entry in state.card.items() if name not in DROPPED},
            "margins": {**state.card["margins"], "medians": medians},
            "unknown": {**state.card["unknown"], "medians": usual},
            "top_genes": top_genes(fitted),
        },
    )


def _report(
    task: Lesson,
    few: Few,
    names: Names,
    relatives: Mapping[str, str],
    found: Found,
    *,
    aligned: bool,
    random_state: int,
) -> AdaptReport:
    evidence, held_out = found.judging.evidence, found.held_out
    n, cells = evidence.n_labelled, few.cells[found.rows]
    true, classes = evidence.codes[:n], task.classes
    before = task.before.scores(evidence.X[:n])
    before[:, np.isin(classes, np.array(names.new, dtype=object))] = -np.inf
    counts = np.bincount(task.codes, minlength=len(classes)).tolist()
    return AdaptReport(
        species=few.species,
        cells_per_class={str(name): k for name, k in zip(classes, counts, strict=True) if k},
        new_classes=dict(relatives),
        matched=as_pairs(names.matched, names.known),
        contradicted=tuple(str(name) for name in classes[evidence.contradicted]),
        left_out=(),
        start=task.start.name,
        aligned=aligned,
        strength=found.strength,
        worth=found.worth,
        held_out=held_out_scores(before, held_out, true, classes=classes),
        doubtful=doubtful_labels(held_out, true, cells=cells, classes=classes),
        target_cells=0,
        moved=(),
        n_moved=0,
        labels=(),
        more_labels=more_labels(before, held_out, found.judging, random_state=random_state),
    )


def _with_moves(
    report: AdaptReport, state: ModelState, adapted: ModelState, few: Few, block_size: int
) -> AdaptReport:
    """Add which classes were left out, and how the labels of the target change."""
    left_out = np.setdiff1d(state.classes.astype(str), adapted.classes.astype(str))
    report = replace(report, left_out=tuple(left_out.tolist()))
    if few.table is None:
        return report
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OrthotypeWarning)
        before, after = (
            np.asarray(label_cells(each, few.table, block_size=block_size).predictions.label, dtype=object)
            for each in (state, adapted)
        )
    found = moves(before, after)
    return replace(
        report,
        target_cells=few.table.n_cells,
        moved=found[:20],
        n_moved=sum(move["cells"] for move in found),
        labels=changes(before, after),
    )


def _with_card(source: ModelState, adapted: ModelState, report: AdaptReport, random_state: int) -> ModelState:
    entry: dict[str, Any] = {"from": source.hash(), **report.to_dict(), "random_state": random_state}
    return adapted.with_card(adapted=entry)
