"""The tables of docs/comparison.md are those of the committed results, and their scores are right."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

ROOT = Path(__file__).parents[2]


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module


def test_the_comparison_tables_are_made_from_the_results(benchmarks: Any) -> None:
    results = json.loads((ROOT / "benchmarks" / "results" / "across_species.json").read_text())
    text = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    assert benchmarks("peers.page").page(text, results) == text


def test_the_area_under_the_curve_is_that_of_scikit_learn_with_ties_and_weights(benchmarks: Any) -> None:
    rng = np.random.default_rng(0)
    score, positive = rng.integers(0, 6, 60).astype(float), rng.random(60) < 0.6
    weights = np.vstack([np.ones(60), rng.integers(1, 4, (3, 60))])
    found = benchmarks("peers.scoring").weighted_auroc(score, positive, weights)
    expected = [roc_auc_score(positive, score, sample_weight=each) for each in weights]
    np.testing.assert_allclose(found, expected)


def pair(benchmarks: Any, *, source: list[str], target: list[str], **classes: Any) -> Any:
    pairs = benchmarks("peers.pairs")
    sides = [
        pairs.Side("cells", None, np.array(labels), np.full(len(labels), "one"), "human")
        for labels in (source, target)
    ]
    return pairs.Pair("one to other", *sides, "one to other", **classes)


def answer(benchmarks: Any, top: list[str], given: list[str] | None = None) -> Any:
    names = np.array(top, dtype=object)
    handed = names if given is None else np.array(given, dtype=object)
    sure = np.linspace(0.9, 0.1, len(names))
    return benchmarks("peers.problem").Answer(names, handed, sure, sure, 0.0)


def test_cells_of_a_class_that_the_source_lacks_count_for_the_unknown_alone(benchmarks: Any) -> None:
    target = ["a"] * 5 + ["b"] * 5 + ["new"] * 10
    told = answer(
        benchmarks,
        ["a"] * 5 + ["b"] * 4 + ["a"] * 11,
        ["a"] * 4 + ["unknown"] * 1 + ["b"] * 5 + ["unknown"] * 10,
    )
    found = benchmarks("peers.scoring").score(
        pair(benchmarks, source=["a", "b"], target=target), np.array(["a", "b"]), told, None
    )
    assert found["call"]["accuracy"][0] == pytest.approx(0.9)
    assert found["given"]["accuracy"][0] == pytest.approx(0.9)
    assert found["unknown"] == pytest.approx(0.1)
    assert (found["caught"], found["auroc"][0]) == (1.0, 1.0)


def test_a_call_is_right_if_its_shared_class_is(benchmarks: Any) -> None:
    marrow = pair(
        benchmarks,
        source=["early", "late", "mono"],
        target=["red", "red", "white", "stem"],
        coarse={"early": ("red cell",), "late": ("red cell",), "mono": ("white cell",)},
        right={"red": ("red cell",), "white": ("white cell",)},
    )
    told = answer(benchmarks, ["early", "late", "late", "mono"])
    found = benchmarks("peers.scoring").score(marrow, np.array(["early", "late", "mono"]), told, None)
    assert found["call"]["accuracy"][0] == pytest.approx(2 / 3)
    assert found["call"]["mean_recall"][0] == pytest.approx(0.5)
    assert "macro_f1" not in found["call"]
    assert {name: rows.sum() for name, rows in marrow.removable().items()} == {"red cell": 2, "white cell": 1}


def test_a_tool_that_fails_is_recorded_and_does_not_end_the_run(benchmarks: Any, tmp_path: Path) -> None:
    running, registry = benchmarks("peers.running"), benchmarks("peers.registry")
    jobs = [{"answer": str(tmp_path / f"{seed}.npz"), "seed": seed} for seed in range(2)]
    found = running.run_jobs(registry.Tool("no_such_tool", ("row",)), jobs, tmp_path, threads=1)
    assert [one.job["seed"] for one in found] == [0, 1]
    assert all("no_such_tool" in one.error for one in found)


def test_rows_of_another_run_are_kept_unless_renewed(benchmarks: Any) -> None:
    def row(pair: str, tool: str, seed: int) -> dict[str, Any]:
        return {"pair": pair, "tool": tool, "without": None, "seed": seed, "versions": {"numpy": "1"}}

    old = {
        "versions": {"svm": {"numpy": "0"}},
        "rows": [row("x", "svm", 0), row("y", "svm", 0), row("x", "svm", 1)],
    }
    found = benchmarks("across_species").joined(old, [row("x", "svm", 2), row("y", "logistic", 0)], {})
    assert [(r["pair"], r["tool"], r["seed"]) for r in found["rows"]] == [
        ("x", "svm", 2),
        ("y", "logistic", 0),
        ("y", "svm", 0),
    ]
    assert found["versions"]["svm"] == {"numpy": "1"}


def test_a_resumed_run_adds_to_the_rows_that_are_there(benchmarks: Any) -> None:
    def row(without: str | None, seed: int, value: int) -> dict[str, Any]:
        return {"pair": "x", "tool": "svm", "without": without, "seed": seed, "value": value}

    old = {"versions": {}, "rows": [row(None, 0, 1), row("a", 0, 2), row("b", 0, 3)]}
    found = benchmarks("across_species").joined(old, [row("b", 0, 4), row("c", 0, 5)], {}, resumed=True)
    assert [r["value"] for r in found["rows"]] == [1, 2, 4, 5]
