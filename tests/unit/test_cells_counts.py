"""Where counts are found, and what is refused. The numbers are simulated; only their scale matters."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from orthotype.cells.counts import describe_matrices, find_counts
from orthotype.cells.scan import scan_values
from orthotype.errors import InputError

N_CELLS, N_GENES = 40, 60


@pytest.fixture
def counts():
    rng = np.random.default_rng(3)
    return sp.csr_matrix(
        rng.poisson(rng.gamma(0.5, 4, size=N_GENES), size=(N_CELLS, N_GENES)).astype(np.float32)
    )


def logged(counts):
    total = np.maximum(np.asarray(counts.sum(axis=1)).ravel(), 1)
    return sp.csr_matrix(sp.diags_array(1e4 / total) @ counts).log1p()


def scaled(counts):
    values = counts.toarray()
    return values - values.mean(axis=0)


def cells(X, **layers):
    n_genes = X.shape[1]
    obs = pd.DataFrame(index=[f"cell{i}" for i in range(X.shape[0])])
    var = pd.DataFrame(index=[f"Gene{i}" for i in range(n_genes)])
    return anndata.AnnData(X, obs=obs, var=var, layers=layers)


def with_raw(adata, raw):
    adata.raw = raw
    return adata


def test_counts_in_x(counts):
    found = find_counts(cells(counts))
    assert (found.where, found.scale, found.base) == ("X", "counts", None)
    assert found.var_names[0] == "Gene0"
    assert "whole numbers" in found.evidence
    np.testing.assert_array_equal(next(found.rows().blocks(N_CELLS))[1].toarray(), counts.toarray())


def test_log_normalised_x_is_recognised_and_turned_back(counts):
    found = find_counts(cells(logged(counts)))
    assert (found.where, found.scale) == ("X", "log1p")
    linear = next(found.rows().blocks(N_CELLS))[1].toarray()
    share = counts.toarray() / counts.sum(axis=1)
    np.testing.assert_allclose(linear / linear.sum(axis=1, keepdims=True), share, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", ["counts", "raw_counts", "UMIs", "mine"])
def test_counts_in_a_layer_are_preferred_to_logarithms(counts, name):
    assert find_counts(cells(logged(counts), **{name: counts})).where == f"layers/{name}"


def test_counts_in_raw_are_preferred_to_logarithms_in_x(counts):
    adata = with_raw(cells(logged(counts)[:, :50]), cells(counts))
    found = find_counts(adata)
    assert (found.where, found.scale) == ("raw", "counts")
    assert len(found.var_names) == N_GENES == found.matrix.shape[1]


def test_scaled_x_gives_way_to_logarithms_in_raw(counts):
    adata = with_raw(cells(scaled(counts)), cells(logged(counts)))
    found = find_counts(adata)
    assert (found.where, found.scale) == ("raw", "log1p")


def test_counts_of_few_genes_do_not_replace_all_genes(counts):
    adata = with_raw(cells(logged(counts)[:, :20], counts=counts[:, :20]), cells(logged(counts)))
    assert find_counts(adata).where == "raw"


def test_x_is_preferred_to_an_equal_raw(counts):
    assert find_counts(with_raw(cells(logged(counts)), cells(logged(counts)))).where == "X"


@pytest.mark.parametrize("name", ["spliced", "unspliced"])
def test_parts_of_the_counts_are_not_taken_for_the_whole(counts, name):
    adata = cells(logged(counts), **{name: counts})
    assert find_counts(adata).where == "X"
    assert find_counts(adata, layer=name).where == f"layers/{name}"


def test_a_named_matrix_is_taken_as_asked(counts):
    adata = with_raw(cells(counts, logs=logged(counts)), cells(counts))
    for asked, where in [("X", "X"), ("raw", "raw"), ("logs", "layers/logs"), ("layers/logs", "layers/logs")]:
        assert find_counts(adata, layer=asked).where == where


def test_a_missing_layer_is_named_with_the_nearest(counts):
    with pytest.raises(
        InputError, match="no matrix named 'count'; expected one of 'X', 'layers/counts'; did you mean"
    ):
        find_counts(cells(counts, counts=counts), layer="count")


def test_binary_values_are_used_only_without_anything_better(counts):
    seen = (counts > 0).astype(np.float32)
    assert find_counts(cells(seen)).scale == "counts"
    assert find_counts(cells(seen, logs=logged(counts))).where == "layers/logs"


def test_scaled_data_alone_are_refused_with_the_reason(counts):
    with pytest.raises(
        InputError, match=r"X looks scaled .* negative values, down to -.* in 40 of 40 cells \('cell0'"
    ):
        find_counts(cells(scaled(counts)))


def test_every_problem_is_named_at_once(counts):
    broken = counts.copy()
    broken.data[0], broken.data[-1] = np.nan, -3
    with pytest.raises(InputError) as caught:
        find_counts(cells(broken, other=sp.csr_matrix(counts.shape)), subject="cells.h5ad")
    text = str(caught.value)
    assert text.startswith("cells.h5ad has 3 problems")
    assert "X holds NaN or infinite values in 1 of 40 cells ('cell0')" in text
    assert "down to -3, in 1 of 40 cells ('cell39')" in text
    assert "all values of layers/other are zero" in text


def test_a_value_outside_the_sample_is_found():
    counts = sp.csr_matrix(np.ones((6000, 4), dtype=np.float32) * 2)
    counts.data[4 * 1000] = np.inf
    assert describe_matrices(cells(counts))[0].scale == "counts"
    with pytest.raises(InputError, match="'cell1000'"):
        find_counts(cells(counts))


def test_a_broken_matrix_is_passed_over_and_said_so(counts):
    broken = counts.copy()
    broken.data[3] = np.nan
    found = find_counts(cells(logged(counts), counts=broken))
    assert found.where == "X"
    assert "layers/counts cannot be used: there are NaN" in found.evidence


def test_what_only_the_scan_finds_is_said_too(counts):
    many = sp.vstack([counts] * 20, format="csr")
    broken = many.copy()
    broken.data[broken.indptr[130]] = np.nan
    found = find_counts(cells(logged(many), counts=broken))
    assert found.where == "X"
    assert "layers/counts was passed over: layers/counts holds NaN" in found.evidence


@pytest.mark.parametrize("counts_first", [True, False])
def test_joined_data_sets_on_two_scales_are_refused(counts, counts_first):
    many = sp.vstack([counts] * 20, format="csr")
    few = counts[:5]
    parts = [many, logged(few)] if counts_first else [logged(many), few]
    with pytest.raises(InputError, match="X mixes scales: 5 of 805 cells"):
        find_counts(cells(sp.vstack([parts[0][:500], parts[1], parts[0][500:]], format="csr")))


def test_expected_counts_with_some_fractions_are_linear(counts):
    some = counts.copy()
    some.data[[0, 700, -1]] += np.float32(0.37)
    found = find_counts(cells(some))
    assert found.scale == "linear"
    assert "3 cells hold fractions too" in found.evidence


def test_cells_without_counts_are_pointed_at(counts):
    some = counts.tolil()
    some[[4, 9]] = 0
    np.testing.assert_array_equal(find_counts(cells(some.tocsr())).empty_cells, [4, 9])


@pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
def test_no_cells_or_no_genes(shape):
    with pytest.raises(InputError, match="expected at least one of each"):
        find_counts(cells(sp.csr_matrix(shape, dtype=np.float32)))


def test_no_matrix_at_all():
    with pytest.raises(InputError, match="X, raw and layers are all empty"):
        find_counts(anndata.AnnData(obs=pd.DataFrame(index=["a"]), var=pd.DataFrame(index=["g"])))


@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_matrix, lambda counts: counts.toarray()])
def test_backed_files_and_views_give_the_same_answer(counts, form, tmp_path):
    adata = with_raw(cells(form(logged(counts)), counts=form(counts)), cells(form(counts)))
    adata.write_h5ad(tmp_path / "cells.h5ad")
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    whole = find_counts(adata)
    for other in (backed, adata[:, :], backed[5:20], adata[5:20]):
        found = find_counts(other)
        assert (found.where, found.scale) == (whole.where, whole.scale)
        assert [facts.where for facts in describe_matrices(other)] == ["X", "raw", "layers/counts"]
    backed.file.close()


def test_the_base_in_the_file_is_used_where_values_are_silent(counts):
    rng = np.random.default_rng(0)
    odd = logged(counts)
    odd.data = rng.uniform(0.3, 4, odd.nnz).astype(np.float32)
    adata = cells(odd)
    adata.uns["log1p"] = {"base": 10.0}
    assert find_counts(adata).base == 10.0
    adata.uns["log1p"] = {"base": None}
    assert find_counts(adata).base is None
    assert 'uns["log1p"]' in find_counts(adata).evidence


def test_facts_are_plain_json(counts):
    (facts,) = describe_matrices(cells(counts))
    assert facts.to_dict() == {
        "where": "X",
        "scale": "counts",
        "base": None,
        "genes": N_GENES,
        "evidence": "all values are whole numbers",
    }


def test_the_scan_sees_every_block():
    n_cells = 9000
    values = sp.csr_matrix(np.full((n_cells, 1), 2.0, dtype=np.float32))
    values.data[[0, 4096, 8999]] = [np.nan, -1, -7]
    scan = scan_values(values)
    assert np.flatnonzero(scan.not_finite).tolist() == [0]
    assert np.flatnonzero(scan.negative).tolist() == [4096, 8999]
    assert scan.lowest == -7
