"""Columns of obs: which are proposed, and which labels will do. Made-up columns."""

import anndata
import numpy as np
import pandas as pd
import pytest

from orthotype import datasets
from orthotype.cells.columns import (
    batch_columns,
    check_labels,
    label_columns,
    label_values,
    ontology_column,
    ontology_ids,
)
from orthotype.errors import InputError, OrthotypeWarning, Problems


def cells(**columns):
    n_cells = len(next(iter(columns.values())))
    obs = pd.DataFrame(columns, index=[f"cell{i}" for i in range(n_cells)])
    return anndata.AnnData(np.ones((n_cells, 1), dtype=np.float32), obs=obs)


def names(candidates):
    return [candidate.column for candidate in candidates]


def refused(adata, labels="cell_type", **options):
    with pytest.raises(InputError) as caught:
        check_labels(adata, labels, subject="cells.h5ad", **options)
    return str(caught.value)


def test_real_columns_are_found_in_order():
    adata = datasets.get("baron2016-human")
    assert names(label_columns(adata))[0] == "cell_type"
    assert names(batch_columns(adata))[:2] == ["donor", "library"]
    first = label_columns(adata)[0]
    assert next(iter(first.counts.items())) == ("beta", 623)
    assert first.to_dict()["n_values"] == 14
    assert ontology_column(adata) == "cell_type_ontology_term_id"
    assert ontology_ids(adata, "cell_type")["beta"] == "CL:0000169"


@pytest.mark.parametrize(
    "name", ["cell_type", "celltype", "CellType", "free_annotation", "leiden", "seurat_clusters"]
)
def test_usual_names_of_label_columns_are_known(name):
    assert names(label_columns(cells(**{name: ["a", "b", "a", "b"], "other": ["a", "b", "a", "b"]}))) == [
        name
    ]


@pytest.mark.parametrize(
    "name", ["donor", "donor_id", "sample", "orig.ident", "batch", "Patient", "library_id"]
)
def test_usual_names_of_batch_columns_are_known(name):
    assert names(batch_columns(cells(**{name: ["a", "b", "a", "b"], "sex": ["f", "m", "f", "m"]}))) == [name]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([0.5, 0.25] * 4, id="measurement"),
        pytest.param(["a", "a", "a", "a"], id="one value"),
        pytest.param(["a", "b", "c", "d"], id="a value for each cell"),
        pytest.param([None, None, None, "a"], id="hardly any"),
    ],
)
def test_what_cannot_be_labels_is_not_proposed(values):
    assert label_columns(cells(cell_type=values)) == []


def test_scores_and_colours_are_not_labels():
    assert label_columns(cells(cell_type_score=[1, 2, 1, 2], cell_type_colors=["r", "g", "r", "g"])) == []


@pytest.mark.parametrize("gap", [None, np.nan, "", "  ", "nan", "NA", "None"])
def test_missing_labels_are_none(gap):
    values = label_values(pd.Series(["beta", gap, "alpha"]))
    assert values.tolist() == ["beta", None, "alpha"]


def test_labels_of_any_type_become_text():
    assert label_values(pd.Series(pd.Categorical(["b", None, "a"]))).tolist() == ["b", None, "a"]
    assert label_values(pd.Series([1, 2, 1])).tolist() == ["1", "2", "1"]
    assert label_values(pd.Series([1.0, np.nan, 2.0])).tolist() == ["1", None, "2"]
    assert label_values(pd.Series([True, False])).tolist() == ["True", "False"]
    assert label_values(pd.Series(["b", pd.NA], dtype="string")).tolist() == ["b", None]
    assert label_values(pd.Series([], dtype=object)).tolist() == []


def test_good_labels_come_back_with_gaps():
    values = check_labels(cells(cell_type=["a", "b", None, "a", "b"]), "cell_type")
    assert values.tolist() == ["a", "b", None, "a", "b"]


def test_a_missing_column_offers_the_nearest_and_the_likely():
    message = refused(cells(celltype=["a", "b"] * 2, leiden=["0", "1"] * 2, cell_score=[0.1, 0.2, 0.3, 0.4]))
    assert "no obs column 'cell_type'" in message
    assert "such as 'celltype', 'leiden';" in message


def test_no_columns_at_all():
    adata = anndata.AnnData(np.ones((2, 1), dtype=np.float32))
    assert "obs columns, found none" in refused(adata)


def test_all_problems_of_the_labels_at_once():
    message = refused(cells(cell_type=["a", "a", "b", "unknown", "Unknown", "No agreement", "No agreement"]))
    assert message.startswith("cells.h5ad has 2 problems")
    assert "3 of 5 classes in 'cell_type' with one cell: 'Unknown', 'b', 'unknown'" in message
    assert "are named 'No agreement', 'Unknown', 'unknown', which orthotype uses" in message


def test_the_least_number_of_cells_can_be_chosen():
    adata = cells(cell_type=["a", "a", "a", "b", "b", "c"])
    assert "pass min_cells=1 (--min-cells 1)" in refused(adata)
    assert check_labels(adata, "cell_type", min_cells=1) is not None
    assert "2 of 3 classes in 'cell_type' with fewer than 3 cells: 'b', 'c'" in refused(adata, min_cells=3)


def test_only_one_class_or_none():
    assert "names only one class ('a')" in refused(cells(cell_type=["a", "a", None]))
    assert "no cell has a label" in refused(cells(cell_type=[None, "", "nan"]))


def test_measurements_are_not_classes():
    assert "holds measurements ('0.5', '1.25')" in refused(cells(cell_type=[0.5, 1.25]))


def test_problems_can_be_collected():
    problems = Problems("cells.h5ad")
    problems.add("something else")
    assert check_labels(cells(cell_type=["a", "a"]), "cell_type", problems=problems) is None
    assert len(problems.found) == 2
    clean = Problems("cells.h5ad")
    assert check_labels(cells(cell_type=["a", "a", "b", "b"]), "cell_type", problems=clean) is not None
    assert clean.found == []


def test_the_ontology_id_of_nearly_all_cells_names_a_class():
    adata = cells(
        cell_type=[*"a" * 10, "b", "c", "coarse", "coarse", "coarse", None],
        terms=[
            "CL:0000001",
            *["CL_0000002", "CL:0000002", "CL:0000002"] * 3,
            "unknown",
            None,
            *["CL:0000003", "CL:0000003", "CL:0000004"],
            "CL:0000003",
        ],
    )
    assert ontology_column(adata) == "terms"
    assert ontology_ids(adata, "cell_type") == {"a": "CL:0000002"}


def test_blanks_around_a_label_are_no_part_of_it():
    assert label_values(pd.Series(["beta", " beta", "beta ", " #N/A "])).tolist() == ["beta"] * 3 + [None]


def test_classes_that_differ_only_in_spelling_are_told():
    adata = cells(cell_type=["T cell", "T cell", "t-cell", "t-cell", "B", "B"])
    with pytest.warns(OrthotypeWarning, match="'T cell' and 't-cell'; rename them"):
        assert check_labels(adata, "cell_type").tolist() == adata.obs["cell_type"].tolist()


def test_without_ontology_ids_there_are_none():
    adata = cells(cell_type=["a", "b"], tissue=["UBERON:0000001", "UBERON:0000002"])
    assert ontology_column(adata) is None
    assert ontology_ids(adata, "cell_type") == {}


def test_views_behave_as_their_cells():
    adata = cells(cell_type=pd.Categorical(["a", "a", "b", "b", "c", "c"]))[:4]
    assert check_labels(adata, "cell_type").tolist() == ["a", "a", "b", "b"]
    assert list(label_columns(adata)[0].counts) == ["a", "b"]
