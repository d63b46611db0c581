"""Kernels against scikit-learn, pandas and scipy, on real counts (Baron 2016, bundled)."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp
from sklearn.preprocessing import Binarizer, normalize
from sklearn.utils.sparsefuncs import mean_variance_axis

from orthotype import datasets
from orthotype.cells.encode import Binarize, LogNormalize
from orthotype.cells.read import read
from orthotype.cells.rows import MatrixRows
from orthotype.cells.select import GeneMoments


@pytest.fixture(scope="module")
def cells():
    adata = datasets.get("baron2016-mouse")[:150, ::12].copy()
    adata.X = sp.csr_matrix(adata.X)
    return adata


@pytest.fixture(scope="module")
def block(cells):
    return next(MatrixRows(cells.X).blocks(cells.n_obs))[1]


def totals_of(block):
    return np.asarray(block.sum(axis=1, dtype=np.float64))


def test_log_normalise_as_scikit_learn_would(block):
    theirs = normalize(block.astype(np.float64), norm="l1") * 1e4
    ours = LogNormalize().encode(block, totals_of(block))
    np.testing.assert_allclose(ours.toarray(), np.log1p(theirs.toarray()), rtol=1e-6)


def test_binarise_as_scikit_learn_would(block):
    theirs = Binarizer().transform(block)
    np.testing.assert_array_equal(Binarize().encode(block, totals_of(block)).toarray(), theirs.toarray())


def test_moments_as_scikit_learn_would(block):
    encoded = LogNormalize().encode(block, totals_of(block))
    moments = GeneMoments(block.shape[1])
    moments.update(block, totals_of(block), encoded)
    mean, variance = mean_variance_axis(sp.csr_matrix(encoded.astype(np.float64)), axis=0)
    np.testing.assert_allclose(moments.mean("encoded"), mean, rtol=1e-10)
    np.testing.assert_allclose(moments.variance("encoded"), variance * 150 / 149, rtol=1e-8, atol=1e-12)


def test_a_table_as_pandas_would_read_it(cells, tmp_path):
    path = tmp_path / "counts.tsv.gz"
    cells.to_df().T.to_csv(path, sep="\t")
    theirs = pd.read_csv(path, sep="\t", index_col=0)
    ours = read(path)
    np.testing.assert_array_equal(ours.X.toarray().T, theirs.to_numpy())
    assert ours.obs_names.tolist() == theirs.columns.tolist()
    assert ours.var_names.tolist() == theirs.index.tolist()


def test_a_10x_folder_as_scipy_would_read_it(cells, tmp_path):
    scipy.io.mmwrite(tmp_path / "matrix.mtx", sp.coo_matrix(cells.X.T))
    (tmp_path / "barcodes.tsv").write_text("\n".join(cells.obs_names) + "\n")
    (tmp_path / "genes.tsv").write_text("".join(f"{name}\t{name}\n" for name in cells.var_names))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*default value for `spmatrix`")
        theirs = scipy.io.mmread(tmp_path / "matrix.mtx").T
    np.testing.assert_array_equal(read(tmp_path).X.toarray(), theirs.toarray())
