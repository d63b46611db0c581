"""Unknown cells by similarity, on simulated similarities, for properties only."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthotype.models.unknown import SimilarityScale


@pytest.fixture(scope="module")
def source() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], [400, 300, 200])
    return rng.normal(np.array([0.8, 0.6, 0.7])[codes], 0.05), codes


def test_the_source_itself_is_rejected_at_the_stated_rate(source: tuple[np.ndarray, np.ndarray]) -> None:
    values, codes = source
    scale = SimilarityScale.measure(values, codes, n_classes=3, false_rejection=0.05)
    assert scale.ratio(values, codes) == pytest.approx(1.0)
    for k in range(3):
        assert scale.unlike(values, codes)[codes == k].mean() == pytest.approx(0.05, abs=0.01)


@given(loss=st.floats(0.3, 1.0))
def test_a_loss_of_similarity_that_all_classes_share_changes_nothing(loss: float) -> None:
    rng = np.random.default_rng(1)
    codes = np.repeat([0, 1, 2], 100)
    values = rng.uniform(0.4, 0.9, size=300)
    scale = SimilarityScale.measure(values, codes, n_classes=3)
    assert scale.ratio(values * loss, codes) == pytest.approx(loss)
    np.testing.assert_array_equal(
        scale.unlike(values, codes), scale.unlike(values * loss * (1 - 1e-12), codes)
    )


def test_one_class_full_of_strangers_does_not_move_the_scale(source: tuple[np.ndarray, np.ndarray]) -> None:
    values, codes = source
    scale = SimilarityScale.measure(values, codes, n_classes=3)
    strangers = np.full(2000, 0.2)
    mixed, called = np.concatenate([values, strangers]), np.concatenate([codes, np.zeros(2000, dtype=int)])
    unlike = scale.unlike(mixed, called)
    assert unlike[len(values) :].all()
    assert unlike[: len(values)].mean() < 0.1


def test_too_few_cells_to_judge_leave_the_scale_alone(source: tuple[np.ndarray, np.ndarray]) -> None:
    scale = SimilarityScale.measure(*source, n_classes=3)
    assert scale.ratio(np.array([0.1, 0.2]), np.array([0, 1])) == 1.0


def test_a_target_more_similar_than_the_source_is_not_judged_harder(
    source: tuple[np.ndarray, np.ndarray],
) -> None:
    values, codes = source
    scale = SimilarityScale.measure(values, codes, n_classes=3)
    assert scale.ratio(values * 1.3, codes) == 1.0
