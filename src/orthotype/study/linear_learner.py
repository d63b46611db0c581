"""Our linear model as a learner of the study: the exact optimum, its penalty chosen within its own cells.

Source, few cells and nothing are one objective (:mod:`orthotype.models.linear.solve`)::

    sum_i s_i CE(softmax(W x_i + b), y_i)  +  alpha / 2 || W - W0 ||^2

with balanced classes, and W0 the source weights to adapt, zero to start from nothing. A source model carries
its temperature in its weights, W0 / T and b0 / T: what is held to is a model whose probabilities mean what
they say, on the scale on which the few cells speak.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.errors import InputError, ModelFileError, Problems
from orthotype.models.linear.choice import Rule
from orthotype.models.linear.few import FewCells
from orthotype.models.linear.loss import class_weights
from orthotype.models.linear.path import fit_path, stratified_folds
from orthotype.models.linear.softmax import softmax
from orthotype.models.linear.solve import ABSENT
from orthotype.models.linear.temperature import fit_temperature
from orthotype.study.learners import Arrays, Codes, FittedModel, Proba

Floats = NDArray[np.float64]

ARRAYS: Final = ("coef", "intercept")


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
    those, among the powers of ten from 100 to 0.001 and the source model as it is; where
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
        return self._few(X, codes, model.with_room(present), seed, centred=True)

    def scratch(self, X: sp.csr_array, codes: Codes, *, n_classes: int, seed: int) -> LinearModel:
        """Learn from a few labelled target cells alone."""
        nothing = LinearModel(np.zeros((n_classes, X.shape[1]), dtype=np.float32), np.full(n_classes, ABSENT))
        if len(codes) == 0:
            return nothing
        return self._few(X, codes, nothing, seed, centred=False)

    def load(self, arrays: Arrays) -> LinearModel:
        """Return a model from what its ``arrays()`` gave.

        Raises
        ------
        ModelFileError
            If an array is missing, not finite, or does not fit the others.
        """
        return _load(arrays)

    def _few(
        self, X: sp.csr_array, codes: Codes, before: LinearModel, seed: int, *, centred: bool
    ) -> LinearModel:
        cells = FewCells(X, codes, before, centred=centred)
        alpha = cells.choose(self.n_splits, seed) if self.few_alpha is None else self.few_alpha
        if alpha == np.inf:
            return before
        coef, intercept = cells.expanded(alpha)
        return LinearModel(np.ascontiguousarray(coef, dtype=np.float32), intercept)


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
