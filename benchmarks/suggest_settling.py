"""How the choice of cells was settled: rules compared on donors of one study, never on a pair of the page.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/suggest_settling.py [--seeds 1] [--rules RULE ...]
                                                                     [--studies STUDY ...] [--page]

One donor of a study is the source, up to 1,500 cells of its other donors are the target: Baron mouse and
human and, with the development data, van Galen and two studies of human lung. Each comes eight times:

- *dom*: counts as they are; the source lacks the largest class and the smallest of ten cells or more
- *full*: counts changed as a species changes them: every gene times exp(N(0, 1)) and, for each class by
  itself, exp(N(0, 0.25)); each cell keeps its sum
- *less*: the same, and the source lacks every fourth class
- *named*: the same, and the source knows every second class by another name
- *rare*: the same, and the source lacks every second class of at most three in a hundred target cells, and
  then the others of these
- *branch*: the same, and the source has one side of the first cut through the tree of its classes, by how
  alike their means are, and then the other, where that is three classes or more

Labels are added up to 10, 20, 40 and 80 and scored as in ``benchmarks/suggest.py``. A rule is the choice of
:mod:`orthotype.transfer.suggest` with some of its constants replaced, or of ``benchmarks/suggest_parts.py``.
Results: ``benchmarks/results/suggest_settling.json`` and the table of ``docs/suggest.md``.
"""

import argparse
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

import orthotype as ot
import suggest
import suggest_parts
from engine.page import between
from orthotype.transfer.suggest import choice, groups, suggesting
from penalty import seen
from suggest import COLUMN, PAGE, Pair, Task, fewer, named, run, trained

RESULTS = Path(__file__).parent / "results" / "suggest_settling.json"
BEGIN, END = "<!-- made by benchmarks/suggest_settling.py -->", "<!-- settled -->"
BUDGETS = (10, 20, 40, 80)
MOST_CELLS = 900
MOST_TO_LABEL = 1500
FEWEST_COUNTS = 50
FEWEST = 10
FEWEST_RARE = 5
RARE = 0.03
# Data set, column of classes, column of donors, the donor that is the source, species.
STUDIES: Final = {
    "Baron mouse": ("baron2016-mouse", "cell_ontology_class", "donor", "mouse1", "mouse"),
    "Baron human": ("baron2016-human", "cell_ontology_class", "donor", "human1", "human"),
    "van Galen": ("vangalen2019_human_bm_healthy", "cell_type", "donor", "BM3", "human"),
    "Tabula Sapiens": ("tabula_sapiens_human_lung_subset", "cell_type", "donor_id", "TSP2", "human"),
    "LCA": ("lca_human_lung_subset", "cell_type", "donor", "2", "human"),
}
BUNDLED: Final = ("Baron mouse", "Baron human")
# What each rule replaces, and what it is called on the page.
RULES: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "settled": ({}, "as it is"),
    "calls": ({"LEAST_KIN": 0.0}, "groups by what cells are called alone"),
    "undamped": ({"DOUBT_POWER": 1.0}, "doubt of a group not damped: 0.1 + doubt"),
    "doubt first": ({"TYPICAL": 0}, "doubtful cells from the first label on"),
    "typical": ({"TYPICAL": 10**6}, "typical cells only"),
    "tree": ({"choose": suggest_parts.of_all}, "parts of one tree of all cells"),
    "trees": ({"choose": suggest_parts.of_groups}, "shares as they are, within a group parts of a tree"),
}
PARTS: Final = {
    "dom, full, less": ("dom", "full", "less"),
    "rare": ("rare",),
    "branch, named": ("branch", "named"),
}
WAYS: Final = {"random": "cells at random", "balanced": "class-balanced (an oracle that sees all labels)"}


def studies(folder: str | None, most: int = MOST_CELLS) -> Iterator[tuple[str, Any, Any, str]]:
    """Yield the name of each study, the cells of one donor, cells of the others, and the species."""
    for name, (data, labels, donors, one, species) in STUDIES.items():
        if name in BUNDLED:
            cells = ot.datasets.get(data)
        elif folder is None:
            continue
        else:
            cells = seen(ad.read_h5ad(Path(folder) / f"{data}.h5ad"))
        cells = named(cells, labels)
        own = (cells.obs[donors].astype(str) == one).to_numpy()
        yield name, cells[own].copy(), fewer(cells[~own], most), species


def batches_of_paul(folder: str) -> tuple[str, Any, Any, str]:
    """Return the same of Paul's plates, of one mouse: one batch, and cells of the others."""
    cells = named(seen(ad.read_h5ad(Path(folder) / "paul2015_mouse_bm.h5ad")), "cell_type_marker_checked")
    batch = cells.obs["Seq_batch_ID"].astype(str)
    own = (batch == sorted(set(batch))[0]).to_numpy()
    return "Paul", cells[own].copy(), fewer(cells[~own], MOST_CELLS), "mouse"


def changed(cells: Any, random_state: int = 3, *, by_class: float = 0.5) -> Any:
    """Return cells whose genes changed as those of another species, without those of hardly any counts."""
    rng = np.random.default_rng(random_state)
    before = sp.csr_array(cells.X).astype(np.float64)
    names, codes = np.unique(cells.obs[COLUMN].astype(str), return_inverse=True)
    size = len(names), before.shape[1]
    factors = np.exp(rng.standard_normal(size[1]) + by_class * rng.standard_normal(size))
    after, in_row = before.copy(), np.diff(before.indptr)
    after.data = after.data * factors[np.repeat(codes, in_row), after.indices]
    ratio = before.sum(axis=1) / np.maximum(after.sum(axis=1), 1e-12)
    after.data = np.floor(after.data * np.repeat(ratio, in_row) + rng.random(after.nnz))
    after.eliminate_zeros()
    found = cells.copy()
    found.X = sp.csr_matrix(after.astype(np.float32))
    return found[after.sum(axis=1) > FEWEST_COUNTS].copy()


def branches(cells: Any) -> list[frozenset[str]]:
    """Return branches of the tree of classes, and what is left without each, the largest cuts first."""
    true = cells.obs[COLUMN].astype(str).to_numpy()
    names, sizes = np.unique(true, return_counts=True)
    names = names[sizes >= FEWEST]
    X = sp.csr_array(cells.X).astype(np.float64)
    X = sp.csr_array(sp.diags_array(1e4 / np.maximum(X.sum(axis=1), 1.0)) @ X).log1p()
    means = np.stack([X[true == name].mean(axis=0) for name in names])
    means = means[:, means.mean(axis=0) > 0.1]
    apart = 1.0 - np.corrcoef(means - means.mean(axis=0))
    np.fill_diagonal(apart, 0.0)
    tree = linkage(squareform((apart + apart.T) / 2, checks=False), "average")
    found: dict[frozenset[str], None] = {}
    for n in (2, 3, 4, 5):
        sides = fcluster(tree, n, "maxclust")
        for side in np.unique(sides):
            inside = frozenset(names[sides == side])
            for part in (inside, frozenset(names) - inside):
                if 3 <= len(part) < len(names):
                    found[part] = None
    return list(found)


def shared_by(here: pd.Series, there: pd.Series, fewest: int) -> list[str]:
    """Return the classes that the source has, too, and so many cells of the target, the largest first."""
    return [label for label in there.index if there[label] >= fewest and here.get(label, 0) >= 2]


def tasks(folder: str | None, seeds: int) -> Iterator[Task]:
    """Yield every study in its forms, split anew with every seed."""
    for name, source, target, species in studies(folder, MOST_TO_LABEL):
        here, there = (cells.obs[COLUMN].value_counts() for cells in (source, target))
        shared = shared_by(here, there, FEWEST)
        lacking = {"dom": [shared[0], shared[-1]], "full": [], "less": shared[2::4], "named": []}
        rare = [label for label in shared_by(here, there, FEWEST_RARE) if there[label] <= RARE * target.n_obs]
        lacking |= {f"rare {half + 1}": rare[half::2] for half in (0, 1) if rare[half::2]}
        for side, part in enumerate(branches(target)[:2]):
            lacking[f"branch {side + 1}"] = sorted(set(source.obs[COLUMN]) - part)
        for form, without in lacking.items():
            left = source[~source.obs[COLUMN].isin(without).to_numpy()].copy()
            if np.count_nonzero(left.obs[COLUMN].value_counts() >= 2) < 2:
                continue
            if form == "named":
                left.obs[COLUMN] = [
                    f"{label}?" if label in shared[::2] else label for label in left.obs[COLUMN]
                ]
            cells = target if form == "dom" else changed(target)
            model = trained(Pair(name, left, cells, (species, species)))
            pair = Pair(f"{name}, {form}", left, cells, (species, species))
            yield from (Task.of(pair, model, seed) for seed in range(seeds))


def measured(task: Task, rules: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of every rule."""
    for rule in rules:
        if rule in WAYS:
            rows = run(task, rule)
        else:
            replaced = RULES[rule][0]
            places = (part for part in (groups, suggesting, choice) if replaced.keys() <= vars(part).keys())
            with patch.dict(vars(next(places)), replaced):
                rows = run(task, "suggest")
        yield from (row | {"way": rule} for row in rows)


def table(rows: list[dict[str, Any]]) -> str:
    """Return the mean recall of every rule as a Markdown table: known / all classes."""
    words = {rule: text for rule, (_, text) in RULES.items()} | WAYS
    heads = [f"{form}: {budget}" for form in PARTS for budget in BUDGETS]
    lines = [f"| cells | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
    frame = pd.DataFrame(rows)
    form = frame["pair"].str.split(", ").str[-1].str.split().str[0]
    for way, text in words.items():
        said = []
        for forms in PARTS.values():
            means = frame[form.isin(forms) & (frame["way"] == way)].groupby("labels")[["known", "all"]].mean()
            said += [
                f"{means.loc[n, 'known']:.3f} / {means.loc[n, 'all']:.3f}"
                for n in BUDGETS
                if n in means.index
            ]
        if said:
            lines.append(f"| {text} | {' | '.join(said)} |")
    return "\n".join(lines)


def differences(rows: list[dict[str, Any]]) -> str:
    """Return what every other rule gains over what is, all classes, as a Markdown table."""
    frame = pd.DataFrame(rows)
    score = frame[frame["labels"] > 0].pivot_table(index=["pair", "labels"], columns="way", values="all")
    gain = 100.0 * score.sub(score["settled"], axis=0)
    form = gain.index.get_level_values("pair").str.split(", ").str[-1].str.split().str[0]
    groups = {name: gain[form.isin(forms)] for name, forms in PARTS.items()}
    columns = {f"{name}: {n}": part.xs(n, level="labels") for name, part in groups.items() for n in BUDGETS}
    columns["all"] = gain.groupby("pair").mean()
    lines = [f"| cells | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
    for way, (_, text) in RULES.items():
        if way != "settled":
            said = [f"{part[way].mean():+.1f} ± {part[way].sem():.1f}" for part in columns.values()]
            lines.append(f"| {text} | {' | '.join(said)} |")
    return "\n".join(lines)


def page(text: str, rows: list[dict[str, Any]]) -> str:
    """Return the page with its tables made anew."""
    words = "What others gain, in points of mean recall over all classes, with the standard error over tasks:"
    return between(text, BEGIN, END, f"{table(rows)}\n\n{words}\n\n{differences(rows)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--studies", nargs="*", default=list(STUDIES))
    parser.add_argument("--rules", nargs="*", default=[*RULES, *WAYS])
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    if not options.page:
        anew = tuple(f"{study}," for study in options.studies)
        rows = [row for row in rows if row["way"] not in options.rules or not row["pair"].startswith(anew)]
        with patch.object(suggest, "BUDGETS", BUDGETS):
            for task in tasks(os.environ.get("ORTHOTYPE_REAL_DATA"), options.seeds):
                if not task.pair.name.startswith(anew):
                    continue
                rows += measured(task, options.rules)
                RESULTS.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")


if __name__ == "__main__":
    main()
