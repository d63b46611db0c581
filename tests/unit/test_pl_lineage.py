"""Bars of errors: shares of the true class, end to end, the overall row last."""

import numpy as np
import pandas as pd
import pytest

from orthotype import pl
from orthotype.errors import InputError


@pytest.fixture
def errors():
    table = pd.DataFrame(
        {
            "cells": [12, 10, 2],
            "correct": [8, 6, 2],
            "proximal": [2, 2, 0],
            "distal": [1, 1, 0],
            "no_agreement": [1, 1, 0],
        },
        index=["all", "x", "y"],
    )
    table.index.name = "class"
    return table


@pytest.mark.parametrize("as_column", [True, False])
def test_bars_are_shares_end_to_end_and_overall_is_last(errors, as_column):
    figure = pl.lineage_errors(errors.reset_index() if as_column else errors)
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["x (10)", "y (2)", "all (12)"]
    widths = np.array([bar.get_width() for bar in ax.patches]).reshape(4, 3)
    starts = np.array([bar.get_x() for bar in ax.patches]).reshape(4, 3)
    np.testing.assert_allclose(widths[:, 0], [0.6, 0.2, 0.1, 0.1])
    np.testing.assert_allclose(widths.sum(axis=0), 1)
    np.testing.assert_allclose(starts[1:], widths.cumsum(axis=0)[:-1])
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["correct", "proximal", "distal", "no agreement"]
    assert len({bar.get_facecolor() for bar in ax.patches}) == 4


def test_no_cells_are_no_bar_and_counts_are_needed(errors):
    empty = errors.assign(cells=0, correct=0, proximal=0, distal=0, no_agreement=0)
    pl.lineage_errors(pd.concat([errors, empty.iloc[1:].rename({"x": "z", "y": "w"})]))
    with pytest.raises(InputError, match="no column 'cells'"):
        pl.lineage_errors(errors.drop(columns="cells"))
    with pytest.raises(InputError, match="no column 'correct', 'proximal', 'distal'"):
        pl.lineage_errors(errors[["cells"]])
