"""The sentences that open the report: what they say follows from the tables, whatever the tables say."""

import numpy as np
import pandas as pd
import pytest

from orthotype.study.answers import QUESTIONS, Answer, answers
from orthotype.study.answers.few_shot import answer_few_shot
from orthotype.study.answers.source import answer_source
from orthotype.study.answers.transfer import answer_transfer
from orthotype.study.answers.why import answer_why
from orthotype.study.answers.zero_shot import answer_zero_shot

RECORD = {
    "source": {"species": "mouse"},
    "target": {"species": "pig"},
    "recipe": {"learners": ["mlr", "ann"], "target_f1": 0.9, "plateau": 0.95, "n_important": 100},
    "shared": ["a", "b"],
    "has_truth": True,
}


def comparison(verdict: str, difference: float = 0.01) -> pd.DataFrame:
    row = {
        "metric": "balanced_accuracy",
        "mean_a": 0.9 + difference,
        "mean_b": 0.9,
        "difference": difference,
        "low": difference - 0.01,
        "high": difference + 0.01,
        "p_equal": 0.03,
        "p_difference": 0.0004,
        "verdict": verdict,
        "n_folds": 5,
        "margin": 0.02,
        "level": 0.95,
        "a": "mlr",
        "b": "ann",
    }
    return pd.DataFrame([row, {**row, "metric": "accuracy", "verdict": "equal"}])


@pytest.mark.parametrize(
    ("verdict", "short", "told"),
    [
        ("equal", "Yes, equal by test.", "equal within 0.02 by test (p = 0.030)"),
        ("a better", "It is better.", "the linear model is better (p < 0.001)"),
        ("b better", "No.", "the neural network is better (p < 0.001)"),
        ("undecided", "Not decided.", "neither equal within 0.02 by test (p = 0.030) nor different"),
    ],
)
def test_the_verdict_is_that_of_the_tests(verdict, short, told):
    answer = answer_source({"source_comparison": comparison(verdict)}, RECORD)
    assert answer.short.startswith(short)
    assert told in answer.text
    assert "0.910, the neural network of 0.900" in answer.text
    assert "+0.010 (95 % interval +0.000 to +0.020) over 5 folds" in answer.text
    assert answer.details[0].startswith("By other scores: accuracy 0.910 and 0.900, equal within 0.02")


def test_a_worse_linear_model_is_not_called_better():
    answer = answer_source({"source_comparison": comparison("b better", difference=-0.05)}, RECORD)
    assert "\u22120.050 (95 % interval \u22120.060 to \u22120.040)" in answer.text


def test_one_learner_is_not_compared():
    metrics = pd.DataFrame(
        {"learner": "mlr", "class": ["a", "all"], "metric": "balanced_accuracy", "value": [0.1, 0.8]}
    )
    answer = answer_source({"source_metrics": metrics}, RECORD)
    assert answer.text.startswith("Not compared: only the linear model was run.")
    assert "0.800" in answer.text


def transfer_tables() -> dict[str, pd.DataFrame]:
    summary = pd.DataFrame(
        {
            "learner": "mlr",
            "metric": ["accuracy", "mean_recall"],
            "value": [0.8, 0.7],
            "low": [0.75, 0.6],
            "high": [0.85, np.nan],
            "cells": 100,
        }
    )
    per_class = pd.DataFrame(
        {"learner": "mlr", "class": ["a", "b"], "recall": [0.9, 0.5], "support": [90, 10]}
    )
    confusion = pd.DataFrame(
        {
            "learner": "mlr",
            "true": ["a", "a", "b", "b"],
            "called": ["a", "b", "a", "b"],
            "cells": [81, 9, 5, 5],
        }
    )
    return {"transfer_summary": summary, "transfer_per_class": per_class, "transfer_confusion": confusion}


def test_the_weakest_class_is_named():
    answer = answer_transfer(transfer_tables(), RECORD)
    assert "Of 100 pig cells" in answer.text
    assert "80.0 % right (interval 75.0 % to 85.0 %); mean recall over 2 classes is 0.700" in answer.text
    assert answer.details == (
        "The weakest class is b: recall 0.50 over 10 cells, most often called a (5 cells).",
    )


def test_kinds_of_errors_are_told_for_both_learners():
    errors = pd.DataFrame(
        {
            "learner": ["mlr", "ann"],
            "class": "all",
            "proximal_rate": [0.157, 0.139],
            "distal_rate": [0.12, 0.08],
            "no_agreement_rate": [0.01, 0.0],
            "unplaced_rate": [0.0, 0.02],
        }
    )
    details = answer_transfer({**transfer_tables(), "transfer_errors": errors}, RECORD).details
    assert details[0] == ("Linear model: 15.7 % proximal errors, 12.0 % distal ones, no agreement on 1.0 %.")
    assert "2.0 % errors without a place" in details[1]


def test_genes_and_counterparts():
    top = pd.DataFrame(
        {
            "learner": "mlr",
            "class": ["a", "a", "b"],
            "rank": [1, 2, 1],
            "gene": ["GATA1", "X", "CD79A"],
            "importance": [0.2, 0.19, 0.4],
        }
    )
    weights = pd.DataFrame(
        {"learner": "mlr", "share": [0.5, 0.7], "expected": 0.1, "p_adjusted": [0.01, 0.2]}
    )
    names = [(a, b) for a in "ab" for b in "ab"]
    cosines = pd.DataFrame(
        {
            "row_side": "source",
            "row_class": [a for a, _ in names],
            "column_side": "target",
            "column_class": [b for _, b in names],
            "cosine": [0.9, 0.1, 0.8, 0.3],
        }
    )
    tables = {"why_top_genes": top, "why_weights": weights, "why_similarity": cosines}
    answer = answer_why(tables, RECORD)
    assert answer.short == "First of all CD79A (b) and GATA1 (a)."
    assert "60 % of the 100 most informative genes" in answer.text
    assert "where 10 % would by chance (significant for 1 of 2 classes)" in answer.text
    assert answer.details == (
        "1 of 2 shared classes are most alike to their own counterpart in the other species; "
        "not b (nearest a).",
    )


def few_shot_tables(p: float) -> dict[str, pd.DataFrame]:
    needed = pd.DataFrame(
        {
            "learner": "mlr",
            "class": "all",
            "start": ["transfer", "transfer", "scratch", "scratch"],
            "criterion": ["target", "plateau"] * 2,
            "shots": pd.array([0, 1, 5, None], dtype="Int64"),
            "outcome": ["0", "1 (0 to 2)", "5", "not reached by 30"],
        }
    )
    points = pd.DataFrame(
        {
            "learner": "mlr",
            "class": "all",
            "metric": "f1",
            "start": ["transfer", "transfer", "scratch"],
            "shots": [0, 5, 5],
            "mean": [0.91, 0.95, 0.9],
        }
    )
    tests = pd.DataFrame(
        {"learner": "mlr", "class": "all", "metric": "f1", "shots": [5], "p": 0.001, "p_adjusted": p}
    )
    return {"few_shot_needed": needed, "few_shot_intervals": points, "few_shot_tests": tests}


@pytest.mark.parametrize(("p", "told"), [(0.01, "at 5 cells per class"), (0.06, "at no number of cells")])
def test_cells_needed_and_the_adjusted_test(p, told):
    answer = answer_few_shot(few_shot_tables(p), RECORD)
    assert "over all classes: 0 continued from the source and 5 from nothing" in answer.text
    assert "1 (0 to 2) continued from the source and not reached by 30 from nothing" in answer.text
    assert answer.details[0].endswith("0: 0.910, 5: 0.950 and 0.900.")
    assert answer.details[1].endswith(f"{told}.")
    assert answer.numbers["plateau_scratch"] is None


@pytest.mark.parametrize(("truth", "told"), [(True, "fewer than two classes"), (False, "no target label")])
def test_what_was_not_measured_is_said(truth, told):
    assert told in answer_few_shot({}, RECORD | {"has_truth": truth}).text


def test_classes_found_and_missed():
    classes = pd.DataFrame(
        {
            "learner": "mlr",
            "class": ["a", "b", "c"] * 2,
            "model": ["source"] * 3 + ["adapted"] * 3,
            "recall": [0.9, 0.9, 0.2, 0.1, 0.2, 0.3],
            "precision": [0.9, 0.4, np.nan, 0.5, 0.5, 0.5],
        }
    )
    absent = pd.DataFrame(
        {
            "learner": ["mlr", "mlr"],
            "class": ["d", "e"],
            "called": [4, 0],
            "mostly": ["a", None],
            "mostly_cells": [1, 0],
        }
    )
    foreign = pd.DataFrame(
        {
            "learner": ["mlr"],
            "class": ["x"],
            "cells": [8],
            "no_agreement_rate": [0.25],
            "mostly": ["a"],
            "mostly_cells": [6],
            "entropy": [0.6],
            "entropy_shared": [0.1],
        }
    )
    tests = pd.DataFrame(
        {
            "class": ["d", "e"],
            "cells_tested": "called by one half of the genes",
            "p": 0.01,
            "p_adjusted": 0.02,
        }
    )
    tables = {
        "zero_shot_classes": classes,
        "zero_shot_absent": absent,
        "zero_shot_foreign": foreign,
        "zero_shot_marker_tests": tests,
    }
    answer = answer_zero_shot(tables, RECORD)
    assert answer.text.startswith("1 of 3 classes are found by the linear model")
    assert answer.text.endswith("; not b and c.")
    assert answer.details[0].endswith("median recall is 0.20 for the linear model.")
    assert answer.details[1].startswith(
        "d has no target label: 4 cells called so, 1 of them labelled a; markers"
    )
    assert answer.details[2] == "e has no target label: 0 cells called so."
    assert "of 8 cells the models disagree on 25 %, most are called a (6)" in answer.details[3]


def test_an_answer_survives_json():
    answer = answer_few_shot(few_shot_tables(0.01), RECORD)
    assert Answer.from_dict(answer.to_dict()) == answer
    assert answer.question == QUESTIONS["few-shot"]
    assert list(QUESTIONS) == ["source", "transfer", "why", "few-shot", "zero-shot"]
    assert callable(answers)
