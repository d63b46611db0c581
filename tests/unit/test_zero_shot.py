"""Classes without labels: fakes for what is counted and left out, real cells for whether it works."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from orthotype.errors import InputError
from orthotype.models.consensus import Votes
from orthotype.study.zero_shot import absent_classes, calls, find_class, foreign_classes, left_out

CLASSES = ("a", "b", "c")
NAMES = (*CLASSES, "x", "y")


@dataclass
class Says:
    """A model that reads its answer from the first column of the cells, or from the column it is told."""

    column: int = 0

    def predict_proba(self, X):
        answer = np.asarray(X[:, [self.column]].todense()).ravel().astype(int)
        return 0.1 + 0.7 * np.eye(3)[answer]

    def arrays(self):
        return {}


@dataclass
class Recording:
    """A learner whose adapted model reads the second column; remembers what it was given."""

    name: str = "fake"
    given: list = field(default_factory=list)

    def adapt(self, model, X, codes, *, seed):
        self.given.append((X.toarray()[:, 2].astype(int).tolist(), codes.tolist(), seed))
        return Says(1)


def cells(source, adapted):
    """Return cells that hold what the source model says, what the adapted one says, and their position."""
    return sp.csr_array(np.column_stack([source, adapted, np.arange(len(source))]).astype(float))


#         labelled ............ test ...................... foreign  no label
TRUE = [0, 0, 1, 1, 2, 2, 0, 1, 2, 2, 2, 0, 3, 4, -1]
SOURCE = [0, 2, 1, 1, 2, 2, 2, 1, 2, 2, 0, 2, 2, 1, 2]
ADAPTED = [0, 0, 1, 1, 2, 2, 0, 1, 2, 2, 2, 0, 1, 1, 2]


def found(**changed):
    learner = Recording()
    arguments = {
        "unlabelled": 2,
        "labelled": np.arange(6),
        "test": np.arange(6, 12),
        "classes": CLASSES,
        "seed": 5,
    } | changed
    table = find_class(learner, [Says(), Says(), Says()], cells(SOURCE, ADAPTED), np.array(TRUE), **arguments)
    return learner, table.set_index("model")


def test_the_class_is_scored_over_the_test_cells_alone():
    _, table = found()
    source = table.loc["source"]
    assert (source["learner"], source["class"]) == ("fake", "c")
    assert source[["cells", "called", "found", "no_agreement"]].tolist() == [3, 4, 2, 0]
    assert source[["precision", "recall", "f1"]].tolist() == pytest.approx([1 / 2, 2 / 3, 4 / 7])
    assert source["called_foreign"] == 1
    adapted = table.loc["adapted"]
    assert adapted[["cells", "called", "found"]].tolist() == [3, 3, 3]
    assert adapted["called_foreign"] == 0


def test_no_label_of_the_class_and_no_cell_called_so_is_learned_from():
    learner, table = found()
    assert len(learner.given) == 3
    for positions, codes, _ in learner.given:
        assert positions == [0, 2, 3]
        assert codes == [0, 1, 1]
    assert len({seed for _, _, seed in learner.given}) == 3
    assert table["n_labelled"].tolist() == [0, 3]
    assert table["n_left_out"].tolist() == [0, 1]


def test_cells_called_as_other_classes_without_labels_are_left_out_too():
    learner, table = found(also_unlabelled=(1,))
    assert learner.given[0][0] == [0]
    assert table.loc["adapted", "n_left_out"] == 3


def test_labelled_cells_of_classes_that_the_source_lacks_teach_nothing():
    learner, _ = found(labelled=np.array([0, 1, 2, 3, 4, 5, 12, 14]))
    assert learner.given[0][0] == [0, 2, 3]


def test_without_labelled_cells_the_adapted_model_is_the_source_model():
    learner, table = found(labelled=np.array([4, 5]))
    assert not learner.given
    pd.testing.assert_series_equal(table.loc["source"], table.loc["adapted"], check_names=False)


def test_a_piece_is_the_same_in_every_run_and_knows_its_seed():
    first, again, other = (found(seed=seed)[0].given for seed in (5, 5, 6))
    assert first == again
    assert [seed for *_, seed in first] != [seed for *_, seed in other]


def test_a_class_never_called_has_no_precision_and_one_without_cells_no_recall():
    _, table = found(unlabelled=1, test=np.array([6, 8]), labelled=np.arange(2))
    assert np.isnan(table["precision"]).all()
    assert np.isnan(table["recall"]).all()


def test_leaked_cells_and_foreign_classes_are_refused():
    with pytest.raises(InputError) as raised:
        found(unlabelled=3, test=np.array([0, 99]))
    assert [str(problem).split(",")[0].split(" ")[0] for problem in raised.value.problems] == [
        "class",
        "1",
        "positions",
    ]


def votes(winner, agreed):
    return Votes(np.array(winner), np.array([3 if ok else 2 for ok in agreed]), np.array(agreed))


def test_cells_called_as_unlabelled_classes_are_left_out():
    said = votes([0, 2, 2, 1, 1], [True, True, False, True, True])
    assert calls(said).tolist() == [0, 2, -1, 1, 1]
    assert left_out(said, [2]).tolist() == [False, True, False, False, False]
    assert left_out(said, (1, 2)).tolist() == [False, True, False, True, True]
    assert not left_out(said, []).any()


def test_what_only_one_side_has_is_told_apart():
    codes = np.array([0, 0, 0, 3, 3, 3, 4, -1])
    said = votes([0, 2, 2, 2, 2, 0, 1, 2], [True, True, True, True, True, True, False, True])
    absent = absent_classes(codes, said, classes=CLASSES, names=NAMES).set_index("class")
    assert list(absent.index) == ["b", "c"]
    assert absent.loc["b"].tolist() == [0, 0.0, "", 0]
    assert absent.loc["c"].tolist() == [5, 5 / 8, "a", 2]
    proba = np.full((8, 3), 0.1)
    proba[np.arange(8), said.winner] = 0.8
    proba[6] = 1 / 3
    foreign = foreign_classes(codes, said, proba, classes=CLASSES, names=NAMES).set_index("class")
    assert foreign.loc["x", ["cells", "no_agreement", "mostly", "mostly_cells"]].tolist() == [3, 0, "c", 2]
    assert foreign.loc["y", ["cells", "no_agreement", "mostly", "mostly_cells"]].tolist() == [1, 1, "", 0]
    assert foreign.loc["x", "confidence"] == pytest.approx(0.8)
    assert foreign.loc["y", ["confidence", "entropy"]].tolist() == pytest.approx([1 / 3, 1.0])
    assert foreign["confidence_shared"].tolist() == pytest.approx([0.8, 0.8])
    nothing = foreign_classes(codes[:3], votes([0] * 3, [True] * 3), proba[:3], classes=CLASSES, names=NAMES)
    assert nothing.empty


def test_real_cells_of_a_class_that_nobody_labelled_are_found(small_mouse, small_human):
    from orthotype.study.few_shot import design, shots
    from orthotype.study.linear_learner import LinearLearner
    from orthotype.study.pairing import Columns, make_pair
    from orthotype.study.recipe import Recipe
    from orthotype.study.source import cross_validate

    columns = Columns(source_labels="cell_ontology_class", target_labels="cell_ontology_class")
    pair = make_pair(small_mouse, small_human, columns=columns, recipe=Recipe(n_top_genes=500))
    X, codes, k = pair.target.X, pair.target.codes, pair.n_classes
    learner = LinearLearner(alpha=1e-2, few_alpha=1.0)
    folds = np.arange(len(pair.source.codes)) % 3
    models = cross_validate(
        learner, pair.source.X, pair.source.codes, n_classes=k, folds=folds, seed=0
    ).models
    split = design(codes, n_classes=k, repeats=2, train=8, validate=2, seed=0)[0]
    endothelial = pair.classes.index("endothelial cell")
    table = find_class(
        learner,
        models,
        X,
        codes,
        unlabelled=endothelial,
        labelled=shots(split, 8),
        test=split.test,
        classes=pair.classes,
        seed=0,
    ).set_index("model")
    assert (table["cells"] == (codes[split.test] == endothelial).sum()).all()
    assert table.loc["adapted", "n_labelled"] == 8 * (k - 1)
    assert (table["recall"] > 0.9).all()
    assert (table["precision"] > 0.9).all()
