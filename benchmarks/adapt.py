"""What a few labels are worth: adapting against source, aligned source, scratch and a fixed strength.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/adapt.py [--seeds 5] [--pairs NAME ...] [--page]

The pairs of ``benchmarks/suggest.py``. The model is trained on the source alone. Of every target class, 60 %
of the cells may be labelled and the others score, split anew with every seed; the whole target is at hand
without labels. n cells of every class are labelled (all that may be where there are fewer), those that the
source lacks included. Each cell is called by itself, by the mean of the fold models:

- *source*: the model as it was trained; *aligned*: with the species shift that the target shows
- *scratch*: the same fit on the labelled cells alone, strength chosen on them by cross-validation
- *fixed*: a refit around the source at one strength, alpha = 1
- *adapted*: what ``model.adapt`` makes
- *complete*: the same, told that the labels are complete, as *scratch* takes for granted

and with 10 % of the labels drawn anew from the other classes (*wrong*). Scores are mean recalls over classes
with at least three cells to score: those that the source has (*known*), and all. Then again with labels of
every second class alone, and of cells drawn at random, with scores of the classes that have a label, and of
those of the source that have none. Results: ``benchmarks/results/adapt.json``, the tables of
``docs/adapt.md`` and ``docs/pictures/adapt.svg``.
``--page`` makes page and picture anew from the results.
"""

import argparse
import json
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

import orthotype as ot
from adapt_page import PAGE, RESULTS, write_page
from engine.measure import forget_peak, machine, peak_mb
from orthotype.cells.table import BLOCK_SIZE, open_cells
from orthotype.errors import Problems
from orthotype.models.linear.few import FewCells
from orthotype.models.shift import estimate_shift, moved_intercept
from orthotype.transfer.adapt.adapting import adapt_state
from orthotype.transfer.adapt.cells import Few
from orthotype.transfer.adapt.names import match_names
from orthotype.transfer.coverage import without_missing
from orthotype.transfer.target import Target
from suggest import COLUMN, Pair, pairs

CELLS = (1, 2, 5, 10, 30, 200)
WRONG = (5, 10, 30, 200)
SOME = (("half", 1), ("half", 5), ("random", 10), ("random", 40), ("random", 160))
FEWEST = 3
FIXED = 1.0


@dataclass(frozen=True)
class Weights:
    """Weights and intercepts of a linear model."""

    coef: np.ndarray
    intercept: np.ndarray


@dataclass(frozen=True)
class Task:
    """A model, the encoded cells of a target with their true classes, and one split of them."""

    pair: Pair
    state: Any
    X: sp.csr_array
    present: np.ndarray
    true: np.ndarray
    seed: int

    @cached_property
    def order(self) -> np.ndarray:
        """All cells, shuffled."""
        return np.random.default_rng(self.seed).permutation(len(self.true))

    @cached_property
    def pool(self) -> np.ndarray:
        """Which cells may be labelled: of every class 60 %."""
        pool = np.zeros(len(self.true), dtype=bool)
        for name in np.unique(self.true):
            cells = self.order[self.true[self.order] == name]
            pool[cells[: round(0.6 * len(cells))]] = True
        return pool

    def labelled(self, n: int) -> np.ndarray:
        """Return n cells of every class, more of them the same and others beside."""
        able = self.order[self.pool[self.order]]
        return np.sort(np.concatenate([able[self.true[able] == name][:n] for name in np.unique(self.true)]))

    def recall(self, model: Weights, classes: np.ndarray) -> dict[str, float]:
        """Return the recall of every class with enough cells set aside."""
        test = np.flatnonzero(~self.pool)
        called = classes[(self.X[test] @ model.coef.T + model.intercept).argmax(axis=1)]
        true = self.true[test]
        names, sizes = np.unique(true, return_counts=True)
        return {k: float((called[true == k] == k).mean()) for k in names[sizes >= FEWEST]}

    def scores(self, model: Weights, classes: np.ndarray) -> dict[str, float]:
        """Return mean recall over the cells set aside."""
        recall = self.recall(model, classes)
        known = [value for name, value in recall.items() if name in self.state.classes]
        return {"known": float(np.mean(known)), "all": float(np.mean(list(recall.values())))}


def tasks(pair: Pair, seeds: int) -> Iterator[Task]:
    """Train on the source, encode the target, and yield one split for each seed."""
    sizes = pair.source.obs[COLUMN].value_counts()
    source = pair.source[pair.source.obs[COLUMN].isin(sizes.index[sizes >= 2]).to_numpy()].copy()
    model = ot.LabelTransfer().fit(
        source, labels=COLUMN, species=pair.species[0], target_species=pair.species[1]
    )
    state = model.state_
    table = open_cells(pair.target, subject="the target", species=pair.species[1])
    aligned = state.space.align(table.genes, species=pair.species[1])
    present = aligned.present[state.space.selected]
    X = sp.csr_array(Target(table, aligned, BLOCK_SIZE).sample().astype(np.float64))
    true = pair.target.obs[COLUMN].astype(str).to_numpy(dtype=object)
    used = without_missing(state, present)
    for seed in range(seeds):
        yield Task(pair, used, X, present, true, seed)


def mean_model(state: Any, delta: np.ndarray | float = 0.0) -> Weights:
    """Return the mean of the fold models, with a shift taken off."""
    intercept = moved_intercept(state.coef, state.intercept, np.broadcast_to(delta, state.coef.shape[2]))
    return Weights(state.coef.mean(axis=0, dtype=np.float64), intercept.mean(axis=0, dtype=np.float64))


def aligned_model(task: Task) -> Weights:
    """Return the source model with the species shift that the unlabelled target shows."""
    state = task.state
    shift = estimate_shift(
        lambda: iter([task.X]),
        coef=state.coef,
        intercept=state.intercept,
        temperature=state.temperature,
        source=state.profiles,
        called=state.called,
    )
    return mean_model(state, shift.delta)


def on_all_classes(task: Task, model: Weights, classes: np.ndarray) -> Weights:
    """Return a model with rows of zero for the classes that the source lacks, never the first choice."""
    place = {name: i for i, name in enumerate(task.state.classes)}
    coef, level = np.zeros((len(classes), task.X.shape[1])), np.full(len(classes), -1e3)
    for i, name in enumerate(classes):
        if name in place:
            coef[i], level[i] = model.coef[place[name]], model.intercept[place[name]]
    return Weights(coef, level)


def by_hand(task: Task, cells: np.ndarray, labels: np.ndarray) -> Iterator[tuple[str, Weights, np.ndarray]]:
    """Yield a fit from scratch and one around the source at a fixed strength."""
    for name, classes in (
        ("scratch", np.unique(labels)),
        ("fixed", np.union1d(task.state.classes.astype(str), labels.astype(str))),
    ):
        codes = np.searchsorted(classes.astype(str), labels.astype(str))
        before = on_all_classes(task, mean_model(task.state), classes)
        if name == "fixed":
            new = ~np.isin(classes, task.state.classes)
            before.intercept[new] = before.intercept[~new].mean()
        few = FewCells(task.X[cells], codes, before, centred=name == "fixed")
        alpha = FIXED if name == "fixed" else few.choose(5, task.seed)
        yield name, Weights(*few.expanded(alpha)), classes.astype(object)


def adapted(task: Task, cells: np.ndarray, labels: np.ndarray, *, complete: bool = False) -> tuple[Any, Any]:
    """Return the adapted state and its report."""
    problems = Problems("labels")
    lacking = sorted(set(labels) - set(task.state.classes))
    names = match_names(set(labels), task.state, ids={}, new_classes=lacking, problems=problems)
    problems.raise_if_any()
    few = Few(
        cells=cells.astype(str).astype(object),
        labels=labels,
        X=task.X[cells],
        unlabelled=task.X[np.setdiff1d(np.arange(len(task.true)), cells)],
        present=task.present,
        table=None,
        species=task.pair.species[1],
    )
    return adapt_state(
        task.state, few, names, complete=complete, random_state=task.seed, block_size=BLOCK_SIZE
    )


def spoiled(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return labels of which a tenth is drawn anew from the other classes."""
    rng = np.random.default_rng(seed)
    found, classes = labels.copy(), np.unique(labels)
    for i in rng.permutation(len(labels))[: round(0.1 * len(labels))]:
        found[i] = rng.choice(classes[classes != labels[i]])
    return found


def asked_of(task: Task, part: str, n: int) -> np.ndarray:
    """Return the cells to label: n in all at random, or n of every class or of every second one."""
    if part == "random":
        return np.sort(task.order[task.pool[task.order]][:n])
    return some_classes(task, n) if part == "half" else task.labelled(n)


def some_classes(task: Task, n: int) -> np.ndarray:
    """Return n cells of every second class, drawn at random."""
    names = np.random.default_rng(task.seed).permutation(np.unique(task.true))[::2]
    cells = task.labelled(n)
    return cells[np.isin(task.true[cells], names)]


def group_scores(task: Task, model: Weights, classes: np.ndarray, labelled: set[str]) -> dict[str, float]:
    """Return mean recall over the cells set aside: all classes, those of the source, labelled ones or not."""
    recall = task.recall(model, classes)
    known = set(task.state.classes)
    groups = {
        "all": set(recall),
        "known": known,
        "labelled": labelled,
        "without": known - labelled,
    }
    means = {name: [recall[k] for k in recall if k in group] for name, group in groups.items()}
    return {name: float(np.mean(values)) if values else float("nan") for name, values in means.items()}


def run_some(task: Task) -> list[dict[str, Any]]:
    """Return a row for every way where only some classes have labels."""
    rows = []
    for part, n in SOME:
        cells = asked_of(task, part, n)
        labels = task.true[cells]
        base = {"pair": task.pair.name, "seed": task.seed, "part": part, "asked": n}
        models = [
            ("source", 0, mean_model(task.state), task.state.classes),
            ("aligned", 0, aligned_model(task), task.state.classes),
            *((way, n, model, classes) for way, model, classes in by_hand(task, cells, labels)),
        ]
        state, _ = adapted(task, cells, labels)
        models.append(("adapted", n, mean_model(state), state.classes))
        for way, asked, model, classes in models:
            found = group_scores(task, model, classes, set(labels))
            rows.append(base | {"way": way, "cells": asked} | found)
    return rows


def run(task: Task) -> list[dict[str, Any]]:
    """Return a row for every way and number of cells."""
    base = {"pair": task.pair.name, "seed": task.seed}
    source = {"source": mean_model(task.state), "aligned": aligned_model(task)}
    rows = [
        base | {"way": way, "cells": 0} | task.scores(model, task.state.classes)
        for way, model in source.items()
    ]
    for n in CELLS:
        cells = task.labelled(n)
        right, wrong = task.true[cells], spoiled(task.true[cells], task.seed)
        for labels, words in ((right, ""), (wrong, ", wrong")) if n in WRONG else ((right, ""),):
            for way, model, classes in by_hand(task, cells, labels):
                rows.append(base | {"way": way + words, "cells": n} | task.scores(model, classes))
        ways = {"adapted": right, "complete": right} | ({"wrong": wrong} if n in WRONG else {})
        for way, labels in ways.items():
            before, begun = forget_peak(), time.process_time()
            state, report = adapted(task, cells, labels, complete=way == "complete")
            cost = {"seconds": time.process_time() - begun, "mb": peak_mb() - before}
            chosen = {"strength": report.strength, "worth": report.worth, "start": report.start}
            row = base | {"way": way, "cells": n} | task.scores(mean_model(state), state.classes)
            rows.append(row | cost | chosen | {"labelled": len(cells), "classes": len(state.classes)})
    words = [f"{r['way']} {r['cells']} {r['known']:.3f}/{r['all']:.3f}" for r in rows]
    print(task.pair.name, task.seed, "; ".join(words), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pairs", nargs="*", default=[])
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"rows": []}
    if not options.page:
        for pair in pairs(os.environ.get("ORTHOTYPE_REAL_DATA")):
            if options.pairs and not any(word in pair.name for word in options.pairs):
                continue
            here = list(tasks(pair, options.seeds))
            for part, measure in (("rows", run), ("some", run_some)):
                rows = [row for task in here for row in measure(task)]
                found[part] = [row for row in found.get(part, []) if row["pair"] != pair.name] + rows
            found["machine"] = machine()
            RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    if PAGE.exists():
        write_page(found)


if __name__ == "__main__":
    main()
