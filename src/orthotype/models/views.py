"""How well a cell fits the class it was called, seen in four ways that need no source cell.

With u_i = x_i - delta - centre, class offsets o_k = mu_k - centre and z_i the mean logits of the models::

    likeness_i = <u_i, o_k> / (|u_i| |o_k|)         does the cell point the way of its class?
    lead_i     = likeness to the most alike class - likeness to the next       is it between two classes?
    extent_i   = <u_i, o_k> / |o_k|^2               how much of what makes the class is there?
    margin_i   = first of z_i - second of z_i       does the classifier hesitate?

The mean of few cells is long because it holds their noise: |o_k|^2 is taken without the variance that n_k
cells leave in it, sum_j s2_kj / n_k, but never less than a tenth of it.

Classes that a model has learned from a few target cells alone (new ones) have no part in the centre, and are
no rivals of a source class in its lead: in the source, where the views were calibrated, there were none.

A cell of a distant type has little likeness or extent; a cell of a type close to several classes has no lead
and no margin.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.models.profiles import ClassProfiles

VIEWS = ("likeness", "lead", "extent", "margin")
LEAST_LENGTH = 0.1


@dataclass(frozen=True)
class Views:
    """The four views of n cells, each of shape (n,); higher fits better."""

    likeness: NDArray[np.float32]
    lead: NDArray[np.float32]
    extent: NDArray[np.float32]
    margin: NDArray[np.float32]

    @classmethod
    def joined(cls, parts: "list[Self]") -> Self:
        """Return the views of several blocks of cells as one."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in VIEWS))

    def table(self) -> NDArray[np.float64]:
        """Return the views side by side, shape (n, 4)."""
        return np.column_stack([getattr(self, name) for name in VIEWS]).astype(np.float64)


def view_directions(
    profiles: ClassProfiles,
    *,
    shift: NDArray[np.floating] | None = None,
    known: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Return the directions whose inner products with cells :func:`view_products` needs.

    Parameters
    ----------
    profiles
        Class means of the source.
    shift
        Species shift to be taken off each cell, shape (n_features,).
    known
        Which classes are not new, shape (n_classes,); None for all.

    Returns
    -------
    The class offsets o_k and, last, the point that cells are seen from (the centre, moved by the species
    shift), shape (n_classes + 1, n_features).
    """
    seen = (profiles.n_cells > 0) & (True if known is None else known)
    centre = profiles.mean[seen].mean(axis=0, dtype=np.float64)
    origin = centre if shift is None else centre + shift
    return np.vstack([profiles.mean.astype(np.float64) - centre, origin])


def view_cells(
    rows: sp.csr_array,
    codes: NDArray[np.intp],
    *,
    profiles: ClassProfiles,
    shift: NDArray[np.floating] | None = None,
    own: NDArray[np.intp] | None = None,
    ahead: NDArray[np.floating] | None = None,
) -> Views:
    """Return how well cells fit the classes they were called.

    The rows stay sparse: products with the profiles and norms are expanded into sums.

    Parameters
    ----------
    rows
        Encoded cells, shape (n, n_features).
    codes
        The class that each cell was called, shape (n,).
    profiles
        Class means of the source; classes without cells are left out.
    shift
        Species shift to be taken off each cell, shape (n_features,).
    own
        The class whose mean each cell helped to make, shape (n,), for source cells: it is taken out of that
        mean, or a class of two cells would fit them perfectly. None for other cells.
    ahead
        Margins of their mean logits (:func:`orthotype.models.margins.margins`), shape (n,); None for zeros.
    """
    directions = view_directions(profiles, shift=shift)
    squares = np.asarray(rows.multiply(rows).sum(axis=1), dtype=np.float64).ravel()
    return view_products(
        rows @ directions.T, squares, codes, directions, profiles=profiles, own=own, ahead=ahead
    )


def view_products(
    products: NDArray[np.floating],
    squares: NDArray[np.floating],
    codes: NDArray[np.intp],
    directions: NDArray[np.float64],
    *,
    profiles: ClassProfiles,
    own: NDArray[np.intp] | None = None,
    known: NDArray[np.bool_] | None = None,
    ahead: NDArray[np.floating] | None = None,
) -> Views:
    """Return :func:`view_cells` from what a sweep brings along.

    Parameters
    ----------
    products
        Inner products of the cells with the directions, shape (n, n_classes + 1).
    squares
        Their squared lengths, shape (n,).
    codes, own, ahead
        As in :func:`view_cells`.
    directions
        From :func:`view_directions`.
    profiles
        Class means of the source, from which the directions were made.
    known
        Which classes are not new, shape (n_classes,); None for all.
    """
    index = np.arange(len(codes))
    offsets, origin = directions[:-1], directions[-1]
    wide = products.astype(np.float64)
    inner = wide[:, :-1] - offsets @ origin
    norms = np.maximum(squares.astype(np.float64) - 2.0 * wide[:, -1] + origin @ origin, 0.0)
    lengths = np.tile((offsets**2).sum(axis=1), (len(codes), 1))
    behind = np.tile(profiles.n_cells, (len(codes), 1))
    if own is not None:
        behind[index, own] = others = np.maximum(profiles.n_cells[own] - 1.0, 0.0)
        f = np.divide(1.0, others, out=np.zeros_like(others), where=others > 0)
        with_own, length = inner[index, own], lengths[index, own]
        inner[index, own] = with_own + f * (with_own - norms)
        lengths[index, own] = length + 2 * f * (length - with_own) + f**2 * (length - 2 * with_own + norms)
    noise = profiles.variance.sum(axis=1, dtype=np.float64) / np.maximum(behind, 1.0)
    lengths = np.maximum(lengths - noise, LEAST_LENGTH * lengths)
    seen = profiles.n_cells > 0
    size = np.sqrt(np.maximum(lengths, 0.0) * norms[:, None])
    cosine = np.clip(np.divide(inner, size, out=np.zeros_like(inner), where=(size > 0) & seen), -1.0, 1.0)
    extent = np.divide(inner, lengths, out=np.zeros_like(inner), where=lengths > 0)
    return Views(
        likeness=cosine[index, codes].astype(np.float32),
        lead=_lead(cosine, codes, seen, seen if known is None else seen & known),
        extent=extent[index, codes].astype(np.float32),
        margin=(np.zeros(len(codes)) if ahead is None else ahead).astype(np.float32),
    )


def _lead(
    cosine: NDArray[np.float64],
    codes: NDArray[np.intp],
    seen: NDArray[np.bool_],
    rivals: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Return how far the most alike class is ahead of the next, among rivals and the class called."""
    among = np.tile(rivals, (len(codes), 1))
    among[np.arange(len(codes)), codes] = seen[codes]
    ranked = np.sort(np.where(among, cosine, -1.0), axis=1)
    return np.asarray(ranked[:, -1] - ranked[:, -2], dtype=np.float32)
