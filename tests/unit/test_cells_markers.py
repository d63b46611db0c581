"""Markers of classes: a gene of a rare class is found that hardly varies over all cells."""

import numpy as np
import pytest
import scipy.sparse as sp

from orthotype.cells import pieces
from orthotype.cells.markers import ClassMoments, select_markers

N, F = 400, 60


@pytest.fixture(scope="module")
def cells() -> tuple[sp.csr_array, np.ndarray, np.ndarray]:
    """Return counts, totals and classes: 8 cells of class 2, with genes 0 to 2 of their own."""
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], [250, 142, 8])
    rng.shuffle(codes)
    means = np.full((3, F), 2.0)
    means[2, :3] *= 8
    means[0, 3:30] *= 1.5
    means[1, 30:] *= rng.gamma(1.0, 1.0, size=F - 30)
    counts = rng.poisson(means[codes])
    return sp.csr_array(counts.astype(np.float64)), counts.sum(axis=1).astype(float), codes


def gathered(counts: sp.csr_array, totals: np.ndarray, codes: np.ndarray, size: int) -> ClassMoments:
    moments = ClassMoments(3, F)
    for first in range(0, counts.shape[0], size):
        part = slice(first, first + size)
        moments.update(counts[part], totals[part], codes[part])
    return moments


def test_moments_are_those_of_the_cells(cells: tuple[sp.csr_array, np.ndarray, np.ndarray]) -> None:
    counts, totals, codes = cells
    found = gathered(counts, totals, codes, 33)
    log = np.log1p(counts.toarray() * 1e4 / totals[:, None])
    means = np.array([log[codes == k].mean(axis=0) for k in range(3)])
    np.testing.assert_allclose(found.mean, means, rtol=1e-10)
    np.testing.assert_allclose(found.within, ((log - means[codes]) ** 2).mean(axis=0), rtol=1e-8)
    assert found.n_cells.tolist() == [250, 142, 8]


def test_blocks_and_shares_of_the_work_give_the_same_to_the_last_bit(
    cells: tuple[sp.csr_array, np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE", 128)
    counts, totals, codes = cells
    whole = gathered(counts, totals, codes, N)
    parts = ClassMoments(3, F)
    for first in range(0, N, 128):
        part = slice(first, first + 128)
        parts = parts.merge(gathered(counts[part], totals[part], codes[part], 17))
    for other in (gathered(counts, totals, codes, 7), parts):
        np.testing.assert_array_equal(other.mean, whole.mean)
        np.testing.assert_array_equal(other.within, whole.within)


def test_genes_of_a_rare_class_are_among_the_chosen(
    cells: tuple[sp.csr_array, np.ndarray, np.ndarray],
) -> None:
    moments = gathered(*cells, 50)
    every = np.ones(F, dtype=bool)
    assert select_markers(moments, n_top=3, eligible=every)[:3].all()
    assert select_markers(moments, n_top=3, eligible=every).sum() <= 9
    without = every.copy()
    without[0] = False
    assert not select_markers(moments, n_top=3, eligible=without)[0]
    assert not select_markers(moments, n_top=0, eligible=every).any()


def test_a_gene_below_the_mean_of_the_classes_is_no_marker(
    cells: tuple[sp.csr_array, np.ndarray, np.ndarray],
) -> None:
    moments = gathered(*cells, 50)
    chosen = select_markers(moments, n_top=F, eligible=np.ones(F, dtype=bool))
    above = (moments.mean > moments.mean.mean(axis=0)).any(axis=0)
    np.testing.assert_array_equal(chosen, above)
