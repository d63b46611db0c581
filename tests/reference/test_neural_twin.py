"""The torch training against a slow, obvious twin in NumPy: gradients by hand, RMSprop as Keras wrote it."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from orthotype.models.linear.softmax import residuals
from orthotype.models.neural import Schedule, SoftmaxNetwork, train
from orthotype.models.neural.batches import batches, dropped

pytest.importorskip("torch", reason="torch is not installed: no neural network is trained or tested")
pytestmark = pytest.mark.torch


def cells(n: int = 60, p: int = 25, K: int = 3) -> tuple[csr_array, np.ndarray]:
    rng = np.random.default_rng(0)
    codes = np.arange(n) % K
    return csr_array(rng.poisson(0.8, size=(n, p)) + 2.0 * np.eye(K, p)[codes]).astype(np.float32), codes


def gradients(weights: list[np.ndarray], x: np.ndarray, codes: np.ndarray, l1: float) -> list[np.ndarray]:
    """Gradients of mean cross-entropy + l1 |A|: [A, B, a, c], or [B, c] without a hidden layer."""
    shares = np.full(len(codes), 1 / len(codes))
    if len(weights) == 2:
        B, c = weights
        _, r, by_class, _ = residuals(x @ B + c, codes, shares)
        return [x.T @ r, by_class]
    A, B, a, c = weights
    h = np.maximum(x @ A + a, 0)
    _, r, by_class, _ = residuals(h @ B + c, codes, shares)
    back = (r @ B.T) * (h > 0)
    return [x.T @ back + l1 * np.sign(A), h.T @ r, back.sum(axis=0), by_class]


def twin(network: SoftmaxNetwork, X: csr_array, codes: np.ndarray, schedule: Schedule, seed: int):
    weights = [w.astype(np.float64) for w in (*network.kernels, *network.biases)]
    squares = [np.zeros_like(w) for w in weights]
    draws, losses, _ = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    for _ in range(schedule.epochs):
        for rows in batches(codes, steps=schedule.steps, per_class=schedule.per_class, rng=draws):
            x = dropped(X[rows], schedule.dropout, rng=losses).astype(np.float64)
            for w, v, g in zip(
                weights, squares, gradients(weights, x, codes[rows], schedule.l1), strict=True
            ):
                v *= 0.9
                v += 0.1 * g**2
                w -= schedule.learning_rate * g / (np.sqrt(v) + 1e-7)
    return weights


@pytest.mark.parametrize(("hidden", "dropout", "l1"), [(0, 0.0, 0.0), (6, 0.0, 0.0), (6, 0.5, 0.001)])
def test_a_few_steps_are_those_of_the_twin(hidden: int, dropout: float, l1: float) -> None:
    X, codes = cells()
    start = SoftmaxNetwork.random(25, hidden=hidden, n_classes=3, rng=np.random.default_rng(3))
    schedule = Schedule(steps=4, epochs=3, dropout=dropout, l1=l1)
    ours = train(start, X, codes, schedule=schedule, seed=11)
    theirs = twin(start, X, codes, schedule, 11)
    for mine, other, before in zip(
        (*ours.kernels, *ours.biases), theirs, (*start.kernels, *start.biases), strict=True
    ):
        moved = np.abs(other - before).max()
        assert moved > 5e-3
        np.testing.assert_allclose(mine, other, atol=2e-3 * moved)


def test_the_published_regression_reaches_the_optimum_of_its_loss() -> None:
    """On cells that overlap the loss has a minimum without a penalty, and scikit-learn knows where."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    codes = np.arange(600) % 3
    X = rng.normal(size=(600, 4)) + np.eye(3, 4)[codes]
    start = SoftmaxNetwork.random(4, hidden=0, n_classes=3, rng=rng)
    ours = train(
        start,
        csr_array(X),
        codes,
        schedule=Schedule(steps=42, epochs=20, dropout=0.0, per_class=100, l1=0.0, learning_rate=5e-3),
        seed=0,
    )
    theirs = LogisticRegression(C=np.inf, tol=1e-8).fit(X, codes)
    difference = ours.predict_proba(csr_array(X)) - theirs.predict_proba(X)
    assert np.abs(difference).max() < 0.05
