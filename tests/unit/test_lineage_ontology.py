"""The bundled slice of the Cell Ontology: names, ancestors, and which types are alike."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthotype.errors import InputError
from orthotype.lineage import CellOntology, Lineage
from orthotype.lineage.ontology import Term

ONTOLOGY = CellOntology.bundled()
TERMS = sorted(ONTOLOGY._terms)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("T cell", "CL:0000084"),
        ("T_cells", "CL:0000084"),
        ("T-LYMPHOCYTE", "CL:0000084"),
        ("pancreatic beta cell", "CL:0000169"),
        ("hemopoietic stem cells", "CL:0000037"),
        ("Pericytes", "CL:0000669"),
        ("alpha", None),
        ("", None),
        ("s", None),
        ("no such cell", None),
    ],
)
def test_a_cell_type_is_found_by_name_or_synonym(name, found):
    assert ONTOLOGY.find(name) == found


def test_a_word_with_two_meanings_finds_neither_and_names_come_first():
    terms = {
        "CL:1": Term("one", (), ("both", "three")),
        "CL:2": Term("two", (), ("both",)),
        "CL:3": Term("three"),
    }
    ontology = CellOntology(terms)
    assert ontology.find("both") is None
    assert ontology.find("three") == "CL:3"


def test_ids_are_read_in_both_spellings_and_retired_ones_lead_on():
    assert ONTOLOGY.name("CL_0000084") == "T cell"
    assert ONTOLOGY.id("CL:0000003") == "CL:0000000"
    assert "CL:0000003" in ONTOLOGY
    assert "CL:9999999" not in ONTOLOGY
    with pytest.raises(InputError, match="'CL:9999999' is no term of the Cell Ontology v2026"):
        ONTOLOGY.name("CL:9999999")


def test_ancestors_are_parents_and_theirs():
    t_cell, leukocyte, lymphocyte = "CL:0000084", "CL:0000738", "CL:0000542"
    assert lymphocyte in ONTOLOGY.parents(t_cell)
    assert {lymphocyte, leukocyte, "CL:0000000"} <= ONTOLOGY.ancestors(t_cell)
    assert t_cell not in ONTOLOGY.ancestors(t_cell)
    assert ONTOLOGY.ancestors("CL:0000000") == frozenset()
    assert ONTOLOGY.common_ancestor(t_cell, "CL:0000236") == lymphocyte
    assert ONTOLOGY.common_ancestor(t_cell, leukocyte) == leukocyte


def test_similarity_by_hand():
    terms = {
        "a": Term("a"),
        "b": Term("b", ("a",)),
        "c": Term("c", ("b",)),
        "d": Term("d", ("b",)),
    }
    ontology = CellOntology(terms)
    # of four terms three are b and one is c: IC(b) = 1 - log 3 / log 4, IC(c) = IC(d) = 1
    assert ontology.similarity("c", "d") == pytest.approx(1 - 0.7924812503605781)
    assert ontology.similarity("a", "b") == 0.0
    assert ontology.similarity("a", "a") == 1.0
    assert CellOntology({"a": Term("a"), "z": Term("z")}).similarity("a", "z") == 0.0


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(TERMS), st.sampled_from(TERMS))
def test_likeness_is_symmetric_within_bounds_and_holds_for_ancestors(a, b):
    assert ONTOLOGY.similarity(a, b) == ONTOLOGY.similarity(b, a)
    assert 0.0 <= ONTOLOGY.similarity(a, b) <= 1.0 + 1e-12
    assert ONTOLOGY.related(a, b) == ONTOLOGY.related(b, a)
    assert ONTOLOGY.related(a, a)
    assert all(ONTOLOGY.related(a, ancestor) for ancestor in ONTOLOGY.ancestors(a))


PANCREAS = {
    "alpha": "CL:0000171",
    "beta": "CL:0000169",
    "delta": "CL:0000173",
    "gamma": "CL:0002275",
    "epsilon": "CL:0005019",
    "acinar": "CL:0002064",
    "ductal": "CL:0002079",
}
OTHERS = {
    "stellate": "CL:0002410",
    "endothelial": "CL:0000115",
    "schwann": "CL:0002573",
    "macrophage": "CL:0000235",
    "mast": "CL:0000097",
    "T": "CL:0000084",
    "B": "CL:0000236",
}


def test_the_cells_of_the_pancreas_have_sensible_neighbours():
    tree = Lineage.from_ontology({**PANCREAS, **OTHERS})
    for name in PANCREAS:
        assert tree.neighbours(name) == set(PANCREAS) - {name}
    assert tree.neighbours("T") == {"B"}
    for name in ("stellate", "endothelial", "schwann", "macrophage", "mast"):
        assert tree.neighbours(name) == frozenset()


def test_the_ontology_does_not_know_development_and_says_so():
    """What the docstring of from_ontology claims: one step of eleven, and neutrophils beside basophils."""
    blood = {
        "HSPCs": "hematopoietic stem cell",
        "Erythroblasts": "erythroblast",
        "Megakaryocytes": "megakaryocyte",
        "Basophils": "basophil",
        "Monoblasts": "monoblast",
        "Monocytes": "monocyte",
        "Myeloblasts": "myeloblast",
        "Myelocytes": "myelocyte",
        "Neutrophils": "neutrophil",
        "Pro-B": "pro-B cell",
        "Pre-B": "precursor B cell",
        "T-NK": "T cell",
    }
    found = Lineage.from_ontology({name: ONTOLOGY.find(term) or "" for name, term in blood.items()})
    steps = {frozenset(edge) for edge in Lineage.bundled().edges}
    assert len(steps) == 11
    assert {frozenset(edge) for edge in found.edges} == {
        frozenset({"Myeloblasts", "Myelocytes"}),
        frozenset({"Neutrophils", "Basophils"}),
    }
