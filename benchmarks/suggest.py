"""How many labels it takes: cells that orthotype suggests, against random cells and against an oracle.

Usage::

    ORTHOTYPE_REAL_DATA=FOLDER python benchmarks/suggest.py [--seeds 5] [--pairs NAME] [--ways WAY] [--page]

Baron mouse and human both ways and, with the development data, mouse marrow to two human marrows (over coarse
shared classes) and two studies of human lung both ways; of Setty, 2,500 cells drawn at random. The model is
trained on the source alone. Of every target class, 60 % of the cells may be labelled and the others score,
split anew with every seed. Labels are added up to 10, 20, 40, 80 and 160, the model is adapted to all of
them, and its most probable classes are scored by the mean recall over classes with at least three cells to
score:

- *known*: over the classes that the source has
- *all*: over all classes of the target; those that the source lacks count once they can be called

Cells come from ``suggest`` in rounds (each asks the model adapted so far), at random, or class-balanced: an
oracle that sees all labels and takes cells of every class in turn. ``--page`` writes the page anew from the
results that are there. Results: ``benchmarks/results/suggest.json``, the tables of ``docs/suggest.md`` and
``docs/pictures/suggest.svg``.
"""

import argparse
import json
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

import orthotype as ot
from engine.page import between
from orthotype.pl.canvas import BLUE, GREY, ORANGE, new_figure, without_frame
from penalty import PAUL, SETTY, VAN_GALEN, seen

RESULTS = Path(__file__).parent / "results" / "suggest.json"
PAGE = Path(__file__).parents[1] / "docs" / "suggest.md"
FIGURE = Path(__file__).parents[1] / "docs" / "pictures" / "suggest.svg"
BEGIN, END = "<!-- made by benchmarks/suggest.py -->", "<!-- end -->"
BUDGETS = (10, 20, 40, 80, 160)
FEWEST = 3
MOST_CELLS = 2500
COLUMN = "true class"
COLOURS = {"suggest": BLUE, "random": GREY, "balanced": ORANGE}
SCORES = {"known": "classes that the source has", "all": "all classes of the target"}


@dataclass(frozen=True)
class Pair:
    """Labelled source and target cells, the classes in an obs column, and their species."""

    name: str
    source: Any
    target: Any
    species: tuple[str, str]


def named(adata: Any, column: str, coarse: dict[str, tuple[str, ...]] | None = None) -> Any:
    """Return cells with their class; coarse ones replace those that have exactly one such."""
    labels = adata.obs[column].astype(str)
    single = {name: classes[0] for name, classes in (coarse or {}).items() if len(classes) == 1}
    adata = adata.copy()
    adata.obs[COLUMN] = [single.get(name, name) for name in labels]
    return adata


def fewer(adata: Any, most: int = MOST_CELLS) -> Any:
    """Return so many cells at most, drawn at random, in their order."""
    chosen = np.random.default_rng(0).permutation(adata.n_obs)[:most]
    return adata[np.sort(chosen)].copy()


def pairs(folder: str | None) -> Iterator[Pair]:
    """Yield the pairs, those of the development data where there is a folder of it."""
    mouse, human = (
        named(ot.datasets.get(f"baron2016-{name}"), "cell_ontology_class") for name in ("mouse", "human")
    )
    yield Pair("Baron mouse to human", mouse, human, ("mouse", "human"))
    yield Pair("Baron human to mouse", human, mouse, ("human", "mouse"))
    if folder is None:
        return

    def read(name: str, column: str, coarse: dict[str, tuple[str, ...]] | None = None) -> Any:
        return named(seen(ad.read_h5ad(Path(folder) / f"{name}.h5ad")), column, coarse)

    paul = read("paul2015_mouse_bm", "cell_type", PAUL)
    van_galen = read("vangalen2019_human_bm_healthy", "cell_type", VAN_GALEN)
    setty = fewer(read("setty2019_human_cd34_bm_unlabelled", "fateid_cluster", SETTY))
    yield Pair("Paul to van Galen", paul, van_galen, ("mouse", "human"))
    yield Pair("Paul to Setty", paul, setty, ("mouse", "human"))
    sapiens = read("tabula_sapiens_human_lung_subset", "cell_type")
    lca = read("lca_human_lung_subset", "cell_type")
    yield Pair("Tabula Sapiens to LCA lung", sapiens, lca, ("human", "human"))
    yield Pair("LCA to Tabula Sapiens lung", lca, sapiens, ("human", "human"))


@dataclass(frozen=True)
class Task:
    """A pair with one split of the target, and the model of the source."""

    pair: Pair
    model: Any
    true: np.ndarray
    pool: np.ndarray
    seed: int

    @classmethod
    def of(cls, pair: Pair, model: Any, seed: int) -> "Task":
        """Split the target: of every class, 60 % may be labelled."""
        rng = np.random.default_rng(seed)
        true = pair.target.obs[COLUMN].to_numpy(dtype=object)
        pool = np.zeros(len(true), dtype=bool)
        for name in np.unique(true):
            cells = rng.permutation(np.flatnonzero(true == name))
            pool[cells[: round(0.6 * len(cells) + 0.5 * rng.random())]] = True
        return cls(pair, model, true, pool, seed)

    def taught(self, chosen: list[int]) -> Any:
        """Return the model adapted to the labels of some cells."""
        cells, lacking = self.pair.target, set(self.true) - set(self.model.card["classes"])
        given = pd.Series(self.true[chosen], index=cells.obs_names[chosen], dtype=object)
        return self.model.adapt(
            cells, labels=given, species=self.pair.species[1], new_classes=sorted(lacking & set(given))
        )

    def scores(self, model: Any) -> dict[str, float]:
        """Return mean recall over the cells set aside, for the classes of the source and for all."""
        said = model.predict(self.pair.target, species=self.pair.species[1])
        called, test = said.classes[said.winner], ~self.pool
        recall = {
            name: float((called[test & (self.true == name)] == name).mean())
            for name in np.unique(self.true[test])
            if (test & (self.true == name)).sum() >= FEWEST
        }
        known = [value for name, value in recall.items() if name in self.model.card["classes"]]
        return {"known": float(np.mean(known)), "all": float(np.mean(list(recall.values())))}


Chooser = Callable[[Task, Any, list[int], int], list[int]]


def suggested(task: Task, model: Any, chosen: list[int], n: int) -> list[int]:
    names = task.pair.target.obs_names
    labels = pd.Series(task.true[chosen], index=names[chosen], dtype=object)
    cells = task.pair.target[task.pool].copy()
    found = model.suggest(cells, n, species=task.pair.species[1], labelled=labels, random_state=task.seed)
    return names.get_indexer(found.index).tolist()


def at_random(task: Task, model: Any, chosen: list[int], n: int) -> list[int]:
    order = np.random.default_rng(task.seed).permutation(np.flatnonzero(task.pool))
    return order[len(chosen) : len(chosen) + n].tolist()


def balanced(task: Task, model: Any, chosen: list[int], n: int) -> list[int]:
    order = np.random.default_rng(task.seed).permutation(np.flatnonzero(task.pool))
    turn = pd.Series(task.true[order]).groupby(task.true[order]).cumcount().to_numpy()
    return order[np.argsort(turn, kind="stable")][len(chosen) : len(chosen) + n].tolist()


CHOOSERS: dict[str, Chooser] = {"suggest": suggested, "random": at_random, "balanced": balanced}


def run(task: Task, way: str) -> list[dict[str, Any]]:
    """Return one row for every number of labels."""
    model, chosen, rows = task.model, [], []
    for budget in (0, *BUDGETS):
        if budget > task.pool.sum():
            break
        if budget:
            chosen += CHOOSERS[way](task, model, chosen, budget - len(chosen))
            model = task.taught(chosen)
        row = {"pair": task.pair.name, "way": way, "seed": task.seed, "labels": budget}
        rows.append(row | task.scores(model) | {"classes": len(set(task.true[chosen]))})
    print(
        task.pair.name, way, task.seed, " ".join(f"{r['known']:.3f}/{r['all']:.3f}" for r in rows), flush=True
    )
    return rows


def curve(rows: list[dict[str, Any]], score: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of labels, and the scores of every seed, shape (n_seeds, n_numbers)."""
    table = pd.DataFrame(rows).pivot_table(index="seed", columns="labels", values=score)
    return table.columns.to_numpy(dtype=float), table.to_numpy(dtype=float)


def labels_for(labels: np.ndarray, means: np.ndarray, goal: float) -> float:
    """Return how many labels first reach a score, between two numbers of labels on a scale of logarithms."""
    best = np.maximum.accumulate(means)
    if best[-1] < goal:
        return float("inf")
    at = int(np.argmax(best >= goal))
    if at == 0:
        return 0.0
    part = (goal - best[at - 1]) / (best[at] - best[at - 1])
    low, high = np.log1p(labels[at - 1]), np.log1p(labels[at])
    return float(np.expm1(low + part * (high - low)))


def needed(rows: list[dict[str, Any]], score: str, budget: int, n_boot: int = 1000) -> tuple[float, ...]:
    """Return labels that suggest needs for what random choice reaches with ``budget``, and its 95 % interval.

    The interval resamples the seeds, the same ones of both.
    """
    labels, ours = curve([row for row in rows if row["way"] == "suggest"], score)
    _, random = curve([row for row in rows if row["way"] == "random"], score)
    at = int(np.argmax(labels == budget))
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(ours), (n_boot, len(ours)))
    found = [labels_for(labels, ours[d].mean(axis=0), random[d, at].mean()) for d in draws]
    middle = labels_for(labels, ours.mean(axis=0), random[:, at].mean())
    low, high = np.quantile(found, [0.025, 0.975], method="nearest")
    return middle, float(low), float(high)


def by_pair(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every pair."""
    return {name: [r for r in rows if r["pair"] == name] for name in dict.fromkeys(r["pair"] for r in rows)}


def mean_of_pairs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the mean over pairs of every way, seed and number of labels that all pairs have."""
    frame, keys = pd.DataFrame(rows), ["way", "seed", "labels"]
    groups = frame.groupby(keys)
    whole = groups["pair"].transform("nunique") == frame["pair"].nunique()
    return frame[whole].groupby(keys, as_index=False)[list(SCORES)].mean().to_dict("records")


def curve_table(rows: list[dict[str, Any]], score: str) -> str:
    """Return the scores as a Markdown table: mean over seeds, and half of its 95 % t interval."""
    from scipy.stats import t

    lines = [f"| pair | cells | {' | '.join(map(str, (0, *BUDGETS)))} |", "|---" * (3 + len(BUDGETS)) + "|"]
    for pair, here in by_pair(rows).items():
        for way in CHOOSERS:
            labels, values = curve([row for row in here if row["way"] == way], score)
            half = t.ppf(0.975, len(values) - 1) * values.std(axis=0, ddof=1) / np.sqrt(len(values))
            texts = [f"{m:.3f} ± {h:.3f}" for m, h in zip(values.mean(axis=0), half, strict=True)]
            texts += ["-"] * (1 + len(BUDGETS) - len(labels))
            lines.append(f"| {pair} | {way} | {' | '.join(texts)} |")
    return "\n".join(lines)


def needed_table(rows: list[dict[str, Any]]) -> str:
    """Return the labels needed for what random choice reaches, as a Markdown table."""
    head = " | ".join(f"random {budget}" for budget in BUDGETS)
    lines = [f"| pair | mean recall over | {head} |", "|---" * (2 + len(BUDGETS)) + "|"]
    for pair, here in (by_pair(rows) | {"**mean of pairs**": mean_of_pairs(rows)}).items():
        there = {row["labels"] for row in here}
        for score, words in SCORES.items():
            texts = []
            for budget in BUDGETS:
                if budget not in there:
                    texts.append("-")
                    continue
                middle, low, high = (
                    "never" if np.isinf(v) else f"{v:.0f}" for v in needed(here, score, budget)
                )
                texts.append(f"{middle} ({low} to {high})")
            lines.append(f"| {pair} | {words} | {' | '.join(texts)} |")
    return "\n".join(lines)


def ratios(rows: list[dict[str, Any]], score: str) -> list[float]:
    """Return labels that suggest needs per label at random, where those gained at least a point."""
    found = []
    for here in by_pair(rows).values():
        labels, random = curve([row for row in here if row["way"] == "random"], score)
        gained = random.mean(axis=0) - random[:, 0].mean()
        found += [
            needed(here, score, int(budget), n_boot=1)[0] / budget
            for budget, gain in zip(labels, gained, strict=True)
            if budget and gain >= 0.01
        ]
    return found


def headline(rows: list[dict[str, Any]]) -> str:
    """Return in words how often half of the labels do."""
    said = []
    for score, words in SCORES.items():
        found = np.array(ratios(rows, score))
        middle = float(np.median(found))
        share = f"{middle:.2f} of the labels" if np.isfinite(middle) else "more labels than were tried"
        half = (found < 0.5001).sum()
        said.append(
            f"over {words}, suggested cells needed at most half as many labels in {half} of "
            f"{len(found)} places, fewer in {(found < 1).sum()}, and never got there in "
            f"{np.isinf(found).sum()} (median: {share})"
        )
    return "Where random labels gained at least a point: " + "; ".join(said) + "."


def draw(rows: list[dict[str, Any]]) -> Any:
    """Return the curves as a figure: a column for each pair, a row for each score."""
    from scipy.stats import t

    found = by_pair(rows)
    figure = new_figure(width=2.35 * len(found) + 0.4, height=4.9)
    axes = figure.subplots(2, len(found), squeeze=False, sharex=True, sharey="col")
    for column, (pair, here) in enumerate(found.items()):
        for row, (score, words) in enumerate(SCORES.items()):
            ax = axes[row, column]
            for way, colour in COLOURS.items():
                labels, values = curve([r for r in here if r["way"] == way], score)
                mean = values.mean(axis=0)
                half = t.ppf(0.975, len(values) - 1) * values.std(axis=0, ddof=1) / np.sqrt(len(values))
                places = np.log1p(labels)
                low, high = np.clip([mean - half, mean + half], 0.0, 1.0)
                ax.fill_between(places, low, high, color=colour, alpha=0.16, linewidth=0)
                ax.plot(places, mean, color=colour, marker="o", markersize=3.2, linewidth=1.4, label=way)
            ax.set_xticks(np.log1p([0, *BUDGETS]), [0, *BUDGETS])
            ax.tick_params(labelsize=7)
            ax.grid(axis="y", color="#e3e6e8", linewidth=0.7)
            without_frame(ax)
            if row == 0:
                ax.set_title(pair, fontsize=8)
            if column == 0:
                ax.set_ylabel(f"mean recall,\n{words}", fontsize=8)
    figure.supxlabel("labelled target cells", fontsize=9)
    lines = axes[0, 0].get_lines()
    words = {"suggest": "suggested", "random": "at random", "balanced": "class-balanced (sees all labels)"}
    figure.legend(lines, list(words.values()), frameon=False, fontsize=9, loc="outside upper center", ncols=3)
    return figure


def page(text: str, rows: list[dict[str, Any]]) -> str:
    """Return the page with its tables made anew."""
    parts = [headline(rows), needed_table(rows)]
    parts += [f"Mean recall over {SCORES[score]}:\n\n{curve_table(rows, score)}" for score in SCORES]
    return between(text, BEGIN, END, "\n\n".join(parts))


def measure(seeds: int, only: list[str], ways: list[str]) -> Iterator[list[dict[str, Any]]]:
    """Run all pairs, or those with a word in their name; yield the rows of one way after the other."""
    for pair in pairs(os.environ.get("ORTHOTYPE_REAL_DATA")):
        if only and not any(word in pair.name for word in only):
            continue
        model = trained(pair)
        tasks = [Task.of(pair, model, seed) for seed in range(seeds)]
        for way in ways:
            yield [row for task in tasks for row in run(task, way)]


def trained(pair: Pair) -> Any:
    """Return the model of the source, without classes of a single cell."""
    sizes = pair.source.obs[COLUMN].value_counts()
    source = pair.source[pair.source.obs[COLUMN].isin(sizes.index[sizes >= 2]).to_numpy()].copy()
    return ot.LabelTransfer().fit(
        source, labels=COLUMN, species=pair.species[0], target_species=pair.species[1]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pairs", nargs="*", default=[])
    parser.add_argument("--ways", nargs="*", default=list(CHOOSERS))
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    for found in [] if options.page else measure(options.seeds, options.pairs, options.ways):
        anew = {(row["pair"], row["way"]) for row in found}
        rows = [row for row in rows if (row["pair"], row["way"]) not in anew] + found
        RESULTS.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")
    draw(rows).savefig(FIGURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
