"""What alignment changed: the labels of the same cells with and without it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.models.consensus import count_votes, fold_scores, mean_proba
from orthotype.transfer.state import ModelState

MOST_MOVES = 20


@dataclass(frozen=True)
class Effect:
    """Labels without alignment, held against those with it.

    Attributes
    ----------
    before, after
        Class codes without and with it, shape (n_compared,).
    confidence
        Mean confidence without it, 0 to 1.
    """

    before: NDArray[np.intp]
    after: NDArray[np.intp]
    confidence: float

    def to_dict(self, classes: NDArray[np.object_]) -> dict[str, Any]:
        """Return plain values for the record: cells compared and changed, from which class to which."""
        n = len(classes)
        moves = np.bincount(self.before * n + self.after, minlength=n * n).reshape(n, n)
        labels = dict(zip(classes.astype(str).tolist(), moves.sum(axis=1).tolist(), strict=True))
        labels_with = dict(zip(classes.astype(str).tolist(), moves.sum(axis=0).tolist(), strict=True))
        np.fill_diagonal(moves, 0)
        largest = np.argsort(-moves, axis=None, kind="stable")[:MOST_MOVES]
        pairs = [(*divmod(int(place), n), int(moves.flat[place])) for place in largest]
        return {
            "n_compared": len(self.before),
            "n_changed": int(moves.sum()),
            "moved": [
                {"from": str(classes[a]), "to": str(classes[b]), "cells": cells}
                for a, b, cells in pairs
                if cells
            ],
            "labels_without": labels,
            "labels_with": labels_with,
            "mean_confidence_without": self.confidence,
        }


def measure_effect(state: ModelState, rows: sp.csr_array, winner: NDArray[np.intp]) -> Effect:
    """Label encoded cells without any alignment, and hold that against what they were called with it."""
    scores = fold_scores(rows, coef=state.coef, intercept=state.intercept)
    proba = mean_proba(scores, temperature=state.temperature)
    before = count_votes(scores.argmax(axis=2), proba=proba).winner
    confidence = proba[np.arange(len(before)), before]
    return Effect(before, winner, round(float(confidence.mean()), 6))
