"""CellTypist as its guide says: log counts per 10,000, two rounds with its own genes, then annotate.

The second answer, for the first seed of a whole source, adds majority voting over its own clusters of the
target.
"""

import time
from typing import Any

import anndata as ad
import celltypist
import numpy as np

from peers.problem import Answer, Problem, log_normalised


def cells(counts: Any, problem: Problem) -> ad.AnnData:
    adata = ad.AnnData(log_normalised(counts).astype(np.float32))
    adata.var_names = problem.features
    adata.obs_names = [f"cell{place}" for place in range(adata.n_obs)]
    return adata


def run(problem: Problem, job: dict[str, Any]) -> list[Answer]:
    start = time.perf_counter()
    train = cells(problem.source, problem)
    train.obs["label"] = problem.labels
    model = celltypist.train(
        train, labels="label", n_jobs=job["threads"], feature_selection=True, random_state=job["seed"]
    )
    answers = []
    for voting in (False, True)[: 2 if job["seed"] == 0 and job["without"] is None else 1]:
        found = celltypist.annotate(cells(problem.target, problem), model=model, majority_voting=voting)
        column = "majority_voting" if voting else "predicted_labels"
        if column not in found.predicted_labels:
            break
        label = found.predicted_labels[column].astype(str).to_numpy()
        proba = found.probability_matrix
        place = proba.columns.astype(str).get_indexer(label)
        sure = proba.to_numpy()[np.arange(len(label)), place]
        score = proba.to_numpy().max(axis=1)
        seconds = time.perf_counter() - start
        answers.append(Answer(top=label, given=label, score=score, confidence=sure, seconds=seconds))
    return answers
