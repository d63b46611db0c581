"""Where errors fall, class by class: next door in the lineage tree, far away, or nowhere."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype._keys import NO_AGREEMENT
from orthotype.pl.canvas import DARK, OUTCOMES, check_table, inches_of, new_figure, without_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
COUNTS = ("correct", "proximal", "distal", "no_agreement", "unknown", "unplaced")


def lineage_errors(table: pd.DataFrame, *, overall: str = "all") -> "Figure":
    """Draw what became of the cells of each true class: right, or in which way not.

    Parameters
    ----------
    table
        One row per true class, named by the column class or else by the index, with the columns cells and,
        in cells, correct, proximal, distal, no_agreement, unknown and unplaced (those that it has), as
        :func:`orthotype.lineage.relations.error_table` makes it.
    overall
        Name of the row over all classes, which is drawn last, below a line; it need not be there.

    Raises
    ------
    InputError
        If a column is missing or there are no rows.
    OrthotypeError
        If matplotlib is not installed.
    """
    kinds = [kind for kind in COUNTS if kind in table.columns]
    check_table(table, ("cells", *(kinds or COUNTS[:3])), what="the table of errors")
    named = (table["class"] if "class" in table.columns else pd.Series(table.index)).astype(str).to_numpy()
    order = np.concatenate([np.flatnonzero(named != overall), np.flatnonzero(named == overall)])
    cells = table["cells"].to_numpy(dtype=float)[order]
    names = [f"{name} ({int(n):,})" for name, n in zip(named[order], cells, strict=True)]
    figure = new_figure(width=4.8 + inches_of(names), height=1.4 + 0.27 * len(names))
    ax = figure.subplots()
    places = np.arange(len(names), dtype=float)
    start = np.zeros(len(names))
    for kind in kinds:
        word = NO_AGREEMENT if kind == "no_agreement" else kind
        share = table[kind].to_numpy(dtype=float)[order] / np.maximum(cells, 1)
        if share.any():
            ax.barh(places, share, left=start, height=0.74, color=OUTCOMES[word][0], label=word)
            _write_shares(ax, places, start, share, dark=word in ("unplaced", "proximal", NO_AGREEMENT))
        start += share
    if (named == overall).any():
        ax.axhline(np.count_nonzero(named != overall) - 0.5, color=DARK, linewidth=0.8)
    ax.set_yticks(places, names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of the cells of the true class")
    drawn = len(ax.get_legend_handles_labels()[1])
    ncols = drawn if drawn <= 4 else 3
    figure.legend(frameon=False, ncols=ncols, loc="outside upper center", fontsize=8)
    without_frame(ax)
    return figure


def _write_shares(ax: "Axes", places: Floats, start: Floats, share: Floats, *, dark: bool) -> None:
    """Write shares of at least 5 % into their bars, in percent."""
    for place, left, part in zip(places, start, share, strict=True):
        if part >= 0.05:
            ax.text(
                left + part / 2, place, f"{100 * part:.0f}", ha="center", va="center", fontsize=7,
                color=DARK if dark else "white",
            )  # fmt: skip
