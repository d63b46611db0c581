"""What an evaluation shows together, what apart, and what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest

from orthotype.errors import InputError
from orthotype.metrics import (
    accuracy,
    evaluate,
    expected_calibration_error,
    macro_f1,
    mean_recall,
    per_class,
    softmax_entropy,
)

TRUE = ["a"] * 6 + ["b"] * 3 + ["x"] * 4 + [None]
CALLED = ["a"] * 4 + ["b", "unknown"] + ["b", "s", "no agreement"] + ["a", "a", "b", "unknown"] + ["a"]
SOURCE = ["a", "b", "s"]


def table_of_probabilities(n_cells, *, seed=0):
    """Random rows that sum to one (simulated: only their arithmetic is tested)."""
    return np.random.default_rng(seed).dirichlet(np.ones(len(SOURCE)), size=n_cells)


def test_classes_of_one_side_are_apart():
    found = evaluate(TRUE, CALLED, source_classes=SOURCE, n_boot=0)
    assert (found.shared, found.source_only, found.target_only) == (("a", "b"), ("s",), ("x",))
    assert (found.n_cells, found.n_missing) == (13, 1)
    assert list(found.confusion.index) == ["a", "b", "x"]
    assert list(found.confusion.columns) == ["a", "b", "s", "no agreement", "unknown"]
    assert found.confusion.loc["x"].tolist() == [2, 1, 0, 0, 1]
    assert found.confusion.to_numpy().sum() == 13


def test_summary_counts_only_cells_whose_class_is_shared():
    found = evaluate(TRUE, CALLED, source_classes=SOURCE, n_boot=0)
    assert found.value("accuracy") == pytest.approx(accuracy(TRUE[:9], CALLED[:9])) == pytest.approx(5 / 9)
    assert found.value("mean_recall") == pytest.approx(mean_recall(TRUE[:9], CALLED[:9]))
    assert found.value("macro_f1") == pytest.approx(macro_f1(TRUE[:9], CALLED[:9]))
    assert found.value("accuracy_assigned") == pytest.approx(5 / 7)
    assert found.value("share_assigned") == pytest.approx(7 / 9)
    assert found.value("share_no_agreement") == pytest.approx(1 / 9)
    assert found.value("share_unknown") == pytest.approx(1 / 9)
    cells = found.summary.set_index("metric")["cells"]
    assert (cells["accuracy"], cells["accuracy_assigned"]) == (9, 7)


def test_per_class_agrees_with_the_plain_function_and_tells_foreign_calls():
    found = evaluate(TRUE, CALLED, source_classes=SOURCE, n_boot=0)
    plain = per_class(TRUE[:9], CALLED[:9], labels=["a", "b"])
    pd.testing.assert_frame_equal(found.per_class[plain.columns], plain)
    assert found.per_class["called_target_only"].tolist() == [2, 1]


def test_target_only_cells_are_described():
    confidence = np.linspace(0.1, 1, len(TRUE))
    found = evaluate(TRUE, CALLED, source_classes=SOURCE, confidence=confidence, n_boot=0)
    row = found.target_only_calls.loc["x"]
    assert (row["cells"], row["most_called"], row["most_called_cells"]) == (4, "a", 2)
    assert row["share_assigned"] == 0.75
    assert row["share_unknown"] == 0.25
    assert row["share_no_agreement"] == 0
    assert row["mean_confidence"] == pytest.approx(confidence[9:13].mean())


def test_probabilities_give_entropy_confidence_and_the_most_probable_class():
    proba = table_of_probabilities(len(TRUE))
    found = evaluate(TRUE, CALLED, source_classes=SOURCE, proba=proba, n_boot=0)
    top = np.array(SOURCE)[proba.argmax(axis=1)]
    assert found.value("accuracy_most_probable") == pytest.approx(accuracy(TRUE[:9], top[:9]))
    assert found.value("mean_recall_most_probable") == pytest.approx(mean_recall(TRUE[:9], top[:9]))
    expected = expected_calibration_error(TRUE[:9], CALLED[:9], proba.max(axis=1)[:9])
    assert found.value("calibration_error") == pytest.approx(expected)
    assert list(found.entropy.index) == ["a", "b", "x"]
    assert found.entropy.loc["x", "median"] == pytest.approx(np.median(softmax_entropy(proba)[9:13]))
    assert found.reliability["cells"].sum() == 7


def test_the_order_of_the_probability_columns_is_what_classes_says():
    proba = table_of_probabilities(len(TRUE))
    straight = evaluate(TRUE, CALLED, source_classes=SOURCE, proba=proba)
    turned = evaluate(TRUE, CALLED, source_classes=SOURCE, proba=proba[:, ::-1], classes=SOURCE[::-1])
    pd.testing.assert_frame_equal(straight.summary, turned.summary)


def test_without_probabilities_their_tables_are_absent():
    found = evaluate(TRUE, CALLED, source_classes=SOURCE, n_boot=0)
    assert found.entropy is None
    assert found.reliability is None
    assert "calibration_error" not in set(found.summary["metric"])


def test_groups_are_resampled_from_three_on_and_the_method_is_told():
    donors = ["d1", "d2", "d3", "d4"] * 4
    four = evaluate(TRUE, CALLED, source_classes=SOURCE, groups=donors[:14])
    assert four.interval_method == "95 % percentile bootstrap, 1,000 draws of 4 groups"
    two = evaluate(TRUE, CALLED, source_classes=SOURCE, groups=(["d1", "d2"] * 7), level=0.9)
    assert two.interval_method == (
        "90 % percentile bootstrap, 1,000 draws of cells within each true class "
        "(2 groups are too few to resample)"
    )
    none = evaluate(TRUE, CALLED, source_classes=SOURCE, n_boot=0)
    assert none.interval_method == "no intervals"
    assert none.summary["low"].isna().all()


def test_intervals_hold_the_value_and_repeat_with_the_seed():
    found = evaluate(TRUE, CALLED, source_classes=SOURCE, random_state=3)
    again = evaluate(TRUE, CALLED, source_classes=SOURCE, random_state=3)
    other = evaluate(TRUE, CALLED, source_classes=SOURCE, random_state=4)
    pd.testing.assert_frame_equal(found.per_class, again.per_class)
    assert not found.summary.equals(other.summary)
    assert (found.summary["low"] <= found.summary["value"]).all()
    assert (found.summary["value"] <= found.summary["high"]).all()


def test_donors_that_disagree_widen_the_interval():
    true = ["a", "b"] * 200
    called = ["a", "b"] * 150 + ["b", "a"] * 50
    donors = np.repeat(["d1", "d2", "d3", "d4"], 100)
    by_donor = evaluate(true, called, source_classes=["a", "b"], groups=donors).summary.iloc[0]
    by_cell = evaluate(true, called, source_classes=["a", "b"]).summary.iloc[0]
    assert by_donor["high"] - by_donor["low"] > 3 * (by_cell["high"] - by_cell["low"])


def test_spelling_twins_and_lost_labels_are_noted_and_not_merged():
    found = evaluate(
        ["T cell", "b", "nan", "unknown", None],
        ["t_cell", "b", "b", "unknown", "b"],
        source_classes=["t_cell", "b"],
        n_boot=0,
    )
    assert found.target_only == ("T cell", "nan", "unknown")
    notes = "\n".join(found.notes)
    assert "1 cells have no true label" in notes
    assert "'T cell' (target) and 't_cell' (source) differ only in spelling" in notes
    assert "'nan' of 1 cells" in notes
    assert "'unknown' of 1 cells" in notes


def test_to_dict_is_plain_json_without_nan():
    proba = table_of_probabilities(len(TRUE))
    found = evaluate([*TRUE, "b"], [*CALLED, "s"], source_classes=SOURCE, proba=np.vstack([proba, proba[:1]]))
    text = json.dumps(found.to_dict(), allow_nan=False)
    back = json.loads(text)
    assert back["confusion"]["counts"] == found.confusion.to_numpy().tolist()
    assert [row["class"] for row in back["per_class"]] == ["a", "b"]
    assert back["summary"][0]["metric"] == "accuracy"


def test_every_problem_is_told_at_once():
    with pytest.raises(InputError) as caught:
        evaluate(
            ["a", "b"],
            ["a", "z"],
            source_classes=["a", "b"],
            proba=[[0.5, 0.4], [1, 0]],
            confidence=[0.5, 2],
            groups=["d1"],
            level=95,
        )
    assert len(caught.value.problems) == 5
    assert "no source class: 'z'" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"true": ["A", "B"]}, "no true class .'A', 'B'. is a source class .'a', 'b'."),
        ({"true": [None, " "]}, "no cell has a true label"),
        ({"proba": [[1.0], [1.0]]}, "proba has shape .2, 1."),
        ({"confidence": [0.5]}, "expected one value for each of 2 cells"),
        ({"groups": ["d1", None]}, "1 of them missing"),
        ({"n_boot": -1}, "n_boot=-1"),
    ],
)
def test_bad_input(change, message):
    arguments = {"true": ["a", "b"], "predicted": ["a", "b"], "source_classes": ["a", "b"]} | change
    with pytest.raises(InputError, match=message):
        evaluate(arguments.pop("true"), arguments.pop("predicted"), **arguments)


def test_a_class_absent_from_some_draws_keeps_an_interval():
    true, called = ["a"] * 8 + ["b"], ["a"] * 8 + ["b"]
    found = evaluate(true, called, source_classes=["a", "b"], groups=["d1", "d2", "d3"] * 3)
    assert found.per_class.loc["b", ["recall_low", "recall_high"]].tolist() == [1, 1]
    assert found.summary.set_index("metric").loc["mean_recall", ["low", "high"]].tolist() == [1, 1]


def test_the_two_ways_of_giving_no_label_are_never_merged():
    found = evaluate(
        ["a"] * 4, ["a", "no agreement", "unknown", "unknown"], source_classes=["a", "unknown"], n_boot=0
    )
    assert found.value("share_no_agreement") == 0.25
    assert found.value("share_unknown") == 0.5
    assert found.source_only == ()
