"""Which true class is which class of the model: by name, by spelling, by ontology, and never by guess."""

import numpy as np
import pytest

from orthotype.transfer.annotated import match_classes


def test_equal_names_need_no_partner() -> None:
    assert match_classes(["a", "b"], ("a", "b"), ids={}, class_ids={}) == {}


@pytest.mark.parametrize("name", ["T_cell", "t cell", "T-Cell", " T  cell "])
def test_spelling_does_not_matter(name: str) -> None:
    found = match_classes([name], ("T cell", "B cell"), ids={}, class_ids={})
    assert found[name][0] == "T cell"


def test_ontology_ids_join_other_names() -> None:
    found = match_classes(
        ["alpha", "acinar"],
        ("pancreatic A cell", "ductal"),
        ids={"alpha": "CL:0000171", "acinar": "CL:0002064"},
        class_ids={"pancreatic A cell": "CL:0000171", "ductal": "CL:0002079"},
    )
    assert found == {"alpha": ("pancreatic A cell", "both have the same Cell Ontology id")}


def test_two_classes_with_one_id_are_not_joined() -> None:
    """Activated and quiescent stellate cells share an id; neither may silently become the other."""
    found = match_classes(
        ["activated", "quiescent"],
        ("stellate",),
        ids={"activated": "CL:1", "quiescent": "CL:1"},
        class_ids={"stellate": "CL:1"},
    )
    assert found == {}


def test_a_class_that_is_matched_by_name_is_not_matched_again() -> None:
    found = match_classes(
        ["beta", "B"], ("beta",), ids={"B": "CL:2", "beta": "CL:2"}, class_ids={"beta": "CL:2"}
    )
    assert found == {}


def test_two_spellings_of_one_class_are_not_joined() -> None:
    assert match_classes(["T_cell", "t cell"], ("T-cell",), ids={}, class_ids={}) == {}


def test_result_does_not_depend_on_the_order_of_classes() -> None:
    names, classes = ["x y", "z"], ["X_Y", "Z!", "z?"]
    found = {
        tuple(sorted(match_classes(names, tuple(classes[i] for i in order), ids={}, class_ids={}).items()))
        for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2])
    }
    assert len(found) == 1
    assert np.unique([len(pairs) for pairs in found]).tolist() == [1]
