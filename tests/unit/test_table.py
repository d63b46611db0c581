"""Opening cells: every problem in one error, species by evidence."""

from pathlib import Path

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp

from orthotype.cells.backed import open_stored
from orthotype.cells.table import open_cells
from orthotype.errors import InputError

MOUSE = ["Actb", "Gapdh", "Cd3e", "Ins2", "Gcg", "Sst", "Krt19", "Pecam1"]


def cells(names: list[str], values: np.ndarray | None = None) -> ad.AnnData:
    if values is None:
        values = np.random.default_rng(0).poisson(2.0, size=(6, len(names))) + 1
    adata = ad.AnnData(sp.csr_matrix(values.astype(np.float32)))
    adata.var_names = names
    return adata


def test_species_is_told_from_the_genes() -> None:
    table = open_cells(cells(MOUSE), subject="x")
    assert table.species == "mouse"
    assert table.n_cells == 6


def test_totals_are_sums_over_all_cells() -> None:
    adata = cells(MOUSE)
    np.testing.assert_allclose(open_cells(adata, subject="x").totals, adata.X.toarray().sum(axis=0))


@pytest.mark.parametrize("species", [None, "mouse"])
def test_a_column_that_holds_the_genes_is_named(species: str | None, tmp_path: Path) -> None:
    adata = cells([str(i) for i in range(len(MOUSE))])
    adata.var["chromosome"], adata.var["gene_symbols"] = "chr1", MOUSE
    adata.raw = adata
    adata.write_h5ad(tmp_path / "cells.h5ad")
    said = r"var column 'gene_symbols' holds them: adata.var_names = adata.var\['gene_symbols'\]"
    for given in (adata, open_stored(tmp_path / "cells.h5ad")):
        for layer in ("X", "raw"):
            with pytest.raises(InputError, match=said):
                open_cells(given, subject="x", species=species, layer=layer)


def test_an_unknown_species_is_refused() -> None:
    with pytest.raises(InputError, match="klingon"):
        open_cells(cells(MOUSE), subject="x", species="klingon")


def test_a_wrong_species_is_refused_by_the_evidence() -> None:
    with pytest.raises(InputError, match=r"species human was named, but the gene names are mouse"):
        open_cells(cells(MOUSE), subject="x", species="human")


def test_a_near_relative_is_not_contradicted() -> None:
    """Rhesus symbols are human symbols; nobody should be told that a rhesus file is human."""
    human = [name.upper() for name in MOUSE]
    assert open_cells(cells(human), subject="x", species="rhesus").species == "rhesus"


def test_every_problem_is_in_one_error() -> None:
    values = np.random.default_rng(0).poisson(2.0, size=(6, len(MOUSE))).astype(float)
    values[0, 0] = -1.5
    with pytest.raises(InputError) as caught:
        open_cells(cells(MOUSE, values), subject="cells.h5ad", species="human")
    message = str(caught.value)
    assert message.startswith("cells.h5ad")
    assert "negative" in message
    assert "mouse" in message


def test_cells_without_counts_are_named() -> None:
    values = np.random.default_rng(0).poisson(2.0, size=(6, len(MOUSE))) + 1
    values[2] = 0
    adata = cells(MOUSE, values)
    adata.obs_names = [f"cell{i}" for i in range(6)]
    with pytest.raises(InputError, match=r"1 of 6 cells have no counts at all \('cell2'\)"):
        open_cells(adata, subject="x")


def test_names_of_no_species_are_told() -> None:
    with pytest.raises(InputError, match="species cannot be told"):
        open_cells(cells([f"feature_{i}" for i in range(8)]), subject="x")
