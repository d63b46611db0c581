"""Numbers in the docs are those of the committed results."""

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_gene_table_is_made_from_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    genes = importlib.import_module("genes")
    rows = json.loads((ROOT / "benchmarks" / "results" / "genes.json").read_text())["rows"]
    text = (ROOT / "docs" / "orthologs.md").read_text(encoding="utf-8")
    assert genes.page(text, rows) == text


def test_the_penalty_table_is_that_of_the_results() -> None:
    rows = json.loads((ROOT / "benchmarks" / "results" / "penalty.json").read_text())["rows"]
    text = (ROOT / "docs" / "orthologs.md").read_text(encoding="utf-8")
    for row in rows:
        cells = [
            f"{row[rule]['unseen_cells']:.3f}, {row[rule]['mean_recall']:.3f}"
            for rule in ("lowest", "strongest")
        ]
        assert f"| {row['pair']} | {' | '.join(cells)} |" in text


def test_the_tables_of_scale_are_made_from_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    results = json.loads((ROOT / "benchmarks" / "results" / "scale.json").read_text())
    text = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    assert importlib.import_module("engine.scale_page").page(text, results) == text


def test_files_gave_the_models_of_cells_in_memory() -> None:
    tasks = json.loads((ROOT / "benchmarks" / "results" / "scale.json").read_text())["tasks"]
    in_memory = {row["cells"]: row for row in tasks["train in memory, h5ad"]}
    compared = [row for row in tasks["train, h5ad"] if row["cells"] in in_memory]
    assert compared
    for row in compared:
        assert row["arrays"] == in_memory[row["cells"]]["arrays"]
        assert row["held_out_losses"] == in_memory[row["cells"]]["held_out_losses"]
