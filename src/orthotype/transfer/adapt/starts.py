"""Where adapting starts: the source model as it is, or with a species shift taken off.

Three starts, each a model whose probabilities mean what they say (its temperature is in its weights):

source
    as it was trained
target shift
    the shift of :mod:`orthotype.models.shift`, from unlabelled cells of the target, and their margins
label shift
    the same with the labels in the place of calls: d_c is the mean of the cells labelled c minus the mean of
    class c in the source, and the step is what one labelled class foretells of another

A start may be far too sure, another species being what it has never seen. Its scores are scaled by v, as sure
as the labelled cells of its own classes show it to be before anything is learned from them: over n of them

    n (mean loss of softmax(v S), every class alike)  +  (log v)^2 / 2     is least, v at most 1

Few labels say little of what all classes share: the label shift is taken where at least three quarters of the
model's classes have two labels, else the shift of the unlabelled cells, else none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.models.linear.loss import class_weights
from orthotype.models.linear.softmax import row_losses
from orthotype.models.profiles import ClassProfiles, class_profiles, one_hot
from orthotype.models.shift import TAU, shared_part
from orthotype.transfer.state import ModelState

Floats = NDArray[np.float64]

CAP = 3.0
SCALES: Final = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05)
SOURCE, TARGET_SHIFT, LABEL_SHIFT = "source", "target shift", "label shift"
MOST_CLASSES, FEWEST_LABELS = 0.75, 2


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

    def tempered(self, v: float) -> "Start":
        """Return the same start, its scores scaled by v."""
        return replace(self, heat=self.heat / v, coef=self.coef * v, intercept=self.intercept * v)

    def scores(self, X: sp.csr_array | Floats) -> Floats:
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
    """Return the label shift where most classes have several labels, else the first start.

    Parameters
    ----------
    starts
        The candidates.
    codes
        Classes of the labelled cells.
    known
        Which classes the source has cells of, shape (n_classes,).
    """
    labelled = known & (np.bincount(codes, minlength=len(known)) >= FEWEST_LABELS)
    enough = labelled.sum() >= max(2, MOST_CLASSES * known.sum())
    by_name = {start.name: start for start in starts}
    return by_name[LABEL_SHIFT] if enough else starts[0]


def as_sure_as_right(
    start: Start, X: sp.csr_array, codes: NDArray[np.intp], *, known: NDArray[np.bool_]
) -> Start:
    """Return the start as sure as the labelled cells of its own classes show it to be.

    Parameters
    ----------
    start
        The start.
    X, codes
        Encoded labelled cells and their classes.
    known
        Which classes the source has cells of, shape (n_classes,).
    """
    own = known[codes]
    if not own.any():
        return start
    scores, true = start.scores(X[own]), codes[own]
    weights = len(true) * class_weights(true)
    costs = [float(weights @ row_losses(v * scores, true)) + np.log(v) ** 2 / 2 for v in SCALES]
    return start.tempered(SCALES[int(np.argmin(costs))])


def capped_losses(scores: Floats, codes: NDArray[np.intp]) -> Floats:
    """Return the cross-entropy of each row, at most 3, so that a wrong label counts no more than a doubt.

    A cell to which its label's class gives a probability of 5 % has a loss of 3.
    """
    return np.minimum(row_losses(scores, codes), CAP)
