"""What every learner promises, and what is particular to the linear one and the networks."""

import importlib.util
from dataclasses import FrozenInstanceError, replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, vstack

from orthotype.cells.table import open_cells
from orthotype.errors import InputError, ModelFileError, Problems
from orthotype.models.folds import make_folds
from orthotype.models.linear.loss import class_weights
from orthotype.models.linear.solve import solve
from orthotype.models.neural import Schedule
from orthotype.study import neural_learner
from orthotype.study.linear_learner import FewCells, LinearLearner, LinearModel
from orthotype.study.neural_learner import NeuralLearner, default_ann, stumpf_ann, stumpf_mlr
from orthotype.study.source import consensus, cross_validate, fit_fold, gather

TORCH = [
    pytest.mark.torch,
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None, reason="torch is not installed: no network is trained"
    ),
]
QUICK = Schedule(steps=25, epochs=14)
LEARNERS = [
    pytest.param(LinearLearner(), id="linear"),
    pytest.param(replace(stumpf_mlr(), schedule=replace(QUICK, dropout=0.0, l1=0.0)), id="mlr", marks=TORCH),
    pytest.param(replace(stumpf_ann(), schedule=QUICK), id="ann", marks=TORCH),
    pytest.param(replace(default_ann(), schedule=replace(QUICK, patience=3)), id="watched", marks=TORCH),
]
learners = pytest.mark.parametrize("learner", LEARNERS)
K, P = 5, 80


def cells(n: int = 150, *, seed: int = 0, classes=(0, 1, 2, 3), shift: float = 0.0):
    """Simulated counts of four of five classes, three marker genes each, and a shift of some other genes."""
    rng = np.random.default_rng(seed)
    codes = np.array(classes)[np.arange(n) % len(classes)]
    values = rng.poisson(0.3, size=(n, P)).astype(np.float32)
    for k in range(K):
        values[codes == k, 3 * k : 3 * k + 3] += rng.poisson(2.0, size=((codes == k).sum(), 3))
    values[:, 40:] += rng.poisson(shift, size=(n, P - 40))
    return csr_array(np.log1p(values)), codes


@cache
def source(learner, classes=(0, 1, 2, 3, 4)):
    """Return a source model that several tests start from; none may change it."""
    X, codes = cells(classes=classes)
    return learner.fit(X, codes, n_classes=K, seed=0)


def bits(model) -> bytes:
    return b"".join(model.arrays()[name].tobytes() for name in sorted(model.arrays()))


@learners
def test_it_learns_the_same_from_the_same_seed(learner) -> None:
    X, codes = cells()
    Xnew, new = cells(seed=1)
    model = learner.fit(X, codes, n_classes=K, seed=5)
    proba = model.predict_proba(Xnew)
    assert proba.shape == (150, K) and proba.dtype == np.float64
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert (proba.argmax(axis=1) == new).mean() > 0.85
    assert bits(learner.fit(X, codes, n_classes=K, seed=5)) == bits(model)
    with pytest.raises(FrozenInstanceError):
        learner.name = "another"


@learners
def test_what_is_written_is_read_back_to_the_bit(learner) -> None:
    X, codes = cells()
    for model in (learner.fit(X, codes, n_classes=K, seed=0), learner.scratch(X, codes, n_classes=K, seed=0)):
        arrays = model.arrays()
        assert all(values.flags["C_CONTIGUOUS"] for values in arrays.values())
        again = learner.load({name: values.copy() for name, values in arrays.items()})
        assert again.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    with pytest.raises(ModelFileError, match="expected"):
        learner.load({"nonsense": np.zeros(3)})


@learners
def test_cells_that_are_held_out_decide_nothing(learner) -> None:
    X, codes = cells()
    folds = make_folds(codes, n_splits=5)
    model = fit_fold(learner, X, codes, n_classes=K, folds=folds, fold=2, seed=0)
    values = X.toarray()
    values[folds == 2] = 7.0
    other = np.where(folds == 2, 4, codes)
    again = fit_fold(learner, csr_array(values), other, n_classes=K, folds=folds, fold=2, seed=0)
    assert bits(again) == bits(model)


@learners
def test_a_class_that_nobody_showed_has_probability_zero(learner) -> None:
    X, codes = cells(classes=(0, 2, 3, 4))
    few = np.arange(40)
    for model in (
        learner.fit(X, codes, n_classes=K, seed=0),
        learner.scratch(X[few], codes[few], n_classes=K, seed=0),
    ):
        proba = model.predict_proba(X)
        assert proba[:, 1].max() == 0.0
        assert (proba.argmax(axis=1) == codes).mean() > 0.75


@learners
def test_no_labelled_cells_change_nothing(learner) -> None:
    X, codes = cells()
    model = source(learner)
    assert bits(learner.adapt(model, X[:0], codes[:0], seed=0)) == bits(model)
    untaught = learner.scratch(X[:0], codes[:0], n_classes=K, seed=0).predict_proba(X)
    assert np.isfinite(untaught).all() and untaught.shape == (150, K)


@learners
def test_adapting_learns_and_leaves_the_source_model_alone(learner) -> None:
    Xt, target = cells(400, seed=2, classes=(0, 1, 2, 3, 4), shift=0.8)
    few = np.arange(50)
    model = source(learner)
    before = bits(model)
    adapted = learner.adapt(model, Xt[few], target[few], seed=1)
    assert bits(model) == before
    assert bits(learner.adapt(model, Xt[few], target[few], seed=1)) == bits(adapted)
    right = [(m.predict_proba(Xt[50:]).argmax(axis=1) == target[50:]).mean() for m in (model, adapted)]
    assert right[1] >= right[0] - 0.03
    nothing = learner.scratch(Xt[few], target[few], n_classes=K, seed=1)
    assert bits(nothing) == bits(learner.scratch(Xt[few], target[few], n_classes=K, seed=1))


@learners
def test_a_class_without_labelled_target_cells_keeps_its_source_weights(learner) -> None:
    """A hidden layer is shared: where it moves, only the readout is kept, and the class may be lost."""
    Xt, target = cells(400, seed=2, classes=(0, 1, 2, 3, 4))
    model = source(learner)
    few = np.flatnonzero(target != 3)[:20]
    if isinstance(learner, LinearLearner):
        learner = replace(learner, few_alpha=0.01)
    adapted = learner.adapt(model, Xt[few], target[few], seed=1)
    for name, values in last_layer(model).items():
        np.testing.assert_allclose(last_layer(adapted)[name][3], values[3], rtol=1e-6, err_msg=name)
        assert not np.allclose(last_layer(adapted)[name][0], values[0])
    if getattr(learner, "kept", "path") == "path" or not model.hidden:
        found = adapted.predict_proba(Xt).argmax(axis=1)
        assert (found[target == 3] == 3).mean() > 0.7, "the class is still found"


def last_layer(model) -> dict[str, np.ndarray]:
    """Return weights and intercepts of the classes, classes first."""
    if isinstance(model, LinearModel):
        return {"weights": model.coef, "intercept": model.intercept}
    return {"weights": model.kernels[-1].T, "intercept": model.biases[-1]}


@learners
def test_a_class_that_the_source_model_never_saw_can_be_learned_from_the_target(learner) -> None:
    Xt, target = cells(400, seed=2, classes=(0, 1, 2, 3, 4))
    model = source(learner, classes=(0, 1, 2, 3))
    assert model.predict_proba(Xt)[:, 4].max() == 0.0
    adapted = learner.adapt(model, Xt[:100], target[:100], seed=0)
    found = adapted.predict_proba(Xt[100:]).argmax(axis=1)
    assert (found[target[100:] == 4] == 4).mean() > 0.5
    assert np.isfinite(last_layer(adapted)["weights"]).all()


@learners
def test_single_cells_and_a_single_class_are_taken_as_they_are(learner) -> None:
    X, codes = cells(classes=(0, 1, 2, 3, 4))
    model = source(learner)
    for few in (np.arange(5), np.flatnonzero(codes == 1)[:3], np.array([0])):
        adapted = learner.adapt(model, X[few], codes[few], seed=0)
        assert np.isfinite(adapted.predict_proba(X)).all()
        assert np.isfinite(learner.scratch(X[few], codes[few], n_classes=K, seed=0).predict_proba(X)).all()


@learners
def test_a_model_of_another_learner_is_refused(learner) -> None:
    class Foreign:
        pass

    X, codes = cells()
    with pytest.raises(InputError, match="given a Foreign to adapt"):
        learner.adapt(Foreign(), X, codes, seed=0)


# The linear learner


def test_the_source_is_the_optimum_at_a_penalty_chosen_inside_made_honest() -> None:
    X, codes = cells()
    model = LinearLearner(alpha=0.05).fit(X, codes, n_classes=K, seed=0)
    alone = solve(X, codes, n_classes=4, alpha=0.05, sample_weight=class_weights(codes), tol=1e-6)
    ratio = model.coef[:4] / alone.coef
    temperature = 1 / np.median(ratio)
    np.testing.assert_allclose(model.coef[:4] * temperature, alone.coef, atol=2e-3)
    assert temperature < 0.8, "a strong penalty leaves a model too unsure"
    assert set(LinearLearner().fit(X, codes, n_classes=K, seed=0).arrays()) == {"coef", "intercept"}


@pytest.mark.parametrize("centred", [True, False])
def test_few_cells_are_the_one_objective_around_the_source_or_zero(centred: bool) -> None:
    X, codes = cells(classes=(0, 1, 2, 3, 4))
    Xt, target = cells(23, seed=3, classes=(0, 1, 2, 4))
    learner = LinearLearner(few_alpha=0.03)
    source = learner.fit(X, codes, n_classes=K, seed=0)
    if centred:
        found = learner.adapt(source, Xt, target, seed=0)
    else:
        found = learner.scratch(Xt, target, n_classes=K, seed=0)
    expected = solve(
        Xt.astype(np.float64),
        target,
        n_classes=K,
        alpha=0.03,
        sample_weight=class_weights(target),
        center=source.coef if centred else None,
        start=(source.coef, source.intercept) if centred else None,
        tol=1e-12,
        max_iter=5000,
        method="lbfgs",
    )
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-4)
    np.testing.assert_allclose(found.intercept, expected.intercept, atol=1e-3)


def test_the_strength_on_few_cells_is_the_one_that_predicts_held_out_ones_best() -> None:
    learner = LinearLearner()
    model = source(learner)
    Xt, target = cells(60, seed=3, classes=(0, 1, 2, 3, 4))
    same = FewCells(Xt, target, model, centred=True)
    turned = FewCells(Xt, (target + 1) % K, model, centred=True)
    assert same.choose(5, 0) == np.inf, "where the source is right it is left as it is"
    assert bits(learner.adapt(model, Xt, target, seed=0)) == bits(model)
    assert turned.choose(5, 0) < 1.0, "where it is wrong it is left behind"
    relearned = learner.adapt(model, Xt, (target + 1) % K, seed=0)
    Xnew, new = cells(200, seed=4, classes=(0, 1, 2, 3, 4))
    assert (relearned.predict_proba(Xnew).argmax(axis=1) == (new + 1) % K).mean() > 0.6


def test_the_held_out_loss_decides_and_not_the_loss_of_the_cells_learned_from() -> None:
    """Labels without any meaning: the weakest strength learns them by heart, held-out cells say so."""
    model = source(LinearLearner())
    Xt, _ = cells(60, seed=3)
    noise = np.random.default_rng(0).permutation(np.arange(60) % K)
    assert FewCells(Xt, noise, model, centred=False).choose(5, 0) == 100.0


def test_single_cells_are_learned_from_with_the_weakest_strength() -> None:
    Xt, target = cells(5, seed=3, classes=(0, 1, 2, 3, 4))
    assert FewCells(Xt, target, source(LinearLearner()), centred=True).choose(5, 0) == 1e-3


def test_a_fit_that_leaves_no_loss_is_not_reported_as_unfinished() -> None:
    """Warnings are errors here."""
    X, codes = cells(25, classes=(0, 1, 2, 3, 4))
    model = source(LinearLearner())
    sure = LinearModel(30 * model.coef, 30 * model.intercept)
    for alpha in (10.0, 0.1, 1e-3):
        coef, intercept = FewCells(X, codes, sure, centred=True).fit(alpha)
        assert np.isfinite(coef).all() and np.isfinite(intercept).all()


def test_one_class_is_not_a_problem_to_learn() -> None:
    X, codes = cells()
    with pytest.raises(InputError, match="of 1 class; expected at least two"):
        LinearLearner().fit(X, np.zeros_like(codes), n_classes=K, seed=0)


def test_a_class_of_a_single_cell_does_not_spoil_the_temperature() -> None:
    X, codes = cells()
    codes = codes.copy()
    codes[0] = 4
    model = LinearLearner().fit(X, codes, n_classes=K, seed=0)
    confidence = model.predict_proba(X).max(axis=1)
    assert confidence.mean() > 0.8


# The networks


def test_presets_are_those_of_the_paper() -> None:
    mlr, ann, ours = stumpf_mlr(), stumpf_ann(), default_ann()
    assert (mlr.name, ann.name, ours.name) == ("mlr", "ann", "ann")
    assert (mlr.hidden, ann.hidden, ours.hidden) == (0, 16, 16)
    assert (mlr.schedule.steps, mlr.schedule.epochs, mlr.few_epochs) == (42, 10, 21)
    assert (ann.schedule.steps, ann.schedule.epochs, ann.few_epochs) == (42, 21, 21)
    assert (mlr.schedule.dropout, mlr.schedule.l1) == (0.0, 0.0)
    assert (ann.schedule.dropout, ann.schedule.l1) == (0.5, 0.001)
    for learner in (mlr, ann):
        assert (learner.schedule.per_class, learner.schedule.learning_rate) == (5, 1e-3)
        assert learner.schedule.patience is None
    assert ours.schedule.patience == 5


@pytest.mark.parametrize("start", ["transfer", "scratch"])
def test_n_cells_per_class_are_n_batches_in_each_of_21_epochs(monkeypatch, start: str) -> None:
    X, codes = cells()
    few = np.flatnonzero(np.isin(codes, (0, 1)))[:14]
    seen = []
    monkeypatch.setattr(
        neural_learner, "train", lambda network, *_, schedule, **__: seen.append(schedule) or network
    )
    learner = default_ann()
    if start == "transfer":
        learner.adapt(learner.fit(X, codes, n_classes=K, seed=0), X[few], codes[few], seed=0)
    else:
        learner.scratch(X[few], codes[few], n_classes=K, seed=0)
    assert (seen[-1].steps, seen[-1].epochs, seen[-1].patience) == (7, 21, None)
    assert (seen[-1].dropout, seen[-1].l1) == (0.5, 0.001)


@pytest.mark.torch
@TORCH[1]
def test_the_whole_path_of_a_class_is_kept_only_while_a_class_has_no_cells() -> None:
    Xt, target = cells(40, seed=2, classes=(0, 1, 2, 3, 4))
    learner = replace(default_ann(), schedule=QUICK, few_epochs=1)
    model = source(learner)
    some = np.flatnonzero(target != 3)
    for few, moves in ((some, False), (np.arange(40), True)):
        adapted = learner.adapt(model, Xt[few], target[few], seed=0)
        assert (adapted.kernels[0] != model.kernels[0]).any() == moves
        assert (adapted.biases[0] != model.biases[0]).any() == moves
        assert (adapted.kernels[1] != model.kernels[1]).any()


def test_transfer_starts_from_the_source_and_scratch_from_chance(monkeypatch) -> None:
    X, codes = cells()
    started = []
    monkeypatch.setattr(neural_learner, "train", lambda network, *_, **__: started.append(network) or network)
    learner = NeuralLearner()
    source = learner.fit(X, codes, n_classes=K, seed=0)
    learner.adapt(source, X, codes, seed=1)
    learner.scratch(X, codes, n_classes=K, seed=1)
    assert bits(started[1]) == bits(source)
    assert bits(started[2]) != bits(source)
    assert bits(started[2].without(np.zeros(K, dtype=bool))) == bits(
        learner.scratch(X, codes, n_classes=K, seed=1)
    )


# Real cells of the bundled pair


@pytest.fixture(scope="module")
def pancreas(small_mouse, small_human, small_model):
    """Give encoded mouse and human cells with the class codes of the mouse, its classes only."""
    classes = pd.Index(small_model.state_.classes)
    pair = []
    for adata, species in ((small_mouse, "mouse"), (small_human, "human")):
        problems = Problems(species)
        table = open_cells(adata, subject=species, species=species, layer=None, problems=problems)
        problems.raise_if_any()
        aligned = small_model.state_.space.align(table.genes, species=species)
        X = vstack([rows for _, rows in aligned.blocks(table.rows, size=4096)], format="csr")
        codes = classes.get_indexer(pd.Index(adata.obs["cell_ontology_class"]))
        pair += [csr_array(X)[codes >= 0], codes[codes >= 0]]
    return pair


@pytest.mark.parametrize(
    "learner",
    [
        pytest.param(LinearLearner(), id="linear"),
        pytest.param(stumpf_mlr(), id="mlr", marks=TORCH),
        pytest.param(replace(stumpf_ann(), schedule=Schedule(epochs=8)), id="ann", marks=TORCH),
    ],
)
def test_on_the_bundled_pair_it_transfers_and_a_few_labels_do_no_harm(learner, pancreas) -> None:
    X, codes, Xt, target = pancreas
    folds = make_folds(codes, n_splits=2)
    fit = cross_validate(learner, X, codes, n_classes=K, folds=folds, seed=0)
    assert (fit.held_out_proba.argmax(axis=1) == codes).mean() > 0.97
    proba, votes = consensus(fit.models, Xt)
    naive = (proba.argmax(axis=1) == target).mean()
    assert naive > 0.8 and votes.agreed.mean() > 0.8
    few = np.concatenate([np.flatnonzero(target == k)[:5] for k in range(K)])
    rest = np.setdiff1d(np.arange(len(target)), few)
    models = [learner.adapt(model, Xt[few], target[few], seed=0) for model in fit.models]
    adapted, _ = consensus(models, Xt[rest])
    assert (adapted.argmax(axis=1) == target[rest]).mean() >= naive - 0.02
    again = [fit_fold(learner, X, codes, n_classes=K, folds=folds, fold=fold, seed=0) for fold in (1, 0)][
        ::-1
    ]
    again = gather(again, X, folds=folds, n_classes=K)
    assert again.held_out_proba.tobytes() == fit.held_out_proba.tobytes()
