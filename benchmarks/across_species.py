"""orthotype and other tools on the same cells and the same genes, across species and within one.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/across_species.py
        [--pairs TEXT ...] [--tools NAME ...] [--seeds 3] [--removed] [--resume] [--workers 2] [--threads 1]

``--pairs`` keeps the pairs whose name holds one of the texts. ``--removed`` runs the tools again with each
class taken out of the source in turn, one seed. ``--resume`` runs only what has no row yet. Tools that need
other versions of libraries get an environment of their own with pip, on the first run. Results:
``benchmarks/results/across_species.json``, written after every tool of every pair, renewed for the pairs and
tools of this run and kept for all others, and the tables of ``docs/comparison.md``.
"""

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from engine.measure import machine
from peers.features import problem_of
from peers.page import page
from peers.pairs import Pair, Side, all_pairs
from peers.registry import TOOLS
from peers.running import Outcome, run_jobs
from peers.scoring import FEWEST, score

RESULTS = Path(__file__).parent / "results" / "across_species.json"
PAGE = Path(__file__).parents[1] / "docs" / "comparison.md"
Row = dict[str, Any]


def written(cells: Side, folder: Path) -> str:
    """Return the path of the cells as a file without any label."""
    path = folder / f"{cells.name}-{id(cells)}.h5ad"
    if not path.is_file():
        bare = cells.adata.copy()
        bare.obs = bare.obs[[]]
        bare.uns.clear()
        bare.write_h5ad(path)
    return str(path)


class Task:
    """One pair, whole or without a class of the source, ready for every tool."""

    def __init__(self, pair: Pair, without: str | None, folder: Path) -> None:
        taken = np.zeros(len(pair.source.labels), dtype=bool)
        self.strange: np.ndarray | None = None
        if without is not None:
            taken = pair.removable()[without]
            before = pair.correct(np.unique(pair.source.labels)).any(axis=1)
            after = pair.correct(np.unique(pair.source.labels[~taken])).any(axis=1)
            self.strange = before & ~after
        self.pair, self.without, self.folder = pair, without, folder
        problem = problem_of(pair, ~taken)
        self.classes = np.unique(problem.labels)
        self.n_genes = problem.source.shape[1]
        self.path = folder / f"task{len(list(folder.glob('task*')))}.npz"
        problem.save(self.path)
        self.files = written(pair.source, folder), written(pair.target, folder)

    def job(self, seed: int, folder: Path) -> Row:
        """Return what a child process is told; it never learns the labels of the target."""
        pair = self.pair
        return {
            "problem": str(self.path),
            "answer": str(folder / f"{self.path.stem}-{seed}.npz"),
            "source": self.files[0],
            "target": self.files[1],
            "species": [pair.source.species, pair.target.species],
            "seed": seed,
            "without": self.without,
        }

    def rows(self, tool: str, outcome: Outcome) -> Iterator[Row]:
        """Yield a row for every answer, or one that says why there is none."""
        about = {
            "pair": self.pair.name,
            "group": self.pair.group,
            "target": self.pair.target.name,
            "tool": tool,
            "without": self.without,
            "seed": outcome.job["seed"],
            "genes": self.n_genes,
        }
        if outcome.error is not None:
            yield about | {"row": TOOLS[tool].rows[0], "error": outcome.error}
        facts = {name: outcome.facts.get(name) for name in ("startup", "peak_mb", "versions")}
        for name, answer in zip(TOOLS[tool].rows, outcome.answers, strict=False):
            scores = score(self.pair, self.classes, answer, self.strange)
            yield about | {"row": name, "seconds": answer.seconds} | facts | scores


def joined(old: Row, rows: list[Row], about: Row, *, resumed: bool = False) -> Row:
    """Return the new rows after those of earlier runs that they do not replace, versions apart.

    A run replaces all rows of its pairs and tools; one that was resumed, those of the same class and seed.
    """

    def name(row: Row) -> tuple[Any, ...]:
        each = (row["without"], row["seed"]) if resumed else (row["without"] is None,)
        return row["pair"], row["tool"], *each

    renewed = {name(row) for row in rows}
    versions = dict(old["versions"])
    for row in rows:
        if row.get("versions"):
            versions[row["tool"]] = row["versions"]
    kept = [row for row in old["rows"] if name(row) not in renewed]
    new = [{key: value for key, value in row.items() if key != "versions"} for row in rows]
    pairs = list(dict.fromkeys(row["pair"] for row in [*old["rows"], *rows]))
    tools = list(TOOLS)
    return {
        "machine": about,
        "versions": {tool: versions[tool] for tool in tools if tool in versions},
        "rows": sorted([*kept, *new], key=lambda row: (pairs.index(row["pair"]), tools.index(row["tool"]))),
    }


class Done:
    """The rows so far, on disk; nothing is lost if the run is ended early."""

    def __init__(self, about: Row, *, resumed: bool) -> None:
        self.about, self.lock, self.resumed = about, Lock(), resumed
        rows = [row for row in self.read()["rows"] if "error" not in row] if resumed else []
        self.runs = {(row["pair"], row["tool"], row["without"], row["seed"]) for row in rows}

    def has(self, task: "Task", tool: str, seed: int) -> bool:
        """Return whether a run has its rows already."""
        return (task.pair.name, tool, task.without, seed) in self.runs

    def read(self) -> Row:
        """Return the results so far."""
        return json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"versions": {}, "rows": []}

    def save(self, rows: list[Row]) -> None:
        """Write the results so far and the page."""
        with self.lock:
            RESULTS.write_text(as_text(joined(self.read(), rows, self.about, resumed=self.resumed)))
            if PAGE.is_file():
                text = PAGE.read_text(encoding="utf-8")
                PAGE.write_text(page(text, self.read()), encoding="utf-8")


def whole(pairs: list[Pair], seeds: int) -> Iterator[tuple[list[Task], range]]:
    """Yield the pairs, group by group, with their seeds; where a group has several pairs, one seed."""
    for group in dict.fromkeys(pair.group for pair in pairs):
        here = [pair for pair in pairs if pair.group == group]
        with tempfile.TemporaryDirectory() as folder:
            tasks = [Task(pair, None, Path(folder)) for pair in here]
            yield tasks, range(seeds if len(here) == 1 else 1)


def removed(pairs: list[Pair]) -> Iterator[tuple[list[Task], range]]:
    """Yield the pairs with each class out of the source in turn, where the target has enough cells of it."""
    for pair in pairs:
        with tempfile.TemporaryDirectory() as folder:
            tasks = [Task(pair, name, Path(folder)) for name in pair.removable()]
            tasks = [t for t in tasks if t.strange is not None and t.strange.sum() >= FEWEST]
            if tasks:
                yield tasks, range(1)


def run(tasks: list[Task], tools: list[str], seeds: range, *, workers: int, threads: int, done: Done) -> None:
    """Run tools on tasks, some of them at the same time; each is one process for all its tasks."""

    def one(tool: str) -> None:
        folder = tasks[0].folder / tool
        folder.mkdir()
        used = seeds if TOOLS[tool].random else seeds[:1]
        wanted = [(task, seed) for task in tasks for seed in used if not done.has(task, tool, seed)]
        jobs = [(task, task.job(seed, folder)) for task, seed in wanted]
        if not jobs:
            return
        outcomes = run_jobs(TOOLS[tool], [job for _, job in jobs], folder, threads=threads)
        rows = [
            row for (task, _), found in zip(jobs, outcomes, strict=True) for row in task.rows(tool, found)
        ]
        print("\n".join(told(row) for row in rows), flush=True)
        done.save(rows)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, tools))


def told(row: Row) -> str:
    words = [row["pair"], row["without"] or "-", row["row"], f"seed {row['seed']}"]
    if "error" in row:
        return " | ".join([*words, f"FAILED: {row['error']}"])
    call, unknown = row["call"], row["auroc"] or [np.nan]
    words += [f"{name} {value[0]:.3f}" for name, value in call.items()]
    words += [f"auroc {unknown[0]:.3f}", f"rejected {row['unknown']:.3f}", f"{row['seconds']:.1f} s"]
    return " | ".join([*words, f"{row['peak_mb']:.0f} MB"])


def as_text(results: Row) -> str:
    """Return the results as JSON, a line for every row, numbers with five digits."""
    rows = [json.dumps(rounded(row)) for row in results["rows"]]
    head = json.dumps({"machine": results["machine"], "versions": results["versions"]}, indent=1)
    return head[:-2] + ',\n "rows": [\n' + ",\n".join(rows) + "\n]\n}\n"


def rounded(found: Any) -> Any:
    """Return the same with floats cut to five digits after the point, NaN as None."""
    if isinstance(found, float):
        return None if np.isnan(found) else round(found, 5)
    if isinstance(found, dict):
        return {name: rounded(value) for name, value in found.items()}
    return [rounded(value) for value in found] if isinstance(found, list) else found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", nargs="+", default=[""])
    parser.add_argument("--tools", nargs="+", default=list(TOOLS), choices=list(TOOLS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--removed", action="store_true")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--workers", type=int, default=2, help="tools that run at the same time")
    parser.add_argument("--threads", type=int, default=1, help="threads of each")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    start, about = time.perf_counter(), machine()
    pairs = [pair for pair in all_pairs() if any(text in pair.name for text in options.pairs)]
    about |= {"workers": options.workers, "threads": options.threads}
    done = Done(about, resumed=options.resume)
    parts = [whole(pairs, options.seeds), *([removed(pairs)] if options.removed else [])]
    for tasks, seeds in chain(*parts):
        run(tasks, options.tools, seeds, workers=options.workers, threads=options.threads, done=done)
    print(f"{(time.perf_counter() - start) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
