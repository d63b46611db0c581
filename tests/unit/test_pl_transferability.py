"""Figures of transferability: every gene at its place, every marker on a tile of its verdict."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from orthotype import pl
from orthotype.errors import InputError
from orthotype.pl.transferability import TILES


@pytest.fixture
def genes() -> pd.DataFrame:
    """Give six genes of every kind."""
    rows = [
        ("a", 0.1, 0.9, 0.7, 0.95, 2.0, 1.0, "carries over"),
        ("b", -2.0, 0.8, 0.6, 0.9, 1.0, 3.0, "carries over"),
        ("c", 0.2, 0.5, 0.1, 0.8, 9.0, 9.0, "undecided"), ("d", 0.0, 0.0, -0.8, -0.2, 1.0, 1.0, "differs"),
        ("e", 0.3, 0.6, 0.1, 0.9, 4.0, 0.0, "one species only"),
        ("f", np.nan, np.nan, np.nan, np.nan, 1.0, np.nan, "not measured"),
    ]  # fmt: skip
    names = ["gene", "shift", "transferability", "transferability_low", "transferability_high"]
    return pd.DataFrame(rows, columns=[*names, "source_spread", "target_spread", "evidence"])


@pytest.fixture
def markers() -> pd.DataFrame:
    """Give the markers of three classes, the last without target cells."""
    rows = [
        ("x", "m1", "carries over"), ("x", "m2", "lost"), ("x", "m3", "not measured"), ("x", "m4", "gained"),
        ("y", "m5", "undecided"), ("z", "m6", "no cells"),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["class", "gene", "verdict"])


def test_genes_lie_at_their_shift_and_transferability(genes: pd.DataFrame) -> None:
    left, _ = pl.transferability(genes).axes
    places = np.vstack([part.get_offsets() for part in left.collections])
    expected = genes.dropna(subset="shift")[["shift", "transferability"]].to_numpy()
    np.testing.assert_allclose(np.sort(places, axis=0), np.sort(expected, axis=0))
    assert {text.get_text() for text in left.texts} == {"a", "b", "c", "d", "e"}


def test_the_legend_counts_the_genes_of_each_kind(genes: pd.DataFrame) -> None:
    (legend,) = pl.transferability(genes).legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "undecided (1)",
        "carries over (2)",
        "differs (1)",
        "one species only (1)",
    ]


def test_the_most_telling_genes_have_intervals_within_the_axis(genes: pd.DataFrame) -> None:
    _, right = pl.transferability(genes).axes
    assert [label.get_text() for label in right.get_yticklabels()] == ["b", "a", "e", "d"]
    spans = [line.get_xdata() for line in right.lines if len(line.get_xdata()) == 2][:4]
    np.testing.assert_allclose(spans, [(0.6, 0.9), (0.7, 0.95), (0.1, 0.9), (0.0, 0.0)])
    _, fewer = pl.transferability(genes, n_genes=1).axes
    assert [label.get_text() for label in fewer.get_yticklabels()] == ["b", "e"]


def test_every_marker_has_a_tile_in_the_colour_of_its_verdict(markers: pd.DataFrame) -> None:
    figure = pl.marker_transfer(markers, n_genes=3)
    (ax,) = figure.axes
    drawn = {
        (text.get_text(), to_hex(tile.get_facecolor()))
        for text, tile in zip(ax.texts, ax.patches, strict=True)
    }
    said = markers[markers["class"] != "z"]
    assert drawn == {(gene, TILES[word]) for gene, word in zip(said["gene"], said["verdict"], strict=True)}
    assert [label.get_text() for label in ax.get_yticklabels()] == ["x", "y"]
    assert [label.get_text() for label in ax.get_xticklabels()] == [
        "markers of the source, best first",
        "gained",
    ]
    gained = next(tile for text, tile in zip(ax.texts, ax.patches, strict=True) if text.get_text() == "m4")
    assert gained.get_x() > 3


def test_without_gained_markers_there_is_no_place_for_them(markers: pd.DataFrame) -> None:
    (ax,) = pl.marker_transfer(markers[markers["verdict"] != "gained"], n_genes=3).axes
    assert ax.get_xlim() == (0, 3)


def test_tables_that_cannot_be_drawn_are_refused(genes: pd.DataFrame, markers: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="no column 'shift'"):
        pl.transferability(genes.drop(columns="shift"))
    with pytest.raises(InputError, match="no rows"):
        pl.transferability(genes[genes["evidence"] == "not measured"])
    with pytest.raises(InputError, match="no column 'verdict'"):
        pl.marker_transfer(markers.drop(columns="verdict"))
    with pytest.raises(InputError, match="no class"):
        pl.marker_transfer(markers[markers["class"] == "z"])
