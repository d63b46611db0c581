"""Time of the gene importance of one study: ``python benchmarks/importance.py``.

2,000 real cells, 4,000 genes, five fold models, every class. Once as the study does it, each cell with the
model that did not see it, and once with all five models on all cells, the most that could be asked for.
Beside it scikit-learn's ``mutual_info_score``, which takes one gene and one class at a time: timed on a
sample of pairs, which also have to agree, and said for all pairs at that speed. Median of several runs after
one to warm up, in a process of its own.
"""

import argparse
import json
import sys
import time
from typing import Any

import numpy as np

from engine.measure import child, machine, save, timed
from engine.problems import counts, names

CELLS, GENES, FOLDS, PAIRS = 2000, 4000, 5, 400


def prepare(name: str) -> tuple[Any, Any]:
    """Return encoded cells and a consensus of fold models."""
    from orthotype.cells.encode import LogNormalize
    from orthotype.cells.select import GeneMoments, select_genes
    from orthotype.models.consensus import ConsensusClassifier

    raw, labels = counts(name)
    cells = np.sort(np.random.default_rng(0).permutation(raw.shape[0])[:CELLS])
    raw, labels = raw[cells], labels[cells]
    totals = np.asarray(raw.sum(axis=1), dtype=float).ravel()
    X = LogNormalize().encode(raw, totals)
    moments = GeneMoments(X.shape[1])
    moments.update(raw, totals, X)
    X = X[:, select_genes(moments, n_top=GENES, min_mean=0.0)]
    return X, ConsensusClassifier(1.0, n_splits=FOLDS, random_state=0).fit(X, labels)


def run_child(name: str, runs: str) -> dict[str, Any]:
    """Time one data set."""
    from orthotype.models.linear.softmax import softmax
    from orthotype.study.importance import importance, importance_by_fold, median_importance

    X, model = prepare(name)
    held_out = softmax(model.held_out_scores_ / model.temperature_)
    of_models = softmax(model.fold_scores(X) / model.temperature_)
    study = lambda: median_importance(importance_by_fold(X, held_out, folds=model.folds_))  # noqa: E731
    most = lambda: [importance(X, of_models[:, fold]) for fold in range(FOLDS)]  # noqa: E731
    study()
    _, seconds, times = timed(study, int(runs))
    bits, seconds_most, times_most = timed(most, int(runs))
    each, apart = slow(X, of_models[:, 0], bits[0])
    pairs = X.shape[1] * held_out.shape[1] * FOLDS
    return {
        "cells": X.shape[0],
        "genes": X.shape[1],
        "classes": held_out.shape[1],
        "share_of_values_stored": X.nnz / (X.shape[0] * X.shape[1]),
        "study": {"seconds": seconds, "times": times},
        "all_models_on_all_cells": {"seconds": seconds_most, "times": times_most},
        "one_pair_at_a_time": {
            "pairs_timed": PAIRS,
            "seconds_each": each,
            "seconds_for_all_pairs": each * pairs,
            "largest_difference_bits": apart,
        },
    }


def slow(X: Any, proba: np.ndarray, bits: np.ndarray) -> tuple[float, float]:
    """Return the seconds that scikit-learn takes for one pair, and the largest difference to ours in bits."""
    from sklearn.metrics import mutual_info_score

    rng = np.random.default_rng(1)
    genes, classes = rng.integers(0, X.shape[1], PAIRS), rng.integers(0, proba.shape[1], PAIRS)
    on = (X[:, genes] > 0).toarray()
    bins = np.digitize(proba[:, classes], [1 / 3, 2 / 3])
    mutual_info_score(on[:, 0], bins[:, 0])
    start = time.perf_counter()
    found = [mutual_info_score(on[:, i], bins[:, i]) for i in range(PAIRS)]
    each = (time.perf_counter() - start) / PAIRS
    return each, float(np.abs(np.array(found) / np.log(2) - bits[genes, classes]).max())


def main() -> None:
    """Run every data set there is, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="five runs each instead of twenty")
    runs = "5" if parser.parse_args().quick else "20"
    sets = [name for name in names() if name != "aml-small"]
    results: dict[str, Any] = {"machine": machine(), "runs": int(runs), "settings": {}}
    for name in sets:
        results["settings"][name] = child(__file__, name, runs)
    save("importance", results)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(run_child(*sys.argv[2:])))
    else:
        main()
