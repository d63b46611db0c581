"""The page on bundled models says what the card, the reading and the results say."""

import json
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from orthotype.cli.demo_marrow import READING
from orthotype.models.store import read_card

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def script(folder: str, name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT / folder), *sys.path])
    spec = spec_from_file_location(name, ROOT / folder / f"{name}.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_made_from_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = script("benchmarks", "marrow_model", monkeypatch)
    rows = json.loads(benchmark.RESULTS.read_text(encoding="utf-8"))["rows"]
    assert benchmark.page(TEXT, rows) == TEXT


def test_the_classes_are_those_of_the_card() -> None:
    card = read_card("mouse-marrow")
    for name, cells in card["cells_per_class"].items():
        assert re.search(rf"^\| {name} \| .* \| {cells:,} \|$", TEXT, flags=re.MULTILINE), name
    for cluster in card["relabelled"]:
        assert f"**{cluster}**" in TEXT


def test_the_reading_is_that_of_demo_and_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = script("tools", "build_marrow_cells", monkeypatch)
    for number, (kind, genes) in cells.READING.items():
        allowed = ", ".join(READING[kind]) or "none"
        marked = ", ".join(f"*{gene}*" for gene in genes)
        pattern = rf"^\| {kind} \| {number}[^|]* \| {re.escape(marked)} \| {allowed} \|$"
        assert re.search(pattern, TEXT, flags=re.MULTILINE), kind
