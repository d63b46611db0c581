"""Sums by pieces, and rows kept on the way: the same for any blocks and any workers. Simulated cells."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from orthotype.cells import pieces
from orthotype.cells.encode import LogNormalize
from orthotype.cells.sample import KeptRows
from orthotype.cells.select import GeneMoments
from orthotype.cells.survey import Surveyor

N_CELLS, N_GENES = 57, 11


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 10)


@pytest.fixture
def cells(rng: np.random.Generator) -> sp.csr_array:
    values = rng.random((N_CELLS, N_GENES)) * (rng.random((N_CELLS, N_GENES)) < 0.5)
    values[:, 0] = 0.1
    values *= 10.0 ** rng.uniform(-8, 8, values.shape)  # so far apart that the order of sums shows
    return sp.csr_array(values.astype(np.float32))


def cut_into(n: int, size: int) -> list[slice]:
    return [slice(*pair) for pair in pairwise([*range(0, n, size), n])]


def test_edges_are_those_of_the_pieces() -> None:
    assert pieces.edges(0, 30) == [0, 10, 20, 30]
    assert pieces.edges(7, 21) == [7, 10, 20, 21]
    assert pieces.edges(10, 13) == [10, 13]
    assert [cell for cell in range(25) if pieces.is_edge(cell)] == [0, 10, 20]


def test_a_block_in_one_piece_is_not_copied(cells: sp.csr_array) -> None:
    assert [rows for rows, _ in pieces.cut(20, cells[:10])] == [slice(0, 10)]
    block = cells[:5]
    assert next(pieces.cut(3, block))[1] is block
    assert [rows for rows, _ in pieces.cut(8, cells[:13])] == [slice(0, 2), slice(2, 12), slice(12, 13)]


def moments_of(cells: sp.csr_array, size: int) -> GeneMoments:
    found = GeneMoments(N_GENES)
    for rows in cut_into(cells.shape[0], size):
        block = cells[rows]
        totals = np.asarray(block.sum(axis=1, dtype=np.float64)).ravel()
        found.update(block, totals, LogNormalize().encode(block, totals))
    return found


def alike(one: GeneMoments, other: GeneMoments) -> None:
    np.testing.assert_array_equal(one.n_nonzero, other.n_nonzero)
    for scale in other.sums:
        np.testing.assert_array_equal(one.sums[scale], other.sums[scale])
        np.testing.assert_array_equal(one.squares[scale], other.squares[scale])


@pytest.mark.parametrize("size", [1, 7, 10, 23, 57])
def test_moments_depend_neither_on_blocks_nor_on_who_worked(cells: sp.csr_array, size: int) -> None:
    whole, merged = moments_of(cells, 57), GeneMoments(N_GENES)
    alike(moments_of(cells, size), whole)
    for rows in cut_into(N_CELLS, pieces.PIECE):
        merged = merged.merge(moments_of(cells[rows], size))
    alike(merged, whole)


def surveyed(cells: sp.csr_array, first: int, size: int) -> Surveyor:
    found = Surveyor((cells.shape[0], N_GENES), first=first)
    for rows in cut_into(cells.shape[0], size):
        found.at(slice(rows.start + first, rows.stop + first), cells[rows], cells[rows])
    return found


@pytest.mark.parametrize("whole_until", [0, 33, N_CELLS])
@pytest.mark.parametrize("size", [1, 7, 57])
def test_a_look_at_pieces_is_a_look_at_all(
    cells: sp.csr_array, size: int, whole_until: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With whole numbers up to some cell: their sums are exact in any order, those of fractions are not."""
    monkeypatch.setattr("orthotype.cells.scan.SCAN_SIZE", 20)
    monkeypatch.setattr("orthotype.cells.scan.SAMPLE_CELLS", 13)
    cells.data[: cells.indptr[whole_until]] = np.ceil(cells.data[: cells.indptr[whole_until]])
    whole, joined = surveyed(cells, 0, N_CELLS), Surveyor(cells.shape)
    for rows in cut_into(N_CELLS, pieces.PIECE):
        joined.join(surveyed(cells[rows], rows.start, size))
    for found in (joined, surveyed(cells, 0, size)):
        np.testing.assert_array_equal(found.totals, whole.totals)
        np.testing.assert_array_equal(found.look.flags, whole.look.flags)
        assert found.look.lowest == whole.look.lowest
        ours, theirs = (
            {stretch: sp.vstack(parts).toarray() for stretch, parts in each.look.samples.items()}
            for each in (found, whole)
        )
        assert ours.keys() == theirs.keys()
        for stretch in theirs:
            np.testing.assert_array_equal(ours[stretch], theirs[stretch])


@pytest.mark.parametrize("size", [1, 7, 57])
def test_kept_rows_come_back_in_any_order(
    cells: sp.csr_array, size: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orthotype.cells.sample.AT_ONCE", 5)
    places = np.sort(rng.permutation(N_CELLS)[:31])
    kept = KeptRows(places, N_GENES)
    for rows in cut_into(N_CELLS, size):
        assert not kept.whole or rows.start > places[-1]
        kept.at(rows, cells[rows])
    assert kept.whole
    others = np.setdiff1d(np.arange(N_CELLS), places)[:4]
    wanted = rng.permutation(np.concatenate([places[::2], others]))
    found = kept.rows(wanted, others=(others, [cells[[cell]] for cell in others]))
    np.testing.assert_array_equal(found.toarray(), cells[wanted].toarray())
    assert found.has_canonical_format


def test_a_pass_from_the_middle_keeps_nothing(cells: sp.csr_array) -> None:
    kept = KeptRows(np.array([3, 40]), N_GENES)
    kept.at(slice(10, 57), cells[10:])
    assert not kept.whole
    kept.join(slice(0, 20), cells[[3]])
    kept.join(slice(20, 57), cells[[40]])
    found = kept.rows(np.array([40, 3]), others=(np.empty(0, dtype=int), []))
    np.testing.assert_array_equal(found.toarray(), cells[[40, 3]].toarray())
