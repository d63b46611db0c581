"""Cells that cannot be used: one message that says what was found, what was expected and what to do."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import orthotype as ot
from orthotype.genes.identify import identify

Command = Callable[..., Any]
Refused = Callable[..., str]
Change = Callable[[anndata.AnnData], None]
LABELS = ("--labels", "cell_ontology_class")
OUT = ("-o", "new.safetensors")


def with_values(cells: anndata.AnnData, values: np.ndarray, *, row: int = 0) -> None:
    """Put values over the first stored ones of a cell."""
    X = sp.csr_matrix(cells.X, dtype=np.float32, copy=True)
    start = X.indptr[row]
    X.data[start : start + len(values)] = values
    cells.X = X


def negative(cells: anndata.AnnData) -> None:
    with_values(cells, np.array([-1.0, -2.5]))


def missing_values(cells: anndata.AnnData) -> None:
    with_values(cells, np.array([np.nan]), row=2)


def infinite(cells: anndata.AnnData) -> None:
    with_values(cells, np.array([np.inf]), row=2)


def scaled(cells: anndata.AnnData) -> None:
    logs = np.log1p(cells.X.toarray())
    cells.X = ((logs - logs.mean(axis=0)) / (logs.std(axis=0) + 1e-6)).astype(np.float32)


def empty_cells(cells: anndata.AnnData) -> None:
    X = cells.X.tolil()
    X[[1, 5, 9]] = 0
    cells.X = X.tocsr()


def nothing_counted(cells: anndata.AnnData) -> None:
    cells.X = sp.csr_matrix(cells.shape, dtype=np.float32)


def foreign_genes(cells: anndata.AnnData) -> None:
    cells.var_names = [f"feature_{i}" for i in range(cells.n_vars)]


MATRICES: dict[str, tuple[Change, tuple[str, ...]]] = {
    "negative values": (negative, ("negative values, down to -2.5", "1 of ", "'mouse1_lib1", "--layer")),
    "NaN": (missing_values, ("NaN or infinite values", "1 of ", "set missing values to 0")),
    "infinity": (infinite, ("NaN or infinite values", "1 of ")),
    "scaled": (scaled, ("scaled", "negative values", "counts or log-normalised values", "--layer")),
    "cells without counts": (empty_cells, ("3 of 60 cells have no counts", "'mouse1_lib1", "remove them")),
    "no counts at all": (nothing_counted, ("all values of X are zero", "expected counts")),
    "foreign genes": (foreign_genes, ("'feature_0'", "gene symbols or Ensembl ids", "--species")),
}


def saved(cells: anndata.AnnData, name: str) -> None:
    """Write cells whose names need not be unique, of which anndata warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cells.copy().write_h5ad(name)


@pytest.fixture
def few(small_mouse: anndata.AnnData) -> anndata.AnnData:
    """Give 60 mouse cells to spoil."""
    return small_mouse[::6][:60].copy()


@pytest.mark.parametrize("name", MATRICES)
def test_matrices_that_cannot_be_trained_on(refused: Refused, few: anndata.AnnData, name: str) -> None:
    change, facts = MATRICES[name]
    change(few)
    few.write_h5ad("bad.h5ad")
    message = refused("train", "bad.h5ad", *LABELS, *OUT)
    assert message.startswith("bad.h5ad: ")
    for fact in facts:
        assert fact in message


@pytest.mark.parametrize("name", MATRICES)
def test_matrices_that_cannot_be_labelled(
    refused: Refused, few: anndata.AnnData, kept: Path, name: str
) -> None:
    change, facts = MATRICES[name]
    change(few)
    few.write_h5ad("bad.h5ad")
    message = refused(
        "annotate", kept / "model.safetensors", "bad.h5ad", "-o", "out.h5ad", "--table", "t.csv"
    )
    assert message.startswith("bad.h5ad: ")
    for fact in facts:
        assert fact in message


@pytest.mark.parametrize("name", [name for name in MATRICES if name != "cells without counts"])
def test_inspect_shows_what_the_others_refuse(orthotype: Command, few: anndata.AnnData, name: str) -> None:
    change, facts = MATRICES[name]
    change(few)
    few.write_h5ad("bad.h5ad")
    done = orthotype("inspect", "bad.h5ad", "--json")
    assert (done.code, done.err) == (0, "")
    (problem,) = done.json["problems"]
    assert facts[0] in problem


def test_a_missing_label_column_offers_the_nearest(refused: Refused, kept: Path) -> None:
    message = refused("train", kept / "mouse.h5ad", "--labels", "celltype", *OUT)
    assert message.startswith(f"{kept / 'mouse.h5ad'}: there is no obs column 'celltype'")
    assert "'cell_type', 'cell_ontology_class'" in message
    assert "--labels" in message


def test_a_missing_batch_column_offers_the_nearest(refused: Refused, kept: Path) -> None:
    message = refused("train", kept / "mouse.h5ad", *LABELS, "--batch", "donors", *OUT)
    assert "no obs column 'donors'" in message
    assert "'donor'" in message


def test_one_class_only(refused: Refused, few: anndata.AnnData) -> None:
    few.obs["cell_type"] = "beta"
    few.write_h5ad("bad.h5ad")
    message = refused("train", "bad.h5ad", "--labels", "cell_type", *OUT)
    assert "only one class ('beta')" in message
    assert "at least two classes" in message


def test_a_class_with_one_cell(orthotype: Command, refused: Refused, few: anndata.AnnData) -> None:
    few.obs["cell_type"] = ["rare", *few.obs["cell_type"].astype(str)[1:]]
    few.write_h5ad("bad.h5ad")
    message = refused("train", "bad.h5ad", "--labels", "cell_type", *OUT)
    assert "with one cell: 'rare'" in message
    assert "--min-cells 1" in message
    done = orthotype("train", "bad.h5ad", "--labels", "cell_type", *OUT, "--min-cells", "1")
    assert done.code == 0, done.err


def test_no_label_at_all(refused: Refused, few: anndata.AnnData) -> None:
    few.obs["cell_type"] = "nan"
    few.write_h5ad("bad.h5ad")
    assert "no cell has a label" in refused("train", "bad.h5ad", "--labels", "cell_type", *OUT)


def test_measurements_are_no_labels(refused: Refused, few: anndata.AnnData) -> None:
    few.obs["score"] = np.linspace(0, 1, few.n_obs)
    few.write_h5ad("bad.h5ad")
    assert "measurements" in refused("train", "bad.h5ad", "--labels", "score", *OUT)


def test_a_class_with_the_name_of_a_verdict(refused: Refused, few: anndata.AnnData) -> None:
    few.obs["cell_type"] = np.where(np.arange(few.n_obs) < 5, "unknown", few.obs["cell_type"].astype(str))
    few.write_h5ad("bad.h5ad")
    assert "are named 'unknown'" in refused("train", "bad.h5ad", "--labels", "cell_type", *OUT)


def test_the_wrong_species_is_detected_from_the_genes(refused: Refused, kept: Path) -> None:
    message = refused("train", kept / "mouse.h5ad", *LABELS, "--species", "human", *OUT)
    assert "species human was named, but the gene names are mouse" in message
    assert "name the species mouse" in message
    message = refused(
        *("annotate", kept / "model.safetensors", kept / "human.h5ad", "--species", "mouse", "-o", "o.h5ad")
    )
    assert "species mouse was named, but the gene names are human" in message
    message = refused(
        *("train", kept / "mouse.h5ad", *LABELS, *OUT),
        *("--target", kept / "human.h5ad", "--target-species", "mouse"),
    )
    assert message.startswith(f"{kept / 'human.h5ad'}: species mouse was named")


def test_an_unknown_species_lists_those_known(refused: Refused, kept: Path) -> None:
    message = refused("train", kept / "mouse.h5ad", *LABELS, "--species", "muose", *OUT)
    assert "unknown species 'muose'" in message
    assert "'mouse'" in message


@pytest.mark.parametrize("species", ["Mus musculus", "MOUSE", "10090"])
def test_species_have_several_names(orthotype: Command, few: anndata.AnnData, species: str) -> None:
    few.write_h5ad("few.h5ad")
    done = orthotype(
        *(
            "train",
            "few.h5ad",
            "--labels",
            "donor",
            "--species",
            species,
            "--n-top-genes",
            "50",
            "--json",
            *OUT,
        )
    )
    assert done.json["species"] == "mouse"


@pytest.mark.parametrize("species", ["human", "mouse"])
def test_names_that_are_no_genes_of_the_species(
    refused: Refused, few: anndata.AnnData, kept: Path, species: str
) -> None:
    foreign_genes(few)
    few.write_h5ad("bad.h5ad")
    message = refused(
        *("annotate", kept / "model.safetensors", "bad.h5ad", "--species", species, "-o", "out.h5ad")
    )
    assert f"none of the 14,877 gene names is a gene of {species}" in message
    assert f"gene symbols or Ensembl ids of {species}" in message


def with_counts(cells: anndata.AnnData, genes: object) -> anndata.AnnData:
    """Return some genes, and the cells in which any of them was counted."""
    part = cells[:, genes]
    return part[np.asarray(part.X.sum(axis=1)).ravel() > 0].copy()


def test_a_target_without_any_gene_of_the_model(
    refused: Refused, small_human: anndata.AnnData, small_model: ot.LabelTransfer, kept: Path
) -> None:
    space = small_model.state_.space
    used = {gene for j in space.selected for gene in space.orthologs.target_members[j]}
    names = small_human.var_names
    for _ in range(2):  # without its own row, a gene may be found under one of its older names
        names = names[[gene not in used for gene in identify(names, species="human").ids]]
    with_counts(small_human, names).write_h5ad("rest.h5ad")
    message = refused("annotate", kept / "model.safetensors", "rest.h5ad", "-o", "out.h5ad")
    assert f"none of the {len(space.selected):,} genes of the model" in message
    assert "orthotype inspect" in message


def test_source_and_target_without_a_common_gene(
    refused: Refused, small_mouse: anndata.AnnData, small_human: anndata.AnnData
) -> None:
    with_counts(small_mouse, ["Gcg", "Sst", "Pecam1", "Krt8", "Sparc", "Clu"]).write_h5ad("mouse.h5ad")
    with_counts(small_human, small_human.var_names.str.startswith("RP")).write_h5ad("human.h5ad")
    message = refused("train", "mouse.h5ad", *LABELS, "--target", "human.h5ad", *OUT)
    assert "no gene is shared" in message


def test_every_problem_of_a_file_at_once(refused: Refused, few: anndata.AnnData) -> None:
    negative(few)
    few.write_h5ad("bad.h5ad")
    message = refused(
        *("train", "bad.h5ad", "--labels", "celltype", "--batch", "donors", "--species", "human", *OUT)
    )
    first, *problems = message.splitlines()
    assert first == "bad.h5ad has 4 problems:"
    for number, (problem, fact) in enumerate(
        zip(problems, ("'celltype'", "'donors'", "negative values", "species human was named"), strict=True),
        1,
    ):
        assert problem.startswith(f"  {number}. ")
        assert fact in problem


def test_names_that_are_not_unique_are_summed_and_told(
    orthotype: Command, small_human: anndata.AnnData, kept: Path
) -> None:
    twice = small_human.copy()
    names = twice.var_names.to_numpy().astype(object).copy()
    spare = np.flatnonzero(~twice.var_names.isin(["GCG"]))[:2]
    names[spare] = "GCG"
    twice.var_names = names
    saved(twice, "twice.h5ad")
    done = orthotype("annotate", kept / "model.safetensors", "twice.h5ad", "-o", "out.h5ad")
    assert done.code == 0
    note, *_ = done.err.splitlines()
    assert note.startswith("orthotype: note: ")
    assert "1 gene names are not unique, 3 rows have them ('GCG')" in note
    assert "summed" in note
    record = ot.read("out.h5ad").uns["orthotype"]["details"]
    assert '["GCG", "GCG", "GCG"]' in record


def test_names_that_are_not_unique_are_told_when_training(orthotype: Command, few: anndata.AnnData) -> None:
    names = few.var_names.to_numpy().astype(object).copy()
    names[:2] = "Gcg"
    few.var_names = names
    saved(few, "twice.h5ad")
    done = orthotype("train", "twice.h5ad", "--labels", "donor", "--n-top-genes", "50", "--json", *OUT)
    assert "not unique, 3 rows have them ('Gcg')" in done.err
    assert done.json["genes"]["duplicated_examples"][0] == ["Gcg", "Gcg", "Gcg"]


def test_cells_with_the_same_name_are_labelled_all(
    orthotype: Command, small_human: anndata.AnnData, kept: Path
) -> None:
    saved(small_human[[0, 1, 1, 2]], "twice.h5ad")
    done = orthotype("annotate", kept / "model.safetensors", "twice.h5ad", "-o", "out.h5ad")
    assert (done.code, done.err) == (0, "orthotype: wrote out.h5ad\n")
    labels = ot.read("out.h5ad").obs["orthotype_label"].tolist()
    assert len(labels) == 4
    assert labels[1] == labels[2]


@pytest.mark.parametrize("n", [0, 1])
def test_no_cell_and_one_cell(
    orthotype: Command, refused: Refused, small_human: anndata.AnnData, kept: Path, n: int
) -> None:
    small_human[:n].copy().write_h5ad("few.h5ad")
    words = ("annotate", kept / "model.safetensors", "few.h5ad", "-o", "out.h5ad")
    if n:
        assert orthotype(*words).code == 0
    else:
        assert "0 cells" in refused(*words)


def test_a_file_without_genes(refused: Refused, small_mouse: anndata.AnnData) -> None:
    small_mouse[:, :0].copy().write_h5ad("none.h5ad")
    message = refused("train", "none.h5ad", *LABELS, *OUT)
    assert message == "none.h5ad: 400 cells and 0 genes; expected at least one of each"


def test_a_missing_layer_names_those_there(refused: Refused, few: anndata.AnnData) -> None:
    few.layers["counts"] = few.X.copy()
    few.write_h5ad("few.h5ad")
    message = refused("train", "few.h5ad", *LABELS, "--layer", "count", *OUT)
    assert "no matrix named 'count'" in message
    assert "did you mean 'counts'" in message


def test_batches_that_hold_whole_classes(orthotype: Command, refused: Refused, few: anndata.AnnData) -> None:
    few.obs["one"] = "a"
    few.obs["apart"] = few.obs["cell_type"].astype(str) + " plate"
    few.obs["partly"] = np.where(
        few.obs["cell_type"] == "beta", "a", np.where(np.arange(few.n_obs) % 2, "a", "b")
    )
    few.write_h5ad("few.h5ad")
    train = ("train", "few.h5ad", "--labels", "cell_type", "--n-top-genes", "50", *OUT, "--batch")
    assert "only one batch ('a')" in refused(*train, "one")
    assert "no class is in more than one batch of 'apart'" in refused(*train, "apart")
    done = orthotype(*train, "partly")
    assert done.code == 0
    assert "1 of 5 classes are in one batch of 'partly' only ('beta')" in done.err


def test_cells_without_a_batch_are_one_batch_and_told(orthotype: Command, few: anndata.AnnData) -> None:
    few.obs["plate"] = np.where(np.arange(few.n_obs) % 2, "a", "b")
    few.obs.loc[few.obs_names[:3], "plate"] = np.nan
    few.write_h5ad("few.h5ad")
    done = orthotype(
        *("train", "few.h5ad", "--labels", "cell_type", "--n-top-genes", "50", *OUT, "--batch", "plate")
    )
    assert done.code == 0
    assert "3 cells have no value in 'plate'" in done.err


def test_cells_that_were_never_annotated(refused: Refused, kept: Path) -> None:
    for words in (
        ("evaluate", kept / "human.h5ad", *LABELS),
        ("report", kept / "human.h5ad", "-o", "r.html"),
    ):
        message = refused(*words)
        assert message.startswith(f"{kept / 'human.h5ad'}: ")
        assert "no annotation under 'orthotype'" in message
        assert "orthotype annotate" in message


def test_evaluating_against_a_column_that_is_missing_or_of_other_things(refused: Refused, kept: Path) -> None:
    message = refused("evaluate", kept / "annotated.h5ad", "--labels", "celltype", "--groups", "donors")
    assert "has 2 problems" in message
    assert "'cell_type'" in message
    assert "'donor'" in message
    message = refused("evaluate", kept / "annotated.h5ad", "--labels", "library")
    assert "'lib1'" in message
    assert "'pancreatic A cell'" in message


@pytest.mark.parametrize("key", ["", "a/b"])
def test_keys_that_no_file_could_hold(refused: Refused, kept: Path, key: str) -> None:
    words = ("annotate", kept / "model.safetensors", kept / "human.h5ad", "-o", "out.h5ad", "--key", key)
    assert f"the key {key!r} cannot be a prefix" in refused(*words)


def test_an_ortholog_table_that_cannot_be_used(refused: Refused, kept: Path) -> None:
    words = ("train", kept / "mouse.h5ad", *LABELS, *OUT, "--orthologs", "mine.csv")
    assert "mine.csv" in refused(*words)
    pd.DataFrame({"mouse": ["a1", "b1"], "human": ["X1", "X2"]}).to_csv("mine.csv", index=False)
    refused(*words)
