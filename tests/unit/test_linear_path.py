"""Folds and penalties as one problem. Simulated data."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from orthotype.errors import InputError
from orthotype.models.linear import class_weights, default_alphas, fit_path, solve, stratified_folds
from orthotype.models.linear.lbfgs import Memory


def problem(seed=0, *, n=150, p=30, K=3):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % K
    X = rng.poisson(0.5, size=(n, p)).astype(float)
    X[np.arange(n), y] += rng.poisson(1.5, size=n)
    return csr_array(X), y, K


def test_fold_models_are_those_of_the_subsets():
    X, y, K = problem()
    folds = stratified_folds(y, n_splits=3, random_state=0)
    path = fit_path(X, y, n_classes=K, folds=folds, alphas=np.array([1.0, 0.1]), tol=1e-11, max_iter=2000)
    for m in range(3):
        alone = solve(X[folds != m], y[folds != m], n_classes=K, alpha=path.alpha, tol=1e-11, max_iter=2000)
        np.testing.assert_allclose(path.coef[m], alone.coef, atol=1e-5)
        np.testing.assert_allclose(path.intercept[m], alone.intercept, atol=1e-5)
        expected = X[folds == m] @ alone.coef.T + alone.intercept
        np.testing.assert_allclose(path.held_out_scores[folds == m], expected, atol=1e-4)


def test_losses_are_those_of_the_held_out_rows():
    from sklearn.metrics import log_loss

    from orthotype.models.linear.softmax import softmax

    X, y, K = problem()
    folds = stratified_folds(y, n_splits=3, random_state=0)
    weights = class_weights(y)
    path = fit_path(X, y, n_classes=K, folds=folds, sample_weight=weights)
    best = int(np.flatnonzero(path.alphas == path.alpha)[0])
    for m in range(3):
        held = folds == m
        expected = log_loss(y[held], softmax(path.held_out_scores[held]), sample_weight=weights[held])
        assert path.losses[best, m] == pytest.approx(expected, rel=1e-9)


def test_the_path_goes_from_strong_to_weak_and_ends_early():
    X, y, K = problem()
    folds = stratified_folds(y, n_splits=5, random_state=0)
    path = fit_path(X, y, n_classes=K, folds=folds, alphas=np.logspace(-9, 2, 12))
    assert (np.diff(path.alphas) < 0).all()
    assert len(path.alphas) < 12
    mean = path.losses.mean(axis=1)
    assert path.alpha == path.alphas[mean.argmin()]
    assert set(path.diagnostics) == {(m, a) for m in range(5) for a in path.alphas}


def test_the_refit_is_the_fit_of_all_rows():
    X, y, K = problem()
    folds = stratified_folds(y, n_splits=5, random_state=0)
    path = fit_path(X, y, n_classes=K, folds=folds, refit=True, refit_tol=1e-10, max_iter=2000)
    alone = solve(X, y, n_classes=K, alpha=path.alpha, tol=1e-10, max_iter=2000)
    assert path.refit.objective == pytest.approx(alone.objective, rel=1e-9)
    assert fit_path(X, y, n_classes=K, folds=folds).refit is None


def test_classes_with_one_cell_and_rows_never_held_out():
    X, y, _ = problem()
    y = y.copy()
    y[7] = 3
    folds = stratified_folds(y, n_splits=5, random_state=0)
    folds[:5] = -1
    path = fit_path(X, y, n_classes=4, folds=folds, sample_weight=class_weights(y))
    lonely = int(folds[7])
    assert np.isnan(path.held_out_scores[:5]).all()
    assert np.isfinite(path.held_out_scores[5:]).all()
    assert (path.coef[lonely, 3] == 0).all() and path.intercept[lonely, 3] == -1000
    assert np.isfinite(path.losses).all()
    assert (np.delete(path.intercept[:, 3], lonely) > -1000).all()


def test_a_lasso_path_starts_at_nothing():
    X, y, K = problem()
    folds = stratified_folds(y, n_splits=3, random_state=0)
    path = fit_path(X, y, n_classes=K, folds=folds, l1_ratio=1.0, refit=True)
    assert 0 < (path.refit.coef != 0).mean() < 1
    assert path.losses.mean(axis=1).min() < path.losses[0].mean()


def test_folds_that_cannot_work_are_refused():
    X, y, K = problem()
    with pytest.raises(InputError, match="one for each row"):
        fit_path(X, y, n_classes=K, folds=np.zeros(3, dtype=int))
    with pytest.raises(InputError, match="holds out every row"):
        fit_path(X, y, n_classes=K, folds=np.zeros(150, dtype=int))
    with pytest.raises(InputError, match="no fold"):
        fit_path(X, y, n_classes=K, folds=np.full(150, -1))


def test_folds_are_even_in_every_class_and_repeatable():
    y = np.r_[np.zeros(23, dtype=int), np.ones(11, dtype=int), 2]
    folds = stratified_folds(y, n_splits=5, random_state=1)
    for k in range(3):
        sizes = np.bincount(folds[y == k], minlength=5)
        assert sizes.max() - sizes.min() <= 1
    assert np.ptp(np.bincount(folds, minlength=5)) <= 1
    np.testing.assert_array_equal(folds, stratified_folds(y, n_splits=5, random_state=1))
    assert (folds != stratified_folds(y, n_splits=5, random_state=2)).any()


def test_default_alphas_follow_the_scale_of_the_genes():
    variance = np.array([1.0, 2.0, 0.0])
    np.testing.assert_allclose(default_alphas(9 * variance), 9 * default_alphas(variance))
    assert len(default_alphas(variance)) == 10
    assert np.isfinite(default_alphas(np.zeros(3))).all()


def test_memory_bends_to_another_alpha():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(8, 8))
    H = A @ A.T + np.eye(8)
    change = np.diag(np.r_[np.ones(6), 0, 0]) * 0.5
    bent, fresh = Memory(5), Memory(5)
    for _ in range(4):
        s = rng.normal(size=8)
        bent.add(s, H @ s)
        fresh.add(s, (H + change) @ s)
    bent.bend(0.5, (4, 2))
    gradient, scale = rng.normal(size=8), np.ones(8)
    np.testing.assert_allclose(bent.direction(gradient, scale), fresh.direction(gradient, scale))
