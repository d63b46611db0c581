"""Targets of few cells: what alignment gains, and how many known cells come back unknown.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/few_cells.py [--page]

The pairs of ``benchmarks/alignment.py`` without those of donors, labelled from the model file: 50, 100, 300
and 1,000 cells of the target, drawn at random twenty times, without alignment and with the defaults. Results:
``benchmarks/results/few_cells.json`` and a table of ``docs/alignment.md``.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from alignment import PAGE, Pair, baron, development, fit
from engine.page import between, command
from sorted_cells import PLAIN

RESULTS = Path(__file__).parent / "results" / "few_cells.json"
BEGIN, END = "<!-- made by benchmarks/few_cells.py -->", "<!-- end: few cells -->"
DONORS: Final = [f"Baron human{one} to human{other}" for one, other in permutations(range(1, 5), 2)]
SIZES, N_DRAWS = (50, 100, 300, 1000), 20


def pairs(folder: str | None) -> Iterator[Pair]:
    """Yield the pairs of whole data sets."""
    for pair in [*baron(), *(development(folder) if folder else ())]:
        if pair.name not in DONORS:
            yield pair


def drawn(pair: Pair) -> Iterator[Pair]:
    """Yield the pair with few cells of its target."""
    rng = np.random.default_rng(0)
    for n in SIZES:
        for _ in range(N_DRAWS):
            rows = np.sort(rng.permutation(len(pair.target.labels))[:n])
            yield replace(pair, target=pair.target.take(rows))


def measured(folder: str | None) -> Iterator[dict[str, Any]]:
    """Yield what is right without alignment and with it, and what is unknown, of every draw."""
    for pair in pairs(folder):
        model = fit(pair, genes="file", seed=0)
        classes = model.state_.classes.astype(str)
        for some in drawn(pair):
            correct = some.correct(classes)
            known = correct.any(axis=1)
            row: dict[str, Any] = {"pair": pair.name, "cells": len(known)}
            for way, asked in (("plain", PLAIN), ("aligned", {})):
                found = model.label(some.target.adata, species=some.target.species, **asked)
                said = found.predictions
                right = correct[np.arange(len(known)), said.winner]
                row[way] = float(right[known].mean())
            row["foreign"] = bool(found.kinship.foreign)
            row["unknown"] = float((said.status == "unknown")[known].mean())
            yield row
        print(pair.name, flush=True)


def table(rows: list[dict[str, Any]]) -> str:
    """Return the means over draws as a Markdown table."""
    lines = [
        "| pair | cells | called right: without alignment | with | the worst tenth of draws loses "
        "| held foreign | known cells that come back unknown |",
        "|---" * 7 + "|",
    ]
    for (pair, n), here in pd.DataFrame(rows).groupby(["pair", "cells"], sort=False):
        lost = (here["plain"] - here["aligned"]).quantile(0.9)
        said = [here["plain"].mean(), here["aligned"].mean(), max(lost, 0.0)]
        shares = [f"{here[what].mean():.2f}" for what in ("foreign", "unknown")]
        lines.append(f"| {pair} | {n:,} | {' | '.join([*(f'{x:.3f}' for x in said), *shares])} |")
    return "\n".join(lines)


def page(text: str, rows: list[dict[str, Any]]) -> str:
    """Return the page with its table made anew."""
    return between(text, BEGIN, END, table(rows))


def main() -> None:
    folder = os.environ.get("ORTHOTYPE_REAL_DATA")
    command(__doc__, lambda: measured(folder), results=RESULTS, path=PAGE, page=page)


if __name__ == "__main__":
    main()
