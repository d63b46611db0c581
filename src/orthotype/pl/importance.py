"""Which genes carry a class: their expression in both species, and where they sit among the weights."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from orthotype.pl.canvas import (
    BLUE,
    DARK,
    ORANGE,
    check_table,
    in_order,
    inches_of,
    new_figure,
    without_frame,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

LIMIT = 2.5
ROW, COLUMN = 0.155, 0.27


def gene_heatmap(table: pd.DataFrame) -> "Figure":
    """Draw the mean expression of the most informative genes over the classes, one panel per species.

    Colour is the z-score of a gene's class means within its species: how far a class lies from the mean over
    classes, in standard deviations over classes, cut at 2.5. Frames mark the class a gene was chosen for.

    Parameters
    ----------
    table
        Columns gene, top_for, species, class, scaled, as
        :func:`orthotype.study.importance.expression_of_top_genes` makes it. Genes, species and classes are
        drawn in the order of the table; classes of a later species follow the first as far as they can.

    Raises
    ------
    InputError
        If a column is missing or there are no rows.
    OrthotypeError
        If matplotlib is not installed.
    """
    check_table(table, ("gene", "top_for", "species", "class", "scaled"), what="the table of top genes")
    species = in_order(table["species"])
    chosen_for = {str(gene): str(name) for gene, name in zip(table["gene"], table["top_for"], strict=True)}
    order = in_order(table["class"])
    panels = []
    for name in species:
        part = table[table["species"].astype(str) == name]
        wide = part.pivot_table(index="gene", columns="class", values="scaled", sort=False)
        wide.index, wide.columns = wide.index.astype(str), wide.columns.astype(str)
        panels.append(wide.reindex(index=list(chosen_for), columns=[c for c in order if c in wide.columns]))
    widths = [panel.shape[1] for panel in panels]
    width = max(4.6, 1.4 + COLUMN * sum(widths))
    height = 1.4 + inches_of(order, size=8) + ROW * len(chosen_for)
    figure = new_figure(width=width, height=height)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False, width_ratios=widths)[0]
    for ax, panel, name in zip(axes, panels, species, strict=True):
        image = _heat(ax, panel, chosen_for)
        ax.set_title(name, fontsize=10)
    axes[0].set_yticks(range(len(chosen_for)), list(chosen_for), fontsize=7)
    bar = figure.colorbar(
        image, ax=list(axes), location="top", extend="both", shrink=0.6, aspect=40, pad=0.01, fraction=0.02
    )
    bar.set_label("class mean, z-score of each gene\nover the classes of its species", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure


def _heat(ax: "Axes", panel: pd.DataFrame, chosen_for: dict[str, str]) -> "AxesImage":
    from matplotlib.patches import Rectangle

    image = ax.imshow(
        panel.to_numpy(dtype=float),
        cmap="RdBu_r",
        vmin=-LIMIT,
        vmax=LIMIT,
        aspect="auto",
        interpolation="nearest",
    )
    ax.set_facecolor("#eceff1")
    groups = np.array(list(chosen_for.values()), dtype=object)
    for name in in_order(groups):
        rows = np.flatnonzero(groups == name)
        if rows[-1] + 1 < len(groups):
            ax.axhline(rows[-1] + 0.5, color="white", linewidth=1.2)
        if name in panel.columns:
            place = (list(panel.columns).index(name) - 0.5, float(rows[0]) - 0.5)
            ax.add_patch(Rectangle(place, 1, len(rows), fill=False, edgecolor=DARK, linewidth=1.1, zorder=3))
    ax.set_xticks(range(panel.shape[1]), list(panel.columns), rotation=90, fontsize=8)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return image


def weight_tails(table: pd.DataFrame) -> "Figure":
    """Draw which share of the most informative genes of each class lies in the tails of its weights.

    Parameters
    ----------
    table
        Columns class, top, lower, upper, expected and p_adjusted, as
        :func:`orthotype.study.importance.weight_overlap` makes it.

    Raises
    ------
    InputError
        If a column is missing or there are no rows.
    OrthotypeError
        If matplotlib is not installed.
    """
    columns = ("class", "top", "lower", "upper", "expected", "p_adjusted")
    check_table(table, columns, what="the table of weights")
    names = [f"{name} ({top:,})" for name, top in zip(table["class"], table["top"], strict=True)]
    figure = new_figure(width=4.6 + inches_of(names), height=1.3 + 0.27 * len(names))
    ax = figure.subplots()
    top = np.maximum(table["top"].to_numpy(dtype=float), 1)
    lower, upper = table["lower"].to_numpy() / top, table["upper"].to_numpy() / top
    places = np.arange(len(names))
    ax.barh(places, upper, color=BLUE, height=0.7, label="highest weights")
    ax.barh(places, lower, left=upper, color=ORANGE, height=0.7, label="lowest weights")
    expected = table["expected"].to_numpy(dtype=float)
    ax.plot(expected, places, "|", color=DARK, markersize=13, markeredgewidth=1.6, label="expected by chance")
    for place, p in zip(places.tolist(), table["p_adjusted"], strict=True):
        text = "no genes" if np.isnan(p) else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
        ax.text(1.02, place, text, va="center", fontsize=8, transform=ax.get_yaxis_transform())
    ax.set_yticks(places, names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of the most informative genes in the tails of the weights")
    figure.legend(frameon=False, ncols=3, loc="outside upper center", fontsize=8)
    without_frame(ax)
    return figure
