"""How alignment, genes and the unknown rule were settled: rules compared on donors of one study.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/alignment_settling.py [--rules RULE ...] [--page]

No pair of ``benchmarks/alignment.py`` takes part. As in ``benchmarks/suggest_settling.py``, one donor of a
study is the source and up to 900 cells of its other donors are the target, with counts changed as a species
changes them. Each study comes whole, without its largest class, without its smallest of ten target cells or
more, and without every second such class: then most of what is called some classes belongs to none. A rule is
a model fitted with some constants replaced; where its genes are those of the settled rule, its weights are,
too. Results: ``benchmarks/results/alignment_settling.json`` and a table of ``docs/alignment.md``.
"""

import argparse
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np

import orthotype as ot
from alignment import PAGE, Pair, Side, annotate, score
from engine.page import between
from orthotype.cells import space
from orthotype.models import unknown
from orthotype.models.consensus import ConsensusClassifier
from orthotype.transfer import fitting
from suggest import COLUMN
from suggest_settling import changed, studies

RESULTS = Path(__file__).parent / "results" / "alignment_settling.json"
BEGIN, END = "<!-- made by benchmarks/alignment_settling.py -->", "<!-- settled -->"
FEWEST = 10
USUAL = unknown._usual


@dataclass(frozen=True)
class Rule:
    """What is replaced, and what it is called on the page."""

    words: str
    patches: tuple[tuple[Any, str, Any], ...] = ()
    with_target: bool = False
    asked: str = "aligned"

    @property
    def same_genes(self) -> bool:
        """Whether the model has the genes and weights of the settled rule."""
        return not (self.with_target or any(place is space for place, _, _ in self.patches))


def whole(self: Any, table: Any) -> Any:
    """Return the mean log tail probability in place of the worst."""
    return self.tails(table).mean(axis=0)


def by_cells(values: Any, codes: Any, share: float) -> float:
    """Return a threshold for which every cell counts alike."""
    return float(np.quantile(values, share))


def all_alike(ratios: Any, kin: Any, called: Any) -> float:
    """Return the median over classes, kin or not."""
    return float(np.median(ratios))


def as_the_median(ratios: Any, kin: Any, called: Any) -> float:
    """Return the median over the classes that are there."""
    with patch.object(unknown, "USUAL", 0.5):
        return USUAL(ratios, kin, called)


def not_weighed(*args: Any, **named: Any) -> None:
    """Leave all genes worth the same."""


def judged(*names: str) -> tuple[tuple[Any, str, Any], ...]:
    """Return what makes the rule judge these views."""
    return ((unknown, "JUDGED", {name: 1.25 if name != "margin" else np.inf for name in names}),)


def usual(rule: Any) -> tuple[tuple[Any, str, Any], ...]:
    """Return what decides by this rule how alike is usual."""
    return ((unknown, "_usual", rule),)


RULES: Final[dict[str, Rule]] = {
    "settled": Rule("**as it is**"),
    "plain": Rule("no alignment, no neighbours", asked="plain"),
    "target": Rule("genes of the target too, weighted", with_target=True),
    "target alike": Rule(
        "genes of the target too, all worth the same",
        ((fitting, "gene_weights", not_weighed),),
        with_target=True,
    ),
    "no markers": Rule("genes: no markers", ((space, "MARKERS", 0.0),)),
    "more markers": Rule("genes: 60 markers a class", ((space, "MARKERS", 0.03),)),
    "mean": Rule("unknown: mean of the three views", ((unknown.Standard, "fit", whole),)),
    "lead alone": Rule("unknown: the lead, no margin", judged("likeness", "extent", "lead")),
    "one step": Rule("unknown: one step", ((unknown, "STEPS", 1),)),
    "all classes": Rule("unknown: the median of all classes, whatever their kinship", usual(all_alike)),
    "median": Rule("unknown: the median of the classes that are there", usual(as_the_median)),
    "by cells": Rule("unknown: threshold by cells", ((unknown, "_balanced_quantile", by_cells),)),
    "alike": Rule("unknown: threshold by classes, all alike", ((unknown, "FEW_CELLS", 0.0),)),
}
ANY, FEW, HALF = ("whole", "one", "half"), ("whole", "one"), ("half",)
# Each score, the forms that it is averaged over, and what it is called on the page.
COLUMNS: Final = (
    ("accuracy", ANY, "accuracy"),
    ("mean_recall", ANY, "mean recall"),
    ("given_recall", ANY, "mean recall as given"),
    ("ece", ANY, "ECE"),
    ("auroc", FEW, "AUROC"),
    ("caught", FEW, "caught"),
    ("auroc", HALF, "AUROC, half of the classes missing"),
    ("caught", HALF, "caught"),
    ("false_rejection", ANY, "wrongly rejected: cells"),
    ("false_rejection_per_class", ANY, "classes"),
)
N_CALLS: Final = 4  # columns that have nothing to do with unknown cells


def tasks(folder: str | None) -> Iterator[tuple[Pair, tuple[str, ...]]]:
    """Yield every study whole, and without some classes of its source, named."""
    for name, source, target, species in studies(folder):
        cells = changed(target)
        here, there = (c.obs[COLUMN].astype(str).to_numpy() for c in (source, cells))
        names, sizes = np.unique(there, return_counts=True)
        order = np.argsort(-sizes, kind="stable")
        shared = [
            str(names[i]) for i in order if sizes[i] >= FEWEST and np.count_nonzero(here == names[i]) >= 2
        ]
        for without in ((), shared[:1], shared[-1:], shared[::2]):
            left = ~np.isin(here, without)
            sides = Side(source[left].copy(), here[left], species), Side(cells, there, species)
            yield Pair(name, *sides), tuple(without)


def fitted(pair: Pair, rule: Rule) -> ot.LabelTransfer:
    """Return a model of the source, each class with two cells or more."""
    names, sizes = np.unique(pair.source.labels, return_counts=True)
    kept = np.isin(pair.source.labels, names[sizes >= 2])
    return ot.LabelTransfer().fit(
        pair.source.adata[kept].copy(),
        labels=COLUMN,
        species=pair.source.species,
        target=pair.target.adata if rule.with_target else None,
    )


def fitted_once(memory: dict[str, Any]) -> Any:
    """Return a fit of the classifier that is made once and then remembered."""
    fit = ConsensusClassifier.fit

    def remembered(self: Any, *args: Any, **named: Any) -> Any:
        if not memory:
            memory.update(vars(fit(self, *args, **named)))
        vars(self).update(memory)
        return self

    return remembered


def measured(pair: Pair, without: tuple[str, ...], names: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the scores of rules on a task."""
    memory: dict[str, Any] = {}
    for name in names:
        rule = RULES[name]
        with ExitStack() as stack:
            for place, what, value in rule.patches:
                stack.enter_context(patch.object(place, what, value))
            if rule.same_genes:
                stack.enter_context(patch.object(ConsensusClassifier, "fit", fitted_once(memory)))
            model = fitted(pair, rule)
            found = score(pair, model.state_.classes.astype(str), annotate(model, pair), without=None)
        form = "half" if len(without) > 1 else "one" if without else "whole"
        yield {"rule": name, "study": pair.name, "form": form, "without": without} | found[rule.asked]


def table(rows: list[dict[str, Any]]) -> str:
    """Return the mean over the studies of every rule as a Markdown table."""
    lines = [f"| rule | {' | '.join(words for *_, words in COLUMNS)} |", "|---" * (1 + len(COLUMNS)) + "|"]
    for name, rule in RULES.items():
        here = [row for row in rows if row["rule"] == name]
        if here:
            cells = [
                mean([row for row in here if row["form"] in forms], score) for score, forms, _ in COLUMNS
            ]
            cells[N_CALLS:] = ["-"] * (len(cells) - N_CALLS) if rule.asked == "plain" else cells[N_CALLS:]
            lines.append(f"| {rule.words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def mean(rows: list[dict[str, Any]], column: str) -> str:
    """Return the mean over studies, each the mean over its tasks; a dash where there is none."""
    parts = [
        [row[column] for row in rows if row["study"] == name and row.get(column) is not None]
        for name in dict.fromkeys(row["study"] for row in rows)
    ]
    means = [np.mean(part) for part in parts if part]
    return f"{np.mean(means):.3f}" if means else "-"


def page(text: str, rows: list[dict[str, Any]]) -> str:
    """Return the page with its table made anew."""
    return between(text, BEGIN, END, table(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rules", nargs="*", default=[*RULES])
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    if not options.page:
        rows = [row for row in rows if row["rule"] in set(RULES) - set(options.rules)]
        for pair, without in tasks(os.environ.get("ORTHOTYPE_REAL_DATA")):
            rows += measured(pair, without, options.rules)
            RESULTS.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
            print(pair.name, without, flush=True)
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")


if __name__ == "__main__":
    main()
