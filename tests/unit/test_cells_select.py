"""Moments and gene selection on simulated counts with known variable genes."""

import numpy as np
import pytest
import scipy.sparse as sp

from orthotype.cells.encode import Binarize, LogNormalize
from orthotype.cells.select import METHODS, GeneMoments, select_genes
from orthotype.errors import InputError

N_CELLS, N_GENES, N_MARKERS = 200, 50, 6


def measured(counts, encoder=None):
    encoder = encoder or LogNormalize()
    block = sp.csr_array(counts.astype(np.float32))
    totals = np.asarray(block.sum(axis=1, dtype=np.float64))
    moments = GeneMoments(block.shape[1])
    moments.update(block, totals, encoder.encode(block, totals))
    return moments


@pytest.fixture
def counts():
    rng = np.random.default_rng(11)
    rates = np.ones((N_CELLS, N_GENES)) * 2
    rates[: N_CELLS // 2, :N_MARKERS] = 12
    rates[N_CELLS // 2 :, :N_MARKERS] = 0.1
    return rng.poisson(rates)


@pytest.mark.parametrize("method", METHODS)
def test_genes_of_one_group_of_cells_are_chosen(counts, method):
    chosen = select_genes(measured(counts), n_top=N_MARKERS, method=method)
    assert np.flatnonzero(chosen).tolist() == list(range(N_MARKERS))


@pytest.mark.parametrize("method", METHODS)
def test_genes_of_one_group_are_chosen_when_only_presence_is_seen(counts, method):
    chosen = select_genes(measured(counts, Binarize()), n_top=N_MARKERS, method=method)
    assert np.flatnonzero(chosen).tolist() == list(range(N_MARKERS))


def test_dispersion_is_the_same_whatever_the_model_sees(counts):
    dispersion = METHODS["dispersion"]
    np.testing.assert_array_equal(dispersion(measured(counts)), dispersion(measured(counts, Binarize())))


def test_moments_are_those_of_the_textbook(counts):
    moments = measured(counts)
    linear = counts / counts.sum(axis=1, keepdims=True) * 1e4
    for scale, values in (("linear", linear), ("log", np.log1p(linear)), ("encoded", np.log1p(linear))):
        np.testing.assert_allclose(moments.mean(scale), values.mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(moments.variance(scale), values.var(axis=0, ddof=1), rtol=1e-5)
    np.testing.assert_array_equal(moments.n_nonzero, (counts > 0).sum(axis=0))
    assert moments.n_cells == N_CELLS


def test_parts_add_up(counts):
    whole, first, second = measured(counts), measured(counts[:70]), measured(counts[70:])
    both = first.merge(second)
    assert both.n_cells == N_CELLS
    np.testing.assert_array_equal(both.n_nonzero, whole.n_nonzero)
    for scale in whole.sums:
        np.testing.assert_allclose(both.sums[scale], whole.sums[scale], rtol=1e-12)
        np.testing.assert_allclose(both.squares[scale], whole.squares[scale], rtol=1e-12)
    assert first.n_cells == 70


def test_equal_scores_are_taken_in_order():
    n_genes = 600
    level = np.random.default_rng(1).integers(0, 3, n_genes)
    counts = np.zeros((4, n_genes))
    counts[0] = 1 + level
    chosen = select_genes(measured(counts), n_top=(level == 2).sum() + 50)
    expected = [*np.flatnonzero(level == 2), *np.flatnonzero(level == 1)[:50]]
    assert np.flatnonzero(chosen).tolist() == sorted(expected)


def test_all_that_qualify_are_taken_if_there_are_fewer(counts):
    counts[:, 0] = 0
    chosen = select_genes(measured(counts), n_top=10_000)
    assert chosen.sum() == N_GENES - 1
    assert not chosen[0]


def test_genes_seen_in_hardly_any_cell_are_left_out():
    counts = np.random.default_rng(0).poisson(20.0, size=(2000, 30))
    counts[:, 0] = 0
    counts[7, 0] = 1
    moments = measured(counts)
    assert np.argmax(METHODS["dispersion"](moments)) == 0
    assert not select_genes(moments, n_top=5)[0]
    assert select_genes(moments, n_top=5).sum() == 5
    assert select_genes(moments, n_top=30, min_mean=0.0)[0]


def test_a_constant_gene_does_not_vary():
    values = np.full((1000, 2), 0.1)
    values[::2, 1] = 0.3
    block = sp.csr_array(values)
    moments = GeneMoments(2)
    moments.update(block, np.full(1000, 7.0), block)
    assert moments.variance("linear")[0] == 0.0
    assert select_genes(moments, n_top=2).tolist() == [False, True]


def test_one_cell_has_no_variance(counts):
    assert not measured(counts[:1]).variance("encoded").any()
    with pytest.raises(InputError, match="none of 50 genes"):
        select_genes(measured(counts[:1]))


def test_no_cells_have_a_mean_of_zero():
    assert GeneMoments(3).mean("log").tolist() == [0.0, 0.0, 0.0]


def test_meaningless_requests_are_refused(counts):
    moments = measured(counts)
    with pytest.raises(InputError, match="'cv' is not known; expected one of 'dispersion', 'variance'"):
        select_genes(moments, method="cv")
    with pytest.raises(InputError, match="n_top is 0"):
        select_genes(moments, n_top=0)
    with pytest.raises(InputError, match="do not fit 50 features"):
        moments.update(sp.csr_array((2, 3)), np.ones(2), sp.csr_array((2, 3)))
    with pytest.raises(InputError, match="50 and 3 features cannot be merged"):
        moments.merge(GeneMoments(3))
