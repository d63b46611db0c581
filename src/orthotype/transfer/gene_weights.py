"""Which genes to rely on in a target that is at hand: those whose class profiles agree with the source's.

A model of the source calls the target's cells, aligned and without the unknown; the transferability t_j of
every gene follows from class means (:mod:`orthotype.models.transferability`), no label being looked at. The
model is then fitted anew with genes that are worth as much as they carry over::

    min over W, b of   mean loss of softmax(W x + b)  +  alpha / 2 sum_j |w_j|^2 / g_j^2
    g_j = sqrt(max(t_j, 0.01))

so that a gene which changed between the species is expensive, and others say what it said. Scaling weights
that are learned already does not help: nobody takes over. Where the target is foreign, or has fewer than four
classes to compare, all genes are worth the same.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthotype._keys import ASSIGNED
from orthotype.cells.table import CellTable
from orthotype.errors import InputError
from orthotype.models.profiles import class_profiles, members
from orthotype.models.transferability import transferability
from orthotype.transfer.coverage import without_missing
from orthotype.transfer.labelling import Options, judge
from orthotype.transfer.state import ModelState
from orthotype.transfer.target import Encoded, Target

WEIGHTINGS: Final = ("transferability", "none")
LEAST_WORTH: Final = 0.01
LEAST_CLASSES: Final = 4.0


def check_weighting(name: str) -> None:
    """Refuse what genes cannot be weighted by.

    Raises
    ------
    InputError
        If it is none of :data:`WEIGHTINGS`.
    """
    if name not in WEIGHTINGS:
        raise InputError(f"gene_weights is {name!r}; expected one of {', '.join(map(repr, WEIGHTINGS))}")


def gene_weights(state: ModelState, table: CellTable, *, block_size: int) -> NDArray[np.float32] | None:
    """Return what each gene of a model is worth in a target, (0, 1], shape (n_features,); None for no choice.

    Parameters
    ----------
    state
        A model of the source.
    table
        The cells of the target; a sample of them is looked at.
    block_size
        Rows per block; no result depends on it.
    """
    aligned = state.space.align(table.genes, species=table.species)
    X = Target(table, aligned, block_size).sample()
    used = without_missing(state, aligned.present[state.space.selected])
    found = judge(used, Encoded(X), Options())
    if found.foreign:
        return None
    codes = np.where(found.status == ASSIGNED, found.votes.winner, -1)
    target = class_profiles([(X, members(codes, len(state.classes)))])
    agreement = transferability(state.profiles, target)
    if agreement.n_classes < LEAST_CLASSES:
        return None
    return np.sqrt(np.maximum(agreement.transferability, LEAST_WORTH)).astype(np.float32)
