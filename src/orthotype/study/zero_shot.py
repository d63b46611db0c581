"""Classes without a single labelled target cell: are they found, and what becomes of cells that fit no class.

A class that nobody labelled in the target is still a class of the source model. For every class in turn its
labels are taken away from the target and the question is whether its cells are found all the same, by the
source model and by the model adapted on all other classes (Stumpf et al. 2020, Commun Biol 3:736: endothelial
cells, megakaryocytes and basophils). Cells that the source model calls as an unlabelled class take no part in
adapting: their labels would be those of other classes, and the class keeps its source weights.

Conventions
-----------
codes : class of each target cell; 0 to K - 1 a class of the source, K and above one that the source lacks,
    -1 no label.
call : the consensus of the fold models where they agree, else none.
"""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.errors import Problems, listed
from orthotype.metrics.calibration import softmax_entropy
from orthotype.metrics.tallies import Tallies
from orthotype.models.consensus import Votes
from orthotype.study.learners import Codes, FittedModel, Learner, Proba
from orthotype.study.source import consensus

NO_CALL = -1


def left_out(votes: Votes, unlabelled: Collection[int]) -> NDArray[np.bool_]:
    """Return which cells are called as a class that no target label names; adapting leaves them out.

    Parameters
    ----------
    votes
        Consensus of the source models.
    unlabelled
        Codes of the classes without labels in the target.
    """
    return np.isin(calls(votes), list(unlabelled))


def calls(votes: Votes) -> Codes:
    """Return the class that each cell is called, -1 where the fold models do not agree."""
    return np.where(votes.agreed, votes.winner, NO_CALL)


def find_class(
    learner: Learner,
    models: Sequence[FittedModel],
    X: sp.csr_array,
    codes: Codes,
    *,
    unlabelled: int,
    labelled: Codes,
    test: Codes,
    classes: Sequence[str],
    also_unlabelled: Collection[int] = (),
    seed: int,
) -> pd.DataFrame:
    """Measure whether one class is found in a target where no label names it. One call is one piece.

    Parameters
    ----------
    learner
        How to adapt.
    models
        Source models, one for each fold.
    X
        Encoded target cells.
    codes
        Their true classes.
    unlabelled
        Code of the class whose labels are taken away.
    labelled
        Positions of the cells with a label, such as ``shots(split, n)``; those of the unlabelled class, and
        those that the source models call so, are left out of adapting.
    test
        Positions of the cells to score on, such as ``split.test``; none of them labelled.
    classes
        Names of the K source classes.
    also_unlabelled
        Codes of further classes without labels, such as those that the target lacks; cells called so are left
        out of adapting as well.
    seed
        Seed of the whole experiment; the piece adds its class and the fold.

    Returns
    -------
    pandas.DataFrame
        Two rows, ``model`` ``"source"`` and ``"adapted"``: learner; class; model; ``n_labelled`` cells that
        it was adapted on, ``n_left_out`` called as an unlabelled class; ``cells`` of the class in the test,
        ``called`` so, ``found`` both; ``no_agreement`` among the cells of the class; precision (NaN if never
        called), recall (NaN without cells) and f1 over the test cells; ``called_foreign``, how many cells of
        classes that the source lacks got this label, which precision does not count.

    Raises
    ------
    InputError
        If positions overlap or name cells that do not exist, or the class is no source class.
    """
    _check(codes, unlabelled, labelled, test, n_cells=X.shape[0], n_classes=len(classes))
    foreign = np.flatnonzero(codes >= len(classes))
    scored = np.concatenate([test, foreign])
    named = labelled[(codes[labelled] >= 0) & (codes[labelled] < len(classes))]
    others = named[codes[named] != unlabelled]
    barred = np.isin(_called(models, X[others]), [unlabelled, *also_unlabelled])
    chosen = others[~barred]
    adapted = list(models)
    if len(chosen):
        rows, known = X[chosen], codes[chosen]
        adapted = [
            learner.adapt(model, rows, known, seed=_seed(seed, unlabelled, fold))
            for fold, model in enumerate(models)
        ]
    found = []
    for name, fitted, n_labelled in (("source", models, 0), ("adapted", adapted, len(chosen))):
        call = _called(fitted, X[scored])
        found.append(
            {
                "learner": learner.name,
                "class": classes[unlabelled],
                "model": name,
                "n_labelled": n_labelled,
                "n_left_out": int(barred.sum()) if name == "adapted" else 0,
                **_scores(codes[test], call[: len(test)], unlabelled),
                "called_foreign": int((call[len(test) :] == unlabelled).sum()),
            }
        )
    return pd.DataFrame(found)


def absent_classes(
    codes: Codes, votes: Votes, *, classes: Sequence[str], names: Sequence[str]
) -> pd.DataFrame:
    """Say what was called as classes that no target label names.

    Where the labels are complete, every such call is wrong; where the class was overlooked, its markers show
    it (:func:`orthotype.study.markers.marker_test`).

    Parameters
    ----------
    codes
        True classes of the target cells.
    votes
        Consensus of the source models for the same cells.
    classes
        Names of the K source classes.
    names
        Names of all classes in the order of their codes, those of the source first.

    Returns
    -------
    pandas.DataFrame
        One row per source class without target cells: class; cells ``called`` so, and their ``share`` of all
        cells; ``mostly``, the true class that most of them have, and ``mostly_cells``, how many ("" and 0
        where nothing was called so or no such cell has a label).
    """
    call = calls(votes)
    rows = []
    for k in np.setdiff1d(np.arange(len(classes)), codes):
        here = call == k
        mostly, cells = _most(codes[here], names)
        rows.append((classes[k], int(here.sum()), float(here.mean()), mostly, cells))
    return pd.DataFrame(rows, columns=["class", "called", "share", "mostly", "mostly_cells"])


def foreign_classes(
    codes: Codes, votes: Votes, proba: Proba, *, classes: Sequence[str], names: Sequence[str]
) -> pd.DataFrame:
    """Say what became of the cells of classes that the source lacks.

    A good model does not agree about them. Whether cells called so show the markers of the class they were
    given is :func:`orthotype.study.markers.marker_test` with these cells alone as called.

    Parameters
    ----------
    codes, votes, classes, names
        As for :func:`absent_classes`.
    proba
        Mean class probabilities of the same cells, (n_cells, K).

    Returns
    -------
    pandas.DataFrame
        One row per class that only the target has: class; cells; ``no_agreement``, cells without a call, and
        their ``no_agreement_rate``; ``mostly``, the source class most of the others were called, and
        ``mostly_cells``; mean confidence and mean entropy (0 to 1) over all its cells, beside
        ``confidence_shared`` and ``entropy_shared`` over the cells of classes that the source has.
    """
    call = calls(votes)
    sure, entropy = proba.max(axis=1), softmax_entropy(proba)
    shared = (codes >= 0) & (codes < len(classes))
    at_home = (sure[shared].mean(), entropy[shared].mean()) if shared.any() else (np.nan, np.nan)
    rows = []
    for k in np.unique(codes[codes >= len(classes)]):
        here = codes == k
        none = int((call[here] == NO_CALL).sum())
        mostly, cells = _most(call[here], names)
        means = (sure[here].mean(), entropy[here].mean(), *at_home)
        rows.append((names[k], int(here.sum()), none, none / here.sum(), mostly, cells, *means))
    columns = ["class", "cells", "no_agreement", "no_agreement_rate", "mostly", "mostly_cells"]
    columns += ["confidence", "entropy", "confidence_shared", "entropy_shared"]
    return pd.DataFrame(rows, columns=columns)


def _check(
    codes: Codes, unlabelled: int, labelled: Codes, test: Codes, *, n_cells: int, n_classes: int
) -> None:
    problems = Problems("zero-shot")
    if len(codes) != n_cells:
        problems.add(f"there are {len(codes):,} codes for {n_cells:,} cells", expected="one per cell")
    if not 0 <= unlabelled < n_classes:
        problems.add(f"class {unlabelled} was left out", expected=f"a source class, 0 to {n_classes - 1}")
    both = np.intersect1d(labelled, test)
    if len(both):
        problems.add(
            f"{len(both):,} cells are labelled and in the test (positions {listed(both)})", expected="none"
        )
    outside = [position for position in (*labelled, *test) if not 0 <= position < n_cells]
    if outside:
        problems.add(f"positions {listed(outside)}", expected=f"0 to {n_cells - 1}")
    problems.raise_if_any()


def _called(models: Sequence[FittedModel], X: sp.csr_array) -> Codes:
    if not X.shape[0]:
        return np.empty(0, dtype=np.intp)
    return calls(consensus(models, X)[1])


def _scores(true: Codes, call: Codes, wanted: int) -> dict[str, float | int]:
    own, so = true == wanted, call == wanted
    hits, support, called = (np.array([mask.sum()], dtype=float) for mask in (own & so, own, so))
    tallies = Tallies(hits=hits, support=support, called=called, total=np.asarray(float(len(true))))
    return {
        "cells": int(support[0]),
        "called": int(called[0]),
        "found": int(hits[0]),
        "no_agreement": int((own & (call == NO_CALL)).sum()),
        "precision": float(tallies.precision()[0]),
        "recall": float(tallies.recall()[0]),
        "f1": float(tallies.f1()[0]),
    }


def _most(found: Codes, names: Sequence[str]) -> tuple[str, int]:
    """Return the most frequent class, the first of equals, and how often it is; -1 is no class."""
    counts = np.bincount(found[found >= 0], minlength=1)
    best = int(counts.argmax())
    return (names[best], int(counts[best])) if counts[best] else ("", 0)


def _seed(seed: int, unlabelled: int, fold: int) -> int:
    return int(np.random.SeedSequence([seed, unlabelled, fold]).generate_state(1)[0] >> 1)
