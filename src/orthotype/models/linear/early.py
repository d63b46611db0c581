"""Early stop: end a fit when the loss on rows that it does not see stops falling."""

import numpy as np

from orthotype.models.linear.loss import MultinomialObjective
from orthotype.models.linear.rows import Rows
from orthotype.models.linear.softmax import Float, Integer, row_losses

EVERY = 5
RISES = 2


class HeldOutLoss:
    """Watch the mean log-loss of held-out rows while a solver runs, and remember the best point.

    Parameters
    ----------
    objective
        The objective that is being minimised.
    rows
        The held-out rows.
    y
        Their classes.

    Attributes
    ----------
    losses
        The loss at every check, one each five steps.
    best
        Theta with the lowest loss so far, or None before the first check.
    """

    def __init__(self, objective: MultinomialObjective, rows: Rows, y: Integer) -> None:
        self.objective, self.rows, self.y = objective, rows, y
        self.losses: list[float] = []
        self.best: Float | None = None

    def __call__(self, iteration: int, theta: Float) -> bool:
        """Return whether the loss has been above its best for two checks."""
        if iteration % EVERY:
            return False
        scores = self.rows.scores(theta[:-1], self.objective.offset(theta))
        self.losses.append(float(row_losses(scores, self.y).mean()))
        if self.losses[-1] <= min(self.losses):
            self.best = theta.copy()
        return len(self.losses) - 1 - int(np.argmin(self.losses)) >= RISES
