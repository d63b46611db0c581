"""Three figures of a study: the learners compared, a confusion table, classes that nobody labelled."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from orthotype.pl.canvas import (
    BLUE,
    DARK,
    GREY,
    ORANGE,
    PALE,
    check_table,
    in_order,
    inches_of,
    new_figure,
    without_frame,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def comparison(table: pd.DataFrame) -> "Figure":
    """Draw how far two learners differ, with intervals, and the margin within which they count as equal.

    Parameters
    ----------
    table
        Columns metric, difference, low, high, margin, verdict, a, b, as
        :func:`orthotype.study.comparison.compare` makes it, with the names of the learners.

    Raises
    ------
    InputError
        If a column is missing or there are no rows.
    OrthotypeError
        If matplotlib is not installed.
    """
    columns = ("metric", "difference", "low", "high", "margin", "verdict", "a", "b")
    check_table(table, columns, what="the table of the comparison")
    figure = new_figure(width=6.0, height=1.2 + 0.4 * len(table))
    ax = figure.subplots()
    places = np.arange(len(table))
    margin = float(table["margin"].iloc[0])
    ax.axvspan(-margin, margin, color=PALE, alpha=0.6, linewidth=0)
    ax.axvline(0, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    ax.hlines(places, table["low"], table["high"], color=BLUE, linewidth=2, alpha=0.6)
    ax.plot(table["difference"], places, "o", color=BLUE, markersize=6)
    words = table["metric"].astype(str).str.replace("_", " ").str.replace("f1", "F1")
    ax.set_yticks(places, [f"{metric}: {word}" for metric, word in zip(words, table["verdict"], strict=True)])
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.locator_params(axis="x", nbins=5)
    ax.set_xlabel(f"{table['a'].iloc[0]} less {table['b'].iloc[0]}, band: \u00b1{margin:g}")
    without_frame(ax)
    return figure


def confusion_table(table: pd.DataFrame) -> "Figure":
    """Draw a confusion table: colour is the share of the true class, numbers are cells.

    Parameters
    ----------
    table
        Columns true, called, cells and share, one row for each pair; calls that no cell got are left out
        unless they are true classes, too.

    Raises
    ------
    InputError
        If a column is missing or there are no rows.
    OrthotypeError
        If matplotlib is not installed.
    """
    check_table(table, ("true", "called", "cells", "share"), what="the confusion table")
    rows = in_order(table["true"])
    got = table.groupby("called")["cells"].sum()
    columns = [name for name in in_order(table["called"]) if got[name] > 0 or name in rows]
    shares = table.pivot_table(index="true", columns="called", values="share").loc[rows, columns]
    cells = table.pivot_table(index="true", columns="called", values="cells").loc[rows, columns]
    figure = new_figure(
        width=1.2 + 0.42 * len(columns) + inches_of(rows),
        height=0.8 + 0.32 * len(rows) + 0.8 * inches_of(columns),
    )
    ax = figure.subplots()
    shades = shares.to_numpy(dtype=float)
    ax.imshow(shades, cmap="Blues", vmin=0, vmax=1.25, aspect="auto")
    for (row, column), number in np.ndenumerate(cells.to_numpy(dtype=int)):
        if number:
            colour = "white" if shades[row, column] > 0.6 else DARK
            ax.text(column, row, f"{number:,}", ha="center", va="center", fontsize=8, color=colour)
    ax.set_xticks(range(len(columns)), columns, rotation=60, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(rows)), rows)
    ax.set_xlabel("label")
    ax.set_ylabel("true class")
    return figure


def unlabelled_classes(table: pd.DataFrame) -> "Figure":
    """Draw how many cells of each class are found when no target label names it, with precision beside.

    Parameters
    ----------
    table
        Columns class, model ("source" or "adapted"), recall and precision, one row for each repeat, as
        :func:`orthotype.study.zero_shot.find_class` makes it.

    Raises
    ------
    InputError
        If a column is missing or there are no rows.
    OrthotypeError
        If matplotlib is not installed.
    """
    check_table(table, ("class", "model", "recall", "precision"), what="the table of unlabelled classes")
    names, models = in_order(table["class"]), in_order(table["model"])
    means = table.groupby(["class", "model"])[["recall", "precision"]].mean()
    figure = new_figure(width=6.4 + inches_of(names), height=1.3 + 0.34 * len(names))
    axes = figure.subplots(1, 2, sharey=True)
    height = 0.76 / len(models)
    for ax, metric in zip(axes, ("recall", "precision"), strict=True):
        for number, (model, colour) in enumerate(zip(models, (BLUE, ORANGE, GREY), strict=False)):
            places = np.arange(len(names)) + (number - (len(models) - 1) / 2) * height
            values = [means[metric].get((name, model), np.nan) for name in names]
            ax.barh(places, np.nan_to_num(values), height=height, color=colour, label=model)
        ax.set_xlim(0, 1)
        ax.set_xlabel(metric)
        without_frame(ax)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, ncols=3, loc="outside upper center", fontsize=8)
    return figure
