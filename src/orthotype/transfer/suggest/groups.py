"""The groups that labels are dealt to: what cells are called where that says something, else where they lie.

Every class that any cell was called is a group; cells that fit no class are groups of their own, by the class
that they are nearest to: a rare type that the model lacks mostly lies beside another class than a common one.

A class whose kinship (:mod:`orthotype.models.kinship`) is below a half is mostly called for cells that belong
to no class of the source, or to classes that have changed beyond recognition: its name says little of them,
and their doubt nothing. All such cells, of whatever class, are grouped anew by where they lie: by k-means,
into fifteen clusters or fewer, of twenty cells on average at least. All of them are held to be doubtful.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orthotype._keys import UNKNOWN
from orthotype.models.kinship import Kinship
from orthotype.models.linear.threads import one_blas_thread

Floats = NDArray[np.float64]

LEAST_KIN: Final = 0.5
N_CLUSTERS: Final = 15
CELLS_PER_CLUSTER: Final = 20
N_STARTS: Final = 3


class Groups(NamedTuple):
    """Groups of cells.

    Attributes
    ----------
    codes
        Group of each cell, shape (m,).
    names
        Name of each group.
    """

    codes: NDArray[np.intp]
    names: list[str]


def by_call(winner: NDArray[np.intp], unknown: NDArray[np.bool_], classes: NDArray[np.object_]) -> Groups:
    """Group cells by what they are called and whether they fit.

    Parameters
    ----------
    winner, unknown
        The class that each cell is called, and whether it fits none, shape (m,).
    classes
        Names of the classes, shape (n_classes,).
    """
    present, codes = np.unique(2 * winner + unknown, return_inverse=True)
    names = [str(classes[code // 2]) for code in present]
    strange = [f"{UNKNOWN}, nearest to {name!r}" for name in names]
    return Groups(
        codes.astype(np.intp),
        [other if code % 2 else name for code, name, other in zip(present, names, strange, strict=True)],
    )


def hardly_kin(winner: NDArray[np.intp], kin: Kinship) -> NDArray[np.bool_]:
    """Return which cells are called a class that is hardly kin of them, shape (m,).

    None where nothing tells, and none of cells of one type, which are kin though they differ in nothing.
    """
    if kin.classes is None or kin.one_type:
        return np.zeros(len(winner), dtype=bool)
    return np.asarray(np.nan_to_num(kin.classes, nan=1.0)[winner] < LEAST_KIN)


def by_place(
    groups: Groups,
    which: NDArray[np.bool_],
    places: Floats,
    *,
    mass: Floats,
    random_state: int,
) -> Groups:
    """Group some cells anew by where they lie.

    Parameters
    ----------
    groups
        The groups so far.
    which
        The cells, shape (m,).
    places
        Where all cells lie, shape (m, d).
    mass
        Cells that each stands for, shape (m,).
    random_state
        Starts k-means.
    """
    n_clusters = min(N_CLUSTERS, int(which.sum()) // CELLS_PER_CLUSTER)
    if n_clusters < 2:
        return groups
    from sklearn.cluster import KMeans

    with one_blas_thread():
        found = KMeans(n_clusters, n_init=N_STARTS, random_state=random_state)
        clusters = found.fit_predict(places[which], sample_weight=mass[which])
    merged = groups.codes.copy()
    merged[which] = len(groups.names) + clusters
    names = [*groups.names, *(f"cluster {c + 1}, like no class" for c in range(n_clusters))]
    present, codes = np.unique(merged, return_inverse=True)
    return Groups(codes.astype(np.intp), [names[g] for g in present])
