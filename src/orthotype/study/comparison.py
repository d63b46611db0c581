"""Is one learner as good as another? A tested answer, over the same folds.

For every metric the two learners are scored on each fold's held-out cells, and the differences
d_m = a_m - b_m over M folds give ::

    mean d,     standard error  se = s sqrt(1 / M + n_test / n_train),     Student's t with M - 1 degrees

with s their standard deviation. Two folds share most of their training cells, so the differences are not
independent and s / sqrt(M) would be too small; the second term is the correction of Nadeau and Bengio (2003)
for that dependence, approximate as any must be (there is no unbiased estimator: Bengio and Grandvalet 2004).

Two questions are asked, not one: a difference that is not significant is not yet equality.

- *Different?* The interval of the difference at the given level, two-sided, lies on one side of zero.
- *Equal?* Two one-sided tests (TOST): both "d <= -margin" and "d >= margin" are rejected. ``p_equal`` is the
  larger of the two p-values; it is below 1 - level exactly when the interval at level 2 level - 1 lies within
  the margin.

References
----------
Nadeau and Bengio (2003), Inference for the generalization error, Machine Learning 52:239.
Schuirmann (1987), A comparison of the two one-sided tests procedure, J Pharmacokinet Biopharm 15:657.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from orthotype.errors import Problems
from orthotype.metrics.tallies import Floats, Tallies
from orthotype.study.learners import Codes, Proba

METRICS: Final[Mapping[str, Callable[[Tallies], Floats]]] = {
    "balanced_accuracy": Tallies.mean_recall,
    "accuracy": Tallies.accuracy,
    "macro_f1": Tallies.macro_f1,
}


def compare(
    codes: Codes,
    proba_a: Proba,
    proba_b: Proba,
    *,
    folds: Codes,
    n_classes: int,
    margin: float = 0.02,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare two learners on the same held-out cells, metric by metric.

    Parameters
    ----------
    codes
        True class of each cell, shape (n,).
    proba_a, proba_b
        Class probabilities of each cell by the model of either learner that has not seen it, (n, n_classes).
    folds
        Fold of each cell, the same for both; as many models as folds.
    n_classes
        Number of classes.
    margin
        A difference smaller than this does not matter.
    level
        Confidence of the interval; 1 - level is the level of the tests.

    Returns
    -------
    pandas.DataFrame
        One row per metric (``balanced_accuracy``, mean recall over the classes that a fold has; ``accuracy``;
        ``macro_f1``):

        - ``mean_a``, ``mean_b`` means over folds; ``difference`` a - b with ``low`` and ``high``;
        - ``p_difference`` two-sided, ``p_equal`` the larger of the two one-sided ones;
        - ``verdict``: *equal*, if p_equal is below 1 - level, even where a difference smaller than the margin
          is certain; else *a better* or *b better*, if the interval excludes zero; else *undecided*;
        - ``n_folds``, ``margin``, ``level``.

    Raises
    ------
    InputError
        With everything that does not fit: lengths, shapes, a probability that is not finite, a single fold.

    Examples
    --------
    >>> codes, folds = np.tile([0, 1], 50), np.repeat(np.arange(5), 20)
    >>> right, wrong = np.eye(2)[codes], np.eye(2)[1 - codes]
    >>> table = compare(codes, right, wrong, folds=folds, n_classes=2)
    >>> table[["metric", "verdict"]].iloc[0].tolist()
    ['balanced_accuracy', 'a better']
    """
    _check(codes, proba_a, proba_b, folds, n_classes, margin, level)
    scores = [_scores_by_fold(codes, proba.argmax(axis=1), folds, n_classes) for proba in (proba_a, proba_b)]
    sizes = np.unique(folds, return_counts=True)[1]
    overlap = float(np.mean(sizes / (len(folds) - sizes)))
    rows = []
    for metric in METRICS:
        a, b = (by_metric[metric] for by_metric in scores)
        rows.append(
            {"metric": metric, "mean_a": a.mean(), "mean_b": b.mean()}
            | _tested(a - b, overlap=overlap, margin=margin, level=level)
            | {"n_folds": len(sizes), "margin": margin, "level": level}
        )
    return pd.DataFrame(rows)


def corrected_error(differences: Floats, *, overlap: float) -> float:
    """Return the standard error of a mean over folds that share training cells.

    Parameters
    ----------
    differences
        One value per fold, (M,).
    overlap
        Test cells divided by training cells; 1 / (M - 1) in a cross-validation.
    """
    spread = float(np.std(differences, ddof=1))
    return spread * float(np.sqrt(1.0 / len(differences) + overlap))


def _scores_by_fold(codes: Codes, calls: Codes, folds: Codes, n_classes: int) -> dict[str, Floats]:
    def count(positions: NDArray[np.intp], counted: NDArray[np.intp]) -> Floats:
        table = np.zeros((len(numbers), n_classes))
        np.add.at(table, (positions, counted), 1.0)
        return table

    numbers, at = np.unique(folds, return_inverse=True)
    right = calls == codes
    tallies = Tallies(
        hits=count(at[right], codes[right]),
        support=count(at, codes),
        called=count(at, calls),
        total=np.bincount(at).astype(float),
    )
    return {name: np.asarray(score(tallies)) for name, score in METRICS.items()}


def _tested(differences: Floats, *, overlap: float, margin: float, level: float) -> dict[str, float | str]:
    """Return interval, p-values and verdict; without any spread over folds the mean is taken as certain."""
    mean = float(differences.mean())
    error = max(corrected_error(differences, overlap=overlap), np.finfo(np.float64).tiny)
    freedom = len(differences) - 1
    half = float(student.ppf((1 + level) / 2, freedom)) * error
    p_equal = float(
        max(student.sf((mean + margin) / error, freedom), student.cdf((mean - margin) / error, freedom))
    )
    low, high = mean - half, mean + half
    if p_equal < 1 - level:
        verdict = "equal"
    elif low > 0 or high < 0:
        verdict = "a better" if mean > 0 else "b better"
    else:
        verdict = "undecided"
    return {
        "difference": mean,
        "low": low,
        "high": high,
        "p_difference": float(2 * student.sf(abs(mean) / error, freedom)),
        "p_equal": p_equal,
        "verdict": verdict,
    }


def _check(
    codes: Codes, proba_a: Proba, proba_b: Proba, folds: Codes, n_classes: int, margin: float, level: float
) -> None:
    problems = Problems("the comparison")
    for name, proba in (("proba_a", proba_a), ("proba_b", proba_b)):
        if proba.shape != (len(codes), n_classes):
            problems.add(f"{name} of shape {proba.shape}", expected=f"({len(codes)}, {n_classes})")
        elif not np.isfinite(proba).all():
            without = int((~np.isfinite(proba)).any(axis=1).sum())
            problems.add(f"{name} has {without:,} cells without a prediction", expected="all predicted")
    if len(codes) and not 0 <= codes.min() <= codes.max() < n_classes:
        problems.add(f"class numbers from {codes.min()} to {codes.max()}", expected=f"0 to {n_classes - 1}")
    if folds.shape != codes.shape:
        problems.add(f"folds of shape {folds.shape}", expected=f"({len(codes)},), one for each cell")
    elif len(np.unique(folds)) < 2:
        problems.add("fewer than two folds", expected="at least two, to see how the difference varies")
    if not (margin > 0 and 0.5 < level < 1):
        problems.add(
            f"margin={margin}, level={level}", expected="a positive margin and a level from 0.5 to 1"
        )
    problems.raise_if_any()
