"""The tables of docs/scale.md, written between its markers from the results and nothing else."""

from pathlib import Path
from typing import Any

from engine.page import between

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
BEGIN, END = "<!-- {name}: written by benchmarks/{by}.py -->", "<!-- end of {name} -->"
ATLAS = 100_000_000
ENOUGH = 1_000_000  # cells; below, what does not grow with them has too large a part


def write(results: dict[str, Any]) -> None:
    """Put the tables into the page."""
    PAGE.write_text(page(PAGE.read_text(), results))


def write_cluster(results: dict[str, Any]) -> None:
    """Put the table of a cluster into the page."""
    PAGE.write_text(_filled(PAGE.read_text(), {"cluster": _cluster(results)}))


def page(text: str, results: dict[str, Any]) -> str:
    """Return the page with the tables of the results."""
    return _filled(text, {"measured": _measured(results), "atlas": _atlas(results)})


def _filled(text: str, tables: dict[str, str]) -> str:
    for name, table in tables.items():
        by = "cluster" if name == "cluster" else "scale"
        text = between(text, BEGIN.format(name=name, by=by), END.format(name=name), f"\n{table}")
    return text


def _rows(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def _measured(results: dict[str, Any]) -> str:
    rows = []
    for task, measurements in results["tasks"].items():
        for row in measurements:
            if "seconds" not in row:
                said = row.get("fails") or row.get("error", "not run")
                rows.append([task, f"{row['cells']:,}", said, "", "", ""])
                continue
            ratio = results["ratios"].get(f"{task}, seconds", {}).get(str(row["cells"]))
            rows.append(
                [
                    task,
                    f"{row['cells']:,}",
                    f"{row['seconds']:,.0f}",
                    f"{row['cpu_seconds']:,.0f}",
                    "" if ratio is None else f"{ratio:.1f}",
                    f"{row['peak_mb']:,.0f}",
                ]
            )
    head = ["task", "cells", "seconds", "processor seconds", "times reading", "peak MB"]
    exponents = ", ".join(
        f"{task} {found['cpu']:.2f}" for task, found in results["exponents"].items() if found is not None
    )
    machine = results["machine"]
    return (
        f"{_rows(head, rows)}\n"
        f"Processor seconds grow with this power of the number of cells, from the two largest sizes: "
        f"{exponents}.\n\n"
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, shared with other "
        f'work (load {machine["load_before"]}); `max_memory="{results["max_memory"]}"`.\n'
    )


def _atlas(results: dict[str, Any]) -> str:
    """Work out from the two largest sizes what 100 million cells would take."""
    rows = []
    for task, measurements in results["tasks"].items():
        done = [row for row in measurements if "seconds" in row]
        if len(done) < 2 or done[-1]["cells"] < ENOUGH:
            continue
        small, large = done[-2:]
        more = large["cells"] - small["cells"]
        each = (large["cpu_seconds"] - small["cpu_seconds"]) / more
        memory = (large["peak_mb"] - small["peak_mb"]) / more
        rows.append(
            [
                task,
                f"{1e6 * each:.0f} µs",
                f"{1e3 * memory:.2f} kB",
                f"{ATLAS * each / 3600:,.1f}",
            ]
        )
    head = ["task", "processor time a cell", "memory a cell", "processor hours for 100 million cells"]
    return _rows(head, rows)


def _cluster(results: dict[str, Any]) -> str:
    """Say how long a pass and an annotation take with each number of workers."""
    rows = []
    for row in results["rows"]:
        one = next(
            (
                other
                for other in results["rows"]
                if (other["format"], other["workers"]) == (row["format"], min(row["workers"], 1))
            ),
            row,
        )
        rows.append(
            [
                row["format"],
                str(row["workers"] or "none"),
                f"{row['pass_seconds']:.0f}",
                f"{one['pass_seconds'] / row['pass_seconds']:.2f}" if row["workers"] > 1 else "",
                f"{row['seconds']:.0f}",
                f"{one['seconds'] / row['seconds']:.2f}" if row["workers"] > 1 else "",
            ]
        )
    head = ["format", "workers", "seconds of the pass", "times faster", "seconds in all", "times faster"]
    machine = results["machine"]
    return (
        f"{_rows(head, rows)}\n"
        f"{results['cells']:,} cells, one thread for each process; {machine['processor']}, "
        f"{machine['cores']} cores, load {machine['load_before']} before.\n"
    )
