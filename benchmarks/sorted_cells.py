"""Sorted populations: the cells of one type, or of two, as the whole target.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/sorted_cells.py [--page]

Baron's pancreas mouse to human and back and, with the development data, two studies of human lung both ways.
Every class that the source has and of which the target has 25 cells is a target by itself, and so are any two
of the five largest. Results: ``benchmarks/results/sorted_cells.json`` and a table of ``docs/alignment.md``.
"""

import os
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any, Final

import numpy as np

from alignment import PAGE, Pair, baron, development, fit
from engine.page import between, command

RESULTS = Path(__file__).parent / "results" / "sorted_cells.json"
BEGIN, END = "<!-- made by benchmarks/sorted_cells.py -->", "<!-- end: sorted cells -->"
FEWEST, LARGEST = 25, 5
NAMES: Final = (
    "Baron mouse to human",
    "Baron human to mouse",
    "Tabula Sapiens to LCA lung",
    "LCA to Tabula Sapiens lung",
)
PLAIN: Final = {"alignment": "none", "unknown": "none", "n_neighbors": 0}


def pairs(folder: str | None) -> Iterator[Pair]:
    """Yield the pairs whose classes have the same names."""
    for pair in [*baron(), *(development(folder) if folder else ())]:
        if pair.name in NAMES:
            yield pair


def measured(pair: Pair) -> Iterator[dict[str, Any]]:
    """Yield how the cells of every class, and of every two, are called where there are no others."""
    model = fit(pair, genes="file", seed=0)
    names, sizes = np.unique(pair.target.labels, return_counts=True)
    meant = (sizes >= FEWEST) & np.isin(names, model.state_.classes.astype(str))
    names = names[meant][np.argsort(-sizes[meant], kind="stable")]
    for some in [*combinations(names, 1), *combinations(names[:LARGEST], 2)]:
        cells = pair.target.take(np.isin(pair.target.labels, some))
        row = {"pair": pair.name, "types": [str(name) for name in some], "cells": len(cells.labels)}
        for way, asked in (("plain", PLAIN), ("aligned", {})):
            said = model.label(cells.adata, species=cells.species, **asked).predictions
            right = said.classes[said.winner] == cells.labels
            row[way] = float(np.mean([right[cells.labels == name].mean() for name in some]))
        yield row | {"unknown": float((said.status == "unknown").mean())}


def table(rows: list[dict[str, Any]]) -> str:
    """Return the means over targets, and the worst, as a Markdown table."""
    lines = [
        "| pair | sorted | targets | called right: without alignment | with | the worst: without | with "
        "| unknown | of the worst |",
        "|---" * 9 + "|",
    ]
    for name, (n, words) in product(NAMES, ((1, "one type"), (2, "two types"))):
        here = [row for row in rows if row["pair"] == name and len(row["types"]) == n]
        if here:
            plain, aligned, lost = (np.array([r[k] for r in here]) for k in ("plain", "aligned", "unknown"))
            values = (plain.mean(), aligned.mean(), plain.min(), aligned.min(), lost.mean(), lost.max())
            lines.append(f"| {name} | {words} | {len(here)} | {' | '.join(f'{v:.3f}' for v in values)} |")
    return "\n".join(lines)


def page(text: str, rows: list[dict[str, Any]]) -> str:
    """Return the page with its table made anew."""
    return between(text, BEGIN, END, table(rows))


def every() -> Iterator[dict[str, Any]]:
    """Yield the rows of all pairs."""
    for pair in pairs(os.environ.get("ORTHOTYPE_REAL_DATA")):
        yield from measured(pair)


def main() -> None:
    command(__doc__, every, results=RESULTS, path=PAGE, page=page)


if __name__ == "__main__":
    main()
