"""Bundled models on the command line: listed, found, shown, and named in place of a model file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import pytest

import orthotype as ot

Command = Callable[..., Any]


@pytest.fixture
def few() -> anndata.AnnData:
    """Give 60 human erythroid cells and 60 others."""
    marrow = ot.datasets.get("setty2019-human-marrow-subset")
    red = marrow.obs["coarse_type"] == "erythroid"
    return anndata.concat([marrow[red][:60], marrow[~red][:60]])


def test_list_shows_what_there_is(orthotype: Command) -> None:
    done = orthotype("models", "list")
    assert done.code == 0
    (row,) = [line for line in done.out.splitlines() if line.startswith("mouse-marrow")]
    assert row.split() == ["mouse-marrow", "mouse", "human", "bone", "marrow,", "c-Kit+", "10", "2,730"]
    assert "models show NAME" in done.err
    (entry,) = orthotype("models", "list", "--json").json
    assert (entry["name"], len(entry["sha256"])) == ("mouse-marrow", 64)


def test_path_is_that_of_the_file(orthotype: Command) -> None:
    done = orthotype("models", "path", "mouse-marrow")
    assert (done.code, done.err) == (0, "")
    assert Path(done.out.strip()).is_file()
    assert orthotype("models", "show", done.out.strip(), "--json").json["name"] == "mouse-marrow"


def test_an_unknown_name_offers_the_nearest(refused: Callable[..., str]) -> None:
    assert "did you mean 'mouse-marrow'" in refused("models", "path", "mouse-marow")
    assert "'mouse-marrow'" in refused("models", "show", "mouse-marow")


def test_show_tells_origin_relabelling_and_limits(orthotype: Command) -> None:
    done = orthotype("models", "show", "mouse-marrow")
    for fact in (
        "mouse model of 10 classes, trained on 2,730 cells",
        "learned    Paul F",
        "licence    BSD-3-Clause",
        "clusters relabelled by the authors of orthotype",
        "- 13Baso: monocyte: more Csf1r",
        "- 15Mo: neutrophil",
        "- 17Neu: basophil",
        "limits:",
        "- One mouse",
    ):
        assert fact in done.out, fact


def test_a_model_of_ones_own_has_no_such_lines(orthotype: Command, kept: Path) -> None:
    done = orthotype("models", "show", kept / "model.safetensors")
    for absent in ("learned", "licence", "relabelled", "limits"):
        assert absent not in done.out


def test_annotate_takes_the_name(orthotype: Command, few: anndata.AnnData) -> None:
    few.write_h5ad("human.h5ad")
    done = orthotype("annotate", "mouse-marrow", "human.h5ad", "-o", "out.h5ad")
    assert done.code == 0, done.err
    out = anndata.read_h5ad("out.h5ad")
    right = (out.obs["orthotype_label"].astype(str) == "erythroid").to_numpy()
    assert right[:60].mean() > 0.9
    assert right[60:].mean() < 0.5
    assert "too unlike the source" not in done.err
    assert out.uns["orthotype"]["model_hash"] == ot.load("mouse-marrow").state_.hash()
