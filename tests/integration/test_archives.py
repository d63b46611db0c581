"""Model files of every format that was ever written open, and label cells as they did.

A file of a new format is made with ``LabelTransfer(n_top_genes=60).fit(cells(genes, 0), ...)`` on the first
gene of each of the first 120 ortholog features of mouse and human, and saved as ``format-N.safetensors``.
"""

from pathlib import Path

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp

import orthotype as ot
from orthotype.models.store import FORMAT_VERSION, read_card

ARCHIVES = Path(__file__).parents[1] / "archives"
# Fit of the first three cells, and the share of all cells that are unknown.
KNOWN = {1: ([-0.29571, -1.27432, -1.00825], 0.1111)}


def cells(genes: list[str], again: int) -> ad.AnnData:
    """Return ninety cells of three classes; drawn once more around themselves as a target."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 30)
    means = rng.gamma(0.6, 3, size=(3, 120))
    X = rng.poisson(means[y] * rng.gamma(4, 0.25, size=(90, 1)))
    for _ in range(again):
        X = rng.poisson(X)
    adata = ad.AnnData(sp.csr_matrix(X.astype(np.float32)))
    adata.var_names, adata.obs_names = genes, [f"cell{i}" for i in range(90)]
    adata.obs["cell_type"] = np.array(["a", "b", "c"])[y]
    return adata


def test_every_older_format_has_an_archive() -> None:
    assert set(KNOWN) == set(range(1, FORMAT_VERSION))


@pytest.mark.parametrize("version", KNOWN)
def test_a_file_of_an_older_format_labels_as_it_did(version: int, tmp_path: Path) -> None:
    path = ARCHIVES / f"format-{version}.safetensors"
    assert read_card(path)["format_version"] == version
    model = ot.load(path)
    genes = [members[0] for members in model.state_.space.orthologs.source_members]
    target = cells(genes, 1)
    found = model.label(target, species="mouse")
    fit, unknown = KNOWN[version]
    np.testing.assert_allclose(found.fit[:3], fit, atol=2e-4)
    assert (found.predictions.status == "unknown").mean() == pytest.approx(unknown, abs=0.012)
    assert (found.predictions.winner == np.repeat([0, 1, 2], 30)).all()
    model.save(tmp_path / "again.safetensors")
    again = ot.load(tmp_path / "again.safetensors").label(target, species="mouse")
    np.testing.assert_array_equal(again.fit, found.fit)
