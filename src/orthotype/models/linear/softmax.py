"""What the scores of a row say: probabilities, loss and residuals of the multinomial model, by log-sum-exp.

Conventions
-----------
scores : (n, K) raw logits, float32 or float64
classes : (n,) integers in 0 .. K - 1
weights : (n,) non-negative row weights; a row of weight 0 counts for nothing
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]
Float64 = NDArray[np.float64]
Integer = NDArray[np.integer]


@dataclass(frozen=True)
class RowSums:
    """The sums over rows that the objective and its gradient are made of, in float64.

    Attributes
    ----------
    loss
        Weighted sum of the cross-entropies.
    by_gene
        ``X.T @ R`` for the residuals R = weights * (P - onehot(y)), of shape (p, K).
    by_class
        Column sums of the residuals, of shape (K,).
    spread
        Weighted sums of p (1 - p), of shape (K,): the curvature that each class sees.
    """

    loss: float
    by_gene: Float64
    by_class: Float64
    spread: Float64


def log_softmax(scores: Float) -> Float:
    """Return the log-probabilities of each row, without overflow.

    >>> np.exp(log_softmax(np.array([[1000.0, 1000.0]])))
    array([[0.5, 0.5]])
    """
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def softmax(scores: Float) -> Float:
    """Return the probabilities of each row, without overflow."""
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def row_losses(scores: Float, classes: Integer) -> Float64:
    """Return the cross-entropy of each row in float64, of shape (n,)."""
    logs = log_softmax(np.asarray(scores, dtype=np.float64))
    return np.asarray(-logs[np.arange(len(classes)), classes])


def residuals(scores: Float, classes: Integer, weights: Float64) -> tuple[float, Float, Float64, Float64]:
    """Return the loss, the weighted residuals, their column sums and the spread of one block of rows."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    rows = np.arange(len(classes))
    own = shifted[rows, classes].astype(np.float64)
    probabilities = np.exp(shifted, out=shifted)
    totals = probabilities.sum(axis=1, keepdims=True)
    loss = float(weights @ (np.log(totals[:, 0].astype(np.float64)) - own))
    probabilities /= totals
    weighted = probabilities * weights[:, None].astype(scores.dtype)
    spread = weighted.sum(axis=0, dtype=np.float64) - np.einsum(
        "ik,ik->k", weighted, probabilities, dtype=np.float64
    )
    weighted[rows, classes] -= weights.astype(scores.dtype)
    return loss, weighted, weighted.sum(axis=0, dtype=np.float64), spread
