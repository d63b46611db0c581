"""How sure the model is: entropy of its probabilities per class, and whether its confidence is honest."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from orthotype.pl.canvas import BLUE, DARK, GREY, check_table, in_order, inches_of, new_figure, without_frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def entropy(table: pd.DataFrame) -> "Figure":
    """Draw the softmax entropy of the cells of each class: median, quartiles, and the middle nine tenths.

    Parameters
    ----------
    table
        One row per cell: class and entropy, 0 (certain) to 1 (all classes alike), as
        :func:`orthotype.metrics.softmax_entropy` gives it. Classes are drawn in the order of the table.

    Raises
    ------
    InputError
        If a column is missing or there are no rows.
    OrthotypeError
        If matplotlib is not installed.
    """
    check_table(table, ("class", "entropy"), what="the table of entropies")
    labels = table["class"].astype(str).to_numpy()
    values = table["entropy"].to_numpy(dtype=float)
    classes = in_order(labels)
    groups = [values[labels == name] for name in classes]
    names = [f"{name} ({len(group):,})" for name, group in zip(classes, groups, strict=True)]
    figure = new_figure(width=4.0 + inches_of(names), height=1.1 + 0.27 * len(names))
    ax = figure.subplots()
    places = np.arange(len(names))
    low, lower, middle, upper, high = (
        np.array([np.quantile(group, q) for group in groups]) for q in (0.05, 0.25, 0.5, 0.75, 0.95)
    )
    ax.hlines(places, low, high, color=GREY, linewidth=1)
    ax.barh(places, upper - lower, left=lower, height=0.6, color=BLUE, alpha=0.55)
    ax.plot(middle, places, "|", color=DARK, markersize=11, markeredgewidth=2)
    ax.set_yticks(places, names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel("softmax entropy (0 certain, 1 all classes alike)")
    ax.set_title("median, quartiles, 5 to 95 %", fontsize=8, color=GREY, loc="right")
    without_frame(ax)
    return figure


def reliability(table: pd.DataFrame) -> "Figure":
    """Draw the share that is right against the confidence, above how many cells have it.

    Parameters
    ----------
    table
        Columns low, high, cells, confidence, accuracy, as :func:`orthotype.metrics.reliability` gives it;
        empty bins are left out.

    Raises
    ------
    InputError
        If a column is missing or there are no rows.
    OrthotypeError
        If matplotlib is not installed.
    """
    check_table(table, ("low", "high", "cells", "confidence", "accuracy"), what="the table of reliability")
    filled = table[table["cells"] > 0]
    check_table(filled, (), what="the table of reliability without empty bins")
    figure = new_figure(width=4.0, height=4.6)
    ax, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.4, 1])
    ax.plot([0, 1], [0, 1], linestyle=(0, (4, 3)), color=GREY, linewidth=1, label="confidence = share right")
    area = 18 + 130 * filled["cells"].to_numpy(dtype=float) / filled["cells"].max()
    ax.plot(filled["confidence"], filled["accuracy"], color=BLUE, linewidth=1.2)
    ax.scatter(filled["confidence"], filled["accuracy"], s=area, color=BLUE, zorder=3, clip_on=False)
    ax.set_ylim(0, 1.02)
    ax.set_ylabel("share right")
    ax.legend(frameon=False, loc="upper left", fontsize=8)
    width = (table["high"] - table["low"]).to_numpy(dtype=float)
    below.bar(table["low"], table["cells"], width=width * 0.94, align="edge", color=BLUE, alpha=0.6)
    below.set_xlim(0, 1.02)
    below.set_xlabel("confidence")
    below.set_ylabel("cells")
    for one in (ax, below):
        without_frame(one)
    return figure
