"""What a few labelled cells teach: the mean of a fit around the start and of one from nothing.

*Around the start*, its weights are the centre of the penalty. In the sum over cells the prior has one
strength, so that it speaks loudest where labels are few and is worth ever less per cell::

    min over dW, db of   mean loss of softmax(S + dW x + db)  +  alpha / 2 ( |dW|^2 + |db|^2 / kappa )
    alpha = 0.0024 t / n

with S the scores of the start, n labelled cells, and lengths and t, the mean squared length of the centred
rows, in the metric of the target's unlabelled cells (:mod:`orthotype.models.linear.reduced`). A single cell
is mostly noise: rows are moved along the axes of the metric to where the cells most like them lie.

*From nothing*, least squares tell every labelled class from all others by one and zero, times seven
(:mod:`orthotype.models.linear.ridge`), all genes alike, no row moved, at the same alpha. They know no source
that could mislead them. With 2.5 labels per class or less, the cells that labels reach by the fit around the
start (:mod:`orthotype.transfer.adapt.walk`) are one label more of their class. Of the mean this fit has half
from two labels per class on, cells reached included, nothing where every class has a single one, and a share
in between; the start is worth the rest. Two fits that err differently are better together than either.

Classes weigh alike. Around the start, a stand-in counts beside the labels of a class as one more. A class
without a label, for which anchors stand (:mod:`orthotype.transfer.adapt.anchors`), weighs a tenth to three
tenths of that. From nothing, anchors that are cells of the target are told from all other classes by 5 p,
with p what the start gives their class: those it is sure of are held, without taking more than a label would.

Both strengths are chosen, and labels doubted, by what fits say of labelled cells that they have not seen
(:mod:`orthotype.transfer.adapt.choice`); nothing else is chosen on them.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.models.linear.loss import class_weights
from orthotype.models.linear.path import stratified_folds
from orthotype.models.linear.reduced import FewRows, Metric, Products
from orthotype.models.linear.refit import refit_path
from orthotype.models.linear.ridge import LeastSquares, least_squares
from orthotype.models.linear.softmax import softmax
from orthotype.transfer.adapt.anchors import Anchors
from orthotype.transfer.adapt.starts import Start
from orthotype.transfer.adapt.walk import Walk

Floats = NDArray[np.float64]

STRENGTH: Final = 0.0024
FROM_NOTHING: Final = 0.5
SURE: Final = 7.0
ANCHORS_SURE: Final = 5.0
N_FOLDS: Final = 5


@dataclass(frozen=True, eq=False)
class Evidence:
    """Labelled cells first, then cells that stand for classes.

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
    found
        Classes without a label for which cells of the target stand, shape (n_classes,).
    answered
        Whether classes with a label, and those that labels contradict, cover the target.
    weigh
        What an anchored class weighs in the balance of classes.
    moved
        How far each row is moved along the axes of the metric, shape (n, n_axes), or None.
    n_reached
        How many rows, the last ones, are cells that labels reach.
    """

    X: sp.csr_array
    codes: NDArray[np.intp]
    folds: NDArray[np.intp]
    moving: NDArray[np.bool_]
    contradicted: NDArray[np.bool_]
    found: NDArray[np.bool_]
    answered: bool
    weigh: float
    moved: Floats | None = None
    n_reached: int = 0

    @classmethod
    def of(
        cls,
        X: sp.csr_array,
        codes: NDArray[np.intp],
        anchors: Anchors,
        *,
        random_state: int,
        moved: Floats | None = None,
    ) -> "Evidence":
        """Join labelled cells, which may be moved, and anchors, which stay where they are."""
        folds = stratified_folds(codes, n_splits=min(N_FOLDS, len(codes)), random_state=random_state)
        if moved is not None:
            moved = np.concatenate([moved, np.zeros((len(anchors.codes), moved.shape[1]))])
        return cls(
            sp.csr_array(sp.vstack([X, anchors.X], format="csr")),
            np.concatenate([codes, anchors.codes]),
            folds.astype(np.intp),
            np.bincount(codes, minlength=len(anchors.contradicted)) > 0,
            anchors.contradicted,
            anchors.found,
            anchors.answered,
            anchors.weigh,
            moved,
        )

    def joined(self, X: sp.csr_array, codes: NDArray[np.intp]) -> "Evidence":
        """Return the same with cells that labels reach, and their classes, none of them moved."""
        return replace(
            self,
            X=sp.csr_array(sp.vstack([self.X, X], format="csr")),
            codes=np.concatenate([self.codes, codes]),
            moved=None,
            n_reached=len(codes),
        )

    @property
    def n_labelled(self) -> int:
        """Labelled cells."""
        return len(self.folds)

    @property
    def share_from_nothing(self) -> float:
        """Share of the fit from nothing in the mean, 0 to a half: by labels, and cells reached, per class."""
        per_class = (self.n_labelled + self.n_reached) / max(int(self.moving.sum()), 1)
        return FROM_NOTHING * min(per_class - 1.0, 1.0)

    def learned(self, counts: NDArray[Any] | None = None) -> NDArray[np.bool_]:
        """Return the classes of labelled cells that count, and those that labels contradict."""
        own = self.codes[: self.n_labelled]
        here = np.bincount(own, weights=counts, minlength=len(self.moving)) > 0
        return np.asarray(here | self.contradicted)

    def weights(self, counts: NDArray[Any] | None = None, *, stand_ins: bool = True) -> Floats:
        """Return the weight of each row, summing to one.

        Parameters
        ----------
        counts
            How much each labelled cell counts, shape (n_labelled,); all 1 by default. Without its labels the
            stand-in of a class says nothing either, and what labels reach nothing without all of them.
        stand_ins
            Whether those count at all.
        """
        n, last = self.n_labelled, len(self.codes) - self.n_reached
        kept = np.ones(len(self.codes), dtype=np.float64)
        if counts is not None:
            kept[:n] = counts
        stands_in = self.moving[self.codes[n:]]
        silent = stands_in & ~self.learned(counts)[self.codes[n:]] if stand_ins else stands_in
        kept[n:last][silent[: last - n]] = 0.0
        if counts is not None:
            kept[last:][np.isin(self.codes[last:], self.codes[:n][np.asarray(counts) == 0])] = 0.0
        found = class_weights(self.codes, sample_weight=kept)
        found[n:][~stands_in] *= self.weigh
        return np.asarray(found / found.sum())

    def strength(self, total: float) -> float:
        """Return the one strength for rows of a mean squared length."""
        return STRENGTH * max(total, float(np.finfo(np.float64).tiny)) / self.n_labelled

    def part(self, used: NDArray[np.bool_], order: NDArray[np.intp], share: float) -> NDArray[np.bool_]:
        """Return a share of the used cells of each class, at least one, the first in an order."""
        codes, kept = self.codes[: len(used)], np.zeros(len(used), dtype=bool)
        for k in np.flatnonzero(self.moving):
            of_class = order[(codes[order] == k) & used[order]]
            kept[of_class[: max(1, round(share * len(of_class)))]] = True
        return kept


class AroundStart:
    """The fit around a start.

    Parameters
    ----------
    evidence
        The rows; they are moved if there is a metric.
    start
        The model to start from.
    metric
        How alike two rows are; None for all genes alike.
    strength
        alpha; ``"auto"`` for the one prior.
    """

    def __init__(
        self,
        evidence: Evidence,
        start: Start,
        *,
        metric: Metric | None = None,
        strength: float | str = "auto",
    ) -> None:
        self.evidence, self._start = evidence, start
        moved = None if metric is None else evidence.moved
        self.few = FewRows(evidence.X, evidence.weights(), metric, moved)
        self.before = self._offsets = start.scores(self.few.products.X)
        if metric is not None and moved is not None:
            self._offsets = self.before + moved @ (metric.axes @ start.coef.T)
        self.strength = evidence.strength(self.few.total) if strength == "auto" else float(strength)

    def fit(self, counts: NDArray[Any] | None = None, *, stronger: float = 1.0) -> tuple[Floats, Floats]:
        """Return the change theta and the scores of all rows, unmoved.

        Parameters
        ----------
        counts
            How much each labelled cell counts.
        stronger
            Factor of the strength.
        """
        evidence = self.evidence
        (theta,) = refit_path(
            self.few,
            self._offsets,
            evidence.codes,
            evidence.weights(counts),
            moving=evidence.learned(counts),
            alphas=[self.strength * stronger],
        )
        return theta, self.before + self.few.unmoved @ theta[:-1] + theta[-1]

    def said(self, X: sp.csr_array) -> Floats:
        """Return the scores of other encoded cells, shape (n, n_classes)."""
        coef, intercept = self.few.expand(self.fit()[0])
        return np.asarray(self._start.scores(X) + X @ coef.T + intercept)


class FromNothing:
    """The fit from nothing.

    Parameters
    ----------
    evidence
        The rows.
    products
        Their inner products.
    before
        Scores of the start, of labelled cells and anchors.
    """

    def __init__(self, evidence: Evidence, products: Products, before: Floats) -> None:
        self.evidence, self._products = evidence, products
        centre = np.asarray(products.X.T @ evidence.weights(stand_ins=False))
        _, lengths, _ = products.centred(centre, Metric.plain(len(centre)))
        self.strength = evidence.strength(float(lengths.mean()))
        rows = np.arange(len(evidence.codes))
        n, last = evidence.n_labelled, len(rows) - evidence.n_reached
        sure = np.where((rows < n) | (rows >= last), SURE, 0.0)
        believed = softmax(before[n:])[rows[: last - n], evidence.codes[n:last]]
        sure[n:last] = np.where(evidence.found[evidence.codes[n:last]], ANCHORS_SURE * believed, 0.0)
        self._targets = np.zeros((len(rows), len(evidence.moving)))
        self._targets[rows, evidence.codes] = sure

    def fit(self, counts: NDArray[Any] | None = None, *, stronger: float = 1.0) -> LeastSquares:
        """Fit labelled cells that count so much."""
        weights = self.evidence.weights(counts, stand_ins=False)
        return least_squares(self._products, self._targets, weights, alpha=self.strength * stronger)


class Refit:
    """The mean of the fit around a start and of the one from nothing.

    Parameters
    ----------
    evidence, start, metric
        As for :class:`AroundStart`.
    walk
        What walks from the labels say of unlabelled cells, or None.
    strength
        ``"auto"``, or alpha of the fit around the start alone.

    Attributes
    ----------
    worth
        What the start's scores are worth in the mean.
    factors
        Of the strengths around the start and from nothing.
    """

    def __init__(
        self,
        evidence: Evidence,
        start: Start,
        *,
        metric: Metric | None = None,
        walk: Walk | None = None,
        strength: float | str = "auto",
    ) -> None:
        self.evidence, self.start = evidence, start
        self.around = AroundStart(evidence, start, metric=metric, strength=strength)
        alone, products = evidence, self.around.few.products
        if walk is not None and strength == "auto":
            alone = evidence.joined(*walk.reached(self.around.said(walk.X)))
            products = Products.of(alone.X)
        self.worth = 1.0 - alone.share_from_nothing if strength == "auto" else 1.0
        self._alone = FromNothing(alone, products, self.around.before)
        self.factors = 1.0, 1.0

    def stronger(self, around: float, alone: float) -> "Refit":
        """Return the fits at so many times the strength around the start, and from nothing."""
        found = copy(self)
        found.factors = around, alone
        return found

    @property
    def strength(self) -> float:
        """Strength alpha of the fit around the start."""
        return self.around.strength * self.factors[0]

    def change(self, counts: NDArray[Any] | None = None) -> tuple[Floats, Floats]:
        """Return what is added to the start's weights and intercepts at their worth."""
        coef, intercept = self.around.few.expand(self.around.fit(counts, stronger=self.factors[0])[0])
        if self.worth == 1.0:
            return coef, intercept
        alone = self._alone.fit(counts, stronger=self.factors[1]).expand()
        return self.mean(coef, alone[0]), self.mean(intercept, alone[1])

    def scores(self, X: sp.csr_array, counts: NDArray[Any] | None = None) -> Floats:
        """Return the logits of encoded cells, shape (n, n_classes)."""
        coef, intercept = self.change(counts)
        return np.asarray(self.worth * self.start.scores(X) + X @ coef.T + intercept)

    def held_out(self, *, share: float = 1.0, random_state: int = 0) -> Floats:
        """Return scores of labelled cells by fits that have not seen them, shape (n_labelled, n_classes).

        Parameters
        ----------
        share
            Share of the other labelled cells of each class that are learned from, at least one.
        random_state
            Decides which; a smaller share is part of a larger one.
        """
        around = self.around_held_out(share=share, random_state=random_state)
        if self.worth == 1.0:
            return around
        return self.mean(around, self.alone_held_out(share=share, random_state=random_state))

    def around_held_out(self, *, share: float = 1.0, random_state: int = 0) -> Floats:
        """Return the same by the fit around the start alone."""
        n, times = self.evidence.n_labelled, self.factors[0]

        def said(used: NDArray[np.bool_], stronger: float) -> Floats:
            return self.around.fit(used, stronger=times * stronger)[1][:n]

        return self._held_out(said, self.around.before[:n], share, random_state)

    def alone_held_out(self, *, share: float = 1.0, random_state: int = 0) -> Floats:
        """Return the same by the fit from nothing alone."""
        n, times = self.evidence.n_labelled, self.factors[1]

        def said(used: NDArray[np.bool_], stronger: float) -> Floats:
            return self._alone.fit(used, stronger=times * stronger).scores[:n]

        return self._held_out(said, np.zeros_like(self.around.before[:n]), share, random_state)

    def mean(self, around: Floats, alone: Floats) -> Floats:
        """Return the mean of what both fits say, each at its worth."""
        return np.asarray(self.worth * around + (1.0 - self.worth) * alone)

    def _held_out(
        self,
        said: Callable[[NDArray[np.bool_], float], Floats],
        before: Floats,
        share: float,
        random_state: int,
    ) -> Floats:
        """Return what is said of each fold by fits of the others, or before any where there are none."""
        evidence, found = self.evidence, before.copy()
        n = evidence.n_labelled
        order = np.random.default_rng(random_state).permutation(n)
        for fold in range(int(evidence.folds.max()) + 1):
            used, test = evidence.folds != fold, evidence.folds == fold
            if share < 1.0:
                used = evidence.part(used, order, share)
            if used.any():
                found[test] = said(used, n / int(used.sum()))[test]
        return found
