"""The first labels go by where cells lie; the places are made up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering

from orthotype.transfer.suggest.first import N_FIRST, first_cells


def clouds(rng: np.random.Generator, sizes: list[int], apart: float = 40.0) -> tuple[np.ndarray, np.ndarray]:
    """Return places in clouds, and the cloud of each."""
    which = np.repeat(np.arange(len(sizes)), sizes)
    return apart * np.eye(len(sizes))[which] + rng.standard_normal((len(which), len(sizes))), which


def first(places: np.ndarray, n: int, labelled: list[int] | None = None) -> list[int]:
    has = np.isin(np.arange(len(places)), labelled or [])
    return first_cells(places, mass=np.ones(len(places)), labelled=has, n=n).tolist()


def test_every_cloud_gives_a_cell_however_small_it_is(rng: np.random.Generator) -> None:
    places, which = clouds(rng, [400, 80, 40, 6, 3])
    assert sorted(which[first(places, 5)]) == [0, 1, 2, 3, 4]


def test_clouds_with_a_label_wait(rng: np.random.Generator) -> None:
    places, which = clouds(rng, [100, 80, 40, 6])
    assert sorted(which[first(places, 2, labelled=[0, 1, 2, 180])]) == [1, 3]


def test_cells_are_typical_of_where_they_lie(rng: np.random.Generator) -> None:
    places, which = clouds(rng, [60, 50, 40])
    for cell in first(places, 3):
        own = places[which == which[cell]]
        middle = own.mean(axis=0)
        assert np.linalg.norm(places[cell] - middle) < np.median(np.linalg.norm(own - middle, axis=1))


def test_mass_is_the_same_as_that_many_cells(rng: np.random.Generator) -> None:
    places, _ = clouds(rng, [30, 20])
    mass = np.where(np.arange(50) < 5, 100.0, 1.0)
    cell = first_cells(places, mass=mass, labelled=np.zeros(50, dtype=bool), n=1)[0]
    assert np.linalg.norm(places[cell] - places[:5].mean(axis=0)) < 4.0


def test_there_is_one_cell_in_each_cluster_of_another_library(rng: np.random.Generator) -> None:
    places = rng.standard_normal((120, 6))
    for n in (2, 7, 20):
        clusters = AgglomerativeClustering(n).fit_predict(places)
        assert sorted(clusters[first(places, n)]) == list(range(n))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(0, 45), n_labelled=st.integers(0, 40))
def test_as_many_as_there_are_once_each_and_none_with_a_label(seed: int, n: int, n_labelled: int) -> None:
    rng = np.random.default_rng(seed)
    places = rng.integers(0, 3, (40, 2)).astype(float)  # many lie in one place
    labelled = rng.permutation(40)[:n_labelled].tolist()
    chosen = first(places, n, labelled)
    assert len(chosen) == len(set(chosen)) == min(n, 40 - n_labelled)
    assert not set(chosen) & set(labelled)
    assert first(places, 40, labelled)[: len(chosen)] == chosen


@pytest.mark.parametrize("n_cells", [0, 1, 2])
def test_hardly_any_cells(n_cells: int) -> None:
    assert first(np.zeros((n_cells, 2)), N_FIRST) == list(range(n_cells))
