"""Which cells to label next: a fair share for every group of cells, and within a group those that say most.

**Shares.** Every class that any cell was called is a group; cells that fit no class are groups of their own,
by the class that they are nearest to: a rare type that the model lacks mostly lies beside another class than
a common one. Labels are dealt out one after the other to the group with the largest

    v_g / (2 l_g + 1),  twice v_g without a label,      v_g = size_g^0.35 (0.1 + doubt_g)^0.5

with l_g the labels it has (Sainte-Lague's rule for seats of a parliament). A group without a label comes
soon, a large or doubtful one more often; but size is damped, so that a rare class gets its label and one
large unknown group not all of them, and so is doubt: what the model is sure of may have another name.

**Within a group.** Cells of a group are alike by S_ij = exp(-d_ij^2 / (r_i r_j)), with d_ij their distance
and r_i that to the fifth nearest, which adapts to dense and thin places. The next cell j is the one for which

    sum_i m_i (0.1 + w_i) exp(-c_i) (1 - S'_ij),    S'_ij = exp(-S_ij),    c_i = sum of S over labelled

is largest, with w_i = 1 - doubt_i for the first two labels of a group and doubt_i from then on. The first
labels of a class are typical cells of it: a few labels move a whole class, and those at its edge move it the
wrong way, or turn out to be another class. After that come cells that are doubtful, many, and not yet near a
label. What is covered counts for less and less, so the cells of one round are never the same thing twice (the
sum is submodular, and the greedy choice at least 63 % as good as the best).

*Doubt* is one minus the lead of the most probable class over the second, or the share of fold models that
voted otherwise if that is more, or one for a cell that fits no class.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from orthotype.models.linear.threads import one_blas_thread

Floats = NDArray[np.float64]

SIZE_POWER = 0.35
DOUBT_POWER = 0.5
LEAST_DOUBT = 0.1
FIRST = 0.5
SCALE_AT = 5
TYPICAL = 2


def doubts(
    proba: NDArray[np.floating], votes: NDArray[np.intp], unknown: NDArray[np.bool_], *, n_models: int
) -> Floats:
    """Return how doubtful the call of each cell is, 0 to 1, shape (n,)."""
    ranked = np.partition(proba.astype(np.float64), -2, axis=1) if proba.shape[1] > 1 else None
    lead = ranked[:, -1] - ranked[:, -2] if ranked is not None else np.ones(len(proba))
    return np.where(unknown, 1.0, np.maximum(1.0 - lead, 1.0 - votes / n_models))


def shares(groups: NDArray[np.intp], mass: Floats, doubt: Floats) -> Floats:
    """Return what each group speaks for when labels are dealt out, v_g, shape (n_groups,)."""
    sizes = np.bincount(groups, weights=mass)
    mean = np.bincount(groups, weights=mass * doubt) / np.maximum(sizes, 1e-300)
    return np.asarray(sizes**SIZE_POWER * (LEAST_DOUBT + mean) ** DOUBT_POWER)


def choose(
    places: Floats,
    groups: NDArray[np.intp],
    *,
    mass: Floats,
    doubt: Floats,
    labelled: NDArray[np.bool_],
    labels: NDArray[np.floating],
    n: int,
    asked: NDArray[np.bool_] | None = None,
) -> NDArray[np.intp]:
    """Return positions of the cells to label next, in order, at most ``n``.

    Parameters
    ----------
    places
        Where cells lie, shape (m, d).
    groups
        Group of each, shape (m,).
    mass
        Cells that each stands for, shape (m,).
    doubt
        How doubtful each is, 0 to 1, shape (m,).
    labelled
        Which have a label: they are not chosen, and count less all around them, shape (m,).
    labels
        Labels that each group has, shape (n_groups,).
    n
        How many to choose.
    asked
        Which are not chosen although they have no label, shape (m,).
    """
    closed = labelled if asked is None else labelled | asked
    speaks = shares(groups, mass, doubt)
    dealt = np.asarray(labels, dtype=np.float64).copy()
    free = np.bincount(groups[~closed], minlength=len(speaks))
    opened: dict[int, Cover] = {}
    chosen: list[int] = []
    while len(chosen) < n and free.any():
        dealt_so_far = np.where(dealt > 0, 2.0 * dealt + 1.0, FIRST)
        g = int(np.where(free > 0, speaks / dealt_so_far, -1.0).argmax())
        if g not in opened:
            opened[g] = Cover.of_group(groups == g, places, labelled=labelled, closed=closed)
        members = opened[g].members
        wanted = 1.0 - doubt[members] if dealt[g] < TYPICAL else doubt[members]
        chosen.append(opened[g].next(mass[members] * (LEAST_DOUBT + wanted)))
        dealt[g] += 1.0
        free[g] -= 1
    return np.array(chosen, dtype=np.intp)


@dataclass
class Cover:
    """Cells of one group, and how well those chosen so far stand for the others.

    Attributes
    ----------
    members
        Positions of the cells, shape (k,).
    gain
        1 - exp(-S), shape (k, k), float32.
    left
        What of each cell is not yet covered, 0 to 1, shape (k,).
    free
        Which may still be chosen, shape (k,).
    """

    members: NDArray[np.intp]
    gain: NDArray[np.float32]
    left: NDArray[np.float32]
    free: NDArray[np.bool_] = field(repr=False)

    @classmethod
    def of(cls, members: NDArray[np.intp], places: Floats, *, labelled: NDArray[np.bool_]) -> "Cover":
        """Open a group, some of whose cells may have a label."""
        gain = 1.0 - np.exp(-alike(places))
        cover = cls(members, gain.astype(np.float32), np.ones(len(members), np.float32), ~labelled)
        for place in np.flatnonzero(labelled):
            cover._take(int(place))
        return cover

    @classmethod
    def of_group(
        cls,
        group: NDArray[np.bool_],
        places: Floats,
        *,
        labelled: NDArray[np.bool_],
        closed: NDArray[np.bool_],
    ) -> "Cover":
        """Open a group of all cells, some of which may have a label or not be chosen anyway."""
        members = np.flatnonzero(group)
        cover = cls.of(members, places[members], labelled=labelled[members])
        cover.free &= ~closed[members]
        return cover

    def next(self, weights: Floats) -> int:
        """Choose one more cell; returns its position. Weights say how much each cell is to be covered."""
        with one_blas_thread():
            value = np.where(self.free, (weights.astype(np.float32) * self.left) @ self.gain, -1.0)
        place = int(value.argmax())
        self._take(place)
        return int(self.members[place])

    def _take(self, place: int) -> None:
        self.left = self.left * (1.0 - self.gain[:, place])
        self.free[place] = False


def alike(places: Floats) -> Floats:
    """Return how alike cells are, 0 to 1, shape (k, k), on the scale of the places around them."""
    apart = squared_distances(places, places)
    np.fill_diagonal(apart, 0.0)
    near = min(SCALE_AT, len(places) - 1)
    scale = np.sqrt(np.maximum(np.partition(apart, near, axis=1)[:, near], 1e-12))
    apart /= scale[:, None] * scale[None]
    return np.asarray(np.exp(-apart))


def squared_distances(places: Floats, others: Floats) -> Floats:
    """Return the squared distances between two sets of places, shape (k, l)."""
    with one_blas_thread():
        inner = places @ others.T
    lengths = (places**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None]
    return np.asarray(np.maximum(lengths - 2.0 * inner, 0.0))
