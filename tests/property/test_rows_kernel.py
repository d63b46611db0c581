"""The kernel for blocks of rows against numpy, for any values; simulated by hypothesis."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from orthotype.cells import native
from orthotype.cells.encode import LogNormalize
from orthotype.cells.scan import MASKS, _block_masks, block_flags
from orthotype.cells.select import SCALES, GeneMoments
from orthotype.cells.space import Alignment
from orthotype.cells.survey import Surveyor

pytestmark = pytest.mark.skipif(
    native.native(native.ROWS) is None, reason="THE NATIVE KERNELS WERE NOT BUILT: they are not tested"
)

shapes = st.tuples(st.integers(1, 12), st.integers(1, 70))
whole = st.integers(-2, 3) | st.integers(0, 60_000)
real = st.floats(-4, 30_000, width=32) | st.sampled_from([0.0, 1.0, 7.0, 5.0004, 1e-4, np.nan, np.inf])
some = st.booleans()


@st.composite
def blocks(draw, *, finite=False):
    """Draw a block of any type that has a kernel, many of its entries zero, some of them stored."""
    kind = draw(st.sampled_from([np.int32, np.int64, np.float32, np.float64]))
    elements = whole if kind in (np.int32, np.int64) else real
    dense = draw(hnp.arrays(np.float64, draw(shapes), elements=elements))
    if finite:
        dense = np.abs(np.nan_to_num(dense, posinf=2.0))
    kept = draw(hnp.arrays(bool, dense.shape))
    rows, columns = np.nonzero(kept)
    block = sp.csr_array((dense[kept].astype(kind), (rows, columns)), shape=dense.shape)
    if draw(some):
        block.indices, block.indptr = (part.astype(np.int64) for part in (block.indices, block.indptr))
    return block


def without_kernel(function):
    """Return what numpy finds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORTHOTYPE_KERNEL", "scipy")
        return function()


@given(blocks())
def test_a_look_finds_the_same_in_every_cell(block):
    assert native.rows_kernel(block) is not None
    flags, lowest = block_flags(block)
    masks = _block_masks(block)
    for bit, name in enumerate(MASKS):
        if name in ("fractional", "large_whole") and masks["not_finite"].any():
            continue  # numpy calls infinity whole where all other values are; such cells are refused
        np.testing.assert_array_equal(flags >> bit & 1, masks[name], err_msg=name)
    assert lowest == (min(0.0, float(np.nanmin(block.data))) if masks["negative"].any() else 0.0)


@given(blocks(finite=True), st.integers(1, 12))
def test_sums_of_genes_are_the_same_bits(block, size):
    linear = sp.csr_array((block.data.astype(np.float32), block.indices, block.indptr), shape=block.shape)

    def totals():
        surveyor = Surveyor(linear.shape)
        for first in range(0, linear.shape[0], size):
            rows = slice(first, min(first + size, linear.shape[0]))
            surveyor.at(rows, block[rows], linear[rows])
        return surveyor.totals

    found, fractions = totals(), (linear.data != np.rint(linear.data)).any()
    expected = without_kernel(totals)
    if fractions:  # numpy may have added the first of them as whole numbers
        np.testing.assert_allclose(found, expected, rtol=1e-15)
    else:
        np.testing.assert_array_equal(found, expected)


@given(blocks(finite=True), st.integers(1, 12))
def test_moments_of_genes_are_the_same_bits(block, size):
    linear = sp.csr_array((block.data.astype(np.float32), block.indices, block.indptr), shape=block.shape)

    def moments():
        found = GeneMoments(linear.shape[1])
        for first in range(0, linear.shape[0], size):
            part = linear[first : first + size]
            totals = np.asarray(part.sum(axis=1, dtype=np.float64)).ravel()
            found.update(part, totals, LogNormalize().encode(part, totals))
        return found

    found, expected = moments(), without_kernel(moments)
    for scale in SCALES:
        np.testing.assert_array_equal(found.sums[scale], expected.sums[scale])
        np.testing.assert_array_equal(found.squares[scale], expected.squares[scale])


@given(blocks(finite=True), st.data())
def test_alignment_is_the_same_bits(block, data):
    n_genes, width = block.shape[1], data.draw(st.integers(1, 80))
    places = data.draw(hnp.arrays(np.int64, n_genes, elements=st.integers(-1, width - 1)))
    library = data.draw(hnp.arrays(bool, n_genes)).astype(np.float64)
    genes = np.flatnonzero(places >= 0)
    ones = np.ones(len(genes), dtype=np.float32)
    projection = sp.csr_array((ones, (genes, places[genes])), shape=(n_genes, width))
    counts = sp.csr_array((block.data.astype(np.float32), block.indices, block.indptr), shape=block.shape)
    aligned = Alignment(projection, library, np.ones(width, dtype=bool), 0.8, LogNormalize())
    found, totals = aligned.align(counts)
    expected, expected_totals = without_kernel(lambda: aligned.align(counts))
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    assert found.data.dtype == np.float32
    np.testing.assert_allclose(totals, expected_totals, rtol=1e-14)
    if (counts.data == np.rint(counts.data)).all():
        np.testing.assert_array_equal(totals, expected_totals)
    by_product = (counts @ projection).toarray()
    np.testing.assert_allclose(found.toarray(), by_product, rtol=1e-6)


@given(blocks(), st.data())
def test_gene_numbers_are_checked(block, data):
    kernel = native.native(native.ROWS)
    p = block.shape[1]
    assert kernel.check(block.indptr, block.indices, p) == 0
    if not block.nnz:
        return
    place = data.draw(st.integers(0, block.nnz - 1))
    for wrong in (-1, p, p + 5):
        damaged = block.indices.copy()
        damaged[place] = wrong
        assert kernel.check(block.indptr, damaged, p) == 2
        with pytest.raises(ValueError, match="out of range"):
            kernel.add(block.indptr, damaged, np.ones(block.nnz, np.float32), np.zeros(p))
        with pytest.raises(ValueError, match="out of range"):
            kernel.moments(damaged, np.ones(block.nnz), np.zeros(p), np.zeros(p))
    row = int(np.searchsorted(block.indptr, place, side="right")) - 1
    if place > block.indptr[row]:
        repeated = block.indices.copy()
        repeated[place] = repeated[place - 1]
        assert kernel.check(block.indptr, repeated, p) == 1


def test_row_ends_that_lead_out_of_the_values_are_refused():
    kernel = native.native(native.ROWS)
    values = np.ones(4, np.float32)
    for ends in ([0, 2, 5], [0, 3, 2], [1, 2, 4], [-1, 2, 4]):
        with pytest.raises(ValueError, match="indptr"):
            kernel.look(np.array(ends, np.int32), values, np.empty(2, np.uint8))
