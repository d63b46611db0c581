"""Every stored value of a matrix looked at once: what would make it unusable, and in which cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.rows import stored_blocks
from orthotype.cells.scales import is_whole
from orthotype.errors import Problem, listed

SCAN_SIZE: Final = 4096
MASKS: Final = ("not_finite", "negative", "fractional", "large_whole", "empty")
REMEDY: Final = (
    "put counts or log-normalised values into X, raw or a layer, "
    "or name the matrix to use (layer=..., --layer)"
)


@dataclass(frozen=True)
class Scan:
    """What a look at all values found; each mask is (n_cells,).

    Attributes
    ----------
    not_finite, negative, fractional
        Cells with a NaN or infinite value, with a value below zero, with a value that is not whole.
    large_whole
        Cells of at least ten values, all whole and some above one: counts, even where a sample of the matrix
        looked like logarithms.
    empty
        Cells in which nothing was counted.
    lowest
        The lowest value.
    """

    not_finite: NDArray[np.bool_]
    negative: NDArray[np.bool_]
    fractional: NDArray[np.bool_]
    large_whole: NDArray[np.bool_]
    empty: NDArray[np.bool_]
    lowest: float

    def problem(self, where: str, *, scale: str, names: Sequence[str]) -> Problem | None:
        """Return why a matrix cannot be used, or None.

        Parameters
        ----------
        where
            Name of the matrix in the message.
        scale
            What a sample of the matrix was judged to hold.
        names
            Names of the cells, for examples.
        """
        if self.not_finite.any():
            return Problem(
                f"{where} holds NaN or infinite values in {_cells(self.not_finite, names)}",
                "finite numbers",
                "remove these cells or set missing values to 0",
            )
        if self.negative.any():
            return Problem(
                f"{where} looks scaled (z-scores or residuals): it holds negative values, down to "
                f"{self.lowest:.3g}, in {_cells(self.negative, names)}",
                "counts or log-normalised values, which are never negative",
                REMEDY,
            )
        if self.empty.all():
            return Problem(f"all values of {where} are zero", "counts", REMEDY)
        odd = self.fractional if scale in ("counts", "binary") else self.large_whole
        if scale in ("counts", "binary", "log1p") and odd.any():
            kinds = (
                ("fractions", "whole counts") if odd is self.fractional else ("whole counts", "logarithms")
            )
            return Problem(
                f"{where} mixes scales: {_cells(odd, names)} hold {kinds[0]}, others hold {kinds[1]}",
                "all cells on one scale",
                "data sets were joined after normalising one of them: join their counts instead",
            )
        return None


def scan_values(matrix: Any) -> Scan:
    """Look at every stored value of a matrix, a block of cells at a time.

    Parameters
    ----------
    matrix
        Cells by genes, in any form that :class:`orthotype.cells.rows.MatrixRows` takes.
    """
    n_cells = int(matrix.shape[0])
    masks = {name: np.zeros(n_cells, dtype=bool) for name in MASKS}
    lowest = 0.0
    for rows, block in stored_blocks(matrix, SCAN_SIZE):
        for name, mask in _block_masks(block).items():
            masks[name][rows] = mask
        if masks["negative"][rows].any():
            lowest = min(lowest, float(np.nanmin(block.data)))
    return Scan(lowest=lowest, **masks)


def _block_masks(block: sp.csr_array) -> dict[str, NDArray[np.bool_]]:
    values = block.data
    whole = is_whole(values)
    some_fraction = _any_in_row(block, ~whole)
    enough = np.diff(block.indptr) >= 10
    return {
        "not_finite": _any_in_row(block, ~np.isfinite(values)),
        "negative": _any_in_row(block, values < 0),
        "fractional": some_fraction,
        "large_whole": enough & ~some_fraction & _any_in_row(block, values > 1),
        "empty": ~_any_in_row(block, values != 0),
    }


def _any_in_row(block: sp.csr_array, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return in which rows any stored value is marked."""
    if not marked.any():
        return np.zeros(block.shape[0], dtype=bool)
    seen = np.concatenate([[0], np.cumsum(marked)])
    return np.asarray(seen[block.indptr[1:]] > seen[block.indptr[:-1]])


def _cells(mask: NDArray[np.bool_], names: Sequence[str]) -> str:
    where = np.flatnonzero(mask)
    examples = listed([names[i] for i in where[:5]])
    more = ", ..." if where.size > 5 else ""
    return f"{where.size:,} of {mask.size:,} cells ({examples}{more})"
