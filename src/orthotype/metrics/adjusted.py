"""p-values adjusted for how many questions were asked."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orthotype.errors import InputError


def benjamini_hochberg(p: ArrayLike) -> NDArray[np.float64]:
    """Return p-values adjusted for how many were asked for, in the order given.

    The adjusted value of the i-th smallest of m is the smallest ``m p_(j) / j`` over j >= i, at most 1.

    Parameters
    ----------
    p
        All p-values of one family, shape (m,).

    Raises
    ------
    InputError
        If values are missing or outside 0 .. 1: a family with gaps has no size.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.02, 0.9]).round(3).tolist()
    [0.03, 0.03, 0.9]
    """
    values = np.asarray(p, dtype=float)
    bad = int((~((values >= 0) & (values <= 1))).sum())
    if bad or values.ndim != 1:
        raise InputError(
            f"p-values: {bad:,} of {values.size:,} are missing or outside 0 to 1, shape {values.shape}; "
            "expected one list of numbers from 0 to 1"
        )
    falling = np.argsort(-values, kind="stable")
    rank = np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[falling] = np.minimum(np.minimum.accumulate(values[falling] * len(values) / rank), 1)
    return adjusted
