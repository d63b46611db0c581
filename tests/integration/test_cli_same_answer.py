"""The same cells give the same labels, however they are written down."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp

import orthotype as ot
from orthotype.genes.identify import identify

Command = Callable[..., Any]


@pytest.fixture
def labels_of(orthotype: Command, kept: Path) -> Callable[..., pd.DataFrame]:
    """Give a function that labels a file from the command line and returns the table it wrote."""

    def command(path: object, *more: object) -> pd.DataFrame:
        words = ("-o", "out.h5ad", "--table", "out.csv", "--force")
        done = orthotype("annotate", kept / "model.safetensors", path, *words, *more)
        assert done.code == 0, done.err
        return pd.read_csv("out.csv", index_col=0)

    return command


@pytest.fixture
def some_human(small_human: anndata.AnnData) -> anndata.AnnData:
    """Give every third of the human cells."""
    return small_human[::3].copy()


@pytest.fixture
def expected(some_human: anndata.AnnData, small_model: ot.LabelTransfer) -> pd.DataFrame:
    """Give what the model says of them."""
    return small_model.predict(some_human).to_frame()


def same(found: pd.DataFrame, expected: pd.DataFrame, *, tolerance: float = 1e-6) -> None:
    assert found["orthotype_label"].tolist() == expected["label"].tolist()
    assert found["orthotype_status"].tolist() == expected["status"].tolist()
    np.testing.assert_allclose(found["orthotype_confidence"], expected["confidence"], atol=tolerance)


def as_h5ad(cells: anndata.AnnData) -> str:
    cells.write_h5ad("cells.h5ad")
    return "cells.h5ad"


def as_dense_h5ad(cells: anndata.AnnData) -> str:
    cells.X = cells.X.toarray()
    return as_h5ad(cells)


def as_csc_h5ad(cells: anndata.AnnData) -> str:
    cells.X = sp.csc_matrix(cells.X)
    return as_h5ad(cells)


def as_zarr(cells: anndata.AnnData) -> str:
    pytest.importorskip("zarr")
    cells.write_zarr("cells.zarr")
    return "cells.zarr"


def as_genes_by_cells(cells: anndata.AnnData) -> str:
    cells.to_df().T.to_csv("cells.tsv.gz", sep="\t")
    return "cells.tsv.gz"


def as_cells_by_genes(cells: anndata.AnnData) -> str:
    cells.to_df().to_csv("cells.csv")
    return "cells.csv"


def as_10x_folder(cells: anndata.AnnData) -> str:
    folder = Path("filtered")
    folder.mkdir()
    scipy.io.mmwrite(folder / "matrix.mtx", cells.X.T.tocoo())
    pd.Series(cells.obs_names).to_csv(folder / "barcodes.tsv", header=False, index=False)
    genes = pd.DataFrame({"id": cells.var_names, "name": cells.var_names})
    genes.to_csv(folder / "genes.tsv", sep="\t", header=False, index=False)
    return "filtered"


def as_layer(cells: anndata.AnnData) -> str:
    cells.layers["counts"] = cells.X.copy()
    logs = np.log1p(cells.X.toarray())
    cells.X = (logs - logs.mean(axis=0)) / (logs.std(axis=0) + 1e-6)
    return as_h5ad(cells)


def as_raw(cells: anndata.AnnData) -> str:
    cells.raw = cells.copy()
    return as_h5ad(cells[:, :2000].copy())


@pytest.mark.parametrize(
    "write",
    [
        as_h5ad,
        as_dense_h5ad,
        as_csc_h5ad,
        as_zarr,
        as_genes_by_cells,
        as_cells_by_genes,
        as_10x_folder,
        as_layer,
        as_raw,
    ],
)
@pytest.mark.filterwarnings("ignore:.*zarr:UserWarning", "ignore::FutureWarning")
def test_every_kind_of_file(
    labels_of: Command,
    some_human: anndata.AnnData,
    expected: pd.DataFrame,
    write: Callable[[anndata.AnnData], str],
) -> None:
    same(labels_of(write(some_human)), expected)


@pytest.mark.parametrize("base", [None, 2])
@pytest.mark.parametrize("total", [1e4, 1e6, "median"])
def test_logarithms_of_normalised_counts(
    labels_of: Command, some_human: anndata.AnnData, expected: pd.DataFrame, total: Any, base: int | None
) -> None:
    totals = np.asarray(some_human.X.sum(axis=1)).ravel()
    size = np.median(totals) if total == "median" else total
    values = sp.csr_matrix(some_human.X, dtype=np.float64).multiply(size / totals[:, None]).tocsr()
    values.data = np.log1p(values.data) / (np.log(base) if base else 1.0)
    some_human.X = values.astype(np.float32)
    if base:
        some_human.uns["log1p"] = {"base": base}
    same(labels_of(as_h5ad(some_human)), expected, tolerance=1e-4)


def test_a_model_of_logarithms_is_the_model_of_counts(
    small_mouse: anndata.AnnData, some_human: anndata.AnnData, expected: pd.DataFrame
) -> None:
    logs = small_mouse.copy()
    totals = np.asarray(logs.X.sum(axis=1)).ravel()
    logs.X = sp.csr_matrix(logs.X, dtype=np.float64).multiply(1e4 / totals[:, None]).tocsr().log1p()
    model = ot.LabelTransfer().fit(logs, labels="cell_ontology_class", species="mouse")
    found = model.predict(some_human).to_frame()
    assert found["label"].tolist() == expected["label"].tolist()


@pytest.mark.parametrize("options", [{}, {"alignment": "shift", "unknown": "similarity"}])
def test_every_block_size(some_human: anndata.AnnData, kept: Path, options: dict[str, str]) -> None:
    model = ot.load(kept / "model.safetensors")
    whole = model.annotate(some_human, **options)
    for block_size in (1, 7):
        model.block_size = block_size
        found = model.annotate(some_human, **options)
        pd.testing.assert_frame_equal(found.obs, whole.obs, rtol=0, atol=1e-6)
        np.testing.assert_allclose(
            found.obsm["orthotype_proba"], whole.obsm["orthotype_proba"], rtol=0, atol=1e-6
        )


def test_training_in_blocks_gives_the_same_model(small_mouse: anndata.AnnData) -> None:
    options = {"labels": "cell_type", "species": "mouse"}
    models = [
        ot.LabelTransfer(n_top_genes=300, block_size=size).fit(small_mouse, **options) for size in (7, 4096)
    ]
    np.testing.assert_array_equal(*(model.state_.space.selected for model in models))
    np.testing.assert_allclose(*(model.state_.coef for model in models), atol=1e-4)


@pytest.mark.parametrize("all_named", [True, False])
def test_ensembl_ids_and_symbols(
    labels_of: Command, some_human: anndata.AnnData, small_model: ot.LabelTransfer, all_named: bool
) -> None:
    ids = identify(some_human.var_names, species="human").ids
    known = ids != "" if all_named else np.ones(len(ids), dtype=bool)
    with_ids = some_human[:, known].copy()
    expected = small_model.predict(with_ids).to_frame()
    with_ids.var_names = [gene or name for gene, name in zip(ids[known], with_ids.var_names, strict=True)]
    with_ids.var_names_make_unique()
    same(labels_of(as_h5ad(with_ids)), expected)


def test_versions_of_ensembl_ids(labels_of: Command, some_human: anndata.AnnData) -> None:
    ids = identify(some_human.var_names, species="human").ids
    named = some_human[:, ids != ""].copy()
    named.var_names = ids[ids != ""]
    named.var_names_make_unique()
    plain = labels_of(as_h5ad(named.copy()))
    named.var_names = [f"{gene}.{i % 20}" for i, gene in enumerate(named.var_names)]
    pd.testing.assert_frame_equal(labels_of(as_h5ad(named)), plain)


def test_the_order_of_genes_and_cells(
    labels_of: Command, some_human: anndata.AnnData, expected: pd.DataFrame, rng: np.random.Generator
) -> None:
    cells, genes = rng.permutation(some_human.n_obs), rng.permutation(some_human.n_vars)
    found = labels_of(as_h5ad(some_human[cells][:, genes].copy()))
    same(found, expected.iloc[cells])


def test_a_model_of_permuted_cells_and_genes(
    small_mouse: anndata.AnnData,
    some_human: anndata.AnnData,
    expected: pd.DataFrame,
    rng: np.random.Generator,
) -> None:
    cells, genes = rng.permutation(small_mouse.n_obs), rng.permutation(small_mouse.n_vars)
    permuted = small_mouse[cells][:, genes].copy()
    model = ot.LabelTransfer().fit(permuted, labels="cell_ontology_class", species="mouse")
    found = model.predict(some_human).to_frame()
    assert (found["label"].to_numpy() == expected["label"].to_numpy()).mean() > 0.97


def test_a_model_that_was_saved_says_exactly_the_same(
    some_human: anndata.AnnData, small_model: ot.LabelTransfer, kept: Path, tmp_path: Path
) -> None:
    before = small_model.annotate(some_human)
    loaded = ot.load(kept / "model.safetensors")
    after = loaded.annotate(some_human)
    np.testing.assert_array_equal(before.obsm["orthotype_proba"], after.obsm["orthotype_proba"])
    pd.testing.assert_frame_equal(before.obs, after.obs)
    assert before.uns["orthotype"]["model_hash"] == after.uns["orthotype"]["model_hash"]
    loaded.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (kept / "model.safetensors").read_bytes()


def test_the_cells_given_are_never_changed(
    some_human: anndata.AnnData, small_model: ot.LabelTransfer
) -> None:
    before = some_human.copy()
    small_model.annotate(some_human, alignment="shift")
    assert list(some_human.obs) == list(before.obs)
    assert (some_human.X != before.X).nnz == 0
    assert dict(some_human.obsm) == {}
