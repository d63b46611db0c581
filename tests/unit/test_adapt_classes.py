"""Names that labels use: other spellings, questions, new classes, and what a new class begins with."""

from dataclasses import replace

import numpy as np
import pytest
from anndata import AnnData
from scipy.sparse import csr_array, vstack

import orthotype as ot
from orthotype.cells.table import open_cells
from orthotype.errors import InputError, Problems
from orthotype.transfer.adapt.classes import labelled_ones, only_classes, with_new_classes
from orthotype.transfer.adapt.names import Names, beginnings, match_names, relative_of
from orthotype.transfer.state import ModelState

BETA, ALPHA = "type B pancreatic cell", "pancreatic A cell"


@pytest.fixture(scope="module")
def state(small_model: ot.LabelTransfer) -> ModelState:
    return small_model.state_


def matched(
    state: ModelState, *names: str, new: tuple[str, ...] = (), ids: dict[str, str] | None = None
) -> Names:
    problems = Problems("the labels")
    found = match_names(names, state, ids=ids or {}, new_classes=new, problems=problems)
    problems.raise_if_any()
    return found


@pytest.mark.parametrize("name", ["Pancreatic a cells", "pancreatic-A_cell", "PANCREATIC A CELL"])
def test_another_spelling_is_the_same_class(state: ModelState, name: str) -> None:
    found = matched(state, name, BETA)
    assert found.known == {name: ALPHA, BETA: BETA}
    assert list(found.matched) == [name]
    assert "spelling" in found.matched[name]
    assert not found.new


def test_the_ontology_knows_other_names(state: ModelState) -> None:
    assert matched(state, "pancreatic beta cell").known == {"pancreatic beta cell": BETA}
    assert matched(state, "islet 3", ids={"islet 3": "CL:0000171"}).known == {"islet 3": ALPHA}


def test_a_name_that_only_looks_alike_is_asked_about(state: ModelState) -> None:
    with pytest.raises(
        InputError, match=r"pancreatic X cell \(did you mean .*'pancreatic A cell'.*--new-class"
    ):
        matched(state, "pancreatic X cell")
    assert matched(state, "pancreatic X cell", new=("pancreatic X cell",)).new == ("pancreatic X cell",)


def test_spellings_of_one_new_class_are_asked_about(state: ModelState) -> None:
    names = ("Mast cell", "mast cells", "acinar")
    with pytest.raises(InputError, match="differ only in spelling: 'Mast cell' and 'mast cells'"):
        matched(state, *names)
    named = matched(state, *names, new=("mast cells",))
    assert named.new == ("Mast cell", "acinar", "mast cells")


def test_another_term_of_the_ontology_is_no_question(state: ModelState) -> None:
    found = matched(state, "pancreatic acinar cell", "strange cells of mine")
    assert found.new == ("pancreatic acinar cell", "strange cells of mine")
    assert list(found.ids) == ["pancreatic acinar cell"]


def test_new_classes_that_no_cell_has_or_the_model_has(state: ModelState) -> None:
    with pytest.raises(InputError, match="no cell has the label of the new classes 'mast cell'") as refused:
        matched(state, BETA, new=("mast cell", BETA))
    assert "are classes of the model already" in str(refused.value)


def test_a_new_class_begins_as_its_relative_or_as_the_mean_of_all(
    state: ModelState, small_human: AnnData
) -> None:
    assert relative_of("CL:0002064", state) in {ALPHA, BETA, "pancreatic D cell", "pancreatic ductal cell"}
    assert relative_of("", state) == ""
    table = open_cells(small_human, subject="cells", species="human")
    _, X = next(state.space.align(table.genes, species="human").blocks(table.rows))
    labels = np.array(["aaa", "aaa", "zzz"], dtype=object)
    names = Names({}, {}, ("aaa", "zzz"), {"zzz": "CL:0002064"})
    found = with_new_classes(state, names, X[:3], labels, relatives={"aaa": "", "zzz": ALPHA})
    assert found.classes.tolist() == sorted([*state.classes, "aaa", "zzz"])
    old = [found.classes.tolist().index(name) for name in state.classes]
    np.testing.assert_array_equal(found.coef[:, old], state.coef)
    np.testing.assert_array_equal(found.profiles.mean[old], state.profiles.mean)
    place = found.classes.tolist().index(ALPHA)
    np.testing.assert_array_equal(found.coef[:, -1], found.coef[:, place])
    np.testing.assert_allclose(found.coef[:, 0], state.coef.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(found.profiles.mean[-1], X[2].toarray().ravel(), atol=1e-6)
    assert found.profiles.n_cells[[0, -1]].tolist() == [2.0, 1.0]
    assert found.card["cells_per_class"]["aaa"] == 2
    assert found.card["class_ontology_term_ids"]["zzz"] == "CL:0002064"
    for medians in (*found.card["unknown"]["medians"].values(), found.card["margins"]["medians"]):
        assert len(medians) == len(found.classes)
        assert medians[0] == medians[-1] == 0.0, "new classes have no say in how the species differ"
    assert state.card["cells_per_class"].keys() == set(state.classes), "the old model stays"


def test_a_new_class_begins_as_what_its_cells_are_taken_for(state: ModelState, small_human: AnnData) -> None:
    table = open_cells(small_human, subject="cells", species="human")
    X = csr_array(
        vstack([rows for _, rows in state.space.align(table.genes, species="human").blocks(table.rows)])
    )
    true = small_human.obs["cell_ontology_class"].astype(str).to_numpy()
    beta = np.flatnonzero(true == BETA)[:6]
    labels = np.array(["new"] * 6, dtype=object)
    names = Names({}, {}, ("new",), {"new": "CL:0000171"})
    assert beginnings(names, state, X[beta], labels) == {"new": BETA}
    doubtful = replace(state, temperature=1e3)
    assert beginnings(names, doubtful, X[beta], labels) == {"new": ALPHA}, "its very term of the ontology"
    assert beginnings(Names({}, {}, ("new",), {}), doubtful, X[beta], labels) == {"new": ""}


def test_what_is_left_of_a_model_calls_what_it_called_among_those(
    state: ModelState, small_human: AnnData
) -> None:
    kept = np.isin(state.classes, [ALPHA, BETA, "pancreatic D cell"])
    found = only_classes(state, kept)
    assert found.classes.tolist() == state.classes[kept].tolist()
    table = open_cells(small_human, subject="cells", species="human")
    _, X = next(state.space.align(table.genes, species="human").blocks(table.rows))
    np.testing.assert_array_equal(found.scores(X), state.scores(X)[:, :, kept])
    np.testing.assert_array_equal(found.profiles.mean, state.profiles.mean[kept])
    np.testing.assert_array_equal(found.called, state.called[kept])
    for entry in ("cells_per_class", "class_ontology_term_ids", "top_genes"):
        assert set(found.card[entry]) == {ALPHA, BETA, "pancreatic D cell"}
    assert set(found.card["held_out"]["recall"]) == {ALPHA, BETA, "pancreatic D cell"}
    for medians in (*found.card["unknown"]["medians"].values(), found.card["margins"]["medians"]):
        assert len(medians) == 3
    place = state.classes.tolist().index(BETA)
    assert found.card["margins"]["medians"][2] == state.card["margins"]["medians"][place]


def test_of_a_single_class_nothing_is_told_apart_so_all_are_kept(state: ModelState) -> None:
    assert labelled_ones(state, np.array([BETA, "mast cell"], dtype=object)) is state
    assert labelled_ones(state, np.array([BETA, ALPHA], dtype=object)).classes.tolist() == [ALPHA, BETA]
