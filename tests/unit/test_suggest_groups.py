"""The groups that labels are dealt to. Simulated places, for properties alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthotype.models.kinship import Kinship
from orthotype.transfer.suggest.groups import (
    CELLS_PER_CLUSTER,
    N_CLUSTERS,
    Groups,
    by_call,
    by_place,
    hardly_kin,
)

CLASSES = np.array(["a", "b", "c"], dtype=object)


def clouds(rng: np.random.Generator, n_clouds: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return places of cells in clouds far apart, and the cloud of each."""
    codes = np.repeat(np.arange(n_clouds), size)
    centres = 20.0 * np.eye(n_clouds, 8)
    return centres[codes] + rng.normal(size=(len(codes), 8)), codes


def test_groups_are_classes_and_what_fits_none_of_them() -> None:
    winner, unknown = np.array([2, 0, 0, 2]), np.array([False, False, True, True])
    codes, names = by_call(winner, unknown, CLASSES)
    assert [names[g] for g in codes] == ["c", "a", "unknown, nearest to 'a'", "unknown, nearest to 'c'"]


def test_calls_of_classes_of_little_kinship_say_little() -> None:
    winner = np.array([0, 1, 2, 1])
    assert hardly_kin(winner, Kinship(0.5, np.array([0.8, 0.3, np.nan]))).tolist() == [
        False,
        True,
        False,
        True,
    ]
    assert not hardly_kin(winner, Kinship(1.0)).any()
    assert not hardly_kin(
        winner, Kinship(0.2, np.array([0.2, 0.1, 0.3]), largest=0.95, by_halves=0.9, carried=0.5)
    ).any()


def test_cells_are_grouped_by_where_they_lie_and_the_others_stay(rng: np.random.Generator) -> None:
    places, cloud = clouds(rng, 6, 40)
    before = by_call(np.where(cloud < 4, 0, 1), np.zeros(240, dtype=bool), CLASSES)
    which = cloud < 4
    codes, names = by_place(before, which, places, mass=np.ones(240), random_state=0)
    assert len(names) == 1 + which.sum() // CELLS_PER_CLUSTER
    assert {names[g] for g in codes[~which]} == {"b"}
    assert all("like no class" in names[g] for g in codes[which])
    for g in np.unique(codes[which]):
        assert len(set(cloud[codes == g])) == 1


@pytest.mark.parametrize("n", [0, 1, 2 * CELLS_PER_CLUSTER - 1])
def test_a_handful_of_cells_stays_where_it_is(rng: np.random.Generator, n: int) -> None:
    before = Groups(np.zeros(60, dtype=np.intp), ["a"])
    assert (
        by_place(before, np.arange(60) < n, rng.normal(size=(60, 3)), mass=np.ones(60), random_state=0)
        is before
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), share=st.floats(0.2, 1.0))
def test_every_cell_has_one_group_and_every_group_a_cell(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    places, cloud = clouds(rng, 5, 80)
    before = by_call(cloud % 3, rng.random(400) < 0.2, CLASSES)
    which = rng.random(400) < share
    codes, names = by_place(before, which, places, mass=rng.random(400) + 0.5, random_state=0)
    assert np.unique(codes).tolist() == list(range(len(names)))
    assert len(set(names)) == len(names)
    assert sum("like no class" in name for name in names) <= N_CLUSTERS
    assert [names[g] for g in codes[~which]] == [before.names[g] for g in before.codes[~which]]
