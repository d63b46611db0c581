"""The shared orthologs of a pair as counts, named alike: what every tool is given."""

import numpy as np
import scipy.sparse as sp

from orthotype.cells.encode import LogNormalize
from orthotype.cells.space import build_space, project
from orthotype.cells.table import CellTable, open_cells
from orthotype.genes.orthologs import OrthologMap
from peers.pairs import Pair, Side
from peers.problem import Problem

FEWEST = 2


def problem_of(pair: Pair, kept: np.ndarray) -> Problem:
    """Return the problem of a pair with some of its source cells; classes of one cell are left out."""
    names, sizes = np.unique(pair.source.labels[kept], return_counts=True)
    rows = np.flatnonzero(kept & np.isin(pair.source.labels, names[sizes >= FEWEST]))
    tables = [opened(pair.source, rows), opened(pair.target, np.arange(pair.target.adata.n_obs))]
    space = build_space(
        tables[0],
        orthologs=OrthologMap(pair.source.species, pair.target.species, policy="one2one"),
        encoder=LogNormalize(),
        target=tables[1],
    )
    source, target = (
        sp.csr_matrix(
            next(iter(table.rows.blocks(table.n_cells)))[1]
            @ project(space.orthologs, table.genes, species=table.species)
        )
        for table in tables
    )
    return Problem(
        source=source,
        target=target,
        features=space.orthologs.names,
        selected=space.selected,
        labels=pair.source.labels[rows],
        rows=rows,
        source_donors=pair.source.donors[rows],
        target_donors=pair.target.donors,
    )


def opened(cells: Side, rows: np.ndarray) -> CellTable:
    return open_cells(cells.adata[rows], subject=cells.name, species=cells.species)
