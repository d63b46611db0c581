"""One measurement is one child process: nothing warmed up by a competitor, memory counted on its own."""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"


def child(script: str, *arguments: str, python: str = sys.executable, threads: int = 2) -> dict[str, Any]:
    """Run ``script --child arguments`` and return its last line of JSON; what went wrong is in "error"."""
    keys = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = os.environ | {key: str(threads) for key in keys}
    done = subprocess.run(
        [python, script, "--child", *arguments], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode != 0:
        return {"error": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no message"}
    return json.loads(done.stdout.strip().splitlines()[-1])


def forget_peak() -> float:
    """Forget the most memory held so far, and return what is held now, in MB."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")
    return peak_mb()


def peak_mb() -> float:
    """Return the most memory that this process has held since it was last forgotten, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        held = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(held.split()[1]) / 1e3
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def timed(function: Callable[[], Any], runs: int) -> tuple[Any, float, list[float]]:
    """Return the last result, the median time in seconds, and all times."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return result, median(times), times


def machine() -> dict[str, Any]:
    """Return what the numbers depend on: processor, memory, versions, linear algebra, kernel."""
    import numpy.linalg  # noqa: F401  shows its BLAS to threadpoolctl
    from threadpoolctl import threadpool_info

    from orthotype._versions import show_versions

    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        model = next(
            (row.split(":")[1].strip() for row in cpuinfo.read_text().splitlines() if "model name" in row),
            model,
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    blas = [
        f"{info['internal_api']} {info['version']} ({info.get('architecture', '?')})"
        for info in threadpool_info()
    ]
    return {
        "cores": os.cpu_count(),
        "processor": model,
        "memory_gb": round(memory, 1),
        "blas": sorted(set(blas)),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": show_versions(),
    }


def save(name: str, results: dict[str, Any]) -> Path:
    """Write results as JSON, sorted, and return the path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    return path
