"""What ``inspect`` says of the bundled cells, and of cells that cannot be used."""

import json

import numpy as np
import pandas as pd
import pytest

from orthotype import datasets
from orthotype.cells.inspect import inspect
from orthotype.errors import InputError


@pytest.fixture(scope="module")
def mouse():
    return datasets.get("baron2016-mouse")


def test_the_bundled_mouse_is_ready_to_train():
    path = datasets.path("baron2016-mouse")
    found = inspect(path)
    assert found.subject == path.name
    assert (found.n_cells, found.n_genes) == (1886, 14877)
    assert found.genes.kind == "symbol"
    assert found.genes.species == "mouse"
    assert found.used["where"] == "X"
    assert found.used["scale"] == "counts"
    assert found.labels[0].column == "cell_type"
    assert found.batches[0].column == "donor"
    assert found.ontology == "cell_type_ontology_term_id"
    assert found.partner == "human"
    assert found.coverage.share_mapped > 0.9
    assert found.problems == []
    assert found.label_problems == {}


def test_everything_is_plain_json_and_reads_well(mouse):
    found = inspect(mouse[:200])
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == found.to_dict()
    text = str(found)
    assert text.startswith("AnnData\n  cells       200\n")
    for line in (
        "genes",
        "species     mouse",
        "orthologs",
        "matrices    X: counts",
        "labels      cell_type:",
    ):
        assert f"\n  {line}" in text
    assert "embeddings  none found" in text
    assert "problems    none that would stop" in text


def test_layers_raw_and_embeddings_are_listed(mouse):
    adata = mouse[:100].copy()
    adata.raw = adata
    adata.layers["logs"] = adata.X.astype(np.float32).log1p()
    adata.obsm["X_pca"] = np.zeros((100, 2))
    found = inspect(adata)
    assert [(facts.where, facts.scale) for facts in found.matrices] == [
        ("X", "counts"),
        ("raw", "counts"),
        ("layers/logs", "log1p"),
    ]
    assert found.embeddings == ["X_pca"]
    assert "layers/logs: log1p, 14,877 genes" in str(found)


def test_all_that_stops_the_work_is_said_without_an_error(mouse):
    adata = mouse[:60].copy()
    adata.X = adata.X.toarray() - 1.0
    adata.X[3, 5] = np.nan
    found = inspect(adata)
    assert found.used is None
    assert len(found.problems) == 2
    assert "NaN" in found.problems[0]
    assert "looks scaled" in found.problems[1]
    assert found.coverage.share_mapped is None
    assert found.genes.species == "mouse"
    assert "cannot be used" in str(found)


def test_labels_that_cannot_be_trained_on_are_marked(mouse):
    adata = mouse[:60].copy()
    adata.obs["cell_type"] = ["once", *["often", "more"] * 29, "often"]
    found = inspect(adata)
    (problem,) = found.label_problems["cell_type"]
    assert "with one cell: 'once'" in problem
    assert "not ready for training" in str(found)
    listed = {column["column"]: column["problems"] for column in found.to_dict()["labels"]}
    assert listed["cell_type"] == [problem]


def test_repeated_names_of_genes_and_cells_are_reported(mouse):
    adata = mouse[:50].copy()
    adata.var_names = pd.Index(["Ins1", "Ins1", *adata.var_names[2:]])
    adata.obs_names = pd.Index(["a", "a", *adata.obs_names[2:]])
    found = inspect(adata)
    assert found.n_repeated_cells == 1
    assert "named by more than one row" in str(found)
    assert "1 with a repeated name" in str(found)
    assert found.problems == []


def test_genes_that_nobody_knows(mouse):
    adata = mouse[:50, :30].copy()
    adata.var_names = [f"feature-{i}" for i in range(30)]
    found = inspect(adata)
    assert found.genes.species is None
    assert found.coverage is None
    assert any("species cannot be told" in problem for problem in found.problems)
    assert "cannot be told from the gene names" in str(found)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        inspect(tmp_path / "cells.h5ad")
