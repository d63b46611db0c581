"""Named problems on real cells: the bundled pair for everyone, more with ORTHOTYPE_REAL_DATA."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array, diags_array

AML = "vangalen2019_human_bm_aml_d0.h5ad"


@dataclass(frozen=True)
class Problem:
    """Log-normalised training and test cells, and the penalty at which solvers are compared."""

    name: str
    what: str
    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray
    alpha: float

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.y.max()) + 1


def names() -> list[str]:
    """Return the problems that can be run here."""
    return ["baron", "aml-small", "aml-all"] if real_data() else ["baron"]


def real_data() -> Path | None:
    """Return the folder of development data, where there is one."""
    folder = Path(os.environ.get("ORTHOTYPE_REAL_DATA", ""))
    return folder if (folder / AML).is_file() else None


def counts(name: str) -> tuple[Any, np.ndarray]:
    """Return the raw counts and the labels behind a problem."""
    if name.startswith("baron"):
        from orthotype import datasets

        adata = datasets.get("baron2016-human")
    else:
        import anndata

        adata = anndata.read_h5ad(real_data() / AML)
    return csr_array(adata.X, dtype=np.float32), adata.obs["cell_type"].astype(str).to_numpy()


def problem(name: str) -> Problem:
    """Return a problem by name: four fifths of the cells train, the others test."""
    X, labels = counts(name)
    X = normalised(X)
    y = np.unique(labels, return_inverse=True)[1]
    train, test = split(len(y))
    genes = chosen_genes(X[train], 2000 if name != "aml-all" else None)
    what = {"baron": "Baron human pancreas", "aml-small": "van Galen AML", "aml-all": "van Galen AML"}[name]
    alpha = 0.0278 if name.startswith("aml") else 0.01
    return Problem(name, what, X[train][:, genes], y[train], X[test][:, genes], y[test], alpha)


def normalised(X: csr_array) -> csr_array:
    """Return the logarithm of one plus counts per 10,000."""
    total = np.asarray(X.sum(axis=1)).ravel()
    X = csr_array(diags_array((1e4 / np.maximum(total, 1)).astype(np.float32)) @ X)
    X.data = np.log1p(X.data)
    X.sort_indices()
    return X


def split(n_cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the training cells, four fifths, and the test cells."""
    order = np.random.default_rng(0).permutation(n_cells)
    cut = int(0.8 * n_cells)
    return np.sort(order[:cut]), np.sort(order[cut:])


def chosen_genes(X: Any, most: int | None) -> np.ndarray:
    """Return the most variable genes, or all that were seen at least ten times."""
    if most is None:
        return np.flatnonzero(np.bincount(X.indices, minlength=X.shape[1]) >= 10)
    mean = np.asarray(X.mean(axis=0)).ravel()
    variance = np.asarray(X.multiply(X).mean(axis=0)).ravel() - mean**2
    return np.sort(np.argsort(-variance)[:most])
