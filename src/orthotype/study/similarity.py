"""Which classes of two species are alike: angles between their middles in the source's principal components.

Stumpf et al. 2020 take the geometric median of every class in the first 16 components of the source, project
the target into the same space with the source's mean, and compare classes by the cosine between them.

Conventions
-----------
n cells, p genes (features), K classes, d components. X - mu is never formed: products with it are products
with the sparse X, less an outer product.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from orthotype.errors import ConvergenceWarning, InputError, Problems
from orthotype.models.linear.threads import one_blas_thread

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Components:
    """Principal components of one species, into which cells of any species can be projected.

    Attributes
    ----------
    mean
        Mean of every gene, (p,).
    axes
        Components as rows, (d, p), orthonormal, by falling variance; the largest entry of each is positive.
    explained
        Share of the variance along each, (d,).
    """

    mean: Floats
    axes: Floats
    explained: Floats

    def project(self, X: sp.csr_array) -> Floats:
        """Return encoded cells in the space of the components, (n, d); their origin is ``mean``."""
        return np.asarray(X @ self.axes.T - self.axes @ self.mean, dtype=np.float64)


def principal_components(X: sp.csr_array, *, n_components: int = 16, seed: int = 0) -> Components:
    """Return the first components of sparse cells, without a dense matrix of cells by genes.

    Parameters
    ----------
    X
        Encoded cells, (n, p).
    n_components
        How many components; those along which nothing varies are left out.
    seed
        Of the vector that the iteration starts from. It plays no part beyond rounding.

    Raises
    ------
    InputError
        If there are not more cells and genes than components, or all cells are equal.
    """
    from scipy.sparse.linalg import LinearOperator, svds

    if not 1 <= n_components < min(X.shape):
        raise InputError(
            f"{n_components} components of {X.shape[0]:,} cells x {X.shape[1]:,} genes; expected at least 1 "
            "and fewer than cells and genes; pass a smaller n_components"
        )
    X = sp.csr_array(X).astype(np.float64)
    mean = np.asarray(X.sum(axis=0)).ravel() / X.shape[0]
    ones = np.ones(X.shape[0])
    centred = LinearOperator(
        X.shape,
        matvec=lambda v: X @ v.ravel() - mean @ v.ravel(),
        rmatvec=lambda u: X.T @ u.ravel() - mean * (ones @ u.ravel()),
        dtype=np.float64,
    )
    start = np.random.default_rng(seed).standard_normal(min(X.shape))
    total = float((X.data**2).sum() - X.shape[0] * (mean @ mean))
    if total <= 1e-12 * float((X.data**2).sum()):
        raise InputError(f"all {X.shape[0]:,} cells are equal; expected cells that differ")
    with one_blas_thread():
        _, lengths, axes = svds(centred, k=n_components, v0=start, solver="arpack")
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] ** 2 > 1e-12 * total]
    axes = axes[order]
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    explained = np.asarray(lengths[order] ** 2 / total, dtype=np.float64)
    return Components(mean, axes * np.sign(largest)[:, None], explained)


def geometric_median(points: npt.ArrayLike, *, tol: float = 1e-9, max_iter: int = 10_000) -> Floats:
    """Return the point with the smallest sum of distances to all points, (d,).

    It is a middle that a few stray cells cannot pull away. Weiszfeld's iteration, with the step of Vardi and
    Zhang (2000, PNAS 97:1423) where it lands on a point; the mean is where it starts.

    Parameters
    ----------
    points
        (n, d), at least one.
    tol
        The iteration ends when a step is shorter than this share of the mean distance.
    max_iter
        Most steps.

    Raises
    ------
    InputError
        If there are no points, or not all are finite.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` was reached before ``tol``.

    Notes
    -----
    Where the points lie on one line and their number is even, any point between the two in the middle is as
    good; the one that the iteration reaches from the mean is returned.

    Examples
    --------
    >>> geometric_median([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [100.0, 100.0]]).round(3)
    array([0.789, 0.789])
    """
    cells = np.asarray(points, dtype=np.float64)
    if cells.ndim != 2 or not len(cells) or not np.isfinite(cells).all():
        raise InputError(f"points of shape {cells.shape}; expected at least one row of finite coordinates")
    # Far from the origin the coordinates would eat up the digits of the distances.
    origin = cells.mean(axis=0)
    cells = cells - origin
    scale = float(np.linalg.norm(cells, axis=1).mean())
    if scale == 0.0:
        return np.asarray(origin)
    place = np.zeros_like(origin)
    for _ in range(max_iter):
        following = _vardi_zhang_step(cells, place)
        if np.linalg.norm(following - place) <= tol * scale:
            return np.asarray(origin + _at_point(cells, following, within=1e-3 * scale))
        place = following
    warnings.warn(
        f"the geometric median of {len(cells):,} points stopped after {max_iter:,} steps; "
        "pass a larger max_iter",
        ConvergenceWarning,
        stacklevel=2,
    )
    return np.asarray(origin + place)


def _vardi_zhang_step(cells: Floats, place: Floats) -> Floats:
    """Return where one step leads from a place, which may be one of the cells.

    With eta cells at the place and R the sum of unit vectors towards all others, Weiszfeld's step is
    shortened to the share 1 - eta / ||R||, and to nothing where eta is larger: there the place is the median.
    """
    apart = np.linalg.norm(cells - place, axis=1)
    away = apart > 0
    weights = 1.0 / apart[away]
    step = (weights @ (cells[away] - place)) / weights.sum() if away.any() else np.zeros_like(place)
    here = len(cells) - int(away.sum())
    if here == 0:
        return np.asarray(place + step)
    pull = float(np.linalg.norm(weights @ (cells[away] - place)))
    return np.asarray(place + max(0.0, 1.0 - here / pull if pull > 0 else 0.0) * step)


def _at_point(cells: Floats, place: Floats, *, within: float) -> Floats:
    """Return the nearest cell if it is close by and the median, which steps only approach; else the place."""
    apart = np.linalg.norm(cells - place, axis=1)
    nearest = cells[apart.argmin()]
    is_median = apart.min() <= within and np.array_equal(_vardi_zhang_step(cells, nearest), nearest)
    return nearest if is_median else place


def class_similarity(
    Xs: sp.csr_array,
    codes_s: Codes,
    Xt: sp.csr_array,
    codes_t: Codes,
    *,
    classes_s: Sequence[str],
    classes_t: Sequence[str],
    n_components: int = 16,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how alike any two classes of source and target are: the cosine between their geometric medians.

    Parameters
    ----------
    Xs, Xt
        Encoded cells of source and target over the same p genes.
    codes_s, codes_t
        Class of each cell, a position in ``classes_s`` or ``classes_t``.
    classes_s, classes_t
        Names of the classes of each side.
    n_components, seed
        As in :func:`principal_components`.

    Returns
    -------
    pandas.DataFrame
        Square, -1 to 1. Rows and columns have two levels, side ("source" or "target") and class, so that
        ``table.loc["source"]["target"]`` is the matrix across species. Classes without cells are left
        out; the cosine with a class whose median is the origin is 0.

    Raises
    ------
    InputError
        If shapes or codes do not fit, or there are too few cells or genes for the components.
    """
    problems = Problems("class similarity")
    if Xs.shape[1] != Xt.shape[1]:
        problems.add(f"{Xs.shape[1]:,} source and {Xt.shape[1]:,} target genes", expected="the same genes")
    sides = (("source", Xs, codes_s, classes_s), ("target", Xt, codes_t, classes_t))
    for side, X, codes, classes in sides:
        if len(codes) != X.shape[0] or not len(codes):
            problems.add(f"{len(codes):,} classes for {X.shape[0]:,} {side} cells", expected="one for each")
        elif codes.min() < 0 or codes.max() >= len(classes):
            found = f"{side} classes numbered {codes.min()} to {codes.max()}"
            problems.add(found, expected=f"0 to {len(classes) - 1}")
    problems.raise_if_any()
    space = principal_components(Xs, n_components=n_components, seed=seed)
    middles: list[Floats] = []
    names: list[tuple[str, str]] = []
    for side, X, codes, classes in sides:
        cells = space.project(X)
        there = np.unique(codes)
        middles += [geometric_median(cells[codes == code]) for code in there]
        names += [(side, str(classes[code])) for code in there]
    index = pd.MultiIndex.from_tuples(names, names=["side", "class"])
    return pd.DataFrame(_cosines(np.array(middles)), index=index, columns=index)


def _cosines(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    table = np.clip(unit @ unit.T, -1.0, 1.0)
    np.fill_diagonal(table, 1.0)
    return np.asarray((table + table.T) / 2)


def dendrogram(cosines: pd.DataFrame) -> Floats:
    """Return the tree of classes, by average linkage on 1 - cosine, as SciPy's linkage matrix.

    Parameters
    ----------
    cosines
        Square table, such as ``table.loc["source"]["source"]`` or all of :func:`class_similarity`. Leaf i of
        the tree is its row i; leaves are ordered so that neighbours are as alike as can be.

    Raises
    ------
    InputError
        If the table is not square and symmetric, or has fewer than two classes.
    """
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    values = cosines.to_numpy(dtype=np.float64)
    square = values.ndim == 2 and values.shape[0] == values.shape[1]
    if not square or len(values) < 2 or not np.allclose(values, values.T):
        raise InputError(
            f"cosines of shape {values.shape}; expected a symmetric table of two or more classes"
        )
    apart = squareform(np.clip(1.0 - values, 0.0, None), checks=False)
    return np.asarray(linkage(apart, method="average", optimal_ordering=True), dtype=np.float64)
