"""A few labelled cells around a model or around nothing: every strength and every fold in a millisecond.

The objective of :mod:`orthotype.models.linear.solve` on the reduced rows of its ``span``::

    sum_i s_i CE(softmax(W x_i + b), y_i)  +  alpha / 2 || W - W0 ||^2

with balanced classes, and W0 the weights to adapt, zero to start from nothing. Classes without a cell take no
part. Where they must stay in the softmax, see :mod:`orthotype.models.linear.refit`.
"""

import warnings
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from orthotype.errors import ConvergenceWarning
from orthotype.models.folds import make_folds
from orthotype.models.linear.loss import class_weights
from orthotype.models.linear.matrix import as_rows
from orthotype.models.linear.softmax import row_losses
from orthotype.models.linear.solve import solve, warn_not_converged
from orthotype.models.linear.span import Span

Floats = NDArray[np.float64]

# Strengths tried, strong (hardly leaves the model) to weak (hardly remembers it).
STRENGTHS: Final = np.logspace(2, -3, 6)
TOL, MAX_ITER = 1e-6, 200
NOTHING_LEFT = 1e-6


class Weights(Protocol):
    """Weights (n_classes, n_features) and intercepts (n_classes,) of a multinomial regression."""

    @property
    def coef(self) -> NDArray[np.floating]:
        """Weights."""

    @property
    def intercept(self) -> NDArray[np.floating]:
        """Intercepts."""


class FewCells:
    """A few labelled cells in the span of their rows, where one strength is fitted in a millisecond.

    Every strength and every fold is a fit of the same reduced rows: a fold is weights of zero.

    Parameters
    ----------
    X
        Encoded cells x genes.
    codes
        Their classes.
    before
        The model to start from; classes without a cell keep what it says of them.
    centred
        Whether the penalty pulls to its weights, or to zero.
    """

    def __init__(self, X: Any, codes: NDArray[np.integer], before: Weights, *, centred: bool) -> None:
        self.codes, self.before, self.centred = codes, before, centred
        rows = as_rows(X.astype(np.float64))
        prior = before.coef.astype(np.float64)
        self.span = Span(rows, prior)
        level = np.asarray(before.intercept, dtype=np.float64) + prior @ np.asarray(
            X.mean(axis=0), dtype=np.float64
        )
        self.start = (np.asarray(self.span.prior, dtype=np.float64), level)

    def fit(self, alpha: float, *, used: NDArray[np.bool_] | None = None) -> tuple[Floats, Floats]:
        """Return weights and intercepts on the reduced rows, from the cells that are used.

        Cells that are all called with certainty leave no loss that a gap could be relative to; a fit that
        ends there is not reported as unfinished.
        """
        if alpha == np.inf:
            return self.start
        given = None if used is None else used.astype(np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = solve(
                self.span.rows,
                self.codes,
                n_classes=len(self.before.intercept),
                alpha=alpha,
                sample_weight=class_weights(self.codes, sample_weight=given),
                center=self.start[0] if self.centred else None,
                start=self.start if self.centred else None,
                tol=TOL,
                max_iter=MAX_ITER,
                method="lbfgs",
            )
        if not found.converged and found.objective > NOTHING_LEFT:
            warn_not_converged(found.diagnostics, TOL)
        return np.asarray(found.coef, dtype=np.float64), found.intercept.astype(np.float64)

    def expanded(self, alpha: float) -> tuple[Floats, Floats]:
        """Return the fit to all cells as weights on genes and intercepts of raw rows."""
        coef, intercept = self.span.expand(*self.fit(alpha))
        return np.asarray(coef, dtype=np.float64), np.asarray(intercept, dtype=np.float64)

    def choose(self, n_splits: int, seed: int) -> float:
        """Return the strength with the lowest held-out loss, the stronger among equals.

        Around a source model, infinity is among them: the source as it is, intercepts and all, where nothing
        predicts the held-out cells better. Every class weighs the same. From nothing, a held-out cell whose
        class no other cell has is left out.
        """
        if (np.bincount(self.codes) >= 2).sum() < 2:
            return float(STRENGTHS[-1])
        strengths = [np.inf, *STRENGTHS.tolist()] if self.centred else STRENGTHS.tolist()
        folds = make_folds(
            self.codes.astype(np.intp), n_splits=min(n_splits, len(self.codes)), random_state=seed
        )
        weights = class_weights(self.codes)
        losses = np.zeros(len(strengths))
        for fold in np.unique(folds):
            used = folds != fold
            if len(np.unique(self.codes[used])) < 2:
                continue
            test = ~used & (np.isin(self.codes, self.codes[used]) | self.centred)
            for i, alpha in enumerate(strengths):
                coef, intercept = self.fit(alpha, used=used)
                scores = self.span.rows.scores(coef.T, intercept)[test]
                losses[i] += weights[test] @ row_losses(scores, self.codes[test])
        return float(strengths[int(np.argmin(losses))])
