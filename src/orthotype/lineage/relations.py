"""Where errors fall: how many cells of each true class are right, next to right, or far off."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from orthotype._keys import NO_AGREEMENT, UNKNOWN
from orthotype.errors import InputError, listed
from orthotype.lineage.tree import Lineage
from orthotype.metrics.labels import Labels, codes, named, paired_whole
from orthotype.metrics.published import OVERALL

OUTCOMES: Final = ("correct", "proximal", "distal", "no_agreement", "unknown", "unplaced")
STATUSES: Final = {NO_AGREEMENT: "no_agreement", UNKNOWN: "unknown"}


def error_table(
    true: Labels,
    called: Labels,
    *,
    lineage: Lineage,
    classes: Sequence[str] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Count the cells of each true class by how far their label is from the truth.

    Parameters
    ----------
    true
        True class of each cell; no gaps.
    called
        Label of each cell: a class, *no agreement* or *unknown*.
    lineage
        Which classes are neighbours.
    classes
        The true classes to show, in order; by default all that occur, sorted.
    level
        Confidence of the intervals.

    Returns
    -------
    pandas.DataFrame
        One row per true class and a last one, ``"all"``, over every cell. ``cells``: how many cells have this
        true class. For each outcome (``correct``, ``proximal``, ``distal``, ``no_agreement``, ``unknown``,
        ``unplaced``) four columns: the count under its name, and ``_rate``, ``_low`` and ``_high``: the share
        of the ``cells`` of the row with its Wilson score interval. The counts of a row add up to ``cells``;
        rates of a class without cells are NaN. *No agreement* is a status and neither proximal nor distal;
        *unplaced* are errors that the lineage cannot judge (:meth:`Lineage.relation`).

    Raises
    ------
    InputError
        If labels are missing or unequal in number, ``classes`` leaves out one that occurs, or a class is
        called ``"all"``.

    References
    ----------
    Stumpf et al. (2020), Commun Biol 3:736, Fig. 2: proximal and distal errors. Wilson (1927), J Am
    Stat Assoc 22:209.

    Examples
    --------
    >>> lineage = Lineage([("HSPCs", "Pro-B"), ("Pro-B", "Pre-B")])
    >>> table = error_table(["Pre-B", "Pre-B"], ["Pro-B", "HSPCs"], lineage=lineage)
    >>> table.loc["Pre-B", ["cells", "proximal", "distal"]].astype(int).tolist()
    [2, 1, 1]
    """
    truth, calls = paired_whole(true, called)
    rows = sorted(set(truth)) if classes is None else list(classes)
    left_out = sorted(set(truth) - set(rows))
    if left_out:
        raise InputError(
            f"classes leaves out true classes that occur: {listed(left_out)}; expected all of them"
        )
    if OVERALL in rows:
        raise InputError(f"a true class is called {OVERALL!r}, the name of the overall row; rename it")
    counts = _outcomes(truth, calls, rows, lineage=lineage)
    counts = np.vstack([counts, counts.sum(axis=0)])
    cells = counts.sum(axis=1)
    columns: dict[str, npt.NDArray[np.generic]] = {"cells": cells}
    for outcome, count in zip(OUTCOMES, counts.T, strict=True):
        low, high = wilson_interval(count, cells, level=level)
        columns[outcome] = count
        columns[f"{outcome}_rate"] = np.divide(count, cells, out=np.full(len(cells), np.nan), where=cells > 0)
        columns[f"{outcome}_low"], columns[f"{outcome}_high"] = low, high
    return pd.DataFrame(columns, index=named([*rows, OVERALL], "class"))


def _outcomes(
    truth: npt.NDArray[np.object_], calls: npt.NDArray[np.object_], rows: Sequence[str], *, lineage: Lineage
) -> npt.NDArray[np.intp]:
    """Count cells by true class and outcome; each pair of labels is judged once."""
    labels = sorted(set(calls))
    pair = codes(truth, rows) * len(labels) + codes(calls, labels)
    counts = np.zeros((len(rows), len(OUTCOMES)), dtype=np.intp)
    for number, cells in zip(*np.unique(pair, return_counts=True), strict=True):
        row, call = divmod(int(number), len(labels))
        label = labels[call]
        outcome = STATUSES[label] if label in STATUSES else lineage.relation(rows[row], label)
        counts[row, OUTCOMES.index(outcome)] += cells
    return counts


def wilson_interval(
    count: npt.NDArray[np.integer], cells: npt.NDArray[np.integer], *, level: float = 0.95
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the Wilson score interval of count / cells, NaN where there are no cells.

    Raises
    ------
    InputError
        If the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise InputError(f"level is {level}; expected a number between 0 and 1, such as 0.95")
    z = NormalDist().inv_cdf((1 + level) / 2)
    n = np.where(cells > 0, cells, np.nan)
    share = count / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    low, high = np.where(count == 0, 0.0 * n, centre - half), np.where(count == cells, n / n, centre + half)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)
