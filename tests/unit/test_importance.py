"""Mutual information by counting: the edges of the bins, genes that never change, tables and their order."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from orthotype.errors import InputError
from orthotype.study.bin_counts import BinCounts
from orthotype.study.importance import (
    class_means,
    expression_of_top_genes,
    importance,
    importance_by_fold,
    median_importance,
    top_genes,
    weight_overlap,
)

TINY = 1e-9


def of_two(first):
    """Give probabilities of two classes from those of the first."""
    return np.column_stack([first, 1 - np.asarray(first)])


def test_a_gene_that_follows_the_class_tells_everything_and_its_mirror_as_much():
    X = sp.csr_array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    np.testing.assert_array_equal(importance(X, of_two([0.9, 0.8, 0.1, 0.2])), np.ones((2, 2)))


def test_three_bins_by_hand():
    # on: 2 of 2 cells of the lowest bin, 1 of 2 of the middle one, 0 of 2 of the highest one
    X = sp.csr_array([[1.0], [1.0], [1.0], [0.0], [0.0], [0.0]])
    expected = 1.0 - 2 / 6  # H(gene) = 1 bit; it stays open in the middle bin, a third of the cells
    found = importance(X, of_two([0.1, 0.2, 0.4, 0.5, 0.9, 0.8]))
    np.testing.assert_allclose(found[0, 0], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("value", "bin_of_it"),
    [(0.0, 0), (1 / 3 - TINY, 0), (1 / 3, 1), (2 / 3 - TINY, 1), (2 / 3, 2), (1.0, 2)],
)
def test_an_edge_belongs_to_the_bin_above_and_one_to_the_last(value, bin_of_it):
    counts = BinCounts(1, 2)
    counts.update(sp.csr_array([[1.0]]), of_two([value]))
    expected = np.zeros(3, dtype=int)
    expected[bin_of_it] = 1
    np.testing.assert_array_equal(counts.cells_above[:, 0], expected[1:])
    np.testing.assert_array_equal(counts.on_above[:, 0, 0], expected[1:])


def test_genes_always_on_or_off_and_classes_in_one_bin_tell_exactly_nothing(rng):
    n = 997
    X = sp.csr_array(np.column_stack([np.ones(n), np.zeros(n), rng.random(n) < 0.3]))
    proba = rng.dirichlet([0.3, 0.3, 0.3], size=n)
    proba = np.column_stack([proba * 0.7, np.full(n, 0.3)])
    found = importance(X, proba)
    assert found.shape == (3, 4)
    np.testing.assert_array_equal(found[:2], 0.0)
    np.testing.assert_array_equal(found[:, 3], 0.0)
    assert (found[2, :3] > 0).all()
    assert not np.signbit(found).any()


def test_no_cells_and_one_cell_tell_nothing():
    np.testing.assert_array_equal(BinCounts(2, 3).mutual_information(), np.zeros((2, 3)))
    np.testing.assert_array_equal(importance(sp.csr_array([[1.0, 0.0]]), [[0.2, 0.8]]), np.zeros((2, 2)))


def test_on_is_above_zero_whatever_is_stored():
    proba = of_two([0.9, 0.9, 0.1, 0.1])
    clean = sp.csr_array([[2.0], [1.0], [0.0], [0.0]])
    stored = sp.csr_array((np.array([2.0, 1.0, 0.0, -1.0]), np.zeros(4, int), np.arange(5)), shape=(4, 1))
    twice = sp.csr_array((np.ones(3), np.zeros(3, int), np.array([0, 2, 3, 3, 3])), shape=(4, 1))
    for X in (clean, stored, twice, sp.csc_array(clean), sp.csr_matrix(clean)):
        np.testing.assert_array_equal(importance(X, proba), [[1.0, 1.0]])
    assert stored.nnz == 4
    assert twice.nnz == 3


def test_folds_are_cells_of_their_own_and_the_median_ignores_one_of_three(rng):
    X = sp.csr_array((rng.random((90, 5)) < 0.4).astype(np.float32))
    proba, folds = rng.dirichlet([0.2] * 3, size=90), rng.permutation(np.repeat(np.arange(3), 30))
    by_fold = importance_by_fold(X, proba, folds=folds)
    for fold, values in enumerate(by_fold):
        np.testing.assert_array_equal(values, importance(X[folds == fold], proba[folds == fold]))
    spoiled = [by_fold[0], by_fold[1], by_fold[2] + 10]
    assert (median_importance(spoiled) < 1).all()
    np.testing.assert_array_equal(median_importance(by_fold), np.median(by_fold, axis=0))


def test_what_does_not_fit_is_refused():
    X, proba = sp.csr_array(np.ones((2, 3))), [[0.5, 0.5], [0.5, 0.5]]
    with pytest.raises(InputError, match="expected the same cells with 3 genes and 2 classes"):
        importance(X, proba[:1])
    with pytest.raises(InputError, match="do not sum to one"):
        importance(X, [[0.5, 0.9], [0.5, 0.5]])
    with pytest.raises(InputError, match="NaN"):
        importance(X, [[0.5, np.nan], [0.5, 0.5]])
    with pytest.raises(InputError, match="proba has shape"):
        importance(X, 0.5)
    with pytest.raises(InputError, match="n_bins is 1"):
        importance(X, proba, n_bins=1)
    with pytest.raises(InputError, match="1 folds and 2 probabilities for 2 cells"):
        importance_by_fold(X, proba, folds=np.array([0]))
    with pytest.raises(InputError, match="0 folds in 0 shapes"):
        median_importance([])
    with pytest.raises(InputError, match="2 problems"):
        top_genes(np.zeros((3, 2)), features=["a", "b"], classes=["x", "y"], n=0)


def test_top_genes_are_in_order_and_never_tell_nothing():
    bits = np.array([[0.1, 0.0], [0.3, 0.0], [0.1, 0.2], [0.0, 0.0]])
    table = top_genes(bits, features=["d", "b", "a", "c"], classes=["x", "y"], n=3)
    assert table["gene"].tolist() == ["b", "a", "d", "a"]  # a and d are equal: by name
    assert table["rank"].tolist() == [1, 2, 3, 1]
    assert table["class"].tolist() == ["x", "x", "x", "y"]
    assert table["importance"].tolist() == [0.3, 0.1, 0.1, 0.2]


def test_top_genes_in_the_tails_are_counted_and_tested():
    from scipy.stats import binom

    p = 200
    features = [f"g{i:03}" for i in range(p)]
    weights = np.vstack([np.linspace(-1, 1, p), np.linspace(-1, 1, p)])
    bits = np.zeros((p, 2))
    bits[[0, 1, 199, 100, 101], 0] = 0.5  # two lowest, one highest, two in the middle
    bits[np.arange(90, 100), 1] = 0.5
    table = weight_overlap(bits, weights, features=features, classes=["x", "y"], tail=0.05)
    first, second = table.iloc[0], table.iloc[1]
    assert [first["top"], first["lower"], first["upper"]] == [5, 2, 1]
    assert first["share"] == 0.6
    assert first["expected"] == 0.1
    np.testing.assert_allclose(first["fold"], 6.0)
    # by hand: 20 of 200 genes lie in the tails; at least 3 of 5 drawn without replacement
    from math import comb

    chance = sum(comb(20, k) * comb(180, 5 - k) for k in (3, 4, 5)) / comb(200, 5)
    np.testing.assert_allclose(first["p"], chance, rtol=1e-9)
    assert chance < binom.sf(2, 5, 0.1)  # with replacement it would be larger
    assert second["p"] == 1.0
    assert second["share"] == 0.0
    np.testing.assert_allclose(table["p_adjusted"], [2 * chance, 1.0])


def test_many_equal_weights_never_fill_a_tail_and_no_top_genes_mean_no_test():
    bits = np.zeros((100, 2))
    bits[:10, 0] = 0.1
    weights = np.zeros((2, 100))
    weights[:, 0] = 3.0
    table = weight_overlap(bits, weights, features=[f"g{i}" for i in range(100)], classes=["x", "y"])
    assert table["lower"].tolist() == [0, 0]
    assert table["upper"].tolist() == [1, 0]
    assert table["expected"].tolist() == [0.01, 0.01]
    assert table.loc[1, ["share", "fold", "p", "p_adjusted"]].isna().all()
    with pytest.raises(InputError, match=r"expected \(2, 100\)"):
        weight_overlap(bits, weights.T, features=[f"g{i}" for i in range(100)], classes=["x", "y"])
    with pytest.raises(InputError, match=r"tail is 0\.5"):
        weight_overlap(bits, weights, features=[f"g{i}" for i in range(100)], classes=["x", "y"], tail=0.5)


def test_means_are_of_the_classes_that_have_cells():
    X = sp.csr_array([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0]])
    table = class_means(X, np.array([0, 0, 2]), classes=["x", "empty", "y"], features=["a", "b"])
    assert table.index.tolist() == ["x", "y"]
    np.testing.assert_allclose(table.to_numpy(), [[2.0, 0.0], [0.0, 5.0]])
    with pytest.raises(InputError, match="expected a position among 3 classes"):
        class_means(X, np.array([0, -1, 2]), classes=["x", "empty", "y"], features=["a", "b"])


def test_expression_is_scaled_within_each_species_and_a_gene_stands_once():
    top = pd.DataFrame(
        {
            "class": ["x", "x", "y", "y"],
            "rank": [1, 2, 1, 2],
            "gene": ["a", "b", "b", "c"],
            "importance": [0.9, 0.2, 0.8, 0.1],
        }
    )
    mouse = pd.DataFrame({"a": [3.0, 1.0], "b": [0.0, 4.0], "c": [1.0, 1.0]}, index=["x", "y"])
    human = pd.DataFrame({"a": [30.0, 10.0, 20.0], "b": [0.0, 0.0, 6.0], "c": 0.0}, index=["x", "y", "z"])
    table = expression_of_top_genes(top, {"mouse": mouse, "human": human})
    assert table.groupby("gene")["top_for"].unique().map(list).to_dict() == {
        "a": ["x"],
        "b": ["y"],
        "c": ["y"],
    }
    wide = {key: list(part["scaled"]) for key, part in table.groupby(["species", "gene"])}
    np.testing.assert_allclose(wide["mouse", "a"], [1.0, -1.0])
    np.testing.assert_allclose(wide["human", "a"], np.array([1.0, -1.0, 0.0]) * np.sqrt(1.5))
    assert wide["mouse", "c"] == [0, 0]
    assert table.groupby("species", sort=False).size().to_dict() == {"mouse": 6, "human": 9}
    few = expression_of_top_genes(top, {"mouse": mouse}, per_class=1)
    assert few["gene"].unique().tolist() == ["a", "b"]
