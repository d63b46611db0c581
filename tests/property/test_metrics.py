"""What must hold for any labels (simulated labels: only the arithmetic is tested)."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from orthotype.metrics import accuracy, confusion, evaluate, macro_f1, mean_recall, per_class

TRUTHS = st.sampled_from(["a", "b", "c", "d"])
CALLS = st.sampled_from(["a", "b", "c", "e", "no agreement", "unknown"])
PAIRS = st.lists(st.tuples(TRUTHS, CALLS), min_size=1, max_size=60)
SOURCE = ["a", "b", "c", "e"]


def columns_of(pairs):
    return [true for true, _ in pairs], [called for _, called in pairs]


@settings(deadline=None)
@given(PAIRS)
def test_the_table_holds_every_cell_once_in_the_row_of_its_true_class(pairs):
    true, called = columns_of(pairs)
    table = confusion(true, called)
    assert table.sum(axis=1).to_dict() == pd.Series(true).value_counts().to_dict()
    sums = table.sum()
    assert sums[sums > 0].to_dict() == pd.Series(called).value_counts().to_dict()


@settings(deadline=None)
@given(PAIRS)
def test_scores_follow_from_labels_not_from_a_turned_table(pairs):
    true, called = columns_of(pairs)
    scores = per_class(true, called)
    for name in scores.index:
        support, calls = true.count(name), called.count(name)
        hits = sum(pair == (name, name) for pair in pairs)
        np.testing.assert_equal(scores.loc[name, "recall"], hits / support if support else np.nan)
        np.testing.assert_equal(scores.loc[name, "precision"], hits / calls if calls else np.nan)


@settings(deadline=None)
@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_the_cells_does_not_matter(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    pd.testing.assert_frame_equal(per_class(*columns_of(pairs)), per_class(*columns_of(shuffled)))


@settings(deadline=None)
@given(PAIRS)
def test_new_names_that_turn_the_order_change_nothing_else(pairs):
    true, called = columns_of(pairs)
    names = {"a": "z", "b": "y", "c": "x", "d": "w", "e": "v"}
    renamed = [names[t] for t in true], [names.get(c, c) for c in called]
    for score in (accuracy, mean_recall, macro_f1):
        np.testing.assert_allclose(score(true, called), score(*renamed), atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(PAIRS.filter(lambda pairs: any(true != "d" for true, _ in pairs)), st.integers(0, 5))
def test_intervals_lie_in_order_inside_zero_and_one(pairs, seed):
    true, called = columns_of(pairs)
    donors = [f"donor{i % 4}" for i in range(len(pairs))]
    for groups in (None, donors):
        found = evaluate(true, called, source_classes=SOURCE, groups=groups, n_boot=20, random_state=seed)
        bounds = found.summary[["low", "high"]].dropna()
        assert (
            (bounds["low"] <= bounds["high"]) & (bounds["low"] >= 0) & (bounds["high"] <= 1 + 1e-12)
        ).all()


@settings(deadline=None, max_examples=40)
@given(PAIRS.filter(lambda pairs: any(true != "d" for true, _ in pairs)))
def test_cells_of_target_only_classes_do_not_touch_the_scores(pairs):
    true, called = columns_of(pairs)
    kept = [pair for pair in pairs if pair[0] != "d"]
    whole = evaluate(true, called, source_classes=SOURCE, n_boot=0)
    without = evaluate(*columns_of(kept), source_classes=SOURCE, n_boot=0)
    pd.testing.assert_frame_equal(whole.summary, without.summary)
    pd.testing.assert_frame_equal(
        whole.per_class.drop(columns="called_target_only"),
        without.per_class.drop(columns="called_target_only"),
    )
