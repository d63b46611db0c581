"""What a file holds, as orthotype sees it: the answer to "can I use this, and what will happen?"."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orthotype.cells.backed import as_cells
from orthotype.cells.columns import Candidate, batch_columns, check_labels, label_columns, ontology_column
from orthotype.cells.counts import MatrixFacts, describe_matrices
from orthotype.cells.table import open_cells
from orthotype.errors import GeneError, InputError, Problems
from orthotype.genes.coverage import Coverage
from orthotype.genes.identify import GeneIdentity, identify
from orthotype.genes.orthologs import OrthologMap

if TYPE_CHECKING:
    from anndata import AnnData


@dataclass(frozen=True)
class Inspection:
    """Everything about a data set that decides how orthotype would use it.

    Attributes
    ----------
    subject
        Name of the file, or what the data was called.
    n_cells, n_genes
        Size of the data; genes of the matrix that is used, if one can be.
    n_repeated_cells
        Cells whose name an earlier cell has already.
    genes
        What the gene names are, and of which species.
    matrices
        What X, raw and each layer hold.
    used
        The matrix that would be used, with the evidence; None if none can be.
    labels, batches
        Columns that may hold cell types, and donors or batches, the likeliest first.
    label_problems
        For each label column that cannot be trained on as it is: why.
    ontology
        Column with Cell Ontology ids, or None.
    embeddings
        Keys of obsm.
    partner, coverage
        The species to which the orthologs lead, and how many genes and counts they carry; None if unknown.
    problems
        What would stop training and annotation alike.
    """

    subject: str
    n_cells: int
    n_genes: int
    n_repeated_cells: int
    genes: GeneIdentity
    matrices: list[MatrixFacts]
    used: dict[str, Any] | None
    labels: list[Candidate]
    batches: list[Candidate]
    label_problems: dict[str, list[str]]
    ontology: str | None
    embeddings: list[str]
    partner: str | None
    coverage: Coverage | None
    problems: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {
            "subject": self.subject,
            "n_cells": self.n_cells,
            "n_genes": self.n_genes,
            "n_repeated_cells": self.n_repeated_cells,
            "genes": self.genes.to_dict(),
            "matrices": [matrix.to_dict() for matrix in self.matrices],
            "used": self.used,
            "labels": [
                {**column.to_dict(), "problems": self.label_problems.get(column.column, [])}
                for column in self.labels
            ],
            "batches": [column.to_dict() for column in self.batches],
            "ontology": self.ontology,
            "embeddings": list(self.embeddings),
            "partner": self.partner,
            "coverage": None if self.coverage is None else self.coverage.to_dict(),
            "problems": list(self.problems),
        }

    def __str__(self) -> str:
        lines = [self.subject]
        for title, content in self._paragraphs():
            first, *others = content or ["none found"]
            lines.append(f"  {title:<12}{first}")
            lines.extend(f"{'':14}{other}" for other in others)
        return "\n".join(lines)

    def _paragraphs(self) -> Iterator[tuple[str, list[str]]]:
        repeated = f", {self.n_repeated_cells:,} with a repeated name" if self.n_repeated_cells else ""
        yield "cells", [f"{self.n_cells:,}{repeated}"]
        yield "genes", [_gene_line(self.genes)]
        yield "species", [_species_line(self.genes)]
        if self.coverage is not None:
            yield "orthologs", [_coverage_line(self.coverage, str(self.partner))]
        where = None if self.used is None else self.used["where"]
        yield "matrices", [_matrix_line(matrix, used=matrix.where == where) for matrix in self.matrices]
        yield "labels", [line for column in self.labels for line in self._label_lines(column)]
        yield "batches", [_column_line(column) for column in self.batches]
        yield "ontology", [self.ontology] if self.ontology else []
        yield "embeddings", [", ".join(self.embeddings)] if self.embeddings else []
        yield "problems", self.problems or ["none that would stop training or annotation"]

    def _label_lines(self, column: Candidate) -> Iterator[str]:
        yield _column_line(column)
        for problem in self.label_problems.get(column.column, []):
            yield f"  not ready for training: {problem}"


def inspect(data: "AnnData | str | Path", *, species: str | None = None) -> Inspection:
    """Return what a data set holds and whether it can be used.

    Parameters
    ----------
    data
        Cells, or a file of any kind that :func:`orthotype.cells.read.read` knows. The matrix of an .h5ad file
        or a zarr store is looked at in blocks.
    species
        Read the gene names as this species; by default the names tell.

    Raises
    ------
    InputError
        If the file cannot be read at all. What is wrong inside is part of the answer.
    """
    adata: Any = as_cells(data)
    subject = Path(data).name if isinstance(data, str | Path) else "AnnData"
    genes, used, totals, problems = _open(adata, subject, species)
    labels = label_columns(adata)
    partner, coverage = _coverage(genes, totals)
    return Inspection(
        subject=subject,
        n_cells=int(adata.n_obs),
        n_genes=len(genes.names),
        n_repeated_cells=int(adata.obs_names.duplicated().sum()),
        genes=genes,
        matrices=describe_matrices(adata),
        used=used,
        labels=labels,
        batches=batch_columns(adata),
        label_problems=_label_problems(adata, labels),
        ontology=ontology_column(adata),
        embeddings=[str(key) for key in adata.obsm],
        partner=partner,
        coverage=coverage,
        problems=problems,
    )


def _open(
    adata: "AnnData", subject: str, species: str | None
) -> tuple[GeneIdentity, dict[str, Any] | None, NDArray[np.float64] | None, list[str]]:
    """Open the cells as training and annotation would; what stops them becomes text."""
    try:
        table = open_cells(adata, subject=subject, species=species, look_first=True)
    except InputError as error:
        problems = [str(problem) for problem in error.problems] or [str(error)]
        return identify(adata.var_names.astype(str).tolist(), species=species), None, None, problems
    counts = table.counts
    used = {
        "where": counts.where,
        "scale": counts.scale,
        "base": counts.base,
        "evidence": counts.evidence,
        "mean_total": float(table.totals.sum() / table.n_cells),
    }
    return table.genes, used, table.totals, []


def _label_problems(adata: "AnnData", labels: list[Candidate]) -> dict[str, list[str]]:
    found = {}
    for column in labels:
        problems = Problems(column.column)
        check_labels(adata, column.column, problems=problems)
        if problems.found:
            found[column.column] = [str(problem) for problem in problems.found]
    return found


def _coverage(genes: GeneIdentity, totals: NDArray[np.float64] | None) -> tuple[str | None, Coverage | None]:
    if genes.species is None:
        return None, None
    partner = "mouse" if genes.species == "human" else "human"
    try:
        return partner, OrthologMap(genes.species, partner).coverage(genes, totals=totals)
    except GeneError:
        return None, None


def _gene_line(genes: GeneIdentity) -> str:
    words = {"ensembl": "Ensembl ids", "symbol": "symbols", "mixed": "ids and symbols"}
    summary = genes.to_dict()
    repeated = summary["n_duplicated"]
    doubled = f", {repeated:,} named by more than one row (these rows are summed)" if repeated else ""
    return f"{len(genes.names):,}, {words.get(genes.kind, 'names that are not recognised')}{doubled}"


def _species_line(genes: GeneIdentity) -> str:
    scores = sorted(genes.scores.items(), key=lambda item: -item[1])
    shares = ", ".join(f"{name} {score:.0%}" for name, score in scores[:3])
    if not scores:
        return "cannot be told from the gene names"
    return f"{genes.species or 'undecided'} (share of gene names known: {shares})"


def _coverage_line(coverage: Coverage, partner: str) -> str:
    share = coverage.share_mapped
    carried = "" if share is None else f", with {share:.1%} of the counts,"
    return f"{coverage.n_mapped:,} of {coverage.n_genes:,} genes{carried} have one partner in {partner}"


def _matrix_line(matrix: MatrixFacts, *, used: bool) -> str:
    mark = "used" if used else "not used" if matrix.usable else "cannot be used"
    return f"{matrix.where}: {matrix.scale}, {matrix.n_genes:,} genes ({matrix.evidence}) - {mark}"


def _column_line(column: Candidate) -> str:
    values = [f"{name} {n_cells:,}" for name, n_cells in column.counts.items()]
    shown = ", ".join(values[:5]) + (f" and {len(values) - 5} more" if len(values) > 5 else "")
    missing = f"; {column.n_missing:,} cells without" if column.n_missing else ""
    return f"{column.column}: {len(values)} values, {shown}{missing}"
