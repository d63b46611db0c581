"""Reduced rows: the dense twin, the change on genes, many rows, a metric blind to the order of genes."""

import numpy as np
import pytest
import scipy.sparse as sp

from orthotype.models.linear import reduced
from orthotype.models.linear.reduced import REST, FewRows, Metric

N, P, K = 20, 60, 3


@pytest.fixture
def cells(rng: np.random.Generator) -> sp.csr_array:
    """Simulated cells that vary mostly along one direction."""
    level = rng.uniform(size=(300, 1)) * (np.arange(P) < 15) * 3
    return sp.csr_array(rng.poisson(0.3 + level).astype(np.float64))


@pytest.fixture
def few(rng: np.random.Generator) -> sp.csr_array:
    return sp.csr_array(rng.poisson(0.5, size=(N, P)).astype(np.float64))


@pytest.fixture
def weights(rng: np.random.Generator) -> np.ndarray:
    found = rng.uniform(size=N)
    return found / found.sum()


def dense(X: sp.csr_array, weights: np.ndarray, metric: Metric) -> np.ndarray:
    """Return the rows as they are defined: centred, times M."""
    V = metric.axes
    M = V.T @ np.diag(metric.scale) @ V + metric.rest * (np.eye(P) - V.T @ V)
    return (X.toarray() - weights @ X.toarray()) @ M


@pytest.mark.parametrize("learned", [True, False])
def test_reduced_rows_are_the_dense_ones_turned(
    cells: sp.csr_array, few: sp.csr_array, weights: np.ndarray, learned: bool
) -> None:
    metric = Metric.of(cells) if learned else Metric.plain(P)
    found, twin = FewRows(few, weights, metric), dense(few, weights, metric)
    np.testing.assert_allclose(found.rows @ found.rows.T, twin @ twin.T, atol=1e-4)
    assert found.total == pytest.approx((twin**2).sum(axis=1).mean())


def test_a_change_says_the_same_on_genes(
    cells: sp.csr_array, few: sp.csr_array, weights: np.ndarray, rng: np.random.Generator
) -> None:
    found = FewRows(few, weights, Metric.of(cells))
    theta = rng.normal(size=(found.rows.shape[1] + 1, K))
    coef, intercept = found.expand(theta)
    np.testing.assert_allclose(few @ coef.T + intercept, found.rows @ theta[:-1] + theta[-1], atol=1e-4)


def test_what_varies_in_the_target_is_cheap(cells: sp.csr_array) -> None:
    metric = Metric.of(cells)
    marked = (np.arange(P) < 15) / np.sqrt(15.0)
    length = np.sqrt(np.einsum("p,pq->q", marked, metric.applied(np.eye(P))) @ marked)
    assert 0.9 < length <= 1.0
    other = rest_direction(metric)
    assert np.sqrt(other @ metric.applied(other[:, None])[:, 0]) == pytest.approx(REST)
    assert metric.scale[0] == 1.0
    assert (np.diff(metric.scale) <= 1e-9).all()


def rest_direction(metric: Metric) -> np.ndarray:
    found = np.ones(P) - metric.axes.T @ (metric.axes @ np.ones(P))
    return found / np.linalg.norm(found)


def test_the_order_of_genes_and_cells_plays_no_part(cells: sp.csr_array, rng: np.random.Generator) -> None:
    genes, order = rng.permutation(P), rng.permutation(cells.shape[0])
    once, again = Metric.of(cells), Metric.of(cells[order][:, genes])
    np.testing.assert_allclose(
        once.applied(np.eye(P))[np.ix_(genes, genes)], again.applied(np.eye(P)), atol=1e-8
    )


def test_more_rows_than_may_span_are_spanned_by_some(
    cells: sp.csr_array, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, metric = np.full(300, 1 / 300), Metric.of(cells)
    whole = FewRows(cells, weights, metric)
    monkeypatch.setattr(reduced, "MOST_SPANNING", 150)
    some = FewRows(cells, weights, metric)
    np.testing.assert_allclose(some.rows @ some.rows.T, whole.rows @ whole.rows.T, atol=2e-3)
    assert some.total == pytest.approx(whole.total)
    theta = rng.normal(size=(some.rows.shape[1] + 1, K))
    coef, intercept = some.expand(theta)
    np.testing.assert_allclose(cells @ coef.T + intercept, some.rows @ theta[:-1] + theta[-1], atol=1e-3)


def test_inner_products_are_the_same_in_blocks(
    cells: sp.csr_array, few: sp.csr_array, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = (cells @ few.T).toarray()
    monkeypatch.setattr(reduced, "AT_ONCE", 7)
    for filled in (0.0, 1.0):
        monkeypatch.setattr(reduced, "FILLED", filled)
        np.testing.assert_allclose(reduced.inner(cells, few), expected)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_hardly_any_cells_make_the_plain_metric(cells: sp.csr_array, n: int) -> None:
    assert Metric.of(cells[:n]).axes.shape == (0, P)
    assert Metric.of(cells[:n]).rest == 1.0


def test_moved_rows_are_those_of_cells_that_lie_there(
    cells: sp.csr_array, few: sp.csr_array, weights: np.ndarray, rng: np.random.Generator
) -> None:
    metric = Metric.of(cells)
    moved = rng.normal(size=(N, len(metric.axes)))
    there = sp.csr_array(few.toarray() + moved @ metric.axes)
    found, twin = FewRows(few, weights, metric, moved), FewRows(there, weights, metric)
    np.testing.assert_allclose(found.rows @ found.rows.T, twin.rows @ twin.rows.T, atol=1e-3)
    assert found.total == pytest.approx(twin.total)
    theta = rng.normal(size=(found.rows.shape[1] + 1, K))
    coef, intercept = found.expand(theta)
    np.testing.assert_allclose(there @ coef.T + intercept, found.rows @ theta[:-1] + theta[-1], atol=1e-3)
    np.testing.assert_allclose(few @ coef.T + intercept, found.unmoved @ theta[:-1] + theta[-1], atol=1e-3)
