"""The objective: slopes against finite differences, weights, extremes. Simulated data."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from orthotype.models.linear import as_rows, class_weights
from orthotype.models.linear.loss import MultinomialObjective
from orthotype.models.linear.penalties import L2, ElasticNet
from orthotype.models.linear.softmax import log_softmax, residuals, row_losses, softmax

KINDS = ["scipy", "native", "dense"]


def objective(rng, kind, monkeypatch, *, n=30, p=6, K=4, alpha=0.3):
    monkeypatch.setenv("ORTHOTYPE_KERNEL", "scipy" if kind == "scipy" else "native")
    X = rng.poisson(0.7, size=(n, p)).astype(np.float64)
    y = rng.integers(0, K, n)
    prior = rng.normal(size=(p, K))
    rows = as_rows(X if kind == "dense" else csr_array(X))
    return MultinomialObjective(
        rows, y, class_weights(y, sample_weight=rng.random(n)), n_classes=K, penalty=L2(alpha, prior)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_is_the_slope_of_the_value(kind, monkeypatch):
    rng = np.random.default_rng(0)
    J = objective(rng, kind, monkeypatch)
    theta = rng.normal(size=(7, 4))
    here = J(theta)
    for _ in range(10):
        d = rng.normal(size=theta.shape)
        slope = (J(theta + 1e-5 * d).value - J(theta - 1e-5 * d).value) / 2e-5
        assert slope == pytest.approx(float((here.gradient * d).sum()), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_hessian_product_is_the_slope_of_the_gradient(kind, monkeypatch):
    rng = np.random.default_rng(1)
    J = objective(rng, kind, monkeypatch)
    theta, d = rng.normal(size=(2, 7, 4))
    slope = (J(theta + 1e-5 * d).gradient - J(theta - 1e-5 * d).gradient) / 2e-5
    product = J.hessian_product(theta, d)
    np.testing.assert_allclose(product, slope, rtol=1e-5, atol=1e-8)
    assert J.curvature(theta, d) == pytest.approx(float((d * product).sum()), rel=1e-9)


def test_centring_leaves_value_and_solution_of_raw_rows_alone():
    rng = np.random.default_rng(2)
    X, y = rng.normal(3.0, 1.0, size=(40, 5)), rng.integers(0, 3, 40)
    J = MultinomialObjective(as_rows(X), y, class_weights(y), n_classes=3, penalty=L2(0.1))
    coef, intercept = rng.normal(size=(3, 5)), rng.normal(size=3)
    expected = class_weights(y) @ row_losses(X @ coef.T + intercept, y) + 0.05 * (coef**2).sum()
    assert J(J.pack(coef, intercept)).value == pytest.approx(expected, rel=1e-12)
    back = J.unpack(J.pack(coef, intercept))
    np.testing.assert_allclose(back[0], coef)
    level = (X @ coef.T + intercept).T @ class_weights(y)
    np.testing.assert_allclose(back[1], intercept - level.mean())


def test_a_row_of_weight_two_is_the_row_twice():
    rng = np.random.default_rng(3)
    X, y, theta = rng.normal(size=(12, 4)), rng.integers(0, 3, 12), rng.normal(size=(5, 3))
    weights = np.ones(12)
    weights[4] = 2
    X2, y2 = np.vstack([X, X[4:5]]), np.append(y, y[4])
    once = MultinomialObjective(as_rows(X), y, weights / 13, n_classes=3, penalty=L2(0.1))(theta)
    twice = MultinomialObjective(as_rows(X2), y2, np.full(13, 1 / 13), n_classes=3, penalty=L2(0.1))(theta)
    assert once.value == pytest.approx(twice.value, rel=1e-13)
    np.testing.assert_allclose(once.gradient, twice.gradient, rtol=1e-10, atol=1e-15)


def test_a_fold_as_zero_weights_is_the_subset():
    rng = np.random.default_rng(4)
    X, y, theta = rng.normal(size=(20, 4)), rng.integers(0, 3, 20), rng.normal(size=(5, 3))
    inside = rng.random(20) < 0.7
    whole = class_weights(y, sample_weight=inside.astype(float))
    a = MultinomialObjective(as_rows(X), y, whole, n_classes=3, penalty=L2(0.1))(theta)
    subset, ys = X[inside], y[inside]
    b = MultinomialObjective(as_rows(subset), ys, class_weights(ys), n_classes=3, penalty=L2(0.1))(theta)
    assert a.value == pytest.approx(b.value, rel=1e-12)
    np.testing.assert_allclose(a.gradient, b.gradient, rtol=1e-10, atol=1e-15)


def test_class_weights_balance_and_leave_out():
    y = np.array([0, 0, 0, 1, 2, 2])
    weights = class_weights(y)
    np.testing.assert_allclose(np.bincount(y, weights), 1 / 3)
    without = class_weights(y, sample_weight=np.array([1, 1, 1, 0, 1, 1.0]))
    np.testing.assert_allclose(np.bincount(y, without), [0.5, 0, 0.5])
    np.testing.assert_allclose(class_weights(y, class_weight=None), 1 / 6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_scores_stay_finite(dtype):
    scores = np.array([[1e4, -1e4, 0], [-1e30, -1e30, -1e30], [3, 3, 3]], dtype=dtype)
    assert np.isfinite(log_softmax(scores)).all()
    np.testing.assert_allclose(softmax(scores).sum(axis=1), 1, rtol=1e-6)
    loss, R, by_class, spread = residuals(scores.copy(), np.array([1, 0, 2]), np.ones(3))
    assert np.isfinite(loss) and np.isfinite(R).all() and (spread >= -1e-12).all()
    np.testing.assert_allclose(by_class.sum(), 0, atol=1e-5)


def test_elastic_net_shrinks_and_values():
    penalty = ElasticNet(2.0, 0.5)
    W = np.array([[3.0, -0.5], [0.0, 1.5]])
    assert penalty.value(W) == pytest.approx(1.0 * 5.0 + 0.5 * 1.0 * (W**2).sum())
    assert penalty.threshold == 1.0
