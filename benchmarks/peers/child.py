"""Runs one tool in its own environment over a list of problems, an answer file for each.

Usage: ``python -m peers.child MODULE JOBS STARTED``. A job that fails ends the process; the parent reads why
and starts again with the next.
"""

import json
import sys
import time
from importlib import import_module
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np

from peers.problem import Answer, Problem

NAMED = ("anndata", "celltypist", "harmonypy", "numpy", "orthotype", "pandas", "scanpy", "scikit-learn")
NAMED += ("scipy", "scranpy", "singler", "symphonypy")


def peak_mb() -> float:
    """Return the most memory that this process has held since it was last forgotten, in MB."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(row for row in status if row.startswith("VmHWM")).split()[1]) / 1e3


def versions() -> dict[str, str]:
    found = {str(d.metadata["Name"]).lower(): d.version for d in distributions()}
    return {name: found[name] for name in NAMED if name in found}


def save(path: str, answers: list[Answer], facts: dict[str, Any]) -> None:
    parts = {}
    for place, answer in enumerate(answers):
        for name in ("top", "given"):
            parts[f"{place}_{name}"] = np.asarray(getattr(answer, name)).astype(str)
        for name in ("score", "confidence"):
            parts[f"{place}_{name}"] = np.asarray(getattr(answer, name), dtype=float)
    facts["seconds"] = [answer.seconds for answer in answers]
    np.savez(path, facts=json.dumps(facts), **parts)


def main(module: str, jobs: str, started: str) -> None:
    tool = import_module(f"peers.{module}")
    startup = time.time() - float(started)
    for job in json.loads(Path(jobs).read_text()):
        Path("/proc/self/clear_refs").write_text("5")
        problem = Problem.load(job["problem"])
        answers = tool.run(problem, job)
        save(job["answer"], answers, {"startup": startup, "peak_mb": peak_mb(), "versions": versions()})


if __name__ == "__main__":
    main(*sys.argv[1:])
