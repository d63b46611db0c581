"""SingleR through its Python bindings, with the markers that its authors advise for single-cell references.

Markers between every two classes by the area under the curve, fine tuning on. What its authors prune cells by
is the score of the label less the median score; here it stands for how well a cell fits.
"""

import time
from typing import Any

import numpy as np
import singler

from peers.problem import Answer, Problem, log_normalised


def run(problem: Problem, job: dict[str, Any]) -> list[Answer]:
    start = time.perf_counter()
    features = problem.features.tolist()
    reference, test = (log_normalised(c).T.tocsc() for c in (problem.source, problem.target))
    for counts in (reference, test):
        counts.sort_indices()
    trained = singler.train_single(
        reference,
        problem.labels.tolist(),
        features,
        test_features=features,
        marker_method="auc",
        num_threads=job["threads"],
    )
    found = singler.classify_single(test, trained, num_threads=job["threads"])
    label = np.array([str(name) for name in found["best"]])
    table = found["scores"]
    names = [str(name) for name in table.column_names]
    scores = np.stack([np.asarray(table[name], dtype=float) for name in names], axis=1)
    place = np.searchsorted(names, label)
    fit = scores[np.arange(len(label)), place] - np.median(scores, axis=1)
    seconds = time.perf_counter() - start
    return [Answer(top=label, given=label, score=fit, confidence=np.empty(0), seconds=seconds)]
