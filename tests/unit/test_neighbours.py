"""Cells among their like; simulated points, for properties only."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from orthotype.models import neighbours
from orthotype.models.neighbours import find_neighbours, leading_directions, neighbours_of


def test_affinities_are_those_of_the_formula() -> None:
    points = np.random.default_rng(0).normal(size=(60, 3))
    found = find_neighbours(points, n_neighbors=5).affinity.toarray()
    distances, columns = NearestNeighbors(n_neighbors=6).fit(points).kneighbors(points)
    scale = distances[:, 3]
    expected = np.zeros((60, 60))
    for i in range(60):
        for d, j in zip(distances[i, 1:], columns[i, 1:], strict=True):
            expected[i, j] = min(1.0, np.exp(1 - d**2 / (scale[i] * scale[j]))) / 5
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(seed=st.integers(0, 200), n=st.integers(1, 40), k=st.integers(1, 20))
@settings(deadline=None, max_examples=40)
def test_no_cell_leans_on_itself_nor_more_on_others_than_on_itself(seed: int, n: int, k: int) -> None:
    found = find_neighbours(np.random.default_rng(seed).normal(size=(n, 2)), n_neighbors=k)
    dense = found.affinity.toarray()
    assert dense.shape == (n, n)
    assert not dense.diagonal().any()
    assert (dense >= 0).all()
    assert (dense.sum(axis=1) <= 1 + 1e-12).all()


def test_a_constant_stays_and_a_rare_type_keeps_its_own_value() -> None:
    rng = np.random.default_rng(1)
    points = np.vstack([rng.normal(0, 1, (500, 4)), rng.normal(6, 0.3, (5, 4))])
    found = find_neighbours(points)
    np.testing.assert_allclose(found.smoothed(np.full(505, 3.0)), 3.0)
    of_rare = np.r_[np.zeros(500), np.ones(5)]
    assert found.smoothed(of_rare)[500:].min() > 0.95
    assert found.smoothed(np.c_[of_rare, 1 - of_rare]).sum(axis=1) == pytest.approx(1.0)


def test_leaning_is_the_formula_and_gives_probabilities() -> None:
    rng = np.random.default_rng(2)
    found, proba = find_neighbours(rng.normal(size=(40, 3)), n_neighbors=5), rng.dirichlet([3, 1, 0.2], 40)
    common = (proba.mean(axis=0) + 1 / 40) ** 0.75
    expected = []
    for own, affinity in zip(proba, found.affinity.toarray(), strict=True):
        said = sum(a * p / common for a, p in zip(affinity, proba, strict=True))
        mixed = (own + said / said.sum() * affinity.sum()) ** 1.5
        expected.append(mixed / mixed.sum())
    np.testing.assert_allclose(found.leaned(proba), expected)


def test_what_all_neighbours_say_by_chance_is_no_evidence() -> None:
    rng = np.random.default_rng(3)
    points = np.vstack([rng.normal(0, 1, (300, 4)), rng.normal([4, 0, 0, 0], 1, (12, 4))])
    proba = np.r_[np.tile([0.9, 0.1], (300, 1)), np.tile([0.45, 0.55], (12, 1))]
    found = find_neighbours(points)
    plain = found.smoothed(proba).argmax(axis=1)
    assert found.leaned(proba)[300:].argmax(axis=1).sum() > plain[300:].sum()
    assert found.leaned(proba)[:300, 0].min() > 0.5


def test_a_single_cell_keeps_its_probabilities() -> None:
    proba = np.array([[0.7, 0.2, 0.1]])
    np.testing.assert_allclose(find_neighbours(np.zeros((1, 2))).leaned(proba), proba)


def test_cells_that_are_the_same_lean_on_each_other() -> None:
    found = find_neighbours(np.repeat(np.eye(3), 10, axis=0))
    assert np.isfinite(found.affinity.data).all()
    values = np.repeat([0.0, 1.0, 2.0], 10)
    np.testing.assert_allclose(found.smoothed(values), values, atol=1e-12)


@given(seed=st.integers(0, 100))
@settings(deadline=None, max_examples=15)
def test_the_order_of_the_cells_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, values, order = rng.normal(size=(80, 3)), rng.random(80), rng.permutation(80)
    whole = find_neighbours(points).smoothed(values)
    np.testing.assert_allclose(find_neighbours(points[order]).smoothed(values[order]), whole[order])


def test_many_cells_are_compared_with_landmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    points = np.repeat([[0.0, 0.0], [9.0, 9.0]], 200, axis=0) + rng.normal(size=(400, 2))
    monkeypatch.setattr(neighbours, "ALL_PAIRS", 300)
    monkeypatch.setattr(neighbours, "LANDMARKS", 100)
    found = find_neighbours(points)
    assert found.affinity.shape == (400, 100)
    assert len(np.unique(found.landmarks)) == 100
    assert not (found.affinity.toarray()[found.landmarks, np.arange(100)]).any()
    smoothed = found.smoothed(np.repeat([0.0, 1.0], 200))
    assert smoothed[:200].max() < 0.01
    assert smoothed[200:].min() > 0.99


def test_directions_are_the_singular_vectors() -> None:
    rng = np.random.default_rng(3)
    dense = rng.normal(size=(80, 4)) @ np.diag([9.0, 5.0, 3.0, 2.0]) @ rng.normal(size=(4, 12))
    found = leading_directions(sp.csr_array(dense.astype(np.float32)), n_components=4)
    exact = np.linalg.svd(dense)[2][:4]
    np.testing.assert_allclose(np.abs((found * exact).sum(axis=1)), 1.0, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1)])
def test_too_little_to_compare_gives_no_neighbours(shape: tuple[int, int]) -> None:
    rows = sp.csr_array(np.ones(shape, dtype=np.float32))
    np.testing.assert_array_equal(neighbours_of(rows).smoothed(np.arange(shape[0])), np.arange(shape[0]))
