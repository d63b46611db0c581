"""From raw counts to clusters: quality control, normalisation, variable genes, components, clusters, a map.

The steps and their thresholds are those by which Stumpf et al. (2020) made the cell types to be transferred::

    cells    min_counts..max_counts UMI, at least min_genes genes, a mitochondrial share under max_mito
    genes    not mitochondrial, in at least min_cells of these cells
    values   log(1 + target_sum c / s), s the sum of the cell
    genes    variable: mean and dispersion above their bounds (Seurat's mean.var.plot)
    PCA      of these genes, each divided by its standard deviation and cut at scale_max
    clusters Louvain at the resolution, on the graph of nearest neighbours

What differs from the authors' scripts, which ran Seurat 2: sequencing depth is not regressed out and genes
are not centred before the cut, because both would make a dense matrix (the PCA centres them); neighbours are
weighted as UMAP weighs them, not by the neighbours they share; the map is UMAP, not t-SNE; the best of
``n_starts`` runs of Louvain is kept, not of 100. Clusters and their numbers are therefore not the authors',
and names that they gave to theirs do not fit.
"""

import warnings
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.clusters import name_clusters
from orthotype.cells.counts import Counts, find_counts
from orthotype.cells.quiet import quiet
from orthotype.cells.rows import stored_blocks
from orthotype.errors import InputError, OrthotypeWarning
from orthotype.genes.clean import split_genome
from orthotype.genes.identify import identify
from orthotype.genes.species import TABLED, resolve_species
from orthotype.genes.tables import gene_table
from orthotype.study import preprocess_graph
from orthotype.study.thresholds import STUMPF2020, Thresholds, published

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["STUMPF2020", "Thresholds", "name_clusters", "preprocess"]

BLOCK: Final = 4096
MITOCHONDRIAL: Final = "mt-"


def preprocess(
    adata: "AnnData",
    *,
    species: str,
    thresholds: Thresholds | None = None,
    layer: str | None = None,
    key_added: str = "cluster",
    random_state: int = 0,
) -> "AnnData":
    """Return the good cells of raw counts, normalised, with clusters to be named and a map to draw.

    Parameters
    ----------
    adata
        Cells with raw counts, in X, raw or a layer; not changed.
    species
        Of the cells: it tells which genes are mitochondrial, and which thresholds were published.
    thresholds
        None takes the published ones, which there are for mouse and human.
    layer
        Where the counts are, if not to be found.
    key_added
        Column of obs for the clusters; there must be none of that name.
    random_state
        Seed of the PCA, the clusters and the map. The same seed gives the same result.

    Returns
    -------
    AnnData
        New: logarithms in X, counts in ``layers["counts"]``, the obs of the cells that are kept with
        ``n_counts``, ``n_genes``, ``mito_share`` and the cluster (the largest is "0"),
        ``var["highly_variable"]``, ``obsm["X_pca"]``, ``obsm["X_umap"]``, and in ``uns["preprocess"]`` the
        thresholds and how many cells and genes each of them cost.

    Warns
    -----
    OrthotypeWarning
        If no gene is mitochondrial, so that no cell could be left out for them.

    Raises
    ------
    InputError
        If there are no raw counts, no thresholds for this species, a column that would be overwritten, or too
        few cells or genes pass.
    OrthotypeError
        If scanpy or igraph is not installed.
    """
    preprocess_graph.import_scanpy()
    kind = resolve_species(species).name
    chosen = thresholds or published(kind)
    chosen.check()
    if key_added in adata.obs:
        raise InputError(
            f"the data have an obs column {key_added!r} already; expected none, so that nothing is lost; "
            "name another with key_added"
        )
    counts = find_counts(adata, layer=layer)
    if counts.scale != "counts":
        raise InputError(
            f"{counts.where} holds no raw counts ({counts.evidence}); expected whole numbers of UMI, since "
            "quality control and normalisation begin with them; name the layer that has them"
        )
    made, costs = _passed(adata, counts, chosen, kind)
    preprocess_graph.add_clusters(made, chosen, key_added=key_added, random_state=random_state)
    costs |= {
        "genes_variable": int(made.var["highly_variable"].sum()),
        "clusters": len(made.obs[key_added].cat.categories),
    }
    settings = {name: "none" if value is None else value for name, value in asdict(chosen).items()}
    made.uns["preprocess"] = settings | costs | {"species": kind, "random_state": random_state}
    return made


def mitochondrial(names: pd.Index, species: str) -> NDArray[np.bool_]:
    """Return which genes are mitochondrial, by symbol (``mt-Co1``, ``MT-CO1``) or else by Ensembl id."""
    by_name = np.array([split_genome(str(name))[0].lower().startswith(MITOCHONDRIAL) for name in names])
    if by_name.any() or species not in TABLED:
        return by_name
    symbols = gene_table(species).symbol_of
    ids = identify(names, species=species).ids
    return np.array([symbols.get(gene, "").lower().startswith(MITOCHONDRIAL) for gene in ids])


def _passed(
    adata: "AnnData", counts: Counts, thresholds: Thresholds, species: str
) -> tuple["AnnData", dict[str, Any]]:
    """Return the cells and genes that pass, as counts, and what each threshold cost."""
    import anndata

    matrix = sp.vstack([block for _, block in stored_blocks(counts.matrix, BLOCK)], format="csr")
    matrix.eliminate_zeros()
    mito = mitochondrial(counts.var_names, species)
    if not mito.any():
        warnings.warn(
            f"none of the {len(mito):,} genes is mitochondrial, so no cell was left out for their share; "
            f"expected names that begin with {MITOCHONDRIAL!r}, or Ensembl ids",
            OrthotypeWarning,
            stacklevel=3,
        )
    totals = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
    shares = np.asarray(matrix[:, mito].sum(axis=1), dtype=np.float64).ravel() / np.maximum(totals, 1)
    n_genes = np.diff(matrix[:, ~mito].tocsr().indptr)
    fails = {
        "cells_of_few_counts": totals < thresholds.min_counts,
        "cells_of_many_counts": totals > thresholds.max_counts,
        "cells_of_few_genes": n_genes < thresholds.min_genes,
        "cells_mitochondrial": shares >= thresholds.max_mito,
    }
    kept = ~np.logical_or.reduce(list(fails.values()))
    seen = np.bincount(matrix[kept].indices, minlength=len(mito)) >= thresholds.min_cells
    costs = {"cells": len(kept), "cells_kept": int(kept.sum())}
    costs |= {name: int(failed.sum()) for name, failed in fails.items()}
    costs |= {
        "genes": len(mito),
        "genes_mitochondrial": int(mito.sum()),
        "genes_kept": int((seen & ~mito).sum()),
    }
    _enough(costs, thresholds)
    obs = adata.obs[kept].assign(n_counts=totals[kept], n_genes=n_genes[kept], mito_share=shares[kept])
    var = pd.DataFrame(index=counts.var_names[seen & ~mito])
    values = sp.csr_matrix(matrix[kept][:, seen & ~mito], dtype=np.float32)
    with quiet():
        return anndata.AnnData(values, obs=obs, var=var), costs


def _enough(costs: dict[str, int], thresholds: Thresholds) -> None:
    """Raise if too little is left to look for clusters in."""
    least = max(thresholds.n_components + 1, thresholds.n_neighbors)
    if costs["cells_kept"] <= least or costs["genes_kept"] <= thresholds.n_components:
        lost = ", ".join(f"{name} {costs[name]:,}" for name in costs if name.startswith("cells_of"))
        raise InputError(
            f"{costs['cells_kept']:,} of {costs['cells']:,} cells and {costs['genes_kept']:,} of "
            f"{costs['genes']:,} genes pass ({lost}, cells_mitochondrial {costs['cells_mitochondrial']:,}); "
            f"expected more than {least} cells and {thresholds.n_components} genes; loosen the thresholds"
        )
