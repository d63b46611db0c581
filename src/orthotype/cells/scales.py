"""What the numbers of a matrix are, judged by evidence: counts, logarithms, proportions, or scaled.

Two signs tell how values were made, and both are looked for on the plain scale and under each logarithm:

*Lattice.* Counts divided by a number per cell are whole multiples of the cell's smallest value. This holds
for any subset of genes and needs no knowledge of the target sum.

*Constant sum.* The values of every cell sum to the same number, such as 10,000 or a million.

When neither speaks, the largest value decides. With cells of at most a million counts, natural logarithms
stay below 14 and those to base 2 below 20; what is above 25 is no logarithm.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

LARGEST_NATURAL_LOG: Final = 14.0
LARGEST_LOG: Final = 25.0
BASES: Final = (np.e, 2.0, 10.0)


@dataclass(frozen=True)
class ScaleEvidence:
    """What the values of a matrix are, and how one can tell.

    Attributes
    ----------
    scale
        ``"counts"``, ``"binary"`` (only zeros and ones), ``"log1p"``, ``"linear"``, or one that cannot be
        used: ``"scaled"`` (negative values), ``"not finite"``, ``"empty"``.
    base
        Base of the logarithm; None for the natural one, and on other scales.
    evidence
        One clause for people.
    """

    scale: str
    base: float | None
    evidence: str


def judge_scale(
    sample: sp.csr_array, *, base_hint: float | None = None, log_hint: bool = False
) -> ScaleEvidence:
    """Return what the values of some cells are.

    Parameters
    ----------
    sample
        (n, n_genes), some cells with the values as stored.
    base_hint
        Base of the logarithm that the file names, if any; it decides only where the values do not.
    log_hint
        Whether the file says that a logarithm was taken.
    """
    values = sample.data
    if not np.isfinite(values).all():
        return ScaleEvidence("not finite", None, "there are NaN or infinite values")
    if (values < 0).any():
        return ScaleEvidence("scaled", None, f"there are negative values, down to {values.min():.3g}")
    if not values.any():
        return ScaleEvidence("empty", None, "all values are zero")
    whole = _whole_cells(sample)
    if whole > 0.5:
        if values.max() <= 1:
            return ScaleEvidence("binary", None, "there are only zeros and ones")
        return ScaleEvidence("counts", None, f"{'all' if whole == 1 else 'most'} values are whole numbers")
    largest = float(values.max())
    return (
        _by_lattice(sample)
        or _by_constant_sum(sample)
        or _by_size(largest, base_hint=base_hint, log_hint=log_hint)
    )


def is_whole(values: NDArray[np.number], *, tolerance: float = 1e-3) -> NDArray[np.bool_]:
    """Return which values are whole numbers, but for rounding."""
    if np.issubdtype(values.dtype, np.integer) or values.dtype == np.bool_:
        return np.ones(values.shape, dtype=bool)
    with np.errstate(invalid="ignore"):
        exactly = np.asarray(values == np.rint(values))
        return exactly if exactly.all() else np.asarray(np.abs(values - np.rint(values)) <= tolerance)


def _whole_cells(sample: sp.csr_array) -> float:
    """Return the share of cells, of those with any value, that hold only whole numbers."""
    fractions = np.concatenate([[0], np.cumsum(~is_whole(sample.data))])
    filled = np.diff(sample.indptr) > 0
    return float(np.mean(np.diff(fractions[sample.indptr])[filled] == 0))


def _by_lattice(sample: sp.csr_array) -> ScaleEvidence | None:
    """Choose the scale on which values are whole multiples of each cell's smallest value."""
    scores = {base: lattice_score(sample, base=base) for base in (None, *BASES)}
    best = max(scores, key=lambda base: scores[base])
    if scores[best] < 0.9:
        return None
    where = "within each cell, values are whole multiples of the smallest"
    if best is None:
        return ScaleEvidence("linear", None, where)
    return ScaleEvidence("log1p", _named_base(best), f"{where} after {_formula(best)}")


def lattice_score(sample: sp.csr_array, *, base: float | None) -> float:
    """Return the share of values that are whole multiples of the cell's smallest: counts 1, chance 0.1.

    Only values from 1.5 to 20 times the smallest are judged; higher ones are blurred by float32.
    """
    near, judged = 0, 0
    for start, stop in zip(sample.indptr[:-1], sample.indptr[1:], strict=True):
        row = _linear(sample.data[start:stop], base)
        row = row[row > 0]
        if row.size == 0:
            continue
        ratios = row / row.min()
        ratios = ratios[(ratios > 1.5) & (ratios < 20)]
        near += int((np.abs(ratios - np.rint(ratios)) < 0.05).sum())
        judged += ratios.size
    return near / judged if judged >= 10 else 0.0


def _by_constant_sum(sample: sp.csr_array) -> ScaleEvidence | None:
    """Choose the scale on which all cells have the same sum."""
    if sample.shape[0] < 3:
        return None
    spread, sums = {}, {}
    for base in (None, *BASES):
        linear = sp.csr_array((_linear(sample.data, base), sample.indices, sample.indptr), shape=sample.shape)
        totals: NDArray[np.float64] = np.asarray(linear.sum(axis=1))
        totals = totals[totals > 0]
        sums[base] = float(np.mean(totals))
        spread[base] = float(np.std(totals) / sums[base])
    best = min(spread, key=lambda base: spread[base])
    if not spread[best] < 0.01:
        return None
    where = f"each cell sums to about {sums[best]:,.0f}"
    if best is None:
        return ScaleEvidence("linear", None, where)
    return ScaleEvidence("log1p", _named_base(best), f"{where} after {_formula(best)}")


def _by_size(largest: float, *, base_hint: float | None, log_hint: bool) -> ScaleEvidence:
    """Choose by the largest value, with what the file says about a logarithm."""
    if log_hint and largest <= 2 * LARGEST_LOG:
        word = "natural logarithm" if base_hint is None else f"logarithm to base {base_hint:g}"
        return ScaleEvidence(
            "log1p", base_hint, f'uns["log1p"] names a {word} and the values do not contradict'
        )
    if largest <= LARGEST_LOG:
        base, word = (
            (None, "natural logarithms") if largest <= LARGEST_NATURAL_LOG else (2.0, "logarithms to base 2")
        )
        note = f"the largest value is {largest:.3g}; taken as {word}, no stronger sign was found"
        return ScaleEvidence("log1p", base, note)
    note = f"the largest value is {largest:,.4g}, too high for a logarithm; taken as proportional to counts"
    return ScaleEvidence("linear", None, note)


def _linear(values: NDArray[np.number], base: float | None) -> NDArray[np.float64]:
    """Return the values before the logarithm, at most exp(300): impossible logarithms stay finite."""
    wide = values.astype(np.float64)
    return wide if base is None else np.expm1(np.minimum(wide * np.log(base), 300.0))


def _named_base(base: float) -> float | None:
    return None if base == np.e else base


def _formula(base: float) -> str:
    return "exp(x) - 1" if base == np.e else f"{base:g}**x - 1"
