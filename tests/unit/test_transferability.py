"""Transferability of genes, on simulated class profiles, for properties only."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthotype.models.profiles import ClassProfiles
from orthotype.models.transferability import transferability


def profiles(mean: np.ndarray, n_cells: float | np.ndarray = 200.0) -> ClassProfiles:
    cells = np.broadcast_to(np.asarray(n_cells, dtype=float), mean.shape[:1]).copy()
    return ClassProfiles(mean.astype(np.float32), np.ones_like(mean, dtype=np.float32), cells)


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Give class means of ten classes in two species: 100 genes agree, 100 do not, 100 are opposed."""
    rng = np.random.default_rng(0)
    source = rng.normal(size=(10, 300))
    target = source + 0.3 * rng.normal(size=source.shape)
    target[:, 100:200] = rng.normal(size=(10, 100))
    target[:, 200:] *= -1
    return source, target


def test_genes_that_agree_are_told_from_those_that_do_not(pair: tuple[np.ndarray, np.ndarray]) -> None:
    found = transferability(*map(profiles, pair))
    assert found.transferability[:100].min() > 0.7
    assert np.median(found.transferability[100:200]) < 0.3
    assert found.transferability[200:].max() == 0.0


def test_the_agreement_is_the_correlation_where_all_classes_count_alike(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    source, target = pair
    found = transferability(profiles(source), profiles(target))
    for j in (0, 150, 250):
        assert found.agreement[j] == pytest.approx(np.corrcoef(source[:, j], target[:, j])[0, 1], abs=1e-5)
    np.testing.assert_allclose(found.contribution.sum(axis=0), found.agreement, atol=1e-5)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    true = np.tanh(rng.normal(0.8, 0.6, size=4000))
    source = rng.normal(size=(14, 4000))
    target = true * source + np.sqrt(1 - true**2) * rng.normal(size=source.shape)
    found = transferability(profiles(source, 1e6), profiles(target, 1e6))
    inside = (found.low <= true) & (true <= found.high)
    assert inside.mean() == pytest.approx(0.95, abs=0.02)


@given(seed=st.integers(0, 300))
@settings(deadline=None, max_examples=20)
def test_a_shift_that_all_classes_share_plays_no_part(seed: int) -> None:
    rng = np.random.default_rng(seed)
    source, target, shift = rng.normal(size=(6, 30)), rng.normal(size=(6, 30)), rng.normal(size=30)
    one = transferability(profiles(source), profiles(target))
    other = transferability(profiles(source), profiles(target + shift))
    np.testing.assert_allclose(one.agreement, other.agreement, atol=1e-4)


def test_classes_without_target_cells_are_left_out(pair: tuple[np.ndarray, np.ndarray]) -> None:
    source, target = pair
    spoiled, cells = target.copy(), np.full(10, 200.0)
    spoiled[9], cells[9] = 100.0, 0.0
    found = transferability(profiles(source), profiles(spoiled, cells))
    fewer = transferability(profiles(source[:9]), profiles(target[:9]))
    np.testing.assert_allclose(found.agreement, fewer.agreement, atol=1e-4)
    assert found.n_classes == pytest.approx(9)


def test_what_cannot_be_judged_is_not_trusted(pair: tuple[np.ndarray, np.ndarray]) -> None:
    source, target = pair[0].copy(), pair[1]
    source[:, 0] = 3.0
    found = transferability(profiles(source), profiles(target))
    assert np.isnan(found.agreement[0])
    assert (found.transferability[0], found.low[0], found.high[0]) == (0.0, -1.0, 1.0)
    alone = transferability(profiles(source), profiles(target, np.eye(10)[0] * 50))
    assert not alone.transferability.any()
