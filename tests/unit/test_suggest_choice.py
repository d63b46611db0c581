"""Shares of groups and the choice within a group. Simulated places, for properties alone."""

import numpy as np

from orthotype.transfer.suggest.choice import (
    TYPICAL,
    Cover,
    alike,
    choose,
    doubts,
    shares,
    squared_distances,
)


def balls(rng: np.random.Generator, sizes: tuple[int, ...], apart: float = 20.0) -> np.ndarray:
    """Give clouds of points, far from each other."""
    centres = apart * np.eye(len(sizes), 4)
    return np.concatenate([c + rng.standard_normal((n, 4)) for c, n in zip(centres, sizes, strict=True)])


def chosen(places: np.ndarray, groups: np.ndarray, n: int, **more: np.ndarray) -> np.ndarray:
    m = len(places)
    given = {
        "mass": np.ones(m),
        "doubt": np.full(m, 0.2),
        "labelled": np.zeros(m, dtype=bool),
        "labels": np.zeros(groups.max() + 1),
    } | more
    return choose(places, groups, n=n, **given)


def test_doubt_is_the_lead_that_is_missing_the_votes_or_being_unknown() -> None:
    proba = np.array([[0.9, 0.1, 0.0], [0.5, 0.4, 0.1], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    found = doubts(proba, np.array([5, 5, 2, 5]), np.array([False, False, False, True]), n_models=5)
    np.testing.assert_allclose(found, [0.2, 0.9, 0.6, 1.0])


def test_one_class_leaves_no_doubt() -> None:
    assert doubts(np.ones((3, 1)), np.full(3, 5), np.zeros(3, dtype=bool), n_models=5).tolist() == [0, 0, 0]


def test_what_was_asked_for_is_not_chosen_and_covers_nothing(rng: np.random.Generator) -> None:
    sizes = (30, 5)
    places, groups = balls(rng, sizes), np.repeat(np.arange(2), sizes)
    first = chosen(places, groups, 1)
    asked = groups == 1
    asked[first] = True
    found = chosen(places, groups, 35, asked=asked)
    assert sorted(found) == np.flatnonzero(~asked).tolist()
    labelled = np.zeros(35, dtype=bool)
    labelled[first] = True
    covered = chosen(places, groups, 35, labelled=labelled, asked=asked)
    assert sorted(covered) == sorted(found)
    assert covered.tolist() != found.tolist()


def test_every_group_gets_a_label_before_the_largest_gets_many(rng: np.random.Generator) -> None:
    sizes = (500, 100, 3, 1)
    groups = np.repeat(np.arange(4), sizes)
    dealt = np.bincount(groups[chosen(balls(rng, sizes), groups, 16)], minlength=4)
    assert dealt.min() >= 1
    assert dealt[0] > dealt[1] >= 3
    assert dealt[0] <= 9


def test_one_large_unknown_group_does_not_take_all(rng: np.random.Generator) -> None:
    sizes = (900, 30, 30, 30)
    groups = np.repeat(np.arange(4), sizes)
    doubt = np.where(groups == 0, 1.0, 0.05)
    dealt = np.bincount(groups[chosen(balls(rng, sizes), groups, 20, doubt=doubt)], minlength=4)
    assert dealt[1:].min() >= 1
    assert 10 <= dealt[0] <= 17


def test_groups_with_labels_wait(rng: np.random.Generator) -> None:
    groups = np.repeat(np.arange(3), 40)
    dealt = chosen(balls(rng, (40, 40, 40)), groups, 4, labels=np.array([0.0, 5.0, 5.0]))
    assert np.bincount(groups[dealt], minlength=3).tolist() == [4, 0, 0]


def test_within_a_group_every_cloud_is_seen_once_before_any_is_seen_twice(rng: np.random.Generator) -> None:
    clouds = np.repeat(np.arange(4), 40)
    places = balls(rng, (40, 40, 40, 40))
    first = chosen(places, np.zeros(160, dtype=int), 4)
    assert sorted(clouds[first].tolist()) == [0, 1, 2, 3]


def test_what_is_near_a_label_is_not_asked_for_again(rng: np.random.Generator) -> None:
    clouds = np.repeat(np.arange(3), 50)
    places = balls(rng, (50, 50, 50))
    labelled = np.zeros(150, dtype=bool)
    labelled[np.argmin(((places[:50] - places[:50].mean(axis=0)) ** 2).sum(axis=1))] = True
    first = chosen(places, np.zeros(150, dtype=int), 2, labelled=labelled)
    assert sorted(clouds[first].tolist()) == [1, 2]


def test_the_first_labels_are_typical_and_then_come_doubtful_cells(rng: np.random.Generator) -> None:
    clouds = np.repeat(np.arange(2), 60)
    doubt = np.where(clouds == 1, 0.9, 0.0)
    given = {"places": balls(rng, (60, 60)), "groups": np.zeros(120, dtype=int), "doubt": doubt}
    assert clouds[chosen(n=1, **given)].tolist() == [0]
    assert clouds[chosen(n=1, labels=np.array([float(TYPICAL)]), **given)].tolist() == [1]


def test_a_group_that_is_all_doubt_is_chosen_from_by_where_cells_lie(rng: np.random.Generator) -> None:
    clouds = np.repeat(np.arange(2), (50, 40))
    first = chosen(balls(rng, (50, 40)), np.zeros(90, dtype=int), 2, doubt=np.ones(90))
    assert clouds[first].tolist() == [0, 1]


def test_mass_is_the_same_as_that_many_cells(rng: np.random.Generator) -> None:
    groups = np.repeat(np.arange(2), (30, 10))
    doubt = rng.random(40)
    heavy = shares(groups, np.where(groups == 1, 5.0, 1.0), doubt)
    many = np.concatenate([np.arange(30), np.repeat(np.arange(30, 40), 5)])
    np.testing.assert_allclose(heavy, shares(groups[many], np.ones(80), doubt[many]))


def test_a_group_is_emptied_and_then_left_alone(rng: np.random.Generator) -> None:
    groups = np.repeat(np.arange(2), (5, 2))
    everything = chosen(balls(rng, (5, 2)), groups, 50)
    assert sorted(everything.tolist()) == list(range(7))


def test_the_greedy_choice_is_the_obvious_one(rng: np.random.Generator) -> None:
    places, weights = rng.standard_normal((40, 3)), rng.random(40)
    S, covered, slow = alike(places), np.zeros(40), []
    for _ in range(6):
        value = [
            -1.0 if j in slow else (weights * np.exp(-covered) * (1 - np.exp(-S[:, j]))).sum()
            for j in range(40)
        ]
        slow.append(int(np.argmax(value)))
        covered += S[:, slow[-1]]
    cover = Cover.of(np.arange(40), places, labelled=np.zeros(40, dtype=bool))
    assert [cover.next(weights) for _ in range(6)] == slow


def test_alikeness_is_one_with_itself_symmetric_and_falls_with_distance(rng: np.random.Generator) -> None:
    S = alike(rng.standard_normal((30, 3)))
    np.testing.assert_allclose(np.diag(S), 1.0)
    np.testing.assert_allclose(S, S.T)
    assert ((S >= 0) & (S <= 1)).all()
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = alike(np.column_stack([np.cos(turn), np.sin(turn)]))
    assert (np.diff(ring[0, :13]) < 0).all()


def test_cells_that_lie_in_one_place_are_no_trouble() -> None:
    assert np.isfinite(alike(np.zeros((8, 2)))).all()
    assert np.isfinite(alike(np.zeros((1, 2)))).all()
    assert len(chosen(np.zeros((8, 2)), np.zeros(8, dtype=int), 3)) == 3


def test_distances_are_those_of_scipy(rng: np.random.Generator) -> None:
    from scipy.spatial.distance import cdist

    a, b = rng.standard_normal((9, 5)), rng.standard_normal((4, 5))
    np.testing.assert_allclose(squared_distances(a, b), cdist(a, b, "sqeuclidean"), atol=1e-12)
