"""Prediction sets: for each cell the classes that cannot be ruled out, with a stated coverage per class.

Split conformal prediction, class by class. With labelled target cells that the model was not adapted to, the
score of a cell is 1 - p of its true class. A class is in the set of a new cell if 1 - p stays below the
ceil((n_c + 1) coverage)-th smallest score of the n_c labelled cells of that class. Then at least the stated
share of the cells of every class have their class in their set, whatever the model, as long as labelled and
new cells are exchangeable. A class with too few labelled cells to promise that is in every set, or, with
``rare="pool"``, shares one threshold with the other rare classes; then the promise holds for their cells
taken together, and for single ones it is none. Where even they together are too few, their threshold is that
of all labelled cells.

References
----------
Vovk (2012), Conditional validity of inductive conformal predictors, ACML. Ding et al. (2023),
Class-conditional conformal prediction with many classes, NeurIPS (pooling).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

COVERAGE = 0.9
RARE: Final = ("keep", "pool")
BETWEEN: Final = " | "


@dataclass(frozen=True)
class PredictionSets:
    """The probability that each class needs to stay in a set.

    Attributes
    ----------
    least
        Lowest probability with which a class is kept, shape (n_classes,); 0 for a class that is always kept.
    n_labelled
        Labelled cells behind each class, shape (n_classes,).
    coverage
        Share of the cells of every class whose set holds it, 0 to 1.
    """

    least: NDArray[np.float64]
    n_labelled: NDArray[np.intp]
    coverage: float

    @classmethod
    def learn(
        cls,
        proba: NDArray[np.floating],
        codes: NDArray[np.intp],
        *,
        coverage: float = COVERAGE,
        rare: str = "keep",
    ) -> Self:
        """Learn from labelled cells.

        Parameters
        ----------
        proba
            Class probabilities (n, n_classes) of cells that the model has not learned from.
        codes
            Their true classes (n,).
        coverage
            Between 0 and 1, exclusive.
        rare
            What becomes of classes with too few labelled cells: ``"keep"`` them in every set, or ``"pool"``
            them.

        Raises
        ------
        ValueError
            If the coverage is not between 0 and 1, or ``rare`` is neither word.
        """
        enough = fewest_cells(coverage)
        if rare not in RARE:
            raise ValueError(f"rare is {rare!r}; expected 'keep' or 'pool'")
        true = proba[np.arange(len(codes)), codes].astype(np.float64)
        sizes = np.bincount(codes, minlength=proba.shape[1])
        few = sizes < enough
        least = np.zeros(proba.shape[1])
        for k in np.flatnonzero(~few):
            least[k] = _threshold(true[codes == k], coverage)
        if rare == "pool":
            pooled = true[few[codes]]
            least[few] = _threshold(pooled if len(pooled) >= enough else true, coverage)
        return cls(least, sizes.astype(np.intp), coverage)

    @property
    def promised(self) -> NDArray[np.bool_]:
        """Which classes have enough labelled cells for a promise of their own, shape (n_classes,)."""
        return np.asarray(self.n_labelled >= fewest_cells(self.coverage))

    def sets(self, proba: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return which classes are in the set of each cell, shape (n, n_classes); a set may be empty."""
        return np.asarray(proba.astype(np.float64) >= self.least)

    def to_dict(self, classes: Sequence[str] | NDArray[np.object_]) -> dict[str, Any]:
        """Return plain values by the names of the classes, for a model card."""
        names = [str(name) for name in classes]
        return {
            "coverage": self.coverage,
            "least": dict(zip(names, self.least.tolist(), strict=True)),
            "n_labelled": dict(zip(names, self.n_labelled.tolist(), strict=True)),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any], classes: Sequence[str] | NDArray[np.object_]) -> Self:
        """Return what :meth:`to_dict` wrote; a class that it does not name is always kept."""
        names = [str(name) for name in classes]
        return cls(
            least=np.array([values["least"].get(name, 0.0) for name in names]),
            n_labelled=np.array([values["n_labelled"].get(name, 0) for name in names], dtype=np.intp),
            coverage=float(values["coverage"]),
        )


def fewest_cells(coverage: float) -> int:
    """Return how many labelled cells a class needs for a promise of its own: 9 for a coverage of 0.9.

    Raises
    ------
    ValueError
        If the coverage is not between 0 and 1.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"coverage is {coverage}; expected a share between 0 and 1, such as 0.9")
    n = ceil(coverage / (1 - coverage) - 1e-9)
    return max(n, 1)


def set_names(sets: NDArray[np.bool_], classes: Sequence[str] | NDArray[np.object_]) -> NDArray[np.object_]:
    """Return the classes of each set as one text, joined by " | "; "" for an empty set.

    >>> set_names(np.array([[True, False, True], [False, False, False]]), ["alpha", "beta", "delta"]).tolist()
    ['alpha | delta', '']
    """
    names = [str(name) for name in classes]
    different, which = np.unique(sets, axis=0, return_inverse=True)
    texts = np.empty(len(different), dtype=object)
    texts[:] = [BETWEEN.join(names[k] for k in np.flatnonzero(row)) for row in different]
    return np.asarray(texts[which.ravel()], dtype=object)


def _threshold(true: NDArray[np.float64], coverage: float) -> float:
    """Return the probability that the stated share of new cells reach; 0 where there are too few cells."""
    rank = ceil((len(true) + 1) * coverage - 1e-9)
    return float(np.sort(true)[len(true) - rank]) if rank <= len(true) else 0.0
