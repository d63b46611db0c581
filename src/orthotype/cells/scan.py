"""Every stored value of a matrix looked at once: what would make it unusable, and in which cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.rows import stored_blocks
from orthotype.cells.scales import ScaleEvidence, is_whole, judge_scale
from orthotype.errors import Problem, listed

SCAN_SIZE: Final = 4096
SAMPLE_BLOCKS: Final = 8
SAMPLE_CELLS: Final = 64
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
    fractions
        What a sample of the fractional cells was judged to hold; None if there are none.
    """

    not_finite: NDArray[np.bool_]
    negative: NDArray[np.bool_]
    fractional: NDArray[np.bool_]
    large_whole: NDArray[np.bool_]
    empty: NDArray[np.bool_]
    lowest: float
    fractions: ScaleEvidence | None

    def problems(self, where: str, *, scale: str, names: Sequence[str]) -> list[Problem]:
        """Return everything for which a matrix cannot be used; nothing if it can.

        Parameters
        ----------
        where
            Name of the matrix in the message.
        scale
            What a sample of the matrix was judged to hold.
        names
            Names of the cells, for examples.
        """
        found = []
        if self.not_finite.any():
            found.append(
                Problem(
                    f"{where} holds NaN or infinite values in {_cells(self.not_finite, names)}",
                    "finite numbers",
                    "remove these cells or set missing values to 0",
                )
            )
        if self.negative.any():
            found.append(
                Problem(
                    f"{where} looks scaled (z-scores or residuals): it holds negative values, down to "
                    f"{self.lowest:.3g}, in {_cells(self.negative, names)}",
                    "counts or log-normalised values, which are never negative",
                    REMEDY,
                )
            )
        if self.empty.all():
            found.append(Problem(f"all values of {where} are zero", "counts", REMEDY))
        return found or self._mixture(where, scale, names)

    def _mixture(self, where: str, scale: str, names: Sequence[str]) -> list[Problem]:
        """Return a problem if some cells are on another scale than most."""
        if scale in ("counts", "binary") and self.fractions and self.fractions.scale == "log1p":
            odd, theirs, usual = self.fractional, "logarithms", "whole counts"
        elif scale == "log1p" and self.large_whole.any():
            odd, theirs, usual = self.large_whole, "whole counts", "logarithms"
        else:
            return []
        return [
            Problem(
                f"{where} mixes scales: {_cells(odd, names)} hold {theirs}, others hold {usual}",
                "all cells on one scale",
                "data sets were joined after normalising one of them: join their counts instead",
            )
        ]


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
    samples: list[sp.csr_array] = []
    for rows, block in stored_blocks(matrix, SCAN_SIZE):
        for name, mask in _block_masks(block).items():
            masks[name][rows] = mask
        if masks["negative"][rows].any():
            lowest = min(lowest, float(np.nanmin(block.data)))
        if len(samples) < SAMPLE_BLOCKS and masks["fractional"][rows].any():
            samples.append(block[np.flatnonzero(masks["fractional"][rows])[:SAMPLE_CELLS]])
    fractions = judge_scale(sp.vstack(samples, format="csr")) if samples else None
    return Scan(lowest=lowest, fractions=fractions, **masks)


def _block_masks(block: sp.csr_array) -> dict[str, NDArray[np.bool_]]:
    values, stored = block.data, np.diff(block.indptr)
    whole = is_whole(values)
    some_fraction = np.zeros(len(stored), dtype=bool) if whole.all() else _any_in_row(block, ~whole)
    lowest, highest = (_by_row(extreme, block) for extreme in (np.minimum, np.maximum))
    not_finite = ~(np.isfinite(lowest) & np.isfinite(highest))
    return {
        "not_finite": not_finite,
        "negative": _any_in_row(block, values < 0) if not_finite.any() else lowest < 0,
        "fractional": some_fraction,
        "large_whole": (stored >= 10) & ~some_fraction & (highest > 1),
        "empty": (lowest == 0) & (highest == 0),
    }


def _any_in_row(block: sp.csr_array, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return in which rows any stored value is marked."""
    return _by_row(np.logical_or, block, marked)


def _by_row(combine: np.ufunc, block: sp.csr_array, values: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return what a ufunc makes of the stored values of each row, 0 for a row without any."""
    values = block.data if values is None else values
    filled = np.diff(block.indptr) > 0
    found = np.zeros(block.shape[0], dtype=values.dtype)
    if filled.any():
        found[filled] = combine.reduceat(values, block.indptr[:-1][filled])
    return found


def _cells(mask: NDArray[np.bool_], names: Sequence[str]) -> str:
    where = np.flatnonzero(mask)
    examples = listed([names[i] for i in where[:5]])
    more = ", ..." if where.size > 5 else ""
    return f"{where.size:,} of {mask.size:,} cells ({examples}{more})"
