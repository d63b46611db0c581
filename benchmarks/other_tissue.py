"""Models put to cells of another tissue, and of their own: kinship, and how many come back unknown.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/other_tissue.py

The bundled mouse marrow model and models of Baron's pancreas (mouse, human), of mouse marrow (Paul) and of
two human lungs label the cells of all other data sets, at most 2,000 of each, with the defaults. Some classes
are found in more than one tissue (macrophages, endothelium, T cells): cells of a type whose name the model
has are counted apart. The same is asked of 300, of 100 and of 50 cells, drawn three times. Results:
``benchmarks/results/other_tissue.json`` and the table of ``docs/alignment.md``.
"""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import orthotype as ot
from alignment import PAGE, Pair, Side, baron, development, fit
from engine.page import between

RESULTS = Path(__file__).parent / "results" / "other_tissue.json"
BEGIN, END = "<!-- made by benchmarks/other_tissue.py -->", "<!-- end: other tissue -->"
MOST_CELLS = 2000
FEW, N_DRAWS = (300, 100, 50), 3
TISSUES = {
    "Baron mouse": "pancreas",
    "Baron human": "pancreas",
    "Paul mouse": "marrow",
    "Setty human": "marrow",
    "van Galen human": "marrow",
    "Tabula Sapiens": "lung",
    "LCA": "lung",
}
SOURCES = ("Baron mouse", "Baron human", "Paul mouse", "Tabula Sapiens", "LCA")


def sides(folder: str) -> dict[str, Side]:
    """Return the data sets, each once."""
    pairs = {pair.name: pair for pair in [*baron(), *development(folder)]}
    lung = pairs["Tabula Sapiens to LCA lung"]
    return {
        "Baron mouse": pairs["Baron mouse to human"].source,
        "Baron human": pairs["Baron mouse to human"].target,
        "Paul mouse": pairs["Paul to Setty"].source,
        "Setty human": pairs["Paul to Setty"].target,
        "van Galen human": pairs["Paul to van Galen"].target,
        "Tabula Sapiens": lung.source,
        "LCA": lung.target,
    }


def fewer(cells: Side) -> Side:
    """Return at most so many cells, drawn once."""
    n = cells.adata.n_obs
    return cells.take(np.sort(np.random.default_rng(0).permutation(n)[:MOST_CELLS]))


def models(cells: dict[str, Side]) -> Iterator[tuple[str, str, Any]]:
    """Yield models with their names and tissues."""
    yield "bundled mouse marrow", "marrow", ot.load("mouse-marrow")
    for name in SOURCES:
        yield name, TISSUES[name], fit(Pair(name, cells[name], cells[name]), genes="file", seed=0)


def row(name: str, model: Any, where: str, cells: Side) -> dict[str, Any]:
    """Label cells of another tissue."""
    found = model.label(cells.adata, species=cells.species)
    unknown = found.predictions.status == "unknown"
    named = np.isin(cells.labels, model.state_.classes.astype(str))
    share = {"all": unknown, "named": unknown[named], "other": unknown[~named]}
    return {
        "model": name,
        "cells": where,
        "n_named": int(named.sum()),
        "n": len(named),
        "kinship": round(found.kinship.whole, 3),
        "unknown": {part: round(float(np.mean(x)), 3) if len(x) else None for part, x in share.items()},
        "few": {n: round(unknown_of_few(model, cells, n), 3) for n in FEW},
    }


def unknown_of_few(model: Any, cells: Side, n: int) -> float:
    """Return the share of unknown cells where there are only so many, as the mean over draws."""
    rng, found = np.random.default_rng(0), []
    for _ in range(N_DRAWS):
        some = cells.take(np.sort(rng.permutation(len(cells.labels))[:n]))
        said = model.label(some.adata, species=some.species).predictions
        found.append(np.mean(said.status == "unknown"))
    return float(np.mean(found))


def table(rows: list[dict[str, Any]]) -> str:
    """Return the shares of unknown cells as a Markdown table."""
    lines = [
        "| model | cells | tissue | kinship | unknown | types it lacks | whose name it has (cells) "
        f"| {' | '.join(f'unknown, of {n} cells' for n in FEW)} |",
        "|---" * (7 + len(FEW)) + "|",
    ]
    for each in sorted(rows, key=lambda row: (row["tissue"], -row["kinship"])):
        said = each["unknown"]
        named = "-" if said["named"] is None else f"{said['named']:.2f} ({each['n_named']:,})"
        other = "-" if said["other"] is None else f"{said['other']:.2f}"
        about = f"{each['model']} | {each['cells']} | {each['tissue']} | {each['kinship']:.2f}"
        few = " | ".join(f"{share:.2f}" for share in each["few"].values())
        lines.append(f"| {about} | {said['all']:.2f} | {other} | {named} | {few} |")
    return "\n".join(lines)


def page(text: str, rows: list[dict[str, Any]]) -> str:
    """Return the page with its table made anew."""
    return between(text, BEGIN, END, table(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.parse_args()
    folder = os.environ.get("ORTHOTYPE_REAL_DATA")
    if folder is None:
        sys.exit("ORTHOTYPE_REAL_DATA names no folder with the development data; nothing was measured")
    warnings.simplefilter("ignore")
    cells = sides(folder)
    rows = []
    for name, tissue, model in models(cells):
        for where, other in cells.items():
            if where != name:
                kind = "the same" if TISSUES[where] == tissue else "another"
                rows.append({"tissue": kind, **row(name, model, where, fewer(other))})
                print(rows[-1], flush=True)
    RESULTS.write_text(json.dumps({"rows": rows}, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")


if __name__ == "__main__":
    main()
