"""Prediction sets on simulated probabilities, for properties only: the coverage is as promised."""

import numpy as np
import pytest

from orthotype.models.conformal import PredictionSets
from orthotype.models.linear.softmax import softmax
from orthotype.models.linear.temperature import fit_temperature

N_CLASSES = 4
SHARES = np.array([0.55, 0.3, 0.1, 0.05])


def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return logits of a model that is far too sure of itself and neglects a class, and true classes."""
    codes = rng.choice(N_CLASSES, size=n, p=SHARES)
    logits = rng.normal(size=(n, N_CLASSES)) + 1.5 * np.eye(N_CLASSES)[codes] - np.array([0, 0, 0, 1.5])
    return 6 * logits, codes


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_cells_that_serve_for_the_temperature_too_cost_nothing_measurable(coverage: float) -> None:
    rng, covered = np.random.default_rng(5), []
    for _ in range(150):
        logits, codes = draw(rng, 150)
        heat = fit_temperature(logits, codes)
        sets = PredictionSets.learn(softmax(logits / heat), codes, coverage=coverage)
        logits, codes = draw(rng, 4000)
        kept = sets.sets(softmax(logits / heat))[np.arange(4000), codes]
        covered.append([kept[codes == k].mean() for k in range(N_CLASSES)])
    means, error = np.mean(covered, axis=0), np.std(covered, axis=0) / np.sqrt(150)
    assert (means > coverage - 3 * error).all()
    assert (means[:2] < coverage + 0.03).all()


def test_rare_classes_that_share_a_threshold_are_covered_together() -> None:
    rng, together, often = np.random.default_rng(6), [], []
    for _ in range(150):
        logits, codes = draw(rng, 80)
        sets = PredictionSets.learn(softmax(logits), codes, coverage=0.9, rare="pool")
        if sets.promised[3] or sets.n_labelled[~sets.promised].sum() < 9:
            continue
        logits, codes = draw(rng, 4000)
        kept = sets.sets(softmax(logits))[np.arange(4000), codes]
        together.append(kept[~sets.promised[codes]].mean())
        often.append(kept[sets.promised[codes]].mean())
    assert len(together) > 20
    assert np.mean(together) > 0.9 - 3 * np.std(together) / np.sqrt(len(together))
    assert np.mean(often) > 0.9 - 3 * np.std(often) / np.sqrt(len(often))
