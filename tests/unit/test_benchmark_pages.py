"""Numbers in the docs are those of the committed results."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_gene_table_is_made_from_the_results() -> None:
    spec = spec_from_file_location("genes", ROOT / "benchmarks" / "genes.py")
    assert spec is not None
    assert spec.loader is not None
    genes = module_from_spec(spec)
    spec.loader.exec_module(genes)
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
