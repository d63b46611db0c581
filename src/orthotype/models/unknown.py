"""Cells that fit no class: those that look too unlike their class in any of three views.

On the source, likeness, extent and margin (:mod:`orthotype.models.views`) have distributions over the cells
that truly belong, each taken out of the mean of its class and scored by the model that did not see it. Where
a cell stands in one is its tail probability, continued below the lowest twentieth by an exponential::

    t_v(x) = log P_source(v <= x)                   for x above the 5 % quantile v_5
           = log 0.05 - (v_5 - x) / s_v             below,  s_v = mean of v_5 - v over the source cells below

A cell must look right in every view, so its fit is the worst of the three. Types lie together: every view is
first averaged over the cells that are alike (:mod:`orthotype.models.neighbours`), three steps far, in source
and target, so that what is judged is a neighbourhood and not the noise of a cell.

The threshold is the fit that a stated share of the cells (5 %) falls short of, as the mean over the classes,
so that no class decides for being large: no target label and no unknown cell set it. A class of n cells has
the weight n / (n + 10), because the few cells of a rare one, without each of them in turn, show less than it
will be known by. It is taken at 0.7 of that share of the source's own cells, because on cells of other
donors, with counts changed as species change them, so many more fell short.

Cells of another species or study are less like every profile, right or wrong. How much less is one number a
view, the 40 % quantile over the classes that enough cells were called of target median over source median;
the views are divided by it. It is not quite the median, because classes differ in it, and those that have
lost most should not be rejected for that. Classes may be full of cells that do not belong there, and most may
be: in that quantile a class k has the weight (a_k - 1/2)^2, with a_k its kinship
(:mod:`orthotype.models.kinship`), and next to none below a half. Where strangers fill all classes but a few,
they would still be what is usual; but cells are hardly less alike to a class than their mean is, so that
likeness and extent are divided by no less than half of the highest kinship among classes of fifty cells.

Where the target as a whole is no kin of the source it is no matter of species: nothing is divided, and most
cells come back unknown. Of too few cells for that to be told, the same is said if likeness is below 0.45 or
extent below 0.35.

*No agreement* is another word for another thing: there the models disagree.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from orthotype.models.kinship import Kinship
from orthotype.models.neighbours import Neighbours
from orthotype.models.views import VIEWS, Views

Floats = NDArray[np.float64]

FALSE_REJECTION = 0.05
SOURCE_SHARE = 0.7
FEW_CELLS = 10.0
STEPS = 3
LEAST_FIT = -12.0
FEWEST_CELLS = 10
TAIL = 0.05
N_QUANTILES = 201
# The views that are judged, and the most that a target may have of them against the source.
JUDGED = {"likeness": 1.25, "extent": 1.25, "margin": np.inf}
# The least of them, for a target whose kinship cannot be told.
LEAST_ALIKE = {"likeness": 0.45, "extent": 0.35}
# A class counts by the square of its kinship above a half, and by next to nothing below.
DOUBTFUL = 0.5
LEAST_ABOVE = 1e-3
USUAL = 0.4
# What is usual is at least so much of the kinship of the class that is surest to be there.
KIN_ALIKE = 0.5
ENOUGH = 50
NOT_TOLD = Kinship()


@dataclass(frozen=True)
class Standard:
    """What is usual for cells of the source, alone or among the cells like them.

    Attributes
    ----------
    quantiles
        Evenly spaced quantiles of each view over the source's cells, 0 to 1.
    decay
        Mean shortfall s_v of the cells below the 5 % quantile of each view.
    threshold
        Fit below which a cell is unknown.
    """

    quantiles: dict[str, tuple[float, ...]]
    decay: dict[str, float]
    threshold: float

    @classmethod
    def learn(cls, table: Floats, codes: NDArray[np.intp], *, share: float) -> Self:
        """Learn from the views (n, 4) of source cells and their classes (n,)."""
        quantiles, decay = {}, {}
        for name in JUDGED:
            values = table[:, VIEWS.index(name)]
            low = float(np.quantile(values, TAIL))
            below = values[values < low]
            quantiles[name] = tuple(map(float, np.quantile(values, np.linspace(0, 1, N_QUANTILES))))
            decay[name] = max(float(np.mean(low - below)), 1e-6) if len(below) else 1.0
        unset = cls(quantiles, decay, -np.inf)
        return cls(quantiles, decay, _balanced_quantile(unset.fit(table), codes, share))

    def fit(self, table: Floats) -> Floats:
        """Return the worst log tail probability of cells by their views (n, 4), shape (n,)."""
        return np.asarray(np.min(self.tails(table), axis=0))

    def tails(self, table: Floats) -> Floats:
        """Return the log tail probabilities of cells in each view of the quantiles, shape (n_views, n)."""
        found = []
        for name in self.quantiles:
            values, grid = table[:, VIEWS.index(name)], np.asarray(self.quantiles[name])
            levels = np.linspace(0, 1, len(grid))
            low = float(np.interp(TAIL, levels, grid))
            inside = np.log(np.maximum(np.interp(values, grid, levels), TAIL))
            tail = np.where(values < low, np.log(TAIL) - (low - values) / self.decay[name], inside)
            found.append(np.maximum(tail, LEAST_FIT))
        return np.array(found)


@dataclass(frozen=True)
class UnknownRule:
    """What fits and what does not, learned from source cells; plain numbers that a model card can hold.

    Attributes
    ----------
    among, alone
        What is usual for cells among their like, and for cells that are judged without them.
    medians
        Median of likeness, extent and margin in each class, shape (n_classes,); few cells draw it to the
        whole.
    false_rejection
        Share of the cells that belong to a class and are called unknown in another study, as the mean over
        the classes, 0 to 1.
    """

    among: Standard
    alone: Standard
    medians: dict[str, tuple[float, ...]]
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
        table, share = views.table(), SOURCE_SHARE * false_rejection
        alone = Standard.learn(table, codes, share=share)
        among = alone
        if neighbours is not None:
            among = Standard.learn(_walked(table, neighbours), codes, share=share)
        medians = {name: _medians(getattr(views, name), codes, n_classes) for name in JUDGED}
        return cls(among, alone, medians, false_rejection)

    def foreign(self, views: Views, codes: NDArray[np.intp], *, kin: Kinship = NOT_TOLD) -> bool:
        """Return whether the target as a whole is too unlike the source for its labels to be trusted."""
        return kin.foreign if kin.told else self._unlike(views, codes, kin)

    def _unlike(self, views: Views, codes: NDArray[np.intp], kin: Kinship) -> bool:
        """Return whether its cells are much less alike to their classes than those of the source."""
        ratios = self._ratios(views, codes, kin)
        return any(ratios[name] < least for name, least in LEAST_ALIKE.items())

    def ratios(self, views: Views, codes: NDArray[np.intp], *, kin: Kinship = NOT_TOLD) -> dict[str, float]:
        """Return how much less alike than the source's the cells of a target are, 1 for no less, per view.

        1 where no class was called for at least ten cells, and for a target that is :meth:`foreign`: then
        nothing is made up for.
        """
        ratios = self._ratios(views, codes, kin)
        return dict.fromkeys(ratios, 1.0) if self.foreign(views, codes, kin=kin) else ratios

    def fit(
        self,
        views: Views,
        codes: NDArray[np.intp],
        *,
        neighbours: Neighbours | None = None,
        kin: Kinship = NOT_TOLD,
    ) -> Floats:
        """Return how well the cells of a target fit, shape (n,): a log tail probability, 0 for perfectly.

        Parameters
        ----------
        views
            Views of all cells of the target; the whole target sets the scale.
        codes
            The class that each was called.
        neighbours
            The cells like each; None to judge every cell alone.
        kin
            Kinship of the target with the source, as a whole and class by class
            (:func:`orthotype.models.kinship.kinship`).
        """
        table = self._scaled(views, codes, kin)
        return self.alone.fit(table) if neighbours is None else self.among.fit(_walked(table, neighbours))

    def unknown(self, fit: Floats, *, alone: bool = False) -> NDArray[np.bool_]:
        """Return which cells fit no class, shape (n,); ``alone`` if they were judged without their like."""
        return np.asarray(fit < (self.alone if alone else self.among).threshold)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a model card, from which :meth:`from_dict` makes the rule again."""
        return asdict(self)

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Self:
        """Return the rule of a model card."""
        standards = {name: Standard(**entry[name]) for name in ("among", "alone")}
        return cls(**standards, medians=entry["medians"], false_rejection=entry["false_rejection"])

    def _scaled(self, views: Views, codes: NDArray[np.intp], kin: Kinship) -> Floats:
        ratios = self.ratios(views, codes, kin=kin)
        ratios = {**ratios, "lead": ratios["likeness"]}  # a difference of two likenesses
        return np.asarray(views.table() / [ratios.get(name, 1.0) for name in VIEWS])

    def _ratios(self, views: Views, codes: NDArray[np.intp], kin: Kinship) -> dict[str, float]:
        ratios = {}
        for name, medians in self.medians.items():
            values, usual = getattr(views, name), np.asarray(medians)
            sizes = np.bincount(codes, minlength=len(usual))[: len(usual)]
            called = np.flatnonzero((usual > 0) & (sizes >= FEWEST_CELLS))
            found = np.array([np.median(values[codes == k]) for k in called]) / usual[called]
            middle = _usual(found, kin, called) if len(called) else 1.0
            ratios[name] = float(np.clip(middle, 1e-3, JUDGED[name]))
            if name in LEAST_ALIKE:
                ratios[name] = max(ratios[name], KIN_ALIKE * _most_kin(kin, sizes))
        return ratios


def _most_kin(kin: Kinship, sizes: NDArray[np.intp]) -> float:
    """Return the kinship of the class that is surest to be there; 0 where no class of enough cells tells."""
    if kin.classes is None:
        return 0.0
    return float(np.nan_to_num(kin.classes)[sizes >= ENOUGH].max(initial=0.0))


def _usual(ratios: Floats, kin: Kinship, called: NDArray[np.intp]) -> float:
    """Return what the ratios of classes come to: of those that are there, not those full of strangers."""
    if kin.classes is None:
        return float(np.median(ratios))
    above = np.nan_to_num(kin.classes[called], nan=DOUBTFUL) - DOUBTFUL
    return _weighted_quantile(ratios, np.maximum(above, LEAST_ABOVE) ** 2, USUAL)


def _walked(table: Floats, neighbours: Neighbours) -> Floats:
    """Return views averaged over the cells alike, and over those alike to them, so many steps far."""
    for _ in range(STEPS):
        table = neighbours.smoothed(table)
    return table


def _balanced_quantile(values: Floats, codes: NDArray[np.intp], share: float) -> float:
    """Return the value that a share of the cells falls short of, as the mean over the classes."""
    return _weighted_quantile(values, 1.0 / (np.bincount(codes)[codes] + FEW_CELLS), share)


def _weighted_quantile(values: NDArray[np.floating], weights: NDArray[np.floating], share: float) -> float:
    """Return the value that a share of the weight lies below."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order]) - weights[order] / 2
    return float(np.interp(share * weights.sum(), below, values[order]))


def _medians(values: NDArray[np.floating], codes: NDArray[np.intp], n_classes: int) -> tuple[float, ...]:
    """Return the median of each class, drawn to the median of all cells as if three more cells lay there."""
    whole = float(np.median(values))
    sizes = np.bincount(codes, minlength=n_classes)
    return tuple(
        (float(np.median(values[codes == k])) * n + 3 * whole) / (n + 3) if n else whole
        for k, n in enumerate(sizes.tolist())
    )
