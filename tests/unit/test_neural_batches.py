"""What a training step sees: balanced batches, dropout of stored values, cells set aside."""

import numpy as np
from scipy.sparse import csr_array

from orthotype.models.neural.batches import batches, dropped
from orthotype.models.neural.early import Watch, set_aside
from orthotype.models.neural.network import SoftmaxNetwork

CODES = np.repeat([0, 2, 3], [100, 7, 2])


def test_every_class_with_cells_is_in_every_batch_five_times(rng) -> None:
    drawn = list(batches(CODES, steps=40, per_class=5, rng=rng))
    assert len(drawn) == 40
    for rows in drawn:
        assert np.bincount(CODES[rows], minlength=4).tolist() == [5, 0, 5, 5]


def test_no_cell_twice_in_a_batch_unless_the_class_is_too_small(rng) -> None:
    drawn = list(batches(CODES, steps=40, per_class=5, rng=rng))
    for rows in drawn:
        for code in (0, 2):
            assert len(set(rows[CODES[rows] == code])) == 5
    assert len(set(np.concatenate(drawn))) > 90, "every cell has its turn"
    assert any((rows == 107).sum() not in (2, 3) for rows in drawn), "drawn anew, not dealt"


def test_dropout_takes_a_share_of_the_values_and_keeps_the_mean(rng) -> None:
    X = csr_array((rng.random((200, 100)) < 0.3).astype(np.float32))
    batch = dropped(X, 0.5, rng=rng)
    assert batch.dtype == np.float32
    assert set(np.unique(batch)) == {0.0, 2.0}
    assert not batch[X.toarray() == 0].any()
    assert abs((batch[X.toarray() > 0] > 0).mean() - 0.5) < 0.03
    np.testing.assert_array_equal(dropped(X, 0.0, rng=rng), X.toarray())


def test_a_fifth_of_every_class_is_set_aside_and_never_the_only_cell(rng) -> None:
    codes = np.repeat([0, 1, 2, 4], [1, 100, 7, 2])
    aside = set_aside(codes, rng=rng)
    assert not aside[codes == 0].any()
    assert aside[codes == 1].sum() == 20
    for code in (2, 4):
        assert (~aside[codes == code]).any()


def test_a_watch_keeps_the_best_network_and_ends_when_none_is_better(rng) -> None:
    X, codes = csr_array(np.eye(3, dtype=np.float32)), np.arange(3)

    def sure(scale: float) -> SoftmaxNetwork:
        return SoftmaxNetwork((scale * np.eye(3, dtype=np.float32),), (np.zeros(3, dtype=np.float32),))

    watch = Watch(sure(0.0), X, codes, patience=2)
    ends = [watch.ends(sure(scale)) for scale in (1.0, 3.0, 2.0, 4.0, 1.0, 2.0)]
    assert ends == [False, False, False, False, False, True]
    assert watch.best.kernels[0][0, 0] == 4.0


def test_a_watch_weighs_classes_alike() -> None:
    codes = np.repeat([0, 1], [9, 1])
    X = csr_array(np.eye(2, dtype=np.float32)[codes])

    def leaning(bias: float) -> SoftmaxNetwork:
        return SoftmaxNetwork((np.zeros((2, 2), np.float32),), (np.array([bias, 0], np.float32),))

    watch = Watch(leaning(0.0), X, codes, patience=9)
    for bias in (2.0, 0.0):
        watch.ends(leaning(bias))
    assert watch.best.biases[0][0] == 0.0
