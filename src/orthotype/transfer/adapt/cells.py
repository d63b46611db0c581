"""The cells that adapting learns from: labelled ones, and those of the target without a label, encoded."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.cells.table import CellTable
from orthotype.transfer.state import ModelState
from orthotype.transfer.target import Target


@dataclass(frozen=True, eq=False)
class Few:
    """Encoded cells to learn from.

    Attributes
    ----------
    cells
        Names of the labelled cells.
    labels
        Their labels.
    X
        Their encoded rows, shape (n, n_selected).
    unlabelled
        Encoded cells of the target without a label, or None.
    present
        Genes of the model that all of them have, shape (n_selected,).
    table
        The target, or None.
    species
        Of all of them.
    """

    cells: NDArray[np.object_]
    labels: NDArray[np.object_]
    X: sp.csr_array
    unlabelled: sp.csr_array | None
    present: NDArray[np.bool_]
    table: CellTable | None
    species: str


def gather(
    state: ModelState,
    table: CellTable,
    labels: NDArray[np.object_],
    *,
    target: CellTable | None,
    block_size: int,
) -> Few:
    """Encode labelled cells, and cells of the target without a label; without a target, those beside them.

    Parameters
    ----------
    state
        The model.
    table, labels
        Cells and the label of each, None where it has none.
    target
        Further cells of the same species, or None.
    block_size
        Rows per block.
    """
    given = np.array([label is not None for label in labels], dtype=bool)
    aligned = state.space.align(table.genes, species=table.species)
    here = Target(table, aligned, block_size)
    present = aligned.present[state.space.selected]
    X = sp.csr_array(
        sp.vstack([rows[given[where]] for where, rows in aligned.blocks(table.rows, size=block_size)])
    )
    whole, unlabelled = target, None
    if target is not None:
        others = Target(target, state.space.align(target.genes, species=target.species), block_size)
        present = present & others.aligned.present[state.space.selected]
        rows = others.sample()
        same = _same(target.names[others.sampled()], rows, table.names[given], X)
        unlabelled = sp.csr_array(rows[~same])
    elif not given.all():
        whole = table
        unlabelled = sp.csr_array(here.sample()[~given[here.sampled()]])
    return Few(
        cells=table.names[given],
        labels=labels[given],
        X=_only(X, present),
        unlabelled=None if unlabelled is None else _only(unlabelled, present),
        present=present,
        table=whole,
        species=table.species,
    )


def _same(
    names: NDArray[np.object_], X: sp.csr_array, labelled: NDArray[np.object_], of_labelled: sp.csr_array
) -> NDArray[np.bool_]:
    """Return which cells are labelled ones: of the same name, which chance can give, and the same values."""
    place = {name: i for i, name in enumerate(labelled)}
    alike = np.flatnonzero([name in place for name in names])
    others = of_labelled[[place[name] for name in names[alike]]]
    found = np.zeros(len(names), dtype=bool)
    found[alike] = abs(X[alike] - others).sum(axis=1) == 0
    return found


def _only(X: sp.csr_array, present: NDArray[np.bool_]) -> sp.csr_array:
    """Return rows without the genes that other cells lack."""
    X = X.astype(np.float64)
    return X if present.all() else sp.csr_array(X @ sp.diags_array(present.astype(np.float64)))
