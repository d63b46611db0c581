"""Figures: axes come back with what the tables hold, and pyplot is never touched."""

import sys

import numpy as np
import pandas as pd
import pytest

from orthotype import pl
from orthotype.errors import OrthotypeError
from orthotype.metrics import evaluate


@pytest.fixture
def evaluation():
    return evaluate(
        ["a", "a", "b", "b", "x"], ["a", "b", "b", "unknown", "a"], source_classes=["a", "b", "s"]
    )


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_confusion_shows_counts_where_they_belong(evaluation):
    ax = pl.confusion(evaluation)
    assert ticks(ax.yaxis) == ["a", "b", "x"]
    assert ticks(ax.xaxis) == ["a", "b", "s", "no agreement", "unknown"]
    places = {text.get_position(): text.get_text() for text in ax.texts}
    assert places == {(0, 0): "1", (1, 0): "1", (1, 1): "1", (4, 1): "1", (0, 2): "1"}
    np.testing.assert_allclose(ax.images[0].get_array()[1], [0, 0.5, 0, 0, 0.5])


def test_recall_shows_values_and_support(evaluation):
    ax = pl.recall(evaluation)
    assert ticks(ax.yaxis) == ["a (2)", "b (2)"]
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [0.5, 0.5])
    assert ax.get_xlabel() == "recall, with 95 % interval"


def test_recall_can_be_drawn_without_intervals():
    pl.recall(evaluate(["a"], ["a"], source_classes=["a"], n_boot=0)).figure.canvas.draw()


def test_confidence_stacks_every_cell_once():
    frame = pd.DataFrame({"confidence": [0.1, 0.5, 0.9, 1.0], "status": ["unknown", *["assigned"] * 3]})
    ax = pl.confidence(frame, bins=10)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["assigned", "unknown"]
    assert sum(patch.get_height() for patch in ax.patches) == 4


def test_figures_can_be_saved_and_given_axes_are_used(evaluation, tmp_path):
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert pl.confusion(evaluation, ax=ax) is ax
    ax.figure.savefig(tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").stat().st_size > 1000


def test_pyplot_is_never_imported(evaluation):
    before = "matplotlib.pyplot" in sys.modules
    pl.confusion(evaluation)
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_without_matplotlib_the_message_says_what_to_install(evaluation, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(OrthotypeError, match=r'pip install "orthotype\[plot\]"'):
        pl.recall(evaluation)
