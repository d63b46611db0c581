"""Groups among cells that fit no class: how many there are is for their density to say.

Cells are placed by the leading singular vectors of their encoded genes, seen from the mean of all of them and
brought to length one, so that a cell's depth plays little part. HDBSCAN then finds places where cells lie
closer than elsewhere; the number of groups is not given, and cells between the groups stay without one.

A few cells that do fit a class are placed along with them, as *company*. They make unknown cells of a single
type a group (a density needs something to differ from), and they tell misfits from a new type: misfits lie
among the cells of the class that they belong to.

References
----------
Campello, Moulavi, Zimek & Sander (2015), ACM Trans Knowl Discov Data 10:5 (HDBSCAN).
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.models.linear.threads import one_blas_thread

Codes = NDArray[np.intp]
Floats = NDArray[np.float64]

N_COMPONENTS: Final = 10
FEWEST_CELLS: Final = 5
SMALLEST_SHARE: Final = 0.005
N_NEIGHBORS: Final = 5
N_HALVES: Final = 5


@dataclass(frozen=True)
class Places:
    """Where cells lie, by the leading singular vectors of some of them.

    Attributes
    ----------
    directions
        Right singular vectors, shape (n_components, n_features).
    centre
        Mean of the cells that they were learned from, along them, shape (n_components,).
    """

    directions: Floats
    centre: Floats

    @classmethod
    def learn(cls, rows: sp.csr_array, *, n_components: int = N_COMPONENTS, random_state: int = 0) -> Self:
        """Learn from encoded cells, at least three with at least three features."""
        from sklearn.decomposition import TruncatedSVD

        wide = rows.astype(np.float64)
        n = min(n_components + 1, min(rows.shape) - 1)
        with one_blas_thread():
            svd = TruncatedSVD(n, algorithm="arpack", random_state=random_state).fit(wide)
        directions = np.asarray(svd.components_, dtype=np.float64)
        return cls(directions, np.asarray(wide.mean(axis=0)).ravel() @ directions.T)

    def place(self, rows: sp.csr_array) -> Floats:
        """Return where encoded cells lie, shape (n, n_components), each at length one from the centre."""
        seen = np.asarray(rows.astype(np.float64) @ self.directions.T) - self.centre
        length = np.linalg.norm(seen, axis=1, keepdims=True)
        return np.asarray(np.divide(seen, length, out=np.zeros_like(seen), where=length > 0))


def find_groups(places: Floats) -> Codes:
    """Return the group of each cell by density, -1 for cells in none, shape (n,).

    A group has at least five cells, and at least one cell in two hundred.
    """
    from sklearn.cluster import HDBSCAN

    n = len(places)
    if n < 2 * FEWEST_CELLS:
        return np.full(n, -1, dtype=np.intp)
    smallest = max(FEWEST_CELLS, int(np.ceil(SMALLEST_SHARE * n)))
    found = HDBSCAN(min_cluster_size=smallest, min_samples=FEWEST_CELLS, copy=True).fit(places)
    return np.asarray(found.labels_, dtype=np.intp)


def join_groups(places: Floats, *, known: Floats, codes: Codes) -> Codes:
    """Return the group that most of the five nearest cells are in, -1 where no group has most of them.

    Parameters
    ----------
    places
        Cells to be placed in groups, shape (n, n_components).
    known, codes
        Cells whose groups are known, shape (m, n_components), and their groups, -1 for none, shape (m,).
    """
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=min(N_NEIGHBORS, len(known))).fit(known)
    beside = codes[near.kneighbors(places, return_distance=False)]
    counts = np.stack([(beside == code).sum(axis=1) for code in range(-1, int(codes.max()) + 1)], axis=1)
    best = counts.argmax(axis=1)
    return np.where(2 * counts.max(axis=1) > beside.shape[1], best - 1, -1).astype(np.intp)


def coherence(places: Floats) -> float:
    """Return how much the cells of a group lie in one direction: length of their mean place, 0 to 1."""
    return float(np.linalg.norm(places.mean(axis=0)))


@dataclass(frozen=True)
class Likeness:
    """How alike a group and a class are, as correlations of mean profiles within one data set.

    Attributes
    ----------
    group
        Of the group with the class.
    own
        Of as many cells of the class with the other cells of the class: the most that could be expected.
    next
        Of the class with the class most like it.
    """

    group: float
    own: float
    next: float

    @property
    def standing(self) -> float:
        """Where the group stands between the next class, 0, and the class's own cells, 1."""
        return (self.group - self.next) / max(self.own - self.next, 0.02)


def profiles_of(rows: sp.csr_array, members: dict[int, Codes]) -> dict[int, Floats]:
    """Return the mean of the cells of each class."""
    return {code: _mean(rows, cells) for code, cells in members.items()}


def likeness(
    rows: sp.csr_array, group: Codes, *, own: Codes, profiles: dict[int, Floats], to: int, seed: int
) -> Likeness:
    """Return how alike a group and one of the classes are.

    Parameters
    ----------
    rows
        Encoded cells, shape (n, n_features).
    group
        Positions of the cells of the group.
    own
        Positions of the cells of the class, at least two.
    profiles
        Mean of each class.
    to
        The class.
    seed
        Decides the halves of the class.
    """
    rng = np.random.default_rng(seed)
    size = max(1, min(len(group), len(own) // 2))
    halves = []
    for _ in range(N_HALVES):
        mixed = rng.permutation(own)
        halves.append(_correlation(_mean(rows, mixed[:size]), _mean(rows, mixed[size:])))
    others = [_correlation(profiles[to], profile) for code, profile in profiles.items() if code != to]
    return Likeness(
        group=_correlation(_mean(rows, group), profiles[to]),
        own=float(np.median(halves)),
        next=max(others, default=0.0),
    )


def _mean(rows: sp.csr_array, cells: Codes) -> Floats:
    return np.asarray(rows[cells].mean(axis=0, dtype=np.float64)).ravel()


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 0.0
