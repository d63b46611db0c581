"""What numbers are: real counts (Baron 2016, bundled), transformed in every way that files are found in."""

import numpy as np
import pytest
import scipy.sparse as sp

from orthotype import datasets
from orthotype.cells.scales import is_whole, judge_scale, lattice_score


@pytest.fixture(scope="module")
def counts():
    return sp.csr_array(datasets.get("baron2016-mouse").X[:200].astype(np.float64))


def scaled_to(counts, target):
    return sp.csr_array(sp.diags_array(target / counts.sum(axis=1)) @ counts)


def log1p(values, base=np.e):
    logged = values.astype(np.float32)
    logged.data = (np.log1p(logged.data) / np.log(base)).astype(np.float32)
    return logged


def uneven(counts):
    """Divide each gene by a length, as TPM does, so that no lattice is left."""
    lengths = np.random.default_rng(0).uniform(0.5, 5, counts.shape[1])
    return sp.csr_array(counts @ sp.diags_array(1 / lengths))


def test_whole_numbers_are_counts_whatever_their_type(counts):
    for dtype in (np.int32, np.float32, np.float64):
        assert judge_scale(counts.astype(dtype)).scale == "counts"


def test_zeros_and_ones_are_told_from_counts(counts):
    assert judge_scale((counts > 0).astype(np.float32)).scale == "binary"


@pytest.mark.parametrize("target", [1e4, 1e6, 1234.5])
@pytest.mark.parametrize(("base", "named"), [(np.e, None), (2.0, 2.0), (10.0, 10.0)])
@pytest.mark.parametrize("n_genes", [None, 1000])
def test_logarithms_are_recognised_with_their_base(counts, target, base, named, n_genes):
    values = log1p(scaled_to(counts, target), base)
    if n_genes:
        variable = np.argsort(-counts.sum(axis=0))[50 : 50 + n_genes]
        values = sp.csr_array(values[:, variable])
    judged = judge_scale(values)
    assert (judged.scale, judged.base) == ("log1p", named)
    assert "whole multiples" in judged.evidence


def test_logarithms_of_counts_themselves_are_recognised(counts):
    assert judge_scale(log1p(counts)).scale == "log1p"


def test_counts_per_million_are_linear(counts):
    assert judge_scale(scaled_to(counts, 1e6)).scale == "linear"
    assert judge_scale(scaled_to(counts, 10.0)).scale == "linear"


def test_a_constant_sum_tells_where_there_is_no_lattice(counts):
    tpm = scaled_to(uneven(counts), 1e6)
    judged = judge_scale(tpm)
    assert judged.scale == "linear"
    assert "1,000,000" in judged.evidence
    judged = judge_scale(log1p(tpm, 2.0))
    assert (judged.scale, judged.base) == ("log1p", 2.0)
    assert "1,000,000 after 2**x - 1" in judged.evidence


def test_ambient_corrected_counts_are_linear(counts):
    corrected = counts.copy()
    corrected.data *= np.random.default_rng(1).uniform(0.6, 1.0, corrected.nnz)
    assert judge_scale(corrected).scale == "linear"


def test_the_largest_value_decides_last(counts):
    tpm = scaled_to(uneven(counts), 1e6)[:, :3000]
    assert judge_scale(log1p(tpm)).base is None
    assert "largest value" in judge_scale(log1p(tpm)).evidence
    high = log1p(sp.csr_array(tpm * 40), 2.0)
    assert high.max() > 14
    assert judge_scale(high).base == 2.0


def test_the_file_is_believed_only_where_the_values_are_silent(counts):
    silent = log1p(scaled_to(uneven(counts), 1e6)[:, :3000], 10.0)
    assert judge_scale(silent, base_hint=10.0, log_hint=True).base == 10.0
    spoken = log1p(scaled_to(counts, 1e4))
    assert judge_scale(spoken, base_hint=2.0, log_hint=True).base is None


def test_what_cannot_be_used_is_named(counts):
    values = counts.astype(np.float32)
    assert judge_scale(sp.csr_array(values * 0)).scale == "empty"
    values.data[5] = -0.5
    assert judge_scale(values).scale == "scaled"
    assert "-0.5" in judge_scale(values).evidence
    values.data[9] = np.nan
    assert judge_scale(values).scale == "not finite"


def test_chance_values_have_no_lattice():
    chance = sp.csr_array(np.random.default_rng(2).lognormal(size=(50, 400)))
    assert 0.05 < lattice_score(chance, base=None) < 0.2


def test_few_values_prove_no_lattice():
    assert lattice_score(sp.csr_array([[0.1, 0.2, 0.3]]), base=None) == 0.0


def test_rounding_does_not_make_a_fraction():
    np.testing.assert_array_equal(is_whole(np.array([1.0, 2.0001, 2.5])), [True, True, False])
    assert is_whole(np.array([True, False])).all()
