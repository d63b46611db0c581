"""Three figures: what was called what, how sure the model is, and which classes carry over."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from orthotype._keys import ASSIGNED, CONFIDENCE, NO_AGREEMENT, STATUS, UNKNOWN
from orthotype.metrics import Evaluation
from orthotype.pl.canvas import BLUE, GREY, ORANGE, axes_or_new, without_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def confusion(evaluation: Evaluation, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the confusion table: colour is the share of the true class, numbers are cells.

    Rows are true classes, those of the target only last, below a line; columns are labels.

    Parameters
    ----------
    evaluation
        From :func:`orthotype.metrics.evaluate`.
    ax
        Axes to draw on; by default those of a new figure, which is ``ax.figure``.

    Raises
    ------
    OrthotypeError
        If matplotlib is not installed.

    Examples
    --------
    >>> from orthotype.metrics import evaluate
    >>> found = evaluate(["a", "b"], ["a", "unknown"], source_classes=["a", "b"], n_boot=0)
    >>> confusion(found).figure.savefig("confusion.pdf")  # doctest: +SKIP
    """
    table = evaluation.confusion
    counts = table.to_numpy()
    rows, columns = counts.shape
    ax = axes_or_new(ax, width=2.5 + 0.42 * columns, height=1.8 + 0.36 * rows)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1.25, aspect="auto")
    for (row, column), cells in np.ndenumerate(counts):
        if cells:
            ax.text(column, row, f"{cells:,}", ha="center", va="center", fontsize=8)
    ax.set_xticks(range(columns), [str(name) for name in table.columns], rotation=60, ha="right")
    ax.set_yticks(range(rows), [str(name) for name in table.index])
    if evaluation.target_only:
        ax.axhline(len(evaluation.shared) - 0.5, color="black", linewidth=0.8)
    ax.set_xlabel("label")
    ax.set_ylabel("true class")
    return ax


def confidence(predictions: pd.DataFrame, *, bins: int = 20, ax: "Axes | None" = None) -> "Axes":
    """Draw how many cells have which confidence, stacked by status.

    Parameters
    ----------
    predictions
        One row per cell with the columns ``confidence`` and ``status``.
    bins
        Bars between 0 and 1.
    ax
        Axes to draw on; by default those of a new figure.

    Raises
    ------
    OrthotypeError
        If matplotlib is not installed.
    """
    ax = axes_or_new(ax, width=5, height=3)
    status = predictions[STATUS].astype(str).to_numpy()
    values = predictions[CONFIDENCE].to_numpy(dtype=float)
    words = [word for word in (ASSIGNED, NO_AGREEMENT, UNKNOWN) if (status == word).any()]
    colours = {ASSIGNED: BLUE, NO_AGREEMENT: ORANGE, UNKNOWN: GREY}
    ax.hist(
        [values[status == word] for word in words],
        bins=np.linspace(0, 1, bins + 1).tolist(),
        stacked=True,
        color=[colours[word] for word in words],
        label=words,
    )
    ax.set_xlim(0, 1)
    ax.set_xlabel("confidence")
    ax.set_ylabel("cells")
    ax.legend(frameon=False)
    without_frame(ax)
    return ax


def recall(evaluation: Evaluation, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the recall of every shared class with its interval and its number of cells.

    Parameters
    ----------
    evaluation
        From :func:`orthotype.metrics.evaluate`.
    ax
        Axes to draw on; by default those of a new figure.

    Raises
    ------
    OrthotypeError
        If matplotlib is not installed.
    """
    table = evaluation.per_class
    ax = axes_or_new(ax, width=5, height=1 + 0.32 * len(table))
    places = np.arange(len(table))
    ax.hlines(places, table["recall_low"], table["recall_high"], color=BLUE, alpha=0.45, linewidth=4)
    ax.plot(table["recall"], places, "o", color=BLUE, markersize=5)
    names = [f"{name} ({cells:,})" for name, cells in zip(table.index, table["support"], strict=True)]
    ax.set_yticks(places, names)
    ax.invert_yaxis()
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel(f"recall, with {evaluation.level * 100:g} % interval")
    without_frame(ax)
    return ax
