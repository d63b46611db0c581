"""Walks from a few labels: they follow the cells, compete, and leave classes without a label their own."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from orthotype.transfer.adapt import walk
from orthotype.transfer.adapt.walk import LEAST_SHARE, REACHED, Walk, tied, walk_from, walked

NOTHING = np.empty(0, dtype=np.intp)


@pytest.fixture
def arcs(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two bent strips of 150 cells, each nearer to the other's middle than to its own far end."""
    turn = np.pi * rng.uniform(size=300)
    of = np.arange(300) % 2
    x = np.where(of == 0, np.cos(turn), 1 - np.cos(turn))
    y = np.where(of == 0, np.sin(turn), 0.5 - np.sin(turn))
    return np.stack([x, y], axis=1) + 0.03 * rng.standard_normal((300, 2)), of


def ends(places: np.ndarray, of: np.ndarray) -> np.ndarray:
    """One cell of each strip, at its end."""
    return np.array([np.flatnonzero(of == 0)[places[of == 0, 0].argmax()], places[:, 0].argmax()])


def test_walks_follow_the_cells_where_distance_misleads(arcs: tuple[np.ndarray, np.ndarray]) -> None:
    places, of = arcs
    first = ends(places, of)
    begin = np.zeros((300, 2))
    begin[first, [0, 1]] = 1.0
    ties = tied(places)
    assert ties is not None
    assert abs(ties - ties.T).max() < 1e-12
    called = walked(ties, begin).argmax(axis=1)
    nearest = ((places[:, None] - places[first][None]) ** 2).sum(axis=-1).argmin(axis=1)
    assert (called == of).mean() > 0.95
    assert (nearest == of).mean() < 0.85


def test_too_few_cells_tie_nothing(rng: np.random.Generator) -> None:
    assert tied(rng.standard_normal((9, 2))) is None
    assert tied(np.empty((50, 0))) is None
    cells = csr_array(np.ones((8, 3)))
    places = rng.standard_normal((9, 2))
    assert walk_from(np.array([0]), [NOTHING] * 2, cells, places, new=np.zeros(2, dtype=bool)) is None


def test_reached_are_the_surest_of_labelled_classes(rng: np.random.Generator) -> None:
    X = csr_array(np.arange(1.0, 41)[:, None] * np.ones(3))
    scores = np.zeros((40, 3))
    scores[:15, 0] = np.linspace(9, 2, 15)
    scores[15:30, 2] = 5.0
    said = Walk(X, np.zeros((40, 3)), np.array([True, True, False]))
    rows, classes = said.reached(scores)
    assert classes.tolist() == [0], "nothing is surely of class 1, and class 2 has no label"
    np.testing.assert_allclose(rows.toarray(), np.mean(np.arange(1.0, REACHED + 1)))
    against = np.zeros((40, 3))
    against[:15, 1] = 20.0
    assert Walk(X, against, said.labelled).reached(scores)[1].tolist() == [1], "the walk has its say"


def test_classes_without_a_label_keep_their_cells(arcs: tuple[np.ndarray, np.ndarray]) -> None:
    places, of = arcs
    one = ends(places, of)[0]
    order = np.append(np.delete(np.arange(300), one), one)
    places, of = places[order], of[order]
    X, new = csr_array(places[:-1]), np.zeros(2, dtype=bool)
    codes, others = np.array([0]), np.flatnonzero(of[:-1] == 1)[:20]
    for own, share in (([NOTHING, others], 0.95), ([NOTHING, NOTHING], 0.0)):
        found = walk_from(codes, own, X, places, new=new)
        assert found is not None
        called = found.said.argmax(axis=1)
        assert (called[of[:-1] == 1] == 1).mean() >= share
        assert (called[of[:-1] == 0] == 0).mean() > 0.95
    assert (called == 0).all()


def test_walks_say_more_where_classes_are_new(arcs: tuple[np.ndarray, np.ndarray]) -> None:
    places, _ = arcs
    X = csr_array(places[:-2])
    said = [
        found.said
        for new in ([False, False], [False, True])
        if (found := walk_from(np.array([0, 1]), [NOTHING] * 2, X, places, new=np.array(new)))
    ]
    np.testing.assert_allclose(said[1], 1.5 * said[0])
    assert said[0].min() >= np.log(LEAST_SHARE)


def test_walks_do_not_depend_on_how_many_labels_a_class_has(arcs: tuple[np.ndarray, np.ndarray]) -> None:
    places, of = arcs
    ties = tied(places)
    assert ties is not None
    begin = np.zeros((300, 2))
    begin[ends(places, of), [0, 1]] = 1.0
    np.testing.assert_allclose(walked(ties, begin), walked(ties, begin * [5.0, 1.0]), rtol=1e-6)
    assert walk.STEPS * (1 - walk.GOES_ON) > 1, "walks end where they are soon enough"
