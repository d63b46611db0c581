"""The refit on few rows: the general solver's optimum, classes that stay still, levels that have a price."""

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.sparse import csr_array

from orthotype.models.linear import refit
from orthotype.models.linear.loss import class_weights
from orthotype.models.linear.reduced import FewRows
from orthotype.models.linear.refit import RefitObjective, refit_path
from orthotype.models.linear.solve import solve

K, P, N = 4, 60, 24


@pytest.fixture
def rows(rng: np.random.Generator) -> np.ndarray:
    return rng.poisson(0.8, size=(N, P)).astype(np.float64)


@pytest.fixture
def codes() -> np.ndarray:
    return np.arange(N) % K


def test_gradient_and_curvature_are_those_of_the_value(
    rows: np.ndarray, codes: np.ndarray, rng: np.random.Generator
) -> None:
    weights = class_weights(codes, sample_weight=rng.uniform(0, 1, N).round(1))
    moving = np.array([True, False, True, True])
    few = FewRows(csr_array(rows), weights)
    objective = RefitObjective(few.rows.astype(np.float64), rng.normal(size=(N, K)), codes, weights, moving)
    objective.at(0.3, kappa=0.7)
    shape = (few.rows.shape[1] + 1, 3)
    theta, along = rng.normal(size=(2, *shape))
    error = check_grad(
        lambda v: objective(v.reshape(shape)).value,
        lambda v: objective(v.reshape(shape)).gradient.ravel(),
        theta.ravel(),
    )
    assert error < 1e-4
    step = 1e-5
    ahead, behind = (objective(theta + s * along).gradient for s in (step, -step))
    assert objective.curvature(theta, along) == pytest.approx(
        float(((ahead - behind) * along).sum() / (2 * step)), rel=1e-5
    )


def test_without_a_price_of_levels_it_is_the_general_solver(
    rows: np.ndarray, codes: np.ndarray, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refit, "LEVEL_SHARE", 1e9)
    before, level = rng.normal(size=(K, P)) * 0.1, rng.normal(size=K)
    weights = class_weights(codes)
    few = FewRows(csr_array(rows), weights)
    (theta,) = refit_path(
        few, rows @ before.T + level, codes, weights, moving=np.ones(K, dtype=bool), alphas=[0.5], tol=1e-8
    )
    coef, intercept = few.expand(theta)
    expected = solve(
        rows, codes, n_classes=K, alpha=0.5, sample_weight=weights, center=before, tol=1e-10, method="lbfgs"
    )
    np.testing.assert_allclose(before + coef, expected.coef, atol=2e-4)
    found = level + intercept
    np.testing.assert_allclose(
        found - found.mean(), expected.intercept - expected.intercept.mean(), atol=2e-3
    )


def test_still_classes_do_not_change_but_are_learned_against(rows: np.ndarray, codes: np.ndarray) -> None:
    moving = np.array([True, True, False, False])
    labelled = codes < 2
    weights = class_weights(codes, sample_weight=labelled.astype(float))
    offsets = np.zeros((N, K))
    offsets[:, 2] = 4.0
    few = FewRows(csr_array(rows), weights)
    (theta,) = refit_path(few, offsets, codes, weights, moving=moving, alphas=[0.01])
    assert not theta[:, 2:].any()
    called = (offsets + few.rows @ theta[:-1] + theta[-1]).argmax(axis=1)
    assert (called == codes)[labelled].all(), "cells that a still class had are won back"


def test_a_row_of_weight_two_is_the_row_twice(rows: np.ndarray, codes: np.ndarray) -> None:
    offsets, moving = np.zeros((N, K)), np.ones(K, dtype=bool)
    once = np.ones(N)
    once[3] = 2.0
    few = FewRows(csr_array(rows), once / once.sum())
    (theta,) = refit_path(few, offsets, codes, once, moving=moving, alphas=[0.2], tol=1e-8)
    twice = np.append(np.arange(N), 3)
    same = FewRows(csr_array(rows[twice]), np.full(N + 1, 1 / (N + 1)))
    same.total = few.total
    (again,) = refit_path(
        same, offsets[twice], codes[twice], np.ones(N + 1), moving=moving, alphas=[0.2], tol=1e-8
    )
    np.testing.assert_allclose(few.expand(theta)[0], same.expand(again)[0], atol=1e-3)


def test_nothing_to_learn_changes_nothing(rows: np.ndarray, codes: np.ndarray) -> None:
    few = FewRows(csr_array(rows), class_weights(codes))
    still = np.zeros(K, dtype=bool)
    found = list(refit_path(few, np.zeros((N, K)), codes, np.ones(N), moving=still, alphas=[1.0, 0.1]))
    assert len(found) == 2
    assert not np.any(found)
