"""Symphony in Python, step by step as its guide says, labels by the nearest reference cells.

Harmony joins the donors of the reference where there are several, the donors of the target are its batches.
Confidence is the share of the neighbours; its own distance to the reference says how well a cell fits. For a
reference of one donor, which goes without Harmony, 0.2.4 hands the mapping the centre of each cluster where
the sum of its cells is meant; that costs it half of its accuracy, so the sums are put in here.
"""

import time
from typing import Any

import anndata as ad
import numpy as np
import scanpy as sc
import symphonypy as sp
from sklearn.neighbors import KNeighborsClassifier

from peers.problem import Answer, Problem


def cells(counts: Any, problem: Problem, donors: np.ndarray) -> ad.AnnData:
    adata = ad.AnnData(counts.astype(np.float32))
    adata.var_names, adata.obs["donor"] = problem.features, donors
    adata.obs_names = [f"cell{place}" for place in range(adata.n_obs)]
    sc.pp.normalize_total(adata, target_sum=1e5)
    sc.pp.log1p(adata)
    return adata


def reference(problem: Problem, seed: int) -> tuple[ad.AnnData, str]:
    adata = cells(problem.source, problem, problem.source_donors)
    adata.obs["label"] = problem.labels
    batches = len(set(problem.source_donors)) > 1
    sc.pp.highly_variable_genes(adata, batch_key="donor" if batches else None, n_top_genes=2000)
    adata.raw = adata
    adata = adata[:, adata.var["highly_variable"]].copy()
    sc.pp.scale(adata, max_value=10)
    sc.pp.pca(adata, n_comps=30, zero_center=False, random_state=seed)
    if batches:
        sp.pp.harmony_integrate(adata, key="donor", random_seed=seed)
    return adata, "X_pca_harmony" if batches else "X_pca"


def run(problem: Problem, job: dict[str, Any]) -> list[Answer]:
    start = time.perf_counter()
    source, basis = reference(problem, job["seed"])
    target = cells(problem.target, problem, problem.target_donors)
    batches = "donor" if len(set(problem.target_donors)) > 1 else None
    sp.tl.map_embedding(target, source, key=batches)
    if basis == "X_pca":
        harmony = source.uns["harmony"]
        harmony["C"] = np.asarray(harmony["R"] @ source.obsm[basis])
        sp.tl.map_embedding(target, source, key=batches)
    sp.tl.per_cell_confidence(target, source, ref_basis_adjusted=basis)
    sp.tl.transfer_labels_kNN(target, source, "label", ref_basis=basis)
    label = target.obs["label"].astype(str).to_numpy()
    seconds = time.perf_counter() - start
    nearest = KNeighborsClassifier().fit(source.obsm[basis], source.obs["label"])
    share = nearest.predict_proba(target.obsm["X_pca_harmony"]).max(axis=1)
    fit = -target.obs["symphony_per_cell_dist"].to_numpy()
    return [Answer(top=label, given=label, score=fit, confidence=share, seconds=seconds)]
