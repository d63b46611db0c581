"""What is asked for when cells are to be suggested, checked before any work: all that is wrong at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype.cells.clusters import Table
from orthotype.cells.columns import is_measurement, label_values
from orthotype.cells.few_labels import read_labels
from orthotype.cells.table import check_column
from orthotype.errors import Problems, listed

MOST_AT_ONCE = 1000
WAYS = ("cells", "clusters")
NO_CLUSTER = "no cluster"


@dataclass(frozen=True)
class Request:
    """What to suggest.

    Attributes
    ----------
    n
        How many cells or clusters, at least one.
    by
        "cells" or "clusters".
    clusters
        Cluster of each cell, or None, shape (n_cells,).
    label
        Label of each cell that has one, else "", shape (n_cells,).
    random_state
        Decides which cells are compared where there are many.
    """

    n: int
    by: str
    clusters: NDArray[np.object_] | None
    label: NDArray[np.object_]
    random_state: int

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which cells have a label."""
        return np.asarray(self.label != "", dtype=bool)


def check_request(
    cells: Any,
    *,
    n: int,
    by: str,
    clusters: str | None,
    labelled: Table | None,
    random_state: int,
) -> Request:
    """Check what is asked for against the table of the cells.

    Parameters
    ----------
    cells
        Cells in memory or on disk; only obs is looked at.
    n, by, clusters, labelled, random_state
        As for :meth:`orthotype.LabelTransfer.suggest`.

    Raises
    ------
    InputError
        With every problem at once.
    """
    problems = Problems("what to suggest")
    names = pd.Index([str(name) for name in cells.obs_names], dtype=object)
    repeated = names[names.duplicated()].unique()
    if len(repeated):
        problems.add(
            f"{len(repeated):,} names are those of several cells: {listed(repeated)}",
            expected="a name of its own for every cell, since labels are given by name",
            remedy="adata.obs_names_make_unique()",
        )
    if by not in WAYS:
        problems.add(f"by is {by!r}", expected="'cells' or 'clusters'")
    elif by == "clusters" and clusters is None:
        problems.add(
            "clusters were asked for without saying where they are",
            expected="the obs column with the cluster of each cell",
            remedy='pass clusters="leiden", say',
        )
    label = _labels(names, labelled, problems)
    _check_number(n, by, n_cells=len(names), n_labelled=int((label != "").sum()), problems=problems)
    values = None if clusters is None else _clusters(cells, clusters, problems)
    problems.raise_if_any()
    return Request(int(n), by, values, label, random_state)


def _check_number(n: int, by: str, *, n_cells: int, n_labelled: int, problems: Problems) -> None:
    left = n_cells - n_labelled
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        problems.add(f"{n!r} {by} were asked for", expected="a whole number, at least 1")
    elif n > MOST_AT_ONCE:
        problems.add(
            f"{n:,} {by} were asked for",
            expected=f"at most {MOST_AT_ONCE:,} at once",
            remedy="label a few, adapt the model, and ask again: the next ones are chosen better",
        )
    elif by == "cells" and n > left:
        problems.add(
            f"{n:,} cells were asked for, and there are {n_cells:,}"
            + (f", of which {n_labelled:,} have a label" if n_labelled else ""),
            expected=f"at most {left:,}",
        )


def _clusters(cells: Any, column: str, problems: Problems) -> NDArray[np.object_] | None:
    before = len(problems.found)
    check_column(cells, column, problems=problems)
    if len(problems.found) > before:
        return None
    if is_measurement(cells.obs[column]):
        problems.add(
            f"obs column {column!r} holds measurements ({listed(cells.obs[column].dropna().head(3))})",
            expected="names of clusters",
        )
        return None
    values = label_values(cells.obs[column])
    values[[value is None for value in values]] = NO_CLUSTER
    return values


def _labels(names: pd.Index, labelled: Table | None, problems: Problems) -> NDArray[np.object_]:
    """Return the label of every cell, "" where it has none, and note labels of cells that are not there."""
    label = np.full(len(names), "", dtype=object)
    if labelled is None:
        return label
    given = read_labels(labelled, known=set(names))
    foreign = given.index[~given.index.isin(names)].unique()
    if len(foreign):
        problems.add(
            f"{len(foreign):,} of {given.index.nunique():,} labelled cells are not in the data: "
            f"{listed(foreign)}",
            expected=f"names such as {listed(names[:2])}",
        )
    elif names.is_unique:
        label[names.get_indexer(given.index)] = given.to_numpy(dtype=object)
    return label
