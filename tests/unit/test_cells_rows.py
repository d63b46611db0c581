"""Blocks of rows from every kind of matrix. The numbers are made up; only their arrangement matters."""

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from orthotype.cells.rows import MatrixRows, row_readable, stored_blocks
from orthotype.errors import InputError


@pytest.fixture
def dense():
    rng = np.random.default_rng(7)
    return rng.poisson(0.7, size=(11, 6)).astype(np.float32)


def joined(rows, size):
    return np.vstack([block.toarray() for _, block in rows.blocks(size)])


def test_every_cell_comes_once_and_in_order(dense):
    rows = MatrixRows(sp.csr_matrix(dense))
    covered = [row for where, _ in rows.blocks(4) for row in range(11)[where]]
    assert covered == list(range(11))
    assert rows.shape == (11, 6)


@pytest.mark.parametrize(
    "form",
    [sp.csr_matrix, sp.csr_array, sp.csc_matrix, sp.csc_array, sp.coo_matrix, np.asarray, np.asfortranarray],
)
def test_all_forms_of_a_matrix_give_the_same_rows(dense, form):
    np.testing.assert_array_equal(joined(MatrixRows(form(dense)), 4), dense)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.float64, np.float32, bool])
def test_blocks_are_float32_whatever_was_stored(dense, dtype):
    stored = sp.csr_matrix(dense).astype(dtype)
    block = next(MatrixRows(stored).blocks(5))[1]
    assert isinstance(block, sp.csr_array)
    assert block.dtype == np.float32
    np.testing.assert_array_equal(block.toarray(), stored[:5].toarray())


def test_dense_values_of_half_precision_are_widened_block_by_block(dense):
    half = dense.astype(np.float16)
    rows = MatrixRows(half)
    np.testing.assert_array_equal(joined(rows, 4), dense)
    assert row_readable(half) is half


@pytest.mark.parametrize(("base", "log"), [(None, np.log), (2.0, np.log2), (10.0, np.log10)])
def test_logarithms_are_undone(dense, base, log):
    rows = MatrixRows(sp.csr_matrix(log(1 + dense.astype(np.float64))), scale="log1p", base=base)
    np.testing.assert_allclose(joined(rows, 4), dense, atol=1e-6)


def test_repeated_entries_are_summed_and_the_matrix_is_left_alone():
    twice = sp.csr_matrix(([1.0, 2.0, 4.0], [2, 2, 0], [0, 3]), shape=(1, 3))
    block = next(MatrixRows(twice).blocks(1))[1]
    assert block.has_canonical_format
    np.testing.assert_array_equal(block.toarray(), [[4.0, 0.0, 3.0]])
    np.testing.assert_array_equal(twice.indices, [2, 2, 0])


@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_matrix, np.asarray])
def test_backed_files_and_their_views(dense, form, tmp_path):
    anndata.AnnData(form(dense)).write_h5ad(tmp_path / "cells.h5ad")
    adata = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    np.testing.assert_array_equal(joined(MatrixRows(adata.X), 4), dense)
    np.testing.assert_array_equal(joined(MatrixRows(adata[3:9].X), 4), dense[3:9])
    adata.file.close()


def test_a_plain_hdf5_dataset_is_read_block_by_block(dense, tmp_path):
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["counts"] = dense
        np.testing.assert_array_equal(joined(MatrixRows(file["counts"]), 3), dense)


@pytest.mark.parametrize("size", [0, -1])
def test_a_block_has_at_least_one_cell(dense, size):
    with pytest.raises(InputError, match="expected at least 1"):
        list(stored_blocks(dense, size))


@pytest.mark.parametrize(
    "strange",
    [
        pd.DataFrame([[1.0]]),
        [[1.0]],
        None,
        np.ones(3),
        np.array([["1"]]),
        np.array([[1j]]),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused(strange):
    with pytest.raises(InputError, match="expected"):
        row_readable(strange)


def test_unknown_scales_and_impossible_bases_are_refused(dense):
    with pytest.raises(InputError, match="'z-score' is not known; expected one of 'counts'"):
        MatrixRows(dense, scale="z-score")
    for base in (1.0, 0.5, np.nan, np.inf):
        with pytest.raises(InputError, match="cannot be the base"):
            MatrixRows(dense, scale="log1p", base=base)


def test_no_cells_give_no_blocks():
    assert list(MatrixRows(sp.csr_matrix((0, 4))).blocks(3)) == []
