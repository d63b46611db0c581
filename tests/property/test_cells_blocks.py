"""Block size, form and normalisation change nothing, for any counts. Simulated by hypothesis."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from orthotype.cells.encode import Binarize, LogNormalize
from orthotype.cells.rows import MatrixRows
from orthotype.cells.select import METHODS, GeneMoments

shapes = st.tuples(st.integers(1, 17), st.integers(1, 9))
counts = hnp.arrays(np.int64, shapes, elements=st.integers(0, 6) | st.integers(0, 60_000))
sizes = st.integers(1, 20)
encoders = st.sampled_from([LogNormalize(), LogNormalize(target_sum=50.0), Binarize()])


def measure(rows, encoder, size):
    moments = GeneMoments(rows.shape[1])
    encoded = []
    for _, block in rows.blocks(size):
        totals = np.asarray(block.sum(axis=1, dtype=np.float64))
        encoded.append(encoder.encode(block, totals))
        moments.update(block, totals, encoded[-1])
    return moments, sp.vstack(encoded).toarray()


@given(counts, sizes, encoders)
def test_no_bit_depends_on_the_size_of_the_blocks(values, size, encoder):
    rows = MatrixRows(sp.csr_array(values))
    whole, encoded_whole = measure(rows, encoder, len(values))
    parts, encoded_parts = measure(rows, encoder, size)
    np.testing.assert_array_equal(encoded_whole, encoded_parts)
    np.testing.assert_array_equal(whole.n_nonzero, parts.n_nonzero)
    for scale in whole.sums:
        np.testing.assert_array_equal(whole.sums[scale], parts.sums[scale])
        np.testing.assert_array_equal(whole.squares[scale], parts.squares[scale])


@given(counts, sizes, st.sampled_from([sp.csc_array, sp.coo_matrix, np.asarray, np.asfortranarray]))
def test_all_forms_give_the_same_blocks(values, size, form):
    by_rows = MatrixRows(sp.csr_array(values)).blocks(size)
    others = MatrixRows(form(values)).blocks(size)
    for (where, block), (other_where, other) in zip(by_rows, others, strict=True):
        assert where == other_where
        np.testing.assert_array_equal(block.toarray(), other.toarray())


@given(counts, sizes, st.sampled_from([None, 2.0, 10.0]), st.floats(10.0, 1e6))
def test_logarithms_of_normalised_counts_give_the_same_proportions(values, size, base, target):
    total = np.maximum(values.sum(axis=1, keepdims=True), 1)
    logs = np.log1p(values / total * target) / np.log(base or np.e)
    rows = MatrixRows(sp.csr_array(logs.astype(np.float32)), scale="log1p", base=base)
    linear = np.vstack([block.toarray() for _, block in rows.blocks(size)]).astype(np.float64)
    found = linear / np.maximum(linear.sum(axis=1, keepdims=True), 1e-300)
    np.testing.assert_allclose(found, values / total, rtol=2e-5, atol=1e-7)


@given(counts, st.integers(1, 1000), encoders)
def test_the_depth_of_a_cell_does_not_matter(values, depth, encoder):
    _, encoded = measure(MatrixRows(sp.csr_array(values)), encoder, 5)
    _, deeper = measure(MatrixRows(sp.csr_array(values * depth), scale="linear"), encoder, 5)
    np.testing.assert_allclose(deeper, encoded, rtol=1e-5)


@given(counts, st.data())
def test_scores_follow_their_genes(values, data):
    order = np.array(data.draw(st.permutations(range(values.shape[1]))))
    plain, _ = measure(MatrixRows(sp.csr_array(values)), LogNormalize(), 4)
    mixed, _ = measure(MatrixRows(sp.csr_array(values[:, order])), LogNormalize(), 4)
    for score in METHODS.values():
        np.testing.assert_allclose(score(mixed), score(plain)[order], rtol=1e-9, atol=1e-12)


@given(counts, st.integers(0, 17))
def test_merged_parts_are_the_whole(values, cut):
    whole, _ = measure(MatrixRows(sp.csr_array(values)), LogNormalize(), 3)
    merged = GeneMoments(values.shape[1])
    for part in (values[:cut], values[cut:]):
        if len(part):
            merged = merged.merge(measure(MatrixRows(sp.csr_array(part)), LogNormalize(), 3)[0])
    assert merged.n_cells == whole.n_cells
    for scale in whole.sums:
        np.testing.assert_allclose(merged.sums[scale], whole.sums[scale], rtol=1e-12)
        np.testing.assert_allclose(merged.squares[scale], whole.squares[scale], rtol=1e-12)


@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_real_sized_blocks(size):
    values = np.random.default_rng(0).poisson(0.3, size=(50, 400))
    got = np.vstack([block.toarray() for _, block in MatrixRows(sp.csr_array(values)).blocks(size)])
    np.testing.assert_array_equal(got, values)
