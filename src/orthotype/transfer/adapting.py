"""Adapting: the source model as a prior, a few labelled target cells as the evidence.

Each fold model is refitted on the few cells with its own weights W0 as the centre of the penalty (MAP
transfer)::

    min_W,b  sum_i s_i CE(softmax(W x_i + b), y_i) / sum_i s_i  +  alpha / 2 || W - W0 ||^2

Classes without a labelled cell keep their weights and stay reachable. The source cells are not needed.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.errors import InputError, listed, nearest
from orthotype.models.folds import make_folds
from orthotype.models.linear.softmax import row_losses
from orthotype.models.linear.solve import solve
from orthotype.transfer.coverage import check_species
from orthotype.transfer.state import ModelState

if TYPE_CHECKING:
    from orthotype.cells.table import CellTable

# Strengths tried, strong (hardly leaves the source) to weak (hardly remembers it).
STRENGTHS = np.logspace(2, -3, 6)


def adapt_state(
    state: ModelState,
    table: "CellTable",
    labels: NDArray[np.object_],
    *,
    strength: float | str = "cv",
    random_state: int = 0,
    block_size: int,
) -> ModelState:
    """Return a model that has learned from a few labelled target cells.

    Parameters
    ----------
    state
        The source model.
    table
        The few cells.
    labels
        Their classes, all known to the model, shape (n_cells,).
    strength
        How strongly the weights are held to the source: alpha of the penalty, or ``"cv"`` to choose it on the
        few cells by cross-validation (the strongest, where there are too few to do so).

    Raises
    ------
    InputError
        If labels name classes that the model does not know, or only one class.
    """
    codes = _class_codes(labels, state.classes)
    check_species(state, table.species)
    aligned = state.space.align(table.genes, species=table.species)
    X = sp.csr_array(
        sp.vstack([rows for _, rows in aligned.blocks(table.rows, size=block_size)], format="csr"),
        dtype=np.float64,
    )
    alpha = _choose_strength(X, codes, state, random_state) if strength == "cv" else float(strength)
    coef, intercept = state.coef.copy(), state.intercept.copy()
    for m in range(len(coef)):
        coef[m], intercept[m] = _refit(X, codes, state, model=m, alpha=alpha)
    adapted = replace(state, coef=coef, intercept=intercept)
    names, counts = np.unique(labels.astype(str), return_counts=True)
    return adapted.with_card(
        adapted={
            "from": state.hash(),
            "species": table.species,
            "strength": alpha,
            "cells_per_class": dict(zip(names.tolist(), counts.tolist(), strict=True)),
        }
    )


def _class_codes(labels: NDArray[np.object_], classes: NDArray[np.object_]) -> NDArray[np.intp]:
    codes = pd.Index(classes).get_indexer(pd.Index(labels))
    foreign = sorted({str(name) for name in labels[codes < 0]})
    if foreign:
        close = [match for name in foreign for match in nearest(name, map(str, classes), most=1)]
        raise InputError(
            f"the labels name {len(foreign)} classes that the model does not have ({listed(foreign)}); "
            f"expected classes of the model, such as {listed(close or classes.tolist())}; "
            "rename them or leave them out"
        )
    if len(set(codes.tolist())) < 2:
        raise InputError(
            f"all {len(labels):,} labelled cells are {labels[0]!r}; expected cells of at least two classes; "
            "label a few cells of another class"
        )
    return np.asarray(codes, dtype=np.intp)


def _refit(
    X: sp.csr_array, codes: NDArray[np.intp], state: ModelState, *, model: int, alpha: float
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    before = (state.coef[model], state.intercept[model])
    solution = solve(
        X,
        codes,
        n_classes=len(state.classes),
        alpha=alpha,
        center=before[0],
        gamma=1.0,
        start=before,
        tol=1e-6,
    )
    return solution.coef, solution.intercept


def _choose_strength(X: sp.csr_array, codes: NDArray[np.intp], state: ModelState, random_state: int) -> float:
    """Return the strength with the lowest held-out loss on the few cells, the stronger among equals."""
    repeated = np.bincount(codes, minlength=len(state.classes)) >= 2
    if repeated.sum() < 2:
        return float(STRENGTHS[0])
    folds = make_folds(codes, n_splits=min(5, len(codes)), random_state=random_state)
    losses = np.zeros(len(STRENGTHS))
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        if len(set(codes[train].tolist())) < 2:
            continue
        for i, alpha in enumerate(STRENGTHS):
            coef, intercept = _refit(X[train], codes[train], state, model=0, alpha=float(alpha))
            scores = np.asarray(X[test] @ coef.T) + intercept
            losses[i] += row_losses(scores / state.temperature, codes[test]).sum()
    return float(STRENGTHS[int(np.argmin(losses))])
