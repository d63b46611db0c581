"""Anchors: cells that stand for a class without a label, so that learning the others does not unlearn it.

The target is seen as ``annotate`` shows it, before anything is learned. A class is *found* there if at least
three of the unlabelled cells are assigned to it (not unknown, the models agreeing on nothing else), and the
labels do not contradict: labelled cells are assigned to it, all of them wrongly since it has no label, less
than half as often as unlabelled ones. Twenty of the surest such cells are its anchors.

A class that is not found may still be there: one cell half the way from the centre of all classes to the mean
of this one stands for it, nearer to the other classes than real cells, so that it gives way first. Where
labels contradict a class nothing stands for it: what the source calls so, people call otherwise. It keeps its
weights.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype._keys import UNKNOWN
from orthotype.models.profiles import ClassProfiles
from orthotype.transfer.labelling import Judged

Codes = NDArray[np.intp]

ANCHORS: Final = 20
FEWEST: Final = 3
SURE: Final = 0.5
CONTRADICTED: Final = 0.5
HALF_WAY: Final = 0.5


@dataclass(frozen=True, eq=False)
class Sight:
    """What the source model makes of the target.

    Attributes
    ----------
    unlabelled, labelled
        The class that each cell is assigned to, -1 for none, shapes (n_unlabelled,) and (n_labelled,).
    sure
        Unlabelled cells whose class has a probability of at least a half, shape (n_unlabelled,).
    """

    unlabelled: Codes
    labelled: Codes
    sure: NDArray[np.bool_]

    @classmethod
    def of(cls, judged: Judged, n_unlabelled: int, places: Codes) -> "Sight":
        """Return what was said of unlabelled cells, which come first, and of labelled ones.

        Parameters
        ----------
        judged
            What the model said.
        n_unlabelled
            How many cells have no label.
        places
            Place of each class of the model among those of the adapted one, shape (n_classes,).
        """
        assigned = np.where(judged.status == UNKNOWN, -1, places[judged.votes.winner])
        return cls(
            assigned[:n_unlabelled],
            assigned[n_unlabelled:],
            judged.proba[:n_unlabelled].max(axis=1) >= SURE,
        )

    def contradicted(self, n_classes: int) -> NDArray[np.bool_]:
        """Return to which classes without a label labelled cells are assigned too often, (n_classes,)."""
        right, wrong = (
            np.bincount(cells[cells >= 0], minlength=n_classes) / max(len(cells), 1)
            for cells in (self.unlabelled, self.labelled)
        )
        return np.asarray((wrong > 0) & (wrong >= CONTRADICTED * right))


def anchor_cells(
    wanted: NDArray[np.bool_],
    *,
    known: NDArray[np.bool_],
    profiles: ClassProfiles,
    shift: NDArray[np.floating],
    unlabelled: sp.csr_array | None,
    sight: Sight | None,
    random_state: int,
) -> tuple[sp.csr_array, Codes]:
    """Return cells that stand for classes without a label, and their classes.

    Parameters
    ----------
    wanted
        Classes that the source knows and no label names, shape (n_classes,).
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
    rows, codes, bare = [], [], wanted.copy()
    if sight is not None and unlabelled is not None:
        contradicted = sight.contradicted(len(wanted))
        order = np.random.default_rng(random_state).permutation(unlabelled.shape[0])
        for k in np.flatnonzero(wanted):
            own = order[sight.unlabelled[order] == k]
            found = own[sight.sure[own]] if len(own) >= FEWEST and not contradicted[k] else own[:0]
            rows.append(unlabelled[np.sort(found[:ANCHORS])])
            codes.append(np.full(rows[-1].shape[0], k))
            bare[k] = not len(found) and not contradicted[k]
    rows.append(sp.csr_array(np.maximum(centre + HALF_WAY * (means[bare] - centre), 0.0)))
    codes.append(np.flatnonzero(bare))
    return sp.csr_array(sp.vstack(rows, format="csr")), np.concatenate(codes).astype(np.intp)
