"""How few labelled target cells are enough: scores against cells per class, transfer beside scratch."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype.errors import InputError, listed
from orthotype.pl.canvas import (
    BLUE,
    DARK,
    GREY,
    ORANGE,
    PLUM,
    check_table,
    in_order,
    new_figure,
    without_frame,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("learner", "start", "shots", "repeat", "class", "metric", "value")
# Means over classes: all that have cells, and those that both starts can learn.
OVERALL = ("all", "all labelled")
TICKS = (0, 1, 2, 5, 10, 20, 30, 50, 100)
LEARNER_COLOURS = (BLUE, ORANGE, PLUM, GREY, DARK)
# Line and whether its points are filled.
STARTS: Final[dict[str, tuple[Any, bool]]] = {"transfer": ("-", True), "scratch": ((0, (4, 2)), False)}


def learning_curves(
    table: pd.DataFrame, *, metrics: list[str] | None = None, over: str = "all", level: float = 0.95
) -> "Figure":
    """Draw the overall scores against the number of labelled target cells per class, one panel per metric.

    Lines are means over repeats, bands their t intervals; full lines start from the source, dashed ones from
    nothing; a colour for each learner.

    Parameters
    ----------
    table
        Columns learner, start ("transfer" or "scratch"), shots, repeat, class ("all" for overall scores),
        metric, value; one row for each score of each run. Rows of single classes are left out.
    metrics
        Which, in this order; by default all that the table has.
    over
        Which overall rows: "all" classes, or "all labelled", those that both starts can learn.
    level
        Of the intervals.

    Raises
    ------
    InputError
        If a column is missing, or nothing is left to draw.
    OrthotypeError
        If matplotlib is not installed.
    """
    check_table(table, COLUMNS, what="the table of curves")
    overall = table[table["class"].astype(str) == over]
    check_table(overall, COLUMNS, what=f"the table of curves with class {over!r}")
    chosen = in_order(overall["metric"]) if metrics is None else metrics
    return _small_multiples(
        _summary(overall, "metric", level=level),
        {name: _words(name) for name in chosen},
        columns=min(len(chosen), 3),
        size=(3.3, 2.8),
        y_label="score",
    )


def learning_curves_by_class(
    table: pd.DataFrame, *, metric: str = "f1", classes: list[str] | None = None, level: float = 0.95
) -> "Figure":
    """Draw one score of every class against the number of labelled target cells, one panel per class.

    Parameters
    ----------
    table, level
        As in :func:`learning_curves`; overall rows are left out.
    metric
        Which score.
    classes
        Which, in this order; by default all that the table has.

    Raises
    ------
    InputError
        If a column is missing, or nothing is left to draw.
    OrthotypeError
        If matplotlib is not installed.
    """
    check_table(table, COLUMNS, what="the table of curves")
    names = table["class"].astype(str)
    single = table[~names.isin(OVERALL) & (table["metric"].astype(str) == metric)]
    check_table(single, COLUMNS, what=f"the table of curves for {metric!r} of single classes")
    chosen = in_order(single.dropna(subset=["value"])["class"]) if classes is None else classes
    return _small_multiples(
        _summary(single, "class", level=level),
        {name: _wrapped(name) for name in chosen},
        columns=min(len(chosen), 4 if len(chosen) <= 16 else 5),
        size=(2.2, 1.75),
        y_label=_words(metric),
    )


def _words(metric: str) -> str:
    return metric.replace("_", " ").replace("f1", "F1")


def _wrapped(name: str) -> str:
    from textwrap import fill

    return fill(name, width=26)


def _summary(table: pd.DataFrame, panel: str, *, level: float) -> pd.DataFrame:
    """Return mean and t interval over repeats of every point; no width where there is one repeat.

    Columns panel, learner, start, shots, mean, low and high, in the order of the table.
    """
    from scipy.special import stdtrit

    keys = [panel, "learner", "start", "shots"]
    known = table.dropna(subset=["value"]).astype(dict.fromkeys(keys[:3], str))
    grouped = known.groupby(keys, sort=False)["value"]
    points = pd.DataFrame({"mean": grouped.mean(), "n": grouped.count(), "sd": grouped.std()}).reset_index()
    quantile = stdtrit(np.maximum(points["n"] - 1, 1), 0.5 + level / 2)
    half = quantile * points["sd"].fillna(0.0) / np.sqrt(points["n"])
    points["low"], points["high"] = (points["mean"] - half).clip(0, 1), (points["mean"] + half).clip(0, 1)
    return points.rename(columns={panel: "panel"}).sort_values("shots", kind="stable")


def _small_multiples(
    points: pd.DataFrame, titles: dict[str, str], *, columns: int, size: tuple[float, float], y_label: str
) -> "Figure":
    points = points[points["panel"].isin(list(titles))]
    strange = sorted(set(points["start"]) - set(STARTS))
    if strange:
        raise InputError(f"start {listed(strange)}; expected {listed(STARTS)}")
    empty = sorted(set(titles) - set(points["panel"]))
    if empty or points.empty:
        raise InputError(f"no values for {listed(empty)}; expected at least one run with each")
    colours = dict(zip(in_order(points["learner"]), LEARNER_COLOURS * 9, strict=False))
    rows = -(-len(titles) // columns)
    figure = new_figure(width=0.5 + size[0] * columns, height=0.8 + size[1] * rows)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for ax, (name, title) in zip(axes, titles.items(), strict=False):
        _lines(ax, points[points["panel"] == name], colours)
        ax.set_title(title, fontsize=9)
        ax.grid(axis="y", color="#e3e6e8", linewidth=0.7)
        ax.tick_params(labelsize=8)
        without_frame(ax)
    # The axes are shared: what one of them gets, all have.
    axes[0].set_xscale("function", functions=(_root, np.square))
    axes[0].set_xticks([tick for tick in TICKS if tick <= points["shots"].max()])
    axes[0].set_ylim(np.floor(points["low"].min() * 10) / 10 - 0.03, 1.03)
    for place, ax in enumerate(axes):
        if place >= len(titles):
            ax.set_visible(False)
        elif place + columns >= len(titles):
            ax.tick_params(labelbottom=True)
    figure.supxlabel("labelled target cells per class (square-root scale)", fontsize=9)
    figure.supylabel(y_label, fontsize=9)
    lines = {str(line.get_label()): line for ax in axes for line in ax.get_lines()}
    style: dict[str, Any] = {"loc": "outside upper center", "ncols": 4 if columns > 1 else 2}
    figure.legend(list(lines.values()), list(lines), frameon=False, fontsize=9, **style)
    return figure


def _lines(ax: "Axes", points: pd.DataFrame, colours: dict[str, str]) -> None:
    for learner, colour in colours.items():
        for start in sorted(set(points["start"]), key=list(STARTS).index):
            line = points[(points["learner"] == learner) & (points["start"] == start)]
            if line.empty:
                continue
            style, filled = STARTS[start]
            ax.fill_between(line["shots"], line["low"], line["high"], color=colour, alpha=0.16, linewidth=0)
            ax.plot(
                line["shots"],
                line["mean"],
                linestyle=style,
                marker="o",
                markersize=3.6,
                linewidth=1.4,
                color=colour,
                markerfacecolor=colour if filled else "white",
                markeredgewidth=0.9,
                label=f"{learner}, {start}",
                clip_on=False,
            )


def _root(shots: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.maximum(shots, 0.0))
