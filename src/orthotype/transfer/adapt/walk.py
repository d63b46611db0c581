"""Cells that a few labels reach: where walks among the cells of the target go that begin at labelled ones.

A type is where its cells lie close together, and unlabelled cells show where that is. Every cell is tied to
the fifteen most like it (a tenth of all where that is fewer) along the principal axes of the target. With
d_ij their distance and s_i that of cell i to its third nearest::

    w_ij = exp( - d_ij^2 / (s_i s_j) ),  the larger of both ways;   S = D^-1/2 w D^-1/2,  D the row sums
    F    = Y,  then thirty times  0.95 S F + 0.05 Y

Y is even over the labelled cells of a class. A class without a label begins at the cells that the source
surely assigns to it, so that it keeps its own. f_ic is the share of class c in row i of F, its columns scaled
to the same sum. What the fit around the start says of a cell and what the walk says are put together::

    P_i = softmax( log p_i + (1 + m) log f_i ),     m the share of new classes among those with labels

since the less of the classes the source knows, the more the walk has to say. The ten surest of the unlabelled
cells that P calls a labelled class by at least a half are *reached*, and their mean is as good as a label.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.models.linear.softmax import softmax
from orthotype.models.nearest import Landmarks

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

NEAREST: Final = 15
SHARE_NEAREST: Final = 0.1
SCALE_AT: Final = 3
GOES_ON: Final = 0.95
STEPS: Final = 30
REACHED: Final = 10
SURE: Final = 0.5
LEAST_SHARE: Final = 1e-6
TINY: Final = 1e-300


def tied(places: Floats) -> sp.csr_array | None:
    """Return S of cells at some places, shape (n, n); None for too few cells.

    Parameters
    ----------
    places
        Where the cells lie, shape (n, n_axes).
    """
    n = len(places)
    k = min(NEAREST, int(SHARE_NEAREST * n))
    if k < 1 or not places.shape[1]:
        return None
    distances, near = (each[:, 1:] for each in Landmarks(places).nearest(places, k + 1))
    scale = np.maximum(distances[:, min(SCALE_AT, k) - 1], 1e-9)
    ties = np.exp(-(distances**2) / (scale[:, None] * scale[near]))
    one_way = sp.csr_array((ties.ravel(), (np.repeat(np.arange(n), k), near.ravel())), shape=(n, n))
    both = sp.csr_array(one_way.maximum(one_way.T))
    root = sp.diags_array(1.0 / np.sqrt(np.maximum(both.sum(axis=1), TINY)))
    return sp.csr_array(root @ both @ root)


def walked(ties: sp.csr_array, begin: Floats) -> Floats:
    """Return the log share of every class in what walks bring to a cell, shape (n, n_classes).

    Parameters
    ----------
    ties
        S, shape (n, n).
    begin
        Y, where the walks of each class begin, shape (n, n_classes).
    """
    found = begin
    for _ in range(STEPS):
        found = GOES_ON * (ties @ found) + (1.0 - GOES_ON) * begin
    found = found / np.maximum(found.sum(axis=0), TINY)
    share = found / np.maximum(found.sum(axis=1, keepdims=True), TINY)
    return np.asarray(np.log(share + LEAST_SHARE))


@dataclass(frozen=True, eq=False)
class Walk:
    """What walks from a few labels say of unlabelled cells.

    Attributes
    ----------
    X
        The cells, encoded, shape (n, n_features).
    said
        (1 + m) log f, shape (n, n_classes).
    labelled
        Classes with a label, shape (n_classes,).
    """

    X: sp.csr_array
    said: Floats
    labelled: NDArray[np.bool_]

    def reached(self, scores: Floats) -> tuple[sp.csr_array, Codes]:
        """Return the mean of the cells reached of every class that reaches one, and the classes.

        Parameters
        ----------
        scores
            What a model says of the cells, shape (n, n_classes).
        """
        together = softmax(scores)
        together = softmax(np.log(np.maximum(together, TINY)) + self.said)
        called, sure = together.argmax(axis=1), together.max(axis=1)
        order = np.argsort(-sure, kind="stable")
        order = order[sure[order] >= SURE]
        cells = {int(k): order[called[order] == k][:REACHED] for k in np.flatnonzero(self.labelled)}
        classes = [k for k, found in cells.items() if len(found)]
        means = [sp.csr_array(self.X[cells[k]].mean(axis=0)[None]) for k in classes]
        rows = sp.vstack(means, format="csr") if means else self.X[:0]
        return sp.csr_array(rows), np.array(classes, dtype=np.intp)


def walk_from(
    codes: Codes, own: list[Codes], X: sp.csr_array, places: Floats, *, new: NDArray[np.bool_]
) -> Walk | None:
    """Return what walks say of the unlabelled cells of a target; None for too few cells.

    Parameters
    ----------
    codes
        Classes of the labelled cells, shape (n_labelled,).
    own
        For every class without a label the unlabelled cells where its walks begin, none for classes with one.
    X
        Encoded unlabelled cells, shape (n_unlabelled, n_features).
    places
        Where all cells lie, unlabelled ones first, shape (n_unlabelled + n_labelled, n_axes).
    new
        Classes that the source does not know, shape (n_classes,).
    """
    ties = tied(places)
    if ties is None:
        return None
    sizes = np.bincount(codes, minlength=len(new))
    begin = np.zeros((len(places), len(new)))
    begin[len(places) - len(codes) + np.arange(len(codes)), codes] = 1.0 / sizes[codes]
    for k, cells in enumerate(own):
        begin[cells, k] = 1.0 / max(len(cells), 1)
    labelled = sizes > 0
    weight = 1.0 + float(new[labelled].mean())
    return Walk(X, weight * walked(ties, begin)[: X.shape[0]], labelled)
