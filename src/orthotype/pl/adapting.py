"""What adapting changed, drawn: labels that came and went, recall of labelled cells, what more may bring."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from orthotype.pl.canvas import BLUE, DARK, GREY, ORANGE, PALE, inches_of, new_figure, without_frame
from orthotype.transfer.adapt.report import AdaptReport, MoreLabels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.27
# Widths of the parts without the names beside them, in inches: room for the titles above.
WON, RECALL, OUTLOOK = 2.0, 2.7, 2.1
BESIDE, TICKS = 0.2, 0.4


def adaptation(report: AdaptReport, *, n_labels: int = 12) -> "Figure":
    """Draw what a few labelled cells changed.

    On the left, for every label that came or went, the cells that it lost and won; in the middle, the recall
    of labelled cells by models that have not seen them, before and after, of classes with two labels or more
    if there are any; on the right, the same averaged over classes against the cells learned from, and what
    twice as many are expected to bring. A part that the report has nothing for is left out.

    Parameters
    ----------
    report
        ``adapt_report_`` of a model that :meth:`orthotype.LabelTransfer.adapt` returned.
    n_labels
        Most labels on the left.

    Raises
    ------
    OrthotypeError
        If matplotlib is not installed.

    Examples
    --------
    >>> import orthotype as ot
    >>> human = ot.datasets.get("baron2016-human")
    >>> model = ot.LabelTransfer().fit(ot.datasets.get("baron2016-mouse"), labels="cell_ontology_class")
    >>> labels = human.obs["cell_ontology_class"].astype(str)
    >>> few = labels[labels.isin(model.card["classes"])].iloc[:20]
    >>> figure = ot.pl.adaptation(model.adapt(human, labels=few).adapt_report_)
    """
    shown = report.labels[:n_labels]
    judged = report.held_out.judged
    names = [[str(row["label"]) for row in shown], [_with_cells(row) for row in judged]]
    widths = [*([WON] if shown else []), RECALL, *([OUTLOOK] if report.more_labels else [])]
    beside = sum(BESIDE + inches_of(each, size=8) for each in names if each)
    beside += BESIDE + TICKS if report.more_labels else 0.0
    height = 1.0 + ROW * max(len(judged), len(shown), 6)
    figure = new_figure(width=sum(widths) + beside, height=height)
    axes = iter(figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0])
    if shown:
        _won_and_lost(next(axes), report, n_labels)
    _recall(next(axes), report)
    if report.more_labels:
        _outlook(next(axes), report.more_labels)
    return figure


def _won_and_lost(ax: "Axes", report: AdaptReport, n_labels: int) -> None:
    rows = report.labels[:n_labels]
    places = np.arange(len(rows))
    came, left = (np.array([row[name] for row in rows]) for name in ("came", "left"))
    ax.barh(places, came, color=BLUE, height=0.7)
    ax.barh(places, -left, color=ORANGE, height=0.7)
    for place, won, lost in zip(places.tolist(), came.tolist(), left.tolist(), strict=True):
        for value, side, gap in ((won, "left", 3), (-lost, "right", -3)):
            if value:
                ax.annotate(
                    f"{value:+,}",
                    (value, place),
                    (gap, 0),
                    textcoords="offset points",
                    ha=side,
                    va="center",
                    fontsize=7,
                    color=DARK,
                )
    ax.axvline(0, color=GREY, linewidth=0.8)
    room = 0.3 * (came.max() + left.max())
    ax.set_xlim(-left.max() - room, came.max() + room)
    _names(ax, [str(row["label"]) for row in rows])
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.set_title(f"cells lost and won\n{report.n_moved:,} of {report.target_cells:,} changed", fontsize=9)


def _recall(ax: "Axes", report: AdaptReport) -> None:
    rows, left_out = report.held_out.judged, report.held_out.left_out
    places = np.arange(len(rows))
    before, after = (np.array([row[f"recall_{when}"] for row in rows]) for when in ("before", "after"))
    ax.hlines(places, before, after, color=PALE, linewidth=3)
    ax.plot(before, places, "o", markersize=5, markerfacecolor="white", color=GREY, label="before")
    ax.plot(after, places, "o", markersize=5, color=BLUE, label="after")
    _names(ax, [_with_cells(row) for row in rows])
    ax.set_xlim(-0.04, 1.04)
    ax.grid(axis="x", color=PALE, linewidth=0.6)
    ax.legend(frameon=False, fontsize=7, loc="lower left")
    said = [
        "recall of labelled cells",
        "by models that have not seen them",
        *([left_out] if left_out else []),
    ]
    ax.set_title("\n".join(said), fontsize=9)


def _with_cells(row: Mapping[str, Any]) -> str:
    return f"{row['class']} ({row['cells']:,})"


def _outlook(ax: "Axes", found: MoreLabels) -> None:
    cells, recall = (np.array(values, dtype=np.float64) for values in zip(*found.curve, strict=True))
    ax.plot(cells, recall, "o-", color=BLUE, markersize=4)
    doubled = np.array([cells[-1], 2 * cells[-1]])
    ax.plot(doubled, [recall[-1], recall[-1] + found.gain], color=BLUE, linestyle=(0, (3, 3)))
    low, high = (min(recall[-1] + each, 1.0) for each in (found.low, found.high))
    ax.fill_between(doubled, [recall[-1], low], [recall[-1], high], color=BLUE, alpha=0.15, linewidth=0)
    ax.set_xlim(0, None)
    ax.grid(axis="y", color=PALE, linewidth=0.6)
    ax.set_xlabel("labelled cells learned from", fontsize=8)
    ax.tick_params(labelsize=8)
    without_frame(ax)
    ax.set_title("mean recall, and what\ntwice as many may bring", fontsize=9)


def _names(ax: "Axes", names: list[str]) -> None:
    ax.set_yticks(np.arange(len(names)), names, fontsize=8)
    ax.set_ylim(max(len(names), 1) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=8)
    without_frame(ax)
