"""What is asked for when cells are to be suggested, checked before any work: all that is wrong at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype.cells.checks import check_random_state
from orthotype.cells.columns import holds_names, label_values
from orthotype.cells.few_labels import check_few_labels, is_column, label_column, read_labels
from orthotype.cells.table import check_column
from orthotype.cells.tables import Table
from orthotype.errors import Problems, listed, warn

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
        Cluster of each cell, None for cells without one if clusters are suggested; or None,
        shape (n_cells,).
    label
        Label of each cell that has one, else "", shape (n_cells,).
    asked
        Which cells were asked for already: all that have a label, and those whose label was left empty in
        the table of labels, shape (n_cells,). A table that names every cell is no list of cells asked for.
    random_state
        Decides which cells are compared where there are many.
    """

    n: int
    by: str
    clusters: NDArray[np.object_] | None
    label: NDArray[np.object_]
    asked: NDArray[np.bool_]
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

    Warns
    -----
    OrthotypeWarning
        If fewer cells are left than were asked for.
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
    _check_way(by, clusters, problems)
    check_random_state(random_state, problems=problems)
    label, asked = _labels(cells, names, labelled, problems)
    _check_number(n, by, problems)
    if by == "cells":
        _check_left(asked, label, problems)
    values = None if clusters is None else _clusters(cells, clusters, by, problems)
    problems.raise_if_any()
    n = _at_most(n, asked) if by == "cells" else n
    return Request(int(n), by, values, label, asked, int(random_state))


def _check_way(by: str, clusters: str | None, problems: Problems) -> None:
    if by not in WAYS:
        problems.add(f"by is {by!r}", expected="'cells' or 'clusters'")
    elif by == "clusters" and clusters is None:
        problems.add(
            "clusters were asked for without saying where they are",
            expected="the obs column with the cluster of each cell",
            remedy='pass clusters="leiden", say',
        )


def _at_most(n: int, asked: NDArray[np.bool_]) -> int:
    """Return how many cells to suggest, and warn if these are fewer than were asked for."""
    left = int((~asked).sum())
    if n > left:
        warn(f"{n:,} cells were asked for, and {left:,} of {len(asked):,} are left; all are suggested")
    return min(n, left)


def _check_number(n: int, by: str, problems: Problems) -> None:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        problems.add(f"{n!r} {by} were asked for", expected="a whole number, at least 1")
    elif n > MOST_AT_ONCE:
        problems.add(
            f"{n:,} {by} were asked for",
            expected=f"at most {MOST_AT_ONCE:,} at once",
            remedy="label a few, adapt the model, and ask again: the next ones are chosen better",
        )


def _check_left(asked: NDArray[np.bool_], label: NDArray[np.object_], problems: Problems) -> None:
    """Note a problem if nothing is left to ask."""
    if asked.all() and len(asked):
        n_empty = int((label == "").sum())
        problems.add(
            f"nothing is left to label: of {len(asked):,} cells {len(asked) - n_empty:,} have a label"
            + (f", and {n_empty:,} were left empty" if n_empty else ""),
            expected="cells that were not asked for",
        )


def _clusters(cells: Any, column: str, by: str, problems: Problems) -> NDArray[np.object_] | None:
    """Return the cluster of every cell; what to do with cells without one depends on what is suggested."""
    before = len(problems.found)
    check_column(cells, column, problems=problems)
    if len(problems.found) > before:
        return None
    if not holds_names(cells.obs[column], column, problems=problems, expected="names of clusters"):
        return None
    values = label_values(cells.obs[column])
    missing = np.array([value is None for value in values], dtype=bool)
    if by == "cells":
        values[missing] = NO_CLUSTER
    elif missing.all():
        problems.add(f"no cell has a cluster in obs column {column!r}", expected="clusters to suggest")
    return values


def _labels(
    cells: Any, names: pd.Index, labelled: Table | None, problems: Problems
) -> tuple[NDArray[np.object_], NDArray[np.bool_]]:
    """Return the label of every cell, "" where it has none, and which were asked for; note what is wrong."""
    if labelled is None:
        return np.full(len(names), "", dtype=object), np.zeros(len(names), dtype=bool)
    named = np.zeros(len(names), dtype=bool)
    if is_column(labelled, cells):
        found = label_column(cells, labelled, problems=problems, needed=False)
    else:
        given = read_labels(labelled, known=set(names))
        found = check_few_labels(names, given, problems=problems, needed=False)
        named = names.isin(given.index)
    label = np.array(["" if name is None else name for name in found], dtype=object)
    return label, (label != "") | (named & ~named.all())
