"""Question one: is a linear model as good as a neural network, on source cells that neither has seen."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype.metrics import confusion, per_class, softmax_entropy
from orthotype.metrics.published import code_scores
from orthotype.models.folds import make_folds
from orthotype.study.comparison import compare
from orthotype.study.learners import FittedModel, Proba
from orthotype.study.pair import Pair
from orthotype.study.pieces import Piece, Result, Work
from orthotype.study.recipe import Recipe
from orthotype.study.source import fit_fold, mean_confusion
from orthotype.study.steps.checks import Watched, check_confusion, check_folds, check_proba, require
from orthotype.study.steps.learner import arrays_of_model, make_learner, model_arrays
from orthotype.study.steps.tables import entropy_table, long_confusion

FOLDS = "source/folds"
SCORES = "source/scores"
RESERVED = ["no agreement", "unknown"]


def plan(recipe: Recipe, pair: Pair) -> list[Piece]:
    """Return the folds, one piece for each learner and fold, and the scores."""
    fits = [
        Piece(fit_name(learner, fold), "source.fit", {"learner": learner, "fold": fold}, (FOLDS,))
        for learner in recipe.learners
        for fold in range(n_folds(recipe, pair))
    ]
    names = tuple(piece.name for piece in fits)
    return [Piece(FOLDS, "source.folds"), *fits, Piece(SCORES, "source.scores", {}, (FOLDS, *names))]


def n_folds(recipe: Recipe, pair: Pair) -> int:
    """Return the number of folds: as asked, or one for each donor where there are fewer."""
    groups = pair.source.groups
    return recipe.n_folds if groups is None else min(recipe.n_folds, len(np.unique(groups)))


def fit_name(learner: str, fold: int) -> str:
    """Return the name of the piece that trains without one fold."""
    return f"source/{learner}/fold{fold}"


def fit_names(recipe: Recipe, pair: Pair, learner: str) -> tuple[str, ...]:
    """Return the names of the pieces of all folds of a learner."""
    return tuple(fit_name(learner, fold) for fold in range(n_folds(recipe, pair)))


def models(work: Work, learner: str) -> list[FittedModel]:
    """Return the fold models of a learner, in the order of the folds."""
    made = make_learner(work.recipe, learner)
    names = fit_names(work.recipe, work.pair, learner)
    return [made.load(arrays_of_model(work.earlier[name])) for name in names]


def held_out(work: Work, learner: str) -> Proba:
    """Return the probabilities of every source cell by the model that did not see it, (n, K)."""
    proba = np.full((len(work.pair.source.codes), work.pair.n_classes), np.nan)
    for name in fit_names(work.recipe, work.pair, learner):
        part = work.earlier[name]
        proba[part.arrays["cells"].astype(np.intp)] = part.arrays["proba"]
    check_proba(proba, shape=proba.shape, where="held-out source cells")
    return proba


def folds_of(work: Work) -> NDArray[np.intp]:
    """Return the fold of each source cell."""
    return work.earlier[FOLDS].arrays["folds"].astype(np.intp)


def folds(work: Work) -> Result:
    """Deal the source cells out to folds, donors whole."""
    side, number = work.pair.source, n_folds(work.recipe, work.pair)
    dealt = make_folds(side.codes, n_splits=number, groups=side.groups, random_state=work.seed)
    check_folds(dealt, side.codes, side.groups, n_folds=number)
    return Result(arrays={"folds": dealt.astype(np.int64)})


def fit(work: Work) -> Result:
    """Train one learner without one fold, and let it label that fold."""
    side, fold, dealt = work.pair.source, int(work.argument("fold")), folds_of(work)
    learner = Watched(make_learner(work.recipe, work.argument("learner")))
    model = fit_fold(
        learner,
        side.X,
        side.codes,
        n_classes=work.pair.n_classes,
        folds=dealt,
        fold=fold,
        seed=work.seed,
    )
    learner.learned_from(side.X[dealt != fold], side.codes[dealt != fold], where=work.piece.name)
    cells = np.flatnonzero(dealt == fold)
    proba = model.predict_proba(side.X[cells])
    check_proba(proba, shape=(len(cells), work.pair.n_classes), where=work.piece.name)
    return Result(arrays={**model_arrays(model.arrays()), "cells": cells, "proba": proba})


def scores(work: Work) -> Result:
    """Score all learners on the cells that they had not seen, and compare the first two of them."""
    learners, dealt = work.recipe.learners, folds_of(work)
    proba = {learner: held_out(work, learner) for learner in learners}
    parts = [_scores(work.pair, learner, proba[learner], dealt) for learner in learners]
    tables = {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in parts[0]}
    if len(learners) == 2:
        one, other = learners
        tables["source_comparison"] = compare(
            work.pair.source.codes,
            proba[one],
            proba[other],
            folds=dealt,
            n_classes=work.pair.n_classes,
            margin=work.recipe.margin,
            level=work.recipe.level,
        ).assign(a=one, b=other)
    return Result(tables=tables)


def _scores(pair: Pair, learner: str, proba: Proba, dealt: NDArray[np.intp]) -> dict[str, pd.DataFrame]:
    codes, names = pair.source.codes, np.array(pair.classes, dtype=object)
    calls = proba.argmax(axis=1)
    true, called = names[codes], names[calls]
    counts = confusion(true, called, labels=list(pair.classes)).drop(columns=RESERVED)
    check_confusion(counts, true, called)
    tables = {
        "source_folds": _by_fold(codes, calls, dealt, pair.classes),
        "source_metrics": code_scores(codes, calls, classes=pair.classes),
        "source_per_class": per_class(true, called, labels=list(pair.classes)).reset_index(),
        "source_confusion": long_confusion(counts),
        "source_mean_confusion": _mean_confusion(codes, proba, dealt, pair.classes),
        "source_entropy": entropy_table(softmax_entropy(proba), true, order=pair.classes),
    }
    for table in tables.values():
        table.insert(0, "learner", learner)
    return tables


def _mean_confusion(
    codes: NDArray[np.intp], proba: Proba, dealt: NDArray[np.intp], classes: Sequence[str]
) -> pd.DataFrame:
    """Return the confusion averaged over folds, as shares of true classes and, as published, of calls."""
    names, n = np.array(classes, dtype=object), len(classes)
    of_true = mean_confusion(codes, proba, dealt, of="true", classes=classes).to_numpy()
    of_called = mean_confusion(codes, proba, dealt, of="called", classes=classes).to_numpy()
    for sums in (of_true.sum(axis=1), of_called.sum(axis=0)):
        known = sums[np.isfinite(sums)]
        require(np.allclose(known, 1), "a mean confusion table is not made of shares")
    return pd.DataFrame(
        {
            "true": np.repeat(names, n),
            "called": np.tile(names, n),
            "share_of_true": of_true.ravel(),
            "share_of_called": of_called.ravel(),
        }
    )


def _by_fold(
    codes: NDArray[np.intp], calls: NDArray[np.intp], dealt: NDArray[np.intp], classes: Sequence[str]
) -> pd.DataFrame:
    """Return the overall scores of every fold, each over its held-out cells."""
    parts = []
    for fold in range(int(dealt.max()) + 1):
        cells = dealt == fold
        rows = code_scores(codes[cells], calls[cells], classes=classes)
        parts.append(rows[rows["class"] == "all"].drop(columns="class").assign(fold=fold))
    return pd.concat(parts, ignore_index=True)[["fold", "metric", "value", "n_test"]]


FUNCTIONS = {"source.folds": folds, "source.fit": fit, "source.scores": scores}
