"""Scores from labels, on tables small enough to check by hand."""

import numpy as np
import pandas as pd
import pytest

from orthotype.errors import InputError
from orthotype.metrics import accuracy, confusion, macro_f1, mean_recall, per_class

TRUE = ["a"] * 6 + ["b"] * 3 + ["c"]
CALLED = ["a"] * 4 + ["b", "unknown"] + ["b", "b", "a"] + ["no agreement"]


def test_confusion_has_true_classes_as_rows_and_both_reserved_columns_last():
    table = confusion(TRUE, CALLED)
    assert list(table.index) == ["a", "b", "c"]
    assert list(table.columns) == ["a", "b", "c", "no agreement", "unknown"]
    assert table.loc["a"].tolist() == [4, 1, 0, 0, 1]
    assert table.loc["b"].tolist() == [1, 2, 0, 0, 0]
    assert table.loc["c"].tolist() == [0, 0, 0, 1, 0]
    assert table.index.name == "true"
    assert table.columns.name == "predicted"


def test_confusion_follows_the_order_of_labels_and_never_drops_a_cell():
    assert list(confusion(TRUE, CALLED, labels=["c", "b", "a"]).index) == ["c", "b", "a"]
    with pytest.raises(InputError, match="leaves out classes that occur: 'c'"):
        confusion(TRUE, CALLED, labels=["a", "b"])
    with pytest.raises(InputError, match="leaves out classes that occur: 'z'"):
        confusion(["a"], ["z"], labels=["a"])


def test_scores_per_class_by_hand():
    table = per_class(TRUE, CALLED)
    a = table.loc["a"]
    assert (a["support"], a["called"]) == (6, 5)
    assert a["precision"] == pytest.approx(4 / 5)
    assert a["recall"] == pytest.approx(4 / 6)
    assert a["f1"] == pytest.approx(8 / 11)
    assert a["accuracy"] == pytest.approx(7 / 10)
    assert a["balanced_accuracy"] == pytest.approx((4 / 6 + 3 / 4) / 2)
    assert a["predictive_value_mean"] == pytest.approx((4 / 5 + 3 / 5) / 2)


def test_published_form_differs_from_one_vs_rest_balanced_accuracy():
    table = per_class(TRUE, CALLED)
    assert not np.allclose(table["balanced_accuracy"], table["predictive_value_mean"], equal_nan=True)


def test_a_class_never_called_has_no_precision_and_f1_zero():
    c = per_class(TRUE, CALLED).loc["c"]
    assert np.isnan(c["precision"])
    assert np.isnan(c["predictive_value_mean"])
    assert c["recall"] == 0
    assert c["f1"] == 0


def test_a_class_without_cells_has_no_recall():
    b = per_class(["a", "a"], ["a", "b"]).loc["b"]
    assert np.isnan(b["recall"])
    assert np.isnan(b["balanced_accuracy"])
    assert b["precision"] == 0
    assert b["f1"] == 0


def test_a_class_that_occurs_neither_way_is_undefined():
    z = per_class(["a"], ["a"], labels=["z"]).loc["z"]
    assert np.isnan(z[["precision", "recall", "f1"]].to_numpy(dtype=float)).all()


def test_a_single_class_has_no_rest():
    assert np.isnan(per_class(["a", "a"], ["a", "a"]).loc["a", "balanced_accuracy"])


def test_overall_scores_by_hand():
    assert accuracy(TRUE, CALLED) == pytest.approx(6 / 10)
    assert mean_recall(TRUE, CALLED) == pytest.approx((4 / 6 + 2 / 3 + 0) / 3)
    assert macro_f1(TRUE, CALLED) == pytest.approx((8 / 11 + 4 / 6 + 0) / 3)


def test_a_reserved_word_is_never_a_hit_even_if_it_is_a_true_label():
    assert accuracy(["unknown", "a"], ["unknown", "a"]) == 0.5
    assert mean_recall(["unknown", "a"], ["unknown", "a"]) == 0.5
    assert list(confusion(["unknown"], ["unknown"]).index) == ["unknown"]


def test_labels_of_any_kind_give_the_same_table():
    plain = confusion(TRUE, CALLED)
    for kind in (pd.Series, pd.Categorical, np.array):
        pd.testing.assert_frame_equal(confusion(kind(TRUE), kind(CALLED)), plain)
    assert accuracy([1, 2, 2], np.array([1, 2, 1])) == pytest.approx(2 / 3)


@pytest.mark.parametrize("score", [confusion, per_class, accuracy, mean_recall, macro_f1])
def test_missing_labels_are_refused(score):
    with pytest.raises(InputError, match="1 true labels are missing"):
        score(["a", None], ["a", "a"])
    with pytest.raises(InputError, match=r"2 predicted labels are missing.*'no agreement' or 'unknown'"):
        score(["a", "b", "b"], ["a", np.nan, " "])


def test_every_problem_of_the_labels_is_told_at_once():
    with pytest.raises(InputError) as caught:
        accuracy(["a"], ["a", None])
    assert len(caught.value.problems) == 2
    with pytest.raises(InputError, match="no cells at all"):
        accuracy([], [])
    with pytest.raises(InputError, match="true has 2 dimensions"):
        accuracy(np.array([["a"]]), ["a"])


def test_the_same_cells_in_another_order_are_refused():
    true = pd.Series(["a", "b"], index=["cell1", "cell2"])
    with pytest.raises(InputError, match="same cells in another order"):
        accuracy(true, true.iloc[::-1])
    assert accuracy(true, pd.Series(["a", "b"])) == 1
