"""The first labels: one for each part of where cells lie, whatever they are called.

As long as a model has learned from hardly any labelled cell, its calls and doubts are a poor guide to the
types that it does not know, or knows by another name: labels dealt to groups of calls find fewer types than
cells at random would. So the first twenty labels go by place. The cells are merged by Ward's method, into
clusters that add least to the squared distances within them, and the tree is walked from its root: at every
fork, a side without a label gives a cell. Large clusters have their mean between types; so the cell is one of
the largest of the small clusters inside, the one that is nearest to its mean. Places hold the calls, too
(:mod:`orthotype.transfer.suggest.sample`): what the model tells apart surely does not share a cluster.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

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
        Which have a label, shape (m,): what lies around them waits.
    n
        How many to choose. A longer list begins like a shorter one.
    """
    taken, chosen = labelled.copy(), list[int]()
    n = min(n, int(np.count_nonzero(~labelled)))
    if len(places) < 2:
        return np.flatnonzero(~labelled)[:n]
    tree = linkage(pdist(places), "ward")
    small = fcluster(tree, int(labelled.sum()) + N_FIRST, "maxclust").astype(np.intp)
    for n_clusters in range(1, len(places) + 1):
        codes = fcluster(tree, n_clusters, "maxclust")
        for c in np.flatnonzero(np.bincount(codes, weights=taken)[1:] == 0) + 1:
            chosen.append(_typical(np.flatnonzero(codes == c), small, places, mass))
            taken[chosen[-1]] = True
        if len(chosen) >= n:
            return np.array(chosen[:n], dtype=np.intp)
    # Cells that lie in one place make one cluster, however many are wanted.
    return np.array([*chosen, *np.flatnonzero(~taken)], dtype=np.intp)[:n]


def _typical(members: NDArray[np.intp], small: NDArray[np.intp], places: Floats, mass: Floats) -> int:
    """Return the cell nearest to the mean of the largest small cluster among some cells."""
    largest = np.bincount(small[members], weights=mass[members]).argmax()
    inside = members[small[members] == largest]
    mean = np.average(places[inside], axis=0, weights=mass[inside])
    return int(inside[squared_distances(places[inside], mean[None])[:, 0].argmin()])
