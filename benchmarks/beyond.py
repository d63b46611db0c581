"""What may be said beyond one label per cell: proposed types, roll-up, prediction sets.

Usage::

    python benchmarks/beyond.py [--seeds 5]

Baron mouse and human pancreas both ways (bundled), genes chosen in both data sets, labels as a user gets
them. *Proposed types*: which group holds most cells of each type that the source lacks, and how pure it is.
*Roll-up*: how many labels at level 0.9 are right, a parent being right if the true type is a kind of it.
*Sets*: a number of cells of every class are labelled and calibrate the model; the sets of all other cells of
these classes are counted. Target labels only score, but for the calibration cells. Results:
``benchmarks/results/beyond.json`` and the tables of ``docs/unknown.md``.
"""

import argparse
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

import orthotype as ot
from engine.measure import machine
from engine.page import between
from orthotype.lineage import CellOntology
from orthotype.models.conformal import BETWEEN

RESULTS = Path(__file__).parent / "results" / "beyond.json"
PAGE = Path(__file__).parents[1] / "docs" / "unknown.md"
BEGIN, END = "<!-- made by benchmarks/beyond.py: {} -->", "<!-- end: {} -->"
LABELS, FEWEST = "cell_ontology_class", 10
DESIGNS = ((0.9, 10), (0.9, 20), (0.9, 40), (0.95, 20), (0.95, 40))  # coverage, labelled cells a class
GROUPED = ("in one group", "purity of the group", "markers")
HELD = ("held, mean over classes", "worst class", "of these in a set", "sets of one of these")
Row = dict[str, Any]


def pairs() -> Iterator[tuple[str, AnnData, AnnData]]:
    mouse, human = (ot.datasets.get(f"baron2016-{name}") for name in ("mouse", "human"))
    yield "mouse to human", mouse, human
    yield "human to mouse", human, mouse


def run(seeds: int) -> dict[str, list[Row]]:
    """Return the rows of the three tables."""
    found: dict[str, list[Row]] = {"proposals": [], "rollup": [], "sets": []}
    for name, source, target in pairs():
        species, other = name.split(" to ")
        for seed in range(seeds):
            model = ot.LabelTransfer(random_state=seed).fit(
                source, labels=LABELS, species=species, target=target, target_species=other
            )
            annotated = model.annotate(target, species=other)
            about = {"pair": name, "seed": seed}
            found["proposals"] += [about | row for row in proposals(model, annotated)]
            found["rollup"].append(about | rollup(model, annotated))
            for design in DESIGNS:
                found["sets"].append(about | sets(model, target, other, design, seed))
    return found


def proposals(model: ot.LabelTransfer, cells: AnnData) -> Iterator[Row]:
    """Yield, for every type that the source lacks, the group that holds most of its cells."""
    true = cells.obs[LABELS].astype(str).to_numpy()
    group = cells.obs["orthotype_group"].astype(object).fillna("").to_numpy().astype(str)
    table = ot.propose_types(cells).groups
    for name, size in pd.Series(true[~np.isin(true, model.card["classes"])]).value_counts().items():
        held = pd.Series(group[true == name])
        counts = held[held.isin(table.index)].value_counts()
        row = {"type": str(name), "cells": int(size), "unknown": float((held != "").mean())}
        if size >= FEWEST and len(counts):
            best = str(counts.index[0])
            row |= {
                "group": best,
                "complete": float(counts.iloc[0] / size),
                "purity": float((true[group == best] == name).mean()),
                "probably": str(table.loc[best, "probably"]),
                "markers": str(table.loc[best, "markers"]),
            }
        yield row


def rollup(model: ot.LabelTransfer, cells: AnnData) -> Row:
    """Return how many labels are right as they are and rolled up, over types that the source has."""
    true = cells.obs[LABELS].astype(str).to_numpy()
    known = np.isin(true, model.card["classes"])
    table = ot.roll_up(cells)[known]
    ontology, status = CellOntology.bundled(), table["status"].astype(str)
    ids = {name: ontology.find(name) or "" for name in set(true)}
    right = np.array(
        [
            label == name or (term != "" and ids[name] != "" and term in ontology.ancestors(ids[name]))
            for label, term, name in zip(table["label"], table["ontology_term_id"], true[known], strict=True)
        ]
    )
    rolled, leaf = (status == "rolled up").to_numpy(), (status == "assigned").to_numpy()
    nearest = (table["most_probable"] == true[known]).to_numpy()
    return {
        "cells": int(known.sum()),
        "assigned": int(leaf.sum()),
        "assigned_right": float(right[leaf].mean()),
        "rolled": int(rolled.sum()),
        "rolled_right": float(right[rolled].mean()),
        "rolled_leaf_right": float(nearest[rolled].mean()),
        "undecided": int((status == "undecided").sum()),
    }


def sets(model: ot.LabelTransfer, target: AnnData, species: str, design: tuple[float, int], seed: int) -> Row:
    """Return how often sets hold the class, classes counting alike, and how many calibrated ones."""
    coverage, n = design
    rng = np.random.default_rng(seed)
    true = target.obs[LABELS].astype(str).to_numpy()
    sizes = pd.Series(true[np.isin(true, model.card["classes"])]).value_counts()
    used = [str(name) for name, size in sizes.items() if size >= n + FEWEST]
    few = np.concatenate([rng.permutation(np.flatnonzero(true == name))[:n] for name in used])
    cells = target.copy()
    cells.obs["checked"] = pd.Series(true[few], index=target.obs_names[few]).reindex(target.obs_names)
    calibrated = model.calibrate(cells, labels="checked", species=species, coverage=coverage)
    held = calibrated.annotate(target, species=species).obs["orthotype_set"].astype(str)
    held = held.str.split(BETWEEN, regex=False)
    rest = np.isin(true, used)
    rest[few] = False
    inside = np.array([name in names for name, names in zip(true, held, strict=True)])
    sizes_of_sets = np.array([len(set(names) & set(used)) for names in held])[rest]
    by_class = [float(inside[rest & (true == name)].mean()) for name in used]
    return {
        "per_class": n,
        "coverage": coverage,
        "classes": len(used),
        "covered": float(np.mean(by_class)),
        "lowest": min(by_class),
        "size": float(sizes_of_sets.mean()),
        "single": float((sizes_of_sets == 1).mean()),
    }


def spread(values: "pd.Series[float]", digits: int = 2) -> str:
    """Write a mean with its range over seeds."""
    low, high = f"{values.min():.{digits}f}", f"{values.max():.{digits}f}"
    mean = f"{values.mean():.{digits}f}"
    return mean if low == high else f"{mean} ({low} to {high})"


def heading(*columns: str) -> list[str]:
    """Return the head of a table."""
    return [f"| Baron | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]


def tables(found: dict[str, list[Row]]) -> dict[str, str]:
    """Return the tables of the page in Markdown."""
    made = {}
    lines = heading("type that the source lacks", "cells", "come back unknown", *GROUPED)
    for (pair, name), rows in pd.DataFrame(found["proposals"]).groupby(["pair", "type"], sort=False):
        cells = [pair, name, str(rows["cells"].iloc[0]), spread(rows["unknown"])]
        if rows["purity"].notna().any():
            cells += [spread(rows["complete"]), spread(rows["purity"]), str(rows["markers"].iloc[0])]
        else:
            cells += ["-", "-", "-"]
        lines.append(f"| {' | '.join(cells)} |")
    made["proposals"] = "\n".join(lines)
    lines = heading(
        "labels of a class", "right", "rolled up", "right", "had the class been kept", "undecided"
    )
    for pair, rows in pd.DataFrame(found["rollup"]).groupby("pair", sort=False):
        names = (("assigned", 0), ("assigned_right", 3), ("rolled", 0), ("rolled_right", 3))
        more = (("rolled_leaf_right", 3), ("undecided", 0))
        lines.append(f"| {pair} | {' | '.join(spread(rows[n], d) for n, d in (*names, *more))} |")
    made["rollup"] = "\n".join(lines)
    lines = heading("promised", "labelled cells a class", "such classes", *HELD)
    keys = ["pair", "coverage", "per_class"]
    for (pair, coverage, n), rows in pd.DataFrame(found["sets"]).groupby(keys, sort=False):
        names = ("covered", "lowest", "size", "single")
        told = " | ".join(spread(rows[name]) for name in names)
        lines.append(f"| {pair} | {coverage} | {n} | {rows['classes'].iloc[0]} | {told} |")
    made["sets"] = "\n".join(lines)
    return made


def page(text: str, found: dict[str, list[Row]]) -> str:
    """Return the page with its tables made anew."""
    for name, table in tables(found).items():
        text = between(text, BEGIN.format(name), END.format(name), table)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    warnings.simplefilter("ignore")
    found = run(seeds)
    results = {"machine": machine(), "seeds": seeds, **found}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()
