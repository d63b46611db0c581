"""The temperature of another species, on simulated logits, for properties only."""

import numpy as np
import pytest

from orthotype.metrics import expected_calibration_error
from orthotype.models.linear.softmax import softmax
from orthotype.models.margins import MarginScale, margins


def logits(seed: int, n: int = 4000, *, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return logits of which softmax(scores / spread) is the chance of each class, and classes so drawn."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, 4)) * 2
    chances = softmax(scores)
    codes = (chances.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1)
    return scores * spread, codes


def test_a_margin_is_the_lead_of_the_first_class() -> None:
    assert margins(np.array([[1.0, 5.0, 3.0], [2.0, 2.0, 0.0]])).tolist() == [2.0, 0.0]


@pytest.mark.parametrize("spread", [0.3, 0.6, 1.0, 1.4])
def test_logits_that_shrink_together_keep_their_meaning(spread: float) -> None:
    source, _ = logits(1)
    target, true = logits(2, spread=spread)
    ratio = MarginScale.learn(source).ratio(margins(target), target.argmax(axis=1))
    assert ratio == pytest.approx(spread, rel=0.07)
    proba = softmax(target / ratio)
    names = np.array(list("abcd"))
    error = expected_calibration_error(names[true], names[proba.argmax(axis=1)], proba.max(axis=1))
    assert error < 0.04


def test_too_few_cells_change_nothing() -> None:
    source, _ = logits(1)
    assert MarginScale.learn(source).ratio(np.array([0.1, 0.2]), np.array([0, 1])) == 1.0


def test_one_class_of_strangers_hardly_moves_the_scale() -> None:
    source, _ = logits(1)
    target, _ = logits(2)
    ahead, codes = margins(target), target.argmax(axis=1)
    ratio = MarginScale.learn(source).ratio(
        np.r_[ahead, np.full(9000, 0.01)], np.r_[codes, np.zeros(9000, dtype=int)]
    )
    assert ratio == pytest.approx(1.0, abs=0.1)


def test_a_source_class_of_too_few_cells_is_left_out() -> None:
    scores = np.array([[9.0, 0.0]] * 3 + [[0.0, 1.0]] * 20)
    assert MarginScale.learn(scores).medians == (0.0, 1.0)
