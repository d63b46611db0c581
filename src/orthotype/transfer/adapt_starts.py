"""Where adapting starts: the source model as it is, or with a species shift taken off, and cells to lean on.

Three starts, each a model whose probabilities mean what they say (its temperature is in its weights):

source
    as it was trained
target shift
    the shift of :mod:`orthotype.models.shift`, from unlabelled cells of the target, and their margins
label shift
    the same with the labels in the place of calls: d_c is the mean of the cells labelled c minus the mean of
    class c in the source, and the step is what one labelled class foretells of another

Labels of a quarter of the classes say little of what all classes share: the label shift is taken where at
least three quarters of the model's classes have a label, else the shift of the unlabelled cells, else none.

Anchors are cells that stand for a class without a label, so that learning the others does not unlearn it: at
most five unlabelled target cells that the start calls so with a probability of at least a half, or, where
there are none or where as many labels contradict such calls as confirm them (the cells of a new class have to
be called something), one cell half the way from the centre of all classes to the mean of this one: nearer to
the other classes than real cells, it gives way first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.models.linear.softmax import row_losses, softmax
from orthotype.models.profiles import ClassProfiles, class_profiles, one_hot
from orthotype.models.shift import TAU, shared_part
from orthotype.transfer.state import ModelState

Floats = NDArray[np.float64]

CAP = 3.0
SOURCE, TARGET_SHIFT, LABEL_SHIFT = "source", "target shift", "label shift"
ANCHORS, SURE, HALF_WAY = 5, 0.5, 0.5
MOST_CLASSES = 0.75


@dataclass(frozen=True, eq=False)
class Start:
    """A model to start from: the mean over the fold models, on the scale of probabilities.

    Attributes
    ----------
    name
        ``"source"``, ``"target shift"`` or ``"label shift"``.
    heat
        The temperature that went into the weights.
    delta
        The shift that went into the intercepts, shape (n_features,).
    coef, intercept
        Shapes (n_classes, n_features) and (n_classes,).
    """

    name: str
    heat: float
    delta: Floats
    coef: Floats
    intercept: Floats

    @classmethod
    def of(cls, state: ModelState, *, name: str, heat: float, delta: NDArray[np.floating]) -> "Start":
        """Return the mean model of a state, shifted and heated."""
        coef = state.coef.mean(axis=0, dtype=np.float64)
        moved = state.intercept.mean(axis=0, dtype=np.float64) - coef @ delta
        return cls(name, heat, np.asarray(delta, dtype=np.float64), coef / heat, moved / heat)

    def scores(self, X: sp.csr_array) -> Floats:
        """Return the logits of encoded cells, shape (n, n_classes)."""
        return np.asarray(X @ self.coef.T, dtype=np.float64) + self.intercept


def label_shift(
    X: sp.csr_array, codes: NDArray[np.intp], profiles: ClassProfiles, *, known: NDArray[np.bool_]
) -> Floats:
    """Return the shift that labelled cells show, shape (n_features,); zero from fewer than two classes.

    Parameters
    ----------
    X
        Encoded labelled cells.
    codes
        Their classes.
    profiles
        Class means of the source.
    known
        Which classes the source has cells of, shape (n_classes,).
    """
    found = class_profiles([(X, one_hot(codes, len(known)))])
    weights = np.where(known & (profiles.n_cells > 0), found.n_cells / (found.n_cells + TAU), 0.0)
    if np.count_nonzero(weights) < 2:
        return np.zeros(X.shape[1])
    differences = np.where(weights[:, None] > 0, found.mean.astype(np.float64) - profiles.mean, 0.0)
    step, _ = shared_part(differences, weights)
    return np.asarray(step * (weights @ differences) / weights.sum())


def preferred(starts: Sequence[Start], codes: NDArray[np.intp], *, known: NDArray[np.bool_]) -> Start:
    """Return the label shift where most classes have a label, else the first start.

    Parameters
    ----------
    starts
        The candidates.
    codes
        Classes of the labelled cells.
    known
        Which classes the source has cells of, shape (n_classes,).
    """
    labelled = known & (np.bincount(codes, minlength=len(known)) > 0)
    enough = labelled.sum() >= max(2, MOST_CLASSES * known.sum())
    by_name = {start.name: start for start in starts}
    return by_name[LABEL_SHIFT] if enough else starts[0]


def capped_losses(scores: Floats, codes: NDArray[np.intp]) -> Floats:
    """Return the cross-entropy of each row, at most 3, so that a wrong label counts no more than a doubt.

    A cell to which its label's class gives a probability of 5 % has a loss of 3.
    """
    return np.minimum(row_losses(scores, codes), CAP)


def calls(start: Start, X: sp.csr_array, *, known: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the class that the start calls each cell with a probability of at least a half, -1 for none.

    Parameters
    ----------
    start
        The model to start from.
    X
        Encoded cells.
    known
        Which classes the source has cells of, shape (n_classes,): no cell is called another.
    """
    proba = softmax(np.where(known, start.scores(X), -np.inf))
    return np.where(proba.max(axis=1) >= SURE, proba.argmax(axis=1), -1).astype(np.intp)


def contradicted(called: NDArray[np.intp], codes: NDArray[np.intp], n_classes: int) -> NDArray[np.bool_]:
    """Return of which classes as many calls are contradicted by labels as confirmed, shape (n_classes,).

    Parameters
    ----------
    called
        From :func:`calls`, for labelled cells.
    codes
        Their classes.
    n_classes
        How many classes there are.
    """
    right = np.bincount(called[called == codes], minlength=n_classes)
    wrong = np.bincount(called[(called >= 0) & (called != codes)], minlength=n_classes)
    return np.asarray((wrong > 0) & (wrong >= right))


def anchor_cells(
    start: Start,
    profiles: ClassProfiles,
    *,
    known: NDArray[np.bool_],
    labelled: tuple[sp.csr_array, NDArray[np.intp]],
    unlabelled: sp.csr_array | None,
    random_state: int,
) -> tuple[sp.csr_array, NDArray[np.intp]]:
    """Return cells that stand for what the start knows, and their classes.

    Parameters
    ----------
    start
        The model to start from.
    profiles
        Class means of the source.
    known
        Which classes the source has cells of, shape (n_classes,).
    labelled
        Encoded labelled cells and their classes, which need no anchors.
    unlabelled
        Encoded cells of the target without a label, or None.
    random_state
        Decides which of the cells of a class.
    """
    X, given = labelled
    n_classes = len(known)
    bare = known & (np.bincount(given, minlength=n_classes) == 0)
    rows, codes, wanted = [], [], bare.copy()
    if unlabelled is not None and unlabelled.shape[0]:
        called = calls(start, unlabelled, known=known)
        doubted = contradicted(calls(start, X, known=known), given, n_classes)
        order = np.random.default_rng(random_state).permutation(len(called))
        for k in np.flatnonzero(wanted & ~doubted):
            chosen = np.sort(order[called[order] == k][:ANCHORS])
            rows.append(unlabelled[chosen])
            codes.append(np.full(len(chosen), k))
            bare[k] = not len(chosen)
    means = profiles.mean[known].astype(np.float64) + start.delta
    centre = means.mean(axis=0)
    half = np.maximum(centre + HALF_WAY * (means[bare[known]] - centre), 0.0)
    rows.append(sp.csr_array(half))
    codes.append(np.flatnonzero(bare))
    return sp.csr_array(sp.vstack(rows, format="csr")), np.concatenate(codes).astype(np.intp)
