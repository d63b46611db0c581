"""Encodings of a block, on numbers small enough to check by hand."""

import json

import numpy as np
import pytest
import scipy.sparse as sp

from orthotype.cells.encode import ENCODERS, Binarize, LogNormalize, encoder_from, normalised
from orthotype.errors import InputError


@pytest.fixture
def block():
    return sp.csr_array(np.array([[1, 0, 3], [0, 0, 0], [2, 2, 0]], dtype=np.float32))


TOTALS = np.array([10.0, 0.0, 4.0])


def test_log_normalise_divides_by_the_given_total(block):
    encoded = LogNormalize(target_sum=100).encode(block, TOTALS)
    expected = np.log1p([[10, 0, 30], [0, 0, 0], [50, 50, 0]])
    assert encoded.dtype == np.float32
    np.testing.assert_allclose(encoded.toarray(), expected, rtol=1e-6)


def test_binarise_forgets_how_much(block):
    encoded = Binarize().encode(block, TOTALS)
    assert encoded.dtype == np.float32
    np.testing.assert_array_equal(encoded.toarray(), block.toarray() > 0)


@pytest.mark.parametrize("encoder", [LogNormalize(), Binarize()])
def test_stored_zeros_go_and_the_block_stays(encoder):
    block = sp.csr_array((np.array([0.0, 5.0], dtype=np.float32), [0, 1], [0, 2]), shape=(1, 2))
    encoded = encoder.encode(block, np.array([5.0]))
    assert encoded.nnz == 1
    np.testing.assert_array_equal(block.data, [0.0, 5.0])


def test_a_cell_without_total_becomes_zeros(block):
    encoded = LogNormalize().encode(block, np.zeros(3))
    assert encoded.nnz == 0
    assert np.isfinite(normalised(block, np.zeros(3))).all()


@pytest.mark.parametrize("encoder", [LogNormalize(), LogNormalize(target_sum=123.5), Binarize()])
def test_every_encoder_survives_json(encoder):
    assert encoder_from(json.loads(json.dumps(encoder.to_dict()))) == encoder
    assert encoder.kind in ENCODERS


def test_encoders_are_chosen_by_word_or_given():
    assert encoder_from("log_normalize") == LogNormalize()
    given = Binarize()
    assert encoder_from(given) is given


def test_unknown_encoders_and_parameters_are_refused():
    with pytest.raises(InputError, match="'rank' is not known; expected one of 'log_normalize', 'binarize'"):
        encoder_from("rank")
    with pytest.raises(InputError, match="cannot be made from"):
        encoder_from({"kind": "binarize", "threshold": 2})
    with pytest.raises(InputError, match="encoder '' is not known"):
        encoder_from({})


@pytest.mark.parametrize("target_sum", [0.0, -1.0, np.nan, np.inf])
def test_a_target_sum_is_positive(target_sum):
    with pytest.raises(InputError, match="expected a positive number"):
        LogNormalize(target_sum=target_sum)
