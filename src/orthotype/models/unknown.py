"""Cells that fit no class: those that look too unlike their class in any of three views.

On the source, every view (:mod:`orthotype.models.views`) has a distribution over the cells that truly belong,
each taken out of the mean of its class. Where a cell stands in it is its tail probability, continued below
the lowest twentieth by an exponential::

    t_v(x) = log P_source(v <= x)                   for x above the 5 % quantile v_5
           = log 0.05 - (v_5 - x) / s_v             below,  s_v = mean of v_5 - v over the source cells below

A cell must look right in every view, so its fit is the worst of the three. Types lie together: a cell's fit
is averaged with that of the cells like it (:mod:`orthotype.models.neighbours`), in source and target alike.
The threshold is the fit that a stated share of the cells (5 %) falls short of: no target label and no unknown
cell set it. It is taken at 0.7 of that share of the source's own cells, because on cells of other donors,
with counts changed as species change them, so many more fell short.

Cells of another species or study are less like every profile, right or wrong. How much less is one number a
view, the median over the classes that enough cells were called of target median over source median; likeness
and extent are divided by it, and lead by that of likeness, being a difference of two. The median over classes
keeps it where it is when a few classes are full of cells that do not belong there. Below 0.45 of likeness or
0.35 of extent it is no matter of species any more (another tissue, a source that is no reference): nothing is
divided, and most cells come back unknown.

*No agreement* is another word for another thing: there the models disagree.
"""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from orthotype.models.neighbours import Neighbours
from orthotype.models.views import VIEWS, Views

Floats = NDArray[np.float64]

FALSE_REJECTION = 0.05
SOURCE_SHARE = 0.7
LEAST_FIT = -12.0
FEWEST_CELLS = 10
TAIL = 0.05
N_QUANTILES = 401
SCALED = ("likeness", "extent")
MOST_RATIO = 1.25
FOREIGN = {"likeness": 0.45, "extent": 0.35}


@dataclass(frozen=True)
class UnknownRule:
    """What fits and what does not, learned from source cells; plain numbers that a model card can hold.

    Attributes
    ----------
    quantiles
        Evenly spaced quantiles of each view over the source's cells, 0 to 1.
    decay
        Mean shortfall s_v of the cells below the 5 % quantile of each view.
    medians
        Median of likeness and extent in each class, shape (n_classes,); few cells draw it to the whole.
    threshold
        Fit below which a cell among its like is unknown.
    threshold_alone
        Fit below which a cell is unknown that is judged without the cells like it.
    false_rejection
        Share of the cells that belong to a class and fall below it in another study, 0 to 1.
    """

    quantiles: dict[str, tuple[float, ...]]
    decay: dict[str, float]
    medians: dict[str, tuple[float, ...]]
    threshold: float
    threshold_alone: float
    false_rejection: float

    @classmethod
    def learn(
        cls,
        views: Views,
        codes: NDArray[np.intp],
        *,
        n_classes: int,
        neighbours: Neighbours | None = None,
        false_rejection: float = FALSE_REJECTION,
    ) -> Self:
        """Learn from source cells: views with ``own`` given, true classes (n,), and the cells like each."""
        quantiles, decay = {}, {}
        for name in VIEWS:
            values = getattr(views, name).astype(np.float64)
            low = float(np.quantile(values, TAIL))
            below = values[values < low]
            quantiles[name] = tuple(map(float, np.quantile(values, np.linspace(0, 1, N_QUANTILES))))
            decay[name] = max(float(np.mean(low - below)), 1e-6) if len(below) else 1.0
        medians = {name: _medians(getattr(views, name), codes, n_classes) for name in SCALED}
        rule = cls(quantiles, decay, medians, -np.inf, -np.inf, false_rejection)
        alone = rule._tails(views, {})
        among = alone if neighbours is None else neighbours.smoothed(alone)
        threshold, threshold_alone = (
            float(np.quantile(fit, SOURCE_SHARE * false_rejection)) for fit in (among, alone)
        )
        return cls(quantiles, decay, medians, threshold, threshold_alone, false_rejection)

    def ratios(self, views: Views, codes: NDArray[np.intp]) -> dict[str, float]:
        """Return how much less alike than the source's the cells of a target are, 1 for no less, per view.

        1 where no class was called for at least ten cells, and for a target that is too unlike the source for
        this to be a matter of species (:meth:`foreign`): then nothing is made up for.
        """
        ratios = self._ratios(views, codes)
        return dict.fromkeys(SCALED, 1.0) if _too_low(ratios) else ratios

    def foreign(self, views: Views, codes: NDArray[np.intp]) -> bool:
        """Return whether the target as a whole is too unlike the source for its labels to be trusted.

        The likeness of cells to their classes is less than 0.45 of the source's, or the extent less than
        0.35. Cells of one study stayed above 0.45 in both however much their counts were changed; pairs of
        unlike tissues lie below one of them.
        """
        return _too_low(self._ratios(views, codes))

    def fit(self, views: Views, codes: NDArray[np.intp], *, neighbours: Neighbours | None = None) -> Floats:
        """Return how well the cells of a target fit, shape (n,): a log tail probability, 0 for perfectly.

        Parameters
        ----------
        views
            Views of all cells of the target; the whole target sets the scale.
        codes
            The class that each was called.
        neighbours
            The cells like each; None to judge every cell alone.
        """
        ratios = self.ratios(views, codes)
        fit = self._tails(views, {**ratios, "lead": ratios["likeness"]})
        return fit if neighbours is None else neighbours.smoothed(fit)

    def unknown(self, fit: Floats, *, alone: bool = False) -> NDArray[np.bool_]:
        """Return which cells fit no class, shape (n,); ``alone`` if they were judged without their like."""
        return np.asarray(fit < (self.threshold_alone if alone else self.threshold))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a model card; ``UnknownRule(**values)`` gives the rule back."""
        return asdict(self)

    def _ratios(self, views: Views, codes: NDArray[np.intp]) -> dict[str, float]:
        ratios = {}
        for name, medians in self.medians.items():
            values = getattr(views, name)
            found = [
                float(np.median(values[codes == k])) / median
                for k, median in enumerate(medians)
                if median > 0 and np.count_nonzero(codes == k) >= FEWEST_CELLS
            ]
            ratios[name] = float(np.clip(np.median(found), 1e-3, MOST_RATIO)) if found else 1.0
        return ratios

    def _tails(self, views: Views, ratios: dict[str, float]) -> Floats:
        levels = np.linspace(0, 1, N_QUANTILES)
        tails = []
        for name in VIEWS:
            values = getattr(views, name).astype(np.float64) / ratios.get(name, 1.0)
            grid = np.asarray(self.quantiles[name])
            low = float(np.interp(TAIL, levels, grid))
            inside = np.log(np.maximum(np.interp(values, grid, levels), TAIL))
            tails.append(np.where(values < low, np.log(TAIL) - (low - values) / self.decay[name], inside))
        return np.asarray(np.maximum(np.min(tails, axis=0), LEAST_FIT))


def _too_low(ratios: dict[str, float]) -> bool:
    return any(ratios[name] < least for name, least in FOREIGN.items())


def _medians(values: NDArray[np.floating], codes: NDArray[np.intp], n_classes: int) -> tuple[float, ...]:
    """Return the median of each class, drawn to the median of all cells as if three more cells lay there."""
    whole = float(np.median(values))
    sizes = np.bincount(codes, minlength=n_classes)
    return tuple(
        (float(np.median(values[codes == k])) * n + 3 * whole) / (n + 3) if n else whole
        for k, n in enumerate(sizes.tolist())
    )
