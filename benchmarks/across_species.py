"""orthotype and other tools on the same cells and the same genes, across species and within one.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/across_species.py
        [--pairs TEXT ...] [--tools NAME ...] [--seeds 3] [--removed] [--workers 2] [--threads 1]

``--pairs`` keeps the pairs whose name holds one of the texts. ``--removed`` runs the quick tools again with
each class taken out of the source in turn. Tools that need other versions of libraries get an environment of
their own with pip, on the first run. Results: ``benchmarks/results/across_species.json``, renewed for the
pairs and tools of this run and kept for all others, and the tables of ``docs/comparison.md``.
"""

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
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
            yield [t for t in tasks if t.strange is not None and t.strange.sum() >= FEWEST], range(1)


def run(tasks: list[Task], tools: list[str], seeds: range, *, workers: int, threads: int) -> list[Row]:
    """Run tools on tasks, some of them at the same time; each is one process for all its tasks."""

    def one(tool: str) -> list[Row]:
        folder = tasks[0].folder / tool
        folder.mkdir()
        used = seeds if TOOLS[tool].random else seeds[:1]
        jobs = [(task, task.job(seed, folder)) for task in tasks for seed in used]
        outcomes = run_jobs(TOOLS[tool], [job for _, job in jobs], folder, threads=threads)
        rows = [
            row for (task, _), found in zip(jobs, outcomes, strict=True) for row in task.rows(tool, found)
        ]
        print("\n".join(told(row) for row in rows), flush=True)
        return rows

    with ThreadPoolExecutor(workers) as pool:
        return [row for rows in pool.map(one, tools) for row in rows]


def told(row: Row) -> str:
    words = [row["pair"], row["without"] or "-", row["row"], f"seed {row['seed']}"]
    if "error" in row:
        return " | ".join([*words, f"FAILED: {row['error']}"])
    call, unknown = row["call"], row["auroc"] or [np.nan]
    words += [f"{name} {value[0]:.3f}" for name, value in call.items()]
    words += [f"auroc {unknown[0]:.3f}", f"rejected {row['unknown']:.3f}", f"{row['seconds']:.1f} s"]
    return " | ".join([*words, f"{row['peak_mb']:.0f} MB"])


def joined(old: Row, rows: list[Row], about: Row) -> Row:
    """Return the new rows after those of earlier runs that they do not replace, versions apart."""

    def name(row: Row) -> tuple[Any, ...]:
        return row["pair"], row["tool"], row["without"] is None

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


def save(rows: list[Row], about: Row) -> None:
    """Write the results so far and the page; nothing is lost if the run is ended early."""
    old = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"versions": {}, "rows": []}
    results = joined(old, rows, about)
    RESULTS.write_text(as_text(results))
    if PAGE.is_file():
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(page(text, json.loads(RESULTS.read_text())), encoding="utf-8")


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
    parser.add_argument("--workers", type=int, default=2, help="tools that run at the same time")
    parser.add_argument("--threads", type=int, default=1, help="threads of each")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    start, about = time.perf_counter(), machine()
    pairs = [pair for pair in all_pairs() if any(text in pair.name for text in options.pairs)]
    quick = [name for name in options.tools if TOOLS[name].quick]
    about |= {"workers": options.workers, "threads": options.threads}
    rows: list[Row] = []
    for tasks, seeds in whole(pairs, options.seeds):
        rows += run(tasks, options.tools, seeds, workers=options.workers, threads=options.threads)
        save(rows, about)
    for tasks, seeds in removed(pairs) if options.removed else ():
        if tasks:
            rows += run(tasks, quick, seeds, workers=options.workers, threads=options.threads)
            save(rows, about)
    print(f"{(time.perf_counter() - start) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
