"""What keeps the weights small, or close to what is already known.

A penalty knows the weights W (p, K) alone: nothing of the loss, nothing of the solver.
"""

from dataclasses import dataclass

import numpy as np

from orthotype.models.linear.softmax import Float, Float64


@dataclass(frozen=True)
class L2:
    """``alpha / 2 * || W - prior ||^2``: small weights, or weights close to a prior.

    Attributes
    ----------
    alpha
        Strength, positive.
    prior
        Where the penalty is zero, (p, K); None stands for zero weights.
    """

    alpha: float
    prior: Float | None = None

    def value(self, W: Float) -> float:
        """Return the penalty at W."""
        away = W if self.prior is None else W - self.prior
        return 0.5 * self.alpha * float(np.einsum("jk,jk->", away, away, dtype=np.float64))

    def value_and_gradient(self, W: Float) -> tuple[float, Float64]:
        """Return the penalty and its gradient at W, (p, K)."""
        away = W.astype(np.float64)
        if self.prior is not None:
            away -= self.prior
        value = 0.5 * self.alpha * float(np.vdot(away, away))
        away *= self.alpha
        return value, away


@dataclass(frozen=True)
class ElasticNet:
    """``alpha * (l1_ratio |W|_1 + (1 - l1_ratio) / 2 || W ||^2)``: few genes have weight."""

    alpha: float
    l1_ratio: float

    @property
    def threshold(self) -> float:
        """Strength of the absolute part."""
        return self.alpha * self.l1_ratio

    @property
    def smooth(self) -> L2:
        """The quadratic part, to be handled with the loss."""
        return L2(self.alpha * (1.0 - self.l1_ratio))

    def value(self, W: Float) -> float:
        """Return the penalty at W."""
        return self.threshold * float(np.abs(W).sum(dtype=np.float64)) + self.smooth.value(W)

    def shrink(self, W: Float64, step: Float64 | float) -> Float64:
        """Return the proximal point of the absolute part: weights moved towards zero."""
        return np.asarray(np.sign(W) * np.maximum(np.abs(W) - self.threshold * step, 0.0))
