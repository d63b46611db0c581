"""Another choice of cells to label, to compare with: the most typical one of every part of a tree of cells.

Cells are merged by Ward's rule by where they lie. A tree is opened part by part, the one first that is worth
most, until as many parts are without a label as cells were asked for:

    d (n_1 n_2 / (n_1 + n_2))^0.5 (0.1 + mean doubt of its cells)^0.5

with d the distance of its two sides of n_1 and n_2 cells. Of each part comes the cell from which the others
are least far. Either all cells are one tree (:func:`of_all`), or every group of
:mod:`orthotype.transfer.suggest.groups` is, and labels are dealt to groups as they are (:func:`of_groups`);
the first two of a group then come from the surer half of a part. Used by ``benchmarks/suggest_settling.py``.
"""

import heapq
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import cdist

from orthotype.transfer.suggest.choice import FIRST, LEAST_DOUBT, TYPICAL, shares


class Tree:
    """A tree of some cells that is opened from its root, and its parts without a label that came to light."""

    def __init__(self, places: np.ndarray, doubt: np.ndarray, *, taken: np.ndarray, closed: np.ndarray):
        m = len(places)
        self.places, self.doubt, self.n_cells = places, doubt, m
        self.taken, self.closed = taken.copy(), closed.copy()
        merged = linkage(places, "ward") if m > 1 else np.zeros((0, 4))
        self.sides = merged[:, :2].astype(np.intp)
        sizes, sums = (np.concatenate([values, np.zeros(m - 1)]) for values in (np.ones(m), doubt))
        for part, (one, other) in enumerate(self.sides, start=m):
            sizes[part], sums[part] = sizes[one] + sizes[other], sums[one] + sums[other]
        height = np.concatenate([np.zeros(m), merged[:, 2]])
        self.worth = height * np.sqrt(LEAST_DOUBT + sums / sizes)
        self.to_open: list[tuple[float, int]] = []
        self.without: dict[int, np.ndarray] = {}
        self._meet(2 * m - 2)

    def cells(self, part: int) -> np.ndarray:
        """Return the cells of a part, ascending."""
        left, found = [part], []
        while left:
            one = left.pop()
            if one < self.n_cells:
                found.append(one)
            else:
                left += self.sides[one - self.n_cells].tolist()
        return np.sort(np.array(found, dtype=np.intp))

    def open(self) -> None:
        """Open the part that is worth most."""
        part = heapq.heappop(self.to_open)[1]
        self.without.pop(part, None)
        for side in self.sides[part - self.n_cells].tolist():
            self._meet(side)

    def typical(self, cells: np.ndarray, *, sure: bool = False) -> int:
        """Return the most typical cell of a part that may be chosen, or of the surer half of these."""
        free = cells[~self.closed[cells]]
        if sure:
            free = free[np.argsort(self.doubt[free], kind="stable")[: max(1, len(free) // 2)]]
        return int(free[cdist(self.places[free], self.places[cells]).sum(axis=1).argmin()])

    def next(self, *, sure: bool) -> int:
        """Choose one more cell, of the part without a label that came to light first."""
        while not self.without:
            self.open()
        part = next(iter(self.without))
        place = self.typical(self.without.pop(part), sure=sure)
        self.taken[place] = self.closed[place] = True
        return place

    def _meet(self, part: int) -> None:
        cells = self.cells(part)
        if part >= self.n_cells:
            heapq.heappush(self.to_open, (-float(self.worth[part]), part))
        if not self.taken[cells].any() and not self.closed[cells].all():
            self.without[part] = cells


def of_all(
    places: np.ndarray,
    groups: np.ndarray,
    *,
    doubt: np.ndarray,
    labelled: np.ndarray,
    n: int,
    asked: np.ndarray | None = None,
    **_: Any,
) -> np.ndarray:
    """Return the cells to label next, of all parts of one tree, as :func:`choice.choose` would."""
    tree = Tree(places, doubt, taken=labelled, closed=labelled if asked is None else labelled | asked)
    while len(tree.without) < n and tree.to_open:
        tree.open()
    return np.array([tree.typical(cells) for cells in list(tree.without.values())[:n]], dtype=np.intp)


def of_groups(
    places: np.ndarray,
    groups: np.ndarray,
    *,
    mass: np.ndarray,
    doubt: np.ndarray,
    labelled: np.ndarray,
    labels: np.ndarray,
    n: int,
    asked: np.ndarray | None = None,
) -> np.ndarray:
    """Return the cells to label next, dealt to groups as :func:`choice.choose` deals them, each of a part."""
    closed = labelled if asked is None else labelled | asked
    speaks, dealt = shares(groups, mass, doubt), np.asarray(labels, dtype=np.float64).copy()
    free = np.bincount(groups[~closed], minlength=len(speaks))
    trees: dict[int, Tree] = {}
    chosen: list[int] = []
    while len(chosen) < n and free.any():
        waiting = speaks / np.where(dealt > 0, 2.0 * dealt + 1.0, FIRST)
        g = int(np.where(free > 0, waiting, -1.0).argmax())
        members = np.flatnonzero(groups == g)
        if g not in trees:
            trees[g] = Tree(places[members], doubt[members], taken=labelled[members], closed=closed[members])
        chosen.append(int(members[trees[g].next(sure=bool(dealt[g] < TYPICAL))]))
        dealt[g] += 1.0
        free[g] -= 1
    return np.array(chosen, dtype=np.intp)
