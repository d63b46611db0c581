"""What is said about a suggested cell."""

import numpy as np
import pytest
import scipy.sparse as sp

from orthotype.transfer.suggest.words import Called, counted, nearest_to, reason, top_genes

SURE = Called("alpha", "assigned", (("alpha", 0.98), ("gamma", 0.01)))
TORN = Called("alpha", "assigned", (("alpha", 0.41), ("gamma", 0.38)))


@pytest.mark.parametrize(
    ("called", "stands_for", "first", "words"),
    [
        (
            Called("alpha", "unknown", SURE.best),
            1212,
            True,
            "stands for 1,212 cells that fit no class, nearest to 'alpha'",
        ),
        (
            Called("alpha", "unknown", SURE.best),
            1,
            False,
            "stands for 1 cell that fits no class, nearest to 'alpha'",
        ),
        (SURE, 30, True, "the first cell of 'alpha'; stands for 30 cells"),
        (SURE, 30, False, "a part of 'alpha' without a label; stands for 30 cells"),
        (TORN, 3, False, "between 'alpha' and 'gamma': 0.41 and 0.38; stands for 3 cells"),
        (
            *(TORN, 1, True),
            "the first cell of 'alpha'; between 'alpha' and 'gamma': 0.41 and 0.38; stands for 1 cell",
        ),
        (
            *(Called("alpha", "no agreement", SURE.best), 2, False),
            "the fold models do not agree on 'alpha'; stands for 2 cells",
        ),
        (
            *(Called("only", "assigned", (("only", 1.0),)), 5, False),
            "a part of 'only' without a label; stands for 5 cells",
        ),
    ],
)
def test_reasons(called: Called, stands_for: int, first: bool, words: str) -> None:
    assert reason(called, stands_for=stands_for, first=first) == words


def test_a_cell_whose_class_is_hardly_kin_is_not_said_to_be_of_it() -> None:
    said = reason(SURE, stands_for=30, first=True, kin=False)
    assert said == "stands for 30 cells that are most like 'alpha', but hardly kin of it"
    unknown = Called("alpha", "unknown", SURE.best)
    assert "fits no class" in reason(unknown, stands_for=1, first=True, kin=False)


def test_the_nearest_cells_with_the_cell_itself_first() -> None:
    places = np.arange(40.0)[:, None]
    (near,) = nearest_to(np.array([20]), places)
    assert near[0] == 20
    assert set(range(13, 28)) < set(near.tolist())
    assert len(near) == 16
    (all_of_them,) = nearest_to(np.array([1]), places[:4])
    assert sorted(all_of_them.tolist()) == [0, 1, 2, 3]


def test_names_are_counted() -> None:
    assert counted(["b", "a", "b", "c"]) == "b 2, a 1, c 1"
    assert counted([]) == ""


def test_genes_that_are_high_here_and_not_elsewhere(rng: np.random.Generator) -> None:
    counts = rng.poisson(5.0, (30, 6)).astype(np.float32)
    counts[:5, 2] += 40
    counts[0, 4] += 400
    names = np.array(list("abcdef"), dtype=object)
    found = top_genes(sp.csr_array(counts[:5]), totals=counts.sum(axis=0), names=names)
    assert set(found) == {"c", "e"}
    only_one_cell_has_it = counts[:5].copy()
    only_one_cell_has_it[1:, 4] = 0
    few = top_genes(sp.csr_array(only_one_cell_has_it), totals=counts.sum(axis=0), names=names)
    assert "e" not in few


def test_at_most_so_many_genes(rng: np.random.Generator) -> None:
    counts = np.vstack([np.full((2, 30), 9.0), np.eye(30)]).astype(np.float32)
    counts[:2, 20:] = 0
    names = np.array([f"g{j}" for j in range(30)], dtype=object)
    assert len(top_genes(sp.csr_array(counts[:2]), totals=counts.sum(axis=0), names=names)) <= 8


def test_no_other_cells_no_genes() -> None:
    counts = sp.csr_array(np.ones((2, 3), dtype=np.float32))
    names = np.array(["a", "b", "c"], dtype=object)
    assert top_genes(counts, totals=np.full(3, 2.0), names=names) == []
