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
        squared = rows.copy()
        squared.data = squared.data**2
        weight = np.asarray(memberships.sum(axis=0), dtype=np.float64).ravel()
        first, second = _weighted(memberships, rows), _weighted(memberships, squared)
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


def _weighted(memberships: NDArray[np.floating] | sp.csr_array, rows: sp.csr_array) -> NDArray[np.float64]:
    """Return sums of rows by class, shape (n_classes, n_features)."""
    if isinstance(memberships, sp.csr_array):
        return np.asarray((sp.csr_array(memberships.T) @ rows.astype(np.float64)).toarray())
    return np.asarray(np.asarray(memberships, dtype=np.float64).T @ rows)


def one_hot(codes: NDArray[np.intp], n_classes: int) -> NDArray[np.float64]:
    """Return memberships that put each cell wholly into its class, shape (n, n_classes)."""
    return np.asarray(np.eye(n_classes)[codes])


def members(codes: NDArray[np.intp], n_classes: int) -> sp.csr_array:
    """Return :func:`one_hot` for many cells, sparse, and those of code -1 in no class."""
    inside = np.flatnonzero(codes >= 0)
    ones = np.ones(len(inside))
    return sp.csr_array((ones, (inside, codes[inside])), shape=(len(codes), n_classes))
