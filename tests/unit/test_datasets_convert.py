"""Converters, on small archives laid out as the published ones are; their numbers are simulated."""

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData, OldFormatWarning, read_h5ad
from anndata.io import read_elem
from scipy import sparse

from orthotype.datasets import convert, registry, tidying
from orthotype.errors import InputError, OutputError

CELLS, GENES = 6, 5
COLUMNS = {
    "setty2019-human-marrow": {},
    "tabula-sapiens-lung-subset": {
        "cell_type": "macrophage",
        "cell_type_ontology_term_id": "CL:0000235",
        "free_annotation": "mac",
        "assay": "10x 3' v3",
        "donor_id": "TSP1",
        "compartment": "immune",
    },
    "lca-lung-subset": {
        "cell_ontology_type": "macrophage",
        "cell_ontology_id": "CL:0000235",
        "donor": "1",
        "method": "10X",
        "donor_method": "1_10X",
    },
}
KEPT = {
    "setty2019-human-marrow": {"run", "fateid_cluster"},
    "tabula-sapiens-lung-subset": {
        "cell_type",
        "cell_type_ontology_term_id",
        "donor",
        "assay",
        "free_annotation",
    },
    "lca-lung-subset": {"cell_type", "cell_type_ontology_term_id", "donor", "assay"},
}


def small(name: str) -> registry.Dataset:
    return replace(registry.find(name), cells=CELLS, genes=GENES)


def source(name: str) -> AnnData:
    counts = np.random.default_rng(3).poisson(0.8, (CELLS, GENES)).astype(np.float32)
    counts[0, 0] = 300.0
    obs = pd.DataFrame(COLUMNS[name], index=[f"Run{4 + cell % 2}_{cell}" for cell in range(CELLS)])
    var = pd.DataFrame(index=[f"G{gene}" for gene in range(GENES)])
    if name == "tabula-sapiens-lung-subset":
        var["ensemblid"] = [f"ENSG{gene:011d}.1" for gene in range(GENES)]
        var["means"] = 1.0
    return AnnData(sparse.csr_matrix(counts), obs=obs, var=var, obsm={"X_pca": np.zeros((CELLS, 2))})


def packed(name: str, table: AnnData, folder: Path) -> Path:
    """Write a tar.gz with the h5ad, and with what lies beside it, where the published archive has them."""
    table.write_h5ad(folder / "table.h5ad")
    lines = [f'"{cell}",{number}' for number, cell in enumerate(table.obs_names[::-1])]
    clusters = "\n".join(['"","x"', '"elsewhere",9', *lines]).encode()
    archive = folder / "archive.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder / "table.h5ad", arcname=registry.find(name).member)
        beside = tarfile.TarInfo("palantir-1.4.2/notebooks/comparisons/results/fateid/clusters.csv")
        beside.size = len(clusters)
        tar.addfile(beside, io.BytesIO(clusters))
    return archive


@pytest.mark.parametrize("name", list(COLUMNS))
def test_converters(name: str, tmp_path: Path) -> None:
    table = source(name)
    target = tmp_path / "out.h5ad"
    convert.to_h5ad(small(name), packed(name, table, tmp_path), target)
    made = read_h5ad(target)
    assert (made.X.format, made.X.dtype) == ("csr", np.int32)
    assert (made.X != table.X).nnz == 0
    assert set(made.obs) == KEPT[name]
    assert list(made.obs_names) == list(table.obs_names)
    assert not made.obsm
    assert made.uns["title"] == name
    for column in (registry.find(name).labels, registry.find(name).donors):
        assert column is None or column in made.obs
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive.tar.gz", "out.h5ad", "table.h5ad"]


def test_setty_clusters_are_joined_by_cell_name(tmp_path: Path) -> None:
    name = "setty2019-human-marrow"
    convert.to_h5ad(small(name), packed(name, source(name), tmp_path), tmp_path / "out.h5ad")
    obs = read_h5ad(tmp_path / "out.h5ad").obs
    assert list(obs["fateid_cluster"]) == ["5", "4", "3", "2", "1", "0"]
    assert list(obs["run"]) == ["Run4", "Run5"] * 3


def test_tabula_sapiens_keeps_ensembl_ids(tmp_path: Path) -> None:
    name = "tabula-sapiens-lung-subset"
    convert.to_h5ad(small(name), packed(name, source(name), tmp_path), tmp_path / "out.h5ad")
    assert list(read_h5ad(tmp_path / "out.h5ad").var) == ["ensembl_id"]


@pytest.mark.parametrize("value", [0.5, 1.5, -1.0, np.nan, 3e9])
def test_values_that_are_no_counts_are_refused(value: float) -> None:
    matrix = sparse.csr_matrix(np.array([[1.0, value], [2.0, 3.0]]))
    with pytest.raises(InputError, match="does not hold raw counts"):
        tidying.whole_counts(matrix, "toy")


def test_the_matrix_is_canonical_and_the_source_untouched() -> None:
    values, columns = np.array([2.0, 0.0, 1.0, 3.0]), np.array([2, 1, 0, 2])
    matrix = sparse.csr_matrix((values, columns, np.array([0, 4])), shape=(1, 3))
    counts = tidying.whole_counts(matrix, "toy")
    assert (list(counts.indices), list(counts.data)) == ([0, 2], [1, 5])
    assert matrix.nnz == 4


def test_files_of_the_old_format_are_read_without_a_warning(tmp_path: Path) -> None:
    table = source("lca-lung-subset")
    table.obs["depth"] = 1.0
    table.write_h5ad(tmp_path / "old.h5ad")
    with h5py.File(tmp_path / "old.h5ad", "r+") as file:
        file["obs/depth"].attrs.clear()
    with h5py.File(tmp_path / "old.h5ad") as file, pytest.warns(OldFormatWarning):
        read_elem(file["obs"])
    assert tidying.counts_and_names(tmp_path / "old.h5ad").shape == (CELLS, GENES)


def test_another_shape_is_refused(tmp_path: Path) -> None:
    name = "lca-lung-subset"
    wrong = replace(small(name), genes=GENES + 1)
    with pytest.raises(InputError, match="has 6 x 5 cells and genes; expected 6 x 6"):
        convert.to_h5ad(wrong, packed(name, source(name), tmp_path), tmp_path / "out.h5ad")


def test_an_archive_without_the_member(tmp_path: Path) -> None:
    name = "lca-lung-subset"
    archive = packed("setty2019-human-marrow", source(name), tmp_path)
    with pytest.raises(InputError, match=r"has no file popv-0.4.1/.*; delete the archive"):
        convert.to_h5ad(small(name), archive, tmp_path / "out.h5ad")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    name = "lca-lung-subset"
    archive = packed(name, source(name), tmp_path)
    with pytest.raises(OutputError):
        convert.to_h5ad(small(name), archive, tmp_path / "missing" / "out.h5ad")
