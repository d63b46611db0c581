"""Faults put into single steps of a study on purpose: the study, or what is known of the pair, notices."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from orthotype.errors import InputError, OrthotypeError
from orthotype.metrics.adjusted import benjamini_hochberg
from orthotype.study import Columns, preset
from orthotype.study.few_shot_design import Split
from orthotype.study.pair import Pair
from orthotype.study.pairing import make_pair
from orthotype.study.pieces import PieceStore, Result
from orthotype.study.steps import checks, few_shot, plan, source, transfer, why, zero_shot
from orthotype.study.workers import execute, make

LABELS = "cell_ontology_class"
RECIPE = replace(
    preset("quick"),
    name="tiny",
    learners=("mlr",),
    n_top_genes=150,
    n_folds=3,
    shots=(0, 1, 3),
    repeats=2,
    train_cells=5,
    validate_cells=1,
    n_important=20,
    n_components=5,
    zero_shot_cells=3,
)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory, small_mouse, small_human):
    """Give the pair, the plan and the finished pieces of a small study in which nothing is wrong."""
    columns = Columns(source_labels=LABELS, target_labels=LABELS)
    pair = make_pair(small_mouse, small_human, columns=columns, recipe=RECIPE)
    tree = {"origin": "all one", "edges": [[pair.classes[0], name] for name in pair.classes[1:]], "alone": []}
    pair = replace(pair, facts={**pair.facts, "lineage": tree})
    pieces = plan(RECIPE, pair)
    store = PieceStore(tmp_path_factory.mktemp("healthy") / "pieces")
    execute(pieces, recipe=RECIPE, pair=pair, store=store)
    return pair, {piece.name: piece for piece in pieces}, store


@pytest.fixture
def again(healthy, tmp_path):
    """Give a function that makes one piece anew, from the healthy pieces before it."""
    pair, pieces, store = healthy
    shutil.copytree(store.folder, tmp_path / "pieces")
    copy = PieceStore(tmp_path / "pieces")

    def make_again(name: str, *, of: Pair = pair) -> Result:
        make(pieces[name], recipe=RECIPE, pair=of, store=copy)
        return copy.read(name)

    return make_again


def noticed(again, name: str, *, match: str) -> None:
    with pytest.raises(OrthotypeError, match=match):
        again(name)


def test_nothing_is_noticed_where_nothing_is_wrong(healthy, again):
    _, pieces, store = healthy
    kinds = {piece.kind: name for name, piece in pieces.items()}
    for name in kinds.values():
        before = store.path(name).read_bytes()
        again(name)
        assert store.path(name).read_bytes() == before


# ---- source: folds, models, tables


@pytest.mark.parametrize("wrong", ["the fold itself", "every cell", "another fold held out"])
def test_a_model_of_the_wrong_cells(again, monkeypatch, wrong):
    fit_fold = source.fit_fold

    def faulty(learner, X, codes, *, n_classes, folds, fold, seed):
        if wrong == "another fold held out":
            fold = (fold + 1) % RECIPE.n_folds
            return fit_fold(learner, X, codes, n_classes=n_classes, folds=folds, fold=fold, seed=seed)
        chosen = folds == fold if wrong == "the fold itself" else np.ones(len(folds), dtype=bool)
        return learner.fit(X[chosen], codes[chosen], n_classes=n_classes, seed=seed)

    monkeypatch.setattr(source, "fit_fold", faulty)
    noticed(again, "source/mlr/fold1", match="other cells than the design says")


def test_shifted_classes(again, monkeypatch):
    fit_fold = source.fit_fold

    def faulty(learner, X, codes, **named):
        return fit_fold(learner, X, np.roll(codes, 1), **named)

    monkeypatch.setattr(source, "fit_fold", faulty)
    noticed(again, "source/mlr/fold0", match="other cells than the design says")


@pytest.mark.parametrize("wrong", ["one fold missing", "a donor on both sides"])
def test_wrong_folds(healthy, again, monkeypatch, wrong):
    pair, _, _ = healthy
    if wrong == "one fold missing":
        monkeypatch.setattr(source, "make_folds", lambda y, **named: np.zeros(len(y), dtype=np.intp))
        noticed(again, source.FOLDS, match="holds out no cell")
        return
    donors = np.array(["a", "b", "c"])[np.arange(len(pair.source.codes)) % 3]
    grouped = replace(pair, source=replace(pair.source, groups=donors))
    monkeypatch.setattr(
        source, "make_folds", lambda y, **named: np.random.default_rng(0).integers(3, size=len(y))
    )
    with pytest.raises(OrthotypeError, match="donor is on both sides"):
        again(source.FOLDS, of=grouped)


def test_swapped_axes_of_the_source_confusion(again, monkeypatch):
    confusion = source.confusion

    def faulty(true, called, *, labels):
        table = confusion(called, true, labels=labels)
        assert not np.array_equal(table, confusion(true, called, labels=labels))
        return table

    monkeypatch.setattr(source, "confusion", faulty)
    noticed(again, source.SCORES, match="but the confusion table says")


def test_swapped_axes_of_the_mean_confusion(again, monkeypatch):
    mean = source.mean_confusion
    monkeypatch.setattr(source, "mean_confusion", lambda *given, **named: mean(*given, **named).T)
    noticed(again, source.SCORES, match="not made of shares")


def test_probabilities_that_are_none(again, monkeypatch):
    monkeypatch.setattr(
        source, "held_out", lambda work, learner: checks.check_proba(
            np.full((4, 2), 0.4), shape=(4, 2), where="held out"
        )
    )  # fmt: skip
    noticed(again, source.SCORES, match="no class probabilities")


# ---- transfer: votes, confusion, scores, kinds of errors


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("agreed", lambda votes: ~votes.agreed),
        ("count", lambda votes: votes.count + 1),
        ("winner", lambda votes: (votes.winner + 1) % 5),
    ],
)
def test_votes_counted_wrong(again, monkeypatch, field, wrong):
    consensus = transfer.consensus

    def faulty(models, X):
        proba, votes = consensus(models, X)
        return proba, replace(votes, **{field: wrong(votes)})

    monkeypatch.setattr(transfer, "consensus", faulty)
    noticed(again, "transfer/mlr", match="the study contradicts itself")


def test_swapped_axes_of_the_target_confusion(again, monkeypatch):
    evaluate = transfer.evaluate

    def faulty(true, called, **named):
        found = evaluate(true, called, **named)
        shared = list(found.shared)
        table = found.confusion.copy()
        table.loc[shared, shared] = found.confusion.loc[shared, shared].to_numpy().T
        assert not table.equals(found.confusion)
        return replace(found, confusion=table)

    monkeypatch.setattr(transfer, "evaluate", faulty)
    noticed(again, "transfer/mlr", match="but the confusion table says")


@pytest.mark.parametrize("metric", ["accuracy", "mean_recall"])
def test_a_score_that_is_not_that_of_the_labels(again, monkeypatch, metric):
    evaluate = transfer.evaluate

    def faulty(true, called, **named):
        found = evaluate(true, called, **named)
        raised = found.summary["value"] + 0.01 * (found.summary["metric"] == metric)
        return replace(found, summary=found.summary.assign(value=raised))

    monkeypatch.setattr(transfer, "evaluate", faulty)
    noticed(again, "transfer/mlr", match="is not that of the labels")


def test_errors_counted_by_the_label_instead_of_the_truth(again, monkeypatch):
    table = transfer.error_table

    def faulty(true, called, *, lineage, classes, level):
        named = np.isin(called, classes)
        return table(called[named], true[named], lineage=lineage, classes=classes, level=level)

    monkeypatch.setattr(transfer, "error_table", faulty)
    noticed(again, "transfer/mlr", match="table of errors")


def test_errors_that_do_not_add_up(again, monkeypatch):
    table = transfer.error_table

    def faulty(*given, **named):
        found = table(*given, **named)
        return found.assign(distal=found["distal"] + found["proximal"])

    monkeypatch.setattr(transfer, "error_table", faulty)
    noticed(again, "transfer/mlr", match="do not add up")


# ---- why: importance, weights, similarity


def test_importance_turned_round(again, monkeypatch):
    monkeypatch.setattr(why, "median_importance", lambda parts: -np.median(parts, axis=0) - 0.1)
    noticed(again, "why/mlr", match="not between 0 and 1 bit")


def test_unadjusted_p_values_of_the_weights(again, monkeypatch):
    overlap = why.weight_overlap

    def faulty(*given, **named):
        table = overlap(*given, **named)
        return table.assign(p_adjusted=table["p"])

    monkeypatch.setattr(why, "weight_overlap", faulty)
    noticed(again, "why/mlr", match="not adjusted over the whole table")


def test_cosines_of_one_side_only(again, monkeypatch):
    similarity = why.class_similarity

    def faulty(*given, **named):
        table = similarity(*given, **named)
        return table * np.tri(len(table))

    monkeypatch.setattr(why, "class_similarity", faulty)
    noticed(again, why.SIMILARITY, match="cosines are no cosines")


# ---- few-shot: splits, labelled cells, tests


def test_a_test_cell_among_the_labelled(again, monkeypatch):
    import orthotype.study.few_shot as module

    shots = module.shots
    monkeypatch.setattr(module, "shots", lambda split, n: np.append(shots(split, n), split.test[0]))
    noticed(again, "few_shot/mlr/transfer/repeat1/shots03", match="other cells than the design says")


def test_a_split_that_shares_a_cell_is_refused_when_it_is_made():
    cells = np.arange(4)
    with pytest.raises(InputError, match="labelled and in the test"):
        Split(0, (cells[:2], cells[2:3]), cells[:0], cells[1:])


@pytest.mark.parametrize("wrong", ["repeats alike", "cells forgotten", "left-out cells labelled"])
def test_a_wrong_design(again, monkeypatch, wrong):
    design = few_shot.design

    def faulty(codes, **named):
        if wrong == "left-out cells labelled":
            return design(codes, **named | {"left_out": None})
        splits = design(codes, **named)
        if wrong == "repeats alike":
            return [splits[0], replace(splits[0], repeat=1)]
        return [replace(split, test=split.test[1:]) for split in splits]

    if wrong == "left-out cells labelled":
        monkeypatch.setattr(few_shot, "left_out", lambda votes, classes: votes.winner == votes.winner[0])
    monkeypatch.setattr(few_shot, "design", faulty)
    noticed(again, few_shot.DESIGN, match=r"share a labelled cell|forgot target cells|must be left out")


@pytest.mark.parametrize("wrong", ["unadjusted", "one at a time", "turned round"])
def test_wrong_tests_of_the_curve(again, monkeypatch, wrong):
    tests = few_shot.paired_tests

    def faulty(curve):
        table = tests(curve)
        if wrong == "turned round":
            return table.assign(difference=-table["difference"])
        alone = [benjamini_hochberg([p])[0] for p in table["p"]]
        return table.assign(p_adjusted=alone if wrong == "one at a time" else table["p"])

    monkeypatch.setattr(few_shot, "paired_tests", faulty)
    noticed(again, few_shot.CURVE, match=r"not adjusted over the whole table|not transfer less scratch")


def test_cells_called_as_a_class_that_nobody_labelled_are_left_out(healthy, again):
    pair = healthy[0]
    codes = np.where(pair.target.codes == 1, -1, pair.target.codes)
    found = again(few_shot.DESIGN, of=replace(pair, target=replace(pair.target, codes=codes)))
    called = healthy[2].read("transfer/mlr").arrays["winner"] == 1
    assert found.facts["left_out"] == called.sum() > 30
    for repeat in range(RECIPE.repeats):
        assert not called[found.arrays[f"train{repeat}"]].any()


# ---- zero-shot: the class that must be found, markers


def test_the_class_to_be_found_is_labelled_all_the_same(again, monkeypatch):
    find = zero_shot.find_class

    def faulty(learner, models, X, codes, *, labelled, **named):
        learner.adapt(models[0], X[labelled], codes[labelled], seed=0)
        return find(learner, models, X, codes, labelled=labelled, **named)

    monkeypatch.setattr(zero_shot, "find_class", faulty)
    noticed(again, "zero_shot/mlr/class01", match="the class that must be found was labelled")


def test_a_test_cell_is_labelled_while_a_class_is_to_be_found(again, monkeypatch):
    find = zero_shot.find_class

    def faulty(learner, models, X, codes, *, labelled, test, unlabelled, **named):
        others = test[codes[test] != unlabelled]
        leaked = np.concatenate([labelled, others[:1]])
        return find(
            learner, models, X, codes, labelled=leaked, test=np.setdiff1d(test, leaked),
            unlabelled=unlabelled, **named
        )  # fmt: skip

    monkeypatch.setattr(zero_shot, "find_class", faulty)
    noticed(again, "zero_shot/mlr/class01", match="other cells than the design says")


def test_unadjusted_p_values_of_markers(again, monkeypatch):
    tests = zero_shot.marker_test

    def faulty(*given, **named):
        table = tests(*given, **named)
        return table.assign(p_adjusted=table["p"] / 2)

    monkeypatch.setattr(zero_shot, "marker_test", faulty)
    noticed(again, zero_shot.MARKERS, match="not adjusted over the whole table")


# ---- what is known of this pair: faults before the first piece


def facts_of(pair: Pair, healthy, tmp_path) -> tuple[float, set[str]]:
    """Return the accuracy on the target, and the most informative gene of each class."""
    _, pieces, _ = healthy
    store = PieceStore(tmp_path / "anew")
    for name in (source.FOLDS, *(f"source/mlr/fold{i}" for i in range(3)), "transfer/mlr", "why/mlr"):
        make(pieces[name], recipe=RECIPE, pair=pair, store=store)
    summary = store.read("transfer/mlr").tables["transfer_summary"].set_index("metric")["value"]
    top = store.read("why/mlr").tables["why_top_genes"]
    return float(summary["accuracy"]), set(top.loc[top["rank"] <= 5, "gene"])


def test_the_healthy_pair_is_known(healthy, tmp_path):
    accuracy, genes = facts_of(healthy[0], healthy, tmp_path)
    assert accuracy > 0.9
    assert {"CDH5", "PECAM1", "TTR", "SOX9", "G6PC2"} <= genes


def test_genes_of_the_source_under_other_names(healthy, tmp_path):
    pair = healthy[0]
    _, genes = facts_of(replace(pair, features=(*pair.features[1:], pair.features[0])), healthy, tmp_path)
    assert not {"CDH5", "PECAM1", "TTR", "SOX9", "G6PC2"} <= genes


def test_genes_of_the_target_in_another_order(healthy, tmp_path):
    pair = healthy[0]
    order = np.random.default_rng(0).permutation(pair.target.X.shape[1])
    X = sp.csr_array(pair.target.X[:, order])
    accuracy, _ = facts_of(replace(pair, target=replace(pair.target, X=X)), healthy, tmp_path)
    assert accuracy < 0.6


def test_classes_of_the_target_shifted_by_one(healthy, tmp_path):
    pair = healthy[0]
    codes = np.where(pair.target.codes < 5, (pair.target.codes + 1) % 5, pair.target.codes)
    accuracy, _ = facts_of(replace(pair, target=replace(pair.target, codes=codes)), healthy, tmp_path)
    assert accuracy < 0.2
