"""Entropy and calibration against values worked out by hand."""

import numpy as np
import pytest

from orthotype.errors import InputError
from orthotype.metrics import expected_calibration_error, reliability, softmax_entropy


def test_entropy_by_hand():
    proba = [[1, 0, 0, 0], [0.25] * 4, [0.5, 0.5, 0, 0]]
    np.testing.assert_allclose(softmax_entropy(proba), [0, 1, 0.5])
    np.testing.assert_allclose(softmax_entropy(proba, normalised=False), [0, np.log(4), np.log(2)])


def test_entropy_of_one_class_is_zero():
    np.testing.assert_array_equal(softmax_entropy([[1.0], [1.0]]), [0, 0])


@pytest.mark.parametrize(
    ("proba", "message"),
    [
        ([0.5, 0.5], "has shape"),
        ([[0.5, np.nan]], "1 cells with NaN or values outside 0 to 1"),
        ([[1.5, -0.5]], "outside 0 to 1"),
        ([[0.5, 0.5], [0.2, 0.2]], "1 cells whose probabilities do not sum to one"),
    ],
)
def test_what_is_no_probability_is_refused(proba, message):
    with pytest.raises(InputError, match=message):
        softmax_entropy(proba)


def test_reliability_bins_by_hand():
    table = reliability(["a", "a", "b", "b"], ["a", "b", "b", "b"], [0.45, 0.5, 0.5, 1.0], n_bins=2)
    assert table["cells"].tolist() == [1, 3]
    np.testing.assert_allclose(table["confidence"], [0.45, 2 / 3])
    np.testing.assert_allclose(table["accuracy"], [1, 2 / 3])
    assert table[["low", "high"]].to_numpy().tolist() == [[0, 0.5], [0.5, 1]]


def test_an_edge_belongs_to_the_bin_above():
    table = reliability(["a"] * 3, ["a"] * 3, [0.3, 0.6, 0.7])
    assert table.index[table["cells"] > 0].tolist() == [3, 6, 7]


def test_calibration_error_by_hand():
    error = expected_calibration_error(
        ["a", "a", "b", "b"], ["a", "b", "b", "b"], [0.45, 0.5, 0.5, 1], n_bins=2
    )
    assert error == pytest.approx(0.25 * 0.55 + 0.75 * 0)


def test_cells_without_a_label_make_no_claim():
    table = reliability(["a", "a", "a"], ["a", "unknown", "no agreement"], [0.9, 0.9, 0.9])
    assert table["cells"].sum() == 1
    assert np.isnan(expected_calibration_error(["a"], ["unknown"], [0.9]))


def test_bad_confidence_is_refused():
    with pytest.raises(InputError, match="expected one value for each of 2 cells"):
        reliability(["a", "b"], ["a", "b"], [0.5])
    with pytest.raises(InputError, match="1 values are NaN or outside 0 to 1"):
        reliability(["a", "b"], ["a", "b"], [0.5, np.nan])
    with pytest.raises(InputError, match="n_bins is 0"):
        reliability(["a"], ["a"], [0.5], n_bins=0)


def test_gaps_of_opposite_sign_do_not_cancel():
    error = expected_calibration_error(["a", "a"], ["a", "b"], [0.5, 0.5])
    assert error == 0
    error = expected_calibration_error(["a", "a"], ["a", "b"], [0.2, 0.8])
    assert error == pytest.approx(0.8)
