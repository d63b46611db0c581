"""What must not matter to the importance of genes: order and names of cells and genes, blocks of cells."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from orthotype.study.bin_counts import BinCounts
from orthotype.study.importance import importance, top_genes, weight_overlap


@st.composite
def cells(draw):
    """Draw simulated cells: genes on and off, and class probabilities that reach every bin."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, p, k = draw(st.integers(1, 40)), draw(st.integers(1, 8)), draw(st.integers(1, 5))
    X = sp.csr_array((rng.random((n, p)) < rng.random(p)) * rng.random((n, p)))
    return X, rng.dirichlet([0.3] * k, size=n), rng


@settings(max_examples=60, deadline=None)
@given(cells(), st.integers(2, 5))
def test_order_of_cells_genes_and_classes_and_blocks_do_not_matter(drawn, n_bins):
    X, proba, rng = drawn
    whole = importance(X, proba, n_bins=n_bins)
    rows, genes, classes = (rng.permutation(size) for size in (*X.shape, proba.shape[1]))
    np.testing.assert_array_equal(importance(X[rows], proba[rows], n_bins=n_bins), whole)
    shuffled = importance(sp.csr_array(X[:, genes]), proba[:, classes], n_bins=n_bins)
    np.testing.assert_array_equal(shuffled, whole[np.ix_(genes, classes)])
    counts = BinCounts(X.shape[1], proba.shape[1], n_bins=n_bins)
    for block in np.array_split(np.arange(X.shape[0]), 3):
        counts.update(X[block], proba[block])
    np.testing.assert_array_equal(counts.mutual_information(), whole)


@settings(max_examples=60, deadline=None)
@given(cells())
def test_information_lies_between_zero_and_both_entropies(drawn):
    X, proba, _ = drawn
    found = importance(X, proba)
    share = np.asarray((X > 0).sum(axis=0)).ravel() / X.shape[0]
    entropy = -sum(np.where(s > 0, s * np.log2(np.where(s > 0, s, 1)), 0) for s in (share, 1 - share))
    assert (found >= 0).all()
    assert (found <= entropy[:, None] + 1e-12).all()
    assert (found <= np.log2(3) + 1e-12).all()
    # Every cell twice is the same knowledge.
    np.testing.assert_allclose(
        importance(sp.vstack([X, X]).tocsr(), np.vstack([proba] * 2)), found, atol=1e-12
    )


@settings(max_examples=40, deadline=None)
@given(cells())
def test_tables_do_not_depend_on_the_order_of_the_genes_or_the_names_of_classes(drawn):
    X, proba, rng = drawn
    bits, weights = importance(X, proba), rng.integers(-3, 3, (proba.shape[1], X.shape[1]))
    features = np.array([f"g{i}" for i in range(X.shape[1])], dtype=object)
    classes = [f"c{i}" for i in range(proba.shape[1])]
    order = rng.permutation(len(features))
    named, renamed = {"features": features, "classes": classes}, [f"z{name}" for name in classes]
    shuffled = {"features": features[order], "classes": classes}
    tables = top_genes(bits, **named, n=3), weight_overlap(bits, weights, **named, n=3, tail=0.3)
    again = (
        top_genes(bits[order], **shuffled, n=3),
        weight_overlap(bits[order], weights[:, order], **shuffled, n=3, tail=0.3),
    )
    other = top_genes(bits, features=features, classes=renamed, n=3)
    for one, two in zip(tables, again, strict=True):
        assert one.equals(two)
    assert other.drop(columns="class").equals(tables[0].drop(columns="class"))
