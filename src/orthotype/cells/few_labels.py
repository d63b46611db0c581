"""Labels for a few cells, as people give them: a column, a table of cells, or names for clusters.

A table has the name of a cell first and its label second, or under ``label``; a suggestion table that was
filled in is one. Rows without a label are left out. What does not fit the cells is counted, listed and said
in one message, before anything is learned.
"""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype._keys import RESERVED_LABELS
from orthotype.cells.clusters import MISSING, Table, read_pairs
from orthotype.cells.columns import is_measurement, label_values
from orthotype.cells.dge import opened
from orthotype.cells.table import check_column
from orthotype.errors import Problems, listed

if TYPE_CHECKING:
    from anndata import AnnData

LABEL = "label"
ENDINGS = (".csv", ".tsv", ".txt", ".gz")


def read_labels(table: Table, *, known: Collection[str] = ()) -> "pd.Series[str]":
    """Return the label of each cell that has one, with the names of the cells as index, in their order.

    Parameters
    ----------
    table
        A csv or tsv file (plain or gz), a DataFrame or Series with the cells as index, or a mapping. The
        label is in the column ``label``, else in the second.
    known
        Names that a cell can have; they tell a line of column names from a cell.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    pairs = read_pairs(table, known=known, column=LABEL if _has_column(table) else None)
    filled = [(cell, label.strip()) for cell, label in pairs if label.strip() not in MISSING]
    cells = pd.Index([cell for cell, _ in filled], dtype=object)
    return pd.Series([label for _, label in filled], index=cells, dtype=object, name=LABEL)


def _has_column(table: Table) -> bool:
    """Return whether a table names its column of labels."""
    if isinstance(table, pd.DataFrame):
        return LABEL in table.columns
    if not isinstance(table, str | Path) or not Path(table).is_file():
        return False
    try:
        with opened(Path(table)) as file:
            first = file.readline().decode()
    except (OSError, EOFError, UnicodeDecodeError):
        return False
    for delimiter in ("\t", ",", ";"):
        if LABEL in [field.strip().strip('"') for field in first.split(delimiter)]:
            return True
    return False


def check_few_labels(
    names: Collection[object], labels: "pd.Series[str]", *, problems: Problems
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
    """
    cells = pd.Index([str(name) for name in names], dtype=object)
    given: pd.Series[str] = labels[
        ~pd.DataFrame({"c": labels.index, "l": labels.to_numpy()}).duplicated().to_numpy()
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
    check_words(given.tolist(), problems=problems)
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


def check_words(labels: Collection[str | None], *, problems: Problems) -> None:
    """Note a problem if there is no label, or if one is a word that orthotype uses for its own verdicts."""
    present = [label for label in labels if label is not None]
    if not present:
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
    if isinstance(labels, str) and (labels in cells.obs or not _is_file(labels)):
        return _of_column(cells, labels, problems)
    names = [str(name) for name in cells.obs_names]
    return check_few_labels(names, read_labels(labels, known=set(names)), problems=problems)


def _is_file(name: str) -> bool:
    return Path(name).is_file() or name.lower().endswith(ENDINGS)


def _of_column(cells: "AnnData | Any", column: str, problems: Problems) -> NDArray[np.object_]:
    found = np.full(len(cells.obs_names), None, dtype=object)
    check_column(cells, column, problems=problems)
    if column not in cells.obs:
        return found
    series = cells.obs[column]
    if is_measurement(series):
        problems.add(
            f"obs column {column!r} holds measurements ({listed(series.dropna().head(3))})",
            expected="names of classes",
        )
        return found
    found[:] = [None if label is None else label.strip() for label in label_values(series)]
    check_words(found.tolist(), problems=problems)
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
    given = read_labels(labels, known=known)
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
