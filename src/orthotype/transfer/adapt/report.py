"""What adapting changed, what the labels disagree with, and what more labels may bring."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype.errors import numbered
from orthotype.models.linear.loss import class_weights
from orthotype.models.linear.softmax import softmax
from orthotype.transfer.adapt.refit import Refit
from orthotype.transfer.adapt.starts import capped_losses

Floats = NDArray[np.float64]

DOUBTFUL = 0.8
MOST_MOVES = 20
FEWEST_FOR_CURVE = 8
SHARES = (0.25, 0.5, 1.0)


@dataclass(frozen=True)
class HeldOut:
    """How labelled cells are called by models that have not seen them, every class alike.

    A class with one label has none when it is held out: losses and recalls are those of the other classes,
    where there are any.

    Attributes
    ----------
    cells
        Labelled cells held out.
    loss_before, loss_after
        Mean loss, at most 3 for a cell, before and after adapting.
    recall_before, recall_after
        Mean recall over the classes, 0 to 1.
    by_class
        For each labelled class ``class``, ``cells``, ``recall_before`` and ``recall_after``.
    """

    cells: int
    loss_before: float
    loss_after: float
    recall_before: float
    recall_after: float
    by_class: tuple[dict[str, Any], ...]

    @property
    def judged(self) -> tuple[dict[str, Any], ...]:
        """The rows of ``by_class`` that count."""
        return tuple(row for row in self.by_class if row["cells"] > 1) or self.by_class

    @property
    def left_out(self) -> str:
        """How many classes do not count, since they have one label, in words; "" if all do."""
        only = len(self.by_class) - len(self.judged)
        return f"without {numbered(only, 'class', 'classes')} of one label" if only else ""


@dataclass(frozen=True)
class MoreLabels:
    """What twice as many labels may bring, from what the last doubling brought on held-out cells.

    Attributes
    ----------
    curve
        Pairs of cells learned from and mean recall of held-out cells, from none to all.
    gain
        Mean recall that a doubling is expected to add: half of what the last one added.
    low, high
        Its 95 % interval, as if one more cell had changed sides: no change among few cells is no certainty.
    """

    curve: tuple[tuple[int, float], ...]
    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class AdaptReport:
    """What adapting did.

    Attributes
    ----------
    species
        Species of the labelled cells.
    cells_per_class
        Labelled cells of each class.
    new_classes
        New class to the class whose weights it began with, "" for the mean of all.
    matched
        Label to class of the model and reason, where the label is not the very name of the class.
    contradicted
        Classes without a label that labels contradict: what the model calls so, people call otherwise.
    left_out
        Classes without a label that were left out, the labels being those of all classes of the target.
    start
        ``"source"``, ``"target shift"`` or ``"label shift"``.
    aligned
        Whether the species shift is settled: it is then not taken off again on cells of this species.
    strength
        alpha of the penalty.
    worth
        Share of the start in the mean with the fit from nothing: 1 to a half.
    held_out
        Labelled cells by models that have not seen them.
    doubtful
        Labelled cells that a model which has not seen them calls otherwise, with a probability of at least
        0.8: ``cell``, ``label``, ``called``, ``confidence``; the surest first.
    target_cells
        Cells of the target that were labelled before and after; 0 without a target.
    moved
        Target cells whose label changed, ``from``, ``to``, ``cells``, the most first, at most 20 rows.
    n_moved
        All of them.
    labels
        For each label that came or went, ``label``, ``before`` and ``after`` (its cells), ``came`` and
        ``left``; the most first.
    more_labels
        What more labels may bring; None where there are too few to tell.
    """

    species: str
    cells_per_class: dict[str, int]
    new_classes: dict[str, str]
    matched: dict[str, tuple[str, str]]
    contradicted: tuple[str, ...]
    left_out: tuple[str, ...]
    start: str
    aligned: bool
    strength: float
    worth: float
    held_out: HeldOut
    doubtful: tuple[dict[str, Any], ...]
    target_cells: int
    moved: tuple[dict[str, Any], ...]
    n_moved: int
    labels: tuple[dict[str, Any], ...]
    more_labels: MoreLabels | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        found = asdict(self)
        found["matched"] = {name: list(pair) for name, pair in self.matched.items()}
        for name in ("contradicted", "left_out", "doubtful", "moved", "labels"):
            found[name] = list(found[name])
        found["held_out"]["by_class"] = list(self.held_out.by_class)
        if self.more_labels is not None:
            found["more_labels"]["curve"] = [list(point) for point in self.more_labels.curve]
        return found

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def judging_weights(true: NDArray[np.intp]) -> Floats:
    """Return what each cell counts, shape (n,): classes alike, if possible without those of one cell.

    >>> judging_weights(np.array([0, 0, 1, 2, 2])).tolist()
    [0.25, 0.25, 0.0, 0.25, 0.25]
    """
    several = np.bincount(true)[true] > 1
    return class_weights(true, sample_weight=several.astype(np.float64) if several.any() else None)


def held_out_scores(
    before: Floats, after: Floats, true: NDArray[np.intp], *, classes: NDArray[np.object_]
) -> HeldOut:
    """Return how held-out labelled cells are called before and after.

    Parameters
    ----------
    before
        Scores of the labelled cells before adapting, shape (n_labelled, n_classes).
    after
        Scores by fits that have not seen them, of the same shape.
    true
        Their classes, shape (n_labelled,).
    classes
        Names of the classes.
    """
    weights = judging_weights(true)
    right = np.stack([before.argmax(axis=1) == true, after.argmax(axis=1) == true])
    return HeldOut(
        cells=len(true),
        loss_before=float(weights @ capped_losses(before, true)),
        loss_after=float(weights @ capped_losses(after, true)),
        recall_before=float(weights @ right[0]),
        recall_after=float(weights @ right[1]),
        by_class=tuple(
            {
                "class": str(classes[k]),
                "cells": int((true == k).sum()),
                "recall_before": float(right[0, true == k].mean()),
                "recall_after": float(right[1, true == k].mean()),
            }
            for k in np.unique(true)
        ),
    )


def doubtful_labels(
    held_out: Floats,
    true: NDArray[np.intp],
    *,
    cells: NDArray[np.object_],
    classes: NDArray[np.object_],
) -> tuple[dict[str, Any], ...]:
    """Return labelled cells that are called otherwise, with confidence, by a model that has not seen them.

    Parameters
    ----------
    held_out
        Scores by fits that have not seen them, shape (n_labelled, n_classes).
    true
        Their classes, shape (n_labelled,).
    cells
        Their names.
    classes
        Names of the classes.
    """
    proba = softmax(held_out)
    called, sure = proba.argmax(axis=1), proba.max(axis=1)
    places = np.flatnonzero((called != true) & (sure >= DOUBTFUL))
    return tuple(
        {
            "cell": str(cells[i]),
            "label": str(classes[true[i]]),
            "called": str(classes[called[i]]),
            "confidence": round(float(sure[i]), 4),
        }
        for i in places[np.argsort(-sure[places], kind="stable")]
    )


def moves(before: NDArray[np.object_], after: NDArray[np.object_]) -> tuple[dict[str, Any], ...]:
    """Return how many cells went from one label to another, the most first."""
    pairs = pd.DataFrame({"from": before.astype(str), "to": after.astype(str)})
    counts = pairs[pairs["from"] != pairs["to"]].groupby(["from", "to"]).size().reset_index(name="cells")
    found = counts.sort_values(["cells", "from", "to"], ascending=[False, True, True])
    return tuple(
        {"from": str(a), "to": str(b), "cells": int(n)}
        for a, b, n in found.itertuples(index=False, name=None)
    )


def changes(before: NDArray[np.object_], after: NDArray[np.object_]) -> tuple[dict[str, Any], ...]:
    """Return for each label that came or went how many cells had and have it, the most changed first."""
    a, b = before.astype(str), after.astype(str)
    found = [
        {
            "label": str(name),
            "before": int((a == name).sum()),
            "after": int((b == name).sum()),
            "came": int(((b == name) & (a != name)).sum()),
            "left": int(((a == name) & (b != name)).sum()),
        }
        for name in np.union1d(a, b)
    ]
    changed = [each for each in found if each["came"] or each["left"]]
    return tuple(sorted(changed, key=lambda each: -each["came"] - each["left"]))


def more_labels(before: Floats, after: Floats, refit: Refit, *, random_state: int) -> MoreLabels | None:
    """Return what twice as many labels may bring, None where there are too few to tell.

    Parameters
    ----------
    before
        Scores of the labelled cells before adapting, shape (n_labelled, n_classes).
    after
        Scores by fits that have not seen them, of the same shape.
    refit
        The fits that gave them.
    random_state
        Decides which cells are left out; smaller parts are parts of larger ones.
    """
    evidence = refit.evidence
    n = evidence.n_labelled
    true = evidence.codes[:n]
    several = np.bincount(true)[true] >= 2
    if n < FEWEST_FOR_CURVE or several.mean() < 0.5:
        return None
    weights = judging_weights(true)
    right = [before.argmax(axis=1) == true]
    for share in SHARES[:-1]:
        scores = refit.held_out(share=share, random_state=random_state)
        right.append(scores.argmax(axis=1) == true)
    right.append(after.argmax(axis=1) == true)
    learned = [round(share * n * (1 - 1 / (1 + int(evidence.folds.max())))) for share in (0.0, *SHARES)]
    ahead = right[-1].astype(np.float64) - right[-2]
    last = float(weights @ ahead)
    error = 1.96 * float(np.sqrt((weights**2) @ (ahead - last) ** 2 + weights.max() ** 2))
    curve = tuple((cells, float(weights @ each)) for cells, each in zip(learned, right, strict=True))
    return MoreLabels(curve=curve, gain=last / 2, low=(last - error) / 2, high=(last + error) / 2)


def _lines(report: AdaptReport) -> list[str]:
    cells, held = sum(report.cells_per_class.values()), report.held_out
    lines = [
        f"learned from {numbered(cells, f'{report.species} cell', f'{report.species} cells')} of "
        + numbered(len(report.cells_per_class), "class", "classes"),
        f"start: {report.start}, worth {report.worth:.2g}; strength {report.strength:.3g}",
        f"mean recall of held-out labelled cells: {held.recall_before:.2f} before, "
        f"{held.recall_after:.2f} after" + (f", {held.left_out}" if held.left_out else ""),
    ]
    lines += [f"new class: {name}" + _begun(relative) for name, relative in report.new_classes.items()]
    lines += [f"{name} is {other}: {why}" for name, (other, why) in report.matched.items()]
    lines += [
        f"{name} gives way to labels; if it is there, label a cell of it" for name in report.contradicted
    ]
    if report.left_out:
        before = {row["label"]: row["before"] for row in report.labels}
        called = [f"{name} ({before.get(name, 0):,})" for name in report.left_out]
        lines.append(f"left out, without a label (cells that were called so): {', '.join(called)}")
    if report.target_cells:
        lines.append(f"labels that changed: {report.n_moved:,} of {report.target_cells:,} cells")
        lines += [f"  {move['cells']:,}  {move['from']} -> {move['to']}" for move in report.moved[:10]]
    if report.doubtful:
        lines.append(f"labels to look at again: {len(report.doubtful):,}, called otherwise when left out")
        lines += [
            f"  {each['cell']}: labelled {each['label']}, called {each['called']} ({each['confidence']:.2f})"
            for each in report.doubtful[:10]
        ]
    return [*lines, _outlook(report.more_labels)]


def _begun(relative: str) -> str:
    return f", begun as {relative}" if relative else ""


def _outlook(found: MoreLabels | None) -> str:
    if found is None:
        return "what more labels may bring cannot be told from these"
    return (
        f"twice as many labels may add {100 * found.gain:+.1f} points of mean recall "
        f"(95 % interval {100 * found.low:+.1f} to {100 * found.high:+.1f})"
    )


def as_pairs(matched: Mapping[str, str], known: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return label to class and reason."""
    return {name: (known[name], reason) for name, reason in matched.items()}
