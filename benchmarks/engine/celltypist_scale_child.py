"""Runs inside CellTypist's own environment: read a file, normalise, annotate with its default settings."""

import json
import resource
import sys
import time
from pathlib import Path


def peak_mb():
    held = next(row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith("VmHWM"))
    return int(held.split()[1]) / 1e3


def main(_, __, path, model_of, most_gb):
    limit = int(float(most_gb) * 1e9)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    import anndata
    import celltypist
    import scanpy as sc

    def ready(where):
        cells = anndata.read_h5ad(where)
        cells.X = cells.X.astype("float32")
        sc.pp.normalize_total(cells, target_sum=1e4)
        sc.pp.log1p(cells)
        return cells

    model = celltypist.train(ready(model_of), labels="cell_ontology_class", n_jobs=2, check_expression=False)
    start, cpu = time.perf_counter(), time.process_time()
    try:
        cells = ready(path)
        celltypist.annotate(cells, model=model)
    except MemoryError as error:
        print(json.dumps({"fails": f"{type(error).__name__} with {most_gb} GB", "peak_mb": peak_mb()}))
        return
    seconds = time.perf_counter() - start
    print(
        json.dumps(
            {
                "seconds": seconds,
                "cpu_seconds": time.process_time() - cpu,
                "peak_mb": peak_mb(),
                "cells": cells.n_obs,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv)
