"""Hits, support and calls per class, and the scores that follow from these three counts."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> Floats:
    """Return part / whole, NaN where the whole is zero."""
    part, whole = np.broadcast_arrays(np.asarray(part, dtype=float), np.asarray(whole, dtype=float))
    quotient: Floats = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)
    return quotient


@dataclass(frozen=True)
class Tallies:
    """Counts per class, for one set of cells or for a stack of draws.

    Attributes
    ----------
    hits
        Cells of the class that got its label, shape (..., K).
    support
        Cells whose true class it is, shape (..., K).
    called
        Cells that got its label, right or wrong, shape (..., K).
    total
        All cells, shape (...).
    """

    hits: Floats
    support: Floats
    called: Floats
    total: Floats

    def recall(self) -> Floats:
        """Share of a class that was found, hits / support; NaN for a class without cells."""
        return ratio(self.hits, self.support)

    def precision(self) -> Floats:
        """Share of the calls that are right, hits / called; NaN for a class that was never called."""
        return ratio(self.hits, self.called)

    def f1(self) -> Floats:
        """Harmonic mean of both, 2 hits / (support + called); 0 if never called, NaN if neither occurs."""
        return ratio(2 * self.hits, self.support + self.called)

    def specificity(self) -> Floats:
        """Share of all other cells that were not given the label; NaN if there are no others."""
        others = self._whole() - self.support
        return ratio(others - (self.called - self.hits), others)

    def negative_predictive_value(self) -> Floats:
        """Share of the cells without the label that are of other classes; NaN if every cell got it."""
        not_called = self._whole() - self.called
        return ratio(not_called - (self.support - self.hits), not_called)

    def accuracy_one_vs_rest(self) -> Floats:
        """Share of cells that are right about this one class."""
        wrong = (self.support - self.hits) + (self.called - self.hits)
        return ratio(self._whole() - wrong, self._whole())

    def accuracy(self) -> Floats:
        """Share of all cells with the right label."""
        return ratio(self.hits.sum(axis=-1), self.total)

    def mean_recall(self) -> Floats:
        """Recall averaged over the classes that have cells."""
        return self._mean_of_present(self.recall())

    def macro_f1(self) -> Floats:
        """F1 averaged over the classes that have cells."""
        return self._mean_of_present(self.f1())

    def _whole(self) -> Floats:
        return np.asarray(self.total, dtype=float)[..., None]

    def _mean_of_present(self, score: Floats) -> Floats:
        present = self.support > 0
        return ratio(np.where(present, score, 0.0).sum(axis=-1), present.sum(axis=-1))
