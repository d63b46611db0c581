"""How many labelled cells are needed: the smallest n from which a class is as good as asked for.

Two bars are asked for, each for every class, start and learner:

- ``"target"``: F1 of 0.9, the same for all;
- ``"plateau"``: 95 % of the best that the class reaches with the learner, so that a class that never comes to
  0.9 has an answer too. The plateau is the higher end of the two fitted curves, transfer and scratch: both
  starts are measured against the same bar, and a curve that is still rising low does not meet a low one. A
  class that neither start ever finds has no plateau, and does not reach it.

The mean over repeats is noisy and crosses a bar more than once. The answer is read from the **monotone
(isotonic) fit** of the mean curve, the nearest curve that never falls. "The first n above" would be too kind:
a source model that a first labelled cell makes worse would count as good at n = 0. "The first n after which
no mean is below" would be too strict: one unlucky point at n = 25 makes it 30. The fit averages both; what it
assumes is that more labelled cells do not make a learner worse in the long run.

The interval resamples the repeats (all classes and starts of a learner together, since a repeat is one choice
of cells) and reads the answer again. With five repeats it is coarse, and wide where the curve is flat.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype.errors import Problems, listed
from orthotype.metrics.published import OVERALL
from orthotype.study.few_shot import LABELLED

Floats = NDArray[np.float64]

TOLERANCE: Final = 1e-12


def isotonic(means: Floats) -> Floats:
    """Return the nearest curves that never fall, in squared distance.

    Parameters
    ----------
    means
        Curves in the last axis, shape (..., n_points).

    Returns
    -------
    NDArray
        Same shape: at i, the highest over a <= i of the lowest over b >= i of ``mean(means[a:b + 1])``, the
        max-min formula (Barlow et al. 1972).

    Examples
    --------
    >>> isotonic(np.array([0.9, 0.7, 0.8, 1.0])).round(3).tolist()
    [0.8, 0.8, 0.8, 1.0]
    """
    n = means.shape[-1]
    sums = np.concatenate([np.zeros((*means.shape[:-1], 1)), np.cumsum(means, axis=-1)], axis=-1)
    first, last = np.arange(n)[:, None], np.arange(n)[None, :]
    length = np.maximum(last - first + 1, 1)
    averages = (sums[..., None, 1:] - sums[..., :-1, None]) / length
    averages = np.where(last >= first, averages, np.inf)
    lowest = np.minimum.accumulate(averages[..., ::-1], axis=-1)[..., ::-1]
    fitted: Floats = np.where(last >= first, lowest, -np.inf).max(axis=-2)
    return fitted


def cells_needed(
    curve: pd.DataFrame,
    *,
    target_f1: float = 0.9,
    plateau: float = 0.95,
    metric: str = "f1",
    level: float = 0.95,
    n_boot: int = 1000,
    random_state: int = 0,
) -> pd.DataFrame:
    """Return how many labelled cells per class each class needs, with an interval over repeats.

    Parameters
    ----------
    curve
        Tidy rows of :func:`orthotype.study.few_shot.curve`.
    target_f1
        First bar.
    plateau
        Second bar, as a share of what the class reaches with the learner.
    metric
        Which score; F1 in the paper's question.
    level
        Coverage asked of the interval.
    n_boot
        How often the repeats are resampled.
    random_state
        Seed of the resampling.

    Returns
    -------
    pandas.DataFrame
        One row per learner, start, class and ``criterion`` (``"target"`` or ``"plateau"``):

        - ``bar`` the score asked for; ``best`` what the fitted curve reaches at its end;
        - ``reached``; ``shots`` cells per class asked for, missing where the bar is not reached;
        - ``n_labelled`` cells of this class that were labelled then (all of them where not reached);
        - ``low``, ``high`` interval of the shots, missing where it ends beyond the last n;
        - ``share_reached`` share of resampled curves that reach the bar;
        - ``n_repeats``; with one repeat there is nothing to resample and the interval is the answer itself;
        - ``outcome`` in words: ``"3"``, ``"3 (2 to 5)"``, ``"10 (7 to more than 30)"``,
          ``"not reached by 30"``, ``"not measured"`` (values are missing); a class that had fewer cells adds
          ``", with 4 of the class"``.

    Raises
    ------
    InputError
        If the metric is not in the curve, pieces are missing, or a parameter is out of range.
    """
    rows = curve[curve["metric"] == metric]
    _check(rows, bars={"target_f1": target_f1, "plateau": plateau}, metric=metric, level=level, n_boot=n_boot)
    found = []
    for learner, of_learner in rows.groupby("learner", sort=True):
        n_repeats = of_learner["repeat"].nunique()
        rng = np.random.default_rng(random_state)
        drawn = rng.multinomial(n_repeats, np.full(n_repeats, 1 / n_repeats), size=n_boot)
        weights = np.vstack([np.ones((1, n_repeats)), drawn]) / n_repeats
        for name, of_class in of_learner.groupby("class", sort=False):
            fits = [_fit(part, weights) for _, part in of_class.groupby("start", sort=False)]
            ends = np.fmax.reduce([fit.curves[:, -1] for fit in fits])
            bars = {"target": np.full_like(ends, target_f1), "plateau": plateau * ends}
            for fit in fits:
                row = {"learner": learner, "start": fit.start, "class": name}
                for criterion, bar in bars.items():
                    found.append({**row, "criterion": criterion, **_answer(fit, bar, level=level)})
    return pd.DataFrame(found).astype(dict.fromkeys(["shots", "low", "high"], "Int64"))


def _check(rows: pd.DataFrame, *, bars: dict[str, float], metric: str, level: float, n_boot: int) -> None:
    problems = Problems("cells needed")
    if rows.empty:
        problems.add(f"the curve has no rows of metric {metric!r}", expected="a metric that was measured")
    for name, value in {**bars, "level": level}.items():
        if not 0 < value < 1:
            problems.add(f"{name} is {value}", expected="a number between 0 and 1")
    if n_boot < 1:
        problems.add(f"n_boot is {n_boot}", expected="1 or more")
    counts = rows.groupby(["learner", "start", "class", "shots"])["repeat"].agg(["size", "nunique"])
    repeats = rows.groupby("learner")["repeat"].nunique().reindex(counts.index.get_level_values("learner"))
    wrong = counts.ne(repeats.to_numpy(), axis=0).any(axis=1)
    if wrong.any():
        which = listed(
            f"{learner} {start}, {name}, at {n}" for learner, start, name, n in counts.index[wrong]
        )
        problems.add(
            f"{int(wrong.sum()):,} points have other repeats than the rest of their learner ({which})",
            expected="every repeat once at every n",
            remedy="run the missing pieces",
        )
    problems.raise_if_any()


@dataclass(frozen=True)
class _Fit:
    """The fitted curves of one learner, class and start: as measured in row 0, resampled in the others."""

    start: str
    overall: bool
    shots: Floats
    n_labelled: NDArray[np.int64]
    n_repeats: int
    curves: Floats


def _fit(part: pd.DataFrame, weights: Floats) -> _Fit:
    labelled = part.groupby("shots")["n_labelled"].min()
    values = part.sort_values(["repeat", "shots"])["value"].to_numpy(dtype=float).reshape(-1, len(labelled))
    return _Fit(
        start=str(part["start"].iloc[0]),
        overall=part["class"].iloc[0] in (OVERALL, LABELLED),
        shots=labelled.index.to_numpy(dtype=float),
        n_labelled=labelled.to_numpy(dtype=np.int64),
        n_repeats=len(values),
        curves=isotonic(weights @ values),
    )


def _answer(fit: _Fit, bar: Floats, *, level: float) -> dict[str, object]:
    """Return one row for a bar per curve, shape (1 + n_boot,)."""
    above = (fit.curves >= bar[:, None] - TOLERANCE) & (bar[:, None] > 0)
    place = np.where(above.any(axis=1), above.argmax(axis=1), len(fit.shots))
    n = np.append(fit.shots, np.inf)[place]
    draws = np.sort(n[1:])
    tail = (1 - level) / 2
    low = draws[int(tail * len(draws))]
    high = draws[int(np.ceil((1 - tail) * len(draws))) - 1]
    labelled = int(fit.n_labelled[min(place[0], len(fit.shots) - 1)])
    return {
        "bar": float(bar[0]),
        "best": float(fit.curves[0, -1]),
        "reached": bool(np.isfinite(n[0])),
        "shots": _whole(n[0]),
        "low": _whole(low),
        "high": _whole(high),
        "n_labelled": labelled,
        "share_reached": float(np.isfinite(draws).mean()),
        "n_repeats": fit.n_repeats,
        "outcome": _words(fit, n[0], low, high, labelled=labelled),
    }


def _whole(n: float) -> int | None:
    return int(n) if np.isfinite(n) else None


def _words(fit: _Fit, n: float, low: float, high: float, *, labelled: int) -> str:
    if np.isnan(fit.curves[0]).any():
        return "not measured"
    last = f"{fit.shots[-1]:.0f}"
    words = f"{n:.0f}" if np.isfinite(n) else f"not reached by {last}"
    if np.isfinite(low) and low < high:
        words += f" ({low:.0f} to {f'{high:.0f}' if np.isfinite(high) else f'more than {last}'})"
    if not fit.overall and labelled < min(n, fit.shots[-1]):
        words += f", with {labelled} of the class"
    return words
