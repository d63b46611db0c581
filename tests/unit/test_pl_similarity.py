"""The matrix of cosines: rows in the order of the tree, columns beside their namesakes, numbers in place."""

import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import linkage

from orthotype import pl
from orthotype.errors import InputError

ROWS, COLUMNS = ["a", "b", "c"], ["c", "other", "a"]


@pytest.fixture
def cosines():
    return pd.DataFrame(np.arange(9).reshape(3, 3) / 10, index=ROWS, columns=COLUMNS)


@pytest.fixture
def tree():
    # a and c are close, b is far
    return linkage(np.array([[0.0], [9.0], [1.0]]), method="average")


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_rows_follow_the_tree_and_columns_their_namesakes(cosines, tree):
    beside, ax = pl.similarity(cosines, tree=tree, row_title="mouse", column_title="human").axes[:2]
    rows, columns = ticks(ax.yaxis), ticks(ax.xaxis)
    assert rows == ["b", "a", "c"]
    assert columns == ["a", "c", "other"]
    np.testing.assert_array_equal(ax.images[0].get_array(), cosines.loc[rows, columns])
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert written[0, 0] == ".50"
    assert written[2, 1] == ".10"
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("mouse", "human")
    heights = sorted(y for line in beside.get_lines() for y in line.get_ydata())
    assert heights[:1] + heights[-1:] == [0.0, 2.0]
    assert beside.get_ylim() == ax.get_ylim()


def test_without_a_tree_the_order_stays(cosines):
    ax = pl.similarity(cosines.loc[["c", "a"]]).axes[0]
    assert ticks(ax.yaxis) == ["c", "a"]
    assert ticks(ax.xaxis) == ["c", "a", "other"]


def test_species_of_classes_have_colours(cosines):
    index = pd.MultiIndex.from_tuples([("mouse", "a"), ("human", "a"), ("mouse", "b")])
    ax = pl.similarity(pd.DataFrame(np.eye(3), index=index, columns=index)).axes[0]
    assert ticks(ax.yaxis) == ["mouse a", "human a", "mouse b"]
    colours = [label.get_color() for label in ax.yaxis.get_ticklabels()]
    assert colours[0] == colours[2] != colours[1]


def test_a_tree_of_other_classes_is_refused(cosines, tree):
    with pytest.raises(InputError, match="a tree of 3 classes for 2 rows"):
        pl.similarity(cosines.iloc[:2], tree=tree)
