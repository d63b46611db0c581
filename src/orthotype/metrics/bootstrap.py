"""Intervals from resampled donors or cells, drawn as weights over sums and never as copies of cells.

Every score is a function of sums over cells (hits, support, calls, ...). A draw is a vector of how often each
unit is taken, so all draws at once are one product: weights (draws x units) times sums (units x columns). A
unit is a donor, or a kind of cell (cells alike in everything that counts) drawn within its true class.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orthotype.metrics.calibration import calibration_gap
from orthotype.metrics.tallies import Floats, Tallies, ratio

Codes = npt.NDArray[np.intp]
FEWEST_GROUPS = 3


@dataclass(frozen=True)
class Cells:
    """What each cell contributes; K shared classes.

    Attributes
    ----------
    true
        True class, 0 to K - 1.
    call
        Label: 0 to K - 1, K for any other class, K + 1 for *no agreement*, K + 2 for *unknown*.
    top
        Most probable class, 0 to K - 1, or K for any other; None where probabilities are not known.
    bins
        Confidence bin, -1 for a cell that makes no claim.
    confidence
        Probability given to the label; 0 where it is not known.
    n_classes, n_bins
        K, and how many bins.
    """

    true: Codes
    call: Codes
    top: Codes | None
    bins: Codes
    confidence: Floats
    n_classes: int
    n_bins: int

    def sums(self, unit: Codes, n_units: int) -> Floats:
        """Sum the contributions of the cells of every unit; columns as :class:`Sums` names them."""
        k, b = self.n_classes, self.n_bins
        width = 4 * k + 4 + 3 * b
        hit, claim = self.true == self.call, self.bins >= 0
        parts: list[tuple[npt.NDArray[np.bool_], Codes, Floats | None]] = [
            (hit, self.true, None),
            (np.ones_like(hit), k + self.true, None),
            (self.call < k, 2 * k + self.call, None),
            (self.call > k, 4 * k + self.call - k - 1, None),
            (np.ones_like(hit), np.full_like(self.true, 4 * k + 2), None),
            (claim, 4 * k + 4 + self.bins, None),
            (claim, 4 * k + 4 + b + self.bins, self.confidence),
            (claim & hit, 4 * k + 4 + 2 * b + self.bins, None),
        ]
        if self.top is not None:
            parts.append((self.true == self.top, 3 * k + self.true, None))
        total = np.zeros(n_units * width)
        for taken, column, weight in parts:
            total += np.bincount(
                unit[taken] * width + column[taken],
                weights=None if weight is None else weight[taken],
                minlength=n_units * width,
            )
        return total.reshape(n_units, width)

    def kinds(self) -> tuple[Codes, Codes, Codes]:
        """Group cells alike: the kind of each cell, the cells of each kind, the true class of each kind."""
        top = self.true if self.top is None else self.top
        key = np.stack([self.true, self.call, top, self.bins], axis=1)
        rows, kind, counts = np.unique(key, axis=0, return_inverse=True, return_counts=True)
        return kind.ravel(), counts, rows[:, 0]


@dataclass(frozen=True)
class Sums:
    """Sums over cells, for one set of cells or a stack of draws, and the scores that follow from them."""

    values: Floats
    n_classes: int
    n_bins: int
    knows_top: bool
    knows_confidence: bool

    def tallies(self) -> Tallies:
        """Hits, support and calls of the labels."""
        k = self.n_classes
        hits, support, called = (self.values[..., i * k : (i + 1) * k] for i in range(3))
        return Tallies(hits=hits, support=support, called=called, total=self.values[..., 4 * k + 2])

    def bins(self) -> tuple[Floats, Floats, Floats]:
        """Cells, summed confidence and hits of every confidence bin."""
        start, b = 4 * self.n_classes + 4, self.n_bins
        cells, confidence, right = (self.values[..., start + i * b : start + (i + 1) * b] for i in range(3))
        return cells, confidence, right

    def overall(self) -> dict[str, Floats]:
        """Return the scores of the summary by name."""
        k, tallies = self.n_classes, self.tallies()
        abstained = self.values[..., 4 * k], self.values[..., 4 * k + 1]
        assigned = tallies.total - abstained[0] - abstained[1]
        scores = {
            "accuracy": tallies.accuracy(),
            "mean_recall": tallies.mean_recall(),
            "macro_f1": tallies.macro_f1(),
            "accuracy_assigned": ratio(tallies.hits.sum(axis=-1), assigned),
            "share_assigned": ratio(assigned, tallies.total),
            "share_no_agreement": ratio(abstained[0], tallies.total),
            "share_unknown": ratio(abstained[1], tallies.total),
        }
        if self.knows_top:
            hits = self.values[..., 3 * k : 4 * k]
            forced = Tallies(hits=hits, support=tallies.support, called=hits, total=tallies.total)
            scores["accuracy_most_probable"] = forced.accuracy()
            scores["mean_recall_most_probable"] = forced.mean_recall()
        if self.knows_confidence:
            scores["calibration_error"] = calibration_gap(*self.bins())
        return scores


def group_weights(n_groups: int, n_draws: int, rng: np.random.Generator) -> Floats:
    """Draw as many groups as there are, with replacement: how often each is taken, draws x groups."""
    return rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_draws).astype(float)


def cell_weights(counts: Codes, stratum: Codes, n_draws: int, rng: np.random.Generator) -> Floats:
    """Draw cells with replacement inside every stratum: how often each kind is taken, draws x kinds."""
    weights = np.zeros((n_draws, len(counts)))
    for value in np.unique(stratum):
        inside = stratum == value
        size = int(counts[inside].sum())
        weights[:, inside] = rng.multinomial(size, counts[inside] / size, size=n_draws)
    return weights


def percentile_interval(draws: Floats, *, level: float) -> tuple[Floats, Floats]:
    """Return the central interval that holds ``level`` of the draws where the score is defined."""
    defined = ~np.isnan(draws).all(axis=0)
    bounds = np.full((2, *draws.shape[1:]), np.nan)
    if len(draws) and defined.any():
        tail = (1 - level) / 2
        bounds[:, defined] = np.nanquantile(draws[:, defined], [tail, 1 - tail], axis=0)
    return bounds[0], bounds[1]
