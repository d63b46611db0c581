"""The sparse rank-sum test against scipy's, gene by gene; simulated counts, for properties."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from orthotype.errors import InputError
from orthotype.models.rank_sums import gene_ranks


def counts(rng, n_cells=60, n_genes=17):
    X = rng.poisson(rng.gamma(0.5, 2.0, size=n_genes), size=(n_cells, n_genes)).astype(np.float32)
    X[:, 0], X[:, 1] = 0, 3
    return X


def test_auroc_and_p_are_those_of_scipy(rng):
    X, codes = counts(rng), rng.integers(-1, 4, size=60)
    found = gene_ranks(sp.csr_array(X)).test(codes, n_classes=4)
    assert found.n_cells.tolist() == [int((codes == k).sum()) for k in range(4)]
    for k in range(4):
        one, other = X[codes == k].astype(float), X[codes != k].astype(float)
        for j in range(2, X.shape[1]):
            if len(np.unique(X[:, j])) > 1:
                expected = mannwhitneyu(one[:, j], other[:, j], alternative="greater", method="asymptotic")
                assert found.auroc[k, j] == pytest.approx(expected.statistic / (len(one) * len(other)))
                assert found.p[k, j] == pytest.approx(expected.pvalue, rel=1e-9)


def test_there_is_nothing_to_test_in_a_constant_gene_an_empty_class_or_all_cells(rng):
    X = sp.csr_array(counts(rng))
    found = gene_ranks(X).test(np.zeros(60, dtype=int), n_classes=2)
    assert (found.p == 1).all()
    assert (found.auroc == 0.5).all()
    found = gene_ranks(X).test(np.repeat([0, 1], 30), n_classes=2)
    assert (found.p[:, :2] == 1).all()
    assert found.auroc[:, :2] == pytest.approx(0.5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 20))
def test_blocks_order_and_scale_do_not_matter(seed, block):
    rng = np.random.default_rng(seed)
    X, codes = counts(rng), rng.integers(0, 3, size=60)
    whole = gene_ranks(sp.csr_array(X)).test(codes, n_classes=3)
    blocks = gene_ranks(sp.csr_array(X), genes_per_block=block).test(codes, n_classes=3)
    np.testing.assert_array_equal(blocks.auroc, whole.auroc)
    np.testing.assert_array_equal(blocks.z, whole.z)
    order = rng.permutation(60)
    moved = gene_ranks(sp.csr_array(np.sqrt(X[order]))).test(codes[order], n_classes=3)
    np.testing.assert_allclose(moved.z, whole.z, rtol=1e-12)


def test_two_classes_share_what_there_is(rng):
    codes = rng.integers(0, 2, size=60)
    found = gene_ranks(sp.csr_array(counts(rng))).test(codes, n_classes=2)
    np.testing.assert_allclose(found.auroc.sum(axis=0), 1.0)


def test_the_matrix_is_left_alone_and_stored_zeros_are_zeros(rng):
    dense = counts(rng)
    X = sp.csc_array(dense)
    X.data[::3] = 0
    before = X.copy()
    codes = rng.integers(0, 2, size=60)
    found = gene_ranks(X).test(codes, n_classes=2)
    assert (X.data == before.data).all()
    np.testing.assert_array_equal(found.z, gene_ranks(sp.csr_array(X.toarray())).test(codes, n_classes=2).z)


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_values_without_an_order_above_zero_are_refused(value):
    with pytest.raises(InputError, match="negative or non-finite"):
        gene_ranks(sp.csr_array(np.array([[1.0, value], [0.0, 2.0]])))
