"""Folds: which cells each model of a consensus does not see.

A fold is one number per cell, the model from which the cell is held out. Everything else (weights,
out-of-fold scores, votes) follows from it, so a data set is never copied for cross-validation.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from orthotype.errors import InputError
from orthotype.models.linear.path import stratified_folds


def grouped_folds(
    y: NDArray[np.intp], groups: NDArray[np.generic], *, n_splits: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Keep all cells of a donor or batch in one fold, with classes spread as evenly as the groups allow.

    With fewer groups than folds there are as many folds as groups.

    Raises
    ------
    InputError
        If there is only one group.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    names, codes = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise InputError(
            f"all cells come from one group ({names[0]!r}); expected at least two donors or batches; "
            "name another column, or none to split cells at random within classes"
        )
    splitter = StratifiedGroupKFold(
        n_splits=min(n_splits, len(names)), shuffle=True, random_state=int(rng.integers(2**31))
    )
    folds = np.empty(len(y), dtype=np.intp)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        for fold, (_, held_out) in enumerate(splitter.split(np.zeros((len(y), 1)), y, codes)):
            folds[held_out] = fold
    _, folds = np.unique(folds, return_inverse=True)
    return folds.astype(np.intp)


def make_folds(
    y: NDArray[np.intp],
    *,
    n_splits: int,
    groups: NDArray[np.generic] | None = None,
    random_state: int = 0,
) -> NDArray[np.intp]:
    """Return the fold of each cell: stratified by class, or by donor or batch where groups are given.

    Raises
    ------
    InputError
        If there are fewer cells than folds, fewer than two folds, or a single group.
    """
    if n_splits < 2:
        raise InputError(
            f"n_splits is {n_splits}; expected at least 2; use 5 unless there are very few cells"
        )
    if len(y) < n_splits:
        raise InputError(
            f"there are {len(y)} cells for {n_splits} folds; give more cells or a smaller n_splits"
        )
    rng = np.random.default_rng(random_state)
    if groups is None:
        return stratified_folds(y, n_splits=n_splits, random_state=rng).astype(np.intp)
    return grouped_folds(y, groups, n_splits=n_splits, rng=rng)
