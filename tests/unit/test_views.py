"""Views of cells: sums over sparse rows against the dense way; simulated cells, for properties only."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from orthotype.models.profiles import ClassProfiles, class_profiles, one_hot
from orthotype.models.views import Views, view_cells


def cells(seed: int, n: int = 40, p: int = 12) -> tuple[sp.csr_array, np.ndarray]:
    """Return sparse cells of three of four classes."""
    rng = np.random.default_rng(seed)
    codes = np.concatenate([[0, 0, 1, 1, 2, 2], rng.integers(3, size=n - 6)])
    return sp.csr_array((rng.poisson(0.9, size=(n, p)) * rng.random((n, p))).astype(np.float32)), codes


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


@given(seed=st.integers(0, 500), moved=st.booleans())
@settings(deadline=None, max_examples=20)
def test_views_are_cosine_lead_and_projection_seen_from_the_centre(seed: int, moved: bool) -> None:
    X, y = cells(seed)
    profiles = class_profiles([(X, one_hot(y, 4))])
    shift = np.linspace(-0.2, 0.3, X.shape[1]) if moved else None
    found = view_cells(X, y, profiles=profiles, shift=shift)
    offsets = (profiles.mean - profiles.centre)[:3]
    for i, u in enumerate(X.toarray() - profiles.centre - (0 if shift is None else shift)):
        all_cosines = sorted(cosine(u, o) for o in offsets)
        assert found.likeness[i] == pytest.approx(cosine(u, offsets[y[i]]), abs=1e-4)
        assert found.lead[i] == pytest.approx(all_cosines[-1] - all_cosines[-2], abs=1e-4)
        expected = u @ offsets[y[i]] / (offsets[y[i]] @ offsets[y[i]])
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
        assert found.likeness[i] == pytest.approx(cosine(dense[i] - profiles.centre, offset), abs=1e-3)


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
