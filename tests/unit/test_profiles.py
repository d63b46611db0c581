"""Class profiles: sums over sparse blocks against the dense, obvious way."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from orthotype.models.profiles import class_profiles, members, one_hot


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


@given(seed=st.integers(0, 500))
@settings(deadline=None, max_examples=20)
def test_sparse_members_give_the_same_bits_and_leave_out_cells_of_no_class(seed: int) -> None:
    X, y = cells(seed)
    inside = np.random.default_rng(seed).random(60) < 0.7
    found = class_profiles([(X, members(np.where(inside, y, -1), 4))])
    expected = class_profiles([(X, one_hot(y, 4) * inside[:, None])])
    for name in ("mean", "variance", "n_cells"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
