"""Views of cells: sums over sparse rows against the dense way; simulated cells, for properties only."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from orthotype.models.profiles import ClassProfiles, class_profiles, one_hot
from orthotype.models.views import Views, view_cells, view_directions, view_products


def cells(seed: int, n: int = 40, p: int = 12) -> tuple[sp.csr_array, np.ndarray]:
    """Return sparse cells of three of four classes."""
    rng = np.random.default_rng(seed)
    codes = np.concatenate([[0, 0, 1, 1, 2, 2], rng.integers(3, size=n - 6)])
    return sp.csr_array((rng.poisson(0.9, size=(n, p)) * rng.random((n, p))).astype(np.float32)), codes


def cosine(a: np.ndarray, b: np.ndarray, *, squared: float) -> float:
    return float(np.clip(a @ b / (np.linalg.norm(a) * np.sqrt(squared)), -1, 1))


def true_square(offset: np.ndarray, members: np.ndarray, n: int) -> float:
    """Return the squared length of a class offset without what the noise of n cells adds to it."""
    whole = float(offset @ offset)
    return max(whole - members.var(axis=0).sum() / n, 0.1 * whole)


@given(seed=st.integers(0, 500), moved=st.booleans())
@settings(deadline=None, max_examples=20)
def test_views_are_cosine_lead_and_projection_seen_from_the_centre(seed: int, moved: bool) -> None:
    X, y = cells(seed)
    profiles = class_profiles([(X, one_hot(y, 4))])
    shift = np.linspace(-0.2, 0.3, X.shape[1]) if moved else None
    found = view_cells(X, y, profiles=profiles, shift=shift)
    offsets = (profiles.mean - profiles.centre)[:3]
    members = [X.toarray()[y == k] for k in range(3)]
    squares = [true_square(o, m, len(m)) for o, m in zip(offsets, members, strict=True)]
    for i, u in enumerate(X.toarray() - profiles.centre - (0 if shift is None else shift)):
        all_cosines = sorted(cosine(u, o, squared=s) for o, s in zip(offsets, squares, strict=True))
        assert found.likeness[i] == pytest.approx(cosine(u, offsets[y[i]], squared=squares[y[i]]), abs=1e-4)
        assert found.lead[i] == pytest.approx(all_cosines[-1] - all_cosines[-2], abs=1e-4)
        expected = u @ offsets[y[i]] / squares[y[i]]
        assert found.extent[i] == pytest.approx(expected, abs=1e-3)


@given(seed=st.integers(0, 500))
@settings(deadline=None, max_examples=20)
def test_a_cell_is_taken_out_of_the_mean_that_it_helped_to_make(seed: int) -> None:
    X, y = cells(seed)
    profiles = class_profiles([(X, one_hot(y, 4))])
    found = view_cells(X, y, profiles=profiles, own=y)
    dense = X.toarray()
    for i in range(len(y)):
        others = (y == y[i]) & (np.arange(len(y)) != i)
        offset = dense[others].mean(axis=0) - profiles.centre
        squared = true_square(offset, dense[y == y[i]], int(others.sum()))
        u = dense[i] - profiles.centre
        assert found.likeness[i] == pytest.approx(cosine(u, offset, squared=squared), abs=2e-3)


def test_a_class_of_two_cells_is_judged_as_hard_as_others() -> None:
    rng = np.random.default_rng(0)
    X = sp.csr_array(rng.normal(size=(102, 50)).astype(np.float32))
    y = np.r_[np.zeros(50, dtype=int), np.ones(50, dtype=int), 2, 2]
    profiles = class_profiles([(X, one_hot(y, 3))])
    with_itself = view_cells(X, y, profiles=profiles).likeness[y == 2]
    without = view_cells(X, y, profiles=profiles, own=y).likeness[y == 2]
    assert with_itself.min() > 0.5
    assert without.max() < 0.4


def test_blocks_are_joined_in_order() -> None:
    X, y = cells(3)
    profiles = class_profiles([(X, one_hot(y, 4))])
    parts = [view_cells(X[i : i + 7], y[i : i + 7], profiles=profiles) for i in range(0, 40, 7)]
    whole, joined = view_cells(X, y, profiles=profiles), Views.joined(parts)
    np.testing.assert_allclose(joined.lead, whole.lead, atol=1e-6)
    np.testing.assert_allclose(joined.extent, whole.extent, atol=1e-6)


def test_cells_without_a_gene_have_no_likeness_rather_than_an_error() -> None:
    X = sp.csr_array(np.array([[0.0, 0.0], [2.0, 2.0]], dtype=np.float32))
    profiles = class_profiles([(X, one_hot(np.array([0, 1]), 2))])
    alone = view_cells(X, np.array([0, 1]), profiles=profiles, own=np.array([0, 1]))
    assert np.isfinite([alone.likeness, alone.lead, alone.extent]).all()


def test_a_class_without_difference_from_the_centre_is_like_nothing() -> None:
    X = sp.csr_array(np.ones((2, 3), dtype=np.float32))
    profiles = ClassProfiles(np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32), np.array([1.0, 1.0]))
    found = view_cells(X, np.array([0, 1]), profiles=profiles)
    assert found.likeness.tolist() == found.extent.tolist() == [0.0, 0.0]


def test_new_classes_have_no_part_in_the_centre_and_are_no_rivals() -> None:
    mean = np.array([[4, 0, 0, 0], [0, 4, 0, 0], [0, 0, 4, 0], [4, 1, 0, 0]], dtype=np.float32)
    known = np.array([True, True, True, False])
    profiles = ClassProfiles(mean, np.zeros_like(mean), np.full(4, 10.0))
    old = ClassProfiles(mean[:3], np.zeros_like(mean[:3]), np.full(3, 10.0))
    X, codes = sp.csr_array(np.array([[3.0, 0.5, 0, 0], [4.0, 1.2, 0, 0]])), np.array([0, 3])
    directions = view_directions(profiles, known=known)
    np.testing.assert_allclose(directions[:3], view_directions(old)[:3])
    squares = np.asarray(X.multiply(X).sum(axis=1)).ravel()
    found = view_products(X @ directions.T, squares, codes, directions, profiles=profiles, known=known)
    before = view_cells(X[:1], codes[:1], profiles=old)
    np.testing.assert_allclose(
        [found.likeness[0], found.lead[0], found.extent[0]],
        [before.likeness[0], before.lead[0], before.extent[0]],
        rtol=1e-5,
    )
    assert found.likeness[1] > 0.99
    assert 0 < found.lead[1] < 0.2, "its lead is over the source class beside it"
