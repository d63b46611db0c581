"""Time of a refit on the labels given so far, as behind a click: ``python benchmarks/adapt_speed.py``.

Simulated log-normalised counts of classes with marker genes, where speed depends on sizes alone: so many
classes, labelled cells and genes. CPU time of one thread, median of fifteen runs after one to warm up; from
encoded cells to new weights on genes:

- *refit*: orthotype, both fits, in the metric of unlabelled cells, which is known, every row moved and a
  stand-in beside the labels of every class
- *refit, next label*: the same when only a label changed, the rows being turned already
- *SGD, warm*: scikit-learn's ``SGDClassifier`` from the source's weights, until it stops by itself
- *scratch, orthotype*: ``solve`` from nothing, at a strength of one
- *scratch, scikit-learn*: ``LogisticRegression`` from nothing, at the same
- *refit, strengths chosen and labels doubted*: the first refit, before which held-out cells are scored at
  seven strengths

Results: ``benchmarks/results/adapt_speed.json``; ``benchmarks/adapt.py --page`` writes the table.
"""

import json
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from adapt_page import SPEED
from engine.measure import machine
from orthotype.models.linear import solve
from orthotype.models.linear.reduced import Metric
from orthotype.transfer.adapt.anchors import Anchors
from orthotype.transfer.adapt.choice import Cost, chosen, trust
from orthotype.transfer.adapt.lesson import to_their_like
from orthotype.transfer.adapt.refit import Evidence, Refit
from orthotype.transfer.adapt.starts import Start

SETTINGS = {
    "10 classes, 100 cells, 2,000 genes": (10, 10, 2000),
    "24 classes, 240 cells, 4,000 genes": (24, 10, 4000),
    "36 classes, 720 cells, 4,000 genes": (36, 20, 4000),
}
ALPHA, RUNS, MARKERS = 1.0, 15, 30


def simulated(n_classes: int, per_class: int, n_genes: int, *, moved: float, seed: int) -> tuple[Any, Any]:
    """Return encoded cells with markers of their class, genes ``moved`` by the species, and the classes."""
    rng = np.random.default_rng(seed)
    codes = np.tile(np.arange(n_classes), per_class)
    level = np.tile(np.random.default_rng(0).gamma(0.4, 0.6, n_genes), (n_classes, 1))
    for k in range(n_classes):
        level[k, np.random.default_rng(k).integers(0, n_genes, MARKERS)] += 3.0
    level *= np.exp(moved * np.random.default_rng(7).normal(size=n_genes))
    return sp.csr_array(np.log1p(rng.poisson(level[codes]).astype(np.float64))), codes.astype(np.intp)


def cpu(run: Callable[[], object], runs: int = RUNS) -> dict[str, Any]:
    """Return the median CPU time of some runs after one to warm up."""
    run()
    times = []
    for _ in range(runs):
        begun = time.process_time()
        run()
        times.append(time.process_time() - begun)
    return {"seconds": float(np.median(times)), "times": times}


def measure(n_classes: int, per_class: int, n_genes: int) -> dict[str, Any]:
    """Time all ways on one setting."""
    from sklearn.linear_model import LogisticRegression, SGDClassifier

    X0, y0 = simulated(n_classes, 60, n_genes, moved=0.0, seed=1)
    source = solve(X0, y0, n_classes=n_classes, alpha=0.1)
    X, y = simulated(n_classes, per_class, n_genes, moved=0.5, seed=2)
    others, y_others = simulated(n_classes, 60, n_genes, moved=0.5, seed=3)
    metric = Metric.of(others)
    along = metric.along(sp.vstack([others, X], format="csr"))
    moved = to_their_like(along, along * metric.scale, X.shape[0])
    means = [others[np.flatnonzero(y_others == k)[:20]].mean(axis=0) for k in range(n_classes)]
    none = np.zeros(n_classes, dtype=bool)
    stand_ins = Anchors(sp.csr_array(np.stack(means)), np.arange(n_classes), none, none)
    evidence = Evidence.of(X, y, stand_ins, random_state=0, moved=moved)
    zeros = np.zeros(n_genes)
    start = Start("source", 1.0, zeros, source.coef.astype(np.float64), np.asarray(source.intercept))
    ready = Refit(evidence, start, metric=metric)

    def stochastic() -> Any:
        model = SGDClassifier(loss="log_loss", alpha=ALPHA / n_classes, random_state=0)
        return model.fit(X, y, coef_init=source.coef.copy(), intercept_init=source.intercept.copy())

    def everything() -> Any:
        found, held_out = chosen(Refit(evidence, start, metric=metric))
        return found.change(trust(Cost(y).sureness(held_out) * held_out, y))

    sk = LogisticRegression(C=1 / (ALPHA * len(y)), max_iter=1000)
    return {
        "refit": cpu(lambda: Refit(evidence, start, metric=metric).change()),
        "refit, next label": cpu(ready.change),
        "SGD, warm": cpu(stochastic, 5),
        "scratch, orthotype": cpu(lambda: solve(X, y, n_classes=n_classes, alpha=ALPHA), 5),
        "scratch, scikit-learn": cpu(lambda: sk.fit(X, y), 5),
        "refit, strengths chosen and labels doubted": cpu(everything, 3),
    }


def main() -> None:
    warnings.simplefilter("ignore")
    found: dict[str, Any] = {"machine": machine(), "settings": {}}
    for words, sizes in SETTINGS.items():
        found["settings"][words] = measure(*sizes)
        told = {way: round(1000 * each["seconds"], 1) for way, each in found["settings"][words].items()}
        print(words, told, flush=True)
    SPEED.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
