"""The same optimum as scikit-learn's, whatever the penalty. Simulated data."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression

from orthotype.models.linear import class_weights, solve
from orthotype.models.linear.softmax import row_losses


def problem(n=120, p=15, K=4):
    rng = np.random.default_rng(0)
    X, y = rng.poisson(0.7, size=(n, p)).astype(float), np.arange(n) % K
    X[np.arange(n), y] += rng.poisson(1.0, size=n)
    y = np.where(rng.random(n) < 0.2, rng.integers(0, K, n), y)
    return X, y, K


@pytest.mark.parametrize("method", ["lbfgs", "span"])
@pytest.mark.parametrize("balanced", [None, "balanced"])
@pytest.mark.parametrize("alpha", [1.0, 0.05, 0.002])
def test_l2(method, balanced, alpha):
    X, y, K = problem()
    weights = class_weights(y, class_weight=balanced)
    ours = solve(
        csr_array(X),
        y,
        n_classes=K,
        alpha=alpha,
        sample_weight=weights,
        tol=1e-12,
        method=method,
        max_iter=5000,
    )
    theirs = LogisticRegression(C=1 / alpha, solver="newton-cg", tol=1e-10, max_iter=1000).fit(
        X, y, sample_weight=weights
    )
    np.testing.assert_allclose(ours.coef, theirs.coef_, atol=1e-5)
    shift = (ours.intercept - theirs.intercept_).mean()
    np.testing.assert_allclose(ours.intercept - shift, theirs.intercept_, atol=1e-5)


def test_a_center_is_the_penalty_of_the_difference():
    X, y, K = problem(n=40, p=5, K=3)
    center = np.random.default_rng(1).normal(size=(3, 5))

    def J(flat):
        W, b = flat[:15].reshape(3, 5), flat[15:]
        return row_losses(X @ W.T + b, y).mean() + 0.1 * ((W - 0.5 * center) ** 2).sum()

    ours = solve(X, y, n_classes=K, alpha=0.2, center=center, gamma=0.5, tol=1e-12, max_iter=2000)
    theirs = minimize(J, np.zeros(18), tol=1e-12)
    assert ours.objective == pytest.approx(theirs.fun, rel=1e-8)
    np.testing.assert_allclose(ours.coef.ravel(), theirs.x[:15], atol=1e-4)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
def test_elastic_net(l1_ratio):
    X, y, K = problem()
    ours = solve(X, y, n_classes=K, alpha=0.03, l1_ratio=l1_ratio, tol=1e-10, max_iter=5000)
    theirs = LogisticRegression(
        C=1 / (0.03 * 120), solver="saga", tol=1e-9, max_iter=50_000, l1_ratio=l1_ratio
    )
    theirs.fit(X, y)
    W = theirs.coef_
    value = row_losses(X @ W.T + theirs.intercept_, y).mean()
    value += 0.03 * (l1_ratio * np.abs(W).sum() + (1 - l1_ratio) / 2 * (W**2).sum())
    assert ours.objective <= value * (1 + 1e-7)
    ours_rows, theirs_rows = X @ ours.coef.T, X @ W.T  # a lasso may shift a gene's weights in all classes
    difference = ours_rows - theirs_rows
    np.testing.assert_allclose(difference - difference.mean(axis=1, keepdims=True), 0, atol=0.02)
