"""What a training step sees: as many cells of every class, some of their values left out.

Random numbers come from the NumPy generators that are passed in.
"""

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Codes = NDArray[np.intp]


def batches(codes: Codes, *, steps: int, per_class: int, rng: np.random.Generator) -> Iterator[Codes]:
    """Give the rows of every batch of one epoch: the same number of cells of each class that has any.

    Cells are drawn anew for each batch, without replacement within it; with replacement from a class that
    has fewer cells than a batch wants, so that all classes weigh the same (Stumpf et al. 2020 did both).

    Parameters
    ----------
    codes
        Class of each cell.
    steps
        Number of batches.
    per_class
        Cells of each class in a batch.
    rng
        Where the draws come from.
    """
    members = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    for _ in range(steps):
        yield np.concatenate(
            [rng.choice(cells, per_class, replace=len(cells) < per_class, shuffle=False) for cells in members]
        )


def dropped(rows: sp.csr_array, share: float, *, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a dense batch with a share of its values set to zero and the others scaled up to make good.

    Only stored values are drawn for: a zero stays zero whether it is dropped or not.
    """
    if share > 0:
        kept = rng.random(rows.nnz, dtype=np.float32) >= share
        rows = sp.csr_array((rows.data * kept / np.float32(1 - share), rows.indices, rows.indptr), rows.shape)
    return np.asarray(rows.toarray(), dtype=np.float32)
