"""Which classes of two species are alike: a matrix of cosines beside the tree that orders it."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype.errors import InputError
from orthotype.pl.canvas import BLUE, BROWN, DARK, check_table, inches_of, new_figure, write_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL, ROW, TREE = 0.36, 0.26, 0.9


def similarity(
    cosines: pd.DataFrame,
    *,
    tree: NDArray[np.float64] | None = None,
    row_title: str = "",
    column_title: str = "",
) -> "Figure":
    """Draw cosines between classes, with the tree of the rows on the left.

    Parameters
    ----------
    cosines
        Classes x classes, -1 to 1: rows of the source and columns of the target, or all classes with
        themselves. Names with two levels, species and class, are written in the colour of their species.
    tree
        Linkage matrix over the rows (:func:`orthotype.study.similarity.dendrogram`); it orders them. Columns
        follow the rows of the same name, then come those of other names. Without it both keep their order.
    row_title, column_title
        What rows and columns are.

    Raises
    ------
    InputError
        If the table is empty or the tree is not one of its rows.
    OrthotypeError
        If matplotlib is not installed.
    """
    check_table(cosines, (), what="the table of cosines")
    rows, columns = _names(cosines.index), _names(cosines.columns)
    if tree is not None and len(tree) != len(rows) - 1:
        raise InputError(f"a tree of {len(tree) + 1} classes for {len(rows)} rows; expected a leaf for each")
    order = list(range(len(rows))) if tree is None else _leaves(tree)
    place = {rows[row]: i for i, row in enumerate(order)}
    across = sorted(range(len(columns)), key=lambda c: place.get(columns[c], len(place)))
    size = (CELL * len(columns), ROW * len(rows))
    ratios = [size[0]] if tree is None else [TREE, size[0]]
    margin = max(0.0, 0.55 * inches_of(columns) - inches_of(rows))
    height = 1.4 + size[1] + 0.87 * inches_of(columns)
    figure = new_figure(width=0.7 + sum(ratios) + inches_of(rows) + margin, height=height)
    axes = figure.subplots(1, len(ratios), squeeze=False, width_ratios=ratios)[0]
    ax = axes[-1]
    values = cosines.to_numpy(dtype=float)[np.ix_(order, across)]
    image = ax.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    write_values(ax, values, dark_above=0.56, size=7)
    _write_names(ax, cosines, order, across)
    ax.set_xlabel(column_title, fontsize=10)
    ax.set_ylabel(row_title, fontsize=10, rotation=270, va="bottom")
    if tree is not None:
        _draw_tree(axes[0], tree, n_rows=len(rows))
    bar = figure.colorbar(
        image,
        ax=list(axes),
        location="bottom",
        shrink=min(1.0, 2.4 / sum(ratios)),
        aspect=25,
        pad=0.1 / height,
    )
    bar.set_ticks([-1, -0.5, 0, 0.5, 1])
    bar.set_label("cosine", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure


def _names(index: pd.Index) -> list[str]:
    return [" ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in index]


def _write_names(ax: "Axes", cosines: pd.DataFrame, rows: list[int], columns: list[int]) -> None:
    """Write the columns above, leaning right, and the rows on the right, where they leave the tree alone."""
    names = [_names(cosines.columns)[column] for column in columns]
    ax.set_xticks(range(len(columns)), names, rotation=60, ha="left", rotation_mode="anchor")
    ax.set_yticks(range(len(rows)), [_names(cosines.index)[row] for row in rows])
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("bottom")
    ax.yaxis.tick_right()
    ax.yaxis.set_label_position("right")
    ax.tick_params(length=0, labelsize=8)
    ax.spines[:].set_visible(False)
    for axis, index, order in ((ax.xaxis, cosines.columns, columns), (ax.yaxis, cosines.index, rows)):
        if index.nlevels > 1:
            species = list(dict.fromkeys(index.get_level_values(0)))
            for label, place in zip(axis.get_ticklabels(which="major"), order, strict=True):
                label.set_color((BLUE, BROWN)[species.index(index[place][0]) % 2])


def _leaves(tree: NDArray[np.float64]) -> list[int]:
    from scipy.cluster.hierarchy import leaves_list

    return [int(leaf) for leaf in leaves_list(tree)]


def _draw_tree(ax: "Axes", tree: NDArray[np.float64], *, n_rows: int) -> None:
    """Draw a tree with its root on the left and leaf i at height i, as the rows of an image."""
    from scipy.cluster.hierarchy import dendrogram

    drawn = dendrogram(tree, no_plot=True)
    for heights, depths in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        ax.plot(depths, (np.array(heights) - 5) / 10, color=DARK, linewidth=1)
    ax.set_ylim(n_rows - 0.5, -0.5)
    ax.set_xlim(float(tree[:, 2].max()) * 1.05, 0)
    ax.set_yticks([])
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_xlabel("1 - cosine", fontsize=8)
    ax.tick_params(labelsize=7)
