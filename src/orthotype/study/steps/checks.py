"""What must hold in every study, checked while it runs, so that no fault passes as a result.

A learner is watched: the rows that it was given are held against the rows that the design says. Tables are
held against the labels that they were made from, adjusted p-values against another implementation. A check
that fails is a fault of orthotype and stops the study.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.errors import OrthotypeError
from orthotype.models.consensus import Votes
from orthotype.study.learners import Arrays, Codes, FittedModel, Learner, Proba

TOLERANCE: Final = 1e-9


def require(holds: object, what: str) -> None:
    """Stop the study if something that must hold does not.

    Raises
    ------
    OrthotypeError
        If it does not hold.
    """
    if not holds:
        raise OrthotypeError(
            f"the study contradicts itself: {what}; this is a fault of orthotype, please report it"
        )


def row_marks(X: sp.csr_array) -> NDArray[np.float64]:
    """Return a number for each row that only the same row has, wherever it stands, (n,)."""
    direction = np.random.default_rng(7).standard_normal(X.shape[1])
    return np.asarray(X @ direction, dtype=np.float64)


@dataclass
class Watched:
    """A learner that remembers which cells it was given.

    Attributes
    ----------
    learner
        The learner that does the work.
    given
        For every call that learned, the marks of the rows and their codes.
    """

    learner: Learner
    given: list[tuple[NDArray[np.float64], Codes]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the learner."""
        return self.learner.name

    def fit(self, X: sp.csr_array, codes: Codes, *, n_classes: int, seed: int) -> FittedModel:
        """Learn, and remember from what."""
        self.given.append((row_marks(X), codes))
        return self.learner.fit(X, codes, n_classes=n_classes, seed=seed)

    def adapt(self, model: FittedModel, X: sp.csr_array, codes: Codes, *, seed: int) -> FittedModel:
        """Continue, and remember on what."""
        self.given.append((row_marks(X), codes))
        return self.learner.adapt(model, X, codes, seed=seed)

    def scratch(self, X: sp.csr_array, codes: Codes, *, n_classes: int, seed: int) -> FittedModel:
        """Learn from nothing, and remember from what."""
        self.given.append((row_marks(X), codes))
        return self.learner.scratch(X, codes, n_classes=n_classes, seed=seed)

    def load(self, arrays: Arrays) -> FittedModel:
        """Return a model from its arrays."""
        return self.learner.load(arrays)

    def learned_from(self, X: sp.csr_array, codes: Codes, *, where: str) -> None:
        """Require that every call was given exactly these cells, in any order.

        Raises
        ------
        OrthotypeError
            If a call was given other cells or other classes, or there was none.
        """
        expected = _sorted_pairs(row_marks(X), codes)
        require(self.given, f"{where}: nothing was learned")
        for marks, given in self.given:
            found = _sorted_pairs(marks, given)
            same = found.shape == expected.shape and np.array_equal(found, expected)
            require(same, f"{where}: the learner was given other cells than the design says")


def _sorted_pairs(marks: NDArray[np.float64], codes: Codes) -> NDArray[np.float64]:
    pairs = np.column_stack([marks, np.asarray(codes, dtype=np.float64)])
    return pairs[np.lexsort(pairs.T)]


def check_folds(folds: Codes, codes: Codes, groups: NDArray[np.str_] | None, *, n_folds: int) -> None:
    """Require that every cell is held out once, and no donor is on both sides of a fold."""
    require(folds.shape == codes.shape, "there is not one fold for each source cell")
    require(
        np.array_equal(np.unique(folds), np.arange(n_folds)), "a fold holds out no cell, or there is one more"
    )
    if groups is not None:
        homes = pd.Series(folds).groupby(pd.Series(groups)).nunique()
        require((homes == 1).all(), "a donor is on both sides of a fold")


def check_proba(proba: Proba, *, shape: tuple[int, int], where: str) -> None:
    """Require class probabilities: finite, from 0 to 1, adding up to 1 in each row."""
    right = proba.shape == shape and np.isfinite(proba).all()
    require(right, f"{where}: probabilities of shape {proba.shape}, expected {shape}, all finite")
    sums = proba.sum(axis=1)
    require(
        (proba >= -TOLERANCE).all() and np.allclose(sums, 1, atol=1e-5), f"{where}: no class probabilities"
    )


def check_votes(votes: Votes, ballots: NDArray[np.intp], *, n_models: int) -> None:
    """Require the rule of the consensus, told in another way than the code that applied it.

    With five models: three or more votes, or two when the other three all differ.
    """
    require(ballots.shape == (len(votes.winner), n_models), "there is not one ballot for each model and cell")
    for cell in np.linspace(0, len(ballots) - 1, min(len(ballots), 500)).astype(int):
        names, counts = np.unique(ballots[cell], return_counts=True)
        most = int(counts.max())
        alone = int((counts == most).sum()) == 1 and most >= min(2, n_models)
        require(bool(votes.agreed[cell]) == alone, "a consensus breaks its own rule")
        require(int(votes.count[cell]) == most, "votes were not counted right")
        winners = names[counts == most]
        require(votes.winner[cell] in winners, "the consensus is not the class with the most votes")


def check_confusion(table: pd.DataFrame, true: NDArray[np.object_], called: NDArray[np.object_]) -> None:
    """Require that rows of a confusion table are true classes and columns calls, number by number."""
    pairs = pd.Series(list(zip(true, called, strict=True)), dtype=object).value_counts()
    for truth in table.index:
        for call in table.columns:
            count = int(pairs.get((truth, call), 0))
            require(
                int(table.loc[truth, call]) == count,
                f"{count} cells of {truth!r} were called {call!r}, but the confusion table says "
                f"{table.loc[truth, call]}",
            )
    require(int(table.to_numpy().sum()) == len(true), "a confusion table lost cells")


def check_adjusted(p: NDArray[np.float64], adjusted: NDArray[np.float64], *, where: str) -> None:
    """Require that p-values are adjusted together (Benjamini-Hochberg), by SciPy's own implementation."""
    from scipy.stats import false_discovery_control

    known = ~np.isnan(p)
    require(np.array_equal(known, ~np.isnan(adjusted)), f"{where}: a p-value was lost in the adjustment")
    if known.any():
        again = false_discovery_control(p[known])
        same = np.allclose(adjusted[known], again, rtol=1e-6, atol=1e-12)
        require(same, f"{where}: p-values are not adjusted over the whole table")


def check_split(
    train: Codes, validate: Codes, test: Codes, codes: Codes, *, barred: NDArray[np.bool_]
) -> None:
    """Require that labelled, watched and test cells are apart and together all cells that have a class."""
    parts = [train, validate, test]
    joined = np.concatenate(parts)
    require(len(np.unique(joined)) == len(joined), "a target cell is on two sides of a few-shot split")
    require((codes[joined] >= 0).all(), "a few-shot split holds a cell without a class of the source")
    require(len(joined) == int((codes >= 0).sum()), "a few-shot split forgot target cells")
    require(not barred[train].any(), "a cell that must be left out of few-shot training is in it")
