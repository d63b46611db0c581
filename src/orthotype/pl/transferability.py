"""Which biology transfers, drawn: shift and transferability of genes, and the markers of every class."""

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from orthotype.errors import InputError
from orthotype.pl.canvas import (
    BLUE,
    DARK,
    GREY,
    ORANGE,
    PALE,
    PLUM,
    check_table,
    in_order,
    inches_of,
    new_figure,
    without_frame,
)
from orthotype.transfer.biology_tables import (
    AGREES,
    CARRIES,
    DIFFERS,
    GAINED,
    LOST,
    NO_CELLS,
    NOT_MEASURED,
    ONE_SPECIES,
    UNDECIDED,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INTERVAL = ("transferability", "transferability_low", "transferability_high")
GENE_COLUMNS = ("gene", "shift", *INTERVAL, "source_spread", "target_spread", "evidence")
# Colour, mark, and whether it is drawn above the rest.
GENE_STYLES: Final = {
    UNDECIDED: (PALE, "o", 1),
    CARRIES: (BLUE, "o", 2),
    DIFFERS: (PLUM, "s", 3),
    ONE_SPECIES: (ORANGE, "^", 3),
}
# Pale, so that names can be read on them.
TILES: Final = {
    CARRIES: "#a8cbe8",
    UNDECIDED: "#e6e9eb",
    LOST: "#f0c07a",
    GAINED: "#d9b3d0",
    NOT_MEASURED: "#ffffff",
}
ROW, TILE = 0.24, 0.66
N_NAMED = 8


def transferability(table: pd.DataFrame, *, n_genes: int = 12) -> "Figure":
    """Draw the shift of every gene against its transferability, and the intervals of the most telling genes.

    On the left every gene that the target has, the largest shifts named; on the right those that carry over
    and those that do not, of each the ones that tell the classes apart most in either species, with 95 %
    intervals.

    Parameters
    ----------
    table
        As :func:`orthotype.transferability` makes it.
    n_genes
        Most genes of each kind on the right.

    Raises
    ------
    InputError
        If a column is missing, or no gene was measured in the target.
    OrthotypeError
        If matplotlib is not installed.
    """
    check_table(table, GENE_COLUMNS, what="the table of genes")
    words = table["evidence"].astype(str)
    measured = table[words != NOT_MEASURED]
    check_table(measured, GENE_COLUMNS, what="the table of genes, without those not measured,")
    shown = _most_telling(measured, n_genes)
    height = max(3.6, 1.1 + 0.19 * len(shown))
    figure = new_figure(width=8.6, height=height)
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    _scatter(left, measured)
    _intervals(right, shown)
    figure.legend(
        *left.get_legend_handles_labels(),
        frameon=False,
        ncols=4,
        loc="outside upper center",
        fontsize=8,
        markerscale=1.6,
    )
    return figure


def _most_telling(table: pd.DataFrame, n_genes: int) -> pd.DataFrame:
    """Return genes that carry over and then those that do not, each the most telling first."""
    telling = table[["source_spread", "target_spread"]].max(axis=1)
    order = table.assign(telling=telling).sort_values(
        ["telling", "gene"], ascending=[False, True], kind="stable"
    )
    words = order["evidence"].astype(str)
    carried, not_carried = order[words == CARRIES], order[words.isin([DIFFERS, ONE_SPECIES])]
    return pd.concat([carried.head(n_genes), not_carried.head(n_genes)])


def _scatter(ax: "Axes", table: pd.DataFrame) -> None:
    words = table["evidence"].astype(str)
    for word, (colour, mark, order) in GENE_STYLES.items():
        part = table[words == word]
        ax.scatter(
            part["shift"],
            part["transferability"],
            s=9,
            color=colour,
            marker=mark,
            linewidths=0,
            alpha=0.8,
            zorder=order,
            label=f"{word} ({len(part):,})",
        )
    for _, row in table.loc[table["shift"].abs().nlargest(N_NAMED).index].iterrows():
        place = (float(row["shift"]), float(row["transferability"]))
        ax.annotate(
            str(row["gene"]), place, (0, 4), textcoords="offset points", ha="center", fontsize=6.5, color=DARK
        )
    ax.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel("shift: target minus source")
    ax.set_ylabel("transferability")
    without_frame(ax)


def _intervals(ax: "Axes", shown: pd.DataFrame) -> None:
    places = np.arange(len(shown))
    for place, (_, row) in zip(places.tolist(), shown.iterrows(), strict=True):
        colour, mark, _ = GENE_STYLES[str(row["evidence"])]
        value, low, high = (float(row[name]) for name in INTERVAL)
        ax.plot([max(low, 0.0), max(high, 0.0)], [place, place], color=colour, linewidth=2, alpha=0.5)
        ax.plot(value, place, mark, color=colour, markersize=4)
    ax.axvline(AGREES, color=GREY, linewidth=0.8, linestyle=(0, (3, 3)), zorder=0)
    ax.set_yticks(places, shown["gene"].astype(str).tolist(), fontsize=7, style="italic")
    ax.set_ylim(max(len(shown), 1) - 0.4, -0.6)
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel("transferability, 95 % interval")
    without_frame(ax)


def marker_transfer(table: pd.DataFrame, *, n_genes: int = 10, n_gained: int = 4) -> "Figure":
    """Draw the markers of every class as tiles: those of the source, the best first, then those gained.

    Parameters
    ----------
    table
        As :func:`orthotype.marker_transfer` makes it; classes without target cells are left out.
    n_genes
        Most markers of the source for each class.
    n_gained
        Most markers that the target alone has.

    Raises
    ------
    InputError
        If a column is missing, or no class has target cells.
    OrthotypeError
        If matplotlib is not installed.
    """
    check_table(table, ("class", "gene", "verdict"), what="the table of markers")
    words, named = table["verdict"].astype(str), table["class"].astype(str)
    classes = [name for name in in_order(named) if (words[named == name] != NO_CELLS).all()]
    if not classes:
        raise InputError(
            "no class in the table of markers has target cells; expected some that were assigned to a class"
        )
    table = table.assign(verdict=words, **{"class": named})
    gained = words == GAINED
    wide = max(int((gained & (named == name)).sum()) for name in classes)
    n_gained = min(n_gained, wide)
    n_columns = n_genes + n_gained
    figure = new_figure(width=0.5 + inches_of(classes) + TILE * n_columns, height=0.9 + ROW * len(classes))
    ax = figure.subplots()
    gap = 0.4
    for row, name in enumerate(classes):
        own = named == name
        _tiles(ax, table[own & ~gained].head(n_genes), row, start=0.0)
        _tiles(ax, table[own & gained].head(n_gained), row, start=n_genes + gap)
    ax.set_yticks(np.arange(len(classes)) + 0.5, classes, fontsize=8)
    blocks = {"markers of the source, best first": n_genes / 2, "gained": n_genes + gap + n_gained / 2}
    heads = list(blocks)[: 1 + bool(n_gained)]
    ax.set_xticks([blocks[head] for head in heads], heads, fontsize=8)
    ax.set_xlim(0, n_columns + (gap if n_gained else 0))
    ax.set_ylim(len(classes), 0)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    _key(figure, [word for word in TILES if (table["class"].isin(classes) & (words == word)).any()])
    return figure


def _tiles(ax: "Axes", markers: pd.DataFrame, row: int, *, start: float) -> None:
    from matplotlib.patches import Rectangle

    for place, (gene, verdict) in enumerate(zip(markers["gene"], markers["verdict"], strict=True)):
        x = start + place
        tile = Rectangle(
            (x + 0.02, row + 0.05),
            0.96,
            0.9,
            facecolor=TILES[verdict],
            edgecolor=PALE,
            linewidth=0.8 if verdict == NOT_MEASURED else 0,
        )
        ax.add_patch(tile)
        name = str(gene)
        size = 6.2 if len(name) <= 8 else max(3.0, 50 / len(name))
        ax.text(
            x + 0.5,
            row + 0.52,
            name,
            ha="center",
            va="center",
            fontsize=size,
            color=DARK,
            style="italic",
            clip_on=True,
        )


def _key(figure: "Figure", words: list[str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=TILES[word], edgecolor=PALE, label=word) for word in words]
    figure.legend(handles=handles, frameon=False, ncols=5, loc="outside upper center", fontsize=8)
