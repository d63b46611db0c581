"""The geometric median turns, moves and grows with its points, and no small step away from it is better."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from orthotype.study.similarity import geometric_median


def total(points, place):
    return np.linalg.norm(points - place, axis=1).sum()


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 30), st.integers(2, 6), st.booleans())
def test_the_median_is_a_minimum_and_follows_its_points(seed, n, d, repeated):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((n, d))
    if repeated:
        points = points[rng.integers(0, n, n)]
    middle = geometric_median(points)
    for size in (1e-1, 1e-3):
        for step in rng.standard_normal((5, d)):
            assert total(points, middle) <= total(points, middle + size * step) + 1e-9
    assert total(points, middle) <= min(total(points, point) for point in points) + 1e-9
    turn, _ = np.linalg.qr(rng.standard_normal((d, d)))
    moved = geometric_median(rng.permutation(3 * points @ turn + 5))
    assert abs(total(3 * points @ turn + 5, moved) - 3 * total(points, middle)) < 1e-6
