"""What is to be learned from a few labelled cells: from which start, beside which anchors, how measured."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.models.linear.reduced import Metric
from orthotype.models.nearest import Landmarks
from orthotype.models.neighbours import evenly
from orthotype.transfer.adapt.anchors import Anchors, Sight, anchor_cells
from orthotype.transfer.adapt.cells import Few
from orthotype.transfer.adapt.names import Names
from orthotype.transfer.adapt.refit import Evidence
from orthotype.transfer.adapt.starts import (
    LABEL_SHIFT,
    SOURCE,
    TARGET_SHIFT,
    Start,
    as_sure_as_right,
    label_shift,
    preferred,
)
from orthotype.transfer.adapt.walk import Walk, walk_from
from orthotype.transfer.coverage import without_missing
from orthotype.transfer.labelling import Judged, Options, adapted_to, judge
from orthotype.transfer.state import ModelState
from orthotype.transfer.target import Encoded

Floats = NDArray[np.float64]

MOST_MEASURED: Final = 5000
ALIKE: Final = 10
SHARE_ALIKE: Final = 0.05
WAY: Final = 0.75
FEW_LABELS: Final = 2.5


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is to be learned, and from where.

    Attributes
    ----------
    classes
        Names of all classes, new ones included.
    X, codes
        Encoded labelled cells and their classes, shapes (n, n_features) and (n,).
    anchors
        Cells that stand for classes without a label.
    known
        Classes that the source knows, shape (n_classes,).
    before, start
        The model that few labels would start from, and the one that these start from.
    metric
        How alike two cells are.
    moved
        How far each labelled cell is moved along its axes, shape (n, n_axes); None without unlabelled cells.
    walk
        What walks from the labels say of unlabelled cells; None where labels are enough by themselves.
    """

    classes: NDArray[np.object_]
    X: sp.csr_array
    codes: NDArray[np.intp]
    anchors: Anchors
    known: NDArray[np.bool_]
    before: Start
    start: Start
    metric: Metric
    moved: Floats | None
    walk: Walk | None

    def evidence(self, rows: NDArray[np.intp], *, random_state: int) -> Evidence:
        """Return some of the labelled cells, and all anchors, as rows to learn from."""
        moved = None if self.moved is None else self.moved[rows]
        return Evidence.of(
            self.X[rows], self.codes[rows], self.anchors, random_state=random_state, moved=moved
        )


def _sample(few: Few) -> sp.csr_array | None:
    """Return the target, unlabelled cells first; None where there are none."""
    if few.unlabelled is None or not few.unlabelled.shape[0]:
        return None
    return sp.csr_array(sp.vstack([few.unlabelled, few.X], format="csr"))


def seen(state: ModelState, few: Few) -> Judged | None:
    """Return what the model makes of the target, unlabelled cells first."""
    sample = _sample(few)
    if sample is None:
        return None
    shifted = not adapted_to(state, few.species)
    return judge(without_missing(state, few.present), Encoded(sample), Options(), shifted=shifted)


def lesson(
    roomy: ModelState,
    few: Few,
    names: Names,
    classes: NDArray[np.object_],
    judged: Judged | None,
    *,
    places_of: NDArray[np.object_],
    random_state: int,
) -> Lesson:
    """Return what is to be learned from labels ``classes``; ``places_of`` names what ``judged`` speaks of."""
    used = without_missing(roomy, few.present)
    order = used.classes.astype(str)
    codes = np.searchsorted(order, classes.astype(str)).astype(np.intp)
    known = (used.profiles.n_cells > 0) & ~np.isin(used.classes, np.array(names.new, dtype=object))
    starts = _starts(used, few, codes, known, judged)
    start = preferred(starts, codes, known=known)
    start = as_sure_as_right(start, few.X, codes, known=known)
    sight, moved, walk, sample = None, None, None, _sample(few)
    metric = Metric.plain(few.X.shape[1]) if sample is None else Metric.of(evenly(sample, most=MOST_MEASURED))
    if judged is not None and sample is not None:
        numbers = np.searchsorted(order, places_of.astype(str)).astype(np.intp)
        places = metric.places(sample)
        sight = Sight.of(judged, sample.shape[0] - len(codes), numbers, places)
        moved = to_their_like(metric.along(sample), places, len(codes))
    anchors = anchor_cells(
        codes,
        known=known,
        profiles=used.profiles,
        shift=start.delta,
        unlabelled=few.unlabelled,
        sight=sight,
        random_state=random_state,
    )
    if sight is not None and sample is not None:
        walk = _walk(codes, sight, anchors, sample, metric.along(sample), new=~known)
    return Lesson(used.classes, few.X, codes, anchors, known, starts[0], start, metric, moved, walk)


def _walk(
    codes: NDArray[np.intp],
    sight: Sight,
    anchors: Anchors,
    sample: sp.csr_array,
    along: Floats,
    *,
    new: NDArray[np.bool_],
) -> Walk | None:
    """Return what walks from labels say of at most 5,000 unlabelled cells; None from many labels a class."""
    if len(codes) > FEW_LABELS * len(np.unique(codes)):
        return None
    n = sample.shape[0] - len(codes)
    met = np.linspace(0, n - 1, min(n, MOST_MEASURED)).astype(np.intp)
    surely = [
        np.isin(met, sight.surely(k)) if anchors.found[k] else np.zeros(0, bool) for k in range(len(new))
    ]
    own = [np.flatnonzero(cells) for cells in surely]
    return walk_from(codes, own, sample[met], np.concatenate([along[met], along[n:]]), new=new)


def to_their_like(along: Floats, places: Floats, n: int) -> Floats | None:
    """Return how far the last n cells are moved: three quarters of the way to the mean of those most alike.

    Those are the ten nearest and the cell itself, or a twentieth of all if that is fewer; None if it is none.

    Parameters
    ----------
    along, places
        Where all cells lie on the axes of the metric, raw and scaled, shape (n_cells, n_axes).
    n
        How many are moved.
    """
    k = min(ALIKE, int(SHARE_ALIKE * len(places)))
    if k < 1 or not places.shape[1]:
        return None
    _, near = Landmarks(places).nearest(places[-n:], k + 1)
    return np.asarray(WAY * (along[near].mean(axis=1) - along[-n:]))


def _starts(
    used: ModelState, few: Few, codes: NDArray[np.intp], known: NDArray[np.bool_], judged: Judged | None
) -> list[Start]:
    """Return the models to start from; the first is the one for few labels."""
    by_labels = label_shift(few.X, codes, used.profiles, known=known)
    source = Start.of(used, name=SOURCE, heat=used.temperature, delta=np.zeros(few.X.shape[1]))
    labelled = Start.of(used, name=LABEL_SHIFT, heat=used.temperature, delta=by_labels)
    if judged is None or judged.moved.shift is None:
        return [source, labelled]
    shift = np.where(few.present, judged.moved.shift.delta, 0.0)
    return [
        Start.of(used, name=TARGET_SHIFT, heat=judged.moved.temperature, delta=shift),
        labelled,
        source,
    ]
