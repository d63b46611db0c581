"""What labelled cells say of the fits themselves: how strong, how sure, and which labels to doubt.

All of it is judged by what fits of four fifths of the labelled cells say of the last fifth
(:meth:`orthotype.transfer.adapt.refit.Refit.held_out`). A tenth of the labels are taken to be wrong, drawn
from all K labelled classes alike, so that with p the probability of its label a cell costs::

    -log(0.9 p + 0.1 / K)          every class with two labels weighs alike, others have no say

*How strong.* As labels near the number of genes, rows that are mostly noise would be told apart to the
letter, and wrong labels learned by heart. So each strength is taken times the power of ten that costs least,
first from nothing, then around the start: where there are three labels per class or more, and four fifths of
the target are called what has a label or what labels contradict. What held-out labels say of a class that has
none is nothing.

*How sure.* The mean of two fits, one of them hardly learned, can be too modest to doubt anything. Its scores
are taken times v, which makes n times the mean cost and (log v)^2 / 2 least.

*Which labels to doubt.* Then a label counts by the chance that it is right, 0.9 p / (0.9 p + 0.1 / K), where
its class has three labels or more.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthotype.models.linear.loss import class_weights
from orthotype.models.linear.softmax import softmax
from orthotype.transfer.adapt.refit import Evidence, Refit

Floats = NDArray[np.float64]

WRONG: Final = 0.1
FEWEST_TO_CHOOSE: Final = 3.0
FEWEST_TO_DOUBT: Final = 3
FROM_NOTHING: Final = (1.0, 10.0, 100.0, 1e3, 1e4)
AROUND: Final = (1.0, 10.0, 100.0)
SURENESS: Final = np.exp(np.arange(-2.0, 2.75, 0.25))


class Cost:
    """What scores of labelled cells cost that have been held out.

    Parameters
    ----------
    codes
        Their classes, shape (n,).
    """

    def __init__(self, codes: NDArray[np.intp]) -> None:
        sizes = np.bincount(codes)
        self._codes, self._by_chance = codes, WRONG / np.count_nonzero(sizes)
        self._weights = class_weights(codes) * (sizes[codes] >= 2)
        self._weights /= max(float(self._weights.sum()), np.finfo(np.float64).tiny)

    def __call__(self, scores: Floats) -> float:
        """Return n times the mean cost of scores, shape (n, n_classes)."""
        p = softmax(scores)[np.arange(len(self._codes)), self._codes]
        return len(self._codes) * float(self._weights @ -np.log((1.0 - WRONG) * p + self._by_chance))

    def sureness(self, scores: Floats) -> float:
        """Return v, what the scores are to be taken times."""
        costs = [self(v * scores) + np.log(v) ** 2 / 2 for v in SURENESS]
        return float(SURENESS[int(np.argmin(costs))])


def can_tell(evidence: Evidence) -> bool:
    """Return whether there are labels enough, of enough of the target, to choose strengths on them."""
    return evidence.answered and evidence.n_labelled >= FEWEST_TO_CHOOSE * int(evidence.moving.sum())


def chosen(refit: Refit) -> tuple[Refit, Floats]:
    """Return the fits at the strengths that held-out labels ask for, and what they say of these."""
    evidence = refit.evidence
    if refit.worth == 1.0 or not can_tell(evidence):
        return refit, refit.held_out()
    cost = Cost(evidence.codes[: evidence.n_labelled])
    around = refit.around_held_out()
    alone = {times: refit.stronger(1.0, times).alone_held_out() for times in FROM_NOTHING}
    nothing, held_out = _cheapest(cost, {k: refit.mean(around, each) for k, each in alone.items()})
    other = {times: refit.stronger(times, 1.0).around_held_out() for times in AROUND[1:]}
    means = {k: refit.mean(each, alone[nothing]) for k, each in other.items()}
    start, held_out = _cheapest(cost, {AROUND[0]: held_out, **means})
    return refit.stronger(start, nothing), held_out


def _cheapest(cost: Cost, found: Mapping[float, Floats]) -> tuple[float, Floats]:
    """Return the factor whose scores cost least, the first among equals, and the scores."""
    return min(found.items(), key=lambda each: cost(each[1]))


def trust(scores: Floats, codes: NDArray[np.intp]) -> Floats:
    """Return the chance that each label is right, where its class has three labels, else 1, shape (n,).

    Parameters
    ----------
    scores
        Scores of the labelled cells by fits that have not seen them, as sure as they are right, shape
        (n, n_classes).
    codes
        Their classes, shape (n,).
    """
    sizes = np.bincount(codes)
    right = (1.0 - WRONG) * softmax(scores)[np.arange(len(codes)), codes]
    found = right / (right + WRONG / np.count_nonzero(sizes))
    return np.where(sizes[codes] >= FEWEST_TO_DOUBT, found, 1.0)
