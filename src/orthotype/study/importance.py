"""Which genes carry a class: what a gene being on or off tells about the class probability of a cell.

Stumpf et al. 2020 cut the probability of a class into three equal bins and ask, gene by gene, for the mutual
information with the gene on or off; the hundred most informative genes of a class are what its decision rests
on. :mod:`orthotype.study.bin_counts` says how it is counted, and what *on* and the edges of the bins are.

Conventions
-----------
n cells, p genes (features), K classes.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from orthotype.errors import InputError, Problems
from orthotype.models.profiles import class_profiles, one_hot
from orthotype.study.bin_counts import BinCounts

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]
Names = Sequence[str] | npt.NDArray[np.object_]


def importance(X: sp.csr_array, proba: npt.ArrayLike, *, n_bins: int = 3) -> Floats:
    """Return how much each gene, on or off, tells about the probability of each class, in bits.

    Give it held-out cells and the probabilities of the model that did not see them; :func:`median_importance`
    puts folds together.

    Parameters
    ----------
    X
        Encoded cells, (n, p), sparse.
    proba
        Class probabilities, (n, K).
    n_bins
        Equal bins of the probability; an edge belongs to the bin above, 1 to the last.

    Returns
    -------
    Mutual information, (p, K): 0 for genes that are always on or always off, at most the entropy of the gene.

    Raises
    ------
    InputError
        If shapes do not fit, or rows of ``proba`` are not probabilities.

    Notes
    -----
    A gene that tells nothing still gets about (n_bins - 1) / (2 n ln 2) bits by chance, 0.004 for 400 cells.

    Examples
    --------
    >>> X = sp.csr_array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    >>> importance(X, [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8]])
    array([[1., 1.],
           [0., 0.]])
    """
    table = np.asarray(proba)
    counts = BinCounts(X.shape[1], table.shape[-1] if table.ndim else 0, n_bins=n_bins)
    counts.update(X, table)
    return counts.mutual_information()


def importance_by_fold(
    X: sp.csr_array, proba: npt.ArrayLike, *, folds: Codes, n_bins: int = 3
) -> list[Floats]:
    """Return the importance on the cells of each fold, in the order of the folds.

    Parameters
    ----------
    X, proba, n_bins
        As in :func:`importance`; each row of ``proba`` from the model that did not see the cell.
    folds
        Fold of each cell, (n,), 0 to n_folds - 1.

    Raises
    ------
    InputError
        As :func:`importance`, or if there is not one fold for each cell.
    """
    table = np.asarray(proba)
    if not (len(folds) == len(table) == X.shape[0]) or not len(folds):
        raise InputError(f"{len(folds)} folds and {len(table)} probabilities for {X.shape[0]} cells")
    return [
        importance(X[folds == fold], table[folds == fold], n_bins=n_bins) for fold in range(folds.max() + 1)
    ]


def median_importance(by_fold: Sequence[Floats]) -> Floats:
    """Return the median over folds, (p, K): what one lucky fold says does not count.

    Raises
    ------
    InputError
        If there is no fold, or their shapes differ.
    """
    shapes = {values.shape for values in by_fold}
    if len(shapes) != 1:
        raise InputError(
            f"importance of {len(by_fold)} folds in {len(shapes)} shapes; expected at least one fold and one "
            "shape"
        )
    return np.asarray(np.median(np.stack(list(by_fold)), axis=0))


def top_genes(importance: Floats, *, features: Names, classes: Names, n: int = 100) -> pd.DataFrame:
    """Return the genes that tell most about each class, best first.

    Parameters
    ----------
    importance
        Bits, (p, K).
    features, classes
        Names of the p genes and K classes.
    n
        Most genes for a class; genes that tell nothing (0 bits) are never among them.

    Returns
    -------
    pandas.DataFrame
        Columns class, rank (from 1), gene, importance (bits). Genes of equal importance are in the order of
        their names, so that the order of the features plays no part.

    Raises
    ------
    InputError
        If names and shapes do not fit, or ``n`` is less than 1.
    """
    names = _checked(importance, features, classes, n)
    best = [_best(importance[:, k], names, n) for k in range(len(classes))]
    return pd.DataFrame(
        {
            "class": np.repeat(np.array(classes, dtype=object), [len(chosen) for chosen in best]),
            "rank": np.concatenate([np.arange(1, len(chosen) + 1) for chosen in best]),
            "gene": names[np.concatenate(best)],
            "importance": np.concatenate([importance[chosen, k] for k, chosen in enumerate(best)]),
        }
    )


def _best(score: Floats, names: npt.NDArray[np.object_], n: int) -> Codes:
    order = np.lexsort((names.astype(str), -score))[:n]
    return np.asarray(order[score[order] > 0], dtype=np.intp)


def _checked(importance: Floats, features: Names, classes: Names, n: int) -> npt.NDArray[np.object_]:
    problems = Problems("gene importance")
    if importance.shape != (len(features), len(classes)):
        problems.add(
            f"shape {importance.shape}",
            expected=f"{len(features):,} genes x {len(classes)} classes, as named",
        )
    if n < 1:
        problems.add(f"n is {n}", expected="the number of genes to take, at least 1")
    problems.raise_if_any()
    return np.array(features, dtype=object)


def weight_overlap(
    importance: Floats,
    coef: npt.NDArray[np.floating],
    *,
    features: Names,
    classes: Names,
    n: int = 100,
    tail: float = 0.05,
) -> pd.DataFrame:
    """Return where the most informative genes of each class sit among the weights of a linear model.

    The paper finds them in the tails: genes with very high or very low weights. The test says how likely as
    many would be there if the genes had been drawn at random, without replacement (hypergeometric).

    Parameters
    ----------
    importance
        Bits, (p, K).
    coef
        Weights of the linear model, (K, p).
    features, classes, n
        As in :func:`top_genes`.
    tail
        Share of the genes in each of the two tails, above 0 and below 0.5. Genes that share their weight
        with one outside the tail are not in it, so that many zeros never fill a tail.

    Returns
    -------
    pandas.DataFrame
        One row per class: class, top (genes), lower and upper (how many of them in each tail), share (of top
        in either), expected (share of all genes in either), fold (share / expected), p (of as many or more)
        and p_adjusted (Benjamini-Hochberg over the classes); NaN for a class without top genes.

    Raises
    ------
    InputError
        If shapes do not fit, or ``n`` or ``tail`` has no meaning.
    """
    from scipy.stats import false_discovery_control

    names = _checked(importance, features, classes, n)
    weights = np.asarray(coef, dtype=np.float64)
    if weights.shape != importance.T.shape or not np.isfinite(weights).all():
        raise InputError(f"weights of shape {weights.shape}; expected {importance.T.shape}, all finite")
    if not 0 < tail < 0.5:
        raise InputError(f"tail is {tail}; expected a share of the genes above 0 and below 0.5")
    rows = [_overlap(weights[k], _best(importance[:, k], names, n), tail=tail) for k in range(len(classes))]
    table = pd.DataFrame(rows)
    table.insert(0, "class", np.array(classes, dtype=object))
    table["p_adjusted"] = np.nan
    tested = table["p"].notna()
    if tested.any():
        table.loc[tested, "p_adjusted"] = false_discovery_control(table.loc[tested, "p"].to_numpy())
    return table


def _overlap(weights: Floats, top: Codes, *, tail: float) -> dict[str, float]:
    from scipy.stats import hypergeom, rankdata

    most = int(tail * weights.size)
    lower = rankdata(weights, method="max") <= most
    upper = rankdata(-weights, method="max") <= most
    outer, found = int((lower | upper).sum()), int((lower | upper)[top].sum())
    share, expected = found / max(len(top), 1), outer / weights.size
    tested = len(top) > 0 and outer > 0
    return {
        "top": len(top),
        "lower": int(lower[top].sum()),
        "upper": int(upper[top].sum()),
        "share": share if len(top) else np.nan,
        "expected": expected,
        "fold": share / expected if tested else np.nan,
        "p": float(hypergeom.sf(found - 1, weights.size, outer, len(top))) if tested else np.nan,
    }


def class_means(X: sp.csr_array, codes: Codes, *, classes: Names, features: Names) -> pd.DataFrame:
    """Return the mean of every gene in every class that has cells, classes x genes.

    Raises
    ------
    InputError
        If there are no cells, or their codes are not positions in ``classes``.
    """
    if len(codes) != X.shape[0] or not len(codes) or codes.min() < 0 or codes.max() >= len(classes):
        raise InputError(
            f"classes of {len(codes):,} cells for {X.shape[0]:,} cells; expected a position among "
            f"{len(classes)} classes for each of one or more cells"
        )
    profiles = class_profiles([(X, one_hot(codes, len(classes)))])
    table = pd.DataFrame(profiles.mean, index=pd.Index(list(classes), name="class"), columns=list(features))
    return table.loc[profiles.n_cells > 0]


def expression_of_top_genes(
    top: pd.DataFrame, means: Mapping[str, pd.DataFrame], *, per_class: int = 5
) -> pd.DataFrame:
    """Return how the most informative genes are expressed over the classes of each species.

    A gene that tells about several classes stands once, with the class that it tells most about.

    Parameters
    ----------
    top
        Table of :func:`top_genes`.
    means
        For each species, in the order of the figure, its table of :func:`class_means`.
    per_class
        Most genes for a class.

    Returns
    -------
    pandas.DataFrame
        Columns gene, top_for (class), species, class, mean and scaled: the mean as a z-score over the classes
        of the species, each class counting once; 0 for a gene that does not differ between them.
    """
    once = top.sort_values(["importance", "class", "gene"], ascending=[False, True, True], kind="stable")
    once = once.drop_duplicates("gene").sort_values("rank", kind="stable")
    order = {name: place for place, name in enumerate(dict.fromkeys(top["class"]))}
    chosen = (
        once.groupby("class", sort=False)
        .head(per_class)
        .sort_values("class", key=lambda c: c.map(order), kind="stable")
    )
    genes = chosen["gene"].to_numpy()
    parts = []
    for species, table in means.items():
        mean = table[genes].to_numpy(dtype=np.float64)
        centred, spread = mean - mean.mean(axis=0), mean.std(axis=0)
        scaled = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-9)
        parts.append(
            pd.DataFrame(
                {
                    "gene": np.repeat(genes, len(table)),
                    "top_for": np.repeat(chosen["class"].to_numpy(), len(table)),
                    "species": species,
                    "class": np.tile(table.index.to_numpy(dtype=object), len(genes)),
                    "mean": mean.T.ravel(),
                    "scaled": scaled.T.ravel(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
