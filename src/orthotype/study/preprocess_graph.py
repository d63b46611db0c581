"""The steps of the preprocessing that look at all cells together, through scanpy and igraph.

Every step is exact or seeded: neighbours are searched exhaustively, one thread does the linear algebra, and
Louvain and Leiden draw the order of the cells from seeds of their own. So neither the number of threads nor
what ran before changes a result.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.errors import InputError, OrthotypeError
from orthotype.study.thresholds import Thresholds

if TYPE_CHECKING:
    from anndata import AnnData

NEEDED = (
    'preprocessing needs scanpy and igraph, and {name} is not installed; pip install "orthotype[scanpy]", or '
    "begin with cells that have labels already"
)


def import_scanpy() -> Any:
    """Return the scanpy package.

    Raises
    ------
    OrthotypeError
        If it, or igraph, is not installed.
    """
    for name in ("scanpy", "igraph"):
        try:
            __import__(name)
        except ImportError as error:
            raise OrthotypeError(NEEDED.format(name=name)) from error
    import scanpy

    return scanpy


def add_clusters(adata: "AnnData", thresholds: "Thresholds", *, key_added: str, random_state: int) -> None:
    """Normalise counts in X, and add variable genes, components, clusters in ``obs[key_added]`` and a map.

    Raises
    ------
    InputError
        If too few genes are variable.
    """
    from threadpoolctl import threadpool_limits

    scanpy = import_scanpy()
    names = adata.var_names
    adata.layers["counts"] = sp.csr_matrix(adata.X, dtype=np.int32)
    adata.var_names = [str(number) for number in range(adata.n_vars)]
    with threadpool_limits(1):
        scanpy.pp.normalize_total(adata, target_sum=thresholds.target_sum)
        scanpy.pp.log1p(adata)
        scanpy.pp.highly_variable_genes(
            adata,
            flavor="seurat",
            min_mean=thresholds.min_mean,
            max_mean=thresholds.max_mean,
            min_disp=thresholds.min_dispersion,
        )
        adata.obsm["X_pca"] = _components(scanpy, adata, thresholds, random_state)
        scanpy.pp.neighbors(
            adata,
            n_neighbors=thresholds.n_neighbors,
            use_rep="X_pca",
            transformer="sklearn",
            random_state=random_state,
        )
        adata.obs[key_added] = clusters(
            adata.obsp["connectivities"],
            method=thresholds.clustering,
            resolution=thresholds.resolution,
            n_starts=thresholds.n_starts,
            random_state=random_state,
        )
        if thresholds.umap:
            scanpy.tl.umap(adata, random_state=random_state)
    adata.var_names = names


def _components(
    scanpy: Any, adata: "AnnData", thresholds: "Thresholds", random_state: int
) -> NDArray[np.float32]:
    """Return the principal components of the variable genes."""
    variable = adata[:, adata.var["highly_variable"].to_numpy()].copy()
    if variable.n_vars <= thresholds.n_components:
        raise InputError(
            f"{variable.n_vars:,} of {adata.n_vars:,} genes are variable; expected more than "
            f"n_components={thresholds.n_components}; lower min_mean or min_dispersion"
        )
    if thresholds.scale_max is not None:
        scanpy.pp.scale(variable, zero_center=False, max_value=thresholds.scale_max)
    scanpy.pp.pca(
        variable,
        n_comps=thresholds.n_components,
        svd_solver="arpack",
        random_state=random_state,
        mask_var=None,
    )
    found: NDArray[np.float32] = np.ascontiguousarray(variable.obsm["X_pca"], dtype=np.float32)
    return found


def clusters(
    graph: sp.csr_matrix, *, method: str, resolution: float, n_starts: int, random_state: int
) -> pd.Categorical:
    """Return the cluster of each cell of a weighted graph; the largest is "0".

    Parameters
    ----------
    graph
        Weights between cells, symmetric.
    method
        ``"louvain"`` (Blondel et al. 2008) or ``"leiden"`` (Traag et al. 2019, modularity, until stable).
    resolution
        Of the modularity: higher gives more clusters.
    n_starts
        Runs with the cells in different orders, of which the one of the highest modularity is kept.
    random_state
        Seed.
    """
    import igraph

    edges = sp.triu(graph, k=1).tocoo()
    network = igraph.Graph(n=graph.shape[0], edges=np.column_stack([edges.row, edges.col]))
    weights = edges.data.astype(float).tolist()
    best, best_quality = [0] * graph.shape[0], -np.inf
    for seed in np.random.SeedSequence(random_state).spawn(n_starts):
        with _seeded(igraph, seed):
            if method == "louvain":
                found = network.community_multilevel(weights=weights, resolution=resolution)
            else:
                found = network.community_leiden(
                    objective_function="modularity", weights=weights, resolution=resolution, n_iterations=-1
                )
        quality = network.modularity(found.membership, weights=weights, resolution=resolution)
        if quality > best_quality:
            best, best_quality = found.membership, quality
    return _by_size(np.asarray(best))


def _by_size(membership: NDArray[np.int64]) -> pd.Categorical:
    """Return clusters numbered by size, those of one size by their first cell."""
    names, first, places, sizes = np.unique(
        membership, return_index=True, return_inverse=True, return_counts=True
    )
    ranks = np.argsort(np.lexsort([first, -sizes])).astype(str)
    return pd.Categorical(ranks[places].tolist(), categories=[str(number) for number in range(len(names))])


@contextmanager
def _seeded(igraph: Any, seed: np.random.SeedSequence) -> Iterator[None]:
    """Let igraph draw from a generator of this seed, and give it back the one that it has by default."""
    igraph.set_random_number_generator(random.Random(int(seed.generate_state(1)[0])))
    try:
        yield
    finally:
        igraph.set_random_number_generator(random)
