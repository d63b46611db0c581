"""From raw counts to scores: kernel and twin, step by step, in blocks of any size. Simulated data."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from orthotype.errors import InputError
from orthotype.models.linear.softmax import softmax
from orthotype.models.linear.sweep import Sweep

G, P, M, K = 40, 12, 3, 5


def models(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(M, K, P)), rng.normal(size=(M, K))


def gene_map(seed=0, *, families=False):
    rng = np.random.default_rng(seed)
    places = np.full(G, -1)
    places[rng.permutation(G)[:P]] = np.arange(P)
    if families:
        places[np.flatnonzero(places < 0)[:6]] = [0, 0, 3, 4, 4, 5]
    return places


def counts(n=300, seed=0, dtype=np.float32):
    dense = np.random.default_rng(seed).poisson(0.8, size=(n, G)).astype(dtype)
    dense[3:4] = 0
    return csr_array(dense)


@pytest.mark.parametrize("mode", ["scipy", "native"])
@pytest.mark.parametrize("families", [False, True])
@pytest.mark.parametrize("encoding", ["log", "binary", "none"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
def test_every_step_is_the_obvious_one(mode, families, encoding, dtype, monkeypatch):
    monkeypatch.setenv("ORTHOTYPE_KERNEL", mode)
    coef, intercept = models()
    places, library = gene_map(families=families), np.arange(G) % 7 != 0
    X = counts(dtype=dtype)
    dense = X.toarray().astype(float)
    aligned = np.zeros((300, P))
    for gene, column in enumerate(places):
        if column >= 0:
            aligned[:, column] += dense[:, gene]
    if encoding == "log":
        total = dense[:, library].sum(axis=1)
        aligned = np.log1p(aligned * np.divide(500, total, out=np.zeros(300), where=total > 0)[:, None])
    elif encoding == "binary":
        aligned = (aligned > 0).astype(float)
    expected = np.einsum("np,mkp->nmk", aligned, coef) + intercept
    extra = np.random.default_rng(1).normal(size=(2, P))
    sweep = Sweep(
        coef,
        intercept,
        gene_to_column=places,
        in_library=library,
        target_sum=500.0,
        encoding=encoding,
        extra=extra,
    )
    np.testing.assert_allclose(sweep.scores(X), expected, rtol=1e-4, atol=2e-4)
    labelled = sweep.label(X)
    np.testing.assert_allclose(labelled.probability, softmax(expected).mean(axis=1), atol=1e-4)
    np.testing.assert_allclose(labelled.extra, aligned @ extra.T, rtol=1e-4, atol=2e-4)
    np.testing.assert_allclose(labelled.squares, (aligned**2).sum(axis=1), rtol=1e-5)
    assert (labelled.votes.sum(axis=1) == M).all()
    clear = np.ptp(np.sort(expected, axis=2)[:, :, -2:], axis=2).min(axis=1) > 1e-3
    votes = (expected.argmax(axis=2)[:, :, None] == np.arange(K)).sum(axis=1)
    np.testing.assert_array_equal(labelled.votes[clear], votes[clear])


@pytest.mark.parametrize("mode", ["scipy", "native"])
def test_blocks_of_any_size_give_the_same_bits(mode, monkeypatch):
    monkeypatch.setenv("ORTHOTYPE_KERNEL", mode)
    sweep = Sweep(*models(), gene_to_column=gene_map())
    X = counts()
    whole = sweep.scores(X), *sweep.label(X)
    for size in (1, 7, 128, 300):
        blocks = [X[first : first + size] for first in range(0, 300, size)]
        parts = [np.concatenate([sweep.scores(block) for block in blocks])]
        parts += [
            np.concatenate(pieces) for pieces in zip(*[sweep.label(block) for block in blocks], strict=True)
        ]
        for a, b in zip(whole, parts, strict=True):
            if mode == "native":
                assert a.tobytes() == b.tobytes()
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_threads_change_no_bit(monkeypatch):
    sweep = Sweep(*models(), gene_to_column=gene_map(families=True))
    X = counts(1000)
    results = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("ORTHOTYPE_NUM_THREADS", threads)
        results.append((sweep.scores(X).tobytes(), *[part.tobytes() for part in sweep.label(X)]))
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("mode", ["scipy", "native"])
def test_duplicated_entries_are_added_before_the_logarithm(mode, monkeypatch):
    monkeypatch.setenv("ORTHOTYPE_KERNEL", mode)
    coef, intercept = np.eye(2)[None], np.zeros((1, 2))
    X = csr_array((1, 3), dtype=np.float32)
    X.indptr, X.indices = np.array([0, 3], dtype=np.int32), np.array([2, 0, 2], dtype=np.int32)
    X.data = np.array([1, 5, 2], dtype=np.float32)
    sweep = Sweep(coef, intercept, gene_to_column=np.array([0, -1, 1]), target_sum=8.0)
    np.testing.assert_allclose(sweep.scores(X)[0, 0], np.log1p([5, 3]), rtol=1e-6)


@pytest.mark.parametrize("mode", ["scipy", "native"])
def test_damaged_blocks_are_refused(mode, monkeypatch):
    monkeypatch.setenv("ORTHOTYPE_KERNEL", mode)
    sweep = Sweep(*models(), gene_to_column=gene_map())
    X = counts()
    X.indices[17] = G
    for run in (sweep.scores, sweep.label):
        with pytest.raises(InputError, match="sparse matrix"):
            run(X)
    with pytest.raises(InputError, match="39 genes; expected 40"):
        sweep.scores(counts()[:, :39])


def test_shapes_that_do_not_fit_are_named_together():
    coef, _ = models()
    with pytest.raises(InputError) as caught:
        Sweep(
            coef,
            np.zeros(3),
            gene_to_column=np.array([P]),
            in_library=np.ones(4, dtype=bool),
            encoding="z",
            extra=np.zeros((2, P + 1)),
        )
    for part in (
        "extra directions of shape",
        "intercepts of shape",
        "in_library names 4",
        f"column {P} for a gene",
        "encoding 'z'",
    ):
        assert part in str(caught.value)
