"""The confusion table and the scores per class and overall, computed from labels."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from orthotype._keys import NO_AGREEMENT, UNKNOWN
from orthotype.errors import InputError, listed
from orthotype.metrics.labels import Labels, Texts, classes_of, codes, named, paired_whole
from orthotype.metrics.tallies import Tallies

RESERVED_COLUMNS = (NO_AGREEMENT, UNKNOWN)


def confusion(true: Labels, predicted: Labels, *, labels: Sequence[str] | None = None) -> pd.DataFrame:
    """Count the cells of every true class (rows) by the label they got (columns).

    Parameters
    ----------
    true
        The true class of each cell.
    predicted
        The label each cell got: a class, *no agreement* or *unknown*.
    labels
        The classes in the order wanted, used for rows and columns. By default rows are the classes that occur
        among the true labels and columns all classes that occur, sorted.

    Returns
    -------
    pandas.DataFrame
        Counts. The last two columns are always *no agreement* and *unknown*.

    Raises
    ------
    InputError
        If labels are missing or unequal in number, or ``labels`` leaves out a class that occurs: no cell is
        dropped.

    Examples
    --------
    >>> table = confusion(["a", "a", "b"], ["a", "b", "unknown"])
    >>> int(table.loc["a", "b"]), list(table.columns)
    (1, ['a', 'b', 'no agreement', 'unknown'])
    """
    truth, calls = paired_whole(true, predicted)
    rows = sorted(set(truth)) if labels is None else list(labels)
    columns = classes_of(truth, calls) if labels is None else list(labels)
    unlisted = sorted((set(truth) - set(rows)) | (set(calls) - set(columns) - set(RESERVED_COLUMNS)))
    if unlisted:
        raise InputError(f"labels leaves out classes that occur: {listed(unlisted)}; expected all of them")
    return count_table(truth, calls, rows=rows, columns=[*columns, *RESERVED_COLUMNS])


def count_table(truth: Texts, calls: Texts, *, rows: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Count cells by true label and call over rows and columns that cover every cell."""
    row, column = codes(truth, rows), codes(calls, columns)
    shape = len(rows), len(columns)
    counts = np.bincount(row * shape[1] + column, minlength=shape[0] * shape[1]).reshape(shape)
    return pd.DataFrame(counts, index=named(rows, "true"), columns=named(columns, "predicted"))


def per_class(true: Labels, predicted: Labels, *, labels: Sequence[str] | None = None) -> pd.DataFrame:
    """Score every class against all others.

    Parameters
    ----------
    true, predicted
        As in :func:`confusion`.
    labels
        The classes to show, in order; by default all that occur, sorted. Every cell counts whatever is shown.

    Returns
    -------
    pandas.DataFrame
        One row per class:

        - ``support`` cells of the class, ``called`` cells that got its label;
        - ``precision`` PPV, NaN for a class that was never called; ``recall`` TPR, NaN for a class without
          cells;
        - ``f1`` as scikit-learn with ``zero_division=0``: 0 for a class that has cells and was never called,
          NaN only where the class occurs neither way;
        - ``accuracy`` share of cells that are right about this class;
        - ``balanced_accuracy`` (TPR + TNR) / 2, one class against the rest;
        - ``predictive_value_mean`` (PPV + NPV) / 2. Stumpf et al. 2020 (Commun Biol 3:736) publish this under
          the name balanced accuracy; it answers another question, so it has a name of its own here.

        The last two are NaN where one of their halves is.
    """
    truth, calls = paired_whole(true, predicted)
    classes = classes_of(truth, calls) if labels is None else list(labels)
    return score_table(tally(truth, calls, classes), classes)


def accuracy(true: Labels, predicted: Labels) -> float:
    """Return the share of cells with the right label; *no agreement* and *unknown* are not right."""
    return float(_tally_of_true(true, predicted).accuracy())


def mean_recall(true: Labels, predicted: Labels) -> float:
    """Return recall averaged over the true classes: balanced accuracy in the sense of scikit-learn."""
    return float(_tally_of_true(true, predicted).mean_recall())


def macro_f1(true: Labels, predicted: Labels) -> float:
    """Return F1 averaged over the true classes.

    Equal to scikit-learn's ``f1_score(average="macro", labels=unique(true), zero_division=0)``: a class that
    was never called counts as 0, and a label that no cell truly has lowers recall elsewhere but adds no class
    of its own.
    """
    return float(_tally_of_true(true, predicted).macro_f1())


def tally(truth: Texts, calls: Texts, classes: Sequence[str]) -> Tallies:
    """Count hits, support and calls of the given classes over all cells."""
    row, column = codes(truth, classes), codes(calls, classes)
    column = np.where(np.isin(calls, RESERVED_COLUMNS), -1, column)
    return Tallies(
        hits=_per_class_counts(row[row == column], len(classes)),
        support=_per_class_counts(row, len(classes)),
        called=_per_class_counts(column, len(classes)),
        total=np.asarray(float(len(truth))),
    )


def score_table(tallies: Tallies, classes: Sequence[str]) -> pd.DataFrame:
    """Lay out the scores of :func:`per_class`, one row per class."""
    recall, precision = tallies.recall(), tallies.precision()
    return pd.DataFrame(
        {
            "support": tallies.support.astype(int),
            "called": tallies.called.astype(int),
            "precision": precision,
            "recall": recall,
            "f1": tallies.f1(),
            "accuracy": tallies.accuracy_one_vs_rest(),
            "balanced_accuracy": (recall + tallies.specificity()) / 2,
            "predictive_value_mean": (precision + tallies.negative_predictive_value()) / 2,
        },
        index=named(classes, "class"),
    )


def _tally_of_true(true: Labels, predicted: Labels) -> Tallies:
    truth, calls = paired_whole(true, predicted)
    return tally(truth, calls, sorted(set(truth)))


def _per_class_counts(found: npt.NDArray[np.intp], n_classes: int) -> npt.NDArray[np.float64]:
    return np.bincount(found[found >= 0], minlength=n_classes).astype(float)
