"""The network as weights: forward pass, classes nobody showed, and what is written to a file. No torch."""

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array
from scipy.special import softmax

from orthotype.errors import ModelFileError
from orthotype.models.neural import SoftmaxNetwork


def network(hidden: int, *, p: int = 12, K: int = 4, seed: int = 0) -> SoftmaxNetwork:
    rng = np.random.default_rng(seed)
    made = SoftmaxNetwork.random(p, hidden=hidden, n_classes=K, rng=rng)
    return SoftmaxNetwork(
        made.kernels, tuple(rng.normal(size=b.shape).astype(np.float32) for b in made.biases)
    )


def cells(n: int = 30, p: int = 12) -> csr_array:
    X = random_array((n, p), density=0.4, rng=np.random.default_rng(1), dtype=np.float32)
    return csr_array(X)


def test_forward_pass_without_and_with_a_hidden_layer() -> None:
    X = cells()
    flat, deep = network(0), network(5)
    expected = X.toarray() @ flat.kernels[0] + flat.biases[0]
    np.testing.assert_allclose(flat.scores(X), expected, rtol=1e-5, atol=1e-6)
    h = np.maximum(X.toarray() @ deep.kernels[0] + deep.biases[0], 0)
    proba = softmax((h @ deep.kernels[1] + deep.biases[1]).astype(np.float64), axis=1)
    np.testing.assert_allclose(deep.predict_proba(X), proba, rtol=1e-5)
    assert deep.predict_proba(X).dtype == np.float64
    assert (flat.hidden, deep.hidden, deep.n_features, deep.n_classes) == (0, 5, 12, 4)


@pytest.mark.parametrize("hidden", [0, 5])
def test_a_cell_does_not_depend_on_the_others(hidden: int) -> None:
    X = cells()
    whole = network(hidden).predict_proba(X)
    parts = np.vstack([network(hidden).predict_proba(X[i : i + 7]) for i in range(0, 30, 7)])
    assert whole.tobytes() == parts.tobytes()


def test_random_kernels_are_within_the_bounds_of_glorot_and_fill_them() -> None:
    made = SoftmaxNetwork.random(300, hidden=16, n_classes=10, rng=np.random.default_rng(0))
    for kernel in made.kernels:
        limit = np.sqrt(6 / sum(kernel.shape))
        assert 0.9 * limit < np.abs(kernel).max() <= limit
        assert abs(kernel.mean()) < 0.1 * limit
    assert not any(bias.any() for bias in made.biases)


@pytest.mark.parametrize("hidden", [0, 5])
def test_absent_classes_get_no_probability_and_can_come_back(hidden: int) -> None:
    absent = np.array([False, True, False, True])
    silent = network(hidden).without(absent)
    assert silent.predict_proba(cells())[:, absent].max() == 0.0
    back = silent.with_room(np.array([True, True, False, False]))
    assert back.biases[-1][1] == pytest.approx(silent.biases[-1][~absent].mean())
    assert back.predict_proba(cells())[:, 1].min() > 0
    assert back.predict_proba(cells())[:, 3].max() == 0.0
    np.testing.assert_array_equal(back.biases[-1][[0, 2]], silent.biases[-1][[0, 2]])


@pytest.mark.parametrize("hidden", [0, 5])
def test_arrays_there_and_back(hidden: int) -> None:
    made = network(hidden)
    again = SoftmaxNetwork.from_arrays(made.arrays())
    assert again.predict_proba(cells()).tobytes() == made.predict_proba(cells()).tobytes()
    assert sorted(made.arrays()) == sorted(again.arrays())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("bias_1"), "bias_0, kernel_0, kernel_1; expected kernel_0, bias_0"),
        (lambda a: a.update(extra=np.zeros(1)), "extra"),
        (lambda a: a.update(kernel_1=np.zeros((6, 4))), "layers that fit"),
        (lambda a: a.update(bias_0=np.zeros(4)), "layers that fit"),
        (lambda a: a.update(bias_1=np.full(4, np.nan)), "not finite"),
    ],
)
def test_foreign_arrays_are_refused(change, message: str) -> None:
    arrays = dict(network(5).arrays())
    change(arrays)
    with pytest.raises(ModelFileError, match=message):
        SoftmaxNetwork.from_arrays(arrays)
