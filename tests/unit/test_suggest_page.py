"""The tables of docs/suggest.md are those of the committed results; labels needed are counted right."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give the benchmark as a module."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("suggest")


def test_the_tables_are_made_from_the_results(bench: ModuleType) -> None:
    rows = json.loads((ROOT / "benchmarks" / "results" / "suggest.json").read_text())["rows"]
    text = (ROOT / "docs" / "suggest.md").read_text(encoding="utf-8")
    assert bench.page(text, rows) == text


def test_what_settled_it_is_made_from_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    settling = importlib.import_module("suggest_settling")
    rows = json.loads(settling.RESULTS.read_text())["rows"]
    text = (ROOT / "docs" / "suggest.md").read_text(encoding="utf-8")
    assert settling.page(text, rows) == text
    assert {row["way"] for row in rows} == {*settling.RULES, *settling.WAYS}


def curves(random: list[float], suggested: list[float]) -> list[dict[str, object]]:
    """Give the rows of two seeds that are alike."""
    return [
        {"pair": "a to b", "way": way, "seed": seed, "labels": n, "known": value, "all": value}
        for way, values in {"random": random, "suggest": suggested}.items()
        for seed in (0, 1)
        for n, value in zip((0, 10, 20, 40), values, strict=True)
    ]


def test_labels_per_label_at_random_where_those_gained(bench: ModuleType) -> None:
    rows = curves([0.5, 0.505, 0.7, 0.8], [0.5, 0.7, 0.75, 0.78])
    assert bench.ratios(rows, "all") == pytest.approx([0.5, np.inf])
    assert "at most half as many labels in 1 of 2 places, fewer in 1, and never got there in 1" in (
        bench.headline(rows)
    )


@pytest.mark.parametrize(
    ("goal", "expected"),
    [(0.4, 0.0), (0.5, 0.0), (0.7, 10.0), (0.9, 40.0), (0.95, np.inf)],
)
def test_labels_that_a_score_takes(bench: ModuleType, goal: float, expected: float) -> None:
    labels = np.array([0.0, 10.0, 20.0, 40.0])
    assert bench.labels_for(labels, np.array([0.5, 0.7, 0.6, 0.9]), goal) == pytest.approx(expected)


def test_between_two_numbers_of_labels(bench: ModuleType) -> None:
    found = bench.labels_for(np.array([10.0, 40.0]), np.array([0.5, 0.7]), 0.6)
    assert found == pytest.approx(np.sqrt(11 * 41) - 1)
