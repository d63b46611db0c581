"""Cells among their like: what is said of a cell leans on what is said of the cells most similar to it.

A cell says little by itself; the cells of one type lie together whatever species they are of. Cells are
compared in the space of the leading singular vectors of the encoded target (at most 40). With d_ij the
distance to one of the k nearest and s_i the distance of cell i to its third nearest, the affinity is scaled
to the density at both ends, so that the few cells of a rare type lean on each other and not on a large type
next to them::

    a_ij = min(1, exp(1 - d_ij^2 / (s_i s_j))) / k
    v_i  becomes  (v_i + sum_j a_ij v_j) / (1 + sum_j a_ij)

The cell itself counts at least as much as all its neighbours together. Probabilities of classes are not just
averaged: a neighbour is of a common class by chance, so what the neighbours say of class c is divided by how
common its calls are, and the mixture is sharpened again, since averages are too modest::

    s_ic = sum_j a_ij p_jc / (mean_c + 1 / n)^0.75,  scaled to sum_c s_ic = sum_j a_ij
    p_ic becomes (p_ic + s_ic)^1.5, scaled to 1 over the classes; a cell without neighbours stays as it is

Up to 20,000 cells are compared with each other; more are compared with 10,000 of them, evenly spaced, which
keeps the cost linear.

References
----------
Zelnik-Manor and Perona (2004), Self-tuning spectral clustering, NIPS.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.models.linear.threads import available_threads, one_blas_thread
from orthotype.models.nearest import Landmarks

Floats = NDArray[np.float64]

N_NEIGHBORS = 15
N_COMPONENTS = 40
SCALE_AT = 3
ALL_PAIRS = 20_000
LANDMARKS = 10_000
AT_ONCE = 1 << 15
MOST_THREADS = 4
BALANCE = 0.75
SHARPEN = 1.5


@dataclass(frozen=True)
class Neighbours:
    """Affinities of n cells to the cells most like them.

    Attributes
    ----------
    affinity
        Shape (n, n_landmarks); rows sum to at most 1.
    landmarks
        Which cells the columns are, ascending, shape (n_landmarks,).
    """

    affinity: sp.csr_array
    landmarks: NDArray[np.intp]

    def smoothed(self, values: NDArray[np.floating]) -> Floats:
        """Return values, one row per cell, drawn to those of the cells alike."""
        of_landmarks = np.asarray(values[self.landmarks], dtype=np.float64)
        found = np.empty(values.shape)

        def smooth(part: slice) -> None:
            near = self.affinity[part]
            total = 1.0 + np.asarray(near.sum(axis=1)).reshape((-1,) + (1,) * (values.ndim - 1))
            found[part] = (values[part].astype(np.float64) + near @ of_landmarks) / total

        side_by_side(smooth, len(values))
        return found

    def leaned(self, proba: NDArray[np.floating]) -> Floats:
        """Return class probabilities, shape (n, n_classes), that lean on those of the cells alike."""
        mean = proba.mean(axis=0, dtype=np.float64)
        common = (mean + 1.0 / max(len(proba), 1)) ** BALANCE
        of_landmarks = np.asarray(proba[self.landmarks], dtype=np.float64)
        leaned = np.empty(proba.shape)

        def lean(part: slice) -> None:
            near, wide = self.affinity[part], np.asarray(proba[part], dtype=np.float64)
            degree = np.asarray(near.sum(axis=1), dtype=np.float64).reshape(-1, 1)
            said = np.asarray(near @ of_landmarks) / common
            total = said.sum(axis=1, keepdims=True)
            said *= np.divide(degree, total, out=np.zeros_like(total), where=total > 0)
            mixed = wide + said
            np.power(mixed, SHARPEN, out=mixed, where=degree > 0)
            leaned[part] = mixed / mixed.sum(axis=1, keepdims=True)

        side_by_side(lean, len(proba))
        return leaned


def side_by_side(work: Callable[[slice], None], n: int) -> None:
    """Do work on consecutive parts of n cells, several at a time; each writes into places of its own."""
    parts = [slice(first, min(first + AT_ONCE, n)) for first in range(0, n, AT_ONCE)]
    if len(parts) < 2:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(min(available_threads(), MOST_THREADS)) as threads:
        list(threads.map(work, parts))


def leading_directions(
    rows: sp.csr_array, *, n_components: int = N_COMPONENTS, random_state: int = 0
) -> NDArray[np.float32]:
    """Return the leading right singular vectors of encoded cells, shape (at most n_components, n_features).

    To the precision of the machine, so that the order of cells and genes does not matter. None at all for
    fewer than two cells or features.
    """
    from sklearn.decomposition import TruncatedSVD

    n = min(n_components, min(rows.shape) - 1)
    if n < 1:
        return np.empty((0, rows.shape[1]), dtype=np.float32)
    with one_blas_thread():
        found = TruncatedSVD(n, algorithm="arpack", random_state=random_state).fit(rows.astype(np.float64))
    return np.asarray(found.components_, dtype=np.float32)


def find_neighbours(places: NDArray[np.floating], *, n_neighbors: int = N_NEIGHBORS) -> Neighbours:
    """Return the affinities of cells to those nearest to them.

    Parameters
    ----------
    places
        Coordinates of the cells, shape (n, n_components).
    n_neighbors
        Neighbours that each cell leans on; at most a fifth of the cells.
    """
    n = len(places)
    landmarks = np.arange(n) if n <= ALL_PAIRS else np.linspace(0, n - 1, LANDMARKS).astype(np.intp)
    k = min(n_neighbors, max(1, len(landmarks) // 5), len(landmarks) - 1)
    if k < 1 or places.shape[1] == 0:
        return Neighbours(sp.csr_array((n, len(landmarks))), landmarks)
    distances, columns = np.empty((n, k)), np.empty((n, k), dtype=np.int32)
    search = Landmarks(places[landmarks])
    for first in range(0, n, AT_ONCE):
        part = slice(first, first + AT_ONCE)
        far, near = search.nearest(places[part], k + 1)
        others = _without_self(landmarks[near], first)
        distances[part] = np.take_along_axis(far, others, axis=1)
        columns[part] = np.take_along_axis(near, others, axis=1)
    scale = np.maximum(distances[:, min(SCALE_AT, k) - 1], 1e-12)
    affinity = distances
    for first in range(0, n, AT_ONCE):
        part = slice(first, first + AT_ONCE)
        closeness = distances[part] ** 2 / (scale[part, None] * scale[landmarks][columns[part]])
        affinity[part] = np.minimum(1.0, np.exp(1.0 - np.minimum(closeness, 700.0))) / n_neighbors
    indptr = np.arange(0, n * k + 1, k)
    shape = (n, len(landmarks))
    return Neighbours(sp.csr_array((affinity.ravel(), columns.ravel(), indptr), shape=shape), landmarks)


def neighbours_of(rows: sp.csr_array, *, n_neighbors: int = N_NEIGHBORS) -> Neighbours:
    """Return the affinities of encoded cells among each other."""
    directions = leading_directions(evenly(rows))
    places = np.empty((rows.shape[0], len(directions)), dtype=np.float32)
    for first in range(0, len(places), AT_ONCE):
        places[first : first + AT_ONCE] = rows[first : first + AT_ONCE] @ directions.T.astype(np.float64)
    return find_neighbours(places, n_neighbors=n_neighbors)


def evenly(rows: sp.csr_array, *, most: int = ALL_PAIRS) -> sp.csr_array:
    """Return at most so many rows, evenly spaced."""
    n = rows.shape[0]
    return rows if n <= most else sp.csr_array(rows[np.linspace(0, n - 1, most).astype(np.intp)])


def _without_self(cells: NDArray[np.intp], first: int) -> NDArray[np.intp]:
    """Return which of k + 1 cells are the k nearest others, shape (n, k), from the cell ``first`` on."""
    own = cells == np.arange(first, first + len(cells))[:, None]
    last = ~own.any(axis=1)
    own[last, -1] = True
    kept = np.broadcast_to(np.arange(cells.shape[1]), cells.shape)[~own]
    return np.asarray(kept.reshape(len(cells), -1), dtype=np.intp)
