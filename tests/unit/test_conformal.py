"""Prediction sets, on simulated probabilities, for properties only."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthotype.models.conformal import PredictionSets


def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities of a poor model that neglects the third class, and true classes."""
    codes = rng.integers(3, size=n)
    logits = rng.normal(size=(n, 3)) + 1.5 * np.eye(3)[codes] - np.array([0, 0, 2.0])
    proba = np.exp(logits)
    return proba / proba.sum(axis=1, keepdims=True), codes


@pytest.mark.parametrize("coverage", [0.6, 0.8, 0.9])
def test_every_class_is_covered_as_stated_however_poor_the_model(coverage: float) -> None:
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(60):
        proba, codes = draw(rng, 200)
        sets = PredictionSets.learn(proba, codes, coverage=coverage)
        proba, codes = draw(rng, 2000)
        kept = sets.sets(proba)[np.arange(2000), codes]
        covered.append([kept[codes == k].mean() for k in range(3)])
    means = np.mean(covered, axis=0)
    assert (means > coverage - 0.015).all()
    assert (means < coverage + 0.05).all()


def test_a_class_with_too_few_labelled_cells_is_in_every_set() -> None:
    proba = np.array([[0.9, 0.1, 0.0]] * 8 + [[0.2, 0.8, 0.0]] * 30)
    sets = PredictionSets.learn(proba, np.r_[np.zeros(8, int), np.ones(30, int)], coverage=0.9)
    assert sets.least.tolist() == [0.0, 0.8, 0.0]
    assert sets.sets(np.array([[0.7, 0.1, 0.2]])).tolist() == [[True, False, True]]


@given(seed=st.integers(0, 1000), low=st.floats(0.05, 0.5), more=st.floats(0.0, 0.45))
@settings(deadline=None, max_examples=30)
def test_more_coverage_never_takes_a_class_out(seed: int, low: float, more: float) -> None:
    proba, codes = draw(np.random.default_rng(seed), 80)
    small = PredictionSets.learn(proba, codes, coverage=low).sets(proba)
    large = PredictionSets.learn(proba, codes, coverage=low + more).sets(proba)
    assert (large | ~small).all()


@pytest.mark.parametrize("coverage", [0.0, 1.0, -1, 95])
def test_a_coverage_that_is_no_share_is_refused(coverage: float) -> None:
    with pytest.raises(ValueError, match="expected a share between 0 and 1"):
        PredictionSets.learn(np.eye(2), np.array([0, 1]), coverage=coverage)
