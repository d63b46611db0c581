"""The figures of a study that are drawn from its tables alone: numbers stand where they belong."""

import numpy as np
import pandas as pd
import pytest

from orthotype.errors import InputError
from orthotype.pl.study import study_figures
from orthotype.pl.study_panels import comparison, confusion_table, unlabelled_classes

CONFUSION = pd.DataFrame(
    {
        "true": ["a", "a", "a", "b", "b", "b"],
        "called": ["a", "b", "unknown"] * 2,
        "cells": [8, 2, 0, 1, 1200, 0],
        "share": [0.8, 0.2, 0, 1 / 1201, 1200 / 1201, 0],
    }
)


def names(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_rows_are_true_classes_and_columns_are_calls():
    ax = confusion_table(CONFUSION).axes[0]
    assert (names(ax.yaxis), names(ax.xaxis)) == (["a", "b"], ["a", "b"])
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("true class", "label")
    drawn = {text.get_position(): text.get_text() for text in ax.texts}
    assert drawn == {(0, 0): "8", (1, 0): "2", (0, 1): "1", (1, 1): "1,200"}
    np.testing.assert_allclose(ax.images[0].get_array()[0], [0.8, 0.2])


def test_differences_stand_on_their_intervals():
    table = pd.DataFrame(
        {
            "metric": ["balanced_accuracy", "macro_f1"],
            "difference": [0.01, -0.03],
            "low": [-0.01, -0.05],
            "high": [0.03, -0.01],
            "margin": 0.02,
            "verdict": ["undecided", "b better"],
            "a": "mlr",
            "b": "ann",
        }
    )
    ax = comparison(table).axes[0]
    assert names(ax.yaxis) == ["balanced accuracy: undecided", "macro F1: b better"]
    np.testing.assert_allclose(ax.lines[-1].get_xdata(), [0.01, -0.03])
    assert ax.get_xlabel() == "mlr less ann, band: ±0.02"


def test_bars_are_means_over_repeats():
    table = pd.DataFrame(
        {
            "class": ["a", "a", "a", "a"],
            "model": ["source", "source", "adapted", "adapted"],
            "recall": [0.5, 0.7, 0.2, 0.4],
            "precision": [1.0, 1.0, np.nan, np.nan],
        }
    )
    recall, precision = unlabelled_classes(table).axes
    np.testing.assert_allclose([bar.get_width() for bar in recall.patches], [0.6, 0.3])
    np.testing.assert_allclose([bar.get_width() for bar in precision.patches], [1.0, 0.0])


def test_only_what_is_there_is_drawn():
    assert list(study_figures({})) == []
    drawn = [name for name, _ in study_figures({"source_confusion": CONFUSION.assign(learner="mlr")})]
    assert drawn == ["source_confusion_mlr"]
    with pytest.raises(InputError, match="no column"):
        confusion_table(CONFUSION.drop(columns="cells"))
