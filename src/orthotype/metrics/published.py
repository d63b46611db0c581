"""Scores as one tidy table, with the published form of balanced accuracy beside the standard ones.

Stumpf et al. 2020 (Commun Biol 3:736) compute their balanced accuracy over the rows of a table of predicted
by true classes: the mean of PPV and NPV. That answers another question than (TPR + TNR) / 2 of one class
against the rest, and another than the mean recall that the field calls balanced accuracy. All three are here,
each under a name of its own and computed from labels.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from orthotype.errors import InputError
from orthotype.metrics.tallies import Floats, Tallies

Codes = npt.NDArray[np.intp]

OVERALL: Final = "all"


def code_scores(
    true: Codes,
    called: Codes,
    *,
    classes: Sequence[str],
    groups: Mapping[str, npt.NDArray[np.bool_]] | None = None,
) -> pd.DataFrame:
    """Score calls from labels, over all classes that have cells and per class.

    An undefined ratio counts as 0 here (``zero_division=0`` of scikit-learn): a class that a learner never
    calls has precision 0. Otherwise the repeats in which a learner fails worst would drop out of its curve.

    Parameters
    ----------
    true
        True class code of each cell, shape (n_cells,).
    called
        Class code that each cell got; -1 for none, such as *no agreement*, which is never right.
    classes
        Name of each code.
    groups
        Further means to show: a name, and which classes it is the mean of, shape (n_classes,).

    Returns
    -------
    pandas.DataFrame
        Columns class, metric, value, n_test. Per class ``f1``, ``recall``, ``precision``,
        ``one_vs_rest_balanced_accuracy`` (TPR + TNR) / 2 and ``published_balanced_accuracy`` (PPV + NPV) / 2,
        the number that Stumpf et al. 2020 print as balanced accuracy. For ``"all"`` and the groups the means
        of these over the classes that have cells, the mean recall under its usual name ``balanced_accuracy``;
        for ``"all"`` also ``accuracy``.

    Raises
    ------
    InputError
        If there are no cells.

    Examples
    --------
    >>> rows = code_scores(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), classes=["a", "b"])
    >>> b = rows[rows["class"] == "b"].set_index("metric")["value"]
    >>> [float(b[name]) for name in ("precision", "recall", "published_balanced_accuracy")]
    [0.5, 1.0, 0.75]
    """
    if not len(true):
        raise InputError("there are no cells to score; expected at least one")
    tallies = _tallies(true, called, len(classes))
    present = tallies.support > 0
    by_class = _by_class(tallies)
    rows: list[tuple[str, str, float, int]] = []
    for name, members in {OVERALL: present, **(groups or {})}.items():
        inside = members & present
        if not inside.any():
            continue
        n_test = int(tallies.support[inside].sum())
        rows += [
            (
                name,
                "balanced_accuracy" if metric == "recall" else metric,
                float(values[inside].mean()),
                n_test,
            )
            for metric, values in by_class.items()
        ]
    rows.append((OVERALL, "accuracy", float(tallies.accuracy()), len(true)))
    for k in np.flatnonzero(present).tolist():
        support = int(tallies.support[k])
        rows += [(classes[k], metric, float(values[k]), support) for metric, values in by_class.items()]
    return pd.DataFrame(rows, columns=["class", "metric", "value", "n_test"])


def _tallies(true: Codes, called: Codes, n_classes: int) -> Tallies:
    return Tallies(
        hits=_count(true[true == called], n_classes),
        support=_count(true, n_classes),
        called=_count(called, n_classes),
        total=np.asarray(float(len(true))),
    )


def _by_class(tallies: Tallies) -> dict[str, Floats]:
    recall, precision = tallies.recall(), _defined(tallies.precision())
    return {
        "f1": tallies.f1(),
        "recall": recall,
        "precision": precision,
        "one_vs_rest_balanced_accuracy": (recall + _defined(tallies.specificity())) / 2,
        "published_balanced_accuracy": (precision + _defined(tallies.negative_predictive_value())) / 2,
    }


def _defined(values: Floats) -> Floats:
    return np.nan_to_num(values, nan=0.0)


def _count(found: Codes, n_classes: int) -> Floats:
    return np.bincount(found[found >= 0], minlength=n_classes).astype(float)
