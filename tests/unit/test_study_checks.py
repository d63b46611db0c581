"""The checks of a study: they let pass what is right and stop what is not."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from orthotype.errors import OrthotypeError
from orthotype.metrics.adjusted import benjamini_hochberg
from orthotype.models.consensus import count_votes
from orthotype.study.steps.checks import (
    Watched,
    check_adjusted,
    check_confusion,
    check_folds,
    check_proba,
    check_split,
    check_votes,
    row_marks,
)

refused = pytest.raises(OrthotypeError, match="the study contradicts itself")


class Nothing:
    """A learner that learns nothing."""

    name = "nothing"

    def fit(self, X, codes, *, n_classes, seed):
        return self

    def adapt(self, model, X, codes, *, seed):
        return self

    def scratch(self, X, codes, *, n_classes, seed):
        return self

    def load(self, arrays):
        return self


@pytest.fixture
def cells(rng):
    X = sp.random(30, 12, density=0.4, format="csr", random_state=rng, dtype=np.float32)
    return sp.csr_array(X), rng.integers(3, size=30)


def test_a_row_is_known_wherever_it_stands(cells, rng):
    X, _ = cells
    order = rng.permutation(30)
    np.testing.assert_array_equal(row_marks(X)[order], row_marks(X[order]))
    np.testing.assert_array_equal(row_marks(X)[order[:5]], row_marks(sp.csr_array(X[order[:5]])))


@pytest.mark.parametrize("way", ["fit", "adapt", "scratch"])
def test_a_watched_learner_tells_what_it_was_given(cells, rng, way):
    X, codes = cells
    rows = rng.permutation(30)[:10]

    def learned_from(chosen, labels):
        watched = Watched(Nothing())
        named = {"seed": 0} | ({} if way == "adapt" else {"n_classes": 3})
        getattr(watched, way)(*([None] if way == "adapt" else []), X[chosen], labels, **named)
        watched.learned_from(X[rows], codes[rows], where="here")

    learned_from(rows[::-1], codes[rows[::-1]])
    for chosen in (rows[:-1], np.append(rows, 0), rng.permutation(30)[:10]):
        with refused:
            learned_from(chosen, codes[chosen])
    with refused:
        learned_from(rows, np.roll(codes[rows] + np.arange(10) % 2, 1))


def test_nothing_learned_is_told(cells):
    X, codes = cells
    with refused:
        Watched(Nothing()).learned_from(X, codes, where="here")


def test_folds(rng):
    folds, codes = np.array([0, 1, 2, 0, 1, 2]), np.zeros(6, dtype=np.intp)
    check_folds(folds, codes, None, n_folds=3)
    check_folds(folds, codes, np.array(["a", "b", "c", "a", "b", "c"]), n_folds=3)
    for wrong in (np.zeros(6, dtype=int), folds + 1, folds[:5]):
        with refused:
            check_folds(wrong, codes, None, n_folds=3)
    with refused:
        check_folds(folds, codes, np.array(["a", "a", "c", "a", "b", "c"]), n_folds=3)


@pytest.mark.parametrize(
    "wrong", [[[0.5, 0.4]], [[1.5, -0.5]], [[np.nan, 1.0]], [[0.5, 0.25, 0.25]], [[0.5, 0.5], [0.5, 0.5]]]
)
def test_probabilities(wrong):
    check_proba(np.array([[0.25, 0.75]]), shape=(1, 2), where="here")
    with refused:
        check_proba(np.array(wrong), shape=(1, 2), where="here")


def test_votes(rng):
    from dataclasses import replace

    ballots, proba = rng.integers(4, size=(200, 5)), rng.dirichlet(np.ones(4), size=200)
    votes = count_votes(ballots, proba=proba)
    check_votes(votes, ballots, n_models=5)
    for wrong in ({"agreed": ~votes.agreed}, {"count": votes.count - 1}, {"winner": 3 - votes.winner}):
        with refused:
            check_votes(replace(votes, **wrong), ballots, n_models=5)


def test_a_turned_confusion_table():
    true, called = np.array(["a", "a", "b"], dtype=object), np.array(["a", "b", "b"], dtype=object)
    table = pd.DataFrame([[1, 1], [0, 1]], index=["a", "b"], columns=["a", "b"])
    check_confusion(table, true, called)
    for wrong in (table.T, table.loc[["a"]], table * 2):
        with refused:
            check_confusion(wrong, true, called)


def test_adjusted_p_values(rng):
    p = np.append(rng.random(20) ** 3, np.nan)
    right = np.append(benjamini_hochberg(p[:-1]), np.nan)
    check_adjusted(p, right, where="here")
    check_adjusted(np.array([np.nan]), np.array([np.nan]), where="here")
    for wrong in (p, np.minimum(p * 21, 1), np.append(right[:-1], 1.0), np.roll(right, 1)):
        with refused:
            check_adjusted(p, wrong, where="here")


def test_splits():
    codes, barred = np.array([0, 0, 1, 1, -1, 1]), np.zeros(6, dtype=bool)
    train, validate, test = np.array([0, 2]), np.array([3]), np.array([1, 5])
    check_split(train, validate, test, codes, barred=barred)
    for wrong in (
        (train, validate, np.array([1, 2])),
        (train, validate, np.array([1])),
        (np.array([0, 4]), validate, np.array([1, 2, 5])),
        (np.array([0, 0]), validate, test),
    ):
        with refused:
            check_split(*wrong, codes, barred=barred)
    barred[2] = True
    with refused:
        check_split(train, validate, test, codes, barred=barred)
