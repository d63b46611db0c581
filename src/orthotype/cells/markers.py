"""Marker genes of labelled cells: what a class has more of than the classes do on average.

Genes that vary over all cells are those of the large classes; what tells a class of few cells may be missing
among them. From means m_kj and variances s2_kj of log-normalised expression of gene j in class k, of n_k
cells::

    z_kj = (m_kj - mean_k m_kj) / sqrt(w_j + w_j / n_k + 0.01),    w_j = sum_k n_k s2_kj / sum_k n_k

how many standard deviations, of a cell and of the mean of n_k cells, the class lies above the classes. The
0.01 keeps out genes that hardly vary because they are hardly seen.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.encode import normalised
from orthotype.cells.pieces import cut, is_edge
from orthotype.cells.select import add_moments

LEAST_VARIANCE: Final = 0.01


class ClassMoments:
    """Sums and squares of log-normalised expression in every class, gathered block by block.

    Parameters
    ----------
    n_classes, n_features
        Number of classes K and of features F.

    Attributes
    ----------
    n_cells : NDArray
        (K,), cells seen so far of each class.
    """

    def __init__(self, n_classes: int, n_features: int) -> None:
        self.n_cells = np.zeros(n_classes, dtype=np.int64)
        # as in GeneMoments: of the pieces that are complete, and of the one that is not
        self._complete = np.zeros((2, n_classes, n_features))
        self._open = np.zeros_like(self._complete)

    def update(self, block: sp.csr_array, totals: NDArray[np.float64], codes: NDArray[np.intp]) -> None:
        """Add a block of linear values (n, F), the total of each cell and its class, (n,)."""
        n_features = self._open.shape[2]
        for rows, part in cut(int(self.n_cells.sum()), block):
            values = np.log1p(normalised(part, totals[rows]))
            places = np.repeat(codes[rows] * n_features, np.diff(part.indptr)) + part.indices
            sums, squares = (each.reshape(-1) for each in self._open)
            add_moments(places.astype(np.int64), values, sums, squares)
            self.n_cells += np.bincount(codes[rows], minlength=len(self.n_cells))
            if is_edge(int(self.n_cells.sum())):
                self._complete += self._open
                self._open[:] = 0.0

    def merge(self, other: "ClassMoments") -> "ClassMoments":
        """Return the moments of both sets of cells together; neither is changed."""
        both = ClassMoments(*self._open.shape[1:])
        both.n_cells = self.n_cells + other.n_cells
        both._complete = (self._complete + self._open) + (other._complete + other._open)
        return both

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what was gathered so far as arrays, for a run that goes on from here."""
        sums = {"classes_complete": self._complete, "classes_open": self._open}
        return {"n_cells_of_classes": self.n_cells, **sums}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> "ClassMoments | None":
        """Return moments that go on where others were, None where no class was measured."""
        if "n_cells_of_classes" not in state:
            return None
        found = cls(*state["classes_open"].shape[1:])
        found.n_cells = state["n_cells_of_classes"]
        found._complete, found._open = state["classes_complete"], state["classes_open"]
        return found

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of every feature in every class, (K, F); zero for a class without cells."""
        sums = self._complete[0] + self._open[0]
        return np.asarray(sums / np.maximum(self.n_cells, 1)[:, None])

    @property
    def within(self) -> NDArray[np.float64]:
        """Variance of every feature around the mean of its class, (F,)."""
        squares = (self._complete[1] + self._open[1]).sum(axis=0)
        centred = squares - self.n_cells @ self.mean**2
        return np.where(centred > 1e-12 * squares, centred, 0.0) / max(int(self.n_cells.sum()), 1)


def select_markers(moments: ClassMoments, *, n_top: int, eligible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the strongest markers of every class, as a mask of (F,).

    Parameters
    ----------
    moments
        Moments of the labelled cells.
    n_top
        Genes of each class; fewer if fewer lie above the mean over the classes.
    eligible
        Features that may be chosen, (F,).
    """
    seen = moments.n_cells > 0
    mean, n_cells, within = moments.mean[seen], moments.n_cells[seen][:, None], moments.within
    above = (mean - mean.mean(axis=0)) / np.sqrt(within + within / n_cells + LEAST_VARIANCE)
    above = np.where(eligible & (above > 0), above, -np.inf)
    best = np.argsort(-above, axis=1, kind="stable")[:, :n_top]
    chosen = np.zeros(len(within), dtype=bool)
    chosen[best[np.isfinite(np.take_along_axis(above, best, axis=1))]] = True
    return chosen
