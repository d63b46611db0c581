"""Annotating, and what scores and shows an annotation: keys, places and files that do not fit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import pandas as pd
import pytest

Command = Callable[..., Any]
Refused = Callable[..., str]
LABELS = ("--labels", "cell_ontology_class")


@pytest.fixture
def annotate(kept: Path) -> tuple[object, ...]:
    """Give the first words of the command."""
    return "annotate", kept / "model.safetensors", kept / "human.h5ad"


@pytest.mark.parametrize("key", ["run+1", "(x", "cell"])
def test_the_table_holds_the_annotation_and_nothing_else(
    orthotype: Command, annotate: tuple[object, ...], key: str
) -> None:
    done = orthotype(*annotate, "-o", "out.h5ad", "--table", "t.csv", "--key", key)
    assert done.code == 0, done.err
    table, cells = pd.read_csv("t.csv", index_col="cell"), anndata.read_h5ad("out.h5ad")
    assert table[f"{key}_label"].tolist() == cells.obs[f"{key}_label"].tolist()
    assert {"cell_type", "cell_ontology_class"} <= set(cells.obs)
    assert not {"cell_type", "cell_ontology_class"} & set(table)
    assert len(table.columns) >= 8


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (("-o", "same.csv", "--table", "./same.csv"), "--output and --table"),
        (("-o", "same.csv", "--genes", "same.csv"), "--output and --genes"),
        (("-o", "out.csv", "--table", "same.csv", "--genes", "same.csv"), "--table and --genes"),
    ],
)
def test_two_outputs_in_one_place_are_refused_before_any_work(
    refused: Refused, words: tuple[str, ...], options: str
) -> None:
    message = refused("annotate", "no.safetensors", "no.h5ad", *words)
    assert message.startswith(f"{options} name the same file, ")


def test_the_help_says_when_zarr_is_written(orthotype: Command) -> None:
    text = " ".join(orthotype("annotate", "--help").out.split())
    assert ".zarr of a .zarr" in text


@pytest.mark.parametrize("command", ["evaluate", "report"])
def test_help_names_the_kinds_that_hold_an_annotation(orthotype: Command, command: str) -> None:
    text = " ".join(orthotype(command, "--help").out.split())
    assert "Annotated cells" in text
    assert "10x" not in text
    assert "csv" not in text


@pytest.mark.parametrize("command", [("evaluate", *LABELS), ("report", "-o", "report.html")])
def test_files_that_cannot_hold_an_annotation_are_refused(
    refused: Refused, command: tuple[str, ...], tmp_path: Path
) -> None:
    Path("labels.csv").write_text("cell,orthotype_label\nx,beta\n", encoding="utf-8")
    (tmp_path / "tenx").mkdir()
    for path in ("labels.csv", "tenx"):
        message = refused(command[0], path, *command[1:])
        assert message.startswith(
            f"{path} cannot hold an annotation; expected an .h5ad file or a .zarr store"
        )
    assert "none.csv does not exist" in refused(command[0], "none.csv", *command[1:])
