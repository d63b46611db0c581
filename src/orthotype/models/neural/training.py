"""How a softmax network learns: RMSprop on class-balanced batches, with dropout of the input.

The loss of a batch of m cells is ::

    sum_i CE(softmax(scores(dropped x_i)), y_i) / m  +  l1 * sum |A|

with A the hidden kernel, dropped x_i the cell with each value set to zero with probability d and otherwise
divided by 1 - d, and the step of every weight w with gradient g ::

    v <- 0.9 v + 0.1 g^2,        w <- w - rate * g / (sqrt(v) + 1e-7),        v = 0 at the start

which is what Keras did in 2019 (its defaults for RMSprop, the L1 penalty and dropout). Random numbers come
from NumPy generators made of the seed, and torch works on one thread, so that neither the number of threads
nor anything else that runs in the process can change a result.

References
----------
Stumpf et al. (2020), Commun Biol 3:736, Methods. Tieleman and Hinton (2012), Lecture 6.5, RMSprop.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.errors import InputError, OrthotypeError, Problems
from orthotype.models.neural.batches import batches, dropped
from orthotype.models.neural.early import Watch, set_aside
from orthotype.models.neural.network import SoftmaxNetwork

RHO, EPSILON = 0.9, 1e-7

Codes = NDArray[np.intp]
Moves = Literal["all", "readout"]

_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Schedule:
    """What decides how a network is trained.

    Attributes
    ----------
    steps
        Batches per epoch.
    epochs
        Epochs; the number of steps is what counts, except for ``patience``.
    per_class
        Cells of every class in a batch, drawn without replacement; with replacement from a class that has
        fewer, as Stumpf et al. did.
    dropout
        Share of the input values set to zero while training.
    l1
        Strength of the absolute penalty on the hidden kernel.
    learning_rate
        Length of a step.
    patience
        Set a fifth of the cells aside, stop when this many epochs in a row did not lower their loss, and
        return to the best epoch; None: learn from all cells in all epochs.
    """

    steps: int = 42
    epochs: int = 21
    per_class: int = 5
    dropout: float = 0.5
    l1: float = 0.001
    learning_rate: float = 1e-3
    patience: int | None = None


def train(
    network: SoftmaxNetwork,
    X: Any,
    codes: Codes,
    *,
    schedule: Schedule,
    seed: int,
    moves: Moves = "all",
) -> SoftmaxNetwork:
    """Return a network that has learned from labelled cells, starting from the weights of another.

    Classes without a cell take no part: they are in no batch and not in the softmax of the loss, and their
    column of the last layer (kernel and bias) does not move. A hidden layer is shared by all classes and
    moves with those that have cells, so that of an absent class the readout is kept, not its score;
    ``moves="readout"`` keeps both.

    Parameters
    ----------
    network
        Where to start; not changed.
    X
        Encoded cells x genes, CSR; only one batch at a time is dense.
    codes
        Class of each cell.
    schedule
        How to train.
    seed
        Decides batches, dropout and which cells are set aside.
    moves
        Which weights learn: ``"all"``, or the last layer alone, ``"readout"``.

    Raises
    ------
    InputError
        If cells, classes and network do not fit each other, a value is not finite, or the weights diverge.
    OrthotypeError
        If torch is not installed.
    """
    X, codes = sp.csr_array(X, dtype=np.float32), np.asarray(codes, dtype=np.intp)
    _check(network, X, codes, schedule)
    if len(codes) == 0:
        return network
    torch = import_torch()
    draws, losses, aside = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3))
    watch = None
    if schedule.patience is not None:
        watched = set_aside(codes, rng=aside)
        watch = Watch(network, X[watched], codes[watched], patience=schedule.patience)
        X, codes = X[~watched], codes[~watched]
    present, kept = np.unique(codes, return_inverse=True)
    with _one_thread(torch):
        run = _Run(torch, network, schedule, moves, present=present)
        for _ in range(schedule.epochs):
            for rows in batches(codes, steps=schedule.steps, per_class=schedule.per_class, rng=draws):
                run.step(dropped(X[rows], schedule.dropout, rng=losses), kept[rows])
            if watch is not None and watch.ends(run.network()):
                break
        trained = run.network() if watch is None else watch.best
    if not all(np.isfinite(values).all() for values in (*trained.kernels, *trained.biases)):
        raise InputError(
            f"the weights grew beyond all bounds within {schedule.epochs} epochs at a learning_rate of "
            f"{schedule.learning_rate:g}; expected them to settle; use a lower rate, or encode the counts"
        )
    return trained


@contextmanager
def _one_thread(torch: Any) -> Iterator[None]:
    """Let torch work on one thread, one training at a time, and leave its setting as it was."""
    with _one_at_a_time:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _check(network: SoftmaxNetwork, X: sp.csr_array, codes: Codes, schedule: Schedule) -> None:
    problems = Problems("the training of a network")
    if X.shape[1] != network.n_features:
        problems.add(f"cells of {X.shape[1]:,} genes", expected=f"{network.n_features:,}")
    if codes.shape != (X.shape[0],):
        problems.add(f"class numbers of shape {codes.shape}", expected=f"({X.shape[0]},), one for each cell")
    elif len(codes) and not 0 <= codes.min() <= codes.max() < network.n_classes:
        problems.add(
            f"class numbers from {codes.min()} to {codes.max()}", expected=f"0 to {network.n_classes - 1}"
        )
    if not np.isfinite(X.data).all():
        problems.add("values that are not finite", expected="finite numbers", remedy="remove them first")
    if not (0 <= schedule.dropout < 1 and schedule.l1 >= 0 and schedule.learning_rate > 0):
        problems.add(
            f"dropout={schedule.dropout}, l1={schedule.l1}, learning_rate={schedule.learning_rate}",
            expected="a dropout from 0 to below 1, l1 of at least 0 and a positive rate",
        )
    counts = {"steps": schedule.steps, "epochs": schedule.epochs, "per_class": schedule.per_class}
    if schedule.patience is not None:
        counts["patience"] = schedule.patience
    for name, count in counts.items():
        if count < 1:
            problems.add(f"{name}={count}", expected="at least 1")
    problems.raise_if_any()


def import_torch() -> Any:
    """Return the torch package.

    Raises
    ------
    OrthotypeError
        If it is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise OrthotypeError(
            'training a neural network needs torch, which is not installed; pip install "orthotype[torch]"'
        ) from error
    return torch


class _Run:
    """The weights while they move."""

    def __init__(
        self, torch: Any, network: SoftmaxNetwork, schedule: Schedule, moves: Moves, *, present: Codes
    ) -> None:
        self.torch, self.schedule, self.start = torch, schedule, network
        self.present = torch.from_numpy(present)
        self.kernels = [torch.from_numpy(values.copy()) for values in network.kernels]
        self.biases = [torch.from_numpy(values.copy()) for values in network.biases]
        first = 0 if moves == "all" else -1
        self.moving = [values.requires_grad_() for values in (*self.kernels[first:], *self.biases[first:])]
        self.squares = [torch.zeros_like(values) for values in self.moving]

    def loss(self, batch: NDArray[np.float32], codes: Codes) -> Any:
        """Return the loss of one dense batch, in which class numbers count the classes present."""
        values = self.torch.from_numpy(batch)
        for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True):
            values = self.torch.relu(values @ kernel + bias)
        scores = (values @ self.kernels[-1] + self.biases[-1])[:, self.present]
        loss = self.torch.nn.functional.cross_entropy(scores, self.torch.from_numpy(codes))
        if self.start.hidden and self.schedule.l1 > 0:
            loss = loss + self.schedule.l1 * self.kernels[0].abs().sum()
        return loss

    def step(self, batch: NDArray[np.float32], codes: Codes) -> None:
        """Move every weight once."""
        gradients = self.torch.autograd.grad(self.loss(batch, codes), self.moving)
        with self.torch.no_grad():
            for values, square, gradient in zip(self.moving, self.squares, gradients, strict=True):
                square.mul_(RHO).addcmul_(gradient, gradient, value=1 - RHO)
                values.addcdiv_(gradient, square.sqrt().add_(EPSILON), value=-self.schedule.learning_rate)

    def network(self) -> SoftmaxNetwork:
        """Return the weights as they are now."""
        kernels, biases = (
            tuple(values.detach().numpy().copy() for values in layers)
            for layers in (self.kernels, self.biases)
        )
        return replace(self.start, kernels=kernels, biases=biases)
