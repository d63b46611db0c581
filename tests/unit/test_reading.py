"""Labels held against a reading of clusters: shares, what was called, markers; and the page about them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from orthotype.errors import InputError, OutputError
from orthotype.report.reading import write_reading
from orthotype.study.reading import calls_by_type, fitting_share, markers_by_label, written

READING = {"red": ("erythroid", "early"), "stem": ()}


@pytest.fixture
def cells() -> tuple[pd.Series, pd.DataFrame]:
    types = pd.Series(["red"] * 5 + ["stem"] * 5)
    labels = ["erythroid", "erythroid", "early", "monocyte", "no agreement"]
    labels += ["unknown", "unknown", "erythroid", "monocyte", "no agreement"]
    return types, pd.DataFrame({"label": labels, "confidence": np.linspace(0.1, 1.0, 10)})


@pytest.fixture
def calls(cells: tuple[pd.Series, pd.DataFrame]) -> pd.DataFrame:
    return calls_by_type(*cells, reading=READING)


def test_shares_of_each_kind(calls: pd.DataFrame) -> None:
    red, stem = calls.to_dict("records")
    assert (red["type"], red["cells"], red["allowed"]) == ("red", 5, "erythroid or early")
    assert (red["fits"], red["no_agreement"], red["unknown"]) == (0.6, 0.2, 0.0)
    assert red["confidence"] == pytest.approx(0.3)
    assert red["called"][0] == ("erythroid", 2)
    assert sum(n for _, n in red["called"]) == 5
    assert (stem["allowed"], stem["no_agreement"], stem["unknown"]) == ("", 0.2, 0.4)
    assert np.isnan(stem["fits"])


def test_only_kinds_that_allow_a_label_count(calls: pd.DataFrame) -> None:
    assert fitting_share(calls) == pytest.approx(0.6)
    assert np.isnan(fitting_share(calls[1:]))
    both = pd.DataFrame({"fits": [1.0, 0.0, np.nan], "cells": [30, 10, 100]})
    assert fitting_share(both) == pytest.approx(0.75)


def test_a_kind_that_the_reading_does_not_name(cells: tuple[pd.Series, pd.DataFrame]) -> None:
    with pytest.raises(InputError, match="types 'red', 'stem'; the reading names 'red';"):
        calls_by_type(*cells, reading={"red": ()})
    with pytest.raises(InputError, match="'blue', 'red', 'stem'"):
        calls_by_type(*cells, reading={**READING, "blue": ()})


def test_labels_on_one_line() -> None:
    assert written((("a", 3), ("b", 1))) == "a 3, b 1"
    assert written((("a", 3), ("b", 1)), most=2) == "a 3, b 1"
    assert written(()) == ""


@pytest.fixture
def markers(cells: tuple[pd.Series, pd.DataFrame]) -> pd.DataFrame:
    X = np.zeros((10, 4), dtype=np.float32)
    X[[0, 1, 7], 2] = 2.0  # KLF1 in every cell called erythroid
    X[::2, 0] = 1.0
    table = {"erythroid": ("KLF1", "HBB"), "monocyte": ("HBB",), "eosinophil": ("EPX",)}
    return markers_by_label(
        sp.csr_array(X), cells[1]["label"], markers=table, features=["HBB", "X", "KLF1", "EPX"], used={"KLF1"}
    )


def test_genes_in_the_cells_of_a_label_and_in_others(markers: pd.DataFrame) -> None:
    assert list(zip(markers["label"], markers["gene"], strict=True)) == [
        ("erythroid", "KLF1"),
        ("erythroid", "HBB"),
        ("monocyte", "HBB"),
    ]
    klf1, hbb, _ = markers.to_dict("records")
    assert (klf1["cells"], klf1["fraction"], klf1["fraction_others"], klf1["auroc"]) == (3, 1.0, 0.0, 1.0)
    assert (klf1["used"], hbb["used"]) == (True, False)
    assert hbb["fraction"] == pytest.approx(1 / 3)
    assert hbb["fraction_others"] == pytest.approx(4 / 7)


def test_a_marker_that_was_not_measured(cells: tuple[pd.Series, pd.DataFrame]) -> None:
    X = sp.csr_array(np.ones((10, 1), dtype=np.float32))
    with pytest.raises(InputError, match="PF4"):
        markers_by_label(X, cells[1]["label"], markers={"erythroid": ("PF4",)}, features=["HBB"], used=())


def test_no_cell_of_any_label(cells: tuple[pd.Series, pd.DataFrame]) -> None:
    X = sp.csr_array(np.ones((10, 1), dtype=np.float32))
    with pytest.raises(InputError, match="no cell got one of the labels 'basophil'"):
        markers_by_label(X, cells[1]["label"], markers={"basophil": ("HBB",)}, features=["HBB"], used=())


CARD = {
    "species": "mouse",
    "licence": "free <for all>",
    "relabelled": {"13Baso": "monocyte: more Csf1r"},
    "relabelled_by": "us",
    "limits": ["one mouse"],
}
CELLS = {"species": "human", "citation": "Setty", "licence": "MIT", "notes": "few"}


def test_the_page_holds_every_number(calls: pd.DataFrame, markers: pd.DataFrame, tmp_path: Path) -> None:
    shifted = calls.assign(fits=[0.8, np.nan], unlike=[0.0, 0.25])
    place = write_reading(
        tmp_path / "report.html",
        title="Marrow",
        card=CARD,
        cells=CELLS,
        plain=calls,
        shifted=shifted,
        markers_plain=markers[:2],
        markers=markers[1:],
        command="orthotype demo",
    )
    page = place.read_text(encoding="utf-8")
    for needed in (
        "10 human cells were labelled by a model of mouse cells",
        "60.0 % of these got a label that fits as they are, 80.0 % with the species shift taken off",
        "The other 5 (stem) have no class in the model",
        "Kinds without a class",
        "25.0 %",
        "erythroid 2, ",
        "KLF1",
        "13Baso: monocyte: more Csf1r",
        "By us.",
        "one mouse",
        "free &lt;for all&gt;",
        "orthotype demo",
    ):
        assert needed in page, needed
    assert "http" not in page.replace("http://www.w3.org", "")
    with pytest.raises(OutputError, match="--force"):
        write_reading(
            place,
            title="",
            card=CARD,
            cells=CELLS,
            plain=calls,
            shifted=shifted,
            markers_plain=markers,
            markers=markers,
        )
