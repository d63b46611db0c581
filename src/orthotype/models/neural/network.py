"""What a softmax network is once it has learned: one or two kernels with their biases, and no torch.

Conventions
-----------
x : (p,) an encoded cell
A, a : (p, H) and (H,), kernel and bias of the hidden layer, if there is one
B, c : (H, K) and (K,), or (p, K) and (K,) without a hidden layer

::

    scores(x) = relu(x A + a) B + c        or        x B + c
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.errors import ModelFileError, Problems
from orthotype.models.linear.softmax import softmax
from orthotype.models.linear.solve import ABSENT

Floats = NDArray[np.float64]
Weights = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SoftmaxNetwork:
    """A classifier with no hidden layer (multinomial regression) or with one of rectified linear units.

    Attributes
    ----------
    kernels
        Weights of every layer, float32: (p, K), or (p, H) and (H, K).
    biases
        Biases of every layer, float32.
    """

    kernels: tuple[Weights, ...]
    biases: tuple[Weights, ...]

    @classmethod
    def random(cls, n_features: int, *, hidden: int, n_classes: int, rng: np.random.Generator) -> Self:
        """Return an untrained network: biases of zero, kernels uniform within sqrt(6 / (inputs + outputs)).

        References
        ----------
        Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural networks,
        AISTATS; the default of Keras.
        """
        sizes = (n_features, hidden, n_classes) if hidden else (n_features, n_classes)
        kernels = []
        for inputs, outputs in pairwise(sizes):
            limit = np.sqrt(6.0 / (inputs + outputs))
            kernels.append(rng.uniform(-limit, limit, size=(inputs, outputs)).astype(np.float32))
        return cls(tuple(kernels), tuple(np.zeros(size, dtype=np.float32) for size in sizes[1:]))

    @property
    def n_features(self) -> int:
        """Number of genes p."""
        return int(self.kernels[0].shape[0])

    @property
    def hidden(self) -> int:
        """Number of hidden units, 0 without a hidden layer."""
        return int(self.kernels[0].shape[1]) if len(self.kernels) == 2 else 0

    @property
    def n_classes(self) -> int:
        """Number of classes K."""
        return len(self.biases[-1])

    def scores(self, X: Any) -> Floats:
        """Return the logits of encoded cells, shape (n, K); every row depends on its own cell alone.

        Parameters
        ----------
        X
            Cells x genes, CSR; it stays sparse.
        """
        values = sp.csr_array(X)
        for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True):
            values = sp.csr_array(np.maximum(np.asarray(values @ kernel) + bias, 0))
        return np.asarray(np.asarray(values @ self.kernels[-1], dtype=np.float64) + self.biases[-1])

    def predict_proba(self, X: Any) -> Floats:
        """Return the class probabilities of encoded cells, shape (n, K)."""
        return np.asarray(softmax(self.scores(X)), dtype=np.float64)

    def without(self, absent: NDArray[np.bool_]) -> Self:
        """Return the same network with probability zero for some classes, those it will never be shown."""
        kernel, bias = self.kernels[-1].copy(), self.biases[-1].copy()
        kernel[:, absent], bias[absent] = 0.0, ABSENT
        return type(self)((*self.kernels[:-1], kernel), (*self.biases[:-1], bias))

    def with_room(self, present: NDArray[np.bool_]) -> Self:
        """Return the same network, with classes of probability zero brought back if they are now present.

        Such a class has no weights worth starting from: its kernel stays zero and its bias becomes the mean
        of the others.
        """
        bias = self.biases[-1].copy()
        silent = bias <= ABSENT
        bias[silent & present] = 0.0 if silent.all() else bias[~silent].mean()
        return type(self)(self.kernels, (*self.biases[:-1], bias))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return everything that was learned, by name; :meth:`from_arrays` reads it."""
        layers = enumerate(zip(self.kernels, self.biases, strict=True))
        return {
            f"{name}_{i}": values
            for i, layer in layers
            for name, values in zip(("kernel", "bias"), layer, strict=True)
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """Return the network that :meth:`arrays` wrote.

        Raises
        ------
        ModelFileError
            If an array is missing, foreign, not finite, or does not fit the others.
        """
        n_layers = 2 if "kernel_1" in arrays else 1
        expected = [f"{name}_{i}" for i in range(n_layers) for name in ("kernel", "bias")]
        problems = Problems("the arrays of a network")
        if sorted(arrays) != sorted(expected):
            problems.add(f"{', '.join(sorted(arrays)) or 'none'}", expected=", ".join(expected))
            problems.raise_if_any(ModelFileError)
        kernels = tuple(np.asarray(arrays[f"kernel_{i}"], dtype=np.float32) for i in range(n_layers))
        biases = tuple(np.asarray(arrays[f"bias_{i}"], dtype=np.float32) for i in range(n_layers))
        for i, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
            outputs = kernel.shape[1:]
            if kernel.ndim != 2 or bias.shape != outputs or (i and kernel.shape[:1] != biases[i - 1].shape):
                problems.add(
                    f"kernel_{i} {kernel.shape} and bias_{i} {bias.shape}", expected="layers that fit"
                )
            if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
                problems.add(f"values in layer {i} that are not finite", expected="finite numbers")
        problems.raise_if_any(ModelFileError)
        return cls(kernels, biases)
