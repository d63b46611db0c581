"""Labels of a target against its true classes, with what only one of the species has shown apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from orthotype._keys import NO_AGREEMENT, UNKNOWN
from orthotype.metrics.bootstrap import (
    FEWEST_GROUPS,
    Cells,
    Sums,
    cell_weights,
    group_weights,
    percentile_interval,
)
from orthotype.metrics.calibration import bin_of, reliability_table, softmax_entropy
from orthotype.metrics.inputs import check_draws, check_groups, check_labels, check_scores, notes_on, sides
from orthotype.metrics.labels import Labels, Texts, codes, named, paired
from orthotype.metrics.result import Evaluation
from orthotype.metrics.tables import RESERVED_COLUMNS, count_table, score_table
from orthotype.metrics.tallies import Floats

N_BINS = 10
WITH_INTERVALS = ("recall", "precision", "f1")


def evaluate(
    true: Labels,
    predicted: Labels,
    *,
    source_classes: Sequence[str],
    proba: npt.ArrayLike | None = None,
    classes: Sequence[str] | None = None,
    confidence: npt.ArrayLike | None = None,
    groups: Labels | None = None,
    n_boot: int = 1000,
    level: float = 0.95,
    random_state: int = 0,
) -> Evaluation:
    """Score the labels of a target, with intervals, and show apart what only one species has.

    Parameters
    ----------
    true
        True class of each cell; cells without one are left out and counted.
    predicted
        Label of each cell: a source class, *no agreement* or *unknown*.
    source_classes
        Every class that the model knows.
    proba
        Class probabilities, cells x classes. They give the entropies, the scores of the most probable class
        whatever the status says, and the confidence if it is not given.
    classes
        The class of each column of ``proba``; by default ``source_classes`` as given.
    confidence
        Probability of the label, one per cell.
    groups
        Donor or batch of each cell. With three or more, whole groups are resampled, because cells of one
        donor are not independent; with fewer, cells are resampled within each true class. ``interval_method``
        says which.
    n_boot
        How many draws; 0 leaves the intervals empty.
    level
        Share of the draws inside an interval (percentile bootstrap). A class with every cell right has an
        interval without width: read it with its support.
    random_state
        Seed of the draws.

    Raises
    ------
    InputError
        With every problem of the input at once; also if no true class is a source class.

    Examples
    --------
    >>> found = evaluate(["a", "b", "c"], ["a", "unknown", "unknown"], source_classes=["a", "b"], n_boot=0)
    >>> found.target_only, found.value("accuracy")
    (('c',), 0.5)
    """
    truth, calls = paired(true, predicted)
    names = [str(name) for name in (source_classes if classes is None else classes)]
    problems = check_labels(truth, calls, source_classes)
    check_draws(problems, n_boot=n_boot, level=level)
    probabilities, sure = check_scores(
        problems, n_cells=len(truth), n_classes=len(names), proba=proba, confidence=confidence
    )
    donors = check_groups(problems, groups, len(truth))
    problems.raise_if_any()

    known = np.array([text is not None for text in truth], dtype=bool)
    truth, calls = truth[known], calls[known]
    probabilities, sure, donors = (None if x is None else x[known] for x in (probabilities, sure, donors))
    shared, source_only, target_only = sides(truth, source_classes)

    inside = np.isin(truth, shared)
    top = None if probabilities is None else np.asarray(names, dtype=object)[probabilities.argmax(axis=1)]
    cells = _cells(truth, calls, top, sure, shared, inside)
    draws, method = _draws(cells, None if donors is None else donors[inside], n_boot, random_state)
    observed, drawn = (
        Sums(sums, len(shared), N_BINS, top is not None, sure is not None)
        for sums in (cells.sums(np.zeros_like(cells.true), 1)[0], draws)
    )
    table = count_table(
        truth, calls, rows=[*shared, *target_only], columns=[*shared, *source_only, *RESERVED_COLUMNS]
    )
    return Evaluation(
        shared=shared,
        source_only=source_only,
        target_only=target_only,
        n_cells=len(truth),
        n_missing=int((~known).sum()),
        summary=_summary(observed, drawn, level),
        per_class=_per_class(observed, drawn, level, shared, table.loc[list(target_only)]),
        confusion=table,
        target_only_calls=_target_only_calls(table.loc[list(target_only)], truth, sure),
        entropy=None if probabilities is None else _entropy(truth, probabilities, table.index),
        reliability=None if sure is None else _reliability(observed),
        level=level,
        interval_method=f"{level * 100:g} % percentile bootstrap, {method}" if n_boot else "no intervals",
        notes=notes_on(truth, source_only, target_only, int((~known).sum())),
    )


def _cells(
    truth: Texts,
    calls: Texts,
    top: npt.NDArray[Any] | None,
    sure: Floats | None,
    shared: Sequence[str],
    inside: npt.NDArray[np.bool_],
) -> Cells:
    call = codes(calls, [*shared, NO_AGREEMENT, UNKNOWN])
    abstains = call >= len(shared)
    call = np.where(call < 0, len(shared), np.where(abstains, call + 1, call))[inside]
    best = None if top is None else codes(top, shared)[inside]
    bins = np.full(len(truth), -1) if sure is None else np.where(abstains, -1, bin_of(sure, N_BINS))
    return Cells(
        true=codes(truth, shared)[inside],
        call=call,
        top=None if best is None else np.where(best < 0, len(shared), best),
        bins=bins[inside].astype(np.intp),
        confidence=np.zeros(len(call)) if sure is None else sure[inside],
        n_classes=len(shared),
        n_bins=N_BINS,
    )


def _draws(cells: Cells, donors: Texts | None, n_boot: int, random_state: int) -> tuple[Floats, str]:
    """Return the sums of every draw, and how they were drawn, in words."""
    rng = np.random.default_rng(random_state)
    names: list[str] = [] if donors is None else sorted(set(donors))
    if donors is not None and len(names) >= FEWEST_GROUPS:
        sums = cells.sums(codes(donors, names), len(names))
        return group_weights(len(names), n_boot, rng) @ sums, f"{n_boot:,} draws of {len(names)} groups"
    kind, counts, stratum = cells.kinds()
    sums = cells.sums(kind, len(counts)) / counts[:, None]
    few = f" ({len(names)} groups are too few to resample)" if names else ""
    return (
        cell_weights(counts, stratum, n_boot, rng) @ sums,
        f"{n_boot:,} draws of cells within each true class{few}",
    )


def _summary(observed: Sums, drawn: Sums, level: float) -> pd.DataFrame:
    values, draws = observed.overall(), drawn.overall()
    low, high = percentile_interval(np.stack(list(draws.values()), axis=1), level=level)
    total = int(observed.tallies().total)
    assigned = round(total * float(values["share_assigned"]))
    over_assigned = {"accuracy_assigned", "calibration_error"}
    return pd.DataFrame(
        {
            "metric": list(values),
            "value": [float(value) for value in values.values()],
            "low": low,
            "high": high,
            "cells": [assigned if name in over_assigned else total for name in values],
        }
    )


def _per_class(
    observed: Sums, drawn: Sums, level: float, shared: Sequence[str], outside: pd.DataFrame
) -> pd.DataFrame:
    scores = score_table(observed.tallies(), shared)
    tallies = drawn.tallies()
    columns: dict[str, Any] = {}
    for name in scores:
        columns[str(name)] = scores[name]
        if name == "called":
            columns["called_target_only"] = outside[list(shared)].sum().astype(int)
        if name in WITH_INTERVALS:
            low, high = percentile_interval(getattr(tallies, str(name))(), level=level)
            columns[f"{name}_low"] = pd.Series(low, index=scores.index)
            columns[f"{name}_high"] = pd.Series(high, index=scores.index)
    return pd.DataFrame(columns, index=scores.index)


def _target_only_calls(outside: pd.DataFrame, truth: Texts, sure: Floats | None) -> pd.DataFrame:
    """Say what became of the cells of every class that the source lacks."""
    cells = outside.sum(axis=1)
    assigned = outside.drop(columns=list(RESERVED_COLUMNS))
    most = assigned.max(axis=1)
    return pd.DataFrame(
        {
            "cells": cells,
            "share_assigned": assigned.sum(axis=1) / cells,
            "share_no_agreement": outside[NO_AGREEMENT] / cells,
            "share_unknown": outside[UNKNOWN] / cells,
            "most_called": [str(row.idxmax()) if row.max() > 0 else None for _, row in assigned.iterrows()],
            "most_called_cells": most,
            "mean_confidence": [
                np.nan if sure is None else float(sure[truth == name].mean()) for name in outside.index
            ],
        },
        index=named(outside.index, "class"),
    )


def _entropy(truth: Texts, proba: Floats, order: pd.Index) -> pd.DataFrame:
    values = pd.Series(softmax_entropy(proba)).groupby(pd.Series(truth, dtype=object)).describe()
    table = values.reindex(order)[["count", "mean", "25%", "50%", "75%"]]
    table.columns = pd.Index(["cells", "mean", "lower_quartile", "median", "upper_quartile"])
    return table.astype({"cells": int}).rename_axis("class")


def _reliability(observed: Sums) -> pd.DataFrame:
    cells, confidence, right = observed.bins()
    return reliability_table(cells=cells, confidence=confidence, right=right)
