"""The importance of genes against scikit-learn, pair by pair, and on real pancreas cells of a mouse."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import mutual_info_score

from orthotype.models.consensus import ConsensusClassifier
from orthotype.models.linear.softmax import softmax
from orthotype.study.importance import (
    importance,
    importance_by_fold,
    median_importance,
    top_genes,
    weight_overlap,
)


def slow_importance(X, proba):
    """The same, obvious and slow: every gene with every class, cut at 1/3 and 2/3, nats to bits."""
    on = X.toarray() > 0
    found = np.zeros((X.shape[1], proba.shape[1]))
    for gene in range(X.shape[1]):
        for k in range(proba.shape[1]):
            bins = [0 if value < 1 / 3 else 1 if value < 2 / 3 else 2 for value in proba[:, k]]
            found[gene, k] = mutual_info_score(on[:, gene], bins) / np.log(2)
    return found


def test_every_pair_is_what_scikit_learn_says(rng):
    X = sp.csr_array((rng.random((150, 12)) < rng.random(12)) * 1.7)
    proba = rng.dirichlet([0.2, 0.3, 1.0, 0.1], size=150)
    proba[:3] = [[1, 0, 0, 0], [1 / 3, 1 / 3, 1 / 3, 0], [2 / 3, 1 / 3, 0, 0]]
    np.testing.assert_allclose(importance(X, proba), slow_importance(X, proba), atol=1e-13)


@pytest.fixture(scope="module")
def mouse(small_mouse):
    """Give 400 real cells as log-normalised rows, their model and the names of the genes."""
    counts = sp.csr_array(small_mouse.X).astype(np.float64)
    counts = counts[:, np.asarray((counts > 0).sum(axis=0)).ravel() >= 20]
    totals = np.asarray(counts.sum(axis=1)).ravel()
    X = sp.csr_array(counts.multiply(1e4 / totals[:, None])).log1p()
    kept = np.asarray((small_mouse.X > 0).sum(axis=0)).ravel() >= 20
    labels = small_mouse.obs["cell_ontology_class"].to_numpy()
    model = ConsensusClassifier(1.0, random_state=0).fit(X, labels)
    return X, model, small_mouse.var_names[kept].to_numpy(dtype=object)


def test_real_cells_agree_with_scikit_learn_and_show_the_genes_of_the_islets(mouse):
    X, model, genes = mouse
    proba = softmax(model.held_out_scores_ / model.temperature_)
    some = np.arange(0, X.shape[1], X.shape[1] // 15)
    sample = sp.csr_array(X[:, some])
    np.testing.assert_allclose(importance(sample, proba), slow_importance(sample, proba), atol=1e-12)
    bits = median_importance(importance_by_fold(X, proba, folds=model.folds_))
    classes = [str(name) for name in model.classes_]
    top = top_genes(bits, features=genes, classes=classes, n=100).groupby("class")["gene"].agg(set)
    upper = {name: {gene.upper() for gene in found} for name, found in top.items()}
    assert {"PDGFRA", "PECAM1", "CDH5", "PLVAP"} & upper["endothelial cell"]
    assert {"SOX9", "KRT8", "KRT18"} & upper["pancreatic ductal cell"]
    assert {"TTR", "ARX", "IRX2", "GCG"} & upper["pancreatic A cell"]
    tails = weight_overlap(bits, model.coef_.mean(axis=0), features=genes, classes=classes)
    assert (tails["fold"] > 2).all()
    assert (tails["p_adjusted"] < 1e-4).all()
