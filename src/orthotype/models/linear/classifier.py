"""Softmax regression as a scikit-learn estimator, class-balanced, with its penalty chosen by folds."""

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from orthotype.errors import InputError, listed
from orthotype.models.linear.loss import class_weights
from orthotype.models.linear.matrix import as_rows
from orthotype.models.linear.path import FoldPath, fit_path, stratified_folds
from orthotype.models.linear.rows import Rows
from orthotype.models.linear.softmax import Float, Float64, Integer, log_softmax, softmax
from orthotype.models.linear.solve import Solution, solve

PENALTIES = {"l2": 0.0, "l1": 1.0, "elasticnet": 0.5}


class MultinomialLogisticRegression(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A softmax classifier for many genes and uneven classes, at the exact optimum of its objective.

    ::

        J(W, b) = sum_i s_i CE(softmax(W x_i + b), y_i) / sum_i s_i  +  alpha / 2 || W ||^2

    Sparse input stays sparse; the intercept is not penalised.

    Parameters
    ----------
    alpha
        Strength of the penalty, or "cv": the one that predicts held-out training cells best, from a path of
        ten.
    penalty
        "l2": all genes keep some weight. "l1": few do. "elasticnet": a mixture.
    l1_ratio
        Share of the absolute penalty in the elastic net, ``alpha * (l1_ratio |W|_1 + (1 - l1_ratio) / 2 ||
        W ||^2)``.
    class_weight
        "balanced": every class weighs the same, however few its cells. None: every cell weighs the same. A
        mapping of labels to factors: what it says, and 1 for other labels.
    n_splits
        Folds for ``alpha="cv"``. Classes with fewer cells than folds are used all the same.
    tol
        Relative gap to the minimum of J at which the fit has converged.
    max_iter
        Most steps of one fit.
    random_state
        Seed of the folds.

    Attributes
    ----------
    classes_
        The K labels, sorted.
    coef_, intercept_
        Weights (K, p) and intercepts (K,).
    alpha_
        The strength that was used.
    n_iter_
        Number of steps of the final fit.
    converged_
        Whether it reached the tolerance.
    diagnostics_
        One row for each step; ``pandas.DataFrame(model.diagnostics_)`` is the table.
    path_
        With ``alpha="cv"``, the :class:`FoldPath`; else None.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` was reached before ``tol``.

    Examples
    --------
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
    >>> model = MultinomialLogisticRegression(alpha=0.1).fit(X, ["T", "B", "T", "B"])
    >>> model.predict([[3.0, 0.0]])
    array(['B'], dtype='<U1')
    """

    def __init__(
        self,
        alpha: float | Literal["cv"] = "cv",
        *,
        penalty: Literal["l2", "l1", "elasticnet"] = "l2",
        l1_ratio: float = 0.5,
        class_weight: Literal["balanced"] | Mapping[Any, float] | None = "balanced",
        n_splits: int = 5,
        tol: float = 1e-4,
        max_iter: int = 1000,
        random_state: int | None = None,
    ) -> None:
        self.alpha = alpha
        self.penalty = penalty
        self.l1_ratio = l1_ratio
        self.class_weight = class_weight
        self.n_splits = n_splits
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from labelled rows.

        Parameters
        ----------
        X
            Cells by genes (n, p), sparse or dense, float32 or float64.
        y
            Labels (n,).
        sample_weight
            Row weights (n,); multiplied by the class balance.
        """
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32], order="C")
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(
                f"the labels name one class only, {self.classes_[0]!r}; expected at least two classes; "
                "a classifier that needs to tell nothing apart cannot be trained"
            )
        given = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if isinstance(self.class_weight, Mapping):
            factors = np.array([float(self.class_weight.get(label, 1.0)) for label in self.classes_.tolist()])
            weights = class_weights(codes, class_weight=None, sample_weight=given * factors[codes])
        else:
            weights = class_weights(codes, class_weight=self.class_weight, sample_weight=given)
        solution = self._solve(as_rows(X), codes, weights)
        self.coef_, self.intercept_ = solution.coef, solution.intercept.astype(solution.coef.dtype)
        self.n_iter_, self.converged_ = solution.n_iter, solution.converged
        self.diagnostics_ = solution.diagnostics
        return self

    def _solve(self, rows: Rows, codes: Integer, weights: Float64) -> Solution:
        n_classes = len(self.classes_)
        if self.penalty not in PENALTIES:
            raise InputError(f"penalty={self.penalty!r}; expected one of {listed(PENALTIES)}")
        l1_ratio = float(self.l1_ratio) if self.penalty == "elasticnet" else PENALTIES[self.penalty]
        self.path_: FoldPath | None = None
        if self.alpha != "cv":
            self.alpha_ = float(self.alpha)
            return solve(
                rows,
                codes,
                n_classes=n_classes,
                alpha=self.alpha_,
                sample_weight=weights,
                l1_ratio=l1_ratio,
                tol=self.tol,
                max_iter=self.max_iter,
            )
        self.path_ = fit_path(
            rows,
            codes,
            n_classes=n_classes,
            folds=stratified_folds(codes, n_splits=self.n_splits, random_state=self.random_state),
            sample_weight=weights,
            l1_ratio=l1_ratio,
            refit=True,
            refit_tol=self.tol,
            max_iter=self.max_iter,
        )
        self.alpha_ = self.path_.alpha
        return self.path_.refit  # type: ignore[return-value]

    def _scores(self, X: Any) -> Float:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)
        return as_rows(X).scores(self.coef_.T, self.intercept_.astype(np.float64))

    def decision_function(self, X: Any) -> Float:
        """Return raw scores (n, K); for two classes, the difference of the second and the first (n,)."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_log_proba(self, X: Any) -> Float:
        """Return log-probabilities (n, K), in the order of ``classes_``."""
        return log_softmax(self._scores(X))

    def predict_proba(self, X: Any) -> Float:
        """Return probabilities (n, K), in the order of ``classes_``."""
        return softmax(self._scores(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable label of each row (n,)."""
        best = self._scores(X).argmax(axis=1)
        return np.asarray(self.classes_[best])
