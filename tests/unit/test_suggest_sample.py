"""Which cells are compared, and where they lie."""

import numpy as np
import pytest
import scipy.sparse as sp

from orthotype.cells.rows import MatrixRows
from orthotype.transfer.suggest.sample import draw, even_shares, gather, places


def test_few_cells_are_all_taken(rng: np.random.Generator) -> None:
    drawn = draw(np.array([0, 1, 1, 4]), most=10, rng=rng)
    assert drawn.cells.tolist() == [0, 1, 2, 3]
    assert drawn.mass.tolist() == [1, 1, 1, 1]


def test_what_is_rare_is_kept_whole_and_the_mass_is_all_cells(rng: np.random.Generator) -> None:
    strata = np.repeat([0, 1, 2, 3], [9000, 900, 7, 1])
    drawn = draw(rng.permutation(strata), most=300, rng=np.random.default_rng(0))
    assert len(drawn.cells) <= 300
    assert len(set(drawn.cells.tolist())) == len(drawn.cells)
    drawn = draw(strata, most=300, rng=np.random.default_rng(0))
    assert np.bincount(strata[drawn.cells]).tolist() == [146, 146, 7, 1]
    assert drawn.mass.sum() == pytest.approx(9908)


def test_the_codes_of_the_strata_play_no_part(rng: np.random.Generator) -> None:
    strata = rng.integers(0, 4, 1000)
    renamed = np.array([7, 2, 9, 0])[strata]
    one, other = (draw(codes, most=100, rng=np.random.default_rng(5)) for codes in (strata, renamed))
    np.testing.assert_array_equal(one.cells, other.cells)
    np.testing.assert_array_equal(one.mass, other.mass)


def test_cells_can_be_left_out(rng: np.random.Generator) -> None:
    drawn = draw(np.array([-1, 0, -1, 0]), most=10, rng=rng)
    assert drawn.cells.tolist() == [1, 3]
    assert len(draw(np.full(4, -1), most=10, rng=rng).cells) == 0


@pytest.mark.parametrize(
    ("sizes", "most", "expected"),
    [
        ([3, 50, 100], 43, [3, 20, 20]),
        ([3, 50, 100], 1000, [3, 50, 100]),
        ([5, 5, 5], 9, [3, 3, 3]),
        ([5, 5, 0, 5], 2, [1, 1, 0, 1]),
    ],
)
def test_even_shares(sizes: list[int], most: int, expected: list[int]) -> None:
    assert even_shares(np.array(sizes), most).tolist() == expected


@pytest.mark.parametrize("size", [1, 3, 100])
def test_gathered_rows_do_not_depend_on_the_blocks(rng: np.random.Generator, size: int) -> None:
    X = sp.csr_array(rng.poisson(0.4, (20, 6)).astype(np.float32))
    cells = np.array([0, 3, 4, 11, 19])
    found = gather(MatrixRows(X), cells, block_size=size)
    np.testing.assert_array_equal(found.toarray(), X.toarray()[cells])


def test_both_parts_of_a_place_have_the_same_spread(rng: np.random.Generator) -> None:
    proba = rng.dirichlet(np.ones(4), 60)
    found = places(sp.csr_array(rng.poisson(0.5, (60, 40)).astype(np.float32)), proba)
    assert found.joined.shape == (60, 20 + 4)
    for part in found:
        np.testing.assert_allclose(part.mean(axis=0), 0.0, atol=1e-12)
        assert (part**2).sum(axis=1).mean() == pytest.approx(1.0)


def test_a_model_that_is_sure_of_one_class_adds_nothing(rng: np.random.Generator) -> None:
    found = places(sp.csr_array(rng.poisson(0.5, (9, 5)).astype(np.float32)), np.ones((9, 1)))
    assert np.isfinite(found.joined).all()
    assert (found.calls == 0).all()
