"""The fit of a few labelled cells around the start: one prior for every number of cells.

The start's scores are scaled by what they are worth, and its weights so scaled are the centre of the penalty.
In the sum over cells the prior has one strength, so that it speaks loudest where labels are few and is worth
ever less per cell::

    min over dW, db of   mean loss of softmax(v S + dW x + db)  +  alpha / 2 ( |dW|^2 + |db|^2 / kappa )
    alpha = 0.0024 t / n

with S the scores of the start, n labelled cells, and lengths and t, the mean squared length of the centred
rows, in the metric of the target's unlabelled cells (:mod:`orthotype.models.linear.reduced`). The worth
v is one; a half, a quarter, a tenth or a fiftieth if labelled cells that are held out are called better so:
of a source that is no guide the part outside the span of the few cells is noise, which no number of labels
takes away. Classes weigh alike in the mean loss, but one
without a label, for which anchors stand (:mod:`orthotype.transfer.adapt.anchors`), a tenth: enough to stay
reachable, too little to take cells from those with labels if the target has none of it.

Nothing else is chosen on the labelled cells, which are too few to choose.
"""

from copy import copy
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.models.linear.loss import class_weights
from orthotype.models.linear.path import stratified_folds
from orthotype.models.linear.reduced import FewRows, Metric
from orthotype.models.linear.refit import refit_path
from orthotype.transfer.adapt.anchors import Anchors
from orthotype.transfer.adapt.starts import Start, capped_losses

Floats = NDArray[np.float64]

WORTHS: Final = (1.0, 0.5, 0.25, 0.1, 0.02)
STRENGTH: Final = 0.0024
ANCHORS_WEIGH: Final = 0.1
N_FOLDS: Final = 5


@dataclass(frozen=True, eq=False)
class Evidence:
    """Labelled cells first, then anchors of classes without a label.

    Attributes
    ----------
    X
        Encoded cells, shape (n, n_features).
    codes
        Classes, shape (n,).
    folds
        Fold in which each labelled cell is held out, shape (n_labelled,).
    moving
        Classes with a labelled cell, shape (n_classes,).
    contradicted
        Classes that labelled cells contradict, shape (n_classes,): they have to learn that, too.
    """

    X: sp.csr_array
    codes: NDArray[np.intp]
    folds: NDArray[np.intp]
    moving: NDArray[np.bool_]
    contradicted: NDArray[np.bool_]

    @classmethod
    def of(
        cls, X: sp.csr_array, codes: NDArray[np.intp], anchors: Anchors, *, random_state: int
    ) -> "Evidence":
        """Join labelled cells and anchors."""
        folds = stratified_folds(codes, n_splits=min(N_FOLDS, len(codes)), random_state=random_state)
        return cls(
            sp.csr_array(sp.vstack([X, anchors.X], format="csr")),
            np.concatenate([codes, anchors.codes]),
            folds.astype(np.intp),
            np.bincount(codes, minlength=len(anchors.contradicted)) > 0,
            anchors.contradicted,
        )

    @property
    def n_labelled(self) -> int:
        """Labelled cells."""
        return len(self.folds)

    def weights(self, used: NDArray[np.bool_] | None = None) -> Floats:
        """Return the weight of each row, summing to one; ``used`` for some of the labelled cells alone."""
        kept = np.ones(len(self.codes), dtype=np.float64)
        if used is not None:
            kept[: self.n_labelled] = used
        found = class_weights(self.codes, sample_weight=kept)
        found[self.n_labelled :] *= ANCHORS_WEIGH
        return np.asarray(found / found.sum())


class Refit:
    """The fit around one start on one set of rows.

    Parameters
    ----------
    evidence
        The rows.
    start
        The model to start from.
    metric
        How alike two rows are; None for all genes alike.
    strength
        alpha; ``"auto"`` for the one prior.

    Attributes
    ----------
    worth
        v, what the start's scores are worth.
    """

    def __init__(
        self,
        evidence: Evidence,
        start: Start,
        *,
        metric: Metric | None = None,
        strength: float | str = "auto",
    ) -> None:
        self.evidence, self.worth = evidence, WORTHS[0]
        self.few = FewRows(evidence.X, evidence.weights(), metric)
        self._scores = start.scores(evidence.X)
        own = STRENGTH * max(self.few.total, np.finfo(np.float64).tiny) / evidence.n_labelled
        self.strength = own if strength == "auto" else float(strength)

    @property
    def offsets(self) -> Floats:
        """What the start says of all rows, at its worth, shape (n, n_classes)."""
        return self.worth * self._scores

    def at(self, worth: float) -> "Refit":
        """Return the same fit with the start at another worth."""
        other = copy(self)
        other.worth = worth
        return other

    def fit(
        self, used: NDArray[np.bool_] | None = None, *, strength: float | None = None
    ) -> tuple[Floats, Floats]:
        """Return the change theta and the scores of all rows; ``used`` to learn from some cells alone."""
        evidence = self.evidence
        weights, codes = evidence.weights(used), evidence.codes
        here = slice(evidence.n_labelled)
        seen = np.bincount(codes[here], weights=weights[here] > 0, minlength=len(evidence.moving)) > 0
        seen |= evidence.contradicted
        alpha = self.strength if strength is None else strength
        (theta,) = refit_path(self.few, self.offsets, codes, weights, moving=seen, alphas=[alpha])
        return theta, self.offsets + self.few.rows @ theta[:-1] + theta[-1]

    def held_out(self, *, share: float = 1.0, random_state: int = 0) -> Floats:
        """Return scores of labelled cells by fits that have not seen them, shape (n_labelled, n_classes).

        Parameters
        ----------
        share
            Share of the other labelled cells of each class that are learned from, at least one.
        random_state
            Decides which; a smaller share is part of a larger one.
        """
        evidence = self.evidence
        found = np.empty((evidence.n_labelled, self.offsets.shape[1]))
        order = np.random.default_rng(random_state).permutation(evidence.n_labelled)
        for fold in range(int(evidence.folds.max()) + 1):
            used, test = evidence.folds != fold, evidence.folds == fold
            if share < 1.0:
                used = self._part(used, order, share)
            learned = max(int(used.sum()), 1)
            strength = self.strength * evidence.n_labelled / learned
            scores = self.fit(used, strength=strength)[1] if used.any() else self.offsets
            found[test] = scores[: evidence.n_labelled][test]
        return found

    def _part(self, used: NDArray[np.bool_], order: NDArray[np.intp], share: float) -> NDArray[np.bool_]:
        """Return a share of the cells of each class, at least one."""
        codes, kept = self.evidence.codes[: len(used)], np.zeros(len(used), dtype=bool)
        for k in np.flatnonzero(self.evidence.moving):
            of_class = order[(codes[order] == k) & used[order]]
            kept[of_class[: max(1, round(share * len(of_class)))]] = True
        return kept


def chosen(
    evidence: Evidence, start: Start, *, metric: Metric | None = None, strength: float | str = "auto"
) -> tuple[Refit, Floats]:
    """Return the fit that calls held-out labelled cells best, with their scores.

    Parameters
    ----------
    evidence, start, metric, strength
        As for :class:`Refit`.
    """
    first = Refit(evidence, start, metric=metric, strength=strength)
    fits = [first.at(worth) for worth in WORTHS]
    held_out = [fit.held_out() for fit in fits]
    codes = evidence.codes[: evidence.n_labelled]
    weights = class_weights(codes)
    losses = np.array([capped_losses(scores, codes) for scores in held_out])
    best = int(np.argmin(losses @ weights)) if evidence.n_labelled > 1 else 0
    return fits[best], held_out[best]
