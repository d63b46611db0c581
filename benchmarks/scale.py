"""Memory and time from file to labels, by number of cells: ``python benchmarks/scale.py``.

Real human pancreas cells (Baron et al. 2016) drawn with replacement, all their genes, written as ``.h5ad``
(gzip) and ``.zarr`` (version 3) of 10,000 and 100,000 cells; ``--cells`` names other numbers, such as
1,000,000 (about 4 GB a file). Each measurement is a process of its own, and its peak is that of the whole
process, libraries included:

*read*      every chunk of the matrix read and decompressed once, in blocks of cells: the yardstick
*label*     ``model.label(path)``, with a model trained on the mouse: one pass over the file
*annotate*  ``model.annotate(path, output="labels.parquet")``: also groups unknown cells, by all their genes
*train*     ``LabelTransfer().fit(path, ...)``
*in memory* the same annotation and training of cells that were read whole
*CellTypist* read, normalise and annotate the same .h5ad, in its own environment

Rows of an earlier run are kept unless they are measured again; the tables of ``docs/scale.md`` are written
from them (``--page`` writes the tables alone).
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from engine import celltypist_environment, resampled, scale_page
from engine.measure import RESULTS, child, machine, peak_mb, save

LABELS = "cell_ontology_class"
READ_BLOCK = 8192
MOST_CELLTYPIST_GB = 14.0


class Watched:
    """Note the most memory that is not backed by a file, which the system cannot take back."""

    def __enter__(self) -> "Watched":
        self.most, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        status = Path("/proc/self/status")
        while status.exists() and not self._over.wait(0.02):
            held = next((row for row in status.read_text().splitlines() if row.startswith("RssAnon")), "0 0")
            self.most = max(self.most, int(held.split()[1]) / 1e3)


def run_child(kind: str, path: str, model: str, max_memory: str) -> dict[str, Any]:
    """Measure one task, inside its own process."""
    work = {
        "read": read,
        "label": label,
        "annotate": annotate,
        "train": train,
        "annotate in memory": annotate_in_memory,
        "train in memory": train_in_memory,
    }[kind]
    with Watched() as watched:
        start, cpu = time.perf_counter(), time.process_time()
        said = work(path, model, max_memory)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_mb": peak_mb(),
        "peak_anonymous_mb": watched.most,
        **said,
    }


def read(path: str, model: str, max_memory: str) -> dict[str, Any]:
    """Read and decompress every chunk of the matrix, and do nothing with it."""
    import h5py
    import zarr

    X = (zarr.open_group(path, mode="r") if path.endswith(".zarr") else h5py.File(path, "r"))["X"]
    indptr = X["indptr"][:]
    for first in range(0, len(indptr) - 1, READ_BLOCK):
        begin, end = int(indptr[first]), int(indptr[min(first + READ_BLOCK, len(indptr) - 1)])
        X["data"][begin:end]
        X["indices"][begin:end]
    return {"cells": len(indptr) - 1, "values": int(indptr[-1])}


def label(path: str, model: str, max_memory: str) -> dict[str, Any]:
    """Label the cells of a file, and write nothing."""
    import orthotype as ot
    from orthotype.cells.backed import as_cells
    from orthotype.cells.memory import Memory, amount

    cells = as_cells(path, memory=Memory(amount(max_memory)))
    return {"cells": len(ot.load(model).label(cells, species="human").predictions)}


def annotate(path: str, model: str, max_memory: str) -> dict[str, Any]:
    """Label the cells of a file."""
    import orthotype as ot

    with tempfile.TemporaryDirectory(dir=Path(path).parent) as folder:
        output = Path(folder) / "labels.parquet"
        found = ot.load(model).annotate(path, species="human", output=output, max_memory=max_memory)
    return {"cells": found.n_obs}


def annotate_in_memory(path: str, model: str, max_memory: str) -> dict[str, Any]:
    """Read the cells whole and label them."""
    import orthotype as ot

    return {"cells": ot.load(model).annotate(ot.read(path), species="human").n_obs}


def train(path: str, model: str, max_memory: str) -> dict[str, Any]:
    """Train on the cells of a file."""
    import orthotype as ot

    return trained(ot.LabelTransfer().fit(path, labels=LABELS, species="human", max_memory=max_memory))


def train_in_memory(path: str, model: str, max_memory: str) -> dict[str, Any]:
    """Read the cells whole and train on them."""
    import orthotype as ot

    return trained(ot.LabelTransfer().fit(ot.read(path), labels=LABELS, species="human"))


def trained(model: Any) -> dict[str, Any]:
    """Return what tells one model from another."""
    from orthotype.models.store import content_hash

    card = model.card
    return {
        "cells": card["n_cells"],
        "alpha": card["alpha"],
        "held_out_losses": card["held_out_losses"],
        "arrays": content_hash(model.state_.to_arrays(), {}),
    }


def exponent(rows: list[dict[str, Any]]) -> dict[str, float] | None:
    """Return the slope of log time on log cells, over all sizes and between the two largest."""
    done = [row for row in rows if "seconds" in row]
    if len(done) < 2:
        return None
    cells = np.log([row["cells"] for row in done])
    seconds, cpu = (np.log([row[name] for row in done]) for name in ("seconds", "cpu_seconds"))
    return {
        "wall, all sizes": round(float(np.polyfit(cells, seconds, 1)[0]), 3),
        "cpu, all sizes": round(float(np.polyfit(cells, cpu, 1)[0]), 3),
        "cpu": round(float((cpu[-1] - cpu[-2]) / (cells[-1] - cells[-2])), 3),
    }


def model_of_the_mouse(folder: Path) -> Path:
    """Train and keep the model that labels."""
    import orthotype as ot

    path = folder / "mouse.safetensors"
    if not path.exists():
        mouse = ot.datasets.get("baron2016-mouse")
        ot.LabelTransfer().fit(mouse, labels=LABELS, species="mouse").save(path)
    return path


def celltypist(path: Path, folder: Path) -> dict[str, Any]:
    """Annotate the same file with CellTypist."""
    python = celltypist_environment.interpreter()
    if python is None:
        return {"error": "could not be installed"}
    source = folder / "source.h5ad"
    if not source.exists():
        resampled.cells().write_h5ad(source)
    script = Path(__file__).parent / "engine" / "celltypist_scale_child.py"
    return child(str(script), str(path), str(source), str(MOST_CELLTYPIST_GB), python=python)


def earlier() -> dict[str, Any]:
    """Return the results of the last run."""
    path = RESULTS / "scale.json"
    return json.loads(path.read_text()) if path.is_file() else {"tasks": {}}


def measured(results: dict[str, Any], task: str, n_cells: int, row: dict[str, Any]) -> None:
    """Note a measurement in place of an older one, and save."""
    rows = [old for old in results["tasks"].get(task, []) if old["cells"] != n_cells]
    results["tasks"][task] = sorted([*rows, {**row, "cells": n_cells}], key=lambda each: each["cells"])
    results["exponents"] = {task: exponent(rows) for task, rows in results["tasks"].items()}
    results["ratios"] = ratios(results["tasks"])
    save("scale", results)
    print(task, n_cells, row, file=sys.stderr, flush=True)


def main() -> None:
    """Write the files, run every task, write JSON and the tables of the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument(
        "--folder", type=Path, help="where the files go, and stay; by default they are removed"
    )
    parser.add_argument("--formats", nargs="*", default=["h5ad", "zarr"])
    parser.add_argument("--tasks", nargs="+", default=["read", "label", "annotate", "train"])
    parser.add_argument("--in-memory-up-to", type=int, default=100_000)
    parser.add_argument("--celltypist-up-to", type=int, default=1_000_000)
    parser.add_argument("--max-memory", default="1GB")
    parser.add_argument("--page", action="store_true", help="only write the tables of docs/scale.md")
    chosen = parser.parse_args()
    if not chosen.page:
        run(chosen)
    scale_page.write(earlier())


def run(chosen: argparse.Namespace) -> None:
    """Measure everything that was asked for."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        model = model_of_the_mouse(folder)
        results = {**earlier(), "machine": machine(), "max_memory": chosen.max_memory}
        for kind in chosen.formats:
            for n_cells in chosen.cells:
                path = folder / f"cells{n_cells}.{kind}"
                if not path.exists():
                    resampled.write(path, n_cells)
                tasks = list(chosen.tasks)
                if kind == "h5ad" and n_cells <= chosen.in_memory_up_to:
                    tasks += [f"{task} in memory" for task in chosen.tasks if task in ("annotate", "train")]
                for task in tasks:
                    row = child(__file__, task, str(path), str(model), chosen.max_memory)
                    measured(results, f"{task}, {kind}", n_cells, row)
                if kind == "h5ad" and n_cells <= chosen.celltypist_up_to:
                    measured(results, "CellTypist, h5ad", n_cells, celltypist(path, folder))


def ratios(tasks: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, float]]:
    """Return label and annotate over read of the same file, in time and in time of the processors."""
    found: dict[str, dict[str, float]] = {}
    for name, rows in tasks.items():
        task, _, kind = name.partition(", ")
        yards = {row["cells"]: row for row in tasks.get(f"read, {kind}", [])}
        if task in ("label", "annotate"):
            for measure in ("seconds", "cpu_seconds"):
                found[f"{name}, {measure}"] = {
                    str(row["cells"]): round(row[measure] / yards[row["cells"]][measure], 2)
                    for row in rows
                    if measure in row and measure in yards.get(row["cells"], {})
                }
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(run_child(*sys.argv[2:])))
    else:
        main()
