"""Labels held against a coarse reading of clusters: which labels it allows, and what the cells were called.

Clusters without names can be read with marker genes, but seldom as finely as a model labels: a cluster of
granulocytic progenitors allows more than one class of the model, and one of stem cells may allow none. Such a
reading is no truth. It tells a model that goes wrong from one that does not, never a good one from a better.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype._keys import CONFIDENCE, LABEL, NO_AGREEMENT, UNKNOWN
from orthotype.errors import InputError, listed
from orthotype.study.markers import marker_evidence

Reading = Mapping[str, Sequence[str]]


def calls_by_type(types: "pd.Series[str]", predictions: pd.DataFrame, *, reading: Reading) -> pd.DataFrame:
    """Return how many cells of each coarse type got a label that fits, and what they were called.

    Parameters
    ----------
    types
        Coarse type of each cell.
    predictions
        ``label`` and ``confidence`` of the same cells, as in :class:`orthotype.Predictions`.
    reading
        For each coarse type, in the order of the table, the labels that it allows; none where the model has
        no class for it, so that no label can be right.

    Returns
    -------
    pandas.DataFrame
        One row per coarse type: type, cells, ``allowed`` (the labels, joined by " or "), ``fits`` (share of
        the cells so called, NaN where nothing is allowed), ``no_agreement`` and ``unknown`` (shares), mean
        confidence of all cells, and ``called``, every label given with its cells, most first, as pairs;
        :func:`written` makes text of them.

    Raises
    ------
    InputError
        If cells are of a type that the reading does not name, or a type has no cells.
    """
    kinds, labels = types.astype(str).to_numpy(), predictions[LABEL].astype(str).to_numpy()
    if set(kinds) != set(reading):
        raise InputError(
            f"the cells are of the types {listed(sorted(set(kinds)))}; the reading names "
            f"{listed(sorted(reading))}; give each type of the cells, and no other, the labels that it allows"
        )
    rows = []
    for kind, allowed in reading.items():
        own = kinds == kind
        given = pd.Series(labels[own]).value_counts()
        rows.append(
            {
                "type": kind,
                "cells": int(own.sum()),
                "allowed": " or ".join(allowed),
                "fits": float(np.isin(labels[own], list(allowed)).mean()) if allowed else np.nan,
                "no_agreement": float((labels[own] == NO_AGREEMENT).mean()),
                "unknown": float((labels[own] == UNKNOWN).mean()),
                "confidence": float(predictions.loc[own, CONFIDENCE].mean()),
                "called": tuple((str(name), int(cells)) for name, cells in given.items()),
            }
        )
    return pd.DataFrame(rows)


def written(called: Sequence[tuple[str, int]], *, most: int | None = None) -> str:
    """Write labels with their cells on one line, the first few if there are more than ``most``.

    >>> written((("erythroid", 194), ("basophil", 6), ("monocyte", 1)), most=2)
    'erythroid 194, basophil 6 and 1 more'
    """
    shown = ", ".join(f"{name} {cells}" for name, cells in called[:most])
    left = 0 if most is None else len(called) - most
    return f"{shown} and {left} more" if left > 0 else shown


def fitting_share(calls: pd.DataFrame) -> float:
    """Return the share of the cells that got an allowed label, over the types that allow any; NaN if none."""
    some = calls.dropna(subset="fits")
    return float(np.average(some["fits"], weights=some["cells"])) if len(some) else np.nan


def markers_by_label(
    X: sp.csr_array,
    labels: "pd.Series[str]",
    *,
    markers: Mapping[str, Sequence[str]],
    features: Sequence[str],
    used: Collection[str],
) -> pd.DataFrame:
    """Return whether the cells of each label show the genes that such cells should show.

    Where the model itself uses a marker this is circular: the cells were called so because of it. The column
    ``used`` says where.

    Parameters
    ----------
    X
        Log-normalised cells x features.
    labels
        Label of each cell.
    markers
        Marker genes of each label; labels that no cell got are left out.
    features
        Names of the columns of ``X``.
    used
        Genes that the model looks at.

    Returns
    -------
    pandas.DataFrame
        One row per label and marker: label, cells, and the columns of
        :func:`orthotype.study.markers.marker_evidence` gene, fraction, fraction_others, mean, mean_others,
        auroc; ``used`` is True for genes of the model.

    Raises
    ------
    InputError
        If a marker is no feature.
    """
    called = labels.astype(str).to_numpy()
    wanted = {gene for genes in markers.values() for gene in genes}
    columns = [column for column, gene in enumerate(features) if gene in wanted]
    few, names = sp.csr_array(X[:, columns]), [features[column] for column in columns]
    parts = []
    for label, genes in markers.items():
        chosen: NDArray[np.bool_] = called == label
        if chosen.any() and not chosen.all():
            table = marker_evidence(few, chosen, markers=genes, features=names)
            table.insert(0, "label", label)
            table.insert(1, "cells", int(chosen.sum()))
            parts.append(table.drop(columns=["effect", "p", "p_adjusted"]))
    if not parts:
        raise InputError(f"no cell got one of the labels {listed(markers)}; expected labels of the markers")
    found = pd.concat(parts, ignore_index=True)
    return found.assign(used=found["gene"].isin(list(used)))
