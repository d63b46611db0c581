"""What may not change the answer: the order of cells, genes and classes, units, repeats. Simulated data."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from orthotype.models.linear import class_weights, solve

KEYS = {"alpha": 0.1, "tol": 1e-10, "max_iter": 3000}


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, p, K = draw(st.integers(4, 40)), draw(st.integers(1, 12)), draw(st.integers(2, 4))
    X = rng.poisson(draw(st.floats(0.1, 2.0)), size=(n, p)).astype(float)
    y = rng.permutation(np.arange(n) % K)
    return rng, X, y, K


def scores(X, solution):
    raw = X @ solution.coef.T + solution.intercept
    return raw - raw.mean(axis=1, keepdims=True)


@settings(deadline=None, max_examples=25)
@given(problems())
def test_permuting_cells_genes_and_classes_permutes_the_answer(drawn):
    rng, X, y, K = drawn
    base = solve(csr_array(X), y, n_classes=K, sample_weight=class_weights(y), **KEYS)
    cells, genes, classes = rng.permutation(len(X)), rng.permutation(X.shape[1]), rng.permutation(K)
    moved, renamed = X[cells][:, genes], classes[y[cells]]
    other = solve(csr_array(moved), renamed, n_classes=K, sample_weight=class_weights(renamed), **KEYS)
    np.testing.assert_allclose(scores(moved, other)[:, classes], scores(X, base)[cells], atol=2e-3)
    np.testing.assert_allclose(other.objective, base.objective, rtol=1e-8)


@settings(deadline=None, max_examples=25)
@given(problems())
def test_a_weight_of_two_is_the_cell_twice(drawn):
    rng, X, y, K = drawn
    twice = rng.integers(0, len(X))
    weights = np.ones(len(X))
    weights[twice] = 2
    a = solve(X, y, n_classes=K, sample_weight=weights, **KEYS)
    b = solve(np.vstack([X, X[twice : twice + 1]]), np.append(y, y[twice]), n_classes=K, **KEYS)
    np.testing.assert_allclose(a.objective, b.objective, rtol=1e-8)
    np.testing.assert_allclose(scores(X, a), scores(X, b), atol=2e-3)


@settings(deadline=None, max_examples=25)
@given(problems(), st.sampled_from([1e-3, 0.5, 1e3]))
def test_units_go_with_alpha(drawn, factor):
    _, X, y, K = drawn
    a = solve(X, y, n_classes=K, **KEYS)
    b = solve(X * factor, y, n_classes=K, **(KEYS | {"alpha": 0.1 * factor**2}))
    np.testing.assert_allclose(a.objective, b.objective, rtol=1e-8)
    np.testing.assert_allclose(scores(X, a), scores(X * factor, b), atol=2e-3)


@settings(deadline=None, max_examples=25)
@given(problems())
def test_adding_a_constant_to_a_gene_changes_no_score(drawn):
    rng, X, y, K = drawn
    moved = X + rng.normal(size=X.shape[1])
    a, b = solve(X, y, n_classes=K, **KEYS), solve(moved, y, n_classes=K, **KEYS)
    np.testing.assert_allclose(scores(X, a), scores(moved, b), atol=2e-3)


@settings(deadline=None, max_examples=25)
@given(problems())
def test_zero_weights_are_the_subset(drawn):
    rng, X, y, K = drawn
    inside = rng.random(len(X)) < 0.7
    inside[0] = True
    a = solve(X, y, n_classes=K, sample_weight=class_weights(y, sample_weight=inside.astype(float)), **KEYS)
    subset, ys = X[inside], y[inside]
    b = solve(subset, ys, n_classes=K, sample_weight=class_weights(ys), **KEYS)
    np.testing.assert_allclose(a.objective, b.objective, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(a.coef, b.coef, atol=1e-3)
