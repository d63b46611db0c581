"""Scores against scikit-learn, and the bootstrap against its slow, obvious twin."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from orthotype.metrics import accuracy, confusion, evaluate, macro_f1, mean_recall, per_class
from orthotype.metrics.bootstrap import cell_weights, group_weights, percentile_interval

CLASS = st.sampled_from(["a", "b", "c", "d"])
PAIRS = st.lists(st.tuples(CLASS, CLASS), min_size=1, max_size=80)


@settings(deadline=None)
@given(PAIRS)
def test_tables_and_scores_equal_scikit_learn(pairs):
    true, called = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    classes = sorted(set(true) | set(called))
    labels = [*classes, "never"]
    table = confusion(true, called, labels=labels)[labels]
    np.testing.assert_array_equal(table, sk.confusion_matrix(true, called, labels=labels))
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        true, called, labels=classes, zero_division=np.nan
    )
    scores = per_class(true, called)
    np.testing.assert_array_equal(scores["support"], support)
    np.testing.assert_allclose(scores["precision"], precision)
    np.testing.assert_allclose(scores["recall"], recall)
    np.testing.assert_allclose(scores["f1"], f1)


@settings(deadline=None)
@given(PAIRS)
def test_overall_scores_equal_scikit_learn(pairs):
    true, called = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    present = sorted(set(true))
    assert accuracy(true, called) == pytest.approx(sk.accuracy_score(true, called))
    recalls = sk.recall_score(true, called, labels=present, average="macro", zero_division=0)
    assert mean_recall(true, called) == pytest.approx(recalls)
    f1 = sk.f1_score(true, called, labels=present, average="macro", zero_division=0)
    assert macro_f1(true, called) == pytest.approx(f1)


def test_mean_recall_is_balanced_accuracy_score():
    rng = np.random.default_rng(0)
    true, called = rng.choice(list("abc"), size=(2, 300))
    assert mean_recall(true, called) == pytest.approx(sk.balanced_accuracy_score(true, called))
    assert mean_recall(true, called) != pytest.approx(sk.balanced_accuracy_score(called, true))


def labels_and_donors(n_cells=240):
    rng = np.random.default_rng(1)
    true = rng.choice(["a", "b", "c", "x"], size=n_cells, p=[0.5, 0.3, 0.1, 0.1])
    called = np.where(
        (rng.random(n_cells) < 0.7) & (true != "x"),
        true,
        rng.choice(["a", "b", "c", "unknown"], size=n_cells),
    )
    return true, called, rng.choice(["d1", "d2", "d3", "d4", "d5"], size=n_cells)


def test_donor_bootstrap_equals_scores_of_repeated_cells():
    true, called, donors = labels_and_donors()
    shared = true != "x"
    names = sorted(set(donors))
    scores = []
    for weights in group_weights(len(names), 60, np.random.default_rng(7)):
        rows = np.concatenate(
            [
                np.flatnonzero(shared & (donors == name)).repeat(int(w))
                for name, w in zip(names, weights, strict=True)
            ]
        )
        scores.append([score(true[rows], called[rows]) for score in (accuracy, mean_recall, macro_f1)])
    low, high = percentile_interval(np.array(scores), level=0.95)
    found = evaluate(
        true, called, source_classes=["a", "b", "c"], groups=donors, n_boot=60, random_state=7
    ).summary.iloc[:3]
    np.testing.assert_allclose(found["low"], low)
    np.testing.assert_allclose(found["high"], high)


def test_cell_bootstrap_keeps_class_sizes_and_has_binomial_width():
    counts, stratum = np.array([30, 10, 5, 5]), np.array([0, 0, 1, 1])
    weights = cell_weights(counts, stratum, 500, np.random.default_rng(0))
    assert (weights[:, :2].sum(axis=1) == 40).all()
    assert (weights[:, 2:].sum(axis=1) == 10).all()
    true, called = ["a"] * 400, ["a"] * 320 + ["unknown"] * 80
    row = (
        evaluate(true, called, source_classes=["a"], n_boot=4000).summary.set_index("metric").loc["accuracy"]
    )
    half = 1.96 * np.sqrt(0.8 * 0.2 / 400)
    assert row["low"] == pytest.approx(0.8 - half, abs=0.006)
    assert row["high"] == pytest.approx(0.8 + half, abs=0.006)


def test_quantiles_ignore_undefined_draws():
    draws = np.array([[0.0, np.nan, np.nan], [1.0, 0.5, np.nan]])
    low, high = percentile_interval(draws, level=0.5)
    pd.testing.assert_series_equal(pd.Series(low), pd.Series([0.25, 0.5, np.nan]))
    pd.testing.assert_series_equal(pd.Series(high), pd.Series([0.75, 0.5, np.nan]))
