"""Calibrating on labelled target cells: a temperature that fits them, and sets with a stated coverage.

The labels are used for two things only, and no weight changes. The temperature T is the one at which the
probabilities of the labelled cells have the lowest log-loss, held to the model's own, T_0, as by a guess that
is right within a factor of e^0.5, so that a dozen cells that are all called right do not make the model sure
of everything::

    min_T  - sum_i log p_T(y_i | x_i)  +  (log T - log T_0)^2 / (2 * 0.5^2)

Then :mod:`orthotype.models.conformal` learns what probability a class needs to stay in the set of a cell. The
same cells serve for both, which is one number too many for the proof; what it costs is below what can be
measured. The labelled cells must be cells that the model was not adapted to, drawn without regard to how the
model calls them: cells picked because they are doubtful make the sets larger than need be.

Probabilities depend on the species shift and on the cells around a cell, so the sets hold under the alignment
and the neighbours that they were learned with. Hand over the whole target with labels for some of its cells:
shift and neighbours are then those that the cells will be annotated with. From the labelled cells alone the
promise is weaker, because both are poorer.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from numbers import Real
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype.cells.table import CellTable
from orthotype.errors import Problems, listed, nearest, numbered
from orthotype.models.conformal import RARE, PredictionSets, fewest_cells, set_names
from orthotype.models.margins import MarginScale
from orthotype.transfer.labelling import Options, label_cells
from orthotype.transfer.state import ModelState

ENTRY: Final = "prediction_sets"
SPREAD: Final = 0.5
STEP: Final = 0.4
MOST_STEPS: Final = 6


def calibrate_state(
    state: ModelState,
    table: CellTable,
    labels: NDArray[np.object_],
    *,
    coverage: float = 0.9,
    options: Options | None = None,
    rare: str = "keep",
    block_size: int,
) -> ModelState:
    """Return a model with the temperature and the prediction sets of labelled target cells.

    Parameters
    ----------
    state
        The model; its weights stay as they are.
    table
        Cells of the target, best all of them.
    labels
        Class of each cell, None where it is not known, shape (n_cells,).
    coverage
        Share of the cells of every class whose set is to hold it, between 0 and 1.
    options
        As the cells will be annotated; by default, as they are by default.
    rare
        Classes with too few labelled cells: ``"keep"`` them in every set, or ``"pool"`` them; see
        :mod:`orthotype.models.conformal`.
    block_size
        Cells handled at once; the result does not depend on it.

    Returns
    -------
    ModelState
        The card's entry ``prediction_sets`` holds ``coverage``, ``alignment``, ``n_neighbors``, ``rare``,
        ``species``, ``cells`` and, by class, ``least`` and ``n_labelled``; ``temperature_before`` is what the
        model would have used.

    Raises
    ------
    InputError
        With every problem: a coverage or policy without a meaning, classes that the model does not
        have, no class with enough labelled cells.
    """
    codes = _checked(state, labels, coverage=coverage, rare=rare)
    few = np.flatnonzero(codes >= 0)
    asked = replace(Options() if options is None else options, unknown="none")
    before = label_cells(state, table, options=asked, block_size=block_size)
    own = state.temperature * before.sharpness
    unscaled = state.with_card(margins=asdict(MarginScale((0.0,) * len(state.classes))))

    def labelled(log_factor: float) -> NDArray[np.float32]:
        heated = replace(unscaled, temperature=own * float(np.exp(log_factor)))
        return label_cells(heated, table, options=asked, block_size=block_size).predictions.proba[few]

    log_factor = lowest(lambda x: _loss(labelled(x), codes[few]) + x**2 / (2 * SPREAD**2))
    fitted = replace(unscaled, temperature=own * float(np.exp(log_factor)))
    proba = label_cells(fitted, table, options=asked, block_size=block_size).predictions.proba
    sets = PredictionSets.learn(proba[few], codes[few], coverage=coverage, rare=rare)
    entry = sets.to_dict(state.classes) | {
        "alignment": asked.alignment,
        "n_neighbors": asked.n_neighbors,
        "rare": rare,
        "species": table.species,
        "cells": len(few),
        "temperature_before": own,
    }
    return fitted.with_card(**{ENTRY: entry})


def cell_sets(
    state: ModelState, proba: NDArray[np.floating], *, options: Options
) -> NDArray[np.object_] | None:
    """Return the prediction set of each cell as text, or None where the model has none that would hold.

    Parameters
    ----------
    state
        The model.
    proba
        Class probabilities of the cells, shape (n, n_classes).
    options
        How the cells were annotated; sets hold under the alignment and the neighbours that they were learned
        with.
    """
    entry: dict[str, Any] | None = state.card.get(ENTRY)
    asked = (options.alignment, options.n_neighbors)
    if entry is None or (entry["alignment"], entry["n_neighbors"]) != asked:
        return None
    return set_names(PredictionSets.from_dict(entry, state.classes).sets(proba), state.classes)


def _checked(
    state: ModelState, labels: NDArray[np.object_], *, coverage: float, rare: str
) -> NDArray[np.intp]:
    """Return the class code of each cell, -1 for cells without a label."""
    problems = Problems("the labelled target cells")
    sensible = _is_share(coverage)
    if not sensible:
        problems.add(f"coverage is {coverage!r}", expected="a share between 0 and 1, such as 0.9")
    if rare not in RARE:
        problems.add(f"rare is {rare!r}", expected=f"one of {listed(RARE)}")
    given = np.array([name is not None for name in labels], dtype=bool)
    codes = np.full(len(labels), -1, dtype=np.intp)
    codes[given] = pd.Index(state.classes).get_indexer(pd.Index(labels[given], dtype=object))
    foreign = sorted({str(name) for name in labels[given & (codes < 0)]})
    if foreign:
        strange = numbered(len(foreign), "class", "classes")
        close = [match for name in foreign for match in nearest(name, map(str, state.classes), most=1)]
        problems.add(
            f"the labels name {strange} that the model does not have ({listed(foreign)})",
            expected=f"classes of the model, such as {listed(close or state.classes.tolist())}",
            remedy="rename them, leave them out, or adapt the model to them with other cells first",
        )
    if sensible:
        sizes, enough = np.bincount(codes[codes >= 0], minlength=len(state.classes)), fewest_cells(coverage)
        if sizes.max() < enough:
            problems.add(
                f"no class has more than {numbered(sizes.max(), 'labelled cell', 'labelled cells')}",
                expected=f"at least {enough} of a class for a coverage of {coverage:g}",
                remedy="label more cells, or ask for less coverage",
            )
    problems.raise_if_any()
    return codes


def _is_share(value: Any) -> bool:
    return isinstance(value, Real) and 0 < float(value) < 1


def _loss(proba: NDArray[np.floating], codes: NDArray[np.intp]) -> float:
    """Return the log-loss of labelled cells, summed."""
    right = proba[np.arange(len(codes)), codes].astype(np.float64)
    return float(-np.log(np.maximum(right, 1e-9)).sum())


def lowest(loss: Callable[[float], float]) -> float:
    """Return where a loss is lowest: downhill from 0 in steps of 0.4, then the parabola through three steps.

    Every value costs one labelling of all cells, and a tenth more or less on log T is nothing.
    """
    found = {0: loss(0.0)}
    best = 0
    while True:
        for i in (best - 1, best + 1):
            if i not in found and abs(i) <= MOST_STEPS:
                found[i] = loss(i * STEP)
        down = min(found, key=lambda i: (found[i], abs(i)))
        if down == best:
            break
        best = down
    if abs(best) == MOST_STEPS:
        return best * STEP
    left, middle, right = (found[best + i] for i in (-1, 0, 1))
    bend = left - 2 * middle + right
    return STEP * (best + (0.5 * (left - right) / bend if bend > 0 else 0.0))
