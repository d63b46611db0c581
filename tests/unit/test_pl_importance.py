"""The heat map of genes puts every value at its gene and class; tails of the weights add up."""

import numpy as np
import pandas as pd
import pytest

from orthotype import pl
from orthotype.errors import InputError


@pytest.fixture
def table():
    rows = [
        ("g1", "x", "mouse", "x", 2.0), ("g1", "x", "mouse", "y", -1.0), ("g2", "y", "mouse", "x", -3.0),
        ("g2", "y", "mouse", "y", 0.5), ("g1", "x", "human", "z", 0.1), ("g1", "x", "human", "x", 0.2),
        ("g2", "y", "human", "z", 0.3), ("g2", "y", "human", "x", 0.4),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["gene", "top_for", "species", "class", "scaled"])


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_each_species_has_a_panel_with_values_at_gene_and_class(table):
    figure = pl.gene_heatmap(table)
    mouse, human = figure.axes[:2]
    assert [ax.get_title() for ax in (mouse, human)] == ["mouse", "human"]
    assert ticks(mouse.yaxis) == ["g1", "g2"]
    assert ticks(mouse.xaxis) == ["x", "y"]
    assert ticks(human.xaxis) == ["x", "z"]  # classes of the second species follow the first
    np.testing.assert_array_equal(mouse.images[0].get_array(), [[2.0, -1.0], [-3.0, 0.5]])
    np.testing.assert_array_equal(human.images[0].get_array(), [[0.2, 0.1], [0.4, 0.3]])
    assert "z-score" in figure.axes[2].get_xlabel()


def test_frames_mark_the_class_that_a_gene_was_chosen_for(table):
    mouse, human = pl.gene_heatmap(table).axes[:2]
    frames = [(patch.get_xy(), patch.get_height()) for patch in mouse.patches]
    assert frames == [((-0.5, -0.5), 1), ((0.5, 0.5), 1)]
    assert [patch.get_xy() for patch in human.patches] == [(-0.5, -0.5)]


def test_tails_are_drawn_end_to_end():
    table = pd.DataFrame(
        {
            "class": ["x", "y"],
            "top": [100, 0],
            "lower": [20, 0],
            "upper": [50, 0],
            "expected": [0.1, 0.1],
            "p_adjusted": [1e-9, np.nan],
        }
    )
    figure = pl.weight_tails(table)
    ax = figure.axes[0]
    bars = [(bar.get_x(), bar.get_width()) for bar in ax.patches]
    np.testing.assert_allclose(bars, [(0, 0.5), (0, 0), (0.5, 0.2), (0, 0)])
    assert [text.get_text() for text in ax.texts] == ["p < 0.001", "no genes"]
    assert ticks(ax.yaxis) == ["x (100)", "y (0)"]


def test_tables_that_lack_a_column_are_refused(table):
    with pytest.raises(InputError, match="no column 'scaled'"):
        pl.gene_heatmap(table.drop(columns="scaled"))
    with pytest.raises(InputError, match="no column 'class', 'top', 'lower'"):
        pl.weight_tails(pd.DataFrame({"p": [1.0]}))
