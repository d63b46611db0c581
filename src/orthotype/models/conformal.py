"""Prediction sets: for each cell the classes that cannot be ruled out, with a stated coverage per class.

Split conformal prediction, class by class. With labelled target cells that the model was not adapted to, the
score of a cell is 1 - p of its true class. A class is in the set of a new cell if 1 - p stays below the
ceil((n_c + 1) coverage)-th smallest score of the n_c labelled cells of that class. Then at least the stated
share of the cells of every class have their class in their set, whatever the model, as long as labelled and
new cells are exchangeable. A class with too few labelled cells to promise that is in every set.

References
----------
Vovk (2012), Conditional validity of inductive conformal predictors, ACML.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

COVERAGE = 0.9


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
        cls, proba: NDArray[np.floating], codes: NDArray[np.intp], *, coverage: float = COVERAGE
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

        Raises
        ------
        ValueError
            If the coverage is not between 0 and 1.
        """
        if not 0 < coverage < 1:
            raise ValueError(f"coverage is {coverage}; expected a share between 0 and 1, such as 0.9")
        n_classes = proba.shape[1]
        sizes = np.bincount(codes, minlength=n_classes)
        least = np.zeros(n_classes)
        for k, n in enumerate(sizes.tolist()):
            rank = int(np.ceil((n + 1) * coverage))
            if rank <= n:
                least[k] = np.sort(proba[codes == k, k])[n - rank]
        return cls(least, sizes.astype(np.intp), coverage)

    def sets(self, proba: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return which classes are in the set of each cell, shape (n, n_classes); a set may be empty."""
        return np.asarray(proba >= self.least)
