"""Adapting: the source model as a prior, a few labelled target cells as the evidence (MAP transfer).

The mean model, moved by the species shift (:mod:`orthotype.transfer.adapt_starts`), is refitted around itself
on the few cells (:mod:`orthotype.transfer.adapt_fit`), and every fold model takes on the same change, so that
they differ as they did. The source cells are not needed.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.table import CellTable
from orthotype.errors import OrthotypeWarning
from orthotype.models.margins import MarginScale, margins
from orthotype.models.shift import estimate_shift
from orthotype.transfer.adapt_classes import Names, beginnings, tell, with_new_classes
from orthotype.transfer.adapt_fit import Evidence, Refit, chosen
from orthotype.transfer.adapt_starts import (
    LABEL_SHIFT,
    SOURCE,
    TARGET_SHIFT,
    Start,
    anchor_cells,
    label_shift,
    preferred,
)
from orthotype.transfer.adapting_report import (
    AdaptReport,
    as_pairs,
    changes,
    doubtful_labels,
    held_out_scores,
    more_labels,
    moves,
)
from orthotype.transfer.coverage import without_missing
from orthotype.transfer.fitting import top_genes
from orthotype.transfer.labelling import label_cells
from orthotype.transfer.state import ModelState
from orthotype.transfer.target import Target

Floats = NDArray[np.float64]

DROPPED: Final = ("prediction_sets",)
MOST_JUDGED: Final = 600


@dataclass(frozen=True, eq=False)
class Few:
    """Encoded cells to learn from.

    Attributes
    ----------
    cells
        Names of the labelled cells.
    labels
        Their labels.
    X
        Their encoded rows, shape (n, n_selected).
    unlabelled
        Encoded cells of the target without a label, or None.
    present
        Genes of the model that all of them have, shape (n_selected,).
    table
        The target, or None.
    species
        Of all of them.
    """

    cells: NDArray[np.object_]
    labels: NDArray[np.object_]
    X: sp.csr_array
    unlabelled: sp.csr_array | None
    present: NDArray[np.bool_]
    table: CellTable | None
    species: str


def gather(
    state: ModelState,
    table: CellTable,
    labels: NDArray[np.object_],
    *,
    target: CellTable | None,
    block_size: int,
) -> Few:
    """Encode labelled cells, and cells of the target without a label; without a target, those beside them.

    Parameters
    ----------
    state
        The model.
    table, labels
        Cells and the label of each, None where it has none.
    target
        Further cells of the same species, or None.
    block_size
        Rows per block.
    """
    given = np.array([label is not None for label in labels], dtype=bool)
    aligned = state.space.align(table.genes, species=table.species)
    here = Target(table, aligned, block_size)
    present = aligned.present[state.space.selected]
    X = sp.csr_array(
        sp.vstack([rows[given[where]] for where, rows in aligned.blocks(table.rows, size=block_size)])
    )
    whole, unlabelled = target, None
    if target is not None:
        others = Target(target, state.space.align(target.genes, species=target.species), block_size)
        present = present & others.aligned.present[state.space.selected]
        known = set(table.names[given].tolist())
        without = np.array([name not in known for name in target.names[others.sampled()]], dtype=bool)
        unlabelled = sp.csr_array(others.sample()[without])
    elif not given.all():
        whole = table
        unlabelled = sp.csr_array(here.sample()[~given[here.sampled()]])
    return Few(
        cells=table.names[given],
        labels=labels[given],
        X=_only(X, present),
        unlabelled=None if unlabelled is None else _only(unlabelled, present),
        present=present,
        table=whole,
        species=table.species,
    )


def _only(X: sp.csr_array, present: NDArray[np.bool_]) -> sp.csr_array:
    """Return rows without the genes that other cells lack."""
    X = X.astype(np.float64)
    return X if present.all() else sp.csr_array(X @ sp.diags_array(present.astype(np.float64)))


def adapt_state(
    state: ModelState,
    few: Few,
    names: Names,
    *,
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
    strength
        alpha of the penalty, or ``"auto"``.
    random_state
        Decides folds and anchors.
    block_size
        Cells handled at once; no result depends on it.
    """
    classes = np.array([names.known.get(label, label) for label in few.labels], dtype=object)
    relatives = beginnings(names, without_missing(state, few.present), few.X, classes)
    tell(names, relatives)
    shift, heat = _target_shift(state, few)
    roomy = with_new_classes(state, names, few.X, classes, relatives=relatives)
    used = without_missing(roomy, few.present)
    codes = np.searchsorted(used.classes.astype(str), classes.astype(str)).astype(np.intp)
    known = (used.profiles.n_cells > 0) & ~np.isin(used.classes, np.array(names.new, dtype=object))
    starts = _starts(used, few, codes, known, shift=shift, heat=heat)
    start = preferred(starts, codes, known=known)
    found = _fitted(used, few, codes, start, known, strength=strength, random_state=random_state)
    adapted = _taken_on(roomy, found, start, known)
    before = starts[0].scores(found.judging.evidence.X[: found.judging.evidence.n_labelled])
    before[:, np.isin(used.classes, np.array(names.new, dtype=object))] = -np.inf
    report = _report(few, names, classes, relatives, start, found, before, used, random_state)
    report = _with_moves(report, state, _with_card(state, adapted, report, random_state), few, block_size)
    return _with_card(state, adapted, report, random_state), report


@dataclass(frozen=True, eq=False)
class Found:
    """A refit: its strength, its change on genes, and the fit of the cells that are held out to judge it."""

    strength: float
    coef: Floats
    intercept: Floats
    judging: Refit
    held_out: Floats
    rows: NDArray[np.intp]


def _target_shift(state: ModelState, few: Few) -> tuple[Floats | None, float]:
    """Return the shift that unlabelled target cells show and the temperature of their margins."""
    if few.unlabelled is None:
        return None, state.temperature
    used = without_missing(state, few.present)
    sample = sp.csr_array(sp.vstack([few.unlabelled, few.X], format="csr"))
    shift = estimate_shift(
        lambda: iter([sample]),
        coef=used.coef,
        intercept=used.intercept,
        temperature=used.temperature,
        source=used.profiles,
        called=used.called,
    )
    delta = np.where(few.present, shift.delta, 0.0).astype(np.float64)
    scores = Start.of(used, name=TARGET_SHIFT, heat=1.0, delta=delta).scores(sample)
    ratio = MarginScale(**state.card["margins"]).ratio(margins(scores), scores.argmax(axis=1))
    return delta, state.temperature * ratio


def _starts(
    used: ModelState,
    few: Few,
    codes: NDArray[np.intp],
    known: NDArray[np.bool_],
    *,
    shift: Floats | None,
    heat: float,
) -> list[Start]:
    """Return the models to start from; the first is the one for few labels."""
    none = np.zeros(few.X.shape[1])
    by_labels = label_shift(few.X, codes, used.profiles, known=known)
    source = Start.of(used, name=SOURCE, heat=used.temperature, delta=none)
    labelled = Start.of(used, name=LABEL_SHIFT, heat=used.temperature, delta=by_labels)
    if shift is None:
        return [source, labelled]
    return [Start.of(used, name=TARGET_SHIFT, heat=heat, delta=shift), labelled, source]


def _fitted(
    used: ModelState,
    few: Few,
    codes: NDArray[np.intp],
    start: Start,
    known: NDArray[np.bool_],
    *,
    strength: float | str,
    random_state: int,
) -> Found:
    """Fit all labelled cells; at most 600 of them are held out."""
    anchors = anchor_cells(
        start,
        used.profiles,
        known=known,
        labelled=(few.X, codes),
        unlabelled=few.unlabelled,
        random_state=random_state,
    )

    def of(rows: NDArray[np.intp]) -> Evidence:
        labelled = few.X[rows], codes[rows]
        return Evidence.of(labelled, anchors, n_classes=len(used.classes), random_state=random_state)

    rows = _some(codes, random_state)
    judging, held_out = chosen(of(rows), start, strength=strength)
    whole = judging
    if len(rows) < len(codes):
        whole = Refit(of(np.arange(len(codes))), start, strength=strength).at(judging.worth)
    coef, intercept = whole.few.expand(whole.fit()[0])
    return Found(whole.strength, coef, intercept, judging, held_out, rows)


def _some(codes: NDArray[np.intp], random_state: int) -> NDArray[np.intp]:
    """Return at most 600 of the labelled cells: of every class all of them, or an even share."""
    if len(codes) <= MOST_JUDGED:
        return np.arange(len(codes))
    order = np.random.default_rng(random_state).permutation(len(codes))
    by_class = order[np.argsort(codes[order], kind="stable")]
    sizes = np.bincount(codes)
    rank = np.arange(len(codes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(by_class[np.argsort(rank, kind="stable")][:MOST_JUDGED])


def _taken_on(state: ModelState, found: Found, start: Start, known: NDArray[np.bool_]) -> ModelState:
    """Return the model with the change taken on by every fold model, and the shift by its profiles.

    The temperature is in the weights from now on. Genes that the cells lack keep their weights, and what is
    made up for them where they are missing.
    """
    heat = start.heat / found.judging.worth
    coef = state.coef.astype(np.float64)
    intercept = (state.intercept.astype(np.float64) - coef @ start.delta) / heat + found.intercept
    coef = coef / heat + found.coef
    moved = (known[:, None] * start.delta).astype(np.float32)
    medians = [median / heat for median in state.card["margins"]["medians"]]
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
            "top_genes": top_genes(fitted),
        },
    )


def _report(
    few: Few,
    names: Names,
    classes: NDArray[np.object_],
    relatives: Mapping[str, str],
    start: Start,
    found: Found,
    before: Floats,
    used: ModelState,
    random_state: int,
) -> AdaptReport:
    counts = np.unique(classes.astype(str), return_counts=True)
    evidence, held_out = found.judging.evidence, found.held_out
    true, cells = evidence.codes[: evidence.n_labelled], few.cells[found.rows]
    return AdaptReport(
        species=few.species,
        cells_per_class=dict(zip(counts[0].tolist(), counts[1].tolist(), strict=True)),
        new_classes=dict(relatives),
        matched=as_pairs(names.matched, names.known),
        start=start.name,
        aligned=start.name != SOURCE,
        strength=found.strength,
        worth=found.judging.worth,
        held_out=held_out_scores(before, held_out, true, classes=used.classes),
        doubtful=doubtful_labels(held_out, true, cells=cells, classes=used.classes),
        target_cells=0,
        moved=(),
        n_moved=0,
        labels=(),
        more_labels=more_labels(before, held_out, found.judging, random_state=random_state),
    )


def _with_moves(
    report: AdaptReport, state: ModelState, adapted: ModelState, few: Few, block_size: int
) -> AdaptReport:
    """Add how the labels of the target change."""
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
