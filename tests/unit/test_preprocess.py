"""From raw counts to clusters, on real pancreas cells; their mitochondrial counts are made up."""

import random
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData, read_h5ad
from scipy.linalg import block_diag
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from orthotype.errors import InputError, OrthotypeError, OrthotypeWarning
from orthotype.study.preprocess import STUMPF2020, Thresholds, mitochondrial, name_clusters, preprocess

NOT_TESTED = "NOT TESTED: preprocessing needs the extra orthotype[scanpy]"
igraph = pytest.importorskip("igraph", reason=NOT_TESTED)
scanpy = pytest.importorskip("scanpy", reason=NOT_TESTED)

from orthotype.study.preprocess_graph import clusters  # noqa: E402

QUICK = Thresholds(n_neighbors=15, umap=False)
MITO = ("mt-Co1", "mt-Nd1")


@pytest.fixture(scope="module")
def cells(small_mouse: AnnData) -> AnnData:
    """400 cells of five types, with two made-up mitochondrial genes that hold some 2 % of their counts."""
    totals = np.asarray(small_mouse.X.sum(axis=1)).ravel()
    made_up = np.random.default_rng(4).binomial(totals.astype(int), 0.01, size=(2, len(totals))).T
    counts = sp.hstack([small_mouse.X, sp.csr_matrix(made_up)], format="csr").astype(np.int32)
    var = pd.DataFrame(index=[*small_mouse.var_names, *MITO])
    return AnnData(counts, obs=small_mouse.obs.copy(), var=var)


@pytest.fixture(scope="module")
def made(cells: AnnData) -> AnnData:
    return preprocess(cells, species="mouse", thresholds=replace(QUICK, umap=True))


def refused(cells: AnnData, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        preprocess(cells, **{"species": "mouse", "thresholds": QUICK} | options)
    return str(caught.value)


def test_the_published_thresholds() -> None:
    mouse, human = STUMPF2020["mouse"], STUMPF2020["human"]
    assert (mouse.max_mito, human.max_mito) == (0.05, 0.08)
    assert (mouse.n_components, human.n_components) == (11, 10)
    assert replace(human, max_mito=0.05, n_components=11) == mouse
    assert (mouse.min_counts, mouse.max_counts, mouse.min_cells) == (200, 40_000, 3)
    assert (mouse.target_sum, mouse.resolution, mouse.clustering) == (10_000, 1.1, "louvain")


def test_what_comes_out(cells: AnnData, made: AnnData) -> None:
    assert made.n_obs == 400
    assert not made.var_names.isin(MITO).any()
    kept = cells[made.obs_names, made.var_names]
    assert (made.layers["counts"] != kept.X).nnz == 0
    assert made.layers["counts"].dtype == np.int32
    counts = kept.X.toarray().astype(float)
    expected = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 10_000)
    np.testing.assert_allclose(made.X.toarray(), expected, rtol=1e-5)
    assert made.obsm["X_pca"].shape == (400, 11)
    assert made.obsm["X_umap"].shape == (400, 2)
    assert np.isfinite(made.obsm["X_umap"]).all()
    assert made.var["highly_variable"].dtype == bool
    assert 100 < made.var["highly_variable"].sum() < made.n_vars / 2
    sizes = made.obs["cluster"].value_counts()
    assert sizes.index.tolist() == [str(number) for number in range(len(sizes))]
    assert "cluster" not in cells.obs
    assert cells.X.dtype == np.int32


def test_clusters_are_the_cell_types(made: AnnData) -> None:
    assert adjusted_rand_score(made.obs["cell_ontology_class"], made.obs["cluster"]) > 0.6


def test_it_can_be_kept(made: AnnData, tmp_path: Path) -> None:
    made.write_h5ad(tmp_path / "made.h5ad")
    back = read_h5ad(tmp_path / "made.h5ad")
    assert back.obs["cluster"].tolist() == made.obs["cluster"].tolist()
    assert back.uns["preprocess"]["max_mito"] == 0.05
    np.testing.assert_array_equal(back.obsm["X_umap"], made.obsm["X_umap"])


def test_names_for_the_clusters(made: AnnData) -> None:
    most = made.obs.groupby("cluster", observed=True)["cell_ontology_class"].agg(
        lambda labels: labels.mode()[0]
    )
    named = name_clusters(made, most)
    right = named.obs["cell_type"].astype(str) == named.obs["cell_ontology_class"].astype(str)
    assert right.mean() > 0.9
    with pytest.raises(InputError, match=r"1 of .* clusters have no label: '0'"):
        name_clusters(made, most.drop("0"))


@pytest.fixture
def flawed(cells: AnnData) -> AnnData:
    """The same cells, of which the first eight are just inside or just outside a threshold."""
    counts = cells.X.toarray()
    where = cells.var_names.isin(MITO)
    one = np.zeros(cells.n_vars, dtype=np.int32)
    one[np.flatnonzero(~where)[:200]] = 1
    for row, total in ((0, 200), (1, 199), (2, 40_000), (3, 40_001)):
        counts[row] = one
        counts[row, 0] += total - 200
    for row, share in ((4, 50), (5, 49)):
        counts[row] = one * 5
        counts[row, np.flatnonzero(one)[:share]] -= 1
        counts[row, np.flatnonzero(where)[0]] = share
    counts[6] = one
    counts[6, 1], counts[6, 0] = 0, 2
    counts[7] = counts[6]
    counts[7, np.flatnonzero(where)[0]] = 1
    return AnnData(sp.csr_matrix(counts), obs=cells.obs, var=cells.var)


def test_each_threshold_cuts_where_it_says(flawed: AnnData) -> None:
    found = preprocess(flawed, species="mouse", thresholds=QUICK)
    lost = ~flawed.obs_names.isin(found.obs_names)
    assert lost[:8].tolist() == [False, True, False, True, True, False, True, True]
    assert not lost[8:].any()
    costs = found.uns["preprocess"]
    assert [costs[f"cells_of_{what}"] for what in ("few_counts", "many_counts", "few_genes")] == [1, 1, 3]
    assert (costs["cells"], costs["cells_kept"], costs["cells_mitochondrial"]) == (400, 395, 1)
    assert (costs["genes_mitochondrial"], costs["genes"]) == (2, flawed.n_vars)
    seen = (found.layers["counts"] > 0).sum(axis=0)
    assert seen.min() >= 3
    kept = flawed[found.obs_names]
    expected = np.asarray((kept.X > 0).sum(axis=0)).ravel() >= 3
    assert found.var_names.tolist() == flawed.var_names[expected & ~flawed.var_names.isin(MITO)].tolist()


def test_the_measures_are_those_of_scanpy(cells: AnnData, made: AnnData) -> None:
    other = cells.copy()
    other.var["mt"] = other.var_names.isin(MITO)
    scanpy.pp.calculate_qc_metrics(other, qc_vars=["mt"], percent_top=None, log1p=False, inplace=True)
    np.testing.assert_allclose(made.obs["n_counts"], other.obs["total_counts"])
    np.testing.assert_allclose(made.obs["mito_share"] * 100, other.obs["pct_counts_mt"], rtol=1e-5)
    assert (made.obs["n_genes"] <= other.obs["n_genes_by_counts"]).all()


def test_components_are_those_of_a_dense_pca(made: AnnData) -> None:
    dense = made.X[:, made.var["highly_variable"].to_numpy()].toarray().astype(np.float64)
    dense = np.minimum(dense / dense.std(axis=0, ddof=1), 10)
    left, values, _ = np.linalg.svd(dense - dense.mean(axis=0), full_matrices=False)
    expected = left[:, :5] * values[:5]
    found = made.obsm["X_pca"][:, :5]
    np.testing.assert_allclose(
        found * np.sign((found * expected).sum(axis=0)), expected, rtol=1e-3, atol=1e-2
    )


def test_the_same_seed_gives_the_same_on_any_number_of_threads(cells: AnnData) -> None:
    state = random.getstate()
    runs = []
    for threads in (1, 2):
        random.random()
        with threadpool_limits(threads):
            runs.append(preprocess(cells, species="mouse", thresholds=replace(QUICK, umap=True)))
    random.setstate(state)
    first, second = runs
    assert first.obs["cluster"].tolist() == second.obs["cluster"].tolist()
    for name in ("X_pca", "X_umap"):
        np.testing.assert_array_equal(first.obsm[name], second.obsm[name])
    other = preprocess(cells, species="mouse", thresholds=replace(QUICK, umap=True), random_state=1)
    assert not np.array_equal(first.obsm["X_umap"], other.obsm["X_umap"])


def test_the_generator_of_others_is_left_alone(cells: AnnData) -> None:
    before = random.getstate()
    preprocess(cells, species="mouse", thresholds=QUICK)
    assert random.getstate() == before


@pytest.mark.parametrize("method", ["louvain", "leiden"])
def test_clusters_of_a_graph(method: str) -> None:
    """Cliques of 5, 9 and 7 vertices, joined by weak edges, come out by size."""
    blocks = block_diag(np.ones((5, 5)), np.ones((9, 9)), np.ones((7, 7)))
    blocks[0, 5] = blocks[5, 0] = blocks[5, 14] = blocks[14, 5] = 0.1
    how = {"method": method, "n_starts": 3, "random_state": 0}
    found = clusters(sp.csr_matrix(blocks), resolution=1.0, **how)
    assert found.tolist() == ["2"] * 5 + ["0"] * 9 + ["1"] * 7
    assert len(clusters(sp.csr_matrix(blocks), resolution=0.001, **how).categories) == 1
    assert len(clusters(sp.csr_matrix(blocks), resolution=5.0, **how).categories) > 3


def test_the_best_start_is_kept(made: AnnData) -> None:
    graph = made.obsp["connectivities"]
    coo = sp.triu(graph, k=1).tocoo()
    network = igraph.Graph(n=graph.shape[0], edges=np.column_stack([coo.row, coo.col]))

    def quality(n_starts: int) -> float:
        found = clusters(graph, method="louvain", resolution=1.1, n_starts=n_starts, random_state=3)
        return network.modularity(found.codes.tolist(), weights=coo.data.tolist(), resolution=1.1)

    several = [quality(n_starts) for n_starts in range(1, 9)]
    assert several == sorted(several)
    assert several[0] < several[-1]


def test_leiden_and_other_settings(cells: AnnData) -> None:
    settings = replace(QUICK, clustering="leiden", scale_max=None, n_components=5)
    found = preprocess(cells, species="mouse", thresholds=settings, key_added="group")
    assert found.obsm["X_pca"].shape == (400, 5)
    assert "X_umap" not in found.obsm
    assert adjusted_rand_score(found.obs["cell_ontology_class"], found.obs["group"]) > 0.5
    assert found.uns["preprocess"]["scale_max"] == "none"


def test_counts_are_found_where_they_are(cells: AnnData, made: AnnData) -> None:
    logged = cells.copy()
    logged.layers["counts"] = cells.X
    logged.X = sp.csr_matrix(np.log1p(cells.X.astype(np.float32)))
    found = preprocess(logged, species="mouse", thresholds=QUICK)
    assert found.obs["cluster"].tolist() == made.obs["cluster"].tolist()
    del logged.layers["counts"]
    assert "X holds no raw counts" in refused(logged)
    assert "name the layer that has them" in refused(logged)


def test_stored_zeros_count_for_nothing_and_stay(cells: AnnData, made: AnnData) -> None:
    padded = cells.copy()
    padded.X = sp.csr_matrix(
        (
            np.append(cells.X.data, 0),
            np.append(cells.X.indices, 0),
            np.append(cells.X.indptr[:-1], cells.X.nnz + 1),
        ),
        shape=cells.shape,
    )
    before = padded.X.nnz
    found = preprocess(padded, species="mouse", thresholds=QUICK)
    for name in ("n_counts", "n_genes", "mito_share", "cluster"):
        assert found.obs[name].tolist() == made.obs[name].tolist()
    assert padded.X.nnz == before


def test_repeated_gene_names_stay(cells: AnnData) -> None:
    twice = AnnData(cells.X, obs=cells.obs, var=cells.var.copy())
    names = twice.var_names.tolist()
    names[1] = names[0]
    with pytest.warns(UserWarning, match="not unique"):
        twice.var_names = names
        twice = twice.copy()
    found = preprocess(twice, species="mouse", thresholds=QUICK)
    assert (found.var_names == names[0]).sum() == 2


def test_mitochondrial_genes_by_name_and_by_id() -> None:
    assert mitochondrial(pd.Index(["mt-Co1", "Mtor", "GRCm38_mt-Nd1"]), "mouse").tolist() == [
        True,
        False,
        True,
    ]
    assert mitochondrial(pd.Index(["MT-CO1", "MT1X"]), "human").tolist() == [True, False]
    ids = pd.Index(["ENSG00000198804.2", "ENSG00000174059"])  # MT-CO1, CD34
    assert mitochondrial(ids, "human").tolist() == [True, False]
    assert mitochondrial(pd.Index(["mt-co1", "gata1a"]), "zebrafish").tolist() == [True, False]


def test_none_is_mitochondrial(small_mouse: AnnData) -> None:
    with pytest.warns(OrthotypeWarning, match="none of the 14,877 genes is mitochondrial"):
        found = preprocess(small_mouse, species="mouse", thresholds=QUICK)
    assert (found.obs["mito_share"] == 0).all()


def test_what_is_refused(cells: AnnData) -> None:
    assert "no published thresholds for pig; expected one of 'mouse', 'human'" in refused(
        cells, species="pig", thresholds=None
    )
    taken = cells.copy()
    taken.obs["cluster"] = "1"
    assert "have an obs column 'cluster' already" in refused(taken)
    strict = refused(cells, thresholds=replace(QUICK, min_genes=20_000))
    assert "0 of 400 cells and 0 of 14,879 genes pass" in strict
    assert "cells_of_few_genes 400" in strict
    assert "genes are variable; expected more than n_components=11" in refused(
        cells, thresholds=replace(QUICK, min_mean=3.9)
    )


def test_thresholds_without_meaning_are_all_named(cells: AnnData) -> None:
    message = refused(
        cells,
        thresholds=Thresholds(
            clustering="k-means", n_components=0, max_mito=-0.1, min_counts=10, max_counts=5
        ),
    )
    assert "the thresholds has 4 problems" in message
    assert "clustering='k-means'; expected one of 'louvain', 'leiden'" in message
    for part in ("max_mito=-0.1; expected at least 0", "n_components=0", "max_counts=5; expected at least"):
        assert part in message


@pytest.mark.parametrize("missing", ["scanpy", "igraph"])
def test_without_the_extra(cells: AnnData, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        OrthotypeError, match=rf"{missing} is not installed; pip install \"orthotype\[scanpy\]\""
    ):
        preprocess(cells, species="mouse")
