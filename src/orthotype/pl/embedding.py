"""Where the errors lie: a map of the cells by class, and the same map with the errors drawn on top."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype.errors import InputError, listed
from orthotype.pl.canvas import GREY, OUTCOMES, PALE, check_table, in_order, inches_of, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, then the same darker and lighter; numbers on the map tell classes apart anyway.
PALETTE = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800"),
    *("#00476f", "#8f6300", "#00563f", "#8a3d68", "#1f6f9c", "#7f3800", "#6b6200"),
    *("#7fb8d8", "#f2cf80", "#7fceb9", "#e5bcd3", "#abdaf4", "#eaae80", "#dbd380"),
)
Floats = NDArray[np.float64]
# Cells in the background of the map of errors.
MAP_STYLES: dict[str, dict[str, Any]] = {
    "correct": {"color": "#a9cbe6", "linewidths": 0},
    "unplaced": {"facecolors": "none", "edgecolors": GREY, "linewidths": 0.5},
}


def embedding(table: pd.DataFrame) -> "Figure":
    """Draw a map of the target cells twice: by true class, and by what became of them.

    On the left every class has a colour and a number; on the right cells called correctly are pale and errors
    are drawn on top of them: proximal ones (a neighbouring class), distal ones, and cells that got no label.

    Parameters
    ----------
    table
        One row per cell: x, y (coordinates of any embedding), label (true class) and status, one of
        "correct", "proximal", "distal", "no agreement", "unknown", "unplaced". Other columns, such as called,
        are not drawn.

    Raises
    ------
    InputError
        If a column is missing, there are no rows, or a status is none of these words.
    OrthotypeError
        If matplotlib is not installed.
    """
    check_table(table, ("x", "y", "label", "status"), what="the table of the embedding")
    table = table.assign(status=table["status"].astype(str).str.replace("_", " "))
    strange = sorted(set(table["status"]) - set(OUTCOMES))
    if strange:
        raise InputError(f"status {listed(strange)}; expected one of {listed(OUTCOMES, most=6)}")
    classes = in_order(table["label"].astype(str).sort_values())
    legend = 0.9 + inches_of(classes, size=8)
    figure = new_figure(width=8.8 + legend, height=max(4.4, 1.0 + 0.19 * len(classes)))
    left, key, right = figure.subplots(1, 3, width_ratios=[4.4, legend, 4.4])
    size = float(np.clip(9000 / len(table), 2.5, 16.0))
    _by_class(left, key, table, classes, size=size)
    _by_outcome(right, table, size=size)
    for ax in (left, right):
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_color(PALE)
        ax.set_aspect("equal", adjustable="datalim")
    return figure


def _by_class(ax: "Axes", key: "Axes", table: pd.DataFrame, classes: list[str], *, size: float) -> None:
    from matplotlib.patheffects import withStroke

    labels = table["label"].astype(str).to_numpy()
    key.set_xlim(0, 1)
    key.set_ylim(max(len(classes), 12), 0)
    key.set_axis_off()
    for number, name in enumerate(classes):
        colour = PALETTE[number % len(PALETTE)]
        cells = table[labels == name]
        ax.scatter(cells["x"], cells["y"], s=size, color=colour, linewidths=0, rasterized=True)
        key.plot([0.02], [number + 0.5], "o", color=colour, markersize=6, clip_on=False)
        key.annotate(
            f"{number + 1}  {name} ({len(cells):,})", (0.02, number + 0.5), (8, 0),
            textcoords="offset points", va="center", fontsize=8, annotation_clip=False,
        )  # fmt: skip
    for number, name in enumerate(classes):
        middle = _middle(table.loc[labels == name, ["x", "y"]].to_numpy(dtype=float))
        text = ax.text(
            middle[0], middle[1], str(number + 1), ha="center", va="center", fontsize=9, fontweight="bold"
        )
        text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
    ax.set_title("true class", fontsize=10)


def _middle(points: Floats) -> Floats:
    """Return the cell nearest to the median: a number never stands where there is no cell of its class."""
    return np.asarray(points[np.linalg.norm(points - np.median(points, axis=0), axis=1).argmin()])


def _by_outcome(ax: "Axes", table: pd.DataFrame, *, size: float) -> None:
    from matplotlib.collections import PathCollection

    status = table["status"].astype(str).to_numpy()
    for word, (colour, mark) in OUTCOMES.items():
        cells = table[status == word]
        if cells.empty:
            continue
        style = MAP_STYLES.get(
            word, {"s": max(2.2 * size, 9.0), "color": colour, "marker": mark, "zorder": 3}
        )
        if "s" not in style:
            style = {**style, "s": size}
        ax.scatter(cells["x"], cells["y"], rasterized=True, label=f"{word} ({len(cells):,})", **style)
    ax.set_title("what became of the cells", fontsize=10)
    legend = ax.legend(
        frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=3, handletextpad=0.2
    )
    for handle in legend.legend_handles:
        if isinstance(handle, PathCollection):
            handle.set_sizes([26.0])
