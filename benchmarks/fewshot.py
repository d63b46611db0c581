"""Time of a refit on a handful of labelled cells: ``python benchmarks/fewshot.py``.

MAP refits around the weights of a source model, on real cells: a number of cells a class, once in the span
of the rows and once on the genes. Median of twenty runs after one to warm up, in a process of its own.
"""

import argparse
import json
import sys
from typing import Any

import numpy as np

from engine import table
from engine.measure import child, machine, save, timed
from engine.problems import names, problem

SETTINGS = {
    "10 classes x 10 cells x 2,000 genes": (10, 10, 2000),
    "21 classes x 30 cells x 4,000 genes": (21, 30, 4000),
}
ALPHA = 0.3


def run_child(setting: str, method: str, runs: str) -> dict[str, Any]:
    """Time one setting with one method."""
    from orthotype.models.linear import solve

    classes, cells, genes = SETTINGS[setting]
    data = problem("aml-all" if "aml-all" in names() else "baron")
    rng = np.random.default_rng(0)
    common = np.argsort(-np.bincount(data.y))[:classes]
    variance = (
        np.asarray(data.X.multiply(data.X).mean(axis=0)).ravel()
        - np.asarray(data.X.mean(axis=0)).ravel() ** 2
    )
    columns = np.sort(np.argsort(-variance)[:genes])
    chosen = [
        rng.choice(np.flatnonzero(data.y == k), min(cells, int((data.y == k).sum())), replace=False)
        for k in common
    ]
    y = np.repeat(np.arange(len(common)), [len(rows) for rows in chosen])
    X = data.X[np.concatenate(chosen)][:, columns]
    others = np.setdiff1d(np.flatnonzero(np.isin(data.y, common)), np.concatenate(chosen))[:2000]
    place = {k: i for i, k in enumerate(common)}
    y_others = np.array([place[k] for k in data.y[others]])
    source = solve(data.X[others][:, columns], y_others, n_classes=len(common), alpha=0.1)
    keys = {"n_classes": len(common), "alpha": ALPHA, "center": source.coef, "gamma": 1.0, "tol": 1e-4}
    refit = lambda: solve(X, y, method=method, **keys)  # noqa: E731
    refit()
    found, seconds, times = timed(refit, int(runs))
    return {"seconds": seconds, "times": times, "steps": found.n_iter, "cells": len(y), "genes": X.shape[1]}


def main() -> None:
    """Run both settings with both methods, write JSON and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="five runs each instead of twenty")
    runs = "5" if parser.parse_args().quick else "20"
    results: dict[str, Any] = {"machine": machine(), "runs": int(runs), "settings": {}}
    for setting in SETTINGS:
        results["settings"][setting] = {
            method: child(__file__, setting, method, runs) for method in ("auto", "span", "lbfgs")
        }
    save("fewshot", results)
    table.write()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(run_child(*sys.argv[2:])))
    else:
        main()
