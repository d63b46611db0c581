"""How few labelled target cells are enough: learning curves of transfer against starting from scratch.

A learner gets the first n labelled cells of each class of a split and is scored on the split's test cells,
once continued from the source model (*transfer*) and once from nothing (*scratch*); Stumpf et al. 2020
(Commun Biol 3:736). One call of :func:`run` is one piece of the work; :func:`curve` joins the pieces.

A class with too few cells to be labelled (:mod:`orthotype.study.few_shot_design`) is tested all the same, and
nothing that starts from scratch can ever find it. The mean over all classes, ``"all"``, then favours transfer
for this reason alone; beside it stands ``"all labelled"``, the mean over the classes that both starts can
learn. It is left out where it would be the same.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.errors import InputError, Problems, listed
from orthotype.metrics.published import OVERALL, code_scores
from orthotype.study.few_shot_design import Split, design, design_table, shots
from orthotype.study.learners import Codes, FittedModel, Learner

SHOTS: Final = (*range(11), 15, 20, 25, 30)
PIECE: Final = ["learner", "start", "shots", "repeat"]
LABELLED: Final = "all labelled"

__all__ = ["LABELLED", "SHOTS", "Split", "curve", "curve_intervals", "design", "design_table", "run", "shots"]


def run(
    learner: Learner,
    model: FittedModel | None,
    X: sp.csr_array,
    codes: Codes,
    split: Split,
    n: int,
    *,
    n_classes: int,
    seed: int,
    classes: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Measure one point of a curve: one learner, one start, one repeat, n labelled cells per class.

    Pieces can be run in any order and on any number of workers: the randomness of a piece comes from the
    seed, the repeat and n alone, and both starts get the same.

    Parameters
    ----------
    learner
        How to learn.
    model
        The source model to continue from (start ``"transfer"``; n = 0 is the source model itself), or None to
        learn from the same few cells alone (start ``"scratch"``, which does not exist at n = 0).
    X
        Encoded target cells, shape (n_cells, n_features).
    codes
        As for :func:`design`.
    split
        One repeat of the design.
    n
        Labelled cells per class.
    n_classes
        Number of classes of the source.
    seed
        Seed of the whole curve.
    classes
        Names for the column ``class``, in the order of the codes; by default the codes as text.

    Returns
    -------
    pandas.DataFrame
        Tidy rows: learner, start, shots, repeat, class (``"all"`` and ``"all labelled"`` for the means),
        metric, value, n_labelled (cells of this class that were labelled), n_test. The metrics are those of
        :func:`~orthotype.metrics.published.code_scores`.

    Raises
    ------
    InputError
        For scratch at n = 0, or a model whose probabilities have the wrong shape or are not numbers.
    """
    names = [str(k) for k in range(n_classes)] if classes is None else list(classes)
    _check_names(names, n_classes)
    chosen = shots(split, n)
    fitted = _start(learner, model, X[chosen], codes[chosen], n_classes=n_classes, seed=_seed(seed, split, n))
    proba = fitted.predict_proba(X[split.test])
    if proba.shape != (len(split.test), n_classes) or not np.isfinite(proba).all():
        raise InputError(
            f"{learner.name} with {n} cells per class gave probabilities of shape {proba.shape}, "
            f"{int((~np.isfinite(proba)).sum()):,} of them not finite; expected finite values of shape "
            f"{(len(split.test), n_classes)}"
        )
    can_be_labelled = np.array([len(cells) > 0 for cells in split.train])
    rows = code_scores(
        codes[split.test],
        proba.argmax(axis=1),
        classes=names,
        groups=_groups(can_be_labelled, codes[split.test]),
    )
    labelled = dict(zip(names, np.bincount(codes[chosen], minlength=n_classes).tolist(), strict=True))
    labelled |= {OVERALL: len(chosen), LABELLED: len(chosen)}
    piece = {
        "learner": learner.name,
        "start": "scratch" if model is None else "transfer",
        "shots": n,
        "repeat": split.repeat,
    }
    columns = {name: rows[name].array for name in ("class", "metric", "value")}
    n_labelled = [labelled[name] for name in rows["class"]]
    return pd.DataFrame({**piece, **columns, "n_labelled": n_labelled, "n_test": rows["n_test"].array})


def _groups(can_be_labelled: NDArray[np.bool_], tested: Codes) -> dict[str, NDArray[np.bool_]]:
    """Return the classes of the second mean, or nothing where it would be the first again."""
    return {} if can_be_labelled[tested].all() else {LABELLED: can_be_labelled}


def _start(
    learner: Learner, model: FittedModel | None, X: sp.csr_array, codes: Codes, *, n_classes: int, seed: int
) -> FittedModel:
    if model is not None:
        return learner.adapt(model, X, codes, seed=seed) if len(codes) else model
    if not len(codes):
        raise InputError("from scratch with 0 cells per class there is nothing to learn; expected 1 or more")
    return learner.scratch(X, codes, n_classes=n_classes, seed=seed)


def _seed(seed: int, split: Split, n: int) -> int:
    return int(np.random.SeedSequence([seed, split.repeat, n]).generate_state(1)[0] >> 1)


def _check_names(names: Sequence[str], n_classes: int) -> None:
    if len(names) != n_classes or len({*names, OVERALL, LABELLED}) != n_classes + 2:
        raise InputError(
            f"classes names {len(names)} classes ({listed(names)}); expected {n_classes} different names, "
            f"none of them {OVERALL!r} or {LABELLED!r}"
        )


def curve(pieces: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Join pieces to one table, sorted so that it does not depend on the order in which they came.

    Raises
    ------
    InputError
        If there is no piece, one comes twice, or pieces of a repeat were tested on different cells.
    """
    tables = list(pieces)
    if not tables:
        raise InputError("a curve was asked for without a single piece; expected at least one")
    joined = pd.concat(tables, ignore_index=True)
    joined = joined.sort_values(PIECE, kind="stable", ignore_index=True)
    twice = joined.duplicated([*PIECE, "class", "metric"])
    problems = Problems("curve")
    if twice.any():
        which = joined.loc[twice, PIECE].drop_duplicates().astype(str).agg(" ".join, axis=1)
        problems.add(f"{len(which)} pieces come twice ({listed(which)})", expected="every piece once")
    tested = joined.groupby(["repeat", "class"])["n_test"].nunique()
    if (tested > 1).any():
        repeats = sorted({int(repeat) for repeat, _ in tested.index[tested > 1]})
        problems.add(
            f"pieces of repeat {listed(repeats)} were tested on different numbers of cells",
            expected="the same test cells for every learner, start and n",
            remedy="run all pieces with the splits of one design",
        )
    problems.raise_if_any()
    return joined


def curve_intervals(curve: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """Return mean and interval over repeats of every point of a curve.

    The interval is Student's t of the mean, cut to 0 .. 1. It shows what the choice of labelled cells (and of
    the source model, where repeats use different ones) does to a score. It knows nothing of other donors.

    Returns
    -------
    pandas.DataFrame
        Columns learner, start, shots, class, metric, n_repeats, mean, low, high, n_labelled, n_test (the last
        two per repeat). With one repeat there is no interval: low and high are NaN and n_repeats is 1.
    """
    from scipy.stats import t

    point = ["learner", "start", "shots", "class", "metric"]
    grouped = curve.groupby(point, sort=False)
    table = grouped.agg(
        n_repeats=("value", "count"),
        mean=("value", "mean"),
        sd=("value", "std"),
        n_labelled=("n_labelled", "max"),
        n_test=("n_test", "max"),
    ).reset_index()
    n = table["n_repeats"].to_numpy()
    half = t.ppf((1 + level) / 2, np.maximum(n - 1, 1)) * table["sd"] / np.sqrt(np.maximum(n, 1))
    table["low"] = (table["mean"] - half).clip(0, 1)
    table["high"] = (table["mean"] + half).clip(0, 1)
    return table[[*point, "n_repeats", "mean", "low", "high", "n_labelled", "n_test"]]
