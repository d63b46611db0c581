"""Axes and figures to draw on, without the state of pyplot, and the colours that all figures share.

The colours stay apart in every common form of colour blindness, and in grey.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from orthotype._keys import NO_AGREEMENT, UNKNOWN
from orthotype.errors import InputError, OrthotypeError, listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

BLUE, ORANGE, GREY = "#3b7db8", "#d98a00", "#8b939a"
PLUM, BROWN, PALE, DARK = "#7b1f5e", "#8f5a00", "#d4d9dd", "#33393e"
# What became of a cell, in the order of drawing: the word, its colour and its mark on a map of cells.
OUTCOMES: Final = {
    "correct": (BLUE, "o"),
    "proximal": (ORANGE, "^"),
    "distal": (PLUM, "s"),
    NO_AGREEMENT: (GREY, "x"),
    UNKNOWN: (DARK, "+"),
    "unplaced": (PALE, "D"),
}


def axes_or_new(ax: "Axes | None", *, width: float, height: float) -> "Axes":
    """Return the axes given, or those of a new figure of this size in inches.

    Raises
    ------
    OrthotypeError
        If matplotlib is not installed.
    """
    figure = new_figure(width=width, height=height)
    return figure.subplots() if ax is None else ax


def new_figure(*, width: float, height: float) -> "Figure":
    """Return an empty figure of this size in inches.

    Raises
    ------
    OrthotypeError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise OrthotypeError(
            'figures need matplotlib, which is not installed; pip install "orthotype[plot]"'
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def without_frame(ax: "Axes") -> None:
    """Keep only the left and the lower axis."""
    ax.spines[["top", "right"]].set_visible(False)


def check_table(table: pd.DataFrame, columns: Iterable[str], *, what: str) -> None:
    """Check that a table can be drawn.

    Raises
    ------
    InputError
        If it has no rows or lacks one of the columns.
    """
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InputError(
            f"{what} has no column {listed(missing)}; found {listed(table.columns, most=12)}; "
            "pass the table as the study made it"
        )
    if table.empty:
        raise InputError(f"{what} has no rows; expected something to draw")


def in_order(names: Iterable[object]) -> list[str]:
    """Return names as text in the order of their first appearance."""
    return list(dict.fromkeys(str(name) for name in names))


def inches_of(names: Sequence[str], *, size: float = 9.0) -> float:
    """Return about how wide the longest name is in text of this size in points."""
    return max((len(name) for name in names), default=0) * size * 0.0078


def write_values(ax: "Axes", values: "NDArray[np.float64]", *, dark_above: float, size: float) -> None:
    """Write numbers with two digits into the cells of a heat map, light on dark and dark on light."""
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "white" if abs(value) > dark_above else DARK
            text = f"{value:.2f}".replace("0.", ".", 1)
            ax.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
