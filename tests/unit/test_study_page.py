"""docs/stumpf2020.md shows the committed results, and every step of the paper has a row there."""

import importlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "stumpf2020.md"


@pytest.fixture(scope="module")
def results():
    return json.loads((ROOT / "benchmarks" / "results" / "study.json").read_text())["rows"]


@pytest.fixture
def study_page(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("study_page")


def test_the_page_is_made_from_the_results(results, study_page):
    text = PAGE.read_text(encoding="utf-8")
    assert study_page.page(text, results) == text


def test_every_step_has_a_row_with_a_place_in_the_code_and_a_measurement():
    rows = [
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| \*\*\d\.\*\*", line)
    ]
    assert [int(row[4]) for row in rows] == list(range(1, 9))
    for row in rows:
        cells = [cell.strip() for cell in row.strip("| ").split(" | ")]
        assert len(cells) == 5
        assert all(cells)
        for module in re.findall(r"`([a-z_]+\.[a-z_.]+)`", cells[2]):
            first = ROOT / "src" / "orthotype" / module.replace(".", "/")
            found = [first.with_suffix(".py"), first, first.parent.with_suffix(".py")]
            assert any(path.exists() for path in found), module


def test_both_forms_of_balanced_accuracy_are_shown_for_every_run(results):
    assert len(results) >= 4
    for row in results:
        for side in ("source_scores", "target_scores"):
            for scores in row[side].values():
                assert {"balanced_accuracy", "published_balanced_accuracy"} <= set(scores)
                assert scores["one_vs_rest_balanced_accuracy"] > 0


def test_full_and_quick_studies_were_fast_enough(results):
    """On two cores: under 2 minutes for the quick study, under 20 for the full one."""
    for row in results:
        minutes = 2 if row["name"].endswith("quick") else 20
        assert row["processor_seconds"] / 2 < minutes * 60, row["name"]
