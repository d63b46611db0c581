"""Time until solvers of the same objective come within 1e-3 of its minimum: ``python benchmarks/solver.py``.

Every solver gets the smallest budget of iterations that reaches the gap, and is then timed with it: the
median of five runs in a process of its own. CellTypist minimises something else and is run as it comes.
``--quick`` takes one run each; ``--problems baron`` needs nothing but the bundled cells.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from engine import celltypist_environment, peers, table
from engine.measure import RESULTS, child, forget_peak, machine, peak_mb, save, timed
from engine.problems import Problem, names, problem

GAP = 1e-3
NEWTON = tuple(range(1, 21))
BUDGETS = tuple(sorted({round(5 * 1.1**step) for step in range(64)}))


def run_child(task: str, name: str, solver: str, runs: str, best: str) -> dict[str, Any]:
    """Measure one solver on one problem, inside its own process."""
    if "scipy" in solver:
        os.environ["ORTHOTYPE_KERNEL"] = "scipy"
    data = problem(name)
    if task == "best":
        return {
            "objective": peers.objective(data, *peers.quietly(peers.orthotype_kernel, _precise(data), 800))
        }
    if task == "path":
        return _path(data, int(runs))
    fit = peers.SOLVERS[solver]
    gaps: dict[int, float] = {}
    before = forget_peak()
    peers.quietly(fit, data, 3)
    extra = peak_mb() - before

    def gap(budget: int) -> float:
        if budget not in gaps:
            gaps[budget] = peers.objective(data, *peers.quietly(fit, data, budget)) / float(best) - 1
        return gaps[budget]

    budgets = NEWTON if "newton" in solver else BUDGETS
    low, high = 0, len(budgets) - 1
    while low < high and "SGD" not in solver:
        middle = (low + high) // 2
        low, high = (low, middle) if gap(budgets[middle]) <= GAP else (middle + 1, high)
    budget = budgets[low] if "SGD" not in solver else 20
    found, seconds, times = timed(lambda: peers.quietly(fit, data, budget), int(runs))
    result = {
        "seconds": seconds,
        "times": times,
        "budget": budget,
        "gap": gap(budget),
        "extra_mb": extra,
    }
    return result | peers.scores(data, *found)


def _precise(data: Problem) -> Problem:
    return Problem(**{**vars(data), "X": data.X.astype(np.float64)})


def _path(data: Problem, runs: int) -> dict[str, Any]:
    """Measure five folds times ten penalties with the refit, as the default estimator does it."""
    from orthotype.models.linear import class_weights, fit_path, stratified_folds

    folds = stratified_folds(data.y, n_splits=5, random_state=0)
    weights = class_weights(data.y)
    found, seconds, times = timed(
        lambda: fit_path(
            data.X,
            data.y,
            n_classes=data.classes,
            folds=folds,
            sample_weight=weights,
            refit=True,
            refit_tol=GAP,
        ),
        runs,
    )
    result = {"seconds": seconds, "times": times, "alphas": len(found.alphas), "alpha": found.alpha}
    return result | peers.scores(data, found.refit.coef, found.refit.intercept)


def run_celltypist(name: str, runs: int) -> dict[str, Any]:
    """Train CellTypist with its defaults in its own environment."""
    python = celltypist_environment.interpreter()
    if python is None:
        return {"error": "could not be installed"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.npz"
        save_problem(problem(name), path)
        script = Path(__file__).parent / "engine" / "celltypist_child.py"
        return child(str(script), "train", str(path), str(runs), python=python)


def save_problem(data: Problem, path: Path, *, test_genes: np.ndarray | None = None) -> None:
    """Write a problem for another environment; ``test_genes`` where the test cells have more genes."""
    parts = {"train_genes": np.arange(data.X.shape[1])}
    parts["test_genes"] = parts["train_genes"] if test_genes is None else test_genes
    for prefix, X in (("train_", data.X), ("test_", data.X_test)):
        parts |= {f"{prefix}data": X.data, f"{prefix}indices": X.indices, f"{prefix}indptr": X.indptr}
    np.savez(path, y=data.y, y_test=data.y_test, **parts)


def before() -> dict[str, Any]:
    """Return the results of problems measured earlier on such a machine; those of this run replace them."""
    path = RESULTS / "solver.json"
    found = json.loads(path.read_text()) if path.is_file() else {"machine": {}, "problems": {}}
    same = all(found["machine"].get(key) == machine()[key] for key in ("processor", "cores", "versions"))
    return found if same else {"problems": {}}


def main() -> None:
    """Run everything that was asked for, write JSON and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", nargs="+", default=names(), choices=names())
    parser.add_argument("--solvers", nargs="+", default=[*peers.SOLVERS, "CellTypist"])
    parser.add_argument("--quick", action="store_true", help="one run each instead of five")
    chosen = parser.parse_args()
    runs = 1 if chosen.quick else 5
    results = before() | {"machine": machine(), "gap": GAP, "runs": runs}
    for name in chosen.problems:
        data = problem(name)
        best = child(__file__, "best", name, "orthotype", "1", "0")["objective"]
        shape = {
            "cells": data.X.shape[0],
            "genes": data.X.shape[1],
            "classes": data.classes,
            "nonzeros": data.X.nnz,
        }
        entry: dict[str, Any] = {"what": data.what, **shape, "alpha": data.alpha, "best": best, "solvers": {}}
        entry["path"] = child(__file__, "path", name, "orthotype", str(runs), "0")
        for solver in chosen.solvers:
            print(f"{name}: {solver}", file=sys.stderr)
            if solver == "CellTypist":
                entry["solvers"][solver] = run_celltypist(name, runs)
            else:
                entry["solvers"][solver] = child(__file__, "fit", name, solver, str(runs), str(best))
        results["problems"][name] = entry
    save("solver", results)
    table.write()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(run_child(*sys.argv[2:])))
    else:
        main()
