"""How ``adapt`` was settled: rules compared on donors of one study, never on a pair of the page.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/adapt_settling.py
        [--seeds 1] [--rules RULE ...] [--studies NAME ...] [--many] [--page]

The studies of ``benchmarks/suggest_settling.py`` and, with the development data, two batches of Paul: one
donor is the source, up to 900 cells of the others are the target. Each comes ten times:

- *dom*: counts as they are; the source lacks the largest class and the smallest of ten cells or more
- *full*: counts changed as a species changes them (``changed`` there)
- *less*: the same, and the source lacks every fourth class
- *lack*: the same, and the target lacks half of the classes
- *other*: changed more, the source lacks half of the classes, the target a quarter
- *named*: as *full*, and two thirds of the target's classes have another name than in the source
- *cut*: as *full*, and the source cuts its types elsewhere: of every class the two fifths that are most like
  the class nearest to it are labelled so
- *gone*: as *cut*, and the target lacks half of the classes
- *sure*: as *cut*, and the source is five times as sure as it should be
- *poor*: as *sure*, and the source lacks two thirds of the classes

Labels of 1, 2, 5 and 30 cells of every class, of 1 and 5 of every second class alone, of 40 cells at random,
and of 5, 10 and 30 of every class with a tenth of them wrong; scores as in ``benchmarks/adapt.py``. A rule is
``adapt`` with some of its constants replaced, or told that the labels are complete, where they are.
``--many`` asks for labels of 100 and 200 cells of every class (all that may be labelled where there are
fewer), right and with a tenth wrong, with targets of up to 1,500 cells. ``--studies`` runs some of the
studies anew and keeps the rows of the others. Results:
``benchmarks/results/adapt_settling.json`` and the tables of ``docs/adapt.md``.
"""

import argparse
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np
import pandas as pd
import scipy.sparse as sp

from adapt import (
    Task,
    adapted,
    aligned_model,
    asked_of,
    by_hand,
    group_scores,
    mean_model,
    spoiled,
    tasks,
)
from engine.page import between
from orthotype.models.linear import reduced
from orthotype.transfer.adapt import anchors, choice, lesson, refit, starts
from suggest import COLUMN, Pair
from suggest_settling import MOST_CELLS, batches_of_paul, changed, studies

RESULTS = Path(__file__).parent / "results" / "adapt_settling.json"
PAGE = Path(__file__).parents[1] / "docs" / "adapt.md"
BEGIN, END = "<!-- made by benchmarks/adapt_settling.py -->", "<!-- settled -->"
BEGIN_MANY, END_MANY = "<!-- made by benchmarks/adapt_settling.py --many -->", "<!-- settled: many -->"
ASKED = (
    *(("all", n) for n in (1, 2, 5, 30)),
    *(("half", n) for n in (1, 5)),
    ("random", 40),
    *(("wrong", n) for n in (5, 10, 30)),
)
INCOMPLETE: Final = ("half", "random")
MANY: Final = (("all", 100), ("all", 200), ("wrong", 100), ("wrong", 200))
MOST_WITH_MANY = 1500


def no_stand_ins(codes: Any, known: Any, unlabelled: Any, *rest: Any) -> tuple[Any, Any]:
    """Return nothing to stand beside labels."""
    return unlabelled[:0], np.empty(0, dtype=np.intp)


Asked = tuple[tuple[str, int], ...]
# What each rule replaces, and what it is called on the page.
RULES: Final[dict[str, tuple[dict[tuple[Any, str], Any], str]]] = {
    "settled": ({}, "**as it is**"),
    "around": ({(refit, "FROM_NOTHING"): 0.0}, "around the start alone"),
    "sure": ({(starts, "SCALES"): (1.0,)}, "the start as sure as it is"),
    "alike": ({(reduced, "N_AXES"): 0}, "all genes alike (M the identity), no cell moved"),
    "unmoved": ({(lesson, "WAY"): 0.0}, "no cell moved"),
    "unreached": ({(lesson, "FEW_LABELS"): 0.0}, "no cell reached"),
    "anchors told": ({(refit, "ANCHORS_SURE"): 0.0}, "from nothing, anchors of no class"),
    "no stand-ins": ({(anchors, "stand_ins"): no_stand_ins}, "no stand-ins"),
    "unchosen": ({(choice, "FEWEST_TO_CHOOSE"): np.inf}, "strengths not chosen"),
    "anywhere": ({(choice, "can_tell"): lambda evidence: True}, "strengths chosen on any labels"),
    "modest": ({(choice.Cost, "sureness"): lambda cost, scores: 1.0}, "doubted as surely as scored"),
    "believed": ({(choice, "FEWEST_TO_DOUBT"): np.inf}, "no label doubted"),
    "held less": ({(anchors, "WEIGH"): 0.1}, "anchors weigh a tenth"),
    "any anchor": (
        {(anchors.Sight, "nearer"): lambda sight, cells, codes: cells},
        "anchors near labels, too",
    ),
    "strong": ({(refit, "STRENGTH"): 0.024}, "ten times the strength"),
    "anyone": ({(anchors, "COVERED"): 0.0}, "as if labels covered the target"),
    "patient": ({(anchors, "CONTRADICTED"): np.inf}, "never contradicted"),
    "complete": ({}, "told that the labels are complete"),
}
MANY_RULES: Final = {
    **{rule: RULES[rule] for rule in ("settled", "unchosen", "modest", "believed", "around")},
    "one": ({(choice, "AROUND"): (1.0,)}, "the strength from nothing alone is chosen"),
}
WAYS: Final = {
    "source": "source alone",
    "aligned": "aligned source",
    "scratch": "from scratch",
    "fixed": "fixed strength",
}


def forms(folder: str | None, most: int = MOST_CELLS) -> Iterator[Pair]:
    """Yield every study in its ten forms."""
    found = list(studies(folder, most))
    if folder is not None:
        found.append(batches_of_paul(folder))
    for name, source, target, species in found:
        here, there = (cells.obs[COLUMN].value_counts() for cells in (source, target))
        both = [label for label in there.index if here.get(label, 0) >= 2]
        shared = [label for label in both if there[label] >= 10]
        for form, by_class, source_lacks, target_lacks in (
            ("dom", None, [shared[0], shared[-1]], []),
            ("full", 0.5, [], []),
            ("less", 0.5, shared[2::4], []),
            ("lack", 0.5, [], shared[1::2]),
            ("other", 1.0, shared[2::2], shared[1::4]),
            ("named", 0.5, [], []),
            ("cut", 0.5, [], []),
            ("gone", 0.5, [], shared[1::2]),
            ("sure", 0.5, [], []),
            ("poor", 0.5, [label for i, label in enumerate(both) if i % 3 != 1], []),
        ):
            left, cells = without(source, source_lacks), without(target, target_lacks)
            left = cut_elsewhere(left) if form in ("cut", "gone", "sure", "poor") else left
            cells = cells if by_class is None else changed(cells, by_class=by_class)
            yield Pair(f"{name}, {form}", left, renamed(cells) if form == "named" else cells, (species,) * 2)


def without(cells: Any, classes: list[str]) -> Any:
    """Return cells of other classes."""
    return cells[~cells.obs[COLUMN].isin(classes).to_numpy()].copy()


def renamed(cells: Any) -> Any:
    """Return cells of which two thirds of the classes have another name."""
    names = sorted(set(cells.obs[COLUMN]))
    cells.obs[COLUMN] = [name if name in names[::3] else f"other {name}" for name in cells.obs[COLUMN]]
    return cells


def cut_elsewhere(cells: Any) -> Any:
    """Return cells of which two fifths of every class have the label of the class nearest to it."""
    X = sp.csr_array(cells.X).astype(np.float64)
    X = sp.csr_array(sp.diags_array(1e4 / np.maximum(X.sum(axis=1), 1.0)) @ X).log1p()
    true = cells.obs[COLUMN].astype(str).to_numpy()
    names = np.unique(true)
    means = np.stack([X[true == name].mean(axis=0) for name in names])
    apart = ((means[:, None] - means[None]) ** 2).sum(axis=-1)
    np.fill_diagonal(apart, np.inf)
    labels = true.astype(object)
    for k, name in enumerate(names):
        other, own = int(apart[k].argmin()), np.flatnonzero(true == name)
        likest = np.argsort(-(X[own] @ (means[other] - means[k])), kind="stable")
        labels[own[likest[: int(0.4 * len(own))]]] = names[other]
    found = cells.copy()
    found.obs[COLUMN] = list(labels)
    return found


def surer(task: Task) -> Task:
    """Return the task with a source that is five times as sure."""
    return replace(task, state=replace(task.state, temperature=task.state.temperature / 5))


def measured(task: Task, rules: dict[str, Any], asked_for: Asked = ASKED) -> Iterator[dict[str, Any]]:
    """Yield the rows of every way and rule."""
    for part, n in asked_for:
        cells = asked_of(task, part, n)
        labels = spoiled(task.true[cells], task.seed) if part == "wrong" else task.true[cells]
        labelled = set(task.true[cells])
        base = {"pair": task.pair.name, "seed": task.seed, "part": part, "cells": n}
        asked = [("source", mean_model(task.state)), ("aligned", aligned_model(task))]
        for way, model, classes in [
            *((way, model, task.state.classes) for way, model in asked),
            *by_hand(task, cells, labels),
        ]:
            yield base | {"way": way} | group_scores(task, model, classes, labelled)
        for rule, (values, _) in rules.items():
            complete = rule == "complete"
            if complete and part in INCOMPLETE:
                continue
            with ExitStack() as replaced:
                for (module, name), value in values.items():
                    replaced.enter_context(patch.object(module, name, value))
                state, _ = adapted(task, cells, labels, complete=complete)
            yield base | {"way": rule} | group_scores(task, mean_model(state), state.classes, labelled)


COLUMNS: Final = {
    "all": (("all", "known"), "all / known"),
    "half": (("all", "labelled", "without"), "all / labelled / others"),
    "random": (("all", "labelled", "without"), "at random, all / labelled / others"),
    "wrong": (("all", "known"), "a tenth wrong"),
}


def table(rows: list[dict[str, Any]], rules: dict[str, Any] = RULES, asked_for: Asked = ASKED) -> str:
    """Return the mean recalls of every way as a Markdown table."""
    frame = pd.DataFrame(rows)
    head = [f"{n}: {COLUMNS[part][1]}" for part, n in asked_for]
    lines = [f"| labels per class | {' | '.join(head)} |", "|---" * (1 + len(head)) + "|"]
    for way, words in (WAYS | {rule: text for rule, (_, text) in rules.items()}).items():
        here = frame[frame["way"] == way]
        cells = []
        for part, n in asked_for:
            found = here[(here["part"] == part) & (here["cells"] == n)][list(COLUMNS[part][0])].mean()
            cells.append(" / ".join("" if np.isnan(value) else f"{value:.3f}" for value in found))
        if len(here):
            lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def page(text: str, found: dict[str, Any]) -> str:
    """Return the page with the tables made anew of which there are rows."""
    if found["rows"]:
        text = between(text, BEGIN, END, table(found["rows"]))
    if found["many"]:
        text = between(text, BEGIN_MANY, END_MANY, table(found["many"], MANY_RULES, MANY))
    return text


def run(
    folder: str | None, seeds: int, rules: dict[str, Any], *, wanted: list[str], many: bool
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of every task of the studies wanted, or of all."""
    for pair in forms(folder, MOST_WITH_MANY if many else MOST_CELLS):
        if wanted and study(pair.name) not in wanted:
            continue
        for task in tasks(pair, seeds):
            task = surer(task) if pair.name.endswith(("sure", "poor")) else task
            yield list(measured(task, rules, MANY if many else ASKED))
        print(pair.name, flush=True)


def study(pair: str) -> str:
    """Return the study of a pair."""
    return pair.split(", ", maxsplit=1)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rules", nargs="*", default=list(RULES))
    parser.add_argument("--studies", nargs="*", default=[])
    parser.add_argument("--many", action="store_true")
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"rows": [], "many": []}
    if not options.page:
        rules = MANY_RULES if options.many else {rule: RULES[rule] for rule in options.rules}
        part, wanted = "many" if options.many else "rows", options.studies
        rows = [row for row in found[part] if wanted and study(row["pair"]) not in wanted]
        folder = os.environ.get("ORTHOTYPE_REAL_DATA")
        for some in run(folder, options.seeds, rules, wanted=wanted, many=options.many):
            rows += some
            found[part] = rows
            RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()
