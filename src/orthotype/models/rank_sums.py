"""Wilcoxon's rank-sum test of every class against all other cells, for every gene, on sparse expression.

Conventions
-----------
X : (n cells, p genes), zero or positive. Only the stored values are sorted; the zeros of a gene are one tie
    below them, so the work grows with the entries of the matrix and not with its size.
r_ij : rank of cell i in gene j, 1 to n, ties at their mean rank; z_j the rank that all its zeros share.
R_kj : sum of r_ij over the n_k cells of class k.
AUROC_kj = (R_kj - n_k (n_k + 1) / 2) / (n_k (n - n_k)) : chance that a cell of the class has more of the gene
    than another cell, ties counted half. 0.5 says nothing.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.errors import InputError

Codes = NDArray[np.intp]
Floats = NDArray[np.float64]
GENES_PER_BLOCK: Final = 512


@dataclass(frozen=True)
class RankSums:
    """The tests of K classes and p genes.

    Attributes
    ----------
    n_cells
        Cells of each class, (K,).
    auroc
        (K, p); 0.5 where a class has no cells or all cells.
    z
        The difference from 0.5, standardised under the null of no difference, corrected for ties and
        continuity, (K, p); minus infinity where there is nothing to test: a class without cells or without
        others, or a gene with one value in all cells.
    """

    n_cells: NDArray[np.intp]
    auroc: Floats
    z: Floats

    @property
    def p(self) -> Floats:
        """One-sided p-value for more of the gene in the class than in other cells, (K, p); 1 if untested."""
        from scipy.special import ndtr

        return np.asarray(ndtr(-self.z))


@dataclass(frozen=True)
class GeneRanks:
    """The cells ranked by every gene.

    Attributes
    ----------
    above_zero
        r_ij - z_j for the values above zero, (n, p), as sparse as the expression.
    zero
        z_j, (p,).
    ties
        Sum of t^3 - t over the ties of t cells in each gene, (p,).
    """

    above_zero: sp.csc_array
    zero: Floats
    ties: Floats

    def test(self, codes: Codes, *, n_classes: int) -> RankSums:
        """Test every class against all other cells.

        Parameters
        ----------
        codes
            Class of each cell, (n,); cells with any other code than 0 to n_classes - 1 are among the others
            of every class.
        n_classes
            K.

        References
        ----------
        Mann and Whitney (1947), Ann Math Stat 18:50. It is among the best of 59 ways to find marker genes
        (Pullin and McCarthy 2024, Genome Biol 25:56).
        """
        n = self.above_zero.shape[0]
        inside = np.flatnonzero((codes >= 0) & (codes < n_classes))
        n_cells = np.bincount(codes[inside], minlength=n_classes)
        own = n_cells[:, None].astype(np.float64)
        pairs = own * (n - own)
        wins = (
            class_sums(self.above_zero, codes, n_classes=n_classes)[:-1]
            + own * self.zero
            - own * (own + 1) / 2
        )
        variance = pairs / 12 * (n + 1 - self.ties / max(n * (n - 1), 1))
        tested = variance > 1e-9 * pairs * n
        nothing = np.full_like(wins, -np.inf)
        z = np.divide(wins - pairs / 2 - 0.5, np.sqrt(np.maximum(variance, 0)), out=nothing, where=tested)
        auroc = np.divide(wins, pairs, out=np.full_like(wins, 0.5), where=pairs > 0)
        return RankSums(n_cells=n_cells, auroc=auroc, z=z)


def class_sums(columns: sp.csc_array, codes: Codes, *, n_classes: int) -> Floats:
    """Return the sum of every gene over the cells of each class, and of none, shape (n_classes + 1, n_genes).

    Parameters
    ----------
    columns
        Cells x genes.
    codes
        Class of each cell; any other code than 0 to n_classes - 1 for none.
    n_classes
        Number of classes.
    """
    n_genes, width = columns.shape[1], n_classes + 1
    code = np.where((codes >= 0) & (codes < n_classes), codes, n_classes)
    place = np.repeat(np.arange(0, n_genes * width, width), np.diff(columns.indptr))
    place += code[columns.indices]
    sums = np.bincount(place, weights=columns.data, minlength=n_genes * width)
    return np.ascontiguousarray(sums.reshape(n_genes, width).T)


def gene_ranks(X: sp.csr_array | sp.csc_array, *, genes_per_block: int = GENES_PER_BLOCK) -> GeneRanks:
    """Rank the cells by every gene.

    Parameters
    ----------
    X
        Expression on any scale that keeps the order within a gene.
    genes_per_block
        Genes sorted at once; the result does not depend on it.

    Raises
    ------
    InputError
        If values are negative or not finite.
    """
    if X.nnz and not (np.isfinite(X.data).all() and X.data.min() >= 0):
        raise InputError(
            "X holds negative or non-finite values; expected expression that is zero or positive"
        )
    columns = sp.csc_array(X.tocsc(copy=True))
    columns.eliminate_zeros()
    n, n_genes = columns.shape
    stored = np.diff(columns.indptr).astype(np.intp)
    above, ties = np.empty(columns.nnz), np.empty(n_genes)
    for start in range(0, n_genes, genes_per_block):
        block = slice(start, min(start + genes_per_block, n_genes))
        entries = slice(columns.indptr[block.start], columns.indptr[block.stop])
        ranked = _rank_block(columns.data[entries], stored[block], n)
        above[entries], ties[block] = ranked
    parts = (above, columns.indices, columns.indptr)
    return GeneRanks(sp.csc_array(parts, shape=(n, n_genes)), zero=(n - stored + 1) / 2, ties=ties)


def _rank_block(values: NDArray[np.floating], stored: NDArray[np.intp], n: int) -> tuple[Floats, Floats]:
    """Return r_ij - z_j of the values above zero, gene after gene, and the ties of each gene."""
    gene = np.repeat(np.arange(len(stored)), stored)
    order = _order(gene, values)
    ordered = values[order]
    new = np.ones(len(values), dtype=bool)
    new[1:] = (gene[1:] != gene[:-1]) | (ordered[1:] != ordered[:-1])
    first = np.flatnonzero(new)
    length = np.diff(np.append(first, len(values)))
    tied = gene[first]
    zeros = n - stored
    begin = np.cumsum(stored) - stored
    mean_rank = first - begin[tied] + zeros[tied] + (length + 1) / 2
    above = np.empty(len(values))
    above[order] = np.repeat(mean_rank - (zeros[tied] + 1) / 2, length)
    cubes = np.bincount(tied, weights=length.astype(np.float64) ** 3 - length, minlength=len(stored))
    return above, cubes + zeros.astype(np.float64) ** 3 - zeros


def _order(gene: NDArray[np.intp], values: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return how values above zero are sorted within genes: positive floats sort as whole numbers do."""
    if values.dtype != np.float32:
        return np.lexsort((values, gene))
    keys = gene.astype(np.uint64) << np.uint64(32) | np.ascontiguousarray(values).view(np.uint32)
    return np.argsort(keys)
