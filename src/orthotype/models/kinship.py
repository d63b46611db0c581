"""Whether a tissue is one that the classes say anything about: what half of the genes foretell of the others.

Any cell is most like some class, in any tissue. If the classes are really there, cells that are called by
half of the genes differ in the other half, too, as the classes differ; if they are not, what looks alike in
one half is chance, and the other half shows nothing of it. With halves A and B of the genes::

    call    k_i = argmax_k <x_i - delta - centre, o_k> / |o_k|          in A, o_k = mu_k - centre
    compare a_k = <t_k, s_k> / (|t_k| |s_k|)                            in B

t_k is the mean of the cells called k, s_k that of the class, both less their mean over the classes called, so
that a shift of all classes drops out; in A it is taken off as delta. |t_k|^2 is taken without the variance
that so few cells leave in it. The kinship of a class is the mean of a_k over the halves: it is low where most
of the cells called so belong to no class of the source. The kinship of the target is the mean over halves and
the larger classes. A tissue that shares some types with the source is kin of it. Among less than 400 cells
chance looks like kinship, and nothing is said of the whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Between the tissues that share no type with a source and those that are its like (docs/alignment.md).
LEAST_KINSHIP: Final = 0.34
N_SPLITS: Final = 3
FEWEST_CELLS: Final = 400
FEWEST_OF_A_CLASS: Final = 10
LARGE_CLASS: Final = 20
LEAST_LENGTH: Final = 0.1


@dataclass(frozen=True, eq=False)
class Kinship:
    """How far calls by half of the genes foretell the other half, at most 1.

    Attributes
    ----------
    whole
        Of all cells; NaN where nothing tells.
    classes
        Of the cells called each class, shape (n_classes,), NaN where they are fewer than ten; None where
        nothing tells.
    """

    whole: float = nan
    classes: Floats | None = None


def kinship(
    rows: sp.csr_array,
    means: NDArray[np.floating],
    *,
    shift: NDArray[np.floating],
    present: NDArray[np.bool_],
) -> Kinship:
    """Return how far calls by half of the genes foretell the other half.

    Parameters
    ----------
    rows
        Encoded cells, shape (n, n_features).
    means
        Means of the classes that the source has, shape (n_classes, n_features).
    shift
        Species shift that is taken off each cell before it is called, shape (n_features,).
    present
        Which genes the cells have, shape (n_features,).
    """
    if len(means) < 2:
        return Kinship()
    columns, centres = rows.astype(np.float64).tocsc(), means.astype(np.float64)
    told = [
        _foretold(columns, centres, shift.astype(np.float64), known, other)
        for known, other in _halves(np.flatnonzero(present))
    ]
    alike, sizes = (np.array(each) for each in zip(*told, strict=True))
    large = alike[sizes >= LARGE_CLASS]
    whole = float(large.mean()) if rows.shape[0] >= FEWEST_CELLS and len(large) else nan
    n_told = np.count_nonzero(~np.isnan(alike), axis=0)
    return Kinship(whole, np.where(n_told > 0, np.nansum(alike, axis=0) / np.maximum(n_told, 1), nan))


def _halves(genes: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield halves of the genes both ways: every second one, every second two, every second four."""
    for split in range(N_SPLITS):
        first = np.arange(len(genes)) >> split & 1 == 0
        yield genes[first], genes[~first]
        yield genes[~first], genes[first]


def _foretold(
    columns: sp.csc_array,
    means: Floats,
    shift: Floats,
    known: NDArray[np.intp],
    other: NDArray[np.intp],
) -> tuple[Floats, NDArray[np.intp]]:
    """Return how alike each class is, in the other genes, to the cells called so, and how many they are."""
    codes = _called(sp.csr_array(columns[:, known]), means[:, known], shift[known])
    n_called = np.bincount(codes, minlength=len(means))
    found = np.full(len(means), nan)
    called = np.flatnonzero(n_called >= FEWEST_OF_A_CLASS)
    if len(called) < 2:
        return found, np.zeros_like(n_called)
    cells = sp.csr_array(columns[:, other])
    sizes, sums, squares = _sums(cells, codes, called)
    own = sums / sizes[:, None]
    noise = (squares / sizes[:, None] - own**2).sum(axis=1) / np.maximum(sizes - 1.0, 1.0)
    own, source = (each - each.mean(axis=0) for each in (own, means[called][:, other]))
    lengths = (own**2).sum(axis=1)
    lengths = np.maximum(lengths - noise, LEAST_LENGTH * lengths) * (source**2).sum(axis=1)
    inner = (own * source).sum(axis=1)
    alike = np.divide(inner, np.sqrt(lengths), out=np.zeros_like(inner), where=lengths > 0)
    found[called] = np.clip(alike, -1.0, 1.0)
    return found, n_called


def _called(cells: sp.csr_array, means: Floats, shift: Floats) -> NDArray[np.intp]:
    """Return the class that each cell is most like."""
    centre = means.mean(axis=0)
    offsets = means - centre
    lengths = np.maximum(np.linalg.norm(offsets, axis=1), 1e-12)
    return np.asarray(((cells @ offsets.T - offsets @ (centre + shift)) / lengths).argmax(axis=1))


def _sums(
    cells: sp.csr_array, codes: NDArray[np.intp], called: NDArray[np.intp]
) -> tuple[Floats, Floats, Floats]:
    """Return the number, the sum and the sum of squares of the cells of each class."""
    place = np.searchsorted(called, codes)
    inside = np.isin(codes, called)
    n = int(inside.sum())
    chosen = sp.csr_array(
        (np.ones(n), (place[inside], np.flatnonzero(inside))), shape=(len(called), len(codes))
    )
    sizes = np.bincount(place[inside], minlength=len(called)).astype(np.float64)
    return sizes, (chosen @ cells).toarray(), (chosen @ cells.power(2)).toarray()
