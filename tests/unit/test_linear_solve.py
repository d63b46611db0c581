"""One problem, one answer: solvers, priors, absent classes, awkward data. Simulated data."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from orthotype.errors import ConvergenceWarning, InputError
from orthotype.models.linear import class_weights, solve
from orthotype.models.linear.softmax import softmax


def problem(seed=0, *, n=60, p=200, K=4, density=0.3):
    rng = np.random.default_rng(seed)
    X = rng.poisson(1.0, size=(n, p)) * (rng.random((n, p)) < density)
    y = np.arange(n) % K
    X[np.arange(n), y] += 3
    return csr_array(X.astype(np.float64)), y, K


@pytest.mark.parametrize("gamma", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("alpha", [1.0, 0.03])
def test_the_span_gives_the_same_solution(alpha, gamma):
    X, y, K = problem()
    center = np.random.default_rng(1).normal(size=(K, 200)) * 0.1
    keys = {"n_classes": K, "alpha": alpha, "center": center, "gamma": gamma, "tol": 1e-11, "max_iter": 2000}
    a = solve(X, y, method="span", **keys)
    b = solve(X, y, method="lbfgs", **keys)
    assert a.objective == pytest.approx(b.objective, rel=1e-9)
    np.testing.assert_allclose(a.coef, b.coef, atol=1e-4 * np.abs(b.coef).max())
    np.testing.assert_allclose(X @ a.coef.T + a.intercept, X @ b.coef.T + b.intercept, atol=1e-3)


def test_the_span_handles_rows_that_are_all_alike():
    X = csr_array(np.ones((4, 30)))
    solution = solve(X, np.array([0, 1, 0, 1]), n_classes=2, alpha=0.1, method="span")
    np.testing.assert_allclose(solution.coef, 0, atol=1e-6)


def test_a_strong_penalty_returns_the_center_and_gamma_zero_forgets_it():
    X, y, K = problem()
    center = np.random.default_rng(1).normal(size=(K, 200))
    center -= center.mean(axis=0)
    near = solve(X, y, n_classes=K, alpha=1e7, center=center, method="lbfgs")
    np.testing.assert_allclose(near.coef, center, atol=1e-4)
    a = solve(X, y, n_classes=K, alpha=1.0, center=center, gamma=0.0, tol=1e-10)
    b = solve(X, y, n_classes=K, alpha=1.0, tol=1e-10)
    np.testing.assert_array_equal(a.coef, b.coef)


@pytest.mark.parametrize("method", ["lbfgs", "span"])
def test_a_class_without_rows_keeps_what_it_was(method):
    X, y, K = problem()
    rng = np.random.default_rng(3)
    W0, b0 = rng.normal(size=(K + 1, 200)), rng.normal(size=K + 1)
    adapted = solve(X, y, n_classes=K + 1, alpha=1.0, center=W0, start=(W0, b0), method=method)
    np.testing.assert_array_equal(adapted.coef[K], W0[K])
    assert adapted.intercept[K] == b0[K]
    mean = np.asarray(X.mean(axis=0)).ravel()
    before = (W0 @ mean + b0)[:K].mean()
    assert before != pytest.approx(0, abs=0.1)
    assert (adapted.coef @ mean + adapted.intercept)[:K].mean() == pytest.approx(before, rel=1e-6)


def test_a_class_that_nobody_ever_saw_has_probability_zero():
    X, y, K = problem()
    solution = solve(X, y, n_classes=K + 1, alpha=1.0)
    assert (softmax(X @ solution.coef.T + solution.intercept)[:, K] == 0).all()


def test_one_class_only_is_answered():
    X, _, _ = problem()
    solution = solve(X, np.zeros(60, dtype=int), n_classes=1, alpha=1.0)
    np.testing.assert_array_equal(solution.coef, 0)


def test_zero_weights_are_the_subset():
    X, y, K = problem(n=80, p=20)
    inside = np.random.default_rng(0).random(80) < 0.7
    keys = {"n_classes": K, "alpha": 0.1, "tol": 1e-11, "max_iter": 1000}
    a = solve(X, y, sample_weight=inside.astype(float), **keys)
    b = solve(X[inside], y[inside], **keys)
    assert a.objective == pytest.approx(b.objective, rel=1e-11)
    np.testing.assert_allclose(a.coef, b.coef, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", ["scipy", "native"])
@pytest.mark.parametrize(
    "name",
    [
        "separable",
        "one cell",
        "zero rows",
        "zero columns",
        "constant",
        "tiny",
        "huge",
        "n=2",
        "p=1",
        "200 classes",
    ],
)
def test_awkward_data_give_finite_answers(name, mode, dtype, monkeypatch):
    monkeypatch.setenv("ORTHOTYPE_KERNEL", mode)
    rng = np.random.default_rng(0)
    X, y = rng.random((40, 6)), np.arange(40) % 3
    if name == "separable":
        X = np.eye(3)[y] * 100
    elif name == "one cell":
        y = np.r_[0, np.ones(39, dtype=int)]
    elif name == "zero rows":
        X[::2] = 0
    elif name == "zero columns":
        X[:, 1:] = 0
    elif name == "constant":
        X[:, 0] = 7
    elif name == "tiny":
        X *= 1e-30
    elif name == "huge":
        X *= 1e6
    elif name == "n=2":
        X, y = X[:2], np.array([0, 1])
    elif name == "p=1":
        X = X[:, :1]
    else:
        X, y = rng.random((400, 6)), np.arange(400) % 200
    K = int(y.max()) + 1
    solution = solve(
        csr_array(X.astype(dtype)), y, n_classes=K, alpha=1e-3, sample_weight=class_weights(y), max_iter=5000
    )
    assert np.isfinite(solution.coef).all() and np.isfinite(solution.intercept).all()
    assert np.isfinite(solution.objective) and solution.converged
    if name == "separable":
        assert ((X @ solution.coef.T + solution.intercept).argmax(axis=1) == y).all()


def test_stopping_short_says_how_far_and_what_to_do():
    X, y, K = problem()
    with pytest.warns(
        ConvergenceWarning, match=r"stopped after 2 steps .* expected at most tol=1e-06; raise max_iter"
    ):
        solution = solve(X, y, n_classes=K, alpha=1e-3, tol=1e-6, max_iter=2)
    assert not solution.converged and solution.n_iter == 2


def test_diagnostics_tell_the_story():
    import pandas as pd

    X, y, K = problem()
    table = pd.DataFrame(solve(X, y, n_classes=K, alpha=0.01, method="lbfgs").diagnostics)
    assert list(table.columns) == ["iteration", "objective", "gap", "gradient", "step", "passes"]
    assert table["objective"].is_monotonic_decreasing
    assert table["gap"].iloc[-1] < 1e-4 * table["objective"].iloc[-1]


def test_a_warm_start_needs_fewer_steps():
    X, y, K = problem(n=200, p=50)
    cold = solve(X, y, n_classes=K, alpha=0.01)
    warm = solve(X, y, n_classes=K, alpha=0.01, start=(cold.coef, cold.intercept))
    assert warm.n_iter < cold.n_iter / 2


def test_held_out_rows_end_the_fit_early():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 100)), rng.integers(0, 2, 60)
    unseen = rng.normal(size=(60, 100)), rng.integers(0, 2, 60)
    early = solve(X, y, n_classes=2, alpha=1e-4, tol=1e-9, held_out=unseen)
    late = solve(X, y, n_classes=2, alpha=1e-4, tol=1e-9, method="lbfgs")
    assert early.converged and early.n_iter < late.n_iter
    assert np.linalg.norm(early.coef) < np.linalg.norm(late.coef)


def test_every_problem_is_named_at_once():
    X = np.array([[1.0, np.nan], [0.0, 1.0]])
    with pytest.raises(InputError) as caught:
        solve(
            X,
            np.array([0, 5]),
            n_classes=2,
            alpha=-1.0,
            sample_weight=np.array([-1.0, 1.0]),
            center=np.ones((3, 2)),
        )
    text = str(caught.value)
    for part in (
        "class numbers from 0 to 5",
        "alpha=-1.0",
        "row weights",
        "a center of shape (3, 2)",
        "not finite",
    ):
        assert part in text


def test_an_absolute_penalty_leaves_few_genes_and_fulfils_its_conditions():
    X, y, K = problem(n=200, p=40)
    solution = solve(X, y, n_classes=K, alpha=0.05, l1_ratio=1.0, tol=1e-9, max_iter=3000)
    zero = solution.coef == 0
    assert 0.3 < zero.mean() < 1.0
    P = softmax(X @ solution.coef.T + solution.intercept)
    P[np.arange(200), y] -= 1
    gradient = (X.T @ P / 200).T
    assert (np.abs(gradient[zero]) <= 0.05 * (1 + 1e-3)).all()
    np.testing.assert_allclose(gradient[~zero], -0.05 * np.sign(solution.coef[~zero]), rtol=5e-3)
    np.testing.assert_allclose(P.sum(axis=0), 0, atol=1e-3)


def test_an_absolute_penalty_takes_no_center():
    X, y, K = problem()
    with pytest.raises(InputError, match="with a center"):
        solve(X, y, n_classes=K, alpha=1.0, l1_ratio=0.5, center=np.zeros((K, 200)))
