"""Source models: one for every fold, what they say of the cells they have not seen, and how they vote.

A fold is one number per cell, the model from which it is held out. One fold is one piece of work
(:func:`fit_fold`); :func:`gather` joins the pieces, and :func:`cross_validate` does both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp

from orthotype.errors import InputError, Problems
from orthotype.metrics.labels import named
from orthotype.metrics.tallies import ratio
from orthotype.models.consensus import Votes, count_votes
from orthotype.study.learners import Codes, FittedModel, Learner, Proba


@dataclass(frozen=True, eq=False)
class SourceFit:
    """What was learned from the source.

    Attributes
    ----------
    models
        One for each fold, trained on the cells of all others.
    held_out_proba
        Class probabilities of every source cell by the one model that has not seen it, shape (n, n_classes).
    folds
        Number of that model, shape (n,).
    """

    models: tuple[FittedModel, ...]
    held_out_proba: Proba
    folds: Codes


def fit_fold(
    learner: Learner, X: sp.csr_array, codes: Codes, *, n_classes: int, folds: Codes, fold: int, seed: int
) -> FittedModel:
    """Train the model of one fold, on the cells of all other folds and nothing else.

    Parameters
    ----------
    learner
        How to learn.
    X
        Encoded source cells, shape (n, n_features).
    codes
        Class of each.
    n_classes
        Number of classes of the source.
    folds
        Fold of each cell, as :func:`orthotype.models.folds.make_folds` gives them.
    fold
        The fold to hold out.
    seed
        Seed of the whole cross-validation; every fold gets a child of it.

    Raises
    ------
    InputError
        If cells, classes and folds do not fit each other, or the fold is empty or holds every cell.
    """
    _check(X, codes, folds, n_classes)
    trained_on = folds != fold
    if trained_on.all() or not trained_on.any():
        held = len(folds) - int(trained_on.sum())
        raise InputError(
            f"fold {fold} holds out {held:,} of {len(folds):,} cells; expected some, and some to learn from"
        )
    child = int(np.random.SeedSequence(seed, spawn_key=(fold,)).generate_state(1)[0])
    return learner.fit(X[trained_on], codes[trained_on], n_classes=n_classes, seed=child)


def gather(models: Sequence[FittedModel], X: sp.csr_array, *, folds: Codes, n_classes: int) -> SourceFit:
    """Ask the model of every fold about the cells of its fold, which it has not seen.

    Parameters
    ----------
    models
        In the order of the folds.
    X, folds, n_classes
        As for :func:`fit_fold`.

    Raises
    ------
    InputError
        If there is not one model for each fold, or one gives probabilities of the wrong shape or not finite.
    """
    if len(models) != int(folds.max()) + 1 or folds.min() < 0:
        raise InputError(
            f"{len(models)} models for folds {folds.min()} to {folds.max()}; expected one each, from fold 0"
        )
    proba = np.full((X.shape[0], n_classes), np.nan)
    for fold, model in enumerate(models):
        held_out = folds == fold
        proba[held_out] = _asked(model, X[held_out], n_classes, name=f"the model of fold {fold}")
    return SourceFit(tuple(models), proba, folds)


def cross_validate(
    learner: Learner, X: sp.csr_array, codes: Codes, *, n_classes: int, folds: Codes, seed: int
) -> SourceFit:
    """Train a model for every fold and ask each about the cells it has not seen.

    Parameters and errors are those of :func:`fit_fold` and :func:`gather`.
    """
    _check(X, codes, folds, n_classes)
    models = [
        fit_fold(learner, X, codes, n_classes=n_classes, folds=folds, fold=fold, seed=seed)
        for fold in range(int(folds.max()) + 1)
    ]
    return gather(models, X, folds=folds, n_classes=n_classes)


def consensus(models: Sequence[FittedModel], X: sp.csr_array) -> tuple[Proba, Votes]:
    """Return what several models say of cells that none has seen: mean probabilities and votes.

    The vote is that of :mod:`orthotype.models.consensus`: with five models at least three, or two when the
    other three all differ.

    Raises
    ------
    InputError
        If there is no model, or one gives probabilities that do not fit the others or are not finite.
    """
    if not models:
        raise InputError("there is no model to ask; expected at least one")
    n_classes = models[0].predict_proba(X[:1]).shape[1]
    said = [_asked(model, X, n_classes, name=f"model {i}") for i, model in enumerate(models)]
    proba = np.mean(said, axis=0)
    return proba, count_votes(np.stack([one.argmax(axis=1) for one in said], axis=1), proba=proba)


def mean_confusion(
    codes: Codes,
    proba: Proba,
    folds: Codes,
    *,
    of: Literal["true", "called"] = "true",
    classes: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the confusion table averaged over folds, as shares: rows are true classes, columns called ones.

    Parameters
    ----------
    codes
        True class of each cell.
    proba
        Class probabilities of each by the model that has not seen it; the call is the most probable class.
    folds
        Fold of each cell.
    of
        What a share is of. ``"true"``: of the cells of a true class, so rows sum to 1 and the diagonal is
        recall. ``"called"``: of the calls, so columns sum to 1 and the diagonal is precision; this is what
        Stumpf et al. (2020) drew. A fold without a cell or call of the class is left out of its mean; a class
        without any in all folds is NaN.
    classes
        Names of the classes; by default their numbers.

    Raises
    ------
    InputError
        If the lengths differ or a probability is not finite.

    Examples
    --------
    >>> proba = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]])
    >>> table = mean_confusion(np.array([0, 0, 1, 1]), proba, np.array([0, 1, 0, 1]), classes=["B", "T"])
    >>> float(table.loc["B", "T"]), float(table.loc["T", "B"])
    (0.5, 0.0)
    """
    problems = Problems("the confusion table")
    n_classes = proba.shape[-1]
    if not len(codes) == len(proba) == len(folds):
        problems.add(f"{len(codes):,} classes, {len(proba):,} rows of probabilities, {len(folds):,} folds")
    if not np.isfinite(proba).all():
        problems.add("probabilities that are not finite", expected="every cell predicted by its model")
    if classes is not None and len(classes) != n_classes:
        problems.add(f"{len(classes)} names", expected=f"{n_classes}, one for each class")
    problems.raise_if_any()
    calls, shares = proba.argmax(axis=1), []
    for fold in np.unique(folds):
        inside = folds == fold
        counts = np.zeros((n_classes, n_classes))
        np.add.at(counts, (codes[inside], calls[inside]), 1)
        shares.append(ratio(counts, counts.sum(axis=1 if of == "true" else 0, keepdims=True)))
    known = np.isfinite(shares)
    mean = ratio(np.where(known, shares, 0.0).sum(axis=0), known.sum(axis=0))
    names = [str(code) for code in range(n_classes)] if classes is None else list(classes)
    return pd.DataFrame(mean, index=named(names, "true"), columns=named(names, "called"))


def _asked(model: FittedModel, X: sp.csr_array, n_classes: int, *, name: str) -> Proba:
    proba = model.predict_proba(X)
    if proba.shape != (X.shape[0], n_classes) or not np.isfinite(proba).all():
        raise InputError(
            f"{name} gave probabilities of shape {proba.shape}, {int((~np.isfinite(proba)).sum()):,} of them "
            f"not finite; expected finite values of shape {(X.shape[0], n_classes)}"
        )
    return proba


def _check(X: sp.csr_array, codes: Codes, folds: Codes, n_classes: int) -> None:
    problems = Problems("the cross-validation")
    if not X.shape[0] == len(codes) == len(folds):
        problems.add(
            f"{X.shape[0]:,} cells, {len(codes):,} classes, {len(folds):,} folds",
            expected="one class and one fold for each cell",
        )
    if len(codes) == 0:
        problems.add("no cells at all", expected="labelled cells")
    elif codes.min() < 0 or codes.max() >= n_classes:
        problems.add(f"class numbers from {codes.min()} to {codes.max()}", expected=f"0 to {n_classes - 1}")
    if len(folds) and (folds.min() < 0 or len(np.unique(folds)) != folds.max() + 1 or folds.max() < 1):
        problems.add(
            f"fold numbers {folds.min()} to {folds.max()}, {len(np.unique(folds))} different",
            expected="at least two folds, numbered from 0 without a gap",
        )
    problems.raise_if_any()
