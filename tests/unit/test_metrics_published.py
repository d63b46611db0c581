"""Scores as a tidy table: against scikit-learn and against the tables of the metrics wing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, precision_recall_fscore_support

from orthotype import metrics
from orthotype.errors import InputError
from orthotype.metrics.published import code_scores

NAMES = ["a", "b", "c", "d"]


def calls(seed: int, n: int = 60, *, n_called: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Simulated codes; the last class has no cells."""
    rng = np.random.default_rng(seed)
    true = np.append(rng.integers(3, size=n), [0, 1, 2])
    wrong = rng.random(len(true)) < 0.4
    return true, np.where(wrong, rng.integers(n_called, size=len(true)), true)


def wide(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.pivot_table(index="class", columns="metric", values="value")


@given(seed=st.integers(0, 10_000), n_called=st.integers(1, 4))
@settings(deadline=None, max_examples=40)
def test_standard_scores_are_those_of_scikit_learn(seed: int, n_called: int) -> None:
    true, called = calls(seed, n_called=n_called)
    found = wide(code_scores(true, called, classes=NAMES))
    precision, recall, f1, support = precision_recall_fscore_support(
        true, called, labels=[0, 1, 2], zero_division=0
    )
    for name, expected in {"precision": precision, "recall": recall, "f1": f1}.items():
        np.testing.assert_allclose(found.loc[["a", "b", "c"], name], expected, atol=1e-12)
    assert found.loc["all", "f1"] == pytest.approx(f1.mean())
    assert found.loc["all", "precision"] == pytest.approx(precision.mean())
    assert found.loc["all", "accuracy"] == pytest.approx(accuracy_score(true, called))
    assert found.loc["all", "balanced_accuracy"] == pytest.approx(recall.mean())
    if n_called < 4:
        assert found.loc["all", "balanced_accuracy"] == pytest.approx(balanced_accuracy_score(true, called))
    assert "d" not in found.index
    assert support.sum() == len(true)


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=25)
def test_the_other_two_balanced_accuracies_are_those_of_per_class(seed: int) -> None:
    true, called = calls(seed)
    found = wide(code_scores(true, called, classes=NAMES)).loc[["a", "b", "c"]]
    names = np.array(NAMES, dtype=object)
    expected = metrics.per_class(names[true], names[called], labels=NAMES).loc[["a", "b", "c"]]
    defined = expected["precision"].notna()
    for mine, theirs in {
        "one_vs_rest_balanced_accuracy": "balanced_accuracy",
        "published_balanced_accuracy": "predictive_value_mean",
    }.items():
        np.testing.assert_allclose(found.loc[defined, mine], expected.loc[defined, theirs], atol=1e-12)


def test_published_and_standard_forms_differ_on_a_known_case() -> None:
    """Of 100 cells 10 are b; 8 of them are found, 12 of a are called b: PPV 0.4, NPV 78 / 80, TNR 78 / 90."""
    true = np.repeat([0, 1], [90, 10])
    called = np.repeat([0, 1, 0, 1], [78, 12, 2, 8])
    found = wide(code_scores(true, called, classes=["a", "b"]))
    assert found.loc["b", "published_balanced_accuracy"] == pytest.approx((0.4 + 78 / 80) / 2)
    assert found.loc["b", "one_vs_rest_balanced_accuracy"] == pytest.approx((0.8 + 78 / 90) / 2)
    assert found.loc["all", "balanced_accuracy"] == pytest.approx((0.8 + 78 / 90) / 2)


def test_a_class_that_is_never_called_scores_0_and_stays_in_the_mean() -> None:
    found = wide(code_scores(np.array([0, 0, 1]), np.array([0, 0, 0]), classes=["a", "b"]))
    assert found.loc["b", ["f1", "precision", "recall"]].tolist() == [0, 0, 0]
    assert found.loc["a", "published_balanced_accuracy"] == pytest.approx(1 / 3), "PPV 2 / 3, no NPV"
    assert found.loc["all", "precision"] == pytest.approx(1 / 3)
    assert found.loc[["a", "b"]].drop(columns=["accuracy", "balanced_accuracy"]).notna().to_numpy().all()


def test_no_agreement_is_never_right_and_no_call_of_any_class() -> None:
    found = wide(code_scores(np.array([0, 0, 1, 1]), np.array([0, -1, 1, -1]), classes=["a", "b"]))
    assert found.loc["a", ["precision", "recall"]].tolist() == [1.0, 0.5]
    assert found.loc["all", "accuracy"] == 0.5


def test_a_group_is_the_mean_of_its_classes_that_have_cells() -> None:
    true, called = calls(3)
    groups = {"some": np.array([True, False, True, True]), "none": np.array([False, False, False, True])}
    rows = code_scores(true, called, classes=NAMES, groups=groups)
    found = wide(rows)
    assert found.loc["some", "f1"] == pytest.approx(found.loc[["a", "c"], "f1"].mean())
    assert "none" not in found.index
    assert rows.loc[rows["class"] == "some", "n_test"].eq((true != 1).sum()).all()
    assert rows.loc[rows["class"] == "all", "n_test"].eq(len(true)).all()


def test_no_cells_are_refused() -> None:
    empty = np.array([], dtype=int)
    with pytest.raises(InputError, match="no cells to score"):
        code_scores(empty, empty, classes=NAMES)
