"""The tables of docs/adapt.md are those of the committed results; differences are paired by seed."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give the module that makes the tables."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("adapt_page")


def test_the_tables_are_made_from_the_results(page: ModuleType) -> None:
    found = json.loads((ROOT / "benchmarks" / "results" / "adapt.json").read_text())
    speed = json.loads((ROOT / "benchmarks" / "results" / "adapt_speed.json").read_text())
    text = (ROOT / "docs" / "adapt.md").read_text(encoding="utf-8")
    assert page.filled(text, found, speed) == text


def test_what_settled_it_is_made_from_the_results(page: ModuleType) -> None:
    settling = importlib.import_module("adapt_settling")
    found = json.loads(settling.RESULTS.read_text(encoding="utf-8"))
    text = settling.PAGE.read_text(encoding="utf-8")
    assert len(found["many"]) > 0
    assert settling.page(text, found) == text


def test_adapting_is_compared_with_the_best_of_its_rivals(page: ModuleType) -> None:
    rows = [
        {"pair": "p", "seed": seed, "way": way, "cells": cells, "known": value + 0.01 * seed}
        for seed in range(2)
        for way, cells, value in (
            ("source", 0, 0.5),
            ("aligned", 0, 0.7),
            ("scratch", 5, 0.6),
            ("adapted", 5, 0.8),
            ("complete", 5, 0.9),
        )
    ]
    np.testing.assert_allclose(page.ahead(pd.DataFrame(rows), 5, "known"), [[0.1, 0.1]])
    np.testing.assert_allclose(page.ahead(pd.DataFrame(rows), 5, "known", "complete"), [[0.2, 0.2]])


def test_intervals_are_those_of_student(page: ModuleType) -> None:
    mean, half = page.interval(np.array([0.0, 1.0, 2.0]))
    assert mean == 1.0
    assert half == pytest.approx(4.302653 / np.sqrt(3), rel=1e-5)


def test_many_differences_are_tested_together(page: ModuleType) -> None:
    rng = np.random.default_rng(0)
    level = [rng.normal(0.0, 1.0, 10) for _ in range(36)]
    behind = [each - each.mean() - 1.0 for each in level[:2]]
    far_behind = level[2] - level[2].mean() - 10.0
    said = page.below_zero([*behind, *level[2:]])
    assert said.endswith("tested together (Holm), none of the differences does.")
    said = page.below_zero([*behind, far_behind, np.array([-1.0]), *level[3:]])
    assert said.startswith(f"{int(said.split()[0])} of 36 intervals")
    assert int(said.split()[0]) >= 3
    assert said.endswith("tested together (Holm), 1 of the differences does.")
