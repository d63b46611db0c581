"""Clusters of cells and their names, joined to the cells from the small tables in which people keep them.

Two tables are usual: one says in which cluster each cell is, one how each cluster is called. Both are text
with the key in the first column, or in one called ``cell`` or ``cluster``, and what it stands for in the
next, or in a column that is named (:mod:`orthotype.cells.tables`). What does not fit is said in one message.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import pandas as pd

from orthotype.cells.columns import label_values
from orthotype.cells.tables import Pairs, Table, read_fields
from orthotype.errors import InputError, Problems, listed, nearest

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Table", "join_clusters", "name_clusters", "read_pairs"]

CELL: Final = "cell"
CLUSTER: Final = "cluster"
UNCLUSTERED: Final = ("error", "drop", "keep")


def join_clusters(
    adata: "AnnData",
    clusters: Table,
    *,
    labels: Table | None = None,
    cluster_column: str | None = None,
    label_column: str | None = None,
    unclustered: str = "error",
    key: str = "cluster",
    key_added: str = "cell_type",
) -> "AnnData":
    """Return the cells with the cluster that a table gives each of them, and the name of that cluster.

    Parameters
    ----------
    adata
        Cells; not changed. Keys of the table are names of cells or, if more of them fit that way, barcodes
        in ``obs["barcode"]``.
    clusters
        Cell to cluster: a csv or tsv file (plain or gz), or anything with these pairs.
    labels
        Cluster to label, likewise; None leaves the clusters without names.
    cluster_column, label_column
        The column of values, where it is not the second.
    unclustered
        What to do with cells that the table does not name: ``"error"``, ``"drop"``, or ``"keep"`` them
        without a cluster.
    key, key_added
        Columns of obs for the clusters and their labels.

    Returns
    -------
    AnnData
        New, with ``obs[key]`` and, given labels, ``obs[key_added]``.

    Raises
    ------
    InputError
        With every problem of both tables: cells that the data do not have, cells named twice, cells without
        a cluster, clusters without a label or with several, barcodes that several cells share.
    """
    if unclustered not in UNCLUSTERED:
        raise InputError(f"unclustered is {unclustered!r}; expected one of {listed(UNCLUSTERED)}")
    problems = Problems("the table of clusters")
    cells: list[str] = adata.obs_names.tolist()
    barcodes: list[str] = adata.obs["barcode"].astype(str).tolist() if "barcode" in adata.obs else []
    pairs = read_pairs(clusters, known={*cells, *barcodes}, column=cluster_column, keys=[CELL])
    keys = {cell for cell, _ in pairs}
    names = barcodes if len(keys.intersection(barcodes)) > len(keys.intersection(cells)) else cells
    _check_cells(names, pairs, problems)
    found = pd.Series(names, index=adata.obs_names, dtype=object).map(dict(pairs))
    found = found.where(found != "", None)
    missing = found.isna().to_numpy()
    if missing.any() and unclustered == "error":
        problems.add(
            f"{missing.sum():,} of {adata.n_obs:,} cells have no cluster: {listed(adata.obs_names[missing])}",
            remedy='pass unclustered="drop" or unclustered="keep"',
        )
    of_cluster = _names_of(found.dropna().unique(), labels, label_column, problems)
    problems.raise_if_any()
    joined = (adata[~missing] if unclustered == "drop" else adata).copy()
    joined.obs[key] = _category(found.reindex(joined.obs_names))
    if labels is not None:
        joined.obs[key_added] = _category(found.reindex(joined.obs_names).map(of_cluster))
    return joined


def name_clusters(
    adata: "AnnData",
    labels: Table,
    *,
    label_column: str | None = None,
    key: str = "cluster",
    key_added: str = "cell_type",
) -> "AnnData":
    """Return the cells with the name of the cluster that each of them is in.

    Parameters
    ----------
    adata
        Cells with clusters in ``obs[key]``; not changed.
    labels
        Cluster to label: a csv or tsv file (plain or gz), or anything with these pairs.
    label_column
        The column of labels, where it is not the second.
    key, key_added
        Columns of obs: where the clusters are, and where the labels go.

    Raises
    ------
    InputError
        If there is no such column, or clusters have no label or several.
    """
    problems = Problems("the table of labels")
    if key not in adata.obs:
        alike = nearest(key, [str(name) for name in adata.obs])
        problems.add(
            f"the data have no obs column {key!r}",
            expected="the cluster of each cell",
            remedy=f"did you mean {listed(alike)}?" if alike else "",
        )
        problems.raise_if_any()
    found = pd.Series(label_values(adata.obs[key]), index=adata.obs_names, dtype=object)
    of_cluster = _names_of(found.dropna().unique(), labels, label_column, problems)
    problems.raise_if_any()
    named = adata.copy()
    named.obs[key_added] = _category(found.map(of_cluster))
    return named


def read_pairs(
    table: Table, *, known: Collection[str], column: str | None = None, keys: Sequence[str] = ()
) -> Pairs:
    """Return what a table says as pairs of key and value, as text, in its order, without rows of no key.

    Parameters
    ----------
    table
        A csv or tsv file (plain or gz), a DataFrame or Series with the keys as index, or a mapping.
    known
        Keys that there can be; they tell a first line of column names from others.
    column
        Column of the values; by default the first after the keys.
    keys
        What a column of keys may be called that is not the first.

    Raises
    ------
    InputError
        If the file cannot be read, or has no such column.
    """
    fields = read_fields(table, known=known)
    key = fields.key_place(keys)
    if column is None or isinstance(table, pd.Series | Mapping):
        value = next(iter(fields.value_places(key)), 1)
    elif fields.header is not None and column in fields.header:
        value = fields.header.index(column)
    else:
        raise InputError(f"{fields.said}; expected one named {column!r}")
    return fields.pairs(key, value, known=known)


def _check_cells(names: list[str], pairs: Pairs, problems: Problems) -> None:
    """Note what keeps a table of cells from fitting the cells."""
    keys = pd.Index([key for key, _ in pairs], dtype=object)
    cells = pd.Index(names, dtype=object)
    unknown = keys[~keys.isin(cells)].unique()
    twice = keys[keys.duplicated()].unique()
    shared = cells[cells.duplicated() & cells.isin(keys)].unique()
    if len(unknown):
        problems.add(
            f"{len(unknown):,} of {len(keys.unique()):,} cells are not in the data: {listed(unknown)}",
            expected=f"names such as {listed(names[:2])}",
        )
    if len(twice):
        problems.add(f"{len(twice):,} cells are named more than once: {listed(twice)}", expected="each once")
    if len(shared):
        problems.add(
            f"{len(shared):,} keys are those of several cells: {listed(shared)}",
            remedy="name the cells in full, as in obs_names",
        )


def _names_of(
    clusters: Iterable[str], labels: Table | None, column: str | None, problems: Problems
) -> dict[str, str]:
    """Return the label of each cluster, and note clusters that have none or several."""
    if labels is None:
        return {}
    clusters = sorted(clusters, key=_natural)
    several: dict[str, set[str]] = {}
    for cluster, label in read_pairs(labels, known=set(clusters), column=column, keys=[CLUSTER]):
        if label:
            several.setdefault(cluster, set()).add(label)
    bare = [cluster for cluster in clusters if cluster not in several]
    torn = [cluster for cluster in clusters if len(several.get(cluster, ())) > 1]
    if bare:
        problems.add(
            f"{len(bare):,} of {len(clusters):,} clusters have no label: {listed(bare)}",
            expected=f"a label for each; the table has {listed(several) or 'none'}",
        )
    if torn:
        problems.add(
            f"{len(torn):,} clusters have several labels: {listed(torn)}", expected="one for each cluster"
        )
    return {cluster: min(names) for cluster, names in several.items()}


def _natural(name: str) -> tuple[bool, int, str]:
    """Sort numbers by value, before words."""
    return (not name.isdigit(), int(name) if name.isdigit() else 0, name)


def _category(values: "pd.Series[str]") -> pd.Categorical:
    """Return values as categories in their natural order."""
    return pd.Categorical(values, categories=sorted(values.dropna().unique(), key=_natural))
