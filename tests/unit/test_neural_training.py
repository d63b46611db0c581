"""Training: deterministic, gentle to absent classes, and refused where it makes no sense. Simulated cells."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from orthotype.errors import InputError, OrthotypeError
from orthotype.models.neural import Schedule, SoftmaxNetwork, train, training
from orthotype.models.neural.batches import dropped
from orthotype.models.neural.early import Watch

torch = pytest.importorskip("torch", reason="torch is not installed: no neural network is trained or tested")
pytestmark = pytest.mark.torch

SHORT = Schedule(steps=10, epochs=3)


def cells(n: int = 120, p: int = 60, K: int = 4, seed: int = 0) -> tuple[csr_array, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % K
    values = rng.poisson(0.3, size=(n, p)).astype(np.float32)
    for k in range(K):
        values[codes == k, 3 * k : 3 * k + 3] += rng.poisson(2.0, size=((codes == k).sum(), 3))
    return csr_array(values), codes


def start(hidden: int, *, p: int = 60, K: int = 4) -> SoftmaxNetwork:
    return SoftmaxNetwork.random(p, hidden=hidden, n_classes=K, rng=np.random.default_rng(7))


def bits(network: SoftmaxNetwork) -> bytes:
    return b"".join(values.tobytes() for values in network.arrays().values())


@pytest.mark.parametrize("hidden", [0, 16])
def test_it_learns(hidden: int) -> None:
    X, codes = cells()
    Xnew, new = cells(seed=1)
    schedule = Schedule(dropout=0.5 if hidden else 0.0)
    learned = train(start(hidden), X, codes, schedule=schedule, seed=0)
    assert (learned.predict_proba(Xnew).argmax(axis=1) == new).mean() > 0.9
    assert (start(hidden).predict_proba(Xnew).argmax(axis=1) == new).mean() < 0.6


@pytest.mark.parametrize("hidden", [0, 16])
def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads(hidden: int) -> None:
    X, codes = cells(p=900)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(bits(train(start(hidden, p=900), X, codes, schedule=SHORT, seed=3)))
            assert torch.get_num_threads() == threads, "the setting of the caller is left as it was"
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]
    assert bits(train(start(hidden, p=900), X, codes, schedule=SHORT, seed=4)) != found[0]


def test_two_trainings_at_once_do_not_disturb_each_other() -> None:
    X, codes = cells(p=900)

    def one(seed: int) -> bytes:
        return bits(train(start(16, p=900), X, codes, schedule=SHORT, seed=seed))

    alone = [one(seed) for seed in range(4)]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(one, range(4))) == alone


def test_global_random_numbers_are_neither_used_nor_moved() -> None:
    X, codes = cells()
    torch.manual_seed(0)
    first, torch_before = bits(train(start(16), X, codes, schedule=SHORT, seed=0)), torch.get_rng_state()
    torch.manual_seed(1)
    assert bits(train(start(16), X, codes, schedule=SHORT, seed=0)) == first
    torch.manual_seed(0)
    assert torch.equal(torch.get_rng_state(), torch_before)


def test_the_network_it_starts_from_is_not_changed() -> None:
    X, codes = cells()
    network = start(16)
    before = bits(network)
    train(network, X, codes, schedule=SHORT, seed=0)
    assert bits(network) == before


@pytest.mark.parametrize("hidden", [0, 4, 16])
def test_a_class_without_cells_keeps_its_readout_to_the_bit(hidden: int) -> None:
    """With hidden=4 the hidden layer has as many units as there are classes: it must move all the same."""
    X, codes = cells()
    source = train(start(hidden), X, codes, schedule=SHORT, seed=0)
    few = np.flatnonzero(codes != 2)[:9]
    adapted = train(source, X[few], codes[few], schedule=replace(SHORT, steps=3), seed=1)
    assert adapted.kernels[-1][:, 2].tobytes() == source.kernels[-1][:, 2].tobytes()
    assert adapted.biases[-1][2] == source.biases[-1][2]
    for k in (0, 1, 3):
        assert (adapted.kernels[-1][:, k] != source.kernels[-1][:, k]).any()
        assert adapted.biases[-1][k] != source.biases[-1][k]
    if hidden:
        moved = (adapted.kernels[0] != source.kernels[0]).any(axis=0)
        assert moved.all(), "the hidden layer is shared and moves"


@pytest.mark.parametrize("hidden", [0, 16])
def test_a_class_without_cells_takes_no_part_in_the_loss(hidden: int) -> None:
    X, codes = cells()
    few = np.flatnonzero(codes != 2)[:30]
    network = start(hidden)
    loud = network.biases[-1].copy()
    loud[2] = 50.0
    louder = SoftmaxNetwork(network.kernels, (*network.biases[:-1], loud))
    quiet, other = (train(one, X[few], codes[few], schedule=SHORT, seed=0) for one in (network, louder))
    others = [0, 1, 3]
    assert quiet.kernels[-1][:, others].tobytes() == other.kernels[-1][:, others].tobytes()
    assert quiet.kernels[0].tobytes() == other.kernels[0].tobytes()
    assert quiet.biases[-1][others].tobytes() == other.biases[-1][others].tobytes()


def test_the_readout_alone_can_move() -> None:
    X, codes = cells()
    moved = train(start(16), X, codes, schedule=SHORT, seed=0, moves="readout")
    assert moved.kernels[0].tobytes() == start(16).kernels[0].tobytes()
    assert moved.biases[0].tobytes() == start(16).biases[0].tobytes()
    assert (moved.kernels[1] != start(16).kernels[1]).any() and moved.biases[1].any()


def test_it_goes_on_from_the_weights_it_is_given() -> None:
    X, codes = cells()
    source = train(start(16), X, codes, schedule=SHORT, seed=0)
    once = train(source, X, codes, schedule=Schedule(steps=1, epochs=1), seed=0)
    furthest = max(np.abs(a - b).max() for a, b in zip(once.kernels, source.kernels, strict=True))
    assert 0 < furthest <= 1e-3 / np.sqrt(0.1) * 1.001, "the longest first step of RMSprop"


def test_the_absolute_penalty_shrinks_the_hidden_kernel_only() -> None:
    X, codes = cells()
    schedule = Schedule(dropout=0.0, epochs=10)
    free = train(start(16), X, codes, schedule=replace(schedule, l1=0.0), seed=0)
    held = train(start(16), X, codes, schedule=replace(schedule, l1=0.05), seed=0)
    assert np.abs(held.kernels[0]).sum() < 0.5 * np.abs(free.kernels[0]).sum()
    flat = [train(start(0), X, codes, schedule=replace(SHORT, l1=l1), seed=0) for l1 in (0.0, 1.0)]
    assert bits(flat[0]) == bits(flat[1])


def test_patience_ends_the_training_and_returns_the_best_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, watches = [], []

    class Seen(Watch):
        def ends(self, network: SoftmaxNetwork) -> bool:
            seen.append(bits(network))
            watches.append(self)
            return super().ends(network)

    monkeypatch.setattr(training, "Watch", Seen)
    X, codes = cells(n=60)
    many = Schedule(epochs=400, steps=20, dropout=0.0, l1=0.0, learning_rate=0.01, patience=2)
    stopped = train(start(16), X, codes, schedule=many, seed=0)
    assert 3 <= len(seen) < 400
    assert bits(stopped) == seen[-3] != seen[-1], "two epochs after the best it ends, and goes back"
    assert watches[0].X.shape[0] == 12, "a fifth of the cells is set aside"


def test_torch_works_on_one_thread_while_it_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    X, codes = cells()
    found = []

    def spy(*given, **settings):
        found.append(torch.get_num_threads())
        return dropped(*given, **settings)

    monkeypatch.setattr(training, "dropped", spy)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        train(start(0), X, codes, schedule=Schedule(steps=2, epochs=1), seed=0)
    finally:
        torch.set_num_threads(before)
    assert found == [1, 1]


def test_patience_with_single_cells_only_still_learns() -> None:
    X, codes = cells(n=4)
    trained = train(start(0), X, codes, schedule=replace(SHORT, patience=1, dropout=0.0), seed=0)
    assert bits(trained) != bits(start(0))


def test_no_cells_change_nothing() -> None:
    X, codes = cells()
    network = start(16)
    assert train(network, X[:0], codes[:0], schedule=SHORT, seed=0) is network


def test_everything_that_does_not_fit_is_said_at_once() -> None:
    X, codes = cells()
    X = X.copy()
    X.data[0] = np.nan
    with pytest.raises(InputError) as caught:
        bad = Schedule(steps=0, dropout=1.0, patience=0)
        train(start(0, p=59, K=3), X, codes, schedule=bad, seed=0)
    text = str(caught.value)
    for part in ("60 genes; expected 59", "from 0 to 3; expected 0 to 2", "not finite", "dropout=1.0"):
        assert part in text
    assert "steps=0" in text and "patience=0" in text
    with pytest.raises(InputError, match="one for each cell"):
        train(start(0), cells()[0], codes[:5], schedule=SHORT, seed=0)


def test_weights_that_run_away_are_an_error() -> None:
    X, codes = cells()
    with pytest.raises(InputError, match="lower rate"):
        train(start(16), X * np.float32(1e20), codes, schedule=Schedule(learning_rate=1e15, epochs=3), seed=0)


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    X, codes = cells()
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(OrthotypeError, match=r"orthotype\[torch\]"):
        train(start(0), X, codes, schedule=SHORT, seed=0)
    assert start(0).predict_proba(X).shape == (120, 4), "predicting needs no torch"
