"""The page of what comes after a label: its examples run, its tables are those of the committed results."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "unknown.md").read_text(encoding="utf-8")


def test_the_tables_are_made_from_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    results = json.loads((ROOT / "benchmarks" / "results" / "beyond.json").read_text())
    assert importlib.import_module("beyond").page(PAGE, results) == PAGE


def test_the_examples_run_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    here: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        exec(compile(block, "docs/unknown.md", "exec"), here)
    proposed = here["proposed"].groups
    assert proposed.loc["unknown 1", "probably"] == ""
    assert {"CTRB1", "CPA1", "PRSS2"} & set(proposed.loc["unknown 1", "markers"].split(", "))
    assert "rolled up" in set(here["rolled"]["status"])
    told = capsys.readouterr().out
    assert "unknown 1" in told
    assert "orthotype_set" in told
