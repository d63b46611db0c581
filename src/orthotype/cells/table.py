"""Cells ready for work: linear values by rows, genes identified, species known, problems raised at once."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orthotype.cells.backed import StoredCells, on_disk
from orthotype.cells.counts import Counts, empty_problem, find_counts
from orthotype.cells.survey import SurveyedRows
from orthotype.errors import GeneError, InputError, Problems, listed, nearest, warn
from orthotype.genes.identify import GeneIdentity, identify
from orthotype.genes.species import resolve_species

if TYPE_CHECKING:
    from anndata import AnnData

BLOCK_SIZE = 1024
# A species is refused when another one recognises this much more of the gene names.
CONTRADICTION = 0.3


@dataclass(frozen=True)
class CellTable:
    """The cells of one data set, whatever it was stored in.

    Attributes
    ----------
    names
        Names of the cells, shape (n_cells,).
    rows
        Blocks of linear, non-negative values, cells x genes; looked at while they are first handed over.
    genes
        What the columns are.
    species
        Canonical name of the species.
    counts
        Where the values were found and on which scale.
    """

    names: NDArray[np.object_]
    rows: SurveyedRows
    genes: GeneIdentity
    species: str
    counts: Counts

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return int(self.rows.shape[0])

    @cached_property
    def by_name(self) -> NDArray[np.intp]:
        """Positions of the cells in the order of their names."""
        return np.argsort(self.names.astype(str), kind="stable")

    @property
    def totals(self) -> NDArray[np.float64]:
        """Sum of each gene over all cells, shape (n_genes,)."""
        return self.rows.survey().totals


def check_column(adata: "AnnData", name: str, *, problems: Problems) -> None:
    """Note a problem if obs has no such column, and offer the nearest names."""
    columns = [str(column) for column in adata.obs.columns]
    if name not in columns:
        offered = nearest(name, columns) or columns
        problems.add(
            f"there is no obs column {name!r}",
            expected=f"one of its columns, such as {listed(offered)}"
            if offered
            else "obs columns, found none",
            remedy="name the column",
        )


def labelled_mask(names: NDArray[np.object_] | None, *, n_cells: int) -> NDArray[np.bool_]:
    """Return which cells have a label; all of them where the labels could not be read."""
    if names is None:
        return np.ones(n_cells, dtype=bool)
    return np.array([name is not None for name in names], dtype=bool)


def open_cells(
    adata: "AnnData | StoredCells",
    *,
    subject: str,
    species: str | None = None,
    layer: str | None = None,
    problems: Problems | None = None,
    look_first: bool | None = None,
) -> CellTable:
    """Find counts, genes and species of a data set, or say everything that is wrong with it.

    Parameters
    ----------
    adata
        Cells x genes.
    subject
        What to call it in messages: a file name, "the source".
    species
        Given species; None lets the gene names decide.
    layer
        Where the counts are: ``"X"``, ``"raw"`` or the name of a layer; None to find them.
    problems
        Problems found already, to be raised with those found here.
    look_first
        Whether every value is looked at now. None: now if the cells are in memory; if they are on disk, while
        they are first worked on, and what is wrong with the values is raised at the end of that pass as
        :class:`orthotype.cells.survey.MatrixError`; then open them again with ``look_first=True``.

    Raises
    ------
    InputError
        With every problem: no usable matrix, cells without counts, species unknown or contradicted, names
        that are no genes of the species.
    """
    cells: Any = on_disk(adata)
    if look_first is None:
        look_first = not isinstance(cells, StoredCells)
    problems = Problems(subject) if problems is None else problems
    counts: Counts | None = None
    try:
        counts = find_counts(cells, layer=layer, subject=subject, look_first=look_first)
    except InputError as error:
        problems.extend(error.problems)
    var = cells.raw.var if counts is not None and counts.where == "raw" else cells.var
    genes, found_species = _identify(var, species, problems)
    if counts is not None and len(counts.empty_cells):
        problems.extend([empty_problem(counts.empty_cells, np.asarray(cells.obs_names, dtype=object))])
    problems.raise_if_any()
    if counts is None:
        raise InputError(f"{subject}: no usable matrix")
    return CellTable(
        names=np.asarray(cells.obs_names, dtype=object),
        rows=counts.rows(),
        genes=genes,
        species=found_species,
        counts=counts,
    )


def _identify(var: pd.DataFrame, species: str | None, problems: Problems) -> tuple[GeneIdentity, str]:
    names, given = np.asarray(var.index, dtype=object), None
    try:
        given = None if species is None else resolve_species(species).name
    except GeneError as error:
        problems.extend(error.problems)
    genes = identify(names.tolist(), species=given)
    likely = genes.likely_species
    if not len(names):
        return genes, given or ""
    if given is None:
        if likely is None and species is None:
            problems.add(
                f"the species cannot be told from the gene names ({listed(names)})",
                expected="gene symbols or Ensembl ids",
                remedy=_from_column(var, None) or "name the species (--species, species=)",
            )
        return genes, likely or ""
    scores = genes.scores
    if likely and likely != given and scores.get(likely, 0.0) - scores.get(given, 0.0) > CONTRADICTION:
        problems.add(
            f"species {given} was named, but the gene names are {likely} "
            f"({scores[likely]:.0%} of them known in {likely}, {scores.get(given, 0.0):.0%} in {given})",
            remedy=f"name the species {likely}, or check that this is the right file",
        )
    elif not any(genes.ids):
        problems.add(
            f"none of the {len(names):,} gene names is a gene of {given} ({listed(names)})",
            expected=f"gene symbols or Ensembl ids of {given}",
            remedy=_from_column(var, given) or "put them into var_names",
        )
    return genes, given


def _from_column(var: pd.DataFrame, species: str | None) -> str:
    """Return how to get gene names from a column of var that holds them, "" if none does."""
    for name in var.columns:
        if not pd.api.types.is_numeric_dtype(var[name].dtype):
            ids = identify(var[name].astype(str).tolist(), species=species).ids
            if 2 * np.count_nonzero(ids != "") > len(ids):
                return f"var column {name!r} holds them: adata.var_names = adata.var[{name!r}].astype(str)"
    return ""


def warn_of_repeated(genes: GeneIdentity, subject: str) -> None:
    """Warn of gene names that several rows have: such rows are summed, as the record says, too."""
    repeated = {name: rows for name, rows in Counter(genes.names.tolist()).items() if rows > 1}
    if repeated:
        warn(
            f"{subject}: {len(repeated):,} gene names are not unique, {sum(repeated.values()):,} rows have "
            f"them ({listed(repeated)}); the rows of each gene are summed"
        )
