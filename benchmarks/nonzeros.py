"""Time of training against the number of stored values: ``python benchmarks/nonzeros.py``.

The cells of the bundled human pancreas, repeated to 1 to 200 million stored values on 2,000 genes, and a
fixed number of iterations of the solver on them, so that only the cost of a pass differs. The exponent is the
slope of log time over log stored values; 1 is linear. Median of five runs, one process for each size.
"""

import argparse
import json
import sys
from typing import Any

import numpy as np
from scipy.sparse import csr_array, vstack

from engine import table
from engine.measure import child, forget_peak, machine, peak_mb, save, timed
from engine.peers import quietly
from engine.problems import problem

MILLIONS = (1, 3, 10, 30, 100, 200)
ITERATIONS = 10


def run_child(millions: str, runs: str) -> dict[str, Any]:
    """Time the iterations on one size."""
    from orthotype.models.linear import solve

    data = problem("baron")
    per_cell = data.X.nnz / data.X.shape[0]
    cells = int(float(millions) * 1e6 / per_cell)
    repeats = -(-cells // data.X.shape[0])
    X = csr_array(vstack([data.X] * repeats, format="csr")[:cells])
    y = np.tile(data.y, repeats)[:cells]
    keys = {"n_classes": data.classes, "alpha": data.alpha, "tol": 1e-12, "max_iter": ITERATIONS}
    fit = lambda *_: solve(X, y, method="lbfgs", **keys)  # noqa: E731
    before = forget_peak()
    quietly(fit, data, 0)
    extra = peak_mb() - before
    _, seconds, times = timed(lambda: quietly(fit, data, 0), int(runs))
    return {"seconds": seconds, "times": times, "nonzeros": X.nnz, "cells": cells, "extra_mb": extra}


def exponent(sizes: list[dict[str, Any]]) -> float:
    """Return the slope of log time over log stored values."""
    nonzeros = np.log([size["nonzeros"] for size in sizes])
    seconds = np.log([size["seconds"] for size in sizes])
    return float(np.polyfit(nonzeros, seconds, 1)[0])


def main() -> None:
    """Run every size, write JSON and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one run each instead of five")
    runs = 1 if parser.parse_args().quick else 5
    sizes = [child(__file__, str(size), str(runs)) for size in MILLIONS]
    results = {"machine": machine(), "runs": runs, "iterations": ITERATIONS, "sizes": sizes}
    save("nonzeros", results | {"exponent": exponent(sizes)})
    table.write()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(run_child(*sys.argv[2:])))
    else:
        main()
