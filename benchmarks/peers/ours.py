"""orthotype as its users call it: two data sets as they come, its own orthologs and its own choice of genes.

``file``: trained without the target, saved, read again, as when others annotate. ``target``: genes are chosen
in both data sets. Each is asked with everything on, as is the default, then with every cell judged by itself,
as most other tools do, and last as the trained model alone.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np

import orthotype as ot
from peers.problem import Answer, Problem

SETTINGS: tuple[dict[str, Any], ...] = (
    {"alignment": "shift", "unknown": "similarity"},
    {"alignment": "shift", "unknown": "similarity", "n_neighbors": 0},
    {"alignment": "none", "unknown": "none", "n_neighbors": 0},
)


def fitted(problem: Problem, job: dict[str, Any], target: Any) -> ot.LabelTransfer:
    source = ad.read_h5ad(job["source"])[problem.rows].copy()
    source.obs["label"] = problem.labels
    given = {"target": target} if "target" in job["options"] else {}
    model = ot.LabelTransfer(random_state=job["seed"]).fit(
        source, labels="label", species=job["species"][0], target_species=job["species"][1], **given
    )
    if given:
        return model
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        return ot.load(path)


def run(problem: Problem, job: dict[str, Any]) -> list[Answer]:
    target = ad.read_h5ad(job["target"])
    start = time.perf_counter()
    model = fitted(problem, job, target)
    fitting = time.perf_counter() - start
    answers = []
    for setting in SETTINGS:
        start = time.perf_counter()
        found = model.label(target, species=job["species"][1], **setting)
        called = found.predictions
        answers.append(
            Answer(
                top=called.classes[called.proba.argmax(axis=1)],
                given=called.label,
                score=called.proba.max(axis=1) if setting["unknown"] == "none" else found.fit,
                confidence=np.minimum(called.proba.max(axis=1), 1),
                seconds=fitting + time.perf_counter() - start,
            )
        )
    return answers
