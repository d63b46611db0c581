"""Whether a tissue is one that the classes say anything about: what half of the genes foretell of the others.

Any cell is most like some class, in any tissue. If the classes are really there, cells that are called by
half of the genes differ in the other half, too, as the classes differ; if they are not, what looks alike in
one half is chance, and the other half shows nothing of it. With halves A and B of the genes::

    call    k_i = argmax_k <x_i - delta - centre, o_k> / |o_k|          in A, o_k = mu_k - centre
    compare a_k = <t_k, s_k> / (|t_k| |s_k|)                            in B

t_k is the mean of the cells called k, s_k that of the class, both less their mean over the classes called, so
that a shift of all classes drops out; in A it is taken off as delta. The kinship of a class is the mean of
a_k over the halves, with |t_k|^2 taken without the variance v_k that so few cells leave in it: it is low
where most of the cells called so belong to no class of the source. The kinship of the target takes all
classes at once, of n_k cells each, so that a few cells of a class that is there do not speak for a tissue
that is not::

    whole = mean over halves of  sum n_k <t_k, s_k> / sqrt(sum n_k (|t_k|^2 - v_k)  sum n_k |s_k|^2)

over classes that five cells are called. Where cells are few it is far from exact, and chance may look like
kinship. So its standard error is taken, by a jackknife that leaves out every tenth cell in turn, and the
lower end of its 95 % interval (one-sided) must be 0.35: cells are kin of the source if that is sure.

Cells of one type have no differences to foretell, and a shift that is estimated from them takes the type off
with the species. Before any shift the model calls nearly all of them one class. Strangers may be called one
class, too: the one whose own genes it takes least to be without. So it is asked whether the cells carry the
genes that set their class apart, with nothing taken off::

    carried = mean over cells of  <t_k - centre, o_k> / (|t_k - centre| |o_k|)
              over the genes of B in which o_k > 0, t_k - centre less its mean over all genes

The target is of one type, and no stranger, if nine tenths are called one class, half by half of the genes,
and carried is 0.19 or more. It is of few types if two classes have nine tenths, and carried is 0.33 or more.
Where the species differ so much that many types are called one class, the cells do not carry its genes
either; a target of which one class alone is called, and that is not of one type, is a stranger.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan, nan
from typing import Final, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Settled by benchmarks/kinship_rule.py (docs/alignment.md).
LEAST_KINSHIP: Final = 0.35
NEARLY_ALL: Final = 0.9
MOST: Final = 0.5
LEAST_CARRIED: Final = 0.19
LEAST_OF_FEW: Final = 0.33
N_SPLITS: Final = 3
FEWEST_CELLS: Final = 50
FEWEST_OF_A_CLASS: Final = 10
FEWEST_OF_ALL: Final = 5
LEAST_LENGTH: Final = 0.1
N_PARTS: Final = 10
SURE: Final = 1.645


@dataclass(frozen=True, eq=False)
class Kinship:
    """How far calls by half of the genes foretell the other half, at most 1, and what it is told by.

    Attributes
    ----------
    whole
        Of all cells; NaN where nothing tells.
    classes
        Of the cells called each class, shape (n_classes,), NaN where they are fewer than ten; None where
        nothing tells.
    largest, largest_two
        Shares of them that are called the most common class, and the two most common; NaN if not asked.
    by_halves
        Share of them that half of the genes call the most common class.
    carried
        How far the cells carry the genes of the classes they are called, a cosine; NaN after a shift.
    error
        Standard error of ``whole``.
    """

    whole: float = nan
    classes: Floats | None = None
    largest: float = nan
    largest_two: float = nan
    by_halves: float = nan
    carried: float = nan
    error: float = 0.0

    @property
    def least(self) -> float:
        """The lower end of the 95 % interval of ``whole``."""
        return self.whole - SURE * self.error

    @property
    def one_type(self) -> bool:
        """Whether nearly all cells are of one class, and carry its genes."""
        most = self.largest >= NEARLY_ALL and self.by_halves >= MOST
        return most and self.carried >= LEAST_CARRIED

    @property
    def few_types(self) -> bool:
        """Whether nearly all cells are of two classes, and carry their genes."""
        return self.largest_two >= NEARLY_ALL and self.carried >= LEAST_OF_FEW

    @property
    def lone(self) -> bool:
        """Whether one class alone was called, so that there is no kinship to tell."""
        return isnan(self.whole) and self.largest >= NEARLY_ALL

    @property
    def told(self) -> bool:
        """Whether there were cells enough to tell anything."""
        return self.lone or not isnan(self.whole)

    @property
    def foreign(self) -> bool:
        """Whether the cells are no kin of the source; False where nothing tells."""
        return not self.one_type and (self.lone or self.least < LEAST_KINSHIP)


def kinship(
    rows: sp.csr_array,
    means: NDArray[np.floating],
    *,
    shift: NDArray[np.floating],
    present: NDArray[np.bool_],
    n_called: NDArray[np.intp] | None = None,
) -> Kinship:
    """Return how far calls by half of the genes foretell the other half.

    Parameters
    ----------
    rows
        Encoded cells, shape (n, n_features).
    means
        Means of the classes that the source has, shape (n_classes, n_features).
    shift
        Species shift that is taken off each cell before it is called, shape (n_features,).
    present
        Which genes the cells have, shape (n_features,).
    n_called
        Cells that the model calls each class, shape (n_classes,): where it is one class alone, there is
        nothing to foretell.
    """
    if len(means) < 2 or rows.shape[0] < FEWEST_CELLS:
        return Kinship()
    columns, centres = rows.astype(np.float64).tocsc(), means.astype(np.float64)
    told = [
        _foretold(columns, centres, shift.astype(np.float64), known, other)
        for known, other in _halves(np.flatnonzero(present))
    ]
    wholes, alike, carried, sizes = (np.array(each) for each in zip(*told, strict=True))
    (whole, error), classes = _estimated(wholes), None
    largest, two = (nan, nan) if n_called is None else _largest(n_called)
    if n_called is not None and np.count_nonzero(n_called >= FEWEST_OF_ALL) < 2:
        whole = nan
    else:
        n_told = np.count_nonzero(~np.isnan(alike), axis=0)
        classes = np.where(n_told > 0, np.nansum(alike, axis=0) / np.maximum(n_told, 1), nan)
    return Kinship(
        whole=whole,
        classes=classes,
        largest=largest,
        largest_two=two,
        by_halves=float((sizes.max(axis=1) / sizes.sum(axis=1)).mean()),
        carried=nan if shift.any() else _mean(carried, sizes),
        error=error,
    )


def _estimated(wholes: Floats) -> tuple[float, float]:
    """Return the mean over halves of what all cells tell, and its standard error.

    Parameters
    ----------
    wholes
        What all cells tell, and all but each part of them, NaN where nothing, shape (n_halves, 1 + N_PARTS).
    """
    told = wholes[~np.isnan(wholes).any(axis=1)]
    if not len(told):
        return nan, 0.0
    whole, *without = told.mean(axis=0)
    return float(whole), float(np.sqrt((N_PARTS - 1) * np.var(without)))


def _largest(n_called: NDArray[np.intp]) -> tuple[float, float]:
    """Return the shares of the cells that are called the most common class, and the two most common."""
    ordered = np.sort(n_called)[::-1] / max(n_called.sum(), 1)
    return float(ordered[0]), float(ordered[:2].sum())


def _mean(values: Floats, sizes: NDArray[np.intp]) -> float:
    """Return the mean over cells of values of their classes, of those that have one."""
    weights = np.where(np.isnan(values), 0, sizes)
    return float((np.nan_to_num(values) * weights).sum() / weights.sum()) if weights.any() else nan


def _halves(genes: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield halves of the genes both ways: every second one, every second two, every second four."""
    for split in range(N_SPLITS):
        first = np.arange(len(genes)) >> split & 1 == 0
        yield genes[first], genes[~first]
        yield genes[~first], genes[first]


class _Foretold(NamedTuple):
    """What one half of the genes says of the other, NaN where hardly a cell is called so.

    ``wholes`` says how alike all classes are to the cells called so, and again without each part of them,
    ``alike`` each class, ``carried`` how far the cells carry its genes, and ``sizes`` how many they are.
    """

    wholes: Floats
    alike: Floats
    carried: Floats
    sizes: NDArray[np.intp]


def _foretold(
    columns: sp.csc_array,
    means: Floats,
    shift: Floats,
    known: NDArray[np.intp],
    other: NDArray[np.intp],
) -> _Foretold:
    """Call cells by the known genes, and compare them with what they are called in the others."""
    codes = _called(sp.csr_array(columns[:, known]), means[:, known], shift[known])
    none, sizes = np.full((2, len(means)), nan), np.bincount(codes, minlength=len(means))
    told = _Foretold(np.full(1 + N_PARTS, nan), none[0], none[1], sizes)
    called = np.flatnonzero(sizes >= FEWEST_OF_ALL)
    if not len(called):
        return told
    parts, source = _sums(sp.csr_array(columns[:, other]), codes, called), means[called][:, other]
    every, enough = parts.all(), sizes[called] >= FEWEST_OF_A_CLASS
    larger = called[enough]
    told.carried[larger] = _carried(every.of(enough), source[enough], means[:, other].mean(axis=0))
    told.alike[larger] = _alike(every.of(enough), source[enough])
    told.wholes[:] = [_whole(some, source) for some in (every, *parts.but_one())]
    return told


def _carried(cells: "_Sums", source: Floats, centre: Floats) -> Floats:
    """Return how far the cells carry the genes of the classes they are called, shape (n_classes,)."""
    up, less = source > centre, cells.means - centre
    less -= less.mean(axis=1, keepdims=True)
    return _cosine(*_products(up * less, up * (source - centre)))


def _alike(cells: "_Sums", source: Floats) -> Floats:
    """Return how alike each class is to the cells called so, NaN where it is one alone."""
    if len(source) < 2:
        return np.full(len(source), nan)
    inner, lengths, theirs = _products(cells.means - cells.means.mean(axis=0), source - source.mean(axis=0))
    return _cosine(inner, np.maximum(lengths - cells.noise, LEAST_LENGTH * lengths), theirs)


def _whole(cells: "_Sums", source: Floats) -> float:
    """Return how alike all classes are to the cells called so, NaN where it is one alone."""
    some = cells.n > 1
    if np.count_nonzero(some) < 2:
        return nan
    cells, source = cells.of(some), source[some]
    inner, lengths, theirs = _products(cells.means - cells.means.mean(axis=0), source - source.mean(axis=0))
    length = max(cells.n @ (lengths - cells.noise), LEAST_LENGTH * (cells.n @ lengths))
    return float(_cosine(cells.n @ inner, length, cells.n @ theirs))


def _products(own: Floats, source: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the inner products of rows, and their squared lengths."""
    return (own * source).sum(axis=1), (own**2).sum(axis=1), (source**2).sum(axis=1)


def _cosine(inner: Floats | float, length: Floats | float, other: Floats | float) -> Floats:
    """Return cosines from inner products and squared lengths, 0 where there is no length."""
    lengths = np.sqrt(length * other)
    found = np.divide(inner, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return np.asarray(np.clip(found, -1.0, 1.0))


def _called(cells: sp.csr_array, means: Floats, shift: Floats) -> NDArray[np.intp]:
    """Return the class that each cell is most like."""
    centre = means.mean(axis=0)
    offsets = means - centre
    lengths = np.maximum(np.linalg.norm(offsets, axis=1), 1e-12)
    return np.asarray(((cells @ offsets.T - offsets @ (centre + shift)) / lengths).argmax(axis=1))


class _Sums(NamedTuple):
    """Cells called each class: how many, their sums, and the sums of their squares over all genes.

    Shapes (n_classes,), (n_classes, n_genes) and (n_classes,), of parts of the cells with one axis more.
    """

    n: Floats
    sums: Floats
    squares: Floats

    def of(self, which: NDArray[np.bool_]) -> "_Sums":
        """Return some of the classes."""
        return _Sums(*(each[which] for each in self))

    def all(self) -> "_Sums":
        """Return all parts together."""
        return _Sums(*(each.sum(axis=0) for each in self))

    def but_one(self) -> Iterator["_Sums"]:
        """Yield all parts together but one, each in turn."""
        every = self.all()
        for part in range(len(self.n)):
            yield _Sums(*(whole - each[part] for whole, each in zip(every, self, strict=True)))

    @property
    def means(self) -> Floats:
        return self.sums / np.maximum(self.n, 1.0)[:, None]

    @property
    def noise(self) -> Floats:
        """Return the variance that so few cells leave in the squared length of their mean."""
        spread = self.squares / np.maximum(self.n, 1.0) - (self.means**2).sum(axis=1)
        return np.asarray(spread / np.maximum(self.n - 1.0, 1.0))


def _sums(cells: sp.csr_array, codes: NDArray[np.intp], called: NDArray[np.intp]) -> _Sums:
    """Return the sums of the cells of each class, in parts of every tenth cell."""
    inside = np.flatnonzero(np.isin(codes, called))
    row = inside % N_PARTS * len(called) + np.searchsorted(called, codes[inside])
    shape = (N_PARTS, len(called))
    chosen = sp.csr_array((np.ones(len(inside)), (row, inside)), shape=(shape[0] * shape[1], len(codes)))
    return _Sums(
        np.bincount(row, minlength=chosen.shape[0]).astype(np.float64).reshape(shape),
        (chosen @ cells).toarray().reshape(*shape, -1),
        np.asarray((chosen @ cells.power(2)).sum(axis=1)).reshape(shape),
    )
