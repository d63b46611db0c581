"""The native kernel against its scipy twin, its own thread counts, and malformed input. Simulated data."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from orthotype.errors import InputError
from orthotype.models.linear import as_rows, solve
from orthotype.models.linear.kernel import KernelRows, describe, kernel, padded
from orthotype.models.linear.rows import BlockRows

native = kernel()
needs_kernel = pytest.mark.skipif(
    native is None, reason="THE NATIVE KERNEL IS NOT BUILT: its own tests are skipped"
)


def counts(rng, n, p, dtype, index=np.int32, *, binary=False):
    X = csr_array(rng.poisson(0.3, size=(n, p)).astype(dtype))
    if binary:
        X.data[:] = 1
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    return X


@needs_kernel
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("K", [1, 2, 17, 33, 70, 140])
@pytest.mark.parametrize("binary", [False, True])
def test_kernel_and_scipy_agree(dtype, index, K, binary):
    rng = np.random.default_rng(K)
    X = counts(rng, 300, 37, dtype, index, binary=binary)
    fast, slow = KernelRows(X, native), BlockRows(X)
    W, offset = rng.normal(size=(37, K)).astype(dtype), rng.normal(size=K)
    y, weights = rng.integers(0, K, 300), rng.random(300)
    weights[rng.random(300) < 0.2] = 0
    tolerance = {"rtol": 2e-5, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-11}
    a, b = fast.loss_gradient(y, weights, W, offset), slow.loss_gradient(y, weights, W, offset)
    for name in ("loss", "by_gene", "by_class", "spread"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), err_msg=name, **tolerance)
    np.testing.assert_allclose(fast.scores(W, offset), slow.scores(W, offset), **tolerance)
    some = np.array([5, 299, 0, 5])
    np.testing.assert_allclose(
        fast.scores(W, offset, subset=some), slow.scores(W, offset, subset=some), **tolerance
    )
    R = rng.normal(size=(300, K)).astype(dtype)
    np.testing.assert_allclose(fast.transposed(R), slow.transposed(R), **tolerance)
    for one, other in zip(fast.moments(weights / 300), slow.moments(weights / 300), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-13)


@needs_kernel
@pytest.mark.parametrize("level", ["baseline", "avx2", "avx512"])
def test_every_instruction_set_gives_the_same_sums(level):
    best = native.level()
    rng = np.random.default_rng(0)
    X = counts(rng, 200, 20, np.float32)
    W, y = rng.normal(size=(20, 40)).astype(np.float32), rng.integers(0, 40, 200)
    expected = BlockRows(X).loss_gradient(y, np.ones(200), W, np.zeros(40))
    try:
        native.level(level)
    except ValueError:
        pytest.skip(f"THIS MACHINE HAS NO {level}")
    try:
        found = KernelRows(X, native).loss_gradient(y, np.ones(200), W, np.zeros(40))
    finally:
        native.level(best)
    np.testing.assert_allclose(found.by_gene, expected.by_gene, rtol=2e-5, atol=1e-4)


@needs_kernel
@pytest.mark.parametrize("n", [1, 100, 129, 1300, 70_000])
def test_threads_change_no_bit(n, monkeypatch):
    rng = np.random.default_rng(n)
    X = counts(rng, n, 40, np.float32)
    rows = KernelRows(X, native)
    W, y, weights = rng.normal(size=(40, 5)).astype(np.float32), rng.integers(0, 5, n), rng.random(n)
    results = []
    for threads in (1, 2, 3, 8, 64):
        monkeypatch.setattr(KernelRows, "_threads", lambda self, columns, threads=threads: threads)
        sums = rows.loss_gradient(y, weights, W, np.zeros(5))
        back = rows.transposed(np.ones((n, 2)))
        parts = (
            sums.by_gene,
            sums.by_class,
            sums.spread,
            back,
            *rows.moments(weights),
            rows.scores(W, np.zeros(5)),
        )
        results.append((sums.loss, *[part.tobytes() for part in parts]))
    assert all(result == results[0] for result in results)


@needs_kernel
def test_rows_of_weight_zero_change_no_bit():
    rng = np.random.default_rng(0)
    X = counts(rng, 256, 10, np.float32)
    weights = np.r_[np.ones(128), np.zeros(128)]
    W, y = rng.normal(size=(10, 3)).astype(np.float32), rng.integers(0, 3, 256)
    whole = KernelRows(X, native).loss_gradient(y, weights, W, np.zeros(3))
    part = KernelRows(X[:128], native).loss_gradient(y[:128], weights[:128], W, np.zeros(3))
    assert whole.loss == part.loss
    assert whole.by_gene.tobytes() == part.by_gene.tobytes()


MALFORMED = {
    "index too large": ([0, 2, 3], [0, 4, 1], [1, 1, 1]),
    "index negative": ([0, 2, 3], [0, -1, 1], [1, 1, 1]),
    "indptr falls": ([0, 3, 2], [0, 1, 2], [1, 1, 1]),
    "indptr negative": ([0, -2, 3], [0, 1, 2], [1, 1, 1]),
    "indptr starts above zero": ([1, 2, 3], [0, 1, 2], [1, 1, 1]),
    "indptr beyond the data": ([0, 2, 9], [0, 1, 2], [1, 1, 1]),
}


def damaged(indptr, indices, data):
    X = csr_array((2, 4), dtype=np.float32)
    X.indptr, X.indices = np.array(indptr, dtype=np.int32), np.array(indices, dtype=np.int32)
    X.data = np.array(data, dtype=np.float32)
    return X


@pytest.mark.parametrize("mode", ["scipy", "native"])
@pytest.mark.parametrize("name", MALFORMED)
def test_damaged_matrices_are_refused(name, mode, monkeypatch):
    monkeypatch.setenv("ORTHOTYPE_KERNEL", mode)
    with pytest.raises(InputError, match="the sparse matrix"):
        solve(damaged(*MALFORMED[name]), np.array([0, 1]), n_classes=2, alpha=1.0)


@pytest.mark.parametrize("mode", ["scipy", "native"])
def test_unsorted_and_duplicated_indices_are_added_up(mode, monkeypatch):
    monkeypatch.setenv("ORTHOTYPE_KERNEL", mode)
    X = damaged([0, 3, 4], [2, 0, 2, 1], [1, 2, 3, 4])
    before = X.data.copy()
    rows = as_rows(X)
    np.testing.assert_allclose(rows.scores(np.eye(4), np.zeros(4)), [[2, 0, 4, 0], [0, 4, 0, 0]])
    np.testing.assert_array_equal(X.data, before)


@needs_kernel
def test_calls_with_wrong_arrays_are_refused():
    X = counts(np.random.default_rng(0), 5, 4, np.float32)
    held = native.matrix(X.indptr, X.indices, X.data, 4, True)
    W, offset, out = (
        padded(np.ones((4, 2)), np.float32),
        padded(np.zeros((1, 2)), np.float32),
        np.empty((5, 2)),
    )
    with pytest.raises(TypeError, match="out"):
        native.scores(held, None, W, offset, 2, 1, out)
    with pytest.raises(ValueError, match="out"):
        native.scores(held, None, W, offset, 2, 1, np.empty((4, 2), dtype=np.float32))
    with pytest.raises(ValueError, match="W"):
        native.scores(held, None, W[:3], offset, 2, 1, out.astype(np.float32))
    with pytest.raises(ValueError, match="subset"):
        native.scores(held, np.array([5]), W, offset, 2, 1, out.astype(np.float32))
    with pytest.raises(ValueError, match="at least one"):
        native.scores(held, None, W, offset, 0, 1, out.astype(np.float32))
    unchecked = native.matrix(X.indptr, X.indices, X.data, 4, False)
    with pytest.raises(ValueError, match="not been checked"):
        native.scores(unchecked, None, W, offset, 2, 1, out.astype(np.float32))


def test_the_environment_turns_the_kernel_off(monkeypatch):
    monkeypatch.setenv("ORTHOTYPE_KERNEL", "scipy")
    assert kernel() is None
    assert describe().startswith("scipy")
    assert type(as_rows(csr_array(np.eye(2, dtype=np.float32)))) is BlockRows
