"""Roll-up: the most specific node that is certain enough, in the ontology or in a lineage."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import orthotype as ot
from orthotype.errors import InputError
from orthotype.lineage import CellOntology, Lineage
from orthotype.transfer.rollup import QUALITIES, roll_up_proba, rolled_labels

if TYPE_CHECKING:
    from anndata import AnnData

IDS = {
    "alpha": "CL:0000171",
    "beta": "CL:0000169",
    "delta": "CL:0000173",
    "T": "CL:0000084",
    "B": "CL:0000236",
    "endothelial": "CL:0000115",
}
NAMES = list(IDS)


def rolled(*rows: list[float], level: float = 0.9, ids: dict[str, str] = IDS) -> list[tuple[str, int, float]]:
    found = roll_up_proba(np.array(rows), NAMES, ids, level=level)
    return list(zip(found.label, found.n_classes.tolist(), found.probability.round(6).tolist(), strict=True))


def test_a_certain_leaf_stays_and_an_uncertain_one_takes_its_parent() -> None:
    assert rolled([0.95, 0.01, 0.01, 0.01, 0.01, 0.01]) == [("alpha", 1, 0.95)]
    assert rolled([0.50, 0.02, 0.45, 0.01, 0.01, 0.01]) == [("pancreatic endocrine cell", 3, 0.97)]
    assert rolled([0.02, 0.01, 0.01, 0.55, 0.40, 0.01])[0][0] == "lymphocyte"


def test_cells_between_distant_classes_have_no_label() -> None:
    found = roll_up_proba(np.array([[0.4, 0.0, 0.0, 0.3, 0.0, 0.3]]), NAMES, IDS)
    assert (found.label[0], found.term[0], found.depth[0], found.n_classes[0]) == ("", "", -1, 0)
    assert found.probability[0] == 0.4


def test_the_term_holds_the_classes_and_lies_so_many_steps_up() -> None:
    ontology = CellOntology.bundled()
    found = roll_up_proba(np.array([[0.5, 0.02, 0.45, 0.01, 0.01, 0.01]]), NAMES, IDS)
    assert all(found.term[0] in ontology.ancestors(IDS[name]) for name in ("alpha", "beta", "delta"))
    steps, front = 0, {IDS["alpha"]}
    while found.term[0] not in front:
        front, steps = {parent for term in front for parent in ontology.parents(term)}, steps + 1
    assert found.depth[0] == steps > 0


def test_words_that_say_nothing_are_no_labels() -> None:
    ontology = CellOntology.bundled()
    assert all(term in ontology for term in QUALITIES)
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.full(6, 0.4), size=2000)
    found = roll_up_proba(proba, NAMES, IDS, level=0.6)
    terms = {term for term in found.term if term}
    assert not terms & QUALITIES
    assert max(map(ontology.share, terms)) <= 0.25
    assert found.n_classes.max() < 6


@pytest.mark.parametrize(
    ("ids", "why"),
    [
        ({"T": "CL:0000084", "B": "CL:0000236", "monocyte": "CL:0000576"}, "a term that holds every class"),
        ({"astrocyte": "CL:0000127", "neuron": "CL:0000540", "beta": "CL:0000169"}, "a very large term"),
    ],
)
def test_a_parent_that_says_nothing_is_no_label(ids: dict[str, str], why: str) -> None:
    proba = [[0.45, 0.05, 0.50]] if "every" in why else [[0.5, 0.45, 0.05]]
    assert roll_up_proba(np.array(proba), list(ids), ids).label[0] == "", why


def test_a_class_above_another_one_can_hold_it() -> None:
    ids = {"T": "CL:0000084", "CD8 T": "CL:0000625", "endothelial": "CL:0000115"}
    found = roll_up_proba(np.array([[0.5, 0.45, 0.05]]), list(ids), ids)
    assert (found.label[0], found.n_classes[0], found.depth[0]) == ("T cell", 2, 0)


def test_classes_without_an_id_can_only_be_labels_themselves() -> None:
    ids = {name: term for name, term in IDS.items() if name != "delta"}
    assert rolled([0.0, 0.0, 0.95, 0.05, 0.0, 0.0], ids=ids) == [("delta", 1, 0.95)]
    assert rolled([0.5, 0.0, 0.45, 0.05, 0.0, 0.0], ids=ids)[0][0] == ""


@pytest.mark.parametrize("level", [0.5, 0.0, 1.1, 95])
def test_a_level_that_is_no_level_is_refused(level: float) -> None:
    with pytest.raises(InputError, match=r"expected a probability above 0\.5"):
        rolled([1.0, 0, 0, 0, 0, 0], level=level)


def test_classes_without_places_are_refused() -> None:
    with pytest.raises(InputError, match="expected at least two; give a lineage"):
        roll_up_proba(np.eye(2), ["a", "b"], {"a": "CL:0000169", "b": "CL:9999999"})
    with pytest.raises(InputError, match="a place in the lineage"):
        roll_up_proba(np.eye(2), ["a", "b"], {}, lineage=Lineage([("c", "d")]))


BLOOD = Lineage([("HSPC", "Myeloblast"), ("Myeloblast", "Neutrophil"), ("HSPC", "Pro-B"), ("Pro-B", "Pre-B")])


@pytest.mark.parametrize(
    ("proba", "label", "depth"),
    [
        ([0.0, 0.5, 0.48, 0.02, 0.0], "Myeloblast or later", 1),
        ([0.0, 0.02, 0.0, 0.45, 0.53], "Pro-B or later", 1),
        ([0.0, 0.02, 0.0, 0.96, 0.02], "Pro-B", 0),
        ([0.3, 0.3, 0.2, 0.1, 0.1], "", -1),
    ],
)
def test_a_lineage_is_climbed_but_not_to_its_root(proba: list[float], label: str, depth: int) -> None:
    names = ["hspc", "myeloblast", "neutrophil", "Pro-B", "pre b"]
    found = roll_up_proba(np.array([proba]), names, {}, lineage=BLOOD)
    assert (found.label[0].lower(), found.depth[0]) == (label.lower(), depth)


def test_the_root_of_a_lineage_is_no_label_even_if_other_classes_are_outside() -> None:
    names = ["HSPC", "Neutrophil", "Pre-B", "fibroblast"]
    found = roll_up_proba(np.array([[0.3, 0.3, 0.35, 0.05]]), names, {}, lineage=BLOOD)
    assert found.label[0] == ""


def test_annotated_cells_are_rolled_up(
    small_model: ot.LabelTransfer, small_human: "AnnData", tmp_path: Path
) -> None:
    annotated = small_model.annotate(small_human)
    before = annotated.obs.copy()
    table = ot.roll_up(annotated)
    assert annotated.obs.equals(before)
    assert table.index.equals(annotated.obs_names)
    unknown = (annotated.obs["orthotype_status"] == "unknown").to_numpy()
    assert ((table["status"] == "unknown").to_numpy() == unknown).all()
    assert (table.loc[unknown, "label"] == "unknown").all()
    assert table.loc[unknown, "probability"].isna().all()
    kept = table["status"].isin(["assigned", "rolled up"])
    assert (table.loc[kept, "probability"] >= 0.9 - 1e-6).all()
    strict = ot.roll_up(annotated, level=0.999)
    assert (strict["status"] == "rolled up").sum() > (table["status"] == "rolled up").sum()
    file = tmp_path / "endocrine.txt"
    file.write_text("end > islet > type B pancreatic cell\nislet > pancreatic D cell\n")
    by_lineage = ot.roll_up(annotated, level=0.99, lineage=file)
    assert "islet or later" in set(by_lineage["label"])


def test_cells_without_annotation_are_refused(small_human: "AnnData") -> None:
    with pytest.raises(InputError, match="no annotation"):
        ot.roll_up(small_human)


def test_an_annotation_says_the_label_that_is_certain_enough(
    small_model: ot.LabelTransfer, small_human: "AnnData"
) -> None:
    annotated = small_model.annotate(small_human)
    table = ot.roll_up(annotated)
    expected = table["label"].where(table["status"] != "undecided", "undecided").astype(str)
    assert annotated.obs["orthotype_rolled_up"].astype(str).tolist() == expected.tolist()
    assert (annotated.obs["orthotype_rolled_up"] == "unknown").any()


def test_a_model_without_a_place_in_the_ontology_has_no_such_column() -> None:
    ids = np.array(["CL:0000171", *[""] * (len(NAMES) - 1)], dtype=object)
    proba = np.full((2, len(NAMES)), 1 / len(NAMES))
    names = np.array(NAMES, dtype=object)
    assert rolled_labels(proba, names, ids, unknown=np.zeros(2, dtype=bool)) is None
