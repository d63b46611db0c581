"""The map of cells: every cell once on each side, errors on top, a number where the class is."""

import numpy as np
import pandas as pd
import pytest

from orthotype import pl
from orthotype.errors import InputError


@pytest.fixture
def cells():
    return pd.DataFrame(
        {
            "x": [0.0, 1.0, 2.0, 10.0, 11.0, 12.0],
            "y": [0.0, 0.0, 0.0, 5.0, 5.0, 5.0],
            "label": ["b", "b", "b", "a", "a", "a"],
            "called": ["b", "b", "c", "a", "no agreement", "b"],
            "status": ["correct", "correct", "distal", "correct", "no_agreement", "proximal"],
        }
    )


def offsets(ax):
    return {part.get_label(): np.asarray(part.get_offsets()) for part in ax.collections}


def test_every_cell_is_drawn_once_on_each_side_and_errors_on_top(cells):
    left, key, right = pl.embedding(cells).axes
    assert sum(len(points) for points in (part.get_offsets() for part in left.collections)) == 6
    drawn = offsets(right)
    assert list(drawn) == ["correct (3)", "proximal (1)", "distal (1)", "no agreement (1)"]
    np.testing.assert_array_equal(drawn["distal (1)"], [[2.0, 0.0]])
    order = {part.get_label(): part.get_zorder() for part in right.collections}
    assert order["correct (3)"] < min(order["proximal (1)"], order["distal (1)"], order["no agreement (1)"])
    assert [text.get_text() for text in key.texts] == ["1  a (3)", "2  b (3)"]


def test_numbers_stand_on_a_cell_of_their_class(cells):
    left, _, _ = pl.embedding(cells).axes
    places = {text.get_text(): text.get_position() for text in left.texts}
    assert places == {"1": (11.0, 5.0), "2": (1.0, 0.0)}


def test_colours_are_different_for_21_classes(cells):
    many = pd.concat([cells.assign(label=f"class {i:02}") for i in range(21)])
    left, _, _ = pl.embedding(many).axes
    assert len({tuple(part.get_facecolor()[0]) for part in left.collections}) == 21


def test_a_strange_status_is_refused(cells):
    with pytest.raises(InputError, match="status 'right'; expected one of 'correct', 'proximal', 'distal'"):
        pl.embedding(cells.assign(status="right"))
    with pytest.raises(InputError, match="no column 'status'"):
        pl.embedding(cells.drop(columns="status"))
    with pytest.raises(InputError, match="has no rows"):
        pl.embedding(cells.iloc[:0])
