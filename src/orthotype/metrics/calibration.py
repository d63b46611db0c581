"""Whether a confidence of 0.9 is right nine times in ten, and how undecided a cell is."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from orthotype._keys import RESERVED_LABELS
from orthotype.errors import InputError, Problems
from orthotype.metrics.labels import Labels, paired_whole
from orthotype.metrics.tallies import Floats, ratio


def softmax_entropy(proba: npt.ArrayLike, *, normalised: bool = True) -> Floats:
    """Return how undecided the class probabilities of each cell are.

    H(p) = - sum_k p_k ln p_k, with 0 ln 0 = 0, the softmax entropy of Stumpf et al. 2020.

    Parameters
    ----------
    proba
        Class probabilities, cells x classes; every row sums to one.
    normalised
        Divide by ln K, so that 0 is certain and 1 is all classes alike; otherwise the entropy is in nats.

    Raises
    ------
    InputError
        If the table is not two-dimensional or its rows are not probabilities.

    Examples
    --------
    >>> softmax_entropy([[1.0, 0.0], [0.5, 0.5]])
    array([0., 1.])
    """
    table = checked_proba(proba)
    logs = np.log(table, out=np.zeros_like(table), where=table > 0)
    entropy: Floats = np.maximum(-(table * logs).sum(axis=1), 0.0)
    if normalised and table.shape[1] > 1:
        entropy = np.minimum(entropy / np.log(table.shape[1]), 1.0)
    return entropy


def checked_proba(proba: npt.ArrayLike) -> Floats:
    """Return class probabilities as float64, cells x classes.

    Raises
    ------
    InputError
        If they are not a table, hold NaN or values outside [0, 1], or have rows that do not sum to one.
    """
    table = np.asarray(proba, dtype=float)
    if table.ndim != 2 or table.shape[1] == 0:
        raise InputError(f"proba has shape {table.shape}; expected cells x classes")
    problems = Problems("proba")
    outside = int((~((table >= 0) & (table <= 1))).any(axis=1).sum())
    if outside:
        problems.add(f"{outside:,} cells with NaN or values outside 0 to 1", expected="probabilities")
    elif len(table) and (off := int((np.abs(table.sum(axis=1) - 1) > 1e-3).sum())):
        problems.add(
            f"{off:,} cells whose probabilities do not sum to one", remedy="pass softmax outputs, not scores"
        )
    problems.raise_if_any()
    return table


def reliability(
    true: Labels, predicted: Labels, confidence: npt.ArrayLike, *, n_bins: int = 10
) -> pd.DataFrame:
    """Compare confidence with the share that is right, in equal bins from 0 to 1.

    Cells called *no agreement* or *unknown* make no claim and are left out.

    Parameters
    ----------
    true, predicted
        As in :func:`orthotype.metrics.confusion`.
    confidence
        Probability given to the label, one per cell, 0 to 1.
    n_bins
        How many bins of equal width; a value on an edge belongs to the bin above, and 1 to the last.

    Returns
    -------
    pandas.DataFrame
        Columns low, high, cells, confidence (mean), accuracy; NaN in empty bins.

    Raises
    ------
    InputError
        If labels or confidences are missing, unequal in number or outside 0 to 1.
    """
    truth, calls = paired_whole(true, predicted)
    values = checked_confidence(confidence, len(truth))
    if n_bins < 1:
        raise InputError(f"n_bins is {n_bins}; expected at least 1")
    claims = ~np.isin(calls, list(RESERVED_LABELS))
    bins = bin_of(values[claims], n_bins)
    return reliability_table(
        cells=np.bincount(bins, minlength=n_bins),
        confidence=np.bincount(bins, weights=values[claims], minlength=n_bins),
        right=np.bincount(bins, weights=(truth == calls)[claims], minlength=n_bins),
    )


def expected_calibration_error(
    true: Labels, predicted: Labels, confidence: npt.ArrayLike, *, n_bins: int = 10
) -> float:
    """Return the mean gap between confidence and share right over bins, weighted by their cells.

    ECE = sum_b (n_b / n) |accuracy_b - confidence_b| (Naeini et al. 2015; Guo et al. 2017). 0 is honest;
    parameters and errors as :func:`reliability`. NaN if no cell got a label.
    """
    table = reliability(true, predicted, confidence, n_bins=n_bins)
    cells = table["cells"].to_numpy(dtype=float)
    return float(
        calibration_gap(cells, table["confidence"].to_numpy() * cells, table["accuracy"].to_numpy() * cells)
    )


def calibration_gap(cells: Floats, confidence: Floats, right: Floats) -> Floats:
    """Return the expected calibration error from sums per bin, shape (..., bins)."""
    gaps = np.where(cells > 0, np.abs(np.nan_to_num(right) - np.nan_to_num(confidence)), 0.0)
    return ratio(gaps.sum(axis=-1), cells.sum(axis=-1))


def reliability_table(
    *, cells: npt.ArrayLike, confidence: npt.ArrayLike, right: npt.ArrayLike
) -> pd.DataFrame:
    """Lay out the table of :func:`reliability` from sums per bin."""
    cells = np.asarray(cells)
    edges = np.linspace(0, 1, len(cells) + 1)
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "cells": cells.astype(int),
            "confidence": ratio(confidence, cells),
            "accuracy": ratio(right, cells),
        }
    )


def checked_confidence(confidence: npt.ArrayLike, n_cells: int) -> Floats:
    """Return confidences as float64.

    Raises
    ------
    InputError
        If there is not one per cell, or one is NaN or outside 0 to 1.
    """
    values = np.asarray(confidence, dtype=float)
    if values.shape != (n_cells,):
        raise InputError(
            f"confidence has shape {values.shape}; expected one value for each of {n_cells:,} cells"
        )
    outside = int((~((values >= 0) & (values <= 1 + 1e-6))).sum())
    if outside:
        raise InputError(f"confidence: {outside:,} values are NaN or outside 0 to 1; expected probabilities")
    return values


def bin_of(confidence: Floats, n_bins: int) -> npt.NDArray[np.intp]:
    """Return the bin of each confidence; an edge belongs to the bin above, 1 to the last."""
    edges = np.linspace(0, 1, n_bins + 1)[1:-1].round(12)
    return np.searchsorted(edges, confidence, side="right")
