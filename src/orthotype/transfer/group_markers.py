"""The genes that mark a group of cells against all other cells of the target."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype.metrics.adjusted import benjamini_hochberg
from orthotype.models.linear.threads import available_threads
from orthotype.models.rank_sums import class_sums, gene_ranks

LEVEL: Final = 0.05
GENES_AT_ONCE: Final = 1024
MOST_THREADS: Final = 4
COLUMNS: Final = (
    "group",
    "rank",
    "gene",
    "fraction",
    "fraction_others",
    "mean",
    "mean_others",
    "auroc",
    "p",
    "p_adjusted",
)
NO_MARKERS: Final = pd.DataFrame(columns=list(COLUMNS))


def group_markers(
    rows: sp.csr_array,
    groups: NDArray[np.intp],
    *,
    names: Sequence[str],
    genes: NDArray[np.str_],
    n_markers: int = 20,
) -> pd.DataFrame:
    """Return the genes of which the cells of a group have more than all other cells, clearest first.

    Parameters
    ----------
    rows
        Encoded cells, all genes, shape (n, n_genes).
    groups
        Group of each cell; -1 for cells in none, which are among the others of every group.
    names
        Names of the groups.
    genes
        Names of the genes.
    n_markers
        Most markers per group.

    Returns
    -------
    pandas.DataFrame
        ``group``, ``rank`` (from 1), ``gene``; ``fraction`` of its cells, and ``fraction_others`` of all
        other cells, in which the gene was seen; ``mean`` and ``mean_others`` of the encoded values;
        ``auroc``, the chance that a cell of the group has more of the gene than another cell; ``p`` of
        Wilcoxon's rank-sum test and ``p_adjusted`` over all genes and groups. The cells were grouped by the
        same genes: read p as an order, not as evidence that the group exists.
    """
    if not len(names) or n_markers == 0:
        return NO_MARKERS.copy()

    def compared(first: int) -> Compared:
        return _compare(sp.csc_array(rows[:, first : first + GENES_AT_ONCE]), groups, n_groups=len(names))

    with ThreadPoolExecutor(min(available_threads(), MOST_THREADS)) as threads:
        parts = list(threads.map(compared, range(0, rows.shape[1], GENES_AT_ONCE)))
    tests = Compared(*(np.concatenate(each, axis=1) for each in zip(*parts, strict=True)))
    adjusted = benjamini_hochberg(tests.p.ravel()).reshape(tests.p.shape)
    tables = []
    for k, name in enumerate(names):
        mean, fraction = tests.mean[k], tests.fraction[k]
        mean_others, fraction_others = tests.mean_others[k], tests.fraction_others[k]
        marks = np.flatnonzero((adjusted[k] <= LEVEL) & (mean > mean_others))
        gain = (tests.auroc[k, marks] - 0.5) * (mean - mean_others)[marks]
        best = marks[np.argsort(-gain, kind="stable")][:n_markers]
        tables.append(
            pd.DataFrame(
                {
                    "group": np.full(len(best), name, dtype=object),
                    "rank": np.arange(1, len(best) + 1),
                    "gene": genes[best].astype(object),
                    "fraction": fraction[best],
                    "fraction_others": fraction_others[best],
                    "mean": mean[best],
                    "mean_others": mean_others[best],
                    "auroc": tests.auroc[k, best],
                    "p": tests.p[k, best],
                    "p_adjusted": adjusted[k, best],
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


class Compared(NamedTuple):
    """Every group against all other cells, each of shape (n_groups, n_genes)."""

    auroc: NDArray[np.float64]
    p: NDArray[np.float64]
    mean: NDArray[np.float64]
    fraction: NDArray[np.float64]
    mean_others: NDArray[np.float64]
    fraction_others: NDArray[np.float64]


def _compare(columns: sp.csc_array, groups: NDArray[np.intp], *, n_groups: int) -> Compared:
    """Compare the groups by some genes: what a comparison of all of them takes is many times the cells."""
    tests = gene_ranks(columns).test(groups, n_classes=n_groups)
    seen = sp.csc_array((columns.data > 0, columns.indices, columns.indptr), shape=columns.shape)
    means = [
        side
        for values in (columns, seen)
        for side in _inside_and_beyond(class_sums(values, groups, n_classes=n_groups), groups)
    ]
    mean, mean_others, fraction, fraction_others = means
    return Compared(tests.auroc, tests.p, mean, fraction, mean_others, fraction_others)


def _inside_and_beyond(
    sums: NDArray[np.float64], groups: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means over the cells of each group, and over all others, from the sums of the groups."""
    n_groups = len(sums) - 1
    cells = np.bincount(np.where(groups < 0, n_groups, groups), minlength=n_groups + 1)[:, None]
    others = 1.0 - np.eye(n_groups + 1)
    inside, beyond = sums / np.maximum(cells, 1), others @ sums / np.maximum(others @ cells, 1)
    return inside[:-1], beyond[:-1]
