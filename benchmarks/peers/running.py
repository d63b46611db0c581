"""Jobs for one tool: a child process in the tool's environment, its answers, and what went wrong."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from peers.environment import HOME, interpreter
from peers.problem import Answer
from peers.registry import Tool

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Outcome:
    """What became of one job: answers with their facts, or the reason why there are none."""

    job: dict[str, Any]
    answers: list[Answer]
    facts: dict[str, Any]
    error: str | None


def run_jobs(tool: Tool, jobs: list[dict[str, Any]], folder: Path, *, threads: int) -> list[Outcome]:
    """Run jobs one after the other; the process is started again after a job that ended it."""
    try:
        python = Path(sys.executable) if tool.home is None else interpreter(tool.home, tool.pins)
    except RuntimeError as error:
        return [Outcome(job, [], {}, str(error)) for job in jobs]
    found: list[Outcome] = []
    while len(found) < len(jobs):
        left = jobs[len(found) :]
        said = launch(python, tool, left, folder, threads)
        for job in left:
            if not Path(job["answer"]).is_file():
                found.append(Outcome(job, [], {}, said))
                break
            found.append(read(job))
    return found


def launch(python: Path, tool: Tool, jobs: list[dict[str, Any]], folder: Path, threads: int) -> str:
    """Run a child process over the jobs, and return the last line of what it complained of."""
    listed = folder / "jobs.json"
    listed.write_text(json.dumps([job | {"options": tool.options, "threads": threads} for job in jobs]))
    done = subprocess.run(
        [python, "-W", "ignore", "-m", "peers.child", tool.module, listed, str(time.time())],
        cwd=HOME,
        env=os.environ | dict.fromkeys(THREADS, str(threads)),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"ended with code {done.returncode} and no message"


def read(job: dict[str, Any]) -> Outcome:
    with np.load(job["answer"], allow_pickle=False) as held:
        facts = json.loads(str(held["facts"]))
        answers = [
            Answer(
                top=held[f"{place}_top"].astype(object),
                given=held[f"{place}_given"].astype(object),
                score=held[f"{place}_score"],
                confidence=held[f"{place}_confidence"],
                seconds=seconds,
            )
            for place, seconds in enumerate(facts["seconds"])
        ]
    return Outcome(job, answers, facts, None)
