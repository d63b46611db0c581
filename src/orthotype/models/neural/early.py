"""When to stop training: once cells that are set aside are no longer predicted better."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.models.linear.path import stratified_folds
from orthotype.models.linear.softmax import row_losses
from orthotype.models.neural.network import SoftmaxNetwork

Codes = NDArray[np.intp]
PARTS = 5


def set_aside(codes: Codes, *, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose a fifth of the cells of every class that has at least two; True for those set aside, (n,)."""
    folds = stratified_folds(codes, n_splits=PARTS, random_state=rng)
    chosen = (folds == 0) & (np.bincount(codes)[codes] > 1)
    return np.asarray(chosen)


class Watch:
    """The best network so far, by its loss on cells that are set aside, every class weighing the same.

    Parameters
    ----------
    network
        The network before its first epoch.
    X
        The cells set aside; without any, no epoch is better than another and the last one is the best.
    codes
        Their classes.
    patience
        How many epochs without a lower loss end the training.

    Attributes
    ----------
    best
        The network with the lowest loss.
    """

    def __init__(self, network: SoftmaxNetwork, X: sp.csr_array, codes: Codes, *, patience: int) -> None:
        self.best = network
        self.X, self.codes, self.patience = X, codes, patience
        self.weights = 1.0 / np.bincount(codes)[codes]
        self.lowest, self.since = np.inf, 0

    def ends(self, network: SoftmaxNetwork) -> bool:
        """Take note of the network after one more epoch, and tell whether it is time to stop."""
        loss = float(self.weights @ row_losses(network.scores(self.X), self.codes))
        self.since += 1
        if loss < self.lowest or len(self.codes) == 0:
            self.best, self.lowest, self.since = network, loss, 0
        return self.since >= self.patience
