"""The choice of cells that `suggest` is compared with. Simulated places, for properties alone."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orthotype.transfer.suggest import choice

ROOT = Path(__file__).parents[2]


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give the other choices as a module."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("suggest_parts")


def chosen(parts: ModuleType, way: str, places: np.ndarray, n: int, **more: np.ndarray) -> np.ndarray:
    m = len(places)
    groups = more.pop("groups", np.zeros(m, dtype=np.intp))
    given = {
        "mass": np.ones(m),
        "doubt": np.full(m, 0.5),
        "labelled": np.zeros(m, dtype=bool),
        "labels": np.zeros(groups.max() + 1),
    } | more
    return np.asarray(getattr(parts, way)(places, groups, n=n, **given))


@pytest.mark.parametrize("way", ["of_all", "of_groups"])
def test_every_cloud_is_seen_once_before_any_is_seen_twice(
    parts: ModuleType, rng: np.random.Generator, way: str
) -> None:
    sizes = (300, 50, 12, 3)
    cloud = np.repeat(np.arange(4), sizes)
    places = 30.0 * np.eye(4)[cloud] + rng.standard_normal((len(cloud), 4))
    assert sorted(cloud[chosen(parts, way, places, 4)].tolist()) == [0, 1, 2, 3]
    labelled = np.zeros(len(cloud), dtype=bool)
    labelled[[5, 310, 355]] = True
    assert cloud[chosen(parts, way, places, 1, labelled=labelled)].tolist() == [3]


def test_labels_are_dealt_to_groups_as_they_are_by_the_choice_itself(
    parts: ModuleType, rng: np.random.Generator
) -> None:
    groups = np.repeat(np.arange(4), (200, 60, 9, 2))
    places = rng.standard_normal((len(groups), 3))
    more = {"groups": groups, "doubt": rng.random(len(groups)), "labels": np.array([0.0, 2.0, 0.0, 1.0])}
    labelled = rng.random(len(groups)) < 0.05
    for n in (1, 7, 40):
        given = more | {"mass": np.ones(len(groups)), "labelled": labelled}
        dealt = groups[choice.choose(places, n=n, **given)]
        assert groups[chosen(parts, "of_groups", places, n, **given)].tolist() == dealt.tolist()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), m=st.integers(2, 50), way=st.sampled_from(["of_all", "of_groups"]))
def test_as_many_as_asked_for_and_none_that_was_asked_for(
    parts: ModuleType, seed: int, m: int, way: str
) -> None:
    rng = np.random.default_rng(seed)
    labelled = rng.random(m) < 0.2
    asked = labelled | (rng.random(m) < 0.2)
    groups = np.unique(rng.integers(0, 3, m), return_inverse=True)[1]
    n = min(5, int((~asked).sum()))
    found = chosen(
        parts,
        way,
        rng.standard_normal((m, 3)),
        n,
        groups=groups,
        doubt=rng.random(m),
        labelled=labelled,
        asked=asked,
    )
    assert len(found) == len(set(found.tolist())) == n
    assert not asked[found].any()
