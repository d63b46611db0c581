"""What workers save: ``python benchmarks/cluster.py``, on a LocalCluster of one and two workers.

The same file as in ``benchmarks/scale.py`` is read, checked and encoded, and annotated, by this process alone
and by workers of one thread each; every measurement is a process of its own. ``--page`` writes the table of
``docs/scale.md`` from the last results.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from engine import resampled, scale_page
from engine.measure import RESULTS, child, machine, save
from scale import model_of_the_mouse

WORKERS = (0, 1, 2)


def run_child(path: str, model: str, workers: str) -> dict[str, Any]:
    """Measure one annotation, and how much of it was the pass over the cells."""
    import orthotype as ot

    passed: dict[str, float] = {}

    def told(what: str, done: int, whole: int) -> None:
        passed[what] = time.perf_counter()

    with ExitStack() as stack:
        client = None
        if int(workers):
            from distributed import Client, LocalCluster

            cluster = LocalCluster(n_workers=int(workers), threads_per_worker=1, dashboard_address=":0")
            client = stack.enter_context(Client(stack.enter_context(cluster)))
            client.wait_for_workers(int(workers))
            client.run(__import__, "orthotype.cells.handout")
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=Path(path).parent))
        fitted = ot.load(model)
        start = time.perf_counter()
        labels = fitted.annotate(
            path,
            species="human",
            output=Path(folder) / "labels.parquet",
            max_memory="1GB",
            client=client,
            progress=told,
        )
        seconds = time.perf_counter() - start
        share = labels.obs["orthotype_label"].value_counts().to_dict()
    return {
        "seconds": seconds,
        "pass_seconds": passed["reading cells"] - start,
        "labels": {str(k): int(v) for k, v in sorted(share.items())},
    }


def main() -> None:
    """Measure, and write JSON and the table of the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument(
        "--folder", type=Path, help="where the files go, and stay; by default they are removed"
    )
    parser.add_argument("--formats", nargs="*", default=["h5ad", "zarr"])
    parser.add_argument("--page", action="store_true", help="only write the table of docs/scale.md")
    chosen = parser.parse_args()
    results = json.loads((RESULTS / "cluster.json").read_text()) if chosen.page else measured(chosen)
    scale_page.write_cluster(results)


def measured(chosen: argparse.Namespace) -> dict[str, Any]:
    """Annotate each file with every number of workers."""
    results: dict[str, Any] = {"machine": machine(), "cells": chosen.cells, "rows": []}
    os.environ["ORTHOTYPE_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        model = model_of_the_mouse(folder)
        for kind in chosen.formats:
            path = folder / f"cells{chosen.cells}.{kind}"
            if not path.exists():
                resampled.write(path, chosen.cells)
            for workers in WORKERS:
                row = child(__file__, str(path), str(model), str(workers), threads=1)
                if "error" in row:
                    raise SystemExit(row["error"])
                results["rows"].append({"format": kind, "workers": workers, **row})
                print(kind, workers, row["seconds"], row["pass_seconds"], file=sys.stderr, flush=True)
    for kind in chosen.formats:
        labels = [row.pop("labels") for row in results["rows"] if row["format"] == kind]
        if any(each != labels[0] for each in labels):
            raise SystemExit(f"{kind}: the labels depend on the workers")
    save("cluster", results)
    return results


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(run_child(*sys.argv[2:])))
    else:
        main()
