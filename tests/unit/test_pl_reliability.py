"""Entropy per class and the reliability curve show the numbers of their tables."""

import numpy as np
import pandas as pd
import pytest

from orthotype import pl
from orthotype.errors import InputError
from orthotype.metrics import reliability


def test_entropy_shows_quantiles_of_each_class_in_the_order_of_the_table(rng):
    values = rng.random(30)
    table = pd.DataFrame({"class": ["z"] * 10 + ["a"] * 20, "entropy": values})
    ax = pl.entropy(table).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["z (10)", "a (20)"]
    boxes = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    np.testing.assert_allclose(boxes, [np.quantile(v, [0.25, 0.75]) for v in (values[:10], values[10:])])
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [np.median(values[:10]), np.median(values[10:])])
    ends = [segment[:, 0] for segment in ax.collections[0].get_segments()]
    np.testing.assert_allclose(ends, [np.quantile(v, [0.05, 0.95]) for v in (values[:10], values[10:])])
    with pytest.raises(InputError, match="no column 'entropy'"):
        pl.entropy(table[["class"]])


def test_reliability_draws_filled_bins_above_all_cells():
    table = reliability(["a"] * 6, ["a", "a", "b", "a", "b", "b"], [0.95, 0.91, 0.92, 0.55, 0.51, 0.52])
    above, below = pl.reliability(table).axes
    np.testing.assert_allclose(above.lines[1].get_xdata(), table.loc[[5, 9], "confidence"])
    np.testing.assert_allclose(above.lines[1].get_ydata(), [1 / 3, 2 / 3])
    assert [bar.get_height() for bar in below.patches] == [0, 0, 0, 0, 0, 3, 0, 0, 0, 3]
    with pytest.raises(InputError, match="without empty bins has no rows"):
        pl.reliability(table.assign(cells=0))


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch):
    import sys

    from orthotype.errors import OrthotypeError

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(OrthotypeError, match=r'pip install "orthotype\[plot\]"'):
        pl.entropy(pd.DataFrame({"class": ["a"], "entropy": [0.5]}))
