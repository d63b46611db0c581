"""The tables of docs/alignment.md are those of the committed results."""

import importlib
import json
from pathlib import Path

import pytest

from orthotype.models import kinship

ROOT = Path(__file__).parents[2]


def test_the_alignment_tables_are_made_from_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    alignment = importlib.import_module("alignment")
    rows = json.loads((ROOT / "benchmarks" / "results" / "alignment.json").read_text())["rows"]
    text = (ROOT / "docs" / "alignment.md").read_text(encoding="utf-8")
    assert alignment.page(text, rows) == text


def test_the_table_of_rules_is_made_from_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    settling = importlib.import_module("alignment_settling")
    rows = json.loads((ROOT / "benchmarks" / "results" / "alignment_settling.json").read_text())["rows"]
    text = (ROOT / "docs" / "alignment.md").read_text(encoding="utf-8")
    assert settling.page(text, rows) == text
    assert {row["rule"] for row in rows} == set(settling.RULES)


@pytest.mark.parametrize(
    "name", ["other_tissue", "lineages", "sorted_cells", "few_cells", "kinship_settling", "kinship_rule"]
)
def test_the_tables_of_other_tissues_are_made_from_the_results(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    bench = importlib.import_module(name)
    rows = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())["rows"]
    text = (ROOT / "docs" / "alignment.md").read_text(encoding="utf-8")
    assert bench.page(text, rows) == text


def test_the_numbers_of_kinship_are_those_of_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    rule = importlib.import_module("kinship_rule")
    rows = json.loads(rule.RESULTS.read_text(encoding="utf-8"))["rows"]
    assert rule.asked(rows)["asked"] == kinship.LEAST_KINSHIP
    numbers = {words: number for words, (_, _, number) in rule.carried(rows).items()}
    assert numbers == {"one type": kinship.LEAST_CARRIED, "few types": kinship.LEAST_OF_FEW}
