"""Labels for a few cells, as people give them: a column, a table of cells, or names for clusters.

A table has the name of a cell under ``cell`` or first, and its label under ``label`` or in the only other
column; a suggestion table that was filled in is one. Rows without a label are left out. What does not fit the
cells is counted, listed and said in one message, before anything is learned.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype._keys import GROUP, LABEL, RESERVED_LABELS
from orthotype.cells.clusters import CELL, CLUSTER
from orthotype.cells.columns import holds_names, label_values
from orthotype.cells.table import check_column
from orthotype.cells.tables import Fields, Table, read_fields
from orthotype.errors import InputError, Problems, listed

if TYPE_CHECKING:
    from anndata import AnnData

ENDINGS: Final = (".csv", ".tsv", ".txt", ".gz")


def read_labels(
    table: Table, *, known: Collection[str] = (), clusters: str | None = None
) -> "pd.Series[str]":
    """Return the label of each cell or cluster that a table names, "" where it has none, in their order.

    Parameters
    ----------
    table
        A csv or tsv file (plain or gz), a DataFrame or Series with the cells as index, or a mapping. The
        label is in the column ``label``, whatever its case, else in the only one besides the cells. A column
        ``cell`` holds the cells, else they are the index, or the first column of a file.
    known
        Names that a cell or cluster can have; they tell a line of column names from a cell.
    clusters
        obs column with clusters, if those are what the table names: under this name or ``cluster``, or under
        ``group`` if it is a suggestion table.

    Raises
    ------
    InputError
        If the file is missing or cannot be read, or the column of labels cannot be told or holds numbers.
    """
    fields = read_fields(table, known=known)
    key = fields.key_place([CELL] if clusters is None else _cluster_keys(fields, clusters))
    pairs = fields.pairs(key, _label_place(fields, key), known=known)
    index = pd.Index([name for name, _ in pairs], dtype=object)
    return pd.Series([label.strip() for _, label in pairs], index=index, dtype=object, name=LABEL)


def _cluster_keys(fields: Fields, clusters: str) -> Sequence[str]:
    """Return what the column of clusters may be called, here."""
    suggested = fields.find(CELL) is not None
    return [clusters, CLUSTER, *([GROUP] if suggested else [])]


def _label_place(fields: Fields, key: int) -> int:
    """Return the position of the column of labels."""
    named, others = fields.find(LABEL), fields.value_places(key)
    if named is not None and named in others:
        others = [named]
    if len(others) > 1:
        columns = "" if fields.header else f", and {len(others) + 1} columns"
        raise InputError(
            f"{fields.said}{columns}; expected labels in a column {LABEL!r}; "
            "rename it, or leave out all columns but the names and their labels"
        )
    place = next(iter(others), 1)
    if place in fields.measured:
        values = [row[place] for row in fields.rows if row[place]]
        raise InputError(
            f"{fields.subject} holds measurements where its labels should be ({listed(values, most=3)}); "
            f"expected names of classes; call the column of labels {LABEL!r}"
        )
    return place


def check_few_labels(
    names: Collection[object], labels: "pd.Series[str]", *, problems: Problems, needed: bool = True
) -> NDArray[np.object_]:
    """Return the label of every cell, None for cells without one, and note all that does not fit.

    Parameters
    ----------
    names
        Names of the cells.
    labels
        From :func:`read_labels`.
    problems
        Where to note cells that the data do not have, cells with several labels, names that several cells
        share, more labels than cells, no labels at all, and words that orthotype uses for its own verdicts.
    needed
        Whether no labels at all are a problem.
    """
    cells = pd.Index([str(name) for name in names], dtype=object)
    filled: pd.Series[str] = labels[labels != ""]
    given: pd.Series[str] = filled[
        ~pd.DataFrame({"c": filled.index, "l": filled.to_numpy()}).duplicated().to_numpy()
    ]
    unknown = given.index[~given.index.isin(cells)].unique()
    shared = cells[cells.duplicated() & cells.isin(given.index)].unique()
    if given.index.nunique() > len(cells):
        problems.add(
            f"there are labels for {given.index.nunique():,} cells, but only {len(cells):,} cells",
            remedy="pass the cells that the labels are for",
        )
    if len(unknown):
        problems.add(
            f"{len(unknown):,} of {given.index.nunique():,} labelled cells are not in the data: "
            f"{listed(unknown)}",
            expected=f"names of cells, such as {listed(cells[:2])}",
        )
    _note_contradicting(given, "cells", problems)
    if len(shared):
        problems.add(
            f"{len(shared):,} labelled names are those of several cells: {listed(shared)}",
            remedy="adata.obs_names_make_unique()",
        )
    check_words(given.tolist(), problems=problems, needed=needed)
    place = dict(zip(given.index, given.to_numpy(), strict=True))
    return np.array([place.get(cell) for cell in cells], dtype=object)


def _note_contradicting(given: "pd.Series[str]", what: str, problems: Problems) -> None:
    """Note cells or clusters that have several labels."""
    several = given.groupby(level=0).nunique()
    torn = several.index[several > 1]
    if len(torn):
        contradicting = [f"{name}: {' or '.join(dict.fromkeys(given.loc[[name]]))}" for name in torn]
        problems.add(
            f"{len(torn):,} {what} have contradicting labels ({listed(contradicting)})",
            expected="one for each",
        )


def check_words(labels: Collection[str | None], *, problems: Problems, needed: bool = True) -> None:
    """Note a problem if a needed label is missing, or is a word that orthotype uses for its own verdicts."""
    present = [label for label in labels if label is not None]
    if needed and not present:
        problems.add(
            "no cell has a label", expected="a label for at least one cell", remedy="fill in some labels"
        )
    reserved = sorted({label for label in present if label.strip().lower() in RESERVED_LABELS})
    if reserved:
        n = sum(label in reserved for label in present)
        problems.add(
            f"{n:,} cells are labelled {listed(reserved)}, which orthotype uses for its own verdicts",
            expected="names of cell types",
            remedy="leave their label empty",
        )


def few_labels(
    cells: "AnnData | Any", labels: Table, *, clusters: str | None = None, problems: Problems
) -> NDArray[np.object_]:
    """Return the label of every cell, None for cells without one, or note all that is wrong.

    Parameters
    ----------
    cells
        The cells; only names and obs are looked at.
    labels
        An obs column; or a table of cells, as for :func:`read_labels`; or with ``clusters`` a table of
        clusters and their labels.
    clusters
        obs column with clusters.
    problems
        Where to note what is wrong.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    if clusters is not None:
        return _by_cluster(cells, labels, clusters, problems)
    if is_column(labels, cells):
        return label_column(cells, labels, problems=problems)
    names = [str(name) for name in cells.obs_names]
    return check_few_labels(names, read_labels(labels, known=set(names)), problems=problems)


def is_column(labels: Table, cells: "AnnData | Any") -> TypeGuard[str]:
    """Return whether labels are the name of an obs column: one that there is, or else no file either."""
    if not isinstance(labels, str) or labels in cells.obs:
        return isinstance(labels, str)
    place = Path(labels)
    return not (place.exists() and not place.is_dir()) and not labels.lower().endswith(ENDINGS)


def label_column(
    cells: "AnnData | Any", column: str, *, problems: Problems, needed: bool = True
) -> NDArray[np.object_]:
    """Return the label of every cell, None for cells without one, from an obs column.

    Parameters
    ----------
    cells
        The cells; only obs is looked at.
    column
        The obs column.
    problems
        Where to note that there is no such column, or that it holds measurements or words of orthotype's.
    needed
        Whether no labels at all are a problem.
    """
    found = np.full(len(cells.obs_names), None, dtype=object)
    check_column(cells, column, problems=problems)
    if column not in cells.obs:
        return found
    series = cells.obs[column]
    if not holds_names(series, column, problems=problems):
        return found
    found[:] = [None if label is None else label.strip() for label in label_values(series)]
    check_words(found.tolist(), problems=problems, needed=needed)
    return found


def _by_cluster(
    cells: "AnnData | Any", labels: Table, column: str, problems: Problems
) -> NDArray[np.object_]:
    """Give every cell the label of its cluster; clusters without a label leave their cells without one."""
    check_column(cells, column, problems=problems)
    if column not in cells.obs:
        return np.full(len(cells.obs_names), None, dtype=object)
    of_cell = label_values(cells.obs[column])
    known = {cluster for cluster in of_cell if cluster is not None}
    given = read_labels(labels, known=known, clusters=column)
    given = given[given != ""]
    unknown = given.index[~given.index.isin(known)].unique()
    if len(unknown):
        problems.add(
            f"{len(unknown):,} of {given.index.nunique():,} labelled clusters are not in obs column "
            f"{column!r}: {listed(unknown)}",
            expected=f"its clusters, such as {listed(sorted(known))}",
        )
    _note_contradicting(given, "clusters", problems)
    place = dict(zip(given.index, given.to_numpy(), strict=True))
    found = np.array([None if cluster is None else place.get(cluster) for cluster in of_cell], dtype=object)
    if not len(unknown):
        check_words(found.tolist(), problems=problems)
    return found
