"""Least squares on a few rows: scikit-learn's solution, weights, rows beyond those that span."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Ridge

from orthotype.models.linear import reduced
from orthotype.models.linear.reduced import Products
from orthotype.models.linear.ridge import least_squares

N, P, K = 24, 60, 3


@pytest.fixture
def rows(rng: np.random.Generator) -> np.ndarray:
    return rng.poisson(0.8, size=(N, P)).astype(np.float64)


@pytest.fixture
def targets(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(N, K))


@pytest.fixture
def weights(rng: np.random.Generator) -> np.ndarray:
    found = rng.uniform(size=N)
    found[::5] = 0.0
    return found / found.sum()


@pytest.mark.parametrize("alpha", [1e-3, 0.3, 1e6])
def test_it_is_the_solution_of_scikit_learn(
    rows: np.ndarray, targets: np.ndarray, weights: np.ndarray, alpha: float
) -> None:
    found = least_squares(Products.of(sp.csr_array(rows)), targets, weights, alpha=alpha)
    coef, intercept = found.expand()
    expected = Ridge(alpha=alpha, solver="cholesky").fit(rows, targets, sample_weight=weights)
    np.testing.assert_allclose(coef, expected.coef_, atol=1e-5)
    np.testing.assert_allclose(intercept, expected.intercept_, atol=1e-4)
    np.testing.assert_allclose(found.scores, rows @ coef.T + intercept, atol=1e-8)


def test_rows_of_no_weight_are_as_good_as_gone(
    rows: np.ndarray, targets: np.ndarray, weights: np.ndarray
) -> None:
    used = weights > 0
    whole, part = (
        least_squares(Products.of(sp.csr_array(rows[own])), targets[own], weights[own], alpha=0.1).expand()
        for own in (np.ones(N, dtype=bool), used)
    )
    np.testing.assert_allclose(whole[0], part[0], atol=1e-6)


def test_many_rows_are_learned_from_in_the_span_of_some(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = sp.csr_array(rng.poisson(0.5, size=(300, 40)).astype(np.float64))
    targets, weights = X[:, [0, 1]].toarray() + rng.normal(size=(300, 2)), np.full(300, 1 / 300)
    whole = least_squares(Products.of(X), targets, weights, alpha=0.01)
    monkeypatch.setattr(reduced, "MOST_SPANNING", 100)
    some = least_squares(Products.of(X), targets, weights, alpha=0.01)
    np.testing.assert_allclose(some.scores, whole.scores, atol=1e-4)
    np.testing.assert_allclose(some.expand()[0], whole.expand()[0], atol=1e-4)


def test_rows_that_are_all_the_same_teach_the_mean() -> None:
    X = sp.csr_array(np.ones((4, 5)))
    found = least_squares(Products.of(X), np.array([[0.0], [0.0], [0.0], [4.0]]), np.full(4, 0.25), alpha=0.1)
    np.testing.assert_allclose(found.scores, 1.0)
    assert not found.expand()[0].any()
