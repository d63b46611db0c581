"""The table of errors: counted from labels, rows are the truth, statuses are no classes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from orthotype.errors import InputError
from orthotype.lineage import Lineage, error_table
from orthotype.lineage.relations import OUTCOMES, wilson_interval

TREE = Lineage.bundled()
NAMES = [*TREE.names, "Eosinophils"]


def test_cells_are_counted_by_true_class_and_outcome():
    true = ["Pre-B"] * 7 + ["Pro-B"] * 2
    called = [
        "Pre-B",
        "Pre-B",
        "Pro-B",
        "HSPCs",
        "no agreement",
        "unknown",
        "Eosinophils",
        "Pre-B",
        "Neutrophils",
    ]
    table = error_table(true, called, lineage=TREE)
    assert list(table.index) == ["Pre-B", "Pro-B", "all"]
    assert table.loc["Pre-B", ["cells", *OUTCOMES]].tolist() == [7, 2, 1, 1, 1, 1, 1]
    assert table.loc["Pro-B", ["cells", *OUTCOMES]].tolist() == [2, 0, 1, 1, 0, 0, 0]
    assert table.loc["all", ["cells", *OUTCOMES]].tolist() == [9, 2, 2, 2, 1, 1, 1]
    assert table.loc["Pre-B", "correct_rate"] == pytest.approx(2 / 7)


def test_the_axes_are_not_mixed_up():
    """Three Pre-B cells were called Pro-B; a table of predicted by true would have a row Pro-B with them."""
    table = error_table(["Pre-B"] * 3 + ["Pro-B"], ["Pro-B"] * 4, lineage=TREE)
    assert table.loc["Pre-B", "cells"] == 3
    assert table.loc["Pre-B", "proximal"] == 3
    assert table.loc["Pro-B", "correct"] == 1
    turned = error_table(["Pro-B"] * 4, ["Pre-B"] * 3 + ["Pro-B"], lineage=TREE)
    assert list(turned.index) == ["Pro-B", "all"]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from([*NAMES, "no agreement", "unknown"])), min_size=1
    )
)
def test_every_cell_counts_once_and_order_does_not_matter(cells):
    true, called = zip(*cells, strict=True)
    table = error_table(true, called, lineage=TREE)
    assert (table[list(OUTCOMES)].sum(axis=1) == table["cells"]).all()
    assert table.loc["all", "cells"] == len(cells)
    assert table.loc["all", "correct"] == sum(a == b for a, b in cells)
    assert table.loc["all", "no_agreement"] == called.count("no agreement")
    rates = table[[f"{outcome}_rate" for outcome in OUTCOMES]].sum(axis=1)
    np.testing.assert_allclose(rates, 1.0)
    pd.testing.assert_frame_equal(error_table(true[::-1], called[::-1], lineage=TREE), table)


def test_intervals_are_those_of_wilson():
    counts = np.array([0, 1, 7, 20, 20])
    cells = np.array([20, 20, 20, 20, 0])
    counts[4] = 0
    low, high = wilson_interval(counts, cells, level=0.9)
    for k in range(4):
        expected = binomtest(int(counts[k]), 20).proportion_ci(0.9, method="wilson")
        assert (low[k], high[k]) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert np.isnan([low[4], high[4]]).all()
    with pytest.raises(InputError, match="level is 1"):
        wilson_interval(counts, cells, level=1)


def test_classes_can_be_shown_in_order_without_dropping_one():
    table = error_table(["Pre-B"], ["Pre-B"], lineage=TREE, classes=["Pro-B", "Pre-B"])
    assert list(table.index) == ["Pro-B", "Pre-B", "all"]
    assert table.loc["Pro-B", "cells"] == 0
    assert np.isnan(table.loc["Pro-B", "correct_rate"])
    with pytest.raises(InputError, match="leaves out true classes that occur: 'Pre-B'"):
        error_table(["Pre-B"], ["Pre-B"], lineage=TREE, classes=["Pro-B"])


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(InputError, match="the name of the overall row"):
        error_table(["all"], ["Pre-B"], lineage=TREE)
    with pytest.raises(InputError, match="1 true labels are missing"):
        error_table(["Pre-B", None], ["Pre-B", "Pre-B"], lineage=TREE)
    with pytest.raises(InputError):
        error_table(["Pre-B"], ["Pre-B", "Pre-B"], lineage=TREE)
