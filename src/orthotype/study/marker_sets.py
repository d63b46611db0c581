"""Sets of genes held against other genes of the same expression, over genes and over cells.

Expression decides how far the AUROC of a gene can be from 0.5, and a deep cell has more of everything. So the
genes of a set are always compared with genes of their own stratum: groups of equal size, ordered by the total
expression in the cells at hand.
"""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from orthotype.models.rank_sums import GeneRanks

Floats = NDArray[np.float64]
Columns = NDArray[np.intp]
Pools = list[tuple[Columns, Columns]]
STRATA: Final = 20
GENES_PER_STRATUM: Final = 25
MOST_EXACT: Final = 10_000  # cells; beyond, exact p-values of few chosen cells take seconds


def strata(total: Floats, kept: NDArray[np.bool_]) -> list[Columns]:
    """Return the usable columns in groups of equal size and similar expression, lowest first."""
    usable = np.flatnonzero(kept)
    ordered = usable[np.argsort(total[usable], kind="stable")]
    return np.array_split(ordered, max(1, min(STRATA, len(usable) // GENES_PER_STRATUM)))


def pools(genes: Columns, groups: list[Columns]) -> Pools:
    """Return the genes of a set in each stratum with those to hold them against; [] if there are none.

    Where a stratum has fewer other genes than genes of the set, all other genes stand in.
    """
    everything = np.setdiff1d(np.concatenate(groups), genes)
    matched = []
    for stratum in groups:
        own, others = np.intersect1d(stratum, genes), np.setdiff1d(stratum, genes)
        if len(own) and len(everything):
            matched.append((own, others if len(others) >= len(own) else everything))
    return matched


def compare_cells(ranks: GeneRanks, chosen: NDArray[np.bool_], matched: Pools) -> tuple[float, float]:
    """Return AUROC and one-sided p of the scores of the chosen cells against those of all others."""
    from scipy.stats import mannwhitneyu

    weights = np.zeros(ranks.above_zero.shape[1])
    for own, others in matched:
        weights[own] += 1.0
        np.subtract.at(weights, others, len(own) / len(others))
    scores: Floats = ranks.above_zero @ weights
    method: Literal["auto", "asymptotic"] = "auto" if len(scores) <= MOST_EXACT else "asymptotic"
    result = mannwhitneyu(scores[chosen], scores[~chosen], alternative="greater", method=method)
    pairs = chosen.sum() * (~chosen).sum()
    return float(result.statistic / pairs), float(result.pvalue)


def random_sets(auroc: Floats, matched: Pools, n_draws: int, rng: np.random.Generator) -> Floats:
    """Return the mean AUROC of random sets with as many genes from each stratum as the set has."""
    total = np.zeros(n_draws)
    for own, others in matched:
        total += auroc[rng.choice(others, size=(n_draws, len(own)))].sum(axis=1)
    return total / sum(len(own) for own, _ in matched)
