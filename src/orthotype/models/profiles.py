"""What the classes look like on average: the part of the source that a model takes along.

When others annotate, the source cells are not at hand. Class means and variances of every selected feature
are enough for the species shift, for gene transferability and for telling whether a cell looks like its
class.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.native import ROWS, native


@dataclass(frozen=True)
class ClassProfiles:
    """Mean and variance of every feature in every class, on the encoded scale.

    Attributes
    ----------
    mean, variance
        Shape (n_classes, n_features), float32; zero for a class without cells.
    n_cells
        Cells behind each class, or the sum of their responsibilities, shape (n_classes,), float64.
    """

    mean: NDArray[np.float32]
    variance: NDArray[np.float32]
    n_cells: NDArray[np.float64]

    @property
    def centre(self) -> NDArray[np.float64]:
        """Mean over the classes that have cells, each counted once, shape (n_features,)."""
        return np.asarray(self.mean[self.n_cells > 0].mean(axis=0, dtype=np.float64))


def class_profiles(
    blocks: Iterable[tuple[sp.csr_array, NDArray[np.floating] | sp.csr_array]],
) -> ClassProfiles:
    """Gather profiles from blocks of encoded cells and their memberships in the classes.

    Parameters
    ----------
    blocks
        Pairs of encoded rows (n, n_features) and memberships Q (n, n_classes): one-hot labels, or the
        responsibilities of a model. At least one pair.
    """
    mass: NDArray[np.float64] | None = None
    for rows, memberships in blocks:
        weight = np.asarray(memberships.sum(axis=0), dtype=np.float64).ravel()
        first, second = _sums(memberships, rows)
        if mass is None:
            mass, sums, squares = weight, first, second
        else:
            mass, sums, squares = mass + weight, sums + first, squares + second
    if mass is None:
        raise ValueError("class_profiles needs at least one block")
    safe = np.maximum(mass, 1e-300)[:, None]
    mean = np.where(mass[:, None] > 0, sums / safe, 0.0)
    variance = np.where(mass[:, None] > 0, squares / safe - mean**2, 0.0)
    return ClassProfiles(
        mean=mean.astype(np.float32),
        variance=np.maximum(variance, 0.0).astype(np.float32),
        n_cells=mass,
    )


def _sums(
    memberships: NDArray[np.floating] | sp.csr_array, rows: sp.csr_array
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sums of values and of their squares by class, each of shape (n_classes, n_features)."""
    squared = rows.copy()
    squared.data = squared.data**2
    if not isinstance(memberships, sp.csr_array):
        weights = np.asarray(memberships, dtype=np.float64)
        return np.asarray(weights.T @ rows), np.asarray(weights.T @ squared)
    kernel = native(ROWS) if rows.dtype == np.float32 else None
    if kernel is None:
        turned = sp.csr_array(memberships.T)
        first, second = ((turned @ values.astype(np.float64)).toarray() for values in (rows, squared))
        return first, second
    n_classes, width = memberships.shape[1], rows.shape[1]
    code = np.full(rows.shape[0], n_classes)
    code[np.diff(memberships.indptr) > 0] = memberships.indices
    places = np.repeat(code * width, np.diff(rows.indptr)) + rows.indices
    sums, ends = np.zeros((2, n_classes + 1, width)), np.array([0, len(places)])
    for values, into in zip((rows, squared), sums, strict=True):
        kernel.add(ends, places, values.data, into)
    return sums[0, :-1], sums[1, :-1]


def one_hot(codes: NDArray[np.intp], n_classes: int) -> NDArray[np.float64]:
    """Return memberships that put each cell wholly into its class, shape (n, n_classes)."""
    return np.asarray(np.eye(n_classes)[codes])


def members(codes: NDArray[np.intp], n_classes: int) -> sp.csr_array:
    """Return :func:`one_hot` for many cells, sparse, each in one class, and those of code -1 in none."""
    inside = np.flatnonzero(codes >= 0)
    ones = np.ones(len(inside))
    return sp.csr_array((ones, (inside, codes[inside])), shape=(len(codes), n_classes))
