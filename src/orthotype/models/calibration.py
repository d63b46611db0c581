"""Probabilities that mean what they say: one temperature, fitted on cells the model has not seen.

References
----------
Guo et al. (2017), On calibration of modern neural networks, ICML.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

Floats = NDArray[np.float64]

LOWEST, HIGHEST = 0.05, 20.0


def softmax(scores: NDArray[np.floating]) -> Floats:
    """Return class probabilities from logits; the last axis holds the classes."""
    shifted = np.asarray(scores, dtype=np.float64)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    np.exp(shifted, out=shifted)
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def log_loss(scores: NDArray[np.floating], y: NDArray[np.intp]) -> float:
    """Return the mean negative log-probability of the true classes, in nats."""
    shifted = np.asarray(scores, dtype=np.float64)
    shifted = shifted - shifted.max(axis=1, keepdims=True)
    log_norm = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_norm - shifted[np.arange(len(y)), y]))


def fit_temperature(scores: NDArray[np.floating], y: NDArray[np.intp]) -> float:
    """Return the temperature T at which ``softmax(scores / T)`` has the lowest held-out log-loss.

    Dividing all logits of a cell by one number changes how sure the model is, never which class is first.

    Parameters
    ----------
    scores
        Logits of cells by a model that has not seen them, shape (n, n_classes).
    y
        Their true class codes, shape (n,).

    Returns
    -------
    A number between 0.05 and 20; above 1 the model was too sure of itself.
    """
    best = minimize_scalar(
        lambda log_t: log_loss(scores / np.exp(log_t), y),
        bounds=(np.log(LOWEST), np.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(best.x))
