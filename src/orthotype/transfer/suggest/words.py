"""What is said about a suggested cell: why it, who lies around it, and which genes are high there."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype._keys import ASSIGNED, UNKNOWN
from orthotype.errors import numbered

Floats = NDArray[np.float64]

N_NEIGHBORS = 15
N_TOP_GENES = 8
BETWEEN = 0.5
PRIOR_PER_MILLION = 50.0
LEAST_CELLS_WITH = 0.3


class Called(NamedTuple):
    """What the model said of one cell.

    Attributes
    ----------
    name
        Its most voted class.
    status
        "assigned", "no agreement" or "unknown".
    best
        The two most probable classes with their probabilities; one for a model of one class.
    """

    name: str
    status: str
    best: tuple[tuple[str, float], ...]


def reason(called: Called, *, stands_for: int, first: bool, kin: bool = True) -> str:
    """Say in words why a cell is worth a label.

    Parameters
    ----------
    called
        What the model said of it.
    stands_for
        Cells of its group that are nearer to it than to any other chosen or labelled cell, itself included.
    first
        Whether no cell of its class has a label or was suggested before.
    kin
        Whether the cells of its class are kin of it (:mod:`orthotype.models.kinship`).

    Examples
    --------
    >>> alpha = Called("alpha", "assigned", (("alpha", 0.41), ("gamma", 0.38)))
    >>> reason(alpha, stands_for=12, first=False)
    "between 'alpha' and 'gamma': 0.41 and 0.38; stands for 12 cells"
    """
    cells = numbered(stands_for, "cell", "cells")
    if called.status == UNKNOWN:
        fits = "fits" if stands_for == 1 else "fit"
        return f"stands for {cells} that {fits} no class, nearest to {called.name!r}"
    if not kin:
        is_most = "is" if stands_for == 1 else "are"
        return f"stands for {cells} that {is_most} most like {called.name!r}, but hardly kin of it"
    said = []
    if first:
        said.append(f"the first cell of {called.name!r}")
    if len(called.best) > 1 and called.best[0][1] - called.best[1][1] < BETWEEN:
        (one, p), (other, q) = called.best[:2]
        said.append(f"between {one!r} and {other!r}: {p:.2f} and {q:.2f}")
    elif called.status != ASSIGNED:
        said.append(f"the fold models do not agree on {called.name!r}")
    if not said:
        said.append(f"a part of {called.name!r} without a label")
    return "; ".join([*said, f"stands for {cells}"])


def nearest_to(chosen: NDArray[np.intp], places: Floats) -> Iterator[NDArray[np.intp]]:
    """Yield for each chosen cell the positions of the 15 cells nearest to it, itself first."""
    for j in chosen:
        apart = ((places - places[j]) ** 2).sum(axis=1)
        apart[j] = -1.0
        yield np.argsort(apart, kind="stable")[: N_NEIGHBORS + 1]


def counted(names: list[str]) -> str:
    """Return names with how often they occur, the most frequent first.

    >>> counted(["beta", "alpha", "beta"])
    'beta 2, alpha 1'
    """
    ranked = sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {n}" for name, n in ranked)


def top_genes(
    counts: sp.csr_array, *, totals: NDArray[np.floating], names: NDArray[np.object_], most: int = N_TOP_GENES
) -> list[str]:
    """Return the genes that are high in a few cells against all others, the highest first.

    Parameters
    ----------
    counts
        The few cells x genes, linear values.
    totals
        Sum of each gene over all cells, the few among them, shape (n_genes,).
    names
        Names of the genes, shape (n_genes,).
    most
        How many at most. Only genes found in three cells of ten, and at least 1.5 times as high as elsewhere.
        Both sides are given 50 counts per million more, so that what is hardly there is not called high.
    """
    own = np.asarray(counts.sum(axis=0), dtype=np.float64).ravel()
    others = np.maximum(np.asarray(totals, dtype=np.float64) - own, 0.0)
    if own.sum() <= 0 or others.sum() <= 0:
        return []
    here, there = (1e6 * part / part.sum() + PRIOR_PER_MILLION for part in (own, others))
    found = np.asarray((counts > 0).sum(axis=0)).ravel() >= LEAST_CELLS_WITH * counts.shape[0]
    ratio = np.where(found, here / there, 0.0)
    best = np.argsort(-ratio, kind="stable")[:most]
    return [str(names[j]) for j in best if ratio[j] >= 1.5]
