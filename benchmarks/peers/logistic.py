"""Plain logistic regression of scikit-learn: log-normalised counts, the selected genes, balanced classes."""

import time
from typing import Any

from sklearn.linear_model import LogisticRegression

from peers.problem import Answer, Problem, log_normalised


def run(problem: Problem, job: dict[str, Any]) -> list[Answer]:
    start = time.perf_counter()
    X, Z = (log_normalised(counts)[:, problem.selected] for counts in (problem.source, problem.target))
    model = LogisticRegression(class_weight="balanced", max_iter=1000, random_state=job["seed"])
    proba = model.fit(X, problem.labels).predict_proba(Z)
    top, best = model.classes_[proba.argmax(axis=1)], proba.max(axis=1)
    return [Answer(top=top, given=top, score=best, confidence=best, seconds=time.perf_counter() - start)]
