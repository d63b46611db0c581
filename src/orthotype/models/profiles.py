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


def class_profiles(blocks: Iterable[tuple[sp.csr_array, NDArray[np.floating]]]) -> ClassProfiles:
    """Gather profiles from blocks of encoded cells and their memberships in the classes.

    Parameters
    ----------
    blocks
        Pairs of encoded rows (n, n_features) and memberships Q (n, n_classes): one-hot labels, or the
        responsibilities of a model. At least one pair.
    """
    mass: NDArray[np.float64] | None = None
    for rows, memberships in blocks:
        weights = np.asarray(memberships, dtype=np.float64)
        squared = rows.copy()
        squared.data = squared.data**2
        first, second = weights.T @ rows, weights.T @ squared
        if mass is None:
            mass, sums, squares = weights.sum(axis=0), first, second
        else:
            mass, sums, squares = mass + weights.sum(axis=0), sums + first, squares + second
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


def one_hot(codes: NDArray[np.intp], n_classes: int) -> NDArray[np.float64]:
    """Return memberships that put each cell wholly into its class, shape (n, n_classes)."""
    return np.asarray(np.eye(n_classes)[codes])


def similarity(
    rows: sp.csr_array,
    codes: NDArray[np.intp],
    *,
    profiles: ClassProfiles,
    shift: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """Return the cosine between each cell and the mean profile of its class, both seen from the centre.

    The rows stay sparse: products with the profiles and norms are expanded into sums.

    Parameters
    ----------
    rows
        Encoded cells, shape (n, n_features).
    codes
        The class that each cell is held against, shape (n,).
    profiles
        Class means.
    shift
        Species shift to be taken off each cell, shape (n_features,).

    Returns
    -------
    Values from -1 to 1, shape (n,); 0 for a cell or class without any difference from the centre.
    """
    directions = similarity_directions(profiles, shift=shift)
    squares = np.asarray(rows.multiply(rows).sum(axis=1), dtype=np.float64).ravel()
    return similarity_from(rows @ directions.T, squares, codes, directions)


def similarity_directions(
    profiles: ClassProfiles, *, shift: NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """Return what :func:`similarity_from` needs the inner products of cells with.

    Returns
    -------
    The class means seen from the centre and, last, the point that cells are seen from (the centre, moved by
    the species shift), shape (n_classes + 1, n_features).
    """
    origin = profiles.centre if shift is None else profiles.centre + shift
    return np.vstack([profiles.mean.astype(np.float64) - profiles.centre, origin])


def similarity_from(
    products: NDArray[np.floating],
    squares: NDArray[np.floating],
    codes: NDArray[np.intp],
    directions: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Return :func:`similarity` from inner products (n, n_classes + 1) and squared lengths (n,) of cells."""
    offsets, origin = directions[:-1], directions[-1]
    wide = products.astype(np.float64)
    inner = wide[np.arange(len(codes)), codes] - (offsets @ origin)[codes]
    norms = squares.astype(np.float64) - 2.0 * wide[:, -1] + origin @ origin
    lengths = np.sqrt(np.maximum(norms, 0.0)) * np.linalg.norm(offsets, axis=1)[codes]
    cosine = np.divide(inner, lengths, out=np.zeros_like(inner), where=lengths > 0)
    return np.asarray(cosine, dtype=np.float32)
