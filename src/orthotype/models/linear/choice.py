"""Which penalty to keep, from what every strength predicts for cells that its models have not seen.

Two rules, by name:

lowest
    the strength with the lowest held-out log-loss: for cells like the training cells, and probabilities used
    as they are.
strongest
    the strongest penalty whose loss is within one standard error of the lowest. Losses are taken at each
    strength's best temperature, because a strong penalty mostly makes a model less sure, which calibration
    undoes; the standard error is that of the best strength over the folds. For cells of another species or
    study: a strong penalty rests on many genes, a weak one on the few that separate the training cells best,
    and those are the ones that fail first elsewhere.

The second is the one-standard-error rule of Breiman et al. (1984), on calibrated losses.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from orthotype.errors import InputError
from orthotype.models.linear.softmax import Float, Float64, Integer, row_losses
from orthotype.models.linear.temperature import fit_temperature

Rule = Literal["lowest", "strongest"]
RULES: tuple[Rule, ...] = ("lowest", "strongest")
RISES = 2


def check_alpha(alpha: Any) -> None:
    """Refuse what is neither a rule nor a strength.

    Raises
    ------
    InputError
        If it is none of :data:`RULES` and no positive number.
    """
    if isinstance(alpha, str) and alpha in RULES:
        return
    number = isinstance(alpha, int | float | np.number) and not isinstance(alpha, bool)
    if not number or not np.isfinite(alpha) or alpha <= 0:
        raise InputError(
            f"alpha is {alpha!r}; expected one of {', '.join(map(repr, RULES))}, or a positive number"
        )


@dataclass(frozen=True)
class HeldOut:
    """What the model of one fold says of the rows it has not seen.

    Attributes
    ----------
    scores
        Raw scores (n, K).
    y
        True classes (n,).
    weights
        Weights (n,); zero for classes that the model has not seen in training.
    """

    scores: Float
    y: Integer
    weights: Float64


@dataclass(frozen=True)
class Candidate:
    """One strength: its fold models and their held-out losses.

    Attributes
    ----------
    alpha
        Strength.
    models
        Coefficients (K, p) and intercepts (K,) of every fold.
    held_out
        What every fold's model says of its held-out rows.
    losses
        Weighted mean loss of every fold (M,); NaN for a fold without held-out weight.
    masses
        Held-out weight of every fold (M,).
    """

    alpha: float
    models: list[tuple[Float, Float64]]
    held_out: list[HeldOut]
    losses: Float64
    masses: Float64

    @property
    def risk(self) -> float:
        """Mean loss over all held-out rows."""
        total = float(self.masses.sum())
        return float(np.nansum(self.losses * self.masses)) / total if total > 0 else 0.0


def judge(
    alpha: float, models: list[tuple[Float, Float64]], held_out: list[HeldOut], *, rule: Rule
) -> Candidate:
    """Measure one strength on its held-out rows, at its best temperature if the rule asks for that."""
    temperature = 1.0
    if rule == "strongest":
        weights = np.concatenate([part.weights for part in held_out])
        if weights.sum() > 0:
            scores = np.concatenate([part.scores for part in held_out])
            temperature = fit_temperature(
                scores, np.concatenate([part.y for part in held_out]), weights=weights
            )
    masses = np.array([part.weights.sum() for part in held_out])
    sums = np.array([part.weights @ row_losses(part.scores / temperature, part.y) for part in held_out])
    losses = np.divide(sums, masses, out=np.full_like(sums, np.nan), where=masses > 0)
    return Candidate(alpha, models, held_out, losses, masses)


class Choice:
    """The strengths tried so far, strong to weak, and which one to keep.

    Parameters
    ----------
    rule
        "lowest" or "strongest".
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.alphas: list[float] = []
        self.losses: list[Float64] = []
        self.risks: list[float] = []
        self._kept: list[Candidate] = []

    def add(self, candidate: Candidate) -> None:
        """Take note of the next weaker strength; models that can no longer be chosen are let go."""
        self.alphas.append(candidate.alpha)
        self.losses.append(candidate.losses)
        self.risks.append(candidate.risk)
        self._kept.append(candidate)
        best = min(self._kept, key=lambda kept: kept.risk)
        self._kept = [kept for kept in self._kept if kept is best or self._as_good(kept, best)]

    def _as_good(self, candidate: Candidate, best: Candidate) -> bool:
        if self.rule == "lowest":
            return False
        losses = best.losses[np.isfinite(best.losses)]
        if len(losses) < 2:
            return False
        error = float(losses.std(ddof=1)) / float(np.sqrt(len(losses)))
        return candidate.alpha > best.alpha and candidate.risk <= best.risk + error

    def risen(self) -> bool:
        """Tell whether the held-out loss has been above its best for two strengths."""
        return len(self.risks) - 1 - int(np.argmin(self.risks)) >= RISES

    def chosen(self) -> Candidate:
        """Return the strength to keep."""
        return max(self._kept, key=lambda kept: kept.alpha)
