"""Which target cells are labelled and which are tested on, in every repeat of the few-shot experiment.

As in Stumpf et al. 2020 (Commun Biol 3:736), every repeat sets aside a few cells of each class, 32 to be
labelled and 8 to watch a training by; **every other cell is test**. Within a repeat the labelled cells of a
smaller n are among those of a larger n and the test cells never change, so a curve moves because of n alone.
Repeats never share a labelled cell.

Small classes are scaled down, each for itself. A class with m cells that may be labelled gives ::

    s = min(train + validate, m // max(repeats, 2))     cells to every repeat,
    s * validate // (train + validate)                  of them to watch by, the rest to label

so with five repeats at least four cells in five of every class are test in each, with a single repeat half of
them, and five times 40 cells are enough for the full design. A class with fewer cells than repeats is never
labelled: it stays in the test, and what is scored is what the source model knows of it. :func:`design_table`
says how many cells each class really has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype.errors import InputError, Problems, listed
from orthotype.study.learners import Codes

TRAIN: Final = 32
VALIDATE: Final = 8


@dataclass(frozen=True, eq=False)
class Split:
    """Which target cells one repeat may label and which it is tested on.

    Attributes
    ----------
    repeat
        Number of the repeat, from 0.
    train
        Positions of the cells to be labelled, one array per class, in the order in which they are labelled.
    validate
        Positions of the cells set aside to watch a training by, ascending; neither labelled nor tested.
    test
        Positions of the cells to be scored on, ascending.

    Raises
    ------
    InputError
        If a cell is in two of the three.
    """

    repeat: int
    train: tuple[Codes, ...]
    validate: Codes
    test: Codes

    def __post_init__(self) -> None:
        problems = Problems(f"repeat {self.repeat}")
        labelled = np.concatenate(self.train)
        pairs = {
            "labelled and in the test": (labelled, self.test),
            "labelled and set aside to watch by": (labelled, self.validate),
            "set aside to watch by and in the test": (self.validate, self.test),
        }
        for words, (one, other) in pairs.items():
            both = np.intersect1d(one, other)
            if len(both):
                problems.add(f"{len(both):,} cells are {words} (positions {listed(both)})", expected="none")
        if len(np.unique(labelled)) < len(labelled):
            problems.add("a cell is labelled twice", expected="every cell once")
        problems.raise_if_any()


def design(
    codes: Codes,
    *,
    n_classes: int,
    repeats: int = 5,
    train: int = TRAIN,
    validate: int = VALIDATE,
    seed: int,
    left_out: NDArray[np.bool_] | None = None,
) -> list[Split]:
    """Return the splits of all repeats: disjoint labelled cells, every other cell test.

    Parameters
    ----------
    codes
        True class of each target cell, shape (n_cells,), 0 to n_classes - 1. Any other code is a cell without
        a label or of a class that the source lacks; such cells are neither labelled nor tested.
    n_classes
        Number of classes of the source.
    repeats
        How many times the curve is measured.
    train, validate
        Cells per class and repeat to be labelled, and to watch a training by. Classes with fewer than
        ``repeats * (train + validate)`` cells give fewer, as the module explains.
    seed
        Which cells; the draw of one class does not depend on the other classes.
    left_out
        Cells that must not be labelled, shape (n_cells,), such as those called as a class that no target
        label names. They are still tested.

    Raises
    ------
    InputError
        If arrays do not fit, or fewer than two classes have a cell to label for every repeat.
    """
    barred = np.zeros(len(codes), dtype=bool) if left_out is None else np.asarray(left_out, dtype=bool)
    _check_design(codes, barred, n_classes=n_classes, repeats=repeats, train=train, validate=validate)
    drawn: list[list[Codes]] = []
    watched: list[list[Codes]] = []
    for k in range(n_classes):
        members = np.flatnonzero((codes == k) & ~barred)
        order = np.random.default_rng([seed, k]).permutation(members)
        size = min(train + validate, len(members) // max(repeats, 2))
        labelled = size - size * validate // (train + validate)
        parts = [order[r * size : (r + 1) * size] for r in range(repeats)]
        drawn.append([part[:labelled] for part in parts])
        watched.append([part[labelled:] for part in parts])
    splits = []
    for r in range(repeats):
        chosen = tuple(cells[r] for cells in drawn)
        aside = np.sort(np.concatenate([cells[r] for cells in watched]))
        tested = (codes >= 0) & (codes < n_classes)
        tested[np.concatenate([*chosen, aside])] = False
        splits.append(Split(r, chosen, aside, np.flatnonzero(tested)))
    return splits


def _check_design(
    codes: Codes, barred: NDArray[np.bool_], *, n_classes: int, repeats: int, train: int, validate: int
) -> None:
    problems = Problems("few-shot design")
    if repeats < 1 or train < 1 or validate < 0:
        problems.add(
            f"repeats is {repeats}, train {train}, validate {validate}",
            expected="at least 1, 1 and 0",
        )
    if barred.shape != codes.shape:
        problems.add(
            f"left_out has shape {barred.shape} for {len(codes):,} cells", expected="one value per cell"
        )
    problems.raise_if_any()
    members = _count(codes[~barred], n_classes)
    least = max(repeats, 2)
    enough = int((members >= least).sum())
    if enough < 2:
        raise InputError(
            f"few-shot design: {enough} classes of the target have the {least} cells that {repeats} repeats "
            "need; expected at least 2 classes; give more labelled cells or fewer repeats"
        )


def shots(split: Split, n: int) -> Codes:
    """Return the positions of the first n labelled cells of every class, ascending.

    A class that has fewer gives all it has. What n gives is part of what any larger n gives.

    Raises
    ------
    InputError
        If n is negative.
    """
    if n < 0:
        raise InputError(f"shots is {n}; expected 0 or more cells per class")
    chosen: Codes = np.sort(np.concatenate([cells[:n] for cells in split.train]))
    return chosen


def design_table(
    splits: Sequence[Split],
    codes: Codes,
    *,
    classes: Sequence[str],
    train: int = TRAIN,
    left_out: NDArray[np.bool_] | None = None,
) -> pd.DataFrame:
    """Return how many cells each class gives to a repeat, one row per class of the source.

    Parameters
    ----------
    splits
        What :func:`design` gave.
    codes, train, left_out
        What it was given.
    classes
        Name of each class of the source, in the order of the codes.

    Returns
    -------
    pandas.DataFrame
        ``class``; ``cells`` of it in the target and ``left_out`` of them; per repeat ``labelled`` at most,
        ``watched`` and ``test``; ``repeats`` with disjoint labelled cells; and ``size``: ``"full"`` where
        ``train`` cells can be labelled, ``"scaled down"``, ``"never labelled"`` or ``"not in the target"``.
    """
    first, n_classes = splits[0], len(classes)
    barred = np.zeros(len(codes), dtype=bool) if left_out is None else left_out
    cells = _count(codes, n_classes)
    labelled = np.array([len(positions) for positions in first.train])
    size = np.select(
        [cells == 0, labelled == 0, labelled < train],
        ["not in the target", "never labelled", "scaled down"],
        default="full",
    )
    return pd.DataFrame(
        {
            "class": np.asarray(classes, dtype=object),
            "cells": cells,
            "left_out": _count(codes[barred], n_classes),
            "labelled": labelled,
            "watched": _count(codes[first.validate], n_classes),
            "test": _count(codes[first.test], n_classes),
            "repeats": len(splits),
            "size": size.astype(object),
        }
    )


def _count(found: Codes, n_classes: int) -> NDArray[np.intp]:
    return np.bincount(found[(found >= 0) & (found < n_classes)], minlength=n_classes)
