"""The bundled marrow model, and one fitted with the human cells in view, on human marrow.

``python benchmarks/marrow_model.py COUNTS.h5ad`` takes the counts that ``tools/build_marrow_model.py`` takes.
Human marrow is labelled by the bundled model, which has seen no human cell, and by the same model fitted with
``target=`` these cells, so that genes are chosen in both species (labels of the target are never looked at);
each as the cells are and with the species shift taken off. What fits is the reading of the demo's second
scene. Writes the results and the tables of ``docs/models.md``.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import orthotype as ot
from engine.page import between
from orthotype.cli.demo_marrow import CELLS, MODEL, READING, TYPES
from orthotype.study.reading import calls_by_type, fitting_share

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "marrow_model.json"
PAGE = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
WAYS = {"bundled": "bundled model", "in view": "fitted with these cells in view"}
ALIGNMENTS = {"none": "as they are", "shift": "shift taken off"}


def models(counts: Path, labels: str) -> dict[str, ot.LabelTransfer]:
    """Return the bundled model and one with the human cells in view."""
    sys.path.insert(0, str(ROOT / "tools"))
    from build_marrow_model import read

    human = ot.datasets.get(CELLS)
    fitted = ot.LabelTransfer().fit(
        read(counts, labels), labels="cell_type", species="mouse", target=human, target_species="human"
    )
    return {"bundled": ot.load(MODEL), "in view": fitted}


def rows(found: dict[str, ot.LabelTransfer]) -> list[dict[str, Any]]:
    """Return one row for each model, alignment and kind of cell, and one for all kinds that have a class."""
    human = ot.datasets.get(CELLS)
    result = []
    for way, model in found.items():
        for alignment in ALIGNMENTS:
            predictions = model.label(
                human, species="human", alignment=alignment, unknown="none", n_neighbors=0
            ).predictions.to_frame()
            calls = calls_by_type(human.obs[TYPES], predictions.reset_index(drop=True), reading=READING)
            setting = {"model": way, "alignment": alignment}
            result += [setting | told(call) for call in calls.to_dict("records")]
            result.append(setting | {"type": "all", "fits": round(fitting_share(calls), 4)})
    return result


def told(call: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of one kind of cell."""
    label, cells = call["called"][0]
    return {
        "type": call["type"],
        "cells": call["cells"],
        "fits": round(call["fits"], 4) if call["allowed"] else None,
        "most": label,
        "most_share": round(cells / call["cells"], 4),
        "confidence": round(call["confidence"], 4),
    }


def table(results: list[dict[str, Any]]) -> str:
    """Return the results as two Markdown tables: kinds that have a class, and kinds that have none."""
    by = {(row["model"], row["alignment"], row["type"]): row for row in results}
    ways = [(way, alignment) for way in WAYS for alignment in ALIGNMENTS]
    heads = [f"{WAYS[way]}, {ALIGNMENTS[alignment]}" for way, alignment in ways]

    def lines(kinds: list[str], first: str, cell: Any) -> list[str]:
        body = [f"| {kind} | {' | '.join(cell(by[*way, kind]) for way in ways)} |" for kind in kinds]
        return [f"| {first} | {' | '.join(heads)} |", f"|---|{'---|' * len(ways)}", *body]

    known = [kind for kind, allowed in READING.items() if allowed]
    strangers = [kind for kind, allowed in READING.items() if not allowed]
    fitting = lines(["all", *known], "share that fits", lambda row: f"{row['fits']:.3f}")
    called = lines(
        strangers,
        "called most, mean confidence",
        lambda row: f"{row['most']} {100 * row['most_share']:.0f} %, {row['confidence']:.2f}",
    )
    return "\n".join([*fitting, "", *called])


def page(text: str, results: list[dict[str, Any]]) -> str:
    """Return the page with its tables made anew."""
    return between(text, BEGIN, END, table(results))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the bundled marrow model on human marrow.")
    parser.add_argument("counts", type=Path, help=".h5ad with raw counts and the names of the clusters")
    parser.add_argument(
        "--labels", default="cell_type", help="obs column with the names (default: cell_type)"
    )
    arguments = parser.parse_args()
    results = rows(models(arguments.counts, arguments.labels))
    RESULTS.write_text(json.dumps({"cells": CELLS, "rows": results}, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
