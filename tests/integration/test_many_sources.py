"""Several sources as one reference, from files and memory, without being put together. Bundled cells."""

from pathlib import Path
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pytest

import orthotype as ot
from orthotype.errors import GeneError, InputError
from orthotype.genes.identify import identify

if TYPE_CHECKING:
    from anndata import AnnData

LABELS = "cell_ontology_class"


@pytest.fixture(scope="module")
def halves(small_mouse: "AnnData") -> "tuple[AnnData, AnnData]":
    """Give two halves of the mouse cells, each without some genes of the other, in another order.

    Genes are named by their ids: what an old symbol means depends on the symbols beside it.
    """
    ids = identify(small_mouse.var_names, species="mouse").ids
    genes = np.flatnonzero([bool(gene) for gene in ids])
    cells = small_mouse[:, genes].copy()
    cells.var_names = ids[genes].astype(str)
    cells = cells[:, ~cells.var_names.duplicated(keep=False)]
    even, order = np.arange(cells.n_obs) % 2 == 0, np.arange(cells.n_vars)
    return cells[even][:, order[:-300]].copy(), cells[~even][:, order[300:][::-1]].copy()


def test_parts_of_a_reference_are_the_reference(halves: "tuple[AnnData, AnnData]", tmp_path: Path) -> None:
    one, two = halves
    two.write_h5ad(tmp_path / "two.h5ad", compression="gzip")
    shared = [gene for gene in one.var_names if gene in set(two.var_names)]
    whole = anndata.concat([one[:, shared], two[:, shared]])
    expected = ot.LabelTransfer().fit(whole, labels=LABELS, species="mouse")
    found = ot.LabelTransfer().fit([one, tmp_path / "two.h5ad"], labels=LABELS, species="mouse")
    ours, theirs = found.state_.to_arrays(), expected.state_.to_arrays()
    for name in theirs:
        np.testing.assert_array_equal(ours[name], theirs[name])
    assert found.card["sources"] == [
        {"name": "source 1", "species": "mouse", "n_cells": 200},
        {"name": "two.h5ad", "species": "mouse", "n_cells": 200},
    ]
    assert found.card["held_out"] == expected.card["held_out"]
    assert "sources" not in expected.card


def test_two_species_are_one_reference(small_mouse: "AnnData", small_human: "AnnData") -> None:
    few = small_human[::3].copy()
    model = ot.LabelTransfer().fit([small_mouse, few], labels=LABELS)
    assert [source["species"] for source in model.card["sources"]] == ["mouse", "human"]
    assert "pancreatic acinar cell" in model.card["classes"]
    rest = small_human[np.arange(small_human.n_obs) % 3 != 0]
    found = model.annotate(rest.copy()).obs["orthotype_label"].astype(str)
    assert (found.to_numpy() == rest.obs[LABELS].to_numpy()).mean() > 0.9


def test_batches_of_several_sources_are_told_apart(halves: "tuple[AnnData, AnnData]") -> None:
    one, two = (half.copy() for half in halves)
    for half in (one, two):
        half.obs["donor"] = np.where(np.arange(half.n_obs) % 2, "a", "b")
    model = ot.LabelTransfer().fit([one, two], labels=LABELS, batch="donor")
    assert model.card["n_batches"] == 4


def test_sources_that_do_not_fit_together(halves: "tuple[AnnData, AnnData]", small_mouse: "AnnData") -> None:
    one, _ = halves
    apart = (small_mouse[:, :600].copy(), small_mouse[:, 600:1200].copy())
    with pytest.raises(GeneError, match="source 2: none of its 600 genes is shared by all sources"):
        ot.LabelTransfer().fit(apart, labels=LABELS, species="mouse")
    with pytest.raises(InputError, match=r"source 1: there is no obs column 'type'"):
        ot.LabelTransfer().fit([one, one], labels="type")
    with pytest.raises(InputError, match="no source was given"):
        ot.LabelTransfer().fit([], labels=LABELS)
    with pytest.raises(InputError, match="1 species were named for 2 sources"):
        ot.LabelTransfer().fit([one, one], labels=LABELS, species=["mouse"])
    with pytest.raises(InputError, match=r"5 classes have fewer than 1000 cells"):
        ot.LabelTransfer().fit([one, one], labels=LABELS, min_cells=1000)
