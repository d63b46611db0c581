"""Our linear model as a learner of the study: the exact optimum, its penalty chosen within its own cells.

Source, few cells and nothing are one objective (:mod:`orthotype.models.linear.solve`)::

    sum_i s_i CE(softmax(W x_i + b), y_i)  +  alpha / 2 || W - W0 ||^2

with balanced classes, and W0 the source weights to adapt, zero to start from nothing. A source model carries
its temperature in its weights, W0 / T and b0 / T: what is held to is a model whose probabilities mean what
they say, on the scale on which the few cells speak.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.errors import ConvergenceWarning, InputError, ModelFileError, Problems
from orthotype.models.folds import make_folds
from orthotype.models.linear.choice import Rule
from orthotype.models.linear.loss import class_weights
from orthotype.models.linear.matrix import as_rows
from orthotype.models.linear.path import fit_path, stratified_folds
from orthotype.models.linear.softmax import row_losses, softmax
from orthotype.models.linear.solve import ABSENT, solve, warn_not_converged
from orthotype.models.linear.span import Span
from orthotype.models.linear.temperature import fit_temperature
from orthotype.study.learners import Arrays, Codes, FittedModel, Proba
from orthotype.transfer.adapting import STRENGTHS

Floats = NDArray[np.float64]

ARRAYS: Final = ("coef", "intercept")
TOL, MAX_ITER = 1e-6, 200
NOTHING_LEFT = 1e-6


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Weights of a multinomial regression.

    Attributes
    ----------
    coef, intercept
        Shapes (n_classes, n_features), float32, and (n_classes,), float64. A class that was never seen has
        weights of zero and an intercept of -1000: its probability is zero.
    """

    coef: NDArray[np.float32]
    intercept: Floats

    def scores(self, X: sp.csr_array) -> Floats:
        """Return the logits of encoded cells, shape (n, n_classes)."""
        return np.asarray(X @ np.ascontiguousarray(self.coef.T), dtype=np.float64) + self.intercept

    def predict_proba(self, X: sp.csr_array) -> Proba:
        """Return the class probabilities of encoded cells, shape (n, n_classes)."""
        return np.asarray(softmax(self.scores(X)), dtype=np.float64)

    def arrays(self) -> Arrays:
        """Return everything that was learned; :meth:`LinearLearner.load` reads it."""
        return {"coef": self.coef, "intercept": self.intercept}

    def with_room(self, present: NDArray[np.bool_]) -> "LinearModel":
        """Return the same model, with classes of probability zero brought back if they are now present."""
        silent = self.intercept <= ABSENT
        level = 0.0 if silent.all() else float(self.intercept[~silent].mean())
        return replace(self, intercept=np.where(silent & present, level, self.intercept))


@dataclass(frozen=True)
class LinearLearner:
    """Class-balanced multinomial regression; implements :class:`~orthotype.study.learners.Learner`.

    The penalty and the temperature of a source model are chosen by folds within the cells it is given, so a
    cell that the study holds out decides nothing. On a few target cells the strength is chosen by folds of
    those, among the strengths of :meth:`orthotype.LabelTransfer.adapt` and the source model as it is; where
    fewer than two classes have a second cell to be held out, it is the weakest.

    Parameters
    ----------
    name
        Name in tables and figures.
    alpha
        Strength of the L2 penalty on the source, or the rule that chooses it: see
        :mod:`orthotype.models.linear.choice`.
    few_alpha
        Strength on few cells; None to choose it.
    n_splits
        Folds that choose.
    """

    name: str = "mlr"
    alpha: float | Rule = "strongest"
    few_alpha: float | None = None
    n_splits: int = 5

    def fit(self, X: sp.csr_array, codes: Codes, *, n_classes: int, seed: int) -> LinearModel:
        """Learn from the labelled cells of the source.

        Raises
        ------
        InputError
            If the cells are of fewer than two classes, or X and codes do not fit each other.
        """
        present, kept = np.unique(codes, return_inverse=True)
        if len(present) < 2:
            raise InputError(
                f"the {len(codes):,} cells to learn from are of {len(present)} class; expected at least two; "
                "use fewer folds or more cells"
            )
        by_rule = isinstance(self.alpha, str)
        path = fit_path(
            X,
            kept,
            n_classes=len(present),
            folds=stratified_folds(kept, n_splits=min(self.n_splits, len(kept)), random_state=seed),
            sample_weight=class_weights(kept),
            alphas=None if by_rule else np.array([float(self.alpha)]),
            rule=self.alpha if isinstance(self.alpha, str) else "lowest",
            refit=True,
        )
        coef = np.zeros((n_classes, X.shape[1]), dtype=np.float32)
        intercept = np.full(n_classes, ABSENT)
        if path.refit is not None:
            temperature = _temperature(path.held_out_scores, kept)
            coef[present] = path.refit.coef / temperature
            intercept[present] = path.refit.intercept / temperature
        return LinearModel(coef, intercept)

    def adapt(self, model: FittedModel, X: sp.csr_array, codes: Codes, *, seed: int) -> LinearModel:
        """Refit on a few labelled target cells around the source weights; without any, nothing changes.

        Raises
        ------
        InputError
            If the model is not linear.
        """
        if not isinstance(model, LinearModel):
            raise InputError(
                f"{self.name} was given a {type(model).__name__} to adapt; expected a LinearModel; "
                "pass a model of the same learner"
            )
        if len(codes) == 0:
            return model
        present = np.bincount(codes, minlength=len(model.coef)) > 0
        return self._few(FewCells(X, codes, model.with_room(present), centred=True), seed)

    def scratch(self, X: sp.csr_array, codes: Codes, *, n_classes: int, seed: int) -> LinearModel:
        """Learn from a few labelled target cells alone."""
        nothing = LinearModel(np.zeros((n_classes, X.shape[1]), dtype=np.float32), np.full(n_classes, ABSENT))
        if len(codes) == 0:
            return nothing
        return self._few(FewCells(X, codes, nothing, centred=False), seed)

    def load(self, arrays: Arrays) -> LinearModel:
        """Return a model from what its ``arrays()`` gave.

        Raises
        ------
        ModelFileError
            If an array is missing, not finite, or does not fit the others.
        """
        return _load(arrays)

    def _few(self, cells: "FewCells", seed: int) -> LinearModel:
        alpha = cells.choose(self.n_splits, seed) if self.few_alpha is None else self.few_alpha
        return cells.model(alpha)


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

    def __init__(self, X: sp.csr_array, codes: Codes, before: LinearModel, *, centred: bool) -> None:
        self.codes, self.before, self.centred = codes, before, centred
        rows = as_rows(X.astype(np.float64))
        prior = before.coef.astype(np.float64)
        self.span = Span(rows, prior)
        level = before.intercept + prior @ np.asarray(X.mean(axis=0), dtype=np.float64)
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

    def model(self, alpha: float) -> LinearModel:
        """Return the fit to all cells, on genes; alpha of infinity is the model from before."""
        if alpha == np.inf:
            return self.before
        coef, intercept = self.span.expand(*self.fit(alpha))
        return LinearModel(np.ascontiguousarray(coef, dtype=np.float32), intercept)

    def choose(self, n_splits: int, seed: int) -> float:
        """Return the strength with the lowest held-out loss, the stronger among equals.

        Around a source model, infinity is among them: the source as it is, intercepts and all, where nothing
        predicts the held-out cells better. Every class weighs the same. From nothing, a held-out cell whose
        class no other cell has is left out.
        """
        if (np.bincount(self.codes) >= 2).sum() < 2:
            return float(STRENGTHS[-1])
        strengths = [np.inf, *STRENGTHS.tolist()] if self.centred else STRENGTHS.tolist()
        folds = make_folds(self.codes, n_splits=min(n_splits, len(self.codes)), random_state=seed)
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


def _temperature(scores: NDArray[np.floating], codes: Codes) -> float:
    """Fit the temperature on held-out cells of classes that their model has seen."""
    seen = scores[np.arange(len(codes)), codes] > ABSENT / 2
    return fit_temperature(scores[seen], codes[seen])


def _load(arrays: Mapping[str, NDArray[np.generic]]) -> LinearModel:
    problems = Problems("the arrays of a linear model")
    if sorted(arrays) != sorted(ARRAYS):
        problems.add(", ".join(sorted(arrays)) or "none", expected=", ".join(ARRAYS))
        problems.raise_if_any(ModelFileError)
    coef = np.asarray(arrays["coef"], dtype=np.float32)
    intercept = np.asarray(arrays["intercept"], dtype=np.float64)
    if coef.ndim != 2 or intercept.shape != coef.shape[:1]:
        problems.add(f"coef {coef.shape} and intercept {intercept.shape}", expected="(K, p) and (K,)")
    if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
        problems.add("values that are not finite", expected="finite numbers")
    problems.raise_if_any(ModelFileError)
    return LinearModel(coef, intercept)
