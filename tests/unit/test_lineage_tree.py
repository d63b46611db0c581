"""Neighbours from a file, from the bundled tree and from the ontology; every bad line in one error."""

import pytest

from orthotype.errors import InputError
from orthotype.lineage import CellOntology, Lineage
from orthotype.lineage.ontology import Term

PUBLISHED = {
    "HSPCs": {"Erythroblasts", "Monoblasts", "Myeloblasts", "Pro-B", "T-NK", "Megakaryocytes", "Basophils"},
    "Erythroblasts": {"HSPCs"},
    "Megakaryocytes": {"HSPCs"},
    "Basophils": {"HSPCs"},
    "T-NK": {"HSPCs"},
    "Monoblasts": {"HSPCs", "Monocytes"},
    "Monocytes": {"Monoblasts"},
    "Myeloblasts": {"HSPCs", "Myelocytes"},
    "Myelocytes": {"Myeloblasts", "Neutrophils"},
    "Neutrophils": {"Myelocytes"},
    "Pro-B": {"HSPCs", "Pre-B"},
    "Pre-B": {"Pro-B"},
    "Pericytes": set(),
    "Endothelial cells": set(),
}


def test_the_bundled_tree_has_the_neighbours_of_the_paper():
    tree = Lineage.bundled("haematopoiesis")
    assert {name: set(tree.neighbours(name)) for name in tree.names} == PUBLISHED


@pytest.mark.parametrize(
    ("true", "called", "relation"),
    [
        ("Neutrophils", "Neutrophils", "correct"),
        ("Neutrophils", "Myelocytes", "proximal"),
        ("Myelocytes", "Neutrophils", "proximal"),
        ("Neutrophils", "Myeloblasts", "distal"),
        ("Pericytes", "Endothelial cells", "distal"),
        ("Neutrophils", "Eosinophils", "unplaced"),
        ("Eosinophils", "Neutrophils", "unplaced"),
        ("Eosinophils", "eosinophils", "correct"),
        ("pro_b", "Pre B", "proximal"),
    ],
)
def test_how_far_a_label_is_from_the_truth(true, called, relation):
    assert Lineage.bundled().relation(true, called) == relation


@pytest.mark.parametrize("word", ["no agreement", "unknown"])
def test_a_status_is_no_class(word):
    with pytest.raises(InputError, match="no cell type"):
        Lineage.bundled().relation("HSPCs", word)


def test_a_file_is_paths_with_comments_and_either_separator(tmp_path):
    path = tmp_path / "blood.txt"
    path.write_text(
        "\ufeff# stem cells first\nHSC > Pro-B > Pre-B\n\nHSC\tT cell\n  Pericyte #3  \nPro-B > Pre-B\r\n",
        encoding="utf-8",
    )
    tree = Lineage.read(path)
    assert tree.edges == (("HSC", "Pro-B"), ("Pro-B", "Pre-B"), ("HSC", "T cell"))
    assert set(tree.names) == {"HSC", "Pro-B", "Pre-B", "T cell", "Pericyte #3"}
    assert tree.neighbours("Pericyte #3") == frozenset()
    assert tree.origin == "blood.txt"


def test_a_sign_within_a_name_is_no_separator(tmp_path):
    path = tmp_path / "tree.txt"
    path.write_text("CD34>CD38 > B", encoding="utf-8")
    assert Lineage.read(path).edges == (("CD34>CD38", "B"),)


def test_every_bad_line_is_named_at_once(tmp_path):
    path = tmp_path / "bad.txt"
    lines = [
        "A > B > C",
        "A > > X",
        "> X",
        "B >",
        "B > A",
        "unknown > Q",
        "c > D",
        "Z > Z",
        "fine > too",
        "C > A",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError) as raised:
        Lineage.read(path)
    words = {2: "missing", 3: "missing", 4: "missing", 5: "circle", 6: "reserved"}
    words |= {7: "spelled 'C' in line 1", 8: "joined to itself", 10: "circle"}
    found = [str(problem) for problem in raised.value.problems]
    assert [text.split(" ")[1] for text in found] == [str(number) for number in words]
    assert all(word in text for word, text in zip(words.values(), found, strict=True))


@pytest.mark.parametrize("content", [b"", b"# only this\n\n", b"\xff\xfe\x00A", None])
def test_a_file_that_is_no_lineage_is_refused(tmp_path, content):
    path = tmp_path / "tree.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"tree\.txt.*HSPCs > Pro-B > Pre-B"):
        Lineage.read(path)


def test_given_edges_are_checked_like_a_file():
    with pytest.raises(InputError) as raised:
        Lineage([("A", "A"), ("A", "B"), ("B", "A")], alone=["no agreement", ""])
    assert len(raised.value.problems) == 4


def test_a_name_that_is_not_there_gets_a_hint():
    with pytest.raises(InputError, match="did you mean 'Monocytes'"):
        Lineage.bundled().neighbours("Monocites")
    with pytest.raises(InputError, match="expected one of 'haematopoiesis'"):
        Lineage.bundled("blood")


def small_ontology():
    terms = {
        "CL:1": Term("cell"),
        "CL:2": Term("leukocyte", ("CL:1",)),
        "CL:3": Term("T cell", ("CL:2",), ("T lymphocyte",)),
        "CL:4": Term("B cell", ("CL:2",)),
        "CL:5": Term("neuron", ("CL:1",)),
    }
    return CellOntology(terms, replaced={"CL:9": "CL:3"}, release="small ontology")


def test_neighbours_from_an_ontology_are_kinds_of_each_other_or_alike():
    ids = {"T": "CL:3", "T2": "CL:9", "B": "CL:4", "white": "CL:2", "nerve": "CL_5"}
    tree = Lineage.from_ontology(ids, ontology=small_ontology(), at_least=0.5)
    assert tree.neighbours("T") == {"T2", "white"}
    assert tree.neighbours("white") == {"T", "T2", "B"}
    assert tree.neighbours("nerve") == frozenset()
    assert ("white", "T") in tree.edges
    assert "small ontology" in tree.origin
    closer = Lineage.from_ontology(ids, ontology=small_ontology(), at_least=0.1)
    assert closer.neighbours("T") == {"T2", "white", "B"}


def test_ids_that_the_ontology_lacks_are_named_at_once():
    ids = {"T": "CL:3", "X": "CL:77", "Y": "", "t": "CL:4"}
    with pytest.raises(InputError) as raised:
        Lineage.from_ontology(ids, ontology=small_ontology())
    assert [str(problem)[:3] for problem in raised.value.problems] == ["'X'", "'Y'", "'t'"]


def test_two_spellings_of_one_class_are_one_name():
    tree = Lineage.from_ontology({"T cell": "CL:3", "T_cell": "CL:3", "B": "CL:4"}, ontology=small_ontology())
    assert set(tree.names) == {"T cell", "B"}
    assert "t-cell" in tree
