"""How often each gene is on in each bin of each class probability, and the information that follows from it.

With n_gb the cells of bin b in which the gene is on (or off), n_g and n_b their sums and n all cells::

    I = 1/n  sum_gb  n_gb log2( n n_gb / (n_g n_b) )

The counts are sums over cells, one product of sparse matrices for all genes and classes at once:
probabilities add up to one, so a cell lies above the lowest bin for very few classes, and the lowest bin is
what the others leave.

Conventions
-----------
n cells, p genes (features), K classes. A gene is *on* in a cell where its value is above zero. Bin b = 1 ..
n_bins holds probabilities from (b - 1) / n_bins up to, not including, b / n_bins; the last one holds 1 as
well.
"""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from orthotype.errors import InputError
from orthotype.metrics.calibration import checked_proba

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


class BinCounts:
    """In how many cells each gene is on, for every bin of every class probability, gathered block by block.

    Parameters
    ----------
    n_features, n_classes
        Number of genes p and of classes K.
    n_bins
        Equal bins of the probability, at least 2.

    Attributes
    ----------
    on_above : NDArray
        (n_bins - 1, K, p), cells of every bin but the lowest in which the gene is on.
    cells_above : NDArray
        (n_bins - 1, K), cells of those bins.
    n_on : NDArray
        (p,), cells in which the gene is on.
    n_cells : int
        Cells seen so far.

    Raises
    ------
    InputError
        If ``n_bins`` is less than 2.
    """

    def __init__(self, n_features: int, n_classes: int, *, n_bins: int = 3) -> None:
        if n_bins < 2:
            raise InputError(f"n_bins is {n_bins}; expected at least 2; use 3 as Stumpf et al. 2020 did")
        self.n_cells = 0
        self.n_on: Counts = np.zeros(n_features, dtype=np.int64)
        self.cells_above: Counts = np.zeros((n_bins - 1, n_classes), dtype=np.int64)
        self.on_above: Counts = np.zeros((n_bins - 1, n_classes, n_features), dtype=np.int64)
        self._edges = np.arange(1, n_bins) / n_bins

    def update(self, X: sp.csr_array, proba: npt.ArrayLike) -> None:
        """Add a block of cells.

        Parameters
        ----------
        X
            Encoded cells, (n, p).
        proba
            Their class probabilities, (n, K).

        Raises
        ------
        InputError
            If the shapes do not fit, or the rows of ``proba`` are not probabilities.
        """
        table = checked_proba(proba)
        _, n_classes, n_features = self.on_above.shape
        if X.shape != (len(table), n_features) or table.shape[1] != n_classes:
            raise InputError(
                f"cells of shape {X.shape} and probabilities of shape {table.shape}; expected the same cells "
                f"with {n_features:,} genes and {n_classes} classes"
            )
        on = _switched_on(X)
        bins = np.searchsorted(self._edges, table, side="right")
        cells, classes = np.nonzero(bins)
        places = (bins[cells, classes] - 1) * n_classes + classes
        shape = (self.cells_above.size, len(table))
        members = sp.csr_array((np.ones(len(cells), dtype=np.int64), (places, cells)), shape=shape)
        self.n_cells += len(table)
        self.n_on += np.bincount(on.indices, minlength=n_features)
        self.cells_above += np.bincount(places, minlength=shape[0]).reshape(self.cells_above.shape)
        self.on_above += (members @ on).toarray().reshape(self.on_above.shape)

    def mutual_information(self) -> Floats:
        """Return the information in bits, (p, K); 0 for a gene that is always on or always off."""
        cells = _with_lowest(self.cells_above, np.array(self.n_cells))[:, :, None]
        on = _with_lowest(self.on_above, self.n_on)
        bits = _terms(on, self.n_on, cells) + _terms(cells - on, self.n_cells - self.n_on, cells)
        return np.ascontiguousarray(np.maximum(bits, 0.0).T / max(self.n_cells, 1))


def _switched_on(X: sp.csr_array) -> sp.csr_array:
    """Return ones where a value is above zero, and no other entries."""
    rows = sp.csr_array(X)
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    on = sp.csr_array(((rows.data > 0).astype(np.int64), rows.indices, rows.indptr), shape=rows.shape)
    if not on.data.all():
        on = on.copy()
        on.eliminate_zeros()
    return on


def _with_lowest(above: Counts, whole: Counts) -> Counts:
    """Put the lowest bin, which is what the others leave of the whole, before them."""
    return np.concatenate([(whole - above.sum(axis=0))[None], above])


def _terms(part: Counts, genes: Counts, bins: Counts) -> Floats:
    """Return sum over bins of n_gb log2(n n_gb / (n_g n_b)); exactly 0 where gene and bin are independent.

    Numerator and denominator are whole numbers below 2^53, so that independence gives a ratio of exactly 1.
    """
    n_cells = float(bins.sum(axis=0).max(initial=0))
    some = part > 0
    ratio = np.divide(n_cells * part, genes * bins, out=np.ones(part.shape), where=some)
    return np.asarray((part * np.log2(ratio)).sum(axis=0))
