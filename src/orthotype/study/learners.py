"""What the study asks of a classifier: learn from the source, go on with a few target cells, or begin there.

The linear model and the neural network of the paper answer the same three questions; every experiment of the
study is written against these protocols and runs for both.
"""

from typing import Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Codes = NDArray[np.intp]
Proba = NDArray[np.float64]
Arrays = dict[str, NDArray[np.generic]]


class FittedModel(Protocol):
    """A classifier that has learned."""

    def predict_proba(self, X: sp.csr_array) -> Proba:
        """Return the class probabilities of encoded cells, shape (n_cells, n_classes), float64."""
        ...

    def arrays(self) -> Arrays:
        """Return everything that was learned, to be written to a file; :meth:`Learner.load` reads it."""
        ...


class Learner(Protocol):
    """A way of learning, with all its settings; it never changes and holds no data.

    ``X`` is always (n_cells, n_features) CSR, float32, encoded; ``codes`` the class of each cell, 0 to
    n_classes - 1. The same call with the same seed gives the same numbers, on any number of workers.
    """

    @property
    def name(self) -> str:
        """Short name in tables and figures: ``"mlr"`` or ``"ann"``."""
        ...

    def fit(self, X: sp.csr_array, codes: Codes, *, n_classes: int, seed: int) -> FittedModel:
        """Learn from the labelled cells of the source."""
        ...

    def adapt(self, model: FittedModel, X: sp.csr_array, codes: Codes, *, seed: int) -> FittedModel:
        """Continue a source model on a few labelled target cells; classes without cells stay as they are."""
        ...

    def scratch(self, X: sp.csr_array, codes: Codes, *, n_classes: int, seed: int) -> FittedModel:
        """Learn from the same few target cells alone, in the same way as :meth:`adapt` but from nothing."""
        ...

    def load(self, arrays: Arrays) -> FittedModel:
        """Return a model from what :meth:`FittedModel.arrays` gave."""
        ...
