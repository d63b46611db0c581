"""Probabilities that mean what they say: one temperature, fitted on cells the model has not seen.

References
----------
Guo et al. (2017), On calibration of modern neural networks, ICML.
"""

import numpy as np
from scipy.optimize import minimize_scalar

from orthotype.models.linear.softmax import Float, Float64, Integer, row_losses

LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(scores: Float, y: Integer, *, weights: Float64 | None = None) -> float:
    """Return the temperature T at which ``softmax(scores / T)`` has the lowest held-out log-loss.

    Dividing all logits of a cell by one number changes how sure the model is, never which class is first. The
    search goes by the spread of the logits, which under a strong penalty are small throughout.

    Parameters
    ----------
    scores
        Logits of cells by a model that has not seen them, shape (n, n_classes).
    y
        Their true class codes, shape (n,).
    weights
        How much each cell counts, shape (n,); None: all the same.

    Returns
    -------
    A number between 0.05 and 20 times the spread (the median distance of a logit from the middle one of its
    cell); above 1 the model was too sure of itself.
    """
    middle = np.median(scores, axis=1, keepdims=True)
    spread = float(np.median(np.abs(scores - middle))) or 1.0
    shares = np.full(len(y), 1 / len(y)) if weights is None else weights / weights.sum()
    best = minimize_scalar(
        lambda log_t: float(shares @ row_losses(scores / np.exp(log_t), y)),
        bounds=(np.log(LOWEST * spread), np.log(HIGHEST * spread)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(best.x))
