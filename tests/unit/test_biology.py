"""Tables of genes and markers of an annotation: from the model file alone, kept in the file of the cells."""

from pathlib import Path
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import orthotype as ot
from orthotype.errors import InputError
from orthotype.transfer.biology import has_biology
from orthotype.transfer.biology_tables import biology_tables
from orthotype.transfer.profile_pair import Pair

if TYPE_CHECKING:
    from anndata import AnnData

HORMONES = {"SST": "pancreatic D cell", "GCG": "pancreatic A cell"}


@pytest.fixture(scope="module")
def annotated(small_model: ot.LabelTransfer, small_human: "AnnData") -> "AnnData":
    """Give human cells labelled by the mouse model."""
    return small_model.annotate(small_human, alignment="shift", unknown="similarity")


def test_hormones_carry_over_from_mouse_to_human(annotated: "AnnData") -> None:
    genes, markers = ot.transferability(annotated).set_index("gene"), ot.marker_transfer(annotated)
    for gene, name in HORMONES.items():
        assert genes.loc[gene, "target_class"] == genes.loc[gene, "source_class"] == name
        own = markers[(markers["class"] == name) & (markers["gene"] == gene)]
        assert own["verdict"].tolist() == ["carries over"]


def test_clusterin_moves_from_ductal_cells_of_the_mouse_to_human_alpha_cells(annotated: "AnnData") -> None:
    genes, markers = ot.transferability(annotated).set_index("gene"), ot.marker_transfer(annotated)
    assert genes.loc["CLU", ["source_class", "target_class"]].tolist() == [
        "pancreatic ductal cell",
        "pancreatic A cell",
    ]
    assert genes.loc["CLU", "evidence"] != "carries over"
    said = dict(zip(zip(markers["class"], markers["gene"], strict=True), markers["verdict"], strict=True))
    assert said["pancreatic ductal cell", "CLU"] == "lost"
    assert said["pancreatic A cell", "CLU"] == "gained"


def test_every_gene_of_the_model_has_a_row(annotated: "AnnData", small_model: ot.LabelTransfer) -> None:
    genes = ot.transferability(annotated)
    assert sorted(genes["gene"]) == sorted(small_model.state_.space.names)
    assert (
        not genes.drop(columns=["source_class", "target_class"])
        .loc[genes["evidence"] != "not measured"]
        .drop(columns="agreement")
        .isna()
        .to_numpy()
        .any()
    )
    inside = genes.dropna(subset="transferability")
    assert (inside["transferability_low"] <= inside["transferability"] + 1e-6).all()
    assert (inside["transferability"] <= inside["transferability_high"].clip(lower=0) + 1e-6).all()


def test_means_are_those_of_the_assigned_cells(
    annotated: "AnnData", small_model: ot.LabelTransfer, small_human: "AnnData"
) -> None:
    state = small_model.state_
    found = small_model.label(small_human)
    aligned = state.space.align(found.table.genes, species="human")
    rows = np.vstack([block.toarray() for _, block in aligned.blocks(found.table.rows)])
    name, gene = "pancreatic D cell", "SST"
    own = (annotated.obs["orthotype_label"] == name).to_numpy()
    called = found.predictions.winner == list(state.classes).index(name)
    assert 0 < own.sum() < called.sum()
    expected = rows[own, list(state.space.names).index(gene)].mean()
    markers = ot.marker_transfer(annotated)
    row = markers[(markers["class"] == name) & (markers["gene"] == gene)].iloc[0]
    assert row["target_mean"] == pytest.approx(expected, rel=1e-5)


def test_blocks_of_any_size_give_the_same(small_model: ot.LabelTransfer, small_human: "AnnData") -> None:
    found = small_model.label(small_human)
    one, other = (
        biology_tables(Pair.of(small_model.state_, found, block_size=size)) for size in (7, 100_000)
    )
    for name in one:
        pd.testing.assert_frame_equal(one[name].sort_index(), other[name].sort_index(), rtol=1e-4, atol=1e-5)


def test_a_model_file_gives_the_same_without_source_cells(
    annotated: "AnnData", kept: Path, small_human: "AnnData"
) -> None:
    again = ot.load(kept / "model.safetensors").annotate(small_human)
    pd.testing.assert_frame_equal(ot.transferability(again), ot.transferability(annotated))
    pd.testing.assert_frame_equal(ot.marker_transfer(again), ot.marker_transfer(annotated))


def test_the_tables_survive_a_file_and_the_loss_of_genes(annotated: "AnnData", tmp_path: Path) -> None:
    fewer = annotated[:50, :100].copy()
    fewer.write_h5ad(tmp_path / "cells.h5ad", compression="gzip")
    back = ad.read_h5ad(tmp_path / "cells.h5ad")
    pd.testing.assert_frame_equal(ot.transferability(back), ot.transferability(annotated))
    pd.testing.assert_frame_equal(ot.marker_transfer(back), ot.marker_transfer(annotated))


def test_what_is_returned_is_a_copy(annotated: "AnnData") -> None:
    genes = ot.transferability(annotated)
    genes["shift"] = 0.0
    assert ot.transferability(annotated)["shift"].abs().max() > 0


def test_what_alignment_took_off_is_told(
    annotated: "AnnData", small_model: ot.LabelTransfer, small_human: "AnnData"
) -> None:
    shift = small_model.label(small_human).shift
    assert shift is not None
    expected = pd.Series(shift.delta, index=small_model.state_.space.names.astype(str))
    taken = ot.transferability(annotated).set_index("gene")["shift_taken"].dropna()
    assert taken.abs().max() > 0.5
    np.testing.assert_allclose(taken, expected[taken.index], atol=1e-6)


def test_without_alignment_nothing_was_taken_off(
    small_model: ot.LabelTransfer, small_human: "AnnData"
) -> None:
    genes = ot.transferability(small_model.annotate(small_human, alignment="none"))
    assert genes["shift_taken"].dropna().eq(0).all()
    assert genes["shift"].abs().max() > 0.5


def test_genes_that_the_target_lacks_are_not_measured(
    small_model: ot.LabelTransfer, small_human: "AnnData"
) -> None:
    cells = small_model.annotate(small_human[:, small_human.var_names != "SST"].copy())
    genes, markers = ot.transferability(cells).set_index("gene"), ot.marker_transfer(cells)
    assert genes.loc["SST", "evidence"] == "not measured"
    assert markers.loc[markers["gene"] == "SST", "verdict"].tolist().count("not measured") >= 1


def test_one_cell_decides_nothing(small_model: ot.LabelTransfer, small_human: "AnnData") -> None:
    cells = small_model.annotate(small_human[:1].copy())
    assert set(ot.transferability(cells)["evidence"]) == {"undecided", "not measured"}
    assert set(ot.marker_transfer(cells)["verdict"]) <= {"undecided", "no cells", "not measured"}


def test_an_older_annotation_is_refused_with_advice(annotated: "AnnData") -> None:
    older = annotated.copy()
    del older.uns["orthotype"]["transferability"]
    assert not has_biology(older)
    for function in (ot.transferability, ot.marker_transfer):
        with pytest.raises(InputError, match="run orthotype annotate again"):
            function(older)
        with pytest.raises(InputError, match="mine"):
            function(annotated, key_added="mine")
