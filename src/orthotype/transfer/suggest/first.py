"""The first labels: one for each part of where cells lie, whatever they are called.

As long as a model has learned from hardly any labelled cell, its calls and doubts are a poor guide to the
types that it does not know, or knows by another name: labels dealt to groups of calls find fewer types than
cells at random would. So the first twenty labels go by place. The cells are merged into clusters by Ward's
method, which adds least to the squared distances within them, until labels and wanted cells have one each;
clusters without a label give the cell nearest to their mean, the largest first. Places hold the calls, too
(:mod:`orthotype.transfer.suggest.sample`): what the model tells apart surely does not share a cluster.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from orthotype.transfer.suggest.choice import squared_distances

Floats = NDArray[np.float64]

# Settled by benchmarks/suggest_settling.py (docs/suggest.md).
N_FIRST: Final = 20


def first_cells(places: Floats, *, mass: Floats, labelled: NDArray[np.bool_], n: int) -> NDArray[np.intp]:
    """Return positions of the cells to label next, in order, at most ``n``.

    Parameters
    ----------
    places
        Where cells lie, shape (m, d).
    mass
        Cells that each stands for, shape (m,).
    labelled
        Which have a label, shape (m,): their clusters give none.
    n
        How many to choose.
    """
    free = np.flatnonzero(~labelled)
    n = min(n, len(free))
    if len(places) < 2 or n == len(free):
        return free[:n].astype(np.intp)
    codes, without = _clusters(places, labelled, n)
    ranked = without[np.argsort(-np.bincount(codes, weights=mass)[without], kind="stable")]
    chosen = [_middle(np.flatnonzero(codes == c), places, mass) for c in ranked[:n]]
    # Cells that lie all in one place make fewer clusters than are wanted.
    others = np.setdiff1d(free, chosen)[: n - len(chosen)]
    return np.concatenate([chosen, others]).astype(np.intp)


def _clusters(
    places: Floats, labelled: NDArray[np.bool_], n: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the cluster of each cell, and n clusters or more that hold no label."""
    tree = linkage(places, "ward")
    wanted = int(labelled.sum()) + n
    while True:
        codes = (fcluster(tree, wanted, "maxclust") - 1).astype(np.intp)
        without = np.flatnonzero(np.bincount(codes, weights=labelled) == 0)
        if len(without) >= n or wanted >= len(places):
            return codes, without
        wanted += n - len(without)


def _middle(members: NDArray[np.intp], places: Floats, mass: Floats) -> int:
    """Return the member that is nearest to the mean of all."""
    mean = np.average(places[members], axis=0, weights=mass[members])
    return int(members[squared_distances(places[members], mean[None])[:, 0].argmin()])
