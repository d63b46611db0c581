"""Every stored value of a matrix looked at once: what would make it unusable, and in which cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.native import rows_kernel
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
    looked = Look(int(matrix.shape[0]))
    for rows, block in stored_blocks(matrix, SCAN_SIZE):
        looked.at(rows, block)
    return looked.scan()


class Look:
    """A look at all cells, block after block in order; what it finds does not depend on their size.

    Parameters
    ----------
    n_cells
        Number of cells.
    first
        Number of the first of them.

    Attributes
    ----------
    flags
        One bit a cell for each mask of :class:`Scan`, (n_cells,).
    lowest
        The lowest value so far.
    samples
        A few cells with fractions, from each of the first stretches of cells that have any.
    """

    def __init__(self, n_cells: int, *, first: int = 0) -> None:
        self.first = first
        self.flags = np.zeros(n_cells, dtype=np.uint8)
        self.lowest = 0.0
        self.samples: dict[int, list[sp.csr_array]] = {}

    def at(self, rows: slice, block: sp.csr_array) -> None:
        """Look at some more cells, with the values as they are stored."""
        flags, lowest = block_flags(block)
        self.flags[rows.start - self.first : rows.stop - self.first] |= flags
        self.lowest = min(self.lowest, lowest)
        fractional = flags & 1 << MASKS.index("fractional")
        if fractional.any():
            self._sample(np.flatnonzero(fractional), rows.start, block)

    def _sample(self, places: NDArray[np.intp], first: int, block: sp.csr_array) -> None:
        """Keep the first cells with fractions of each stretch of cells, for the first few stretches."""
        stretches = (places + first) // SCAN_SIZE
        for stretch in np.unique(stretches).tolist():
            if stretch not in self.samples and len(self.samples) == SAMPLE_BLOCKS:
                return
            self._keep(stretch, block[places[stretches == stretch][:SAMPLE_CELLS]])

    def _keep(self, stretch: int, rows: sp.csr_array) -> None:
        kept = self.samples.setdefault(stretch, [])
        free = SAMPLE_CELLS - sum(part.shape[0] for part in kept)
        if free > 0:
            kept.append(rows[:free])

    def join(self, other: "Look") -> None:
        """Take over what another look found in the cells that follow."""
        start = other.first - self.first
        self.flags[start : start + len(other.flags)] = other.flags
        self.lowest = min(self.lowest, other.lowest)
        for stretch, parts in other.samples.items():
            if stretch in self.samples or len(self.samples) < SAMPLE_BLOCKS:
                self._keep(stretch, sp.csr_array(sp.vstack(parts, format="csr")))

    def scan(self) -> Scan:
        """Return what all cells hold."""
        parts = [part for stretch in self.samples.values() for part in stretch]
        return Scan(
            lowest=self.lowest,
            fractions=judge_scale(sp.vstack(parts, format="csr")) if parts else None,
            **{name: (self.flags >> bit & 1).astype(bool) for bit, name in enumerate(MASKS)},
        )


def block_flags(block: sp.csr_array) -> tuple[NDArray[np.uint8], float]:
    """Return one bit for each mask of :class:`Scan` and row, and the lowest value below zero, or zero."""
    kernel = rows_kernel(block)
    if kernel is not None:
        flags = np.empty(block.shape[0], dtype=np.uint8)
        return flags, kernel.look(block.indptr, block.data, flags)
    masks = _block_masks(block)
    flags = np.zeros(block.shape[0], dtype=np.uint8)
    for bit, name in enumerate(MASKS):
        flags |= masks[name].astype(np.uint8) << bit
    return flags, float(np.nanmin(block.data)) if masks["negative"].any() else 0.0


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
