"""Time of a refit on the labels given so far, as behind a click: ``python benchmarks/adapt_speed.py``.

Simulated log-normalised counts of classes with marker genes, where speed depends on sizes alone: so many
classes, labelled cells and genes. CPU time of one thread, median of fifteen runs after one to warm up; from
encoded cells to new weights on genes, at one strength:

- *refit*: orthotype, around the source's weights, in the metric of unlabelled cells, which is known
- *refit, next label*: the same when only a label changed, the rows being turned already
- *SGD, warm*: scikit-learn's ``SGDClassifier`` from the source's weights, until it stops by itself
- *scratch, orthotype*: ``solve`` of the same objective from nothing
- *scratch, scikit-learn*: ``LogisticRegression`` from nothing
- *refit and held out*: with the scores of held-out cells at one worth, for the report

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
from orthotype.models.linear.loss import class_weights
from orthotype.models.linear.reduced import FewRows, Metric
from orthotype.models.linear.refit import refit_path
from orthotype.transfer.adapt.anchors import Anchors
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
    before, weights = X @ source.coef.T + source.intercept, class_weights(y)
    metric = Metric.of(simulated(n_classes, 60, n_genes, moved=0.5, seed=3)[0])
    moving, ready = np.ones(n_classes, dtype=bool), FewRows(X, weights, metric)

    def refit(few: FewRows) -> Any:
        (theta,) = refit_path(few, before, y, weights, moving=moving, alphas=[ALPHA])
        return few.expand(theta)

    def stochastic() -> Any:
        model = SGDClassifier(loss="log_loss", alpha=ALPHA / n_classes, random_state=0)
        return model.fit(X, y, coef_init=source.coef.copy(), intercept_init=source.intercept.copy())

    def everything() -> Any:
        zeros = np.zeros(n_genes)
        start = Start("source", 1.0, zeros, source.coef.astype(np.float64), np.asarray(source.intercept))
        none = Anchors(X[:0], y[:0], np.zeros(n_classes, dtype=bool))
        found = Refit(Evidence.of(X, y, none, random_state=0), start, metric=metric)
        return found.few.expand(found.fit()[0]), found.held_out()

    sk = LogisticRegression(C=1 / (ALPHA * len(y)), max_iter=1000)
    return {
        "refit": cpu(lambda: refit(FewRows(X, weights, metric))),
        "refit, next label": cpu(lambda: refit(ready)),
        "SGD, warm": cpu(stochastic, 5),
        "scratch, orthotype": cpu(lambda: solve(X, y, n_classes=n_classes, alpha=ALPHA), 5),
        "scratch, scikit-learn": cpu(lambda: sk.fit(X, y), 5),
        "refit and held out": cpu(everything, 3),
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
