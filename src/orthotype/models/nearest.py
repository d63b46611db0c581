"""The landmarks nearest to each of many points: exact, by the native kernel or by scikit-learn.

The kernel compares in float32, around the middle of the landmarks, and measures what it finds in float64;
where rounding could decide, it compares in float64 from the start.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthotype.cells.native import native
from orthotype.models.linear.threads import available_threads, one_blas_thread

Floats = NDArray[np.float64]

KERNEL: Final = "orthotype.models._nearest"


class Landmarks:
    """Points that others are compared with.

    Parameters
    ----------
    places
        Coordinates, shape (m, d).
    """

    def __init__(self, places: NDArray[np.floating]) -> None:
        wide = np.asarray(places, dtype=np.float64)
        self._centre = wide.mean(axis=0)
        self._places = wide - self._centre

    def nearest(self, points: NDArray[np.floating], k: int) -> tuple[Floats, NDArray[np.int32]]:
        """Return the distances of points (n, d) to the k landmarks nearest to each, and which they are.

        Both of shape (n, k), ascending. Of landmarks that are equally far the kernel names the first.
        """
        centred = np.asarray(points, dtype=np.float64) - self._centre
        module = native(KERNEL)
        if module is None or k > module.MOST_WANTED:
            return self._by_products(centred, k)
        distances = np.empty((len(centred), k))
        columns = np.empty((len(centred), k), dtype=np.int32)
        d = centred.shape[1]
        module.nearest(centred, self._places, d, k, available_threads(), distances, columns)
        return distances, columns

    def _by_products(self, points: Floats, k: int) -> tuple[Floats, NDArray[np.int32]]:
        """Do the same without the kernel."""
        from sklearn.neighbors import NearestNeighbors

        with one_blas_thread():
            search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(self._places)
            distances, columns = search.kneighbors(points)
        return np.asarray(distances), np.asarray(columns, dtype=np.int32)
