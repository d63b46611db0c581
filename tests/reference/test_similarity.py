"""Geometric median against a general minimiser, components against scikit-learn, classes on real cells."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.spatial.distance import cosine
from sklearn.decomposition import PCA

from orthotype.cells.encode import LogNormalize
from orthotype.cells.select import GeneMoments, select_genes
from orthotype.cells.space import project
from orthotype.cells.table import open_cells
from orthotype.genes.orthologs import OrthologMap
from orthotype.study.similarity import class_similarity, geometric_median, principal_components


@pytest.mark.parametrize("seed", range(4))
def test_the_median_is_where_a_minimiser_ends(seed):
    points = np.random.default_rng(seed).standard_normal((25, 3)) ** 3
    found = minimize(
        lambda place: np.linalg.norm(points - place, axis=1).sum(),
        points.mean(axis=0),
        method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-12, "maxiter": 20000, "maxfev": 20000},
    )
    np.testing.assert_allclose(geometric_median(points), found.x, atol=2e-6)


def test_components_are_those_of_scikit_learn(rng):
    X = np.where(rng.random((70, 40)) < 0.3, rng.random((70, 40)) * 4, 0)
    ours = principal_components(sp.csr_array(X), n_components=6)
    theirs = PCA(n_components=6, svd_solver="full").fit(X)
    signs = np.sign((ours.axes * theirs.components_).sum(axis=1))
    np.testing.assert_allclose(ours.axes * signs[:, None], theirs.components_, atol=1e-8)
    np.testing.assert_allclose(ours.explained, theirs.explained_variance_ratio_, rtol=1e-9)
    np.testing.assert_allclose(ours.project(sp.csr_array(X)) * signs, theirs.transform(X), atol=1e-8)


@pytest.fixture(scope="module")
def aligned(small_mouse, small_human):
    """Give mouse and human cells as rows over shared variable genes, with codes and names of classes."""
    sides = [
        open_cells(cells, subject=name, species=name)
        for cells, name in ((small_mouse, "mouse"), (small_human, "human"))
    ]
    orthologs = OrthologMap("mouse", "human", policy="one2one")
    maps = [sp.csc_array(project(orthologs, side.genes, species=side.species)) for side in sides]
    shared = np.all([np.diff(P.indptr) > 0 for P in maps], axis=0)
    rows, chosen = [], []
    for side, P in zip(sides, maps, strict=True):
        counts = sp.csr_array(next(iter(side.rows.blocks(10**6)))[1] @ P[:, shared])
        totals = np.asarray(counts.sum(axis=1), dtype=float).ravel()
        rows.append(LogNormalize().encode(counts, totals))
        moments = GeneMoments(counts.shape[1])
        moments.update(counts, totals, rows[-1])
        chosen.append(select_genes(moments, n_top=1000))
    rows = [sp.csr_array(side[:, chosen[0] | chosen[1]]) for side in rows]
    coded = [
        np.unique(cells.obs["cell_ontology_class"].to_numpy().astype(str), return_inverse=True)
        for cells in (small_mouse, small_human)
    ]
    return rows, coded


def test_every_class_of_real_cells_is_most_like_itself_in_the_other_species(aligned):
    (X, Z), ((names, codes), (z_names, z_codes)) = aligned
    table = class_similarity(X, codes, Z, z_codes, classes_s=list(names), classes_t=list(z_names))
    across = table.loc["source"]["target"]
    best = across.idxmax()
    assert {name: best[name] for name in names} == {name: name for name in names}
    # One entry the slow way.
    theirs = PCA(n_components=16, svd_solver="full").fit(X.toarray())
    ours, other = theirs.transform(X.toarray()[codes == 0]), theirs.transform(Z.toarray()[z_codes == 1])
    slow = 1 - cosine(geometric_median(ours), geometric_median(other))
    np.testing.assert_allclose(across.loc[names[0], z_names[1]], slow, atol=1e-6)
