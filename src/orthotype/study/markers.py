"""Marker genes: what marks a class in the source, and whether the target cells called so show it.

A label that no target cell confirms (a class that nobody labelled there) can still be held against the genes
that mark the class in the source. **That is circular where the model itself looked at these genes**: cells
are called alpha cells *because* of GCG, and then show GCG. Such a test says that the calls hang together, not
that they are right. Two ways out are offered:

- leave the model's genes out (``exclude_features``): markers among genes that the model never saw;
- :func:`evidence_by_halves`: a model that sees one half of the genes calls the cells, markers from the other
  half are tested.

Both still lean on genes that vary together, which is what a cell type is. A close relative of the right type
shares some of its markers and passes any such test: read the AUROC before the p-value. On the pancreas cells
of Baron et al. (markers of mouse cells in human cells of the true class, genes outside the model) it is 0.72
to 1.00 in classes of more than 15 cells; 0.67 for alpha cells called gamma cells and 0.64 for endothelial
cells called Schwann cells.

Conventions
-----------
X : (n_cells, n_features) CSR, zero or positive, on the scale that the model sees; means are over that scale:
    with log-normalised values a difference of means is close to a log fold change, with binarised values it
    is a difference of detection.
AUROC : chance that a cell of the class has more of the gene than another cell
    (:mod:`orthotype.models.rank_sums`).
"""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from orthotype._keys import RESERVED_LABELS
from orthotype.errors import InputError, Problems, listed
from orthotype.metrics.adjusted import benjamini_hochberg
from orthotype.models.rank_sums import gene_ranks
from orthotype.study.learners import Codes, Learner
from orthotype.study.marker_sets import compare_cells, pools, random_sets, strata

Floats = NDArray[np.float64]
Columns = NDArray[np.intp]


def source_markers(
    X: sp.csr_array,
    codes: Codes,
    *,
    classes: Sequence[str],
    features: Sequence[str],
    n: int = 20,
    exclude_features: Collection[str] = (),
    level: float = 0.05,
) -> pd.DataFrame:
    """Return the genes that mark each class: higher in it than in every other class, by the widest margin.

    A gene counts if Wilcoxon's rank-sum test of the class against all other cells is significant over all
    genes and classes (Benjamini-Hochberg). Genes are ordered by how far the mean of the class is above the
    next highest class, so that what two related classes share marks neither.

    Parameters
    ----------
    X
        Encoded source cells.
    codes
        Class of each cell, 0 to K - 1; other codes are cells of no class.
    classes
        Names of the K classes.
    features
        Names of the columns of ``X``.
    n
        Most markers per class. Classes of few cells may have fewer, or none.
    exclude_features
        Genes that must not be markers, such as those that the model uses.
    level
        Largest adjusted p-value of a marker.

    Returns
    -------
    pandas.DataFrame
        One row per marker: class, rank (from 1), gene; ``fraction`` of the cells of the class, and
        ``fraction_others`` of all others, in which it was seen; ``mean`` in the class, ``next_mean`` in the
        ``next_class``, and their ``difference``; auroc, p, p_adjusted.

    Raises
    ------
    InputError
        If names and matrix do not fit, values are negative, or every gene is excluded.
    """
    kept = _kept(X, codes, features, exclude_features)
    if len(classes) < 2:
        raise InputError(f"markers need at least two classes; {len(classes)} was given")
    tests = gene_ranks(X).test(codes, n_classes=len(classes))
    mean, fraction, others = _levels(X, codes, len(classes))
    p = tests.p
    adjusted = np.ones_like(p)
    adjusted[:, kept] = benjamini_hochberg(p[:, kept].ravel()).reshape(len(classes), -1)
    rows = []
    names = np.asarray(features, dtype=object)
    for k, name in enumerate(classes):
        rest = np.where((np.arange(len(classes)) == k)[:, None], -np.inf, mean)
        following = rest.argmax(axis=0)
        margin = mean[k] - rest.max(axis=0)
        marks = np.flatnonzero(kept & (margin > 0) & (adjusted[k] <= level))
        best = marks[np.argsort(-margin[marks], kind="stable")][:n]
        rows.append(
            pd.DataFrame(
                {
                    "class": np.full(len(best), name, dtype=object),
                    "rank": np.arange(1, len(best) + 1),
                    "gene": names[best],
                    "fraction": fraction[k, best],
                    "fraction_others": others[k, best],
                    "mean": mean[k, best],
                    "next_mean": rest.max(axis=0)[best],
                    "next_class": np.asarray(classes, dtype=object)[following[best]],
                    "difference": margin[best],
                    "auroc": tests.auroc[k, best],
                    "p": p[k, best],
                    "p_adjusted": adjusted[k, best],
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def marker_evidence(
    X: sp.csr_array,
    chosen: NDArray[np.bool_],
    *,
    markers: Sequence[str],
    features: Sequence[str],
    exclude_features: Collection[str] = (),
) -> pd.DataFrame:
    """Show, gene by gene, whether chosen target cells have more of the source's markers than the other cells.

    Read the note on circularity at the top of this module first.

    Parameters
    ----------
    X
        Encoded target cells.
    chosen
        Which cells were called so, (n_cells,).
    markers
        Genes, such as ``source_markers(...).query("class == 'alpha'")["gene"]``.
    features
        Names of the columns of ``X``.
    exclude_features
        Markers to leave out, such as the genes that the model uses.

    Returns
    -------
    pandas.DataFrame
        One row per marker, in the order given: gene; ``fraction`` of the chosen cells, and
        ``fraction_others`` of all others, in which it was seen; ``mean``, ``mean_others`` and their
        difference, the ``effect``; auroc; one-sided p of Wilcoxon's rank-sum test, 1 where there is nothing
        to test; p_adjusted over the rows (Benjamini-Hochberg).

    Raises
    ------
    InputError
        If names and matrix do not fit, or a marker is no feature.
    """
    codes = np.where(chosen, 0, 1).astype(np.intp)
    kept = _kept(X, codes, features, exclude_features)
    columns = _columns(markers, features, kept)
    few = sp.csr_array(X[:, columns])
    tests = gene_ranks(few).test(codes, n_classes=2)
    mean, fraction, others = _levels(few, codes, 2)
    return pd.DataFrame(
        {
            "gene": np.asarray(features, dtype=object)[columns],
            "fraction": fraction[0],
            "fraction_others": others[0],
            "mean": mean[0],
            "mean_others": mean[1],
            "effect": mean[0] - mean[1],
            "auroc": tests.auroc[0],
            "p": tests.p[0],
            "p_adjusted": benjamini_hochberg(tests.p[0]) if len(columns) else tests.p[0],
        }
    )


def marker_test(
    X: sp.csr_array,
    called: Sequence[str | None] | NDArray[np.object_],
    *,
    markers: pd.DataFrame,
    features: Sequence[str],
    exclude_features: Collection[str] = (),
    n_draws: int = 9999,
    seed: int = 0,
) -> pd.DataFrame:
    """Test for each class whether its source markers, as a set, stand out in the target cells called so.

    Every cell gets a score: its mean rank over the markers, less its mean rank over other genes of the same
    mean expression in the target, so that cells with more of everything do not stand out. Two questions are
    asked, and ``p`` is the larger answer, because both must hold:

    - do the cells called so score higher than other cells (``p_cells``, Wilcoxon)? Random cells would not.
    - do the markers single out these cells more than random sets of as many genes of the same expression
      would (``p_genes``, ``n_draws`` sets)? Random genes would not, even where the cells differ in many.

    Read the note on circularity at the top of this module first.

    Parameters
    ----------
    X
        Encoded target cells.
    called
        Label of each cell, (n_cells,); None, *no agreement* and *unknown* are among the others of every
        class.
    markers
        A table of :func:`source_markers`.
    features
        Names of the columns of ``X``.
    exclude_features
        Genes that count neither as markers nor in random sets, such as those that the model uses.
    n_draws
        Random sets; the smallest ``p_genes`` is 1 / (n_draws + 1).
    seed
        Decides the random sets.

    Returns
    -------
    pandas.DataFrame
        One row per class of ``markers``, then per label without markers: class; ``cells`` called so;
        ``genes``, the markers tested; ``auroc``, the chance that a cell called so scores higher than another
        cell; p_cells, p_genes, p; p_adjusted over the classes tested (Benjamini-Hochberg). NaN for a class
        without cells, without others or without markers.

    Raises
    ------
    InputError
        If names and matrix do not fit, or a marker is no feature.

    References
    ----------
    Scores against genes of the same expression: Tirosh et al. (2016), Science 352:189. p from draws: Phipson
    and Smyth (2010), Stat Appl Genet Mol Biol 9:39.
    """
    labels = sorted({label for label in called if label is not None} - RESERVED_LABELS)
    names = list(dict.fromkeys([*markers["class"], *labels]))
    codes = np.asarray(pd.Index(names, dtype="object").get_indexer(pd.Index(list(called), dtype="object")))
    kept = _kept(X, codes, features, exclude_features)
    ranks = gene_ranks(X)
    tests = ranks.test(codes, n_classes=len(names))
    groups = strata(np.asarray(X.sum(axis=0), dtype=np.float64).ravel(), kept)
    rows = []
    for k, name in enumerate(names):
        genes = _columns(markers.loc[markers["class"] == name, "gene"].tolist(), features, kept)
        matched = pools(genes, groups)
        found = (np.nan,) * 4
        if 0 < tests.n_cells[k] < len(codes) and matched:
            auroc, p_cells = compare_cells(ranks, codes == k, matched)
            drawn = random_sets(tests.auroc[k], matched, n_draws, np.random.default_rng([seed, k]))
            reached = drawn >= tests.auroc[k, genes].mean() - 1e-12
            p_genes = (1 + int(reached.sum())) / (n_draws + 1)
            found = (auroc, p_cells, p_genes, max(p_cells, p_genes))
        rows.append((name, int(tests.n_cells[k]), len(genes), *found))
    table = pd.DataFrame(rows, columns=["class", "cells", "genes", "auroc", "p_cells", "p_genes", "p"])
    tested = table["p"].notna().to_numpy()
    table["p_adjusted"] = np.nan
    table.loc[tested, "p_adjusted"] = benjamini_hochberg(table.loc[tested, "p"])
    return table


def evidence_by_halves(
    learner: Learner,
    X: sp.csr_array,
    codes: Codes,
    *,
    target: sp.csr_array,
    classes: Sequence[str],
    features: Sequence[str],
    n: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Test markers that had no say: one half of the genes calls the target cells, the other half is tested.

    The model of this test is a weaker one, with half the genes; it speaks for the class, not for the calls of
    the full model.

    Parameters
    ----------
    learner
        How to learn from the source.
    X, codes
        Encoded source cells and their classes, 0 to K - 1.
    target
        Encoded target cells.
    classes, features
        Names of the classes and of the columns.
    n
        Most markers per class.
    seed
        Decides the halves, the training and the random sets.

    Returns
    -------
    pandas.DataFrame
        As :func:`marker_test`.
    """
    order = np.random.default_rng(seed).permutation(len(features))
    calling = np.sort(order[: len(order) // 2])
    model = learner.fit(sp.csr_array(X[:, calling]), codes, n_classes=len(classes), seed=seed)
    best = model.predict_proba(sp.csr_array(target[:, calling])).argmax(axis=1)
    used = [features[j] for j in calling]
    markers = source_markers(X, codes, classes=classes, features=features, n=n, exclude_features=used)
    called = np.asarray(classes, dtype=object)[best]
    return marker_test(target, called, markers=markers, features=features, exclude_features=used, seed=seed)


def _kept(
    X: sp.csr_array, codes: Codes, features: Sequence[str], exclude: Collection[str]
) -> NDArray[np.bool_]:
    """Return which columns may be used, once names, cells and matrix are known to fit."""
    problems = Problems("markers")
    if X.shape != (len(codes), len(features)):
        problems.add(
            f"X has shape {X.shape} for {len(codes):,} cells and {len(features):,} features",
            expected="cells x features",
        )
    if len(set(features)) < len(features):
        problems.add("features has a name twice", expected="every feature once")
    left_out = set(exclude)
    kept = np.array([name not in left_out for name in features], dtype=bool)
    if len(features) and not kept.any():
        problems.add(
            f"exclude_features leaves none of the {len(features):,} features",
            expected="genes beyond those of the model",
            remedy="encode more genes than the model uses, or use evidence_by_halves",
        )
    problems.raise_if_any()
    return kept


def _columns(genes: Sequence[str], features: Sequence[str], kept: NDArray[np.bool_]) -> Columns:
    """Return the columns of the genes that may be used, in the order of the genes."""
    place = {name: j for j, name in enumerate(features)}
    foreign = [gene for gene in genes if gene not in place]
    if foreign:
        raise InputError(
            f"{len(foreign)} markers are no features of the target ({listed(foreign)}); "
            "expected markers found on the same features"
        )
    return np.array([place[gene] for gene in genes if kept[place[gene]]], dtype=np.intp)


def _levels(X: sp.csr_array, codes: Codes, n_classes: int) -> tuple[Floats, Floats, Floats]:
    """Return per class and gene the mean, the fraction of cells that have it, and of the others that do."""
    inside = (codes >= 0) & (codes < n_classes)
    n_cells = np.bincount(codes[inside], minlength=n_classes).astype(np.float64)
    member = sp.csr_array(
        (np.ones(int(inside.sum())), (codes[inside], np.flatnonzero(inside))), shape=(n_classes, len(codes))
    )
    seen = X.astype(bool).astype(np.float64)
    on, on_all = (member @ seen).toarray(), np.asarray(seen.sum(axis=0)).ravel()
    own, rest = np.maximum(n_cells, 1)[:, None], np.maximum(len(codes) - n_cells, 1)[:, None]
    return (member @ X.astype(np.float64)).toarray() / own, on / own, (on_all - on) / rest
