"""Cells a second from raw counts to labels: ``python benchmarks/predict.py``.

The fused sweep, its scipy twin, CellTypist's annotate (on counts that were normalised for it beforehand),
and merely reading the arrays once: the median of five runs, real cells repeated to the wanted number.
``--quick`` takes one run.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array, vstack

from engine import celltypist_environment, table
from engine.measure import child, forget_peak, machine, peak_mb, save, timed
from engine.problems import Problem, counts, problem
from solver import save_problem

SETTINGS = {
    "13 classes, 2,000 genes": (13, 2000, 1),
    "13 classes, all genes": (13, None, 1),
    "5 models of 13": (13, 2000, 5),
}


def run_child(kind: str, setting: str, cells: str, runs: str) -> dict[str, Any]:
    """Measure one way of labelling, inside its own process."""
    if kind == "scipy":
        os.environ["ORTHOTYPE_KERNEL"] = "scipy"
    from orthotype.models.linear.sweep import Sweep

    classes, selected, models = SETTINGS[setting]
    X = counts("baron")[0]
    X = csr_array(vstack([X] * -(-int(cells) // X.shape[0]), format="csr")[: int(cells)])
    rng = np.random.default_rng(0)
    genes = np.full(X.shape[1], -1)
    chosen = np.arange(X.shape[1]) if selected is None else rng.choice(X.shape[1], selected, replace=False)
    genes[chosen] = np.arange(len(chosen))
    coef = rng.normal(size=(models, classes, len(chosen))) * 0.05
    sweep = Sweep(coef, np.zeros((models, classes)), gene_to_column=genes)
    before = forget_peak()
    read = lambda: float(X.data.sum()) + int(X.indices.sum())  # noqa: E731
    blocks = [view(X, first, min(first + 8192, X.shape[0])) for first in range(0, X.shape[0], 8192)]
    label = lambda: [sweep.label(block) for block in blocks]  # noqa: E731
    _, seconds, times = timed(read if kind == "reading" else label, int(runs))
    return {"seconds": seconds, "times": times, "cells": X.shape[0], "extra_mb": peak_mb() - before}


def view(X: Any, start: int, stop: int) -> Any:
    """Return some rows of a matrix without copying them, as a reader of blocks would hand them over."""
    first, last = X.indptr[start], X.indptr[stop]
    parts = (X.data[first:last], X.indices[first:last], X.indptr[start : stop + 1] - first)
    return csr_array(parts, shape=(stop - start, X.shape[1]), copy=False)


def run_celltypist(selected: int | None, cells: int, runs: int) -> dict[str, Any]:
    """Time CellTypist's annotate on cells normalised beforehand."""
    python = celltypist_environment.interpreter()
    if python is None:
        return {"error": "could not be installed"}
    data = problem("baron")
    repeated = csr_array(vstack([data.X_test] * -(-cells // data.X_test.shape[0]), format="csr")[:cells])
    y_test = np.resize(data.y_test, cells)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.npz"
        save_problem(Problem(**{**vars(data), "X_test": repeated, "y_test": y_test}), path)
        script = Path(__file__).parent / "engine" / "celltypist_child.py"
        return child(str(script), "annotate", str(path), str(runs), python=python)


def main() -> None:
    """Run every setting, write JSON and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=120_000)
    parser.add_argument("--quick", action="store_true", help="one run each instead of five")
    parser.add_argument("--without-celltypist", action="store_true")
    chosen = parser.parse_args()
    runs = 1 if chosen.quick else 5
    results: dict[str, Any] = {"machine": machine(), "runs": runs, "settings": {}}
    for setting, (_, selected, _) in SETTINGS.items():
        entry = {
            kind: child(__file__, kind, setting, str(chosen.cells), str(runs))
            for kind in ("orthotype", "scipy", "reading")
        }
        if not chosen.without_celltypist and selected == 2000 and "models" not in setting:
            entry["CellTypist annotate"] = run_celltypist(selected, min(chosen.cells, 20_000), runs)
        results["settings"][setting] = entry
    save("predict", results)
    table.write()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(run_child(*sys.argv[2:])))
    else:
        main()
