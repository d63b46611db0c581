"""The nearest landmarks by the kernel, by scikit-learn and by every distance; simulated points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from orthotype.cells.native import native
from orthotype.models.nearest import KERNEL, Landmarks

needs_kernel = pytest.mark.skipif(
    native(KERNEL) is None, reason="THE NATIVE KERNELS WERE NOT BUILT: they are not tested"
)


def levels():
    """Return the instruction sets that this machine has."""
    found, kernel = [], native(KERNEL)
    before = kernel.level()
    for level in ("baseline", "avx2", "avx512"):
        try:
            found.append(kernel.level(level))
        except ValueError:
            continue
    kernel.level(before)
    return found


def every_distance(points, landmarks):
    return np.sqrt(((points[:, None] - landmarks[None]) ** 2).sum(axis=2))


@needs_kernel
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(1, 150),
    m=st.integers(1, 200),
    d=st.integers(1, 45),
    k=st.integers(1, 30),
    far=st.sampled_from([0.0, 30.0, 1e5]),
)
@settings(max_examples=60)
def test_the_kernel_finds_the_nearest(seed, n, m, d, k, far):
    rng = np.random.default_rng(seed)
    landmarks, points = rng.normal(size=(m, d)) + far, rng.normal(size=(n, d)) + far
    k = min(k, m)
    found, columns = Landmarks(landmarks).nearest(points, k)
    distances = every_distance(points, landmarks)
    np.testing.assert_allclose(found, np.sort(distances, axis=1)[:, :k], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(np.take_along_axis(distances, columns, axis=1), found, rtol=1e-7, atol=1e-9)
    assert all(len(set(row)) == k for row in columns.tolist())


@needs_kernel
@pytest.mark.parametrize("n", [1, 63, 64, 65, 700])
def test_scikit_learn_finds_the_same(n, rng):
    landmarks, points = rng.normal(size=(500, 40)), rng.normal(size=(n, 40))
    found, columns = Landmarks(landmarks).nearest(points, 16)
    search = NearestNeighbors(n_neighbors=16, algorithm="brute").fit(landmarks)
    distances, expected = search.kneighbors(points)
    np.testing.assert_array_equal(columns, expected)
    np.testing.assert_allclose(found, distances, rtol=1e-12)


@needs_kernel
def test_threads_instruction_sets_and_blocks_do_not_matter(rng, monkeypatch):
    kernel, before = native(KERNEL), native(KERNEL).level()
    points, search = rng.normal(size=(900, 37)), Landmarks(rng.normal(size=(333, 37)))
    found = []
    for level in levels():
        for threads in ("1", "3"):
            kernel.level(level)
            monkeypatch.setenv("ORTHOTYPE_NUM_THREADS", threads)
            found.append(search.nearest(points, 9))
            parts = [search.nearest(points[first : first + 77], 9) for first in range(0, 900, 77)]
            found.append(tuple(np.concatenate(part) for part in zip(*parts, strict=True)))
    kernel.level(before)
    for other in found[1:]:
        np.testing.assert_array_equal(other[0], found[0][0])
        np.testing.assert_array_equal(other[1], found[0][1])


@needs_kernel
def test_of_equal_landmarks_the_first_come_first(rng):
    landmarks = np.repeat(rng.normal(size=(3, 5)), 90, axis=0)
    distances, columns = Landmarks(landmarks).nearest(landmarks[[0, 100, 269]], 20)
    assert (distances == 0).all()
    np.testing.assert_array_equal(columns, np.arange(20) + np.array([[0], [90], [180]]))


@needs_kernel
def test_what_float32_cannot_tell_apart_is_told_apart(rng):
    landmarks = np.full((300, 4), 1e4)
    landmarks[:, 0] += rng.permutation(300) * 1e-3
    landmarks[0] = -1e6
    points = landmarks[5:200:20] + 1e-5
    columns = Landmarks(landmarks).nearest(points, 7)[1]
    np.testing.assert_array_equal(columns, np.argsort(every_distance(points, landmarks), axis=1)[:, :7])


def test_without_the_kernel_the_same_is_found(rng, monkeypatch):
    landmarks, points = rng.normal(size=(200, 10)), rng.normal(size=(50, 10))
    here = Landmarks(landmarks).nearest(points, 6)
    monkeypatch.setenv("ORTHOTYPE_KERNEL", "scipy")
    there = Landmarks(landmarks).nearest(points, 6)
    np.testing.assert_array_equal(here[1], there[1])
    np.testing.assert_allclose(here[0], there[0], rtol=1e-10)


@needs_kernel
def test_points_that_are_no_numbers_break_nothing():
    landmarks = np.arange(300.0).reshape(100, 3)
    points = np.array([[np.nan, 0, 0], [0, 1, 2], [np.inf, 0, 0]])
    columns = Landmarks(landmarks).nearest(points, 4)[1]
    assert ((columns >= 0) & (columns < 100)).all()
    np.testing.assert_array_equal(columns[1], np.arange(4))
