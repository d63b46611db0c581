"""From counts to the numbers that a model sees: row-local encodings, chosen by a word.

Conventions
-----------
block : csr_array (n, F), linear non-negative values of the selected features.
totals : (n,), the sum of each cell over *all* aligned features. They are given, because the selected features
    are only some of them and a cell must be divided by its whole.
x_ij, t_i : one value of the block, one total.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.errors import InputError, listed


class Encoder(Protocol):
    """A function of one row, with a word that names it in a model file."""

    kind: ClassVar[str]

    def encode(self, block: sp.csr_array, totals: NDArray[np.float64]) -> sp.csr_array:
        """Return the encoded block, same shape, CSR of float32."""

    def to_dict(self) -> dict[str, Any]:
        """Return the kind and the parameters as plain JSON values."""


@dataclass(frozen=True)
class LogNormalize:
    """Logarithm of expression relative to the cell's total: ``log(1 + target_sum * x_ij / t_i)``.

    A cell whose total is zero has no expression to speak of and becomes a row of zeros.

    Parameters
    ----------
    target_sum
        The total that every cell is scaled to before the logarithm.

    Raises
    ------
    InputError
        If the target sum is not a positive number.
    """

    target_sum: float = 1e4
    kind: ClassVar[str] = "log_normalize"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.target_sum) and self.target_sum > 0):
            raise InputError(f"target_sum is {self.target_sum}; expected a positive number such as 10000")

    def encode(self, block: sp.csr_array, totals: NDArray[np.float64]) -> sp.csr_array:
        """Return ``log(1 + target_sum * x / total)``, same shape, CSR of float32."""
        return _with_data(block, np.log1p(normalised(block, totals, target_sum=self.target_sum)))

    def to_dict(self) -> dict[str, Any]:
        """Return the kind and the parameters as plain JSON values."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class Binarize:
    """One where a gene was seen in the cell, else zero: the encoding of Stumpf et al. 2020.

    It forgets how much was expressed, and with it many differences of protocol and depth.
    """

    kind: ClassVar[str] = "binarize"

    def encode(self, block: sp.csr_array, totals: NDArray[np.float64]) -> sp.csr_array:
        """Return 1 where ``x > 0``, same shape, CSR of float32; the totals play no part."""
        return _with_data(block, (block.data > 0).astype(np.float32))

    def to_dict(self) -> dict[str, Any]:
        """Return the kind and the parameters as plain JSON values."""
        return {"kind": self.kind}


ENCODERS: Final[Mapping[str, type[LogNormalize] | type[Binarize]]] = {
    LogNormalize.kind: LogNormalize,
    Binarize.kind: Binarize,
}


def encoder_from(choice: str | Mapping[str, Any] | Encoder) -> Encoder:
    """Return an encoder from its word, from what :meth:`Encoder.to_dict` wrote, or as it is.

    Raises
    ------
    InputError
        If the word is not in the closed table of encoders, or the parameters do not fit.

    Examples
    --------
    >>> encoder_from("binarize")
    Binarize()
    >>> encoder_from({"kind": "log_normalize", "target_sum": 1000.0})
    LogNormalize(target_sum=1000.0)
    """
    if not isinstance(choice, str | Mapping):
        return choice
    parameters = {"kind": choice} if isinstance(choice, str) else dict(choice)
    kind = str(parameters.pop("kind", ""))
    if kind not in ENCODERS:
        raise InputError(f"encoder {kind!r} is not known; expected one of {listed(ENCODERS)}")
    try:
        return ENCODERS[kind](**parameters)
    except TypeError as error:
        raise InputError(f"encoder {kind!r} cannot be made from {parameters}: {error}") from error


def normalised(
    block: sp.csr_array, totals: NDArray[np.float64], *, target_sum: float = 1e4
) -> NDArray[np.float64]:
    """Return the stored values scaled to a common total per cell, ``target_sum * x_ij / t_i``.

    Cells whose total is zero get zeros.

    Returns
    -------
    NDArray
        One value for each stored entry of the block, in its order.
    """
    totals = np.asarray(totals, dtype=np.float64)
    factors = np.divide(target_sum, totals, out=np.zeros_like(totals), where=totals > 0)
    return np.asarray(block.data * np.repeat(factors, np.diff(block.indptr)), dtype=np.float64)


def _with_data(block: sp.csr_array, values: NDArray[np.floating]) -> sp.csr_array:
    """Return the block with other values in the same places, without stored zeros."""
    data = values.astype(np.float32, copy=False)
    encoded = sp.csr_array((data, block.indices, block.indptr), shape=block.shape)
    if not data.all():
        encoded = encoded.copy()
        encoded.eliminate_zeros()
    return encoded
