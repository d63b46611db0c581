"""How much is lost when the target lacks genes of the model, and which number foretells it.

Usage::

    python benchmarks/gene_coverage.py [--splits 3] [--draws 2]

On the bundled Baron pancreas data, the source side only: a model is trained on half of the cells of one
species (stratified halves, and whole donors), the other half of the *same* species is labelled once with
all genes and then again with genes taken away: at random, the least expressed first, the genes with most
weight first, and panels drawn by expression. The loss is the drop of mean recall over classes with at least
ten held-out cells, also without the filling of missing genes (``unfilled``). Each candidate measure is
judged by how well it orders and foretells that loss, fitted on one species and tested on the other; its
levels are where a loss of 1 and of 5 points is to be expected. Results go to
``benchmarks/results/gene_coverage.json``; ``docs/coverage.md`` tells them.
"""

import argparse
import json
import platform
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.stats import spearmanr
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_auc_score

import orthotype as ot
from orthotype.cells.table import open_cells
from orthotype.models.consensus import count_votes, mean_proba
from orthotype.transfer.coverage import expected_loss
from orthotype.transfer.labelling import Options, label_cells
from orthotype.transfer.state import ModelState

LABELS, DONOR = "cell_ontology_class", "donor"
RESULTS = Path(__file__).parent / "results" / "gene_coverage.json"
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
TOP_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
PANELS = (3451, 1000, 400)
LEAST_CELLS = 10
SPREADS = (1.0, 1.5, 2.0, 3.0)  # c of orthotype.transfer.coverage
NOTE, WARNING, NEAR = 1.0, 5.0, 15.0  # points of mean recall
KEYS = ("species", "split", "how", "removed", "all", "loss", "unfilled")
Mask = np.ndarray


def measures(state: ModelState, present: Mask, share: float) -> dict[str, float]:
    """Return every candidate: 0 if nothing is missing, larger the more should be lost."""
    W, mean = state.mean_coef, state.profiles.mean.astype(float)
    strength = np.abs(W).max(axis=0) * np.sqrt(mean.var(axis=0))
    gain = np.clip(W * (mean - state.profiles.centre), 0, None)
    of_class = 1 - gain[:, present].sum(axis=1) / gain.sum(axis=1)
    before, after = margins(state, np.ones_like(present)), margins(state, present)
    lost = np.clip(1 - after / np.maximum(before, 1e-9), 0, 1)  # 0 for a class against itself
    return {
        "genes": float(1 - present.mean()),
        "counts": 1 - share,
        "weight": float(strength[~present].sum() / strength.sum()),
        "gain": float(of_class.mean()),
        "margin": float(lost.max(axis=1).mean()),
        **{f"expected_{c}": 100 * expected_loss(state, present, spread=c) for c in SPREADS},
    }


def margins(state: ModelState, present: Mask) -> Mask:
    """Return the mean margin of each class over each rival; a missing gene gives none."""
    W, b, profiles = state.mean_coef, state.intercept.mean(axis=0, dtype=float), state.profiles
    values = np.where(present, profiles.mean, profiles.centre)
    scores = values @ W.T + b
    return scores.diagonal()[:, None] - scores + np.eye(len(W))


def splits(labels: Mask, donors: Mask, n: int) -> Iterator[tuple[str, Mask]]:
    """Yield training masks: stratified halves, then halves of the donors."""
    for seed in range(n):
        rng = np.random.default_rng(seed)
        train = np.zeros(len(labels), dtype=bool)
        for name in np.unique(labels):
            cells = rng.permutation(np.flatnonzero(labels == name))
            train[cells[: (len(cells) + 1) // 2]] = True
        yield f"half {seed}", train
    names = np.unique(donors)
    for first in (0, 1):
        yield f"donors {first}", np.isin(donors, names[first::2])


def removals(state: ModelState, table: Any, *, draws: int) -> Iterator[tuple[str, float, Mask]]:
    """Yield which genes of the data stay: how they were chosen, how many went, mask."""
    n = len(table.totals)
    by_expression = np.argsort(table.totals, kind="stable")
    projection = state.space.align(table.genes, species=table.species).projection.tocoo()
    feature_of = np.full(n, -1)
    feature_of[projection.row] = projection.col
    strength = np.abs(state.mean_coef).max(axis=0) * np.sqrt(state.profiles.mean.var(axis=0))
    strongest = np.argsort(-strength, kind="stable")
    for share in SHARES:
        yield "low", share, _without(n, by_expression[: int(share * n)])
        for draw in range(draws):
            rng = np.random.default_rng([draw, int(1000 * share)])
            yield "random", share, _without(n, rng.permutation(n)[: int(share * n)])
    for share in TOP_SHARES:
        gone = strongest[: int(share * len(strongest))]
        yield "top", share, _without(n, np.flatnonzero(np.isin(feature_of, gone)))
    for size in PANELS:
        for draw in range(draws):
            rng = np.random.default_rng([draw, size])
            chance = (table.totals + 1) / (table.totals + 1).sum()
            yield "panel", 1 - size / n, np.isin(np.arange(n), rng.choice(n, size, replace=False, p=chance))


def _without(n: int, gone: Mask) -> Mask:
    kept = np.ones(n, dtype=bool)
    kept[gone] = False
    return kept


def labelled(state: ModelState, few: Any) -> Iterator[Mask]:
    """Yield labels of cells that lack genes: as orthotype gives them, then missing genes read as zeros."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ot.errors.OrthotypeWarning)
        plain = Options(alignment="none", unknown="none", n_neighbors=0)
        yield label_cells(state, few, options=plain, block_size=4096).predictions.label
    aligned = state.space.align(few.genes, species=few.species)
    rows = [block for _, block in aligned.blocks(few.rows, size=4096)]
    scores = state.scores(sp.csr_array(sp.vstack(rows, format="csr")))
    votes = count_votes(scores.argmax(axis=2), proba=mean_proba(scores, temperature=state.temperature))
    yield np.where(votes.agreed, state.classes[votes.winner], "no agreement")


def mean_recall(true: Mask, called: Mask) -> float:
    names = [name for name in np.unique(true) if (true == name).sum() >= LEAST_CELLS]
    return 100 * float(np.mean([(called[true == name] == name).mean() for name in names]))


def measure(species: str, *, n_splits: int, draws: int) -> list[dict[str, Any]]:
    """Train, take genes away, label: one row for each removal."""
    cells = ot.datasets.get(f"baron2016-{species}")
    labels, donors = cells.obs[LABELS].astype(str).to_numpy(), cells.obs[DONOR].astype(str).to_numpy()
    rows = []
    for split, train in splits(labels, donors, n_splits):
        seen = {name for name in np.unique(labels[train]) if (labels[train] == name).sum() >= 2}
        train &= np.isin(labels, list(seen))
        model = ot.LabelTransfer().fit(cells[train].copy(), labels=LABELS, species=species)
        test = cells[
            ~np.isin(np.arange(len(labels)), np.flatnonzero(train)) & np.isin(labels, list(seen))
        ].copy()
        true = test.obs[LABELS].astype(str).to_numpy()
        told = model.label(test, species=species, alignment="none", unknown="none", n_neighbors=0)
        whole = mean_recall(true, told.predictions.label)
        table = open_cells(test, subject="test", species=species)
        for how, share, kept in removals(model.state_, table, draws=draws):
            few = open_cells(test[:, kept].copy(), subject="few", species=species)
            aligned = model.state_.space.align(few.genes, species=species)
            present = aligned.present[model.state_.space.selected]
            losses = [whole - mean_recall(true, called) for called in labelled(model.state_, few)]
            found = {"all": whole, "loss": losses[0], "unfilled": losses[1]}
            found |= measures(model.state_, present, aligned.share)
            setting = {"species": species, "split": split, "how": how, "removed": round(share, 4)}
            rows.append(setting | {name: round(value, 4) for name, value in found.items()})
        print(species, split, len(seen), "classes, mean recall", round(whole, 1), flush=True)
    return rows


def judged(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return how well a measure orders the loss, and foretells it on the species it was not fitted on."""
    x, y = (np.array([row[key] for row in rows]) for key in (name, "loss"))
    species = np.array([row["species"] for row in rows])
    errors, near = [], []
    for one in ("mouse", "human"):
        curve = IsotonicRegression(out_of_bounds="clip").fit(x[species == one], y[species == one])
        off = np.abs(curve.predict(x) - y)[species != one]
        errors.append(off.mean())
        near.append(off[y[species != one] < NEAR].mean())
    curve = IsotonicRegression(out_of_bounds="clip").fit(x, y)
    grid = np.linspace(0, x.max(), 2001)
    expected = curve.predict(grid)
    levels = [float(grid[np.argmax(expected >= points)]) for points in (NOTE, WARNING)]
    return {
        "spearman": float(spearmanr(x, y).statistic),
        "explained": float(1 - ((y - curve.predict(x)) ** 2).sum() / ((y - y.mean()) ** 2).sum()),
        "mean_error_points": [round(float(error), 2) for error in errors],
        "mean_error_points_where_loss_is_under_15": [round(float(error), 2) for error in near],
        "auroc_loss_of_5_points": float(roc_auc_score(y >= WARNING, x)),
        "level_at_1_point": round(levels[0], 4),
        "level_at_5_points": round(levels[1], 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--splits", type=int, default=3, help="stratified halves; halves of the donors are added"
    )
    parser.add_argument("--draws", type=int, default=2, help="random removals of each size")
    asked = parser.parse_args()
    rows = [row for s in ("mouse", "human") for row in measure(s, n_splits=asked.splits, draws=asked.draws)]
    found = {name: judged(rows, name) for name in rows[0] if name not in KEYS}
    for name, result in found.items():
        print(f"{name:<11}", *(f"{key} {value}" for key, value in result.items()), flush=True)
    machine = {"python": platform.python_version(), "numpy": np.__version__, "machine": platform.machine()}
    RESULTS.parent.mkdir(exist_ok=True)
    text = json.dumps({"machine": machine, "measures": found, "rows": []}, indent=1)
    lines = ",\n  ".join(json.dumps(row) for row in rows)
    RESULTS.write_text(text.replace('"rows": []', f'"rows": [\n  {lines}\n ]') + "\n")


if __name__ == "__main__":
    main()
