"""Class profiles and similarity: sums over sparse blocks against the dense, obvious way."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from orthotype.models.profiles import ClassProfiles, class_profiles, one_hot, similarity


def cells(seed: int, n: int = 60, p: int = 12) -> tuple[sp.csr_array, np.ndarray]:
    """Simulated sparse cells of four classes, one of them without cells; for properties only."""
    rng = np.random.default_rng(seed)
    dense = rng.poisson(0.7, size=(n, p)) * rng.random((n, p))
    return sp.csr_array(dense.astype(np.float32)), rng.integers(3, size=n)


@given(seed=st.integers(0, 500), size=st.integers(1, 60))
@settings(deadline=None, max_examples=30)
def test_profiles_are_means_and_variances_whatever_the_blocks(seed: int, size: int) -> None:
    X, y = cells(seed)
    blocks = [(X[i : i + size], one_hot(y[i : i + size], 4)) for i in range(0, 60, size)]
    found = class_profiles(blocks)
    dense = X.toarray()
    for k in range(3):
        if (y == k).any():
            np.testing.assert_allclose(found.mean[k], dense[y == k].mean(axis=0), atol=1e-6)
            np.testing.assert_allclose(found.variance[k], dense[y == k].var(axis=0), atol=1e-6)
    assert found.n_cells.tolist() == np.bincount(y, minlength=4).tolist()
    assert not found.mean[3].any()


@given(seed=st.integers(0, 500), moved=st.booleans())
@settings(deadline=None, max_examples=30)
def test_similarity_is_the_cosine_seen_from_the_centre(seed: int, moved: bool) -> None:
    X, y = cells(seed)
    profiles = class_profiles([(X, one_hot(y, 4))])
    shift = np.linspace(-0.2, 0.3, X.shape[1]) if moved else None
    found = similarity(X, y, profiles=profiles, shift=shift)
    dense = X.toarray() - profiles.centre - (0 if shift is None else shift)
    offsets = profiles.mean - profiles.centre
    for i in range(X.shape[0]):
        a, b = dense[i], offsets[y[i]]
        expected = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
        assert abs(found[i] - expected) < 1e-4


def test_a_class_without_difference_from_the_centre_has_similarity_zero() -> None:
    X = sp.csr_array(np.ones((2, 3), dtype=np.float32))
    profiles = ClassProfiles(np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32), np.array([1.0, 1.0]))
    assert similarity(X, np.array([0, 1]), profiles=profiles).tolist() == [0.0, 0.0]
