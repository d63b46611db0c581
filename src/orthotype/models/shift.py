"""The species shift: a difference per gene that all classes share, estimated without a single target label.

With responsibilities q_ic of the source model on the target cells x_i, class mass m_c = sum_i q_ic, source
class means mu_c and target class means nu_c = sum_i q_ic x_i / m_c, the shift is the mean difference over
classes, each shrunk by its mass::

    delta = sum_c w_c (nu_c - mu_c) / sum_c w_c,     w_c = m_c / (m_c + tau) if m_c >= 1 else 0

The model then labels x - delta, which for a linear model only moves the intercepts by -W delta: the sparse
rows are never touched. New responsibilities give a new delta, for a few rounds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.models.consensus import fold_scores, mean_proba
from orthotype.models.profiles import ClassProfiles, class_profiles

N_ITERATIONS = 3
TAU = 10.0

Blocks = Callable[[], Iterator[sp.csr_array]]


@dataclass(frozen=True)
class SpeciesShift:
    """A shift and how it came about.

    Attributes
    ----------
    delta
        Target minus source on the encoded scale, shape (n_features,), float32.
    mass
        Target cells held to be of each class in the last round, shape (n_classes,).
    changes
        Root mean square change of delta in each round; it should fall.
    """

    delta: NDArray[np.float32]
    mass: NDArray[np.float64]
    changes: tuple[float, ...]


def estimate_shift(
    blocks: Blocks,
    *,
    coef: NDArray[np.float32],
    intercept: NDArray[np.float32],
    temperature: float,
    source: ClassProfiles,
    n_iterations: int = N_ITERATIONS,
    tau: float = TAU,
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
        Class means of the source.
    n_iterations
        Rounds; more than three tend to drift.
    tau
        Cells at which a class counts half.
    """
    delta = np.zeros(coef.shape[2])
    changes: list[float] = []
    mass = np.zeros(coef.shape[1])
    for _ in range(n_iterations):
        moved = moved_intercept(coef, intercept, delta)
        target = class_profiles(
            (rows, mean_proba(fold_scores(rows, coef=coef, intercept=moved), temperature=temperature))
            for rows in blocks()
        )
        mass = target.n_cells
        weights = np.where((mass >= 1) & (source.n_cells > 0), mass / (mass + tau), 0.0)
        if weights.sum() == 0:
            break
        differences = target.mean.astype(np.float64) - source.mean
        new = weights @ differences / weights.sum()
        changes.append(float(np.sqrt(np.mean((new - delta) ** 2))))
        delta = new
    return SpeciesShift(delta=delta.astype(np.float32), mass=mass, changes=tuple(changes))


def moved_intercept(
    coef: NDArray[np.float32], intercept: NDArray[np.float32], delta: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return intercepts with which the model labels x - delta from x, shape (n_models, n_classes)."""
    return np.asarray(intercept - coef.astype(np.float64) @ np.asarray(delta, dtype=np.float64))
