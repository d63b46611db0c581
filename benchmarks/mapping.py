"""Time to bring the gene names of one species to those of another: ``python benchmarks/mapping.py``.

60,010 names as they come in files, 40,000 current symbols, 20,000 names of clones and a few doubled ones, are
identified and projected from human to each other species. Every run is a process of its own, so that
reading the bundled tables is counted; loading Python's packages is not. Median of the runs.
"""

import argparse
import gzip
import json
import sys
from importlib.resources import files
from statistics import median
from time import perf_counter
from typing import Any

from engine import table
from engine.measure import child, forget_peak, machine, peak_mb, save

SPECIES = ("mouse", "rhesus", "cynomolgus", "pig")


def run_child(species: str) -> dict[str, Any]:
    """Time the mapping of all names to one species."""
    import scipy.sparse  # noqa: F401  loaded before the clock starts

    from orthotype.genes import OrthologMap, identify

    data = files("orthotype.genes") / "data" / "genes_human.tsv.gz"
    lines = gzip.decompress(data.read_bytes()).decode().splitlines()
    genes = [line.split("\t")[1] for line in lines if line.startswith("ENSG")]
    names = ["CD34", "MARCH1"] * 5 + [f"RP11-{n}.1" for n in range(20_000)]
    names += [symbol for symbol in genes if symbol][:40_000]
    before = forget_peak()
    start = perf_counter()
    projection = OrthologMap("human", species).projection(identify(names))
    seconds = perf_counter() - start
    return {
        "names": len(names),
        "seconds": seconds,
        "extra_mb": peak_mb() - before,
        "mapped": int(projection.nnz),
    }


def measured(species: str, runs: int) -> dict[str, Any]:
    """Return the run of median time, with the times of all."""
    found = [child(__file__, species) for _ in range(runs)]
    failed = [run for run in found if "error" in run]
    if failed:
        return failed[0]
    times = [run["seconds"] for run in found]
    return found[0] | {"seconds": median(times), "times": times}


def main() -> None:
    """Run every species, write JSON and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one run each instead of five")
    runs = 1 if parser.parse_args().quick else 5
    results = {"machine": machine(), "runs": runs}
    results["species"] = {species: measured(species, runs) for species in SPECIES}
    save("mapping", results)
    table.write()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(run_child(*sys.argv[2:])))
    else:
        main()
