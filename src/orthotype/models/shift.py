"""The species shift: a difference per gene that all classes share, estimated without a single target label.

The model lends every target cell x_i responsibilities q_ic; what it calls c has the mean nu_c. The same model
made the same kind of mistakes on source cells that it had not seen, so nu_c is held against the mean mu_c of
what it calls c *there* (:func:`called_means`), not against the mean of the true class: on cells like the
source's, nothing is left to shift. With differences d_c = nu_c - mu_c and n_c cells called c::

    delta = lambda sum_c w_c d_c / sum_c w_c,     w_c = n_c / (n_c + tau)

A shift that classes share can be foretold for one class from the others. With delta_-c the weighted mean of
the other classes' differences, lambda is the slope of the regression of d_c on delta_-c over all genes and
classes, cut to between 0 and 1::

    lambda = sum_c w_c <d_c, delta_-c> / sum_c w_c <delta_-c, delta_-c>

Noise, wrong calls and cells of no class differ from class to class: they enlarge the denominator alone, so
the step grows shorter by itself, down to none. The model labels x - delta, which for a linear model moves the
intercepts by -W delta; new responsibilities give a new delta, until it settles.

tau is one cell. Where the target has few types, it is a tenth of its cells (:data:`OF_FEW_TYPES`): what a
class shows of which hardly a cell is there is how the types differ that were called it by mistake.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.models.consensus import fold_scores, mean_proba
from orthotype.models.linear.softmax import softmax
from orthotype.models.profiles import ClassProfiles

N_ITERATIONS = 30
TAU = 1.0
OF_FEW_TYPES = 0.1
SETTLED = 1e-3
UNSETTLED = 0.05
LEAST_STEP = 0.05
AT_ONCE = 1 << 15

Floats = NDArray[np.float64]
Blocks = Callable[[], Iterator[sp.csr_array]]


@dataclass(frozen=True)
class SpeciesShift:
    """A shift and how it came about.

    Attributes
    ----------
    delta
        Target minus source on the encoded scale, shape (n_features,), float32; zero where it was not taken.
    mass
        Target cells held to be of each class in the last round, shape (n_classes,).
    changes
        Size of the change of delta in each round, relative to delta; it should fall.
    step
        How much of the mean difference was taken, lambda, 0 to 1.
    weights
        Weight of each class, 0 to 1, shape (n_classes,).
    support
        For each class, the slope of its difference on that of the others; near 1 it shows the shift in full,
        near or below 0 it contradicts it. NaN for a class without weight. Shape (n_classes,).
    reason
        Why so much or so little was taken, in a sentence.
    """

    delta: NDArray[np.float32]
    mass: Floats
    changes: tuple[float, ...]
    step: float
    weights: Floats
    support: Floats
    reason: str


def called_means(
    rows: sp.csr_array, scores: Floats, codes: NDArray[np.intp], *, temperature: float
) -> NDArray[np.float32]:
    """Return the mean of what the model calls each class on cells it has not seen, (n_classes, n_features).

    True classes count alike, however many cells they have: the proportions of the source play no part.

    Parameters
    ----------
    rows
        Encoded source cells (n, n_features).
    scores
        Their logits by the model that did not see them (n, n_classes).
    codes
        Their true classes (n,).
    temperature
        Calibration of the logits.
    """
    sizes = np.bincount(codes, minlength=scores.shape[1])
    held = softmax(scores / temperature) / np.maximum(sizes, 1)[codes][:, None]
    mass = held.sum(axis=0)
    sums = np.zeros((scores.shape[1], rows.shape[1]))
    for first in range(0, len(held), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        sums += held[part].T @ rows[part]
    return np.asarray(sums / np.maximum(mass, 1e-300)[:, None], dtype=np.float32)


def estimate_shift(
    blocks: Blocks,
    *,
    coef: NDArray[np.float32],
    intercept: NDArray[np.float32],
    temperature: float,
    source: ClassProfiles,
    called: NDArray[np.float32] | None = None,
    n_iterations: int = N_ITERATIONS,
    tau: float = TAU,
    refused: str = "",
) -> SpeciesShift:
    """Estimate the shift between the source and unlabelled target cells.

    Parameters
    ----------
    blocks
        Called once a round; yields encoded target cells (n, n_features).
    coef, intercept
        Consensus of linear models, shapes (n_models, n_classes, n_features) and (n_models, n_classes).
    temperature
        Calibration of the logits.
    source
        Class profiles of the source.
    called
        What the model calls each class on source cells, from :func:`called_means`; None for the means of the
        true classes, which is right for a model that errs little.
    n_iterations
        Most rounds.
    tau
        Cells at which a class counts half.
    refused
        Why no shift may be taken, if that is known: one round tells what would have been.
    """
    n_iterations = 1 if refused else n_iterations
    reference = np.asarray(source.mean if called is None else called, dtype=np.float64)
    delta = np.zeros(reference.shape[1])
    rounds: list[_Round] = []
    while len(rounds) < n_iterations and not (rounds and rounds[-1].last):
        means, mass, n_called = _target_means(
            blocks, coef=coef, intercept=moved_intercept(coef, intercept, delta), temperature=temperature
        )
        weights = np.where(source.n_cells > 0, n_called / (n_called + tau), 0.0)
        rounds.append(_take_step(means - reference, weights, mass, before=delta))
        delta = rounds[-1].delta
    return _judged(rounds, refused)


@dataclass(frozen=True)
class _Round:
    """One round: the shift it gave, what it rests on, and its change relative to the shift."""

    delta: Floats
    mass: Floats
    weights: Floats
    support: Floats
    step: float
    change: float

    @property
    def last(self) -> bool:
        """Whether there is no need for another round."""
        return self.step < LEAST_STEP or self.change < SETTLED


def _take_step(differences: Floats, weights: Floats, mass: Floats, *, before: Floats) -> _Round:
    if np.count_nonzero(weights) < 2:
        none = np.full(len(weights), np.nan)
        return _Round(np.zeros_like(before), mass, weights, none, 0.0, 0.0)
    step, support = shared_part(differences, weights)
    delta = step * (weights @ differences) / weights.sum()
    size = max(float(np.sqrt(np.mean(delta**2))), 1e-12)
    change = float(np.sqrt(np.mean((delta - before) ** 2))) / size
    return _Round(delta, mass, weights, support, step, change)


def _judged(rounds: list[_Round], refused: str) -> SpeciesShift:
    """Return the shift of the last round, or none if it may not be trusted, and why."""
    end = rounds[-1]
    n_classes = np.count_nonzero(end.weights)
    why_not = refused
    if n_classes < 2:
        why_not = "fewer than two classes were called"
    elif not refused and end.step < LEAST_STEP:
        why_not = "what one class shows says nothing of the others"
    elif not refused and end.change > UNSETTLED:
        why_not = f"it had not settled after {len(rounds)} rounds"
    reason = (
        f"no shift was taken: {why_not}"
        if why_not
        else (
            f"{end.step:.0%} of the mean difference of {n_classes} classes was taken: "
            "so much of each class's difference do the others foretell"
        )
    )
    return SpeciesShift(
        delta=(0 * end.delta if why_not else end.delta).astype(np.float32),
        mass=end.mass,
        changes=tuple(each.change for each in rounds),
        step=0.0 if why_not else end.step,
        weights=end.weights,
        support=end.support,
        reason=reason,
    )


def shared_part(differences: Floats, weights: Floats) -> tuple[float, Floats]:
    """Return how much of the classes' differences is shared, and the slope of each class on the others.

    Parameters
    ----------
    differences
        Target minus source of each class, shape (n_classes, n_features).
    weights
        Weight of each class, shape (n_classes,); at least two are positive.

    Returns
    -------
    The slope over all classes, cut to between 0 and 1, and the slope of each class, shape (n_classes,).
    """
    others = (weights @ differences - weights[:, None] * differences) / np.maximum(
        weights.sum() - weights, 1e-300
    )[:, None]
    common = np.where(weights > 0, (differences * others).sum(axis=1), 0.0)
    spread = np.where(weights > 0, (others**2).sum(axis=1), 0.0)
    slopes = np.divide(common, spread, out=np.full(len(weights), np.nan), where=spread > 0)
    total = float(weights @ spread)
    return (float(np.clip(weights @ common / total, 0.0, 1.0)) if total > 0 else 0.0), slopes


def moved_intercept(
    coef: NDArray[np.float32], intercept: NDArray[np.float32], delta: NDArray[np.floating]
) -> Floats:
    """Return intercepts with which the model labels x - delta from x, shape (n_models, n_classes)."""
    return np.asarray(intercept - coef.astype(np.float64) @ np.asarray(delta, dtype=np.float64))


def _target_means(
    blocks: Blocks, *, coef: NDArray[np.float32], intercept: Floats, temperature: float
) -> tuple[Floats, Floats, Floats]:
    """Return means (n_classes, n_features), mass and number of calls of each class."""
    _, n_classes, n_features = coef.shape
    sums, mass, n_called = np.zeros((n_classes, n_features)), np.zeros(n_classes), np.zeros(n_classes)
    for rows in blocks():
        proba = mean_proba(fold_scores(rows, coef=coef, intercept=intercept), temperature=temperature)
        sums += proba.T @ rows
        mass += proba.sum(axis=0)
        n_called += np.bincount(proba.argmax(axis=1), minlength=n_classes)
    return sums / np.maximum(mass, 1e-300)[:, None], mass, n_called
