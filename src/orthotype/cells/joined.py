"""Several data sets as one, without being put together on disk: their cells one after the other.

They need not have the same genes, nor be of one species. What they share are the genes of the first that each
of the others has too, by Ensembl id or, in another species, by a single ortholog; the rest is left out, since
a gene that one data set lacks would tell data sets apart and not cells.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.survey import Survey, SurveyedRows, Surveyor, shared_genes
from orthotype.cells.table import CellTable
from orthotype.errors import GeneError
from orthotype.genes.orthologs import OrthologMap


@dataclass(eq=False)
class JoinedRows(SurveyedRows):
    """Rows of several data sets, one after the other, with the genes that they share.

    Attributes
    ----------
    parts
        The rows of each.
    maps
        For each, its genes x the shared genes: which gene counts for which.
    """

    parts: Sequence[SurveyedRows] = ()
    maps: Sequence[sp.csr_array] = field(default=(), repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of cells and shared genes."""
        return sum(part.shape[0] for part in self.parts), int(self.maps[0].shape[1])

    @property
    def origin(self) -> list[Any]:
        """Of which matrices the rows are, and what their values are."""
        return [part.origin for part in self.parts]

    def blocks(
        self, size: int, *, start: int = 0, surveyor: Surveyor | None = None
    ) -> Iterator[tuple[slice, sp.csr_array]]:
        """Yield consecutive blocks of at most ``size`` cells; each data set is looked at by itself.

        Raises
        ------
        MatrixError
            At the end of the first pass over a data set, if some of its values cannot be used.
        """
        first = 0
        for part, to_shared in zip(self.parts, self.maps, strict=True):
            n_cells = part.shape[0]
            if start < first + n_cells:
                for where, block in part.blocks(size, start=max(start - first, 0)):
                    yield slice(first + where.start, first + where.stop), shared_genes(block, to_shared)
            first += n_cells
        if start == 0:
            self.settle()

    def members(self) -> list[tuple[SurveyedRows, sp.csr_array | None]]:
        """Return the rows of each data set, and which of its genes count for which shared one."""
        return list(zip(self.parts, self.maps, strict=True))

    def settle(self) -> None:
        """Put together what was found in each data set."""
        if self.found is None:
            self.found = self._together([part.survey() for part in self.parts])

    def _together(self, surveys: Sequence[Survey]) -> Survey:
        totals = [survey.totals @ to_shared for survey, to_shared in zip(surveys, self.maps, strict=True)]
        return Survey(surveys[0].scan, np.sum(totals, axis=0))


def join(tables: Sequence[CellTable], *, names: Sequence[str]) -> CellTable:
    """Return the cells of several data sets as one, with the genes that they share, in the first's species.

    Parameters
    ----------
    tables
        At least one.
    names
        What messages call each.

    Raises
    ------
    GeneError
        If a data set shares no gene with the first, or all together share none.
    """
    first = tables[0]
    means = [_in_terms_of(first.species, table) for table in tables]
    shared = set(means[0]) - {""}
    for name, genes in zip(names, means, strict=True):
        shared &= set(genes)
        if not shared:
            raise GeneError(
                f"{name}: none of its {len(genes):,} genes is shared by all sources; expected genes that "
                f"each of them has, as {first.species} genes or their single orthologs; leave the source "
                "out, or look at its gene names with: orthotype inspect"
            )
    rows, seen = [], set[str]()
    for row, gene in enumerate(first.genes.ids.tolist()):
        if gene in shared and gene not in seen:
            rows.append(row)
            seen.add(gene)
    column = {gene: number for number, gene in enumerate(first.genes.ids[rows].tolist())}
    kept = replace(
        first.genes, names=first.genes.names[rows], ids=first.genes.ids[rows], how=first.genes.how[rows]
    )
    joined = JoinedRows(
        matrix=None,
        linear=first.rows.linear,
        judge=first.rows.judge,
        memory=next((t.rows.memory for t in tables if t.rows.memory.parts), first.rows.memory),
        parts=[
            replace(table.rows, offset=int(before))
            for table, before in zip(tables, np.cumsum([0, *(t.n_cells for t in tables)]), strict=False)
        ],
        maps=[_map(found, column) for found in means],
    )
    return replace(first, names=np.concatenate([table.names for table in tables]), rows=joined, genes=kept)


def _in_terms_of(species: str, table: CellTable) -> list[str]:
    """Return the gene of a species that each gene of a data set is, "" for none."""
    ids: list[str] = table.genes.ids.tolist()
    if table.species == species:
        return ids
    orthologs = OrthologMap(species, table.species, policy="one2one")
    partner = {
        theirs[0]: ours[0]
        for ours, theirs in zip(orthologs.source_members, orthologs.target_members, strict=True)
    }
    return [partner.get(gene, "") for gene in ids]


def _map(genes: Sequence[str], column: dict[str, int]) -> sp.csr_array:
    rows: NDArray[np.intp] = np.flatnonzero([gene in column for gene in genes])
    columns = [column[genes[row]] for row in rows]
    ones = np.ones(len(rows), dtype=np.float32)
    return sp.csr_array((ones, (rows, columns)), shape=(len(genes), len(column)))
