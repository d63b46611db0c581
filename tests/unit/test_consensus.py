"""The consensus: the paper's rule, folds, calibrated probabilities, scikit-learn's contract."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from orthotype.errors import InputError
from orthotype.models.consensus import ConsensusClassifier, count_votes
from orthotype.models.folds import make_folds
from orthotype.models.linear.classifier import MultinomialLogisticRegression
from orthotype.models.linear.softmax import row_losses, softmax
from orthotype.models.linear.temperature import fit_temperature


def published_rule(ballot: tuple[int, ...]) -> int | None:
    """Stumpf et al. 2020: three of five votes, or two when the other three all differ."""
    counts = Counter(ballot)
    winner, count = counts.most_common(1)[0]
    if count >= 3:
        return winner
    others = [vote for vote in ballot if vote != winner]
    if count == 2 and len(set(others)) == 3:
        return winner
    return None


@pytest.mark.parametrize("alpha", [-1, 0, np.nan, np.inf, "weakest", None, True, [1.0]])
def test_an_alpha_that_is_no_strength_is_refused(alpha: object) -> None:
    with pytest.raises(InputError, match=r"alpha is .*; expected one of 'lowest'"):
        ConsensusClassifier(alpha=alpha).fit(np.eye(10), np.arange(10) % 2)


def test_votes_follow_the_published_rule_on_every_ballot_of_five() -> None:
    ballots = np.array(list(product(range(6), repeat=5)))
    proba = np.full((len(ballots), 6), 1 / 6)
    votes = count_votes(ballots, proba=proba)
    for ballot, winner, agreed in zip(ballots.tolist(), votes.winner, votes.agreed, strict=True):
        expected = published_rule(tuple(ballot))
        assert agreed == (expected is not None), ballot
        if expected is not None:
            assert winner == expected, ballot


def test_probability_orders_classes_with_equal_votes() -> None:
    ballots = np.array([[0, 0, 1, 1, 2]])
    votes = count_votes(ballots, proba=np.array([[0.3, 0.5, 0.2]]))
    assert votes.winner[0] == 1
    assert votes.count[0] == 2
    assert not votes.agreed[0]


@pytest.mark.parametrize(
    ("ballot", "agreed"), [((0,), True), ((0, 1), False), ((1, 1), True), ((0, 1, 2), False)]
)
def test_fewer_models(ballot: tuple[int, ...], agreed: bool) -> None:
    votes = count_votes(np.array([ballot]), proba=np.full((1, 3), 1 / 3))
    assert votes.agreed[0] == agreed


@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=6),
    n_splits=st.integers(2, 7),
    seed=st.integers(0, 2**16),
)
def test_folds_spread_every_class_evenly(sizes: list[int], n_splits: int, seed: int) -> None:
    y = np.repeat(np.arange(len(sizes)), sizes)
    if len(y) < n_splits:
        return
    folds = make_folds(y, n_splits=n_splits, random_state=seed)
    overall = np.bincount(folds, minlength=n_splits)
    assert overall.max() - overall.min() <= 1
    for k in range(len(sizes)):
        held_out = np.bincount(folds[y == k], minlength=n_splits)
        assert held_out.max() - held_out.min() <= 1


def test_no_group_is_on_both_sides_of_a_fold() -> None:
    rng = np.random.default_rng(0)
    y, groups = rng.integers(3, size=200), rng.integers(7, size=200)
    folds = make_folds(y, n_splits=5, groups=groups, random_state=1)
    assert set(folds.tolist()) == set(range(5))
    for group in range(7):
        assert len(set(folds[groups == group].tolist())) == 1


def test_as_many_folds_as_groups_where_groups_are_few() -> None:
    y, groups = np.array([0, 1] * 10), np.repeat(["d1", "d2"], 10)
    assert set(make_folds(y, n_splits=5, groups=groups).tolist()) == {0, 1}


def test_one_group_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="'donor1'"):
        make_folds(np.array([0, 1] * 5), n_splits=5, groups=np.array(["donor1"] * 10))


@pytest.mark.parametrize(("n", "n_splits"), [(3, 5), (10, 1)])
def test_impossible_folds_are_refused(n: int, n_splits: int) -> None:
    with pytest.raises(InputError):
        make_folds(np.zeros(n, dtype=np.intp), n_splits=n_splits)


@settings(deadline=None)
@given(scale=st.floats(0.2, 5.0), seed=st.integers(0, 1000))
def test_temperature_undoes_a_scale_on_the_logits(scale: float, seed: int) -> None:
    """Simulated logits: labels drawn from their softmax, so the true temperature is one."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(2000, 4)) * 2
    y = (softmax(scores).cumsum(axis=1) < rng.random(len(scores))[:, None]).sum(axis=1)
    one, scaled = fit_temperature(scores, y), fit_temperature(scores * scale, y)
    assert scaled == pytest.approx(one * scale, rel=1e-3)
    assert one == pytest.approx(1.0, abs=0.15)
    assert row_losses(scores * scale / scaled, y).mean() <= row_losses(scores * scale, y).mean() + 1e-12


@pytest.fixture(scope="module")
def cells() -> tuple[np.ndarray, np.ndarray]:
    """Simulated cells of three overlapping classes, for properties only."""
    rng = np.random.default_rng(3)
    y = np.repeat(["a", "b", "c"], [60, 40, 20])
    centres = {"a": 0.0, "b": 1.2, "c": 2.4}
    X = rng.normal(size=(120, 8)) + np.array([centres[name] for name in y])[:, None]
    return np.maximum(X, 0).astype(np.float32), y


def test_held_out_scores_come_from_the_model_that_did_not_see_the_cell(
    cells: tuple[np.ndarray, np.ndarray],
) -> None:
    X, y = cells
    model = ConsensusClassifier(random_state=1).fit(X, y)
    scores = model.fold_scores(X)
    own = scores[np.arange(len(y)), model.folds_]
    np.testing.assert_allclose(own, model.held_out_scores_, atol=1e-4)


def test_a_fold_model_is_the_fit_without_its_fold(cells: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = cells
    model = ConsensusClassifier(alpha=0.1, tol=1e-8).fit(X, y)
    kept = model.folds_ != 2
    alone = MultinomialLogisticRegression(alpha=0.1, tol=1e-8).fit(X[kept], y[kept])
    np.testing.assert_allclose(model.coef_[2], alone.coef_, atol=1e-3)


def test_sparse_and_dense_cells_give_the_same_model(cells: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = cells
    dense, sparse = (ConsensusClassifier(alpha=0.1, tol=1e-8).fit(rows, y) for rows in (X, sp.csr_matrix(X)))
    np.testing.assert_allclose(dense.coef_, sparse.coef_, atol=1e-3)
    np.testing.assert_allclose(dense.predict_proba(X), sparse.predict_proba(sp.csr_matrix(X)), atol=1e-3)


def test_probabilities_are_the_mean_over_models_at_the_temperature(
    cells: tuple[np.ndarray, np.ndarray],
) -> None:
    X, y = cells
    model = ConsensusClassifier().fit(X, y)
    expected = np.mean(
        [softmax((X @ model.coef_[m].T + model.intercept_[m]) / model.temperature_) for m in range(5)], axis=0
    )
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


def test_the_same_seed_gives_the_same_model(cells: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = cells
    first, second = (
        ConsensusClassifier(random_state=4).fit(X, y),
        ConsensusClassifier(random_state=4).fit(X, y),
    )
    np.testing.assert_array_equal(first.coef_, second.coef_)
    other = ConsensusClassifier(random_state=5).fit(X, y)
    assert not np.array_equal(first.folds_, other.folds_)


@parametrize_with_checks([ConsensusClassifier(n_splits=3)])
def test_scikit_learn_contract(estimator: object, check: object) -> None:
    check(estimator)  # type: ignore[operator]
