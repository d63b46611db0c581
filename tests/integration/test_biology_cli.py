"""``orthotype annotate --genes``: the table of genes, whole or not at all; the report shows it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import pandas as pd

import orthotype as ot

Command = Callable[..., Any]


def given(kept: Path) -> tuple[object, ...]:
    return ("annotate", kept / "model.safetensors", kept / "human.h5ad", "-o", "out.h5ad")


def test_the_table_of_genes_is_written_as_it_is_kept(orthotype: Command, kept: Path) -> None:
    done = orthotype(*given(kept), "--genes", "genes.csv", "--table", "cells.csv", "--key", "mine")
    assert done.err == "orthotype: wrote out.h5ad, cells.csv and genes.csv\n"
    table = ot.transferability(anndata.read_h5ad("out.h5ad"), key_added="mine")
    read = pd.read_csv("genes.csv")
    assert read.columns.tolist() == table.columns.tolist()
    assert read["gene"].tolist() == table["gene"].tolist()
    assert read["evidence"].tolist() == table["evidence"].astype(str).tolist()
    pd.testing.assert_series_equal(
        read["transferability"], table["transferability"], check_dtype=False, rtol=1e-6
    )


def test_without_a_table_of_cells_two_files_are_named(orthotype: Command, kept: Path) -> None:
    done = orthotype(*given(kept), "--genes", "genes.csv")
    assert done.err == "orthotype: wrote out.h5ad and genes.csv\n"


def test_a_place_that_cannot_be_is_refused_before_any_work(refused: Callable[..., str], kept: Path) -> None:
    assert "ends in '.txt'" in refused(*given(kept), "--genes", "genes.txt")
    assert "two files" in refused(*given(kept), "--genes", "t.csv", "--table", "t.csv")
    Path("genes.csv").write_text("mine\n")
    assert "genes.csv" in refused(*given(kept), "--genes", "genes.csv")
    assert Path("genes.csv").read_text() == "mine\n"


def test_force_replaces_the_table(orthotype: Command, kept: Path) -> None:
    Path("genes.csv").write_text("mine\n")
    assert orthotype(*given(kept), "--genes", "genes.csv", "--force").code == 0
    assert len(pd.read_csv("genes.csv")) > 1000


def test_the_report_tells_of_biology_and_alignment(orthotype: Command, kept: Path) -> None:
    orthotype(*given(kept))
    orthotype("report", "out.h5ad", "-o", "report.html")
    page = Path("report.html").read_text()
    assert 'id="biology"' in page
    assert 'id="alignment"' in page
    orthotype(*given(kept)[:-1], "plain.h5ad", "--alignment", "none")
    orthotype("report", "plain.h5ad", "-o", "plain.html")
    plain = Path("plain.html").read_text()
    assert 'id="biology"' in plain
    assert 'id="alignment"' not in plain
