"""A consensus of fold models: five models that each missed a fifth of the cells vote on every new cell.

The rule of Stumpf et al. 2020: a class wins with at least three of five votes, or with two when the other
three all differ; otherwise the models show *no agreement*. Said for any number of models: the class with the
most votes wins if no other class has as many and if it has at least two votes.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from orthotype.models.folds import make_folds
from orthotype.models.linear.choice import Rule, check_alpha
from orthotype.models.linear.kept import KeptFits
from orthotype.models.linear.loss import class_weights
from orthotype.models.linear.path import FoldPath, fit_path
from orthotype.models.linear.softmax import softmax
from orthotype.models.linear.temperature import fit_temperature

Floats = NDArray[np.float64]
Rows = Any  # an array or a scipy CSR matrix or array, cells x features


@dataclass(frozen=True)
class Votes:
    """What the fold models said about n cells.

    Attributes
    ----------
    winner
        Code of the class with the most votes, shape (n,); among equals the more probable one.
    count
        Votes for it, shape (n,).
    agreed
        Whether the rule of the consensus is met, shape (n,).
    """

    winner: NDArray[np.intp]
    count: NDArray[np.intp]
    agreed: NDArray[np.bool_]


def count_votes(ballots: NDArray[np.intp], *, proba: Floats) -> Votes:
    """Count the ballots of n_models models for n cells and apply the rule of the consensus.

    Parameters
    ----------
    ballots
        Class code that each model gives each cell, shape (n, n_models).
    proba
        Mean class probabilities, shape (n, n_classes); they only order classes with equal votes.
    """
    counts = np.zeros(proba.shape, dtype=np.intp)
    np.add.at(counts, (np.arange(len(ballots))[:, None], ballots), 1)
    return decide(counts, proba=proba)


def decide(counts: NDArray[np.integer], *, proba: NDArray[np.floating]) -> Votes:
    """Apply the rule of the consensus to the votes for each class, shape (n, n_classes).

    ``proba`` as in :func:`count_votes`.
    """
    n_models = int(counts[:1].sum())
    count = counts.max(axis=1)
    leaders = counts == count[:, None]
    winner = np.where(leaders, proba, -1.0).argmax(axis=1)
    agreed = (leaders.sum(axis=1) == 1) & (count >= min(2, n_models))
    return Votes(winner, count.astype(np.intp, copy=False), agreed)


class ConsensusClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Fold models of one linear classifier that vote, with probabilities calibrated out of fold.

    Every model is a class-balanced multinomial logistic regression fitted without one fold. The penalty is
    the strongest one that predicts the held-out cells as well as the best, within a standard error over the
    same folds: it rests on many genes, and choosing it costs no further fit.

    Parameters
    ----------
    alpha
        Strength of the L2 penalty, or the rule that chooses it on the folds: ``"strongest"`` or ``"lowest"``,
        explained in :mod:`orthotype.models.linear.choice`.
    n_splits
        Number of folds and of models; fewer where there are fewer groups.
    tol
        Relative tolerance of each fit.
    max_iter
        Most iterations of each fit.
    random_state
        Decides which cells go to which fold.

    Attributes
    ----------
    classes_ : (n_classes,)
    coef_ : (n_models, n_classes, n_features), float32
    intercept_ : (n_models, n_classes), float32
    alpha_ : float
    n_iter_ : int
        Iterations of all fits together.
    temperature_ : float
        Logits are divided by it; fitted on held-out cells.
    folds_ : (n_cells,)
        The model that did not see each training cell.
    held_out_scores_ : (n_cells, n_classes)
        Logits of each training cell by that model.
    path_ : FoldPath
        Held-out losses of every penalty tried.

    References
    ----------
    Stumpf et al. (2020), Commun Biol 3:736, Methods, "Transfer learning".

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["a", "b"], 50)
    >>> X = rng.normal(size=(100, 3)) + 4 * (y == "b")[:, None]
    >>> ConsensusClassifier().fit(X, y).predict([[0, 0, 0], [4, 4, 4]]).tolist()
    ['a', 'b']
    """

    def __init__(
        self,
        alpha: float | Rule = "strongest",
        *,
        n_splits: int = 5,
        tol: float = 1e-4,
        max_iter: int = 500,
        random_state: int = 0,
    ) -> None:
        self.alpha = alpha
        self.n_splits = n_splits
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(
        self,
        X: Rows,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        kept: KeptFits | None = None,
    ) -> Self:
        """Fit one model for every fold and calibrate them together.

        Parameters
        ----------
        X
            Cells x features, dense or CSR.
        y
            Class of each cell.
        groups
            Donor or batch of each cell; then no donor is on both sides of a fold.
        kept
            Where fits are kept, for a run that goes on where it was interrupted; None to keep nothing.

        Raises
        ------
        InputError
            If there are fewer cells than folds or a single group, or ``alpha`` is no strength.
        ValueError
            If there is a single class, or X holds NaN or infinite values.
        """
        check_alpha(self.alpha)
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=[np.float32, np.float64])
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds one class ({self.classes_[0]!r}); at least two classes are needed")
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        folds = make_folds(
            codes,
            n_splits=min(self.n_splits, len(codes)),
            groups=None if groups is None else np.asarray(groups),
            random_state=seed,
        )
        path = fit_path(
            X,
            codes,
            n_classes=len(self.classes_),
            folds=folds,
            sample_weight=class_weights(codes),
            alphas=None if isinstance(self.alpha, str) else np.array([float(self.alpha)]),
            rule=self.alpha if isinstance(self.alpha, str) else "lowest",
            tol=self.tol,
            max_iter=self.max_iter,
            kept=kept,
        )
        return self._keep(path, codes, folds)

    def _keep(self, path: FoldPath, codes: NDArray[np.intp], folds: NDArray[np.intp]) -> Self:
        self.path_ = path
        self.folds_ = folds
        self.alpha_ = float(path.alpha)
        self.n_iter_ = sum(len(steps) for steps in path.diagnostics.values())
        self.coef_ = np.ascontiguousarray(path.coef, dtype=np.float32)
        self.intercept_ = np.ascontiguousarray(path.intercept, dtype=np.float32)
        self.held_out_scores_ = path.held_out_scores
        self.temperature_ = fit_temperature(path.held_out_scores, codes)
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @property
    def n_models_(self) -> int:
        """Number of fold models."""
        return int(self.coef_.shape[0])

    def fold_scores(self, X: Rows) -> Floats:
        """Return the logits that each model gives each cell, shape (n, n_models, n_classes)."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float32, np.float64], reset=False)
        return fold_scores(X, coef=self.coef_, intercept=self.intercept_)

    def predict_proba(self, X: Rows) -> Floats:
        """Return calibrated class probabilities, the mean over the models, shape (n, n_classes)."""
        scores = self.fold_scores(X)
        return mean_proba(scores, temperature=self.temperature_)

    def predict(self, X: Rows) -> NDArray[np.generic]:
        """Return the most probable class of each cell; :meth:`vote` says where the models agree."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def vote(self, X: Rows) -> Votes:
        """Return what the models voted for each cell and whether the rule of the consensus is met."""
        scores = self.fold_scores(X)
        return count_votes(scores.argmax(axis=2), proba=mean_proba(scores, temperature=self.temperature_))


def fold_scores(X: Rows, *, coef: NDArray[np.floating], intercept: NDArray[np.floating]) -> Floats:
    """Return X W' + b of several models in one product, shape (n, n_models, n_classes)."""
    n_models, n_classes, n_features = coef.shape
    stacked = coef.reshape(n_models * n_classes, n_features).T
    scores: Floats = np.asarray(X @ np.ascontiguousarray(stacked), dtype=np.float64)
    return np.asarray(scores.reshape(-1, n_models, n_classes) + intercept)


def mean_proba(scores: Floats, *, temperature: float) -> Floats:
    """Return the mean over the models of ``softmax(scores / temperature)``, shape (n, n_classes)."""
    return np.asarray(softmax(scores / temperature).mean(axis=1))
