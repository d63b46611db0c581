"""Anchors: unlabelled cells that stand for a class, so that learning others does not unlearn it.

The target is seen as ``annotate`` shows it, before anything is learned. *A class that has labels* has one
stand-in beside them: the mean of the surest of the unlabelled cells that are assigned to it, at most twenty,
of those whose nearest labelled cell is labelled so, too.

Labels *contradict* a class without a label if half of the labelled cells of another class are assigned to it,
or if labelled cells altogether, all of them wrongly, are at least half as often as unlabelled ones, provided
that they lie where the unlabelled ones do: on the principal axes of the target, the squared distance of their
means is not more than twice the variance of the latter. What the source calls so, people call otherwise.
Nothing stands for the class, and it learns to give way. Where they lie elsewhere, the class and what is
labelled are two things that the source calls alike. Labels of a class that is new to the source may always be
another name for one that it knows. Those of a class that it knows count only if labels *cover* the target, at
least four fifths of the cells that are assigned at all to classes with a label: before that the source takes
one class for the other, and both are there.

Of any other class the surest of the unlabelled cells that are assigned to it are anchors, at most twenty, if
there are three of them: it is *found*. Those that lie nearer to the mean of a class's labelled cells than
to their own are left out, as long as three are left. If there are no three, the class may still be there; one
cell half the way from the centre of all classes to its mean stands for it, nearer to the other classes than
real cells, so that it gives way first. In the balance of classes an anchored one weighs three
tenths, enough to keep its cells, and a tenth where labels cover the target, which may have none of it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype._keys import UNKNOWN
from orthotype.models.nearest import Landmarks
from orthotype.models.profiles import ClassProfiles
from orthotype.transfer.labelling import Judged

Codes = NDArray[np.intp]

ANCHORS: Final = 20
FEWEST: Final = 3
SURE: Final = 0.5
CONTRADICTED: Final = 0.5
HALF_WAY: Final = 0.5
APART: Final = 2.0
COVERED: Final = 0.8
WEIGH: Final = 0.3
WEIGH_COVERED: Final = 0.1


@dataclass(frozen=True, eq=False)
class Sight:
    """What the source model makes of the target.

    Attributes
    ----------
    unlabelled, labelled
        The class that each cell is assigned to, -1 for none, shapes (n_unlabelled,) and (n_labelled,).
    sure
        Unlabelled cells whose class has a probability of at least a half, shape (n_unlabelled,).
    places
        Where the cells lie, unlabelled ones first, shape (n_unlabelled + n_labelled, n_axes).
    """

    unlabelled: Codes
    labelled: Codes
    sure: NDArray[np.bool_]
    places: NDArray[np.floating]

    @classmethod
    def of(cls, judged: Judged, n_unlabelled: int, numbers: Codes, places: NDArray[np.floating]) -> "Sight":
        """Return what was said of unlabelled cells, which come first, and of labelled ones.

        Parameters
        ----------
        judged
            What the model said.
        n_unlabelled
            How many cells have no label.
        numbers
            Number of each class of the model among those of the adapted one, shape (n_classes,).
        places
            Where the cells lie.
        """
        assigned = np.where(judged.status == UNKNOWN, -1, numbers[judged.votes.winner])
        return cls(
            assigned[:n_unlabelled],
            assigned[n_unlabelled:],
            judged.proba[:n_unlabelled].max(axis=1) >= SURE,
            places,
        )

    def contradicted(self, codes: Codes, *, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the classes that labels contradict, shape (n_classes,), those with a label included.

        Parameters
        ----------
        codes
            Classes of the labelled cells, shape (n_labelled,).
        known
            Classes that the source knows, shape (n_classes,).
        """
        n_classes = len(known)
        taken = np.zeros((n_classes, n_classes))
        given = (self.labelled >= 0) & (~known[codes] | self.covered(_labelled(codes, n_classes)))
        np.add.at(taken, (codes[given], self.labelled[given]), 1)
        of_class = (taken / np.maximum(np.bincount(codes, minlength=n_classes), 1)[:, None]).max(axis=0)
        unlabelled = self.unlabelled[self.unlabelled >= 0]
        usual = np.bincount(unlabelled, minlength=n_classes) / max(len(self.unlabelled), 1)
        at_all = taken.sum(axis=0) / max(len(codes), 1)
        often = (of_class >= CONTRADICTED) | (at_all >= CONTRADICTED * usual)
        often &= at_all > 0
        often[often] = [not self._elsewhere(int(k), given) for k in np.flatnonzero(often)]
        return np.asarray(often)

    def covered(self, by: NDArray[np.bool_]) -> bool:
        """Return whether four fifths of the unlabelled cells that are assigned at all are so to some classes.

        Parameters
        ----------
        by
            Which classes, shape (n_classes,).
        """
        assigned = self.unlabelled[self.unlabelled >= 0]
        return bool(len(assigned)) and float(by[assigned].mean()) >= COVERED

    def surely(self, k: int) -> Codes:
        """Return the unlabelled cells surely assigned to a class; none if fewer than three are at all.

        Parameters
        ----------
        k
            Number of the class.
        """
        own = np.flatnonzero(self.unlabelled == k)
        return np.asarray(own[self.sure[own]] if len(own) >= FEWEST else own[:0])

    def agreed(self, cells: Codes, codes: Codes) -> Codes:
        """Return those of some unlabelled cells whose nearest labelled cell has the label they are assigned.

        Parameters
        ----------
        cells
            Which of the unlabelled cells.
        codes
            Classes of the labelled cells, shape (n_labelled,).
        """
        if not len(cells):
            return cells
        labelled = Landmarks(self.places[len(self.unlabelled) :])
        _, nearest = labelled.nearest(self.places[cells], 1)
        return np.asarray(cells[codes[nearest[:, 0]] == self.unlabelled[cells]])

    def nearer(self, cells: Codes, codes: Codes) -> Codes:
        """Return those of some unlabelled cells that lie nearer to their mean than to a labelled class.

        A class lies at the mean of its labelled cells. All are returned if fewer than three lie so.

        Parameters
        ----------
        cells, codes
            As for :meth:`agreed`.
        """
        if not len(cells):
            return cells
        own, labelled = self.places[cells], self.places[len(self.unlabelled) :]
        means = [labelled[codes == k].mean(axis=0) for k in np.unique(codes)]
        _, nearest = Landmarks(np.stack([own.mean(axis=0), *means])).nearest(own, 1)
        kept = cells[nearest[:, 0] == 0]
        return np.asarray(kept if len(kept) >= FEWEST else cells)

    def _elsewhere(self, k: int, given: NDArray[np.bool_]) -> bool:
        """Return whether given labelled cells assigned to a class lie elsewhere than unlabelled ones."""
        n = len(self.unlabelled)
        own, taken = self.places[:n][self.unlabelled == k], self.places[n:][given & (self.labelled == k)]
        if len(own) < FEWEST:
            return False
        variance = float(own.var(axis=0).sum())
        apart = float(((own.mean(axis=0) - taken.mean(axis=0)) ** 2).sum())
        return apart - variance / len(taken) > APART * variance


@dataclass(frozen=True, eq=False)
class Anchors:
    """Cells that stand for classes.

    Attributes
    ----------
    X, codes
        Encoded cells and their classes, shapes (n, n_features) and (n,).
    contradicted
        Classes without a label that labels contradict, shape (n_classes,).
    found
        Classes without a label for which cells of the target stand, shape (n_classes,).
    covered
        Whether classes with a label cover the target.
    answered
        Whether they do together with those that labels contradict.
    """

    X: sp.csr_array
    codes: Codes
    contradicted: NDArray[np.bool_]
    found: NDArray[np.bool_]
    covered: bool = True
    answered: bool = True

    @property
    def weigh(self) -> float:
        """What an anchored class weighs in the balance of classes, one with labels being 1."""
        return WEIGH_COVERED if self.covered else WEIGH


def anchor_cells(
    codes: Codes,
    *,
    known: NDArray[np.bool_],
    profiles: ClassProfiles,
    shift: NDArray[np.floating],
    unlabelled: sp.csr_array | None,
    sight: Sight | None,
    random_state: int,
) -> Anchors:
    """Return cells that stand for classes, those with labels first.

    Parameters
    ----------
    codes
        Classes of the labelled cells, shape (n_labelled,).
    known
        Classes that the source knows, shape (n_classes,).
    profiles
        Class means of the source.
    shift
        The species shift, shape (n_features,).
    unlabelled, sight
        Encoded cells of the target without a label and what the model makes of the target, or None.
    random_state
        Decides which of the cells of a class.
    """
    means = profiles.mean.astype(np.float64) + shift
    centre = means[known].mean(axis=0)
    labelled = _labelled(codes, len(known))
    wanted = known & ~labelled
    rows, stand_for, covered, answered = [], [], True, True
    contradicted, found = np.zeros(len(known), dtype=bool), np.zeros(len(known), dtype=bool)
    if sight is not None and unlabelled is not None:
        contradicted = wanted & sight.contradicted(codes, known=known)
        covered, answered = sight.covered(labelled), sight.covered(labelled | contradicted)
        order = np.random.default_rng(random_state).permutation(unlabelled.shape[0])
        own_mean, own_class = stand_ins(codes, known, unlabelled, sight, order)
        rows, stand_for = [own_mean], [own_class]
        for k in np.flatnonzero(wanted & ~contradicted):
            own = order[np.isin(order, sight.nearer(sight.surely(int(k)), codes))][:ANCHORS]
            rows.append(unlabelled[np.sort(own)])
            stand_for.append(np.full(len(own), k))
            found[k] = len(own) > 0
    bare = wanted & ~contradicted & ~found
    rows.append(sp.csr_array(np.maximum(centre + HALF_WAY * (means[bare] - centre), 0.0)))
    stand_for.append(np.flatnonzero(bare))
    return Anchors(
        sp.csr_array(sp.vstack(rows, format="csr")),
        np.concatenate(stand_for).astype(np.intp),
        contradicted,
        found,
        covered,
        answered,
    )


def _labelled(codes: Codes, n_classes: int) -> NDArray[np.bool_]:
    """Return which classes have a label, shape (n_classes,)."""
    return np.bincount(codes, minlength=n_classes) > 0


def stand_ins(
    codes: Codes, known: NDArray[np.bool_], unlabelled: sp.csr_array, sight: Sight, order: Codes
) -> tuple[sp.csr_array, Codes]:
    """Return the stand-in of every class that has labels and unlabelled cells, and the classes.

    Parameters
    ----------
    codes, known, unlabelled, sight
        As for :func:`anchor_cells`.
    order
        Unlabelled cells, shuffled: the first ones are taken.
    """
    labelled = known & _labelled(codes, len(known))
    able = order[sight.sure[order] & (sight.unlabelled[order] >= 0)]
    able = sight.agreed(able[labelled[sight.unlabelled[able]]], codes)
    own = {int(k): able[sight.unlabelled[able] == k][:ANCHORS] for k in np.flatnonzero(labelled)}
    found = [k for k, cells in own.items() if len(cells)]
    means = [sp.csr_array(unlabelled[own[k]].mean(axis=0)[None]) for k in found]
    rows = sp.vstack(means, format="csr") if means else unlabelled[:0]
    return sp.csr_array(rows), np.array(found, dtype=np.intp)
