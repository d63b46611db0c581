"""Cells a second from raw counts to labels: ``python benchmarks/predict.py``.

The fused sweep, its scipy twin, CellTypist's annotate and merely reading the arrays once: the median of five
runs, real cells repeated to the wanted number. Everyone gets cells with all their genes and a model of 2,000
of them; CellTypist gets them normalised beforehand, and fewer, since its memory grows with their number.
*predict* is the whole of ``LabelTransfer.predict`` with a model trained on the mouse, without alignment and
neighbours: checks of every value, names of genes and species, orthologs, five models of 13 classes.
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
from engine.problems import Problem, chosen_genes, counts, normalised, split
from solver import save_problem

PLAIN: dict[str, Any] = {"alignment": "none", "unknown": "none", "n_neighbors": 0}
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
    X = repeated(counts("baron")[0], int(cells))
    if kind == "predict":
        return _predict(X, int(runs))
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


def repeated(X: Any, cells: int) -> csr_array:
    """Return the cells over and over, up to a number of them."""
    return csr_array(vstack([X] * -(-cells // X.shape[0]), format="csr")[:cells])


def _predict(X: csr_array, runs: int) -> dict[str, Any]:
    """Time LabelTransfer.predict, from an AnnData of human counts, with a model trained on the mouse."""
    import anndata
    from scipy.sparse import csr_matrix

    import orthotype as ot

    model = ot.LabelTransfer().fit(ot.datasets.get("baron2016-mouse"), labels="cell_type", species="mouse")
    cells = anndata.AnnData(csr_matrix(X), var=ot.datasets.get("baron2016-human").var)
    before = forget_peak()
    _, seconds, times = timed(lambda: model.predict(cells, species="human", **PLAIN), runs)
    return {"seconds": seconds, "times": times, "cells": X.shape[0], "extra_mb": peak_mb() - before}


def view(X: Any, start: int, stop: int) -> Any:
    """Return some rows of a matrix without copying them, as a reader of blocks would hand them over."""
    first, last = X.indptr[start], X.indptr[stop]
    parts = (X.data[first:last], X.indices[first:last], X.indptr[start : stop + 1] - first)
    return csr_array(parts, shape=(stop - start, X.shape[1]), copy=False)


def run_celltypist(cells: int, runs: int) -> dict[str, Any]:
    """Time CellTypist's annotate on cells normalised beforehand, with a model of 2,000 genes."""
    python = celltypist_environment.interpreter()
    if python is None:
        return {"error": "could not be installed"}
    X, labels = counts("baron")
    X, y = normalised(X), np.unique(labels, return_inverse=True)[1]
    train, test = split(len(y))
    genes = chosen_genes(X[train], 2000)
    order = np.concatenate([genes, np.setdiff1d(np.arange(X.shape[1]), genes)])
    tested = repeated(csr_array(X[test][:, order]), cells)
    data = Problem("baron", "", X[train][:, genes], y[train], tested, np.resize(y[test], cells), 0.0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.npz"
        save_problem(data, path, test_genes=np.arange(X.shape[1]))
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
            entry["CellTypist annotate"] = run_celltypist(min(chosen.cells, 20_000), runs)
        if "models" in setting:
            entry["predict"] = child(__file__, "predict", setting, str(chosen.cells), str(runs))
        results["settings"][setting] = entry
    save("predict", results)
    table.write()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(run_child(*sys.argv[2:])))
    else:
        main()
